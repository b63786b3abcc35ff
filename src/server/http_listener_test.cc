#include "server/http_listener.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/random.h"
#include "base/test_settings.h"

namespace millrace::server {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Clock = std::chrono::steady_clock;

// A client that says exactly what it is told to.
class RawClient {
 public:
  explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~RawClient() { HangUp(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  // False when the server does not listen any more.
  bool Say(std::string_view text) const {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  void SayNoMore() const { ::shutdown(socket_, SHUT_WR); }
  // Until the server hangs up.
  std::string Hear() const {
    std::string heard;
    char bytes[4096];
    for (ssize_t count = 1; (count = ::recv(socket_, bytes, sizeof(bytes), 0)) > 0;) {
      heard.append(bytes, static_cast<std::size_t>(count));
    }
    return heard;
  }
  // What is here already.
  std::string HearNow() const {
    char bytes[4096];
    const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), MSG_DONTWAIT);
    return count > 0 ? std::string(bytes, static_cast<std::size_t>(count)) : "";
  }
  void HangUp() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
  bool connected_ = false;
};

constexpr const char* kBusy = "HTTP/1.1 503 Service Unavailable\r\n";

class HttpListenerTest : public ::testing::Test {
 protected:
  void Listen(HttpListenerOptions options, HttpHandler handler = Echo) {
    auto bound = HttpListener::Bind(options, std::move(handler));
    ASSERT_TRUE(bound.ok()) << bound.status();
    listener_ = *std::move(bound);
    listener_->Run();
  }
  static HttpListenerOptions Tcp() {
    return {.address = "127.0.0.1", .limits = {.request_max = milliseconds(600), .response_max = milliseconds(2000)}};
  }
  static HttpResponse Echo(const HttpRequest& request) {
    std::string text = request.method + " " + request.path + " " + QueryValue(request, "x") + " " + request.body;
    return {.status = 200, .content_type = "text/plain", .body = text, .headers = {}};
  }
  std::string Ask(std::string_view text) const {
    const RawClient client(listener_->port());
    client.Say(text);
    return client.Hear();
  }
  void ExpectAlive() const {
    std::string answer = kBusy;
    for (int i = 0; i < 100 && answer.starts_with(kBusy); ++i) {
      if (i > 0) std::this_thread::sleep_for(milliseconds(50));
      answer = Ask("GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    EXPECT_THAT(answer, HasSubstr("GET /alive"));
  }

  std::unique_ptr<HttpListener> listener_;
};

TEST_F(HttpListenerTest, AnswersRequests) {
  Listen(Tcp());
  const std::string answer = Ask("GET /a%20b?x=1%262&x=3 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, HasSubstr("Cache-Control: no-store"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nGET /a b 3 ")) << answer;
  const std::string post = Ask("POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(post.ends_with("POST /p  hello")) << post;
  EXPECT_TRUE(Ask("HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n").ends_with("\r\n\r\n"));
  EXPECT_THAT(Ask("GET /two HTTP/1.0\r\n\r\nGET /smuggled HTTP/1.0\r\n\r\n"), Not(HasSubstr("smuggled")));
}

// What `curl -d` sends says that it is a form; it is a body like any other.
TEST_F(HttpListenerTest, TakesABodyThatCallsItselfAForm) {
  Listen(Tcp());
  const std::string body = "x=1&" + std::string(100'000, 'y');
  const std::string answer =
      Ask("POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(answer.ends_with("POST /p  " + body)) << answer.substr(0, 300);
  EXPECT_THAT(Ask("POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                  "Content-Length: 5\r\n\r\n--b--"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("in parts")));
  ExpectAlive();
}

TEST_F(HttpListenerTest, TellsAFailureOfTheHandler) {
  Listen(Tcp(), [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("no such mill"); });
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("no such mill")));
}

TEST_F(HttpListenerTest, RefusesWhatIsTooLarge) {
  HttpListenerOptions options = Tcp();
  options.limits.request_bytes_max = 20'000;
  Listen(options);
  const std::string much = "Content-Length: 100000000\r\n\r\n" + std::string(30'000, 'x');
  EXPECT_THAT(Ask("POST / HTTP/1.1\r\nHost: localhost\r\n" + much), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Ask("GET /" + std::string(9'000, 'u') + " HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 414 "));
  std::string headers;
  for (int i = 0; i < 2'000; ++i) headers += "X-Header-" + std::to_string(i) + ": something\r\n";
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n" + headers + "\r\n"), Not(HasSubstr("200 OK")));
  ExpectAlive();
}

TEST_F(HttpListenerTest, SurvivesBytesThatAreNoHttp) {
  Listen(Tcp());
  base::Random random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  const std::string model = "POST /p?x=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
  const std::int64_t rounds = base::TestRounds(100, 5'000);
  for (std::int64_t i = 0; i < rounds; ++i) {
    std::string text = model;
    for (std::uint64_t change = random.Below(6) + 1; change > 0; --change) {
      text[random.Below(text.size())] = static_cast<char>(random.Next());
    }
    const RawClient client(listener_->port());
    client.Say(std::string_view(text).substr(0, random.Below(text.size() + 1)));
    client.SayNoMore();
    client.Hear();
  }
  ExpectAlive();
}

TEST_F(HttpListenerTest, GivesUpAPeerThatIsSilentOrSlow) {
  Listen(Tcp());
  const auto started = Clock::now();
  const RawClient silent(listener_->port());
  const RawClient slow(listener_->port());
  slow.Say("GET / HTTP/1.1\r\n");
  std::thread drip([&] {
    while (slow.Say("X")) std::this_thread::sleep_for(milliseconds(50));
  });
  EXPECT_EQ(silent.Hear(), "");
  EXPECT_THAT(slow.Hear(), Not(HasSubstr("200 OK")));
  const auto took = Clock::now() - started;
  drip.join();
  EXPECT_GE(took, milliseconds(500));
  EXPECT_LT(took, milliseconds(5'000));
  ExpectAlive();
}

TEST_F(HttpListenerTest, RefusesMoreConnectionsThanItHasRoomFor) {
  HttpListenerOptions options = Tcp();
  options.threads = 2;
  options.connections_waiting_max = 3;
  options.limits.request_max = milliseconds(20'000);
  Listen(options);
  std::vector<std::unique_ptr<RawClient>> held;
  for (int i = 0; i < 12; ++i) held.push_back(std::make_unique<RawClient>(listener_->port()));
  std::this_thread::sleep_for(milliseconds(200));
  const auto refused =
      std::count_if(held.begin(), held.end(), [](const auto& client) { return client->HearNow().starts_with(kBusy); });
  EXPECT_GE(refused, 7);
  EXPECT_LE(refused, 9);  // two of the others wait no longer, as soon as the threads have begun
  held.clear();
  std::this_thread::sleep_for(milliseconds(100));
  ExpectAlive();
}

TEST_F(HttpListenerTest, OutlivesPeersThatHangUp) {
  Listen(Tcp(), [large = std::string(8 << 20, 'x')](const HttpRequest& request) {
    return request.path == "/alive" ? Echo(request) : HttpResponse{.body = large, .headers = {}};
  });
  for (int i = 0; i < 20; ++i) {
    RawClient client(listener_->port());
    client.Say("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (i % 2 == 0) std::this_thread::sleep_for(milliseconds(5));
    client.HangUp();
  }
  ExpectAlive();
}

TEST_F(HttpListenerTest, GivesUpAPeerThatDoesNotReadTheResponse) {
  HttpListenerOptions options = Tcp();
  options.threads = 1;
  options.limits.response_max = milliseconds(300);
  Listen(options, [large = std::string(64 << 20, 'x')](const HttpRequest& request) {
    return request.path == "/alive" ? Echo(request) : HttpResponse{.body = large, .headers = {}};
  });
  const RawClient client(listener_->port());
  client.Say("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto started = Clock::now();
  ExpectAlive();  // by the only thread
  EXPECT_LT(Clock::now() - started, milliseconds(5'000));
}

TEST_F(HttpListenerTest, EndsAtOnceWhateverItsPeersDo) {
  HttpListenerOptions options = Tcp();
  options.limits.request_max = std::chrono::minutes(1);
  Listen(options);
  const RawClient silent(listener_->port());
  const RawClient begun(listener_->port());
  begun.Say("GET / HT");
  std::this_thread::sleep_for(milliseconds(50));
  const auto started = Clock::now();
  listener_.reset();
  EXPECT_LT(Clock::now() - started, milliseconds(3'000));
}

TEST_F(HttpListenerTest, TellsAPortThatIsTaken) {
  Listen(Tcp());
  HttpListenerOptions options = Tcp();
  options.port = listener_->port();
  const auto second = HttpListener::Bind(options, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(),
              HasSubstr("cannot listen on 127.0.0.1:" + std::to_string(options.port) + ": Address already in use"));
}

class SocketTest : public HttpListenerTest {
 protected:
  SocketTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace_socket_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SocketTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(SocketTest, CarriesTheSameHttp) {
  const std::string path = folder_ + "/server.sock";
  std::atomic<bool> local = false;
  Listen({.socket_path = path}, [&](const HttpRequest& request) {
    local = request.is_local;
    return Echo(request);
  });
  struct stat file{};
  ASSERT_EQ(::stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  const auto get = SendToSocket(path, {.path = "/q", .query = {{"x", "a b&c=d/ü"}}}, milliseconds(2'000));
  ASSERT_TRUE(get.ok()) << get.status();
  EXPECT_EQ(get->body, "GET /q a b&c=d/ü ");
  EXPECT_TRUE(local);
  const std::string statement(100'000, 's');
  const auto post = SendToSocket(path, {.method = "POST", .path = "/p", .body = statement}, milliseconds(2'000));
  ASSERT_TRUE(post.ok()) << post.status();
  EXPECT_EQ(post->body, "POST /p  " + statement);
}

TEST_F(SocketTest, MayHaveALongPath) {
  std::string folder = folder_;
  for (int i = 0; i < 4; ++i) folder += "/" + std::string(60, static_cast<char>('a' + i));
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/server.sock";
  Listen({.socket_path = path});
  EXPECT_TRUE(std::filesystem::is_socket(path));
  const auto answer = SendToSocket(path, {.path = "/long"}, milliseconds(2'000));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "GET /long  ");
}

TEST_F(SocketTest, TellsThatNobodyListens) {
  const std::string path = folder_ + "/server.sock";
  EXPECT_EQ(SendToSocket(path, {}, milliseconds(500)).status().code(), StatusCode::kNotFound);
  Listen({.socket_path = path});
  listener_.reset();
  ASSERT_TRUE(std::filesystem::exists(path));  // as a process leaves it that is killed
  EXPECT_EQ(SendToSocket(path, {}, milliseconds(500)).status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace millrace::server
