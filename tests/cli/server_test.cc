// The server that a run brings with it, asked by real clients: curl, Python, and the program's own verbs.
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "millrace/core/json.h"
#include "program.h"

namespace millrace::cli_test {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What a command prints, and how it ends.
Outcome Shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> bytes;
  for (std::size_t count = 1; (count = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    outcome.out.append(bytes.data(), count);
  }
  const int status = ::pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::string ContentOf(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class ServerTest : public ::testing::Test {
 protected:
  // Starts an endless run and waits for its server.
  void Start(std::vector<std::string> options = {}) {
    std::vector<std::string> arguments = {"run", "--streaming", "--endless", "--threads=1", data_};
    arguments.insert(arguments.end(), options.begin(), options.end());
    run_ = std::make_unique<Child>("rides", arguments);
    const std::string file = server::ServerFileOf(folder_.path());
    for (int i = 0; i < 2'000; ++i) {
      const auto found = json::Parse<server::ServerFile>(ContentOf(file));
      if (found.ok() && found->pid == run_->pid()) {
        url_ = found->url;
        return;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    run_->Signal(SIGKILL);
    FAIL() << run_->Wait().err;
  }
  Outcome Stop() {
    run_->Signal(SIGINT);
    return run_->Wait();
  }
  Outcome Ride(std::vector<std::string> arguments) const {
    arguments.push_back(data_);
    return RunRides(arguments);
  }
  // Asks until the answer contains `text`, for some seconds.
  std::string RideUntil(const std::vector<std::string>& arguments, const std::string& text) const {
    Outcome outcome;
    for (int i = 0; i < 200 && outcome.out.find(text) == std::string::npos; ++i) {
      if (i > 0) std::this_thread::sleep_for(milliseconds(50));
      outcome = Ride(arguments);
    }
    EXPECT_THAT(outcome.out, HasSubstr(text)) << outcome.err;
    return outcome.out;
  }
  std::string Curl(const std::string& arguments) const { return Shell("curl -s -S -i --max-time 20 " + arguments).out; }
  std::string Body(const std::string& path) const { return Shell("curl -s -S --max-time 20 " + url_ + path).out; }

  TemporaryFolder folder_;
  std::string data_ = "--data_dir=" + folder_.path();
  std::unique_ptr<Child> run_;
  std::string url_;
};

TEST_F(ServerTest, TellsStatusAndHealth) {
  Start();
  EXPECT_THAT(url_, StartsWith("http://127.0.0.1:"));
  EXPECT_THAT(Curl(url_ + "/healthz"), AllOf(StartsWith("HTTP/1.1 200 OK"), ContainsRegex("(ok|starting)\n$")));
  RideUntil({"status"}, "job         rides, streaming, running");
  RideUntil({"status", "--format=json"}, "\"watermark\":\"19");
  EXPECT_THAT(Curl(url_ + "/metrics"), AllOf(StartsWith("HTTP/1.1 200 OK"), HasSubstr("text/plain; version=0.0.4"),
                                             HasSubstr("\nmillrace_run_state{state=\"running\"} 1\n")));
  const auto status = json::Parse<server::ServerStatus>(Body("/v1/status"));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->program, "rides");
  EXPECT_EQ(status->pid, run_->pid());
  EXPECT_EQ(status->url, url_);
  ASSERT_TRUE(status->run);
  EXPECT_EQ(status->run->job, "rides");
  EXPECT_EQ(status->run->generation, 1U);
  EXPECT_EQ(status->run->mode, "streaming");
  EXPECT_GT(status->run->elements_read, 0);
  EXPECT_GT(status->run->watermark, Timestamp::FromSeconds(0));
  EXPECT_THAT(Curl(url_ + "/nothing"), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("NOT_FOUND")));
  EXPECT_THAT(Curl("-X DELETE " + url_ + "/v1/status"), AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET")));
  EXPECT_THAT(Curl("-H 'Host: evil.example' " + url_ + "/v1/status"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Curl("-d 'SELECT 1' " + url_ + "/v1/sql"), StartsWith("HTTP/1.1 403"));
  const Outcome ended = Stop();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("rides: status at " + url_ + "/v1/status, metrics at /metrics"));
  EXPECT_FALSE(std::filesystem::exists(server::ServerFileOf(folder_.path())));
  EXPECT_FALSE(std::filesystem::exists(server::SocketPathOf(folder_.path())));
}

TEST_F(ServerTest, ARunWhoseResultsCannotBeShownEnds) {
  Start({"--checkpoint_interval=3s"});
  ASSERT_THAT(ContentOf(folder_.path() + "/millrace.json"), HasSubstr("\"generation\":0"));
  const std::string unfinished = folder_.path() + "/millrace.json.new";
  std::filesystem::create_directory(unfinished);
  const Outcome ended = run_->Wait();
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("the checkpoint is kept, but its results cannot be shown"),
                               HasSubstr("millrace.json.new")));
  std::filesystem::remove(unfinished);
  // What was read up to that checkpoint is there for the next run.
  EXPECT_THAT(Ride({"status"}).out, AllOf(HasSubstr("resumable"), HasSubstr("epoch 1 of attempt 1")));
}

TEST_F(ServerTest, VerbsAskTheRun) {
  Start({"--checkpoint_interval=200ms"});  // with each, rows come into the views
  RideUntil({"query", "city_cents", "Oslo", "--limit=1", "--format=csv"}, "Oslo,1970-01-01T00:00:00Z");
  const Outcome json = Ride({"query", "city_cents", "Oslo", "--limit=2", "--format=json"});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 2);
  const Outcome sql = Ride({"sql", "SELECT count(*) > 0 AS some FROM city_cents", "--format=csv"});
  EXPECT_EQ(sql.out, "some\ntrue\n") << sql.err;
  const std::string path = "/v1/query?view=driver_rides&key=Oslo&key=d1&limit=1";
  EXPECT_THAT(Body("'" + path + "'"), HasSubstr("{\"city\":\"Oslo\",\"driver\":\"d1\""));
  EXPECT_THAT(Body("'/v1/query?view=driver_rides&limit=x'"), HasSubstr("limit=x is no number of rows"));
  EXPECT_THAT(Body("'/v1/query?view=nothing'"), HasSubstr("there is no view nothing"));
  EXPECT_THAT(Body("/v1/query"), HasSubstr("say which view"));
  for (const char* writes :
       {"DROP VIEW city_cents", "CREATE TABLE t (i INT)", "COMMIT", "SET threads=1", "ATTACH ':memory:' AS other",
        "CHECKPOINT", "PRAGMA database_list; DROP VIEW city_cents"}) {
    const Outcome refused = Ride({"sql", writes});
    EXPECT_EQ(refused.exit_code, 1) << writes << refused.out;
  }
  EXPECT_THAT(Ride({"sql", "SELECT nonsense"}).err, HasSubstr("nonsense"));
  const Outcome large = Ride({"sql", "SELECT repeat('x', 1000) FROM range(100000)", "--format=csv"});
  EXPECT_THAT(large.err, HasSubstr("more than 32 MiB"));
  EXPECT_THAT(Ride({"query", "city_cents", "a", "b"}).err, HasSubstr("2 keys are too many"));
  EXPECT_EQ(Stop().exit_code, 0);
}

TEST_F(ServerTest, ALongStatementDoesNotKeepTheRunFromEnding) {
  Start();
  Child verb(
      "rides",
      {"sql", "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 5", data_});
  std::this_thread::sleep_for(milliseconds(1'000));
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(Stop().exit_code, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10));
  verb.Signal(SIGKILL);  // it has taken the directory and begun again
  verb.Wait();
}

TEST_F(ServerTest, TheRunExportsItsViews) {
  const TemporaryFolder other;
  const std::string file = other.path() + "/out.parquet";
  Start({"--checkpoint_interval=200ms"});
  RideUntil({"query", "driver_rides", "Oslo", "d1", "--limit=1", "--format=csv"}, "Oslo,d1,1970-01-01T00:00:00Z");
  const Outcome exported = Ride({"export", "driver_rides", file});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_THAT(exported.err, ContainsRegex("[0-9,]+ rows of driver_rides written to " + file));
  EXPECT_FALSE(std::filesystem::exists(file + ".new"));
  EXPECT_THAT(Ride({"export", "driver_rides", file}).err, HasSubstr("--overwrite"));
  EXPECT_EQ(Ride({"export", "driver_rides", file, "--overwrite"}).exit_code, 0);
  EXPECT_THAT(Curl("-d '" + file + "' '" + url_ + "/v1/export?view=driver_rides'"), StartsWith("HTTP/1.1 403"));
  const std::string socket = "--unix-socket '" + server::SocketPathOf(folder_.path()) + "' ";
  EXPECT_THAT(Curl("-d '" + file + "' " + socket + "'http://localhost/v1/export?view=nothing'"),
              HasSubstr("there is no view nothing"));
  EXPECT_EQ(Stop().exit_code, 0);
  // What it wrote then is a part of what there is now.
  const Outcome rows = Ride({"sql",
                             "SELECT count(*) > 0 AS some, count(*) FILTER (d.rides IS NULL OR f.rides > d.rides) AS "
                             "wrong FROM '" +
                                 file +
                                 "' f LEFT JOIN driver_rides d USING (city, driver, window_start, "
                                 "window_end)",
                             "--format=csv"});
  EXPECT_EQ(rows.out, "some,wrong\ntrue,0\n") << rows.err;
}

TEST_F(ServerTest, StatusSaysWhatADirectoryHolds) {
  EXPECT_THAT(Ride({"status"}).err, HasSubstr("there is no data directory"));
  ASSERT_EQ(Ride({"run"}).exit_code, 0);
  const Outcome table = Ride({"status"});
  EXPECT_THAT(table.out, HasSubstr("job         rides, nothing runs\nresults     generation 1 of a batch run, 20"));
  const Outcome json = Ride({"status", "--format=json"});
  EXPECT_THAT(json.out, HasSubstr("\"job\":\"rides\",\"generation\":1,\"mode\":\"batch\",\"written_at\":\"20"));
  EXPECT_EQ(Ride({"status", "--format=csv"}).exit_code, 2);
  EXPECT_EQ(Ride({"status", "extra"}).exit_code, 2);
}

TEST_F(ServerTest, ABatchRunTellsItsStatusToo) {
  run_ = std::make_unique<Child>("rides", std::vector<std::string>{"run", "--rides=100000", "--slow=1ms", data_});
  RideUntil({"status"}, "job         rides, batch, running");
  EXPECT_THAT(Ride({"status"}).out, Not(HasSubstr("http://")));
  EXPECT_THAT(Ride({"query", "city_cents"}).err, HasSubstr("a batch run gives its views at its end"));
  run_->Signal(SIGKILL);
  run_->Wait();
}

TEST_F(ServerTest, AKilledRunsSocketIsReplaced) {
  Start();
  run_->Signal(SIGKILL);
  EXPECT_EQ(run_->Wait().signal, SIGKILL);
  ASSERT_TRUE(std::filesystem::exists(server::SocketPathOf(folder_.path())));
  const Outcome status = Ride({"status"});  // asks nobody, and takes the directory
  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_THAT(
      status.out,
      HasSubstr(
          "nothing runs\nresumable   generation 1, last attempt 1\nresults     none: no run has come to its end yet"));
  Start();
  RideUntil({"status"}, "(pid " + std::to_string(run_->pid()) + ")");
  struct stat file{};
  ASSERT_EQ(::stat(server::SocketPathOf(folder_.path()).c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  EXPECT_EQ(Stop().exit_code, 0);
}

TEST_F(ServerTest, ASecondRunNamesTheFirst) {
  Start();
  const Outcome second = Ride({"run", "--streaming", "--endless"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, ContainsRegex("is held by `rides run` \\(pid " + std::to_string(run_->pid())));
  RideUntil({"status"}, "(pid " + std::to_string(run_->pid()) + ")");  // its socket is still there
  EXPECT_EQ(Stop().exit_code, 0);
}

TEST_F(ServerTest, OptionsThatCannotBeAreRefused) {
  const auto refusal = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"run", "--streaming", "--endless"});
    const Outcome outcome = Ride(options);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refusal({"--http=0.0.0.0:0"}), HasSubstr("so it needs --tls_cert and --tls_key, and --token_file"));
  EXPECT_THAT(refusal({"--http=host:1"}), HasSubstr("--http=host:1 is no place to listen"));
  EXPECT_THAT(refusal({"--tls_cert=a"}), HasSubstr("go together"));
  const std::string junk = folder_.path() + ".pem";
  std::ofstream(junk) << "no certificate";
  EXPECT_THAT(refusal({"--tls_cert=" + junk, "--tls_key=" + junk}), HasSubstr("cannot read a PEM certificate from"));
  EXPECT_THAT(refusal({"--token_file=" + junk}), HasSubstr("must hold one line of at least 16 printable"));
  std::filesystem::remove(junk);
  Start({"--http=off"});
  EXPECT_EQ(url_, "");
  RideUntil({"status"}, "running");
  EXPECT_EQ(Stop().exit_code, 0);
}

TEST_F(ServerTest, APortThatIsTakenIsTold) {
  Start();
  TemporaryFolder other;
  const std::string port = url_.substr(url_.rfind(':') + 1);
  const Outcome second = RunRides({"run", "--streaming", "--endless", "--http=" + port, "--data_dir=" + other.path()});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("--http=127.0.0.1:" + port + ": cannot listen on 127.0.0.1:" + port +
                                    ": Address already in use; give another port, or 0"));
  EXPECT_EQ(Stop().exit_code, 0);
}

// With a certificate that openssl makes for the test.
class TlsTest : public ServerTest {
 protected:
  void SetUp() override {
    const Outcome made =
        Shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -keyout " + key_ +
              " -out " + certificate_ + " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost");
    ASSERT_EQ(made.exit_code, 0) << made.out;
    std::ofstream(token_) << kToken << "\n";
  }

  static constexpr const char* kToken = "a-token-of-the-test-0123456789";
  TemporaryFolder secrets_;
  const std::string key_ = secrets_.path() + "/key.pem";
  const std::string certificate_ = secrets_.path() + "/cert.pem";
  const std::string token_ = secrets_.path() + "/token";
};

TEST_F(TlsTest, SpeaksTlsAndAsksForTheToken) {
  Start({"--http=0.0.0.0:0", "--tls_cert=" + certificate_, "--tls_key=" + key_, "--token_file=" + token_});
  EXPECT_THAT(url_, StartsWith("https://0.0.0.0:"));
  const std::string url = "https://127.0.0.1" + url_.substr(url_.rfind(':'));
  const std::string trust = "--cacert " + certificate_ + " ";
  const std::string bearer = "-H 'Authorization: Bearer " + std::string(kToken);
  EXPECT_THAT(Curl(trust + url + "/v1/status"),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer"), Not(HasSubstr("rides"))));
  EXPECT_THAT(Curl(trust + url + "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Curl(trust + bearer + "x' " + url + "/metrics"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Curl(trust + bearer + "' " + url + "/v1/status"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("\"program\":\"rides\"")));
  EXPECT_THAT(Curl(trust + bearer + "' -H 'Host: mill.example' " + url + "/metrics"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Curl(trust + "--tls-max 1.1 " + url + "/healthz"), HasSubstr("curl: ("));
  EXPECT_THAT(Curl(url + "/healthz"), HasSubstr("curl: (60)"));  // not trusted
  EXPECT_THAT(Curl("http" + url.substr(5) + "/healthz"), Not(HasSubstr("200 OK")));
  RideUntil({"status"}, "running");  // the local socket needs no token
  EXPECT_EQ(Stop().exit_code, 0);
}

}  // namespace
}  // namespace millrace::cli_test
