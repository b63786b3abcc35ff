#include "server/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace millrace::server {
namespace {

using ::testing::HasSubstr;

TEST(ParseListenAddress, KnowsPortsAddressesAndOff) {
  const auto text = [](const std::string& given) {
    const auto parsed = ParseListenAddress(given);
    if (!parsed.ok()) return parsed.status().message();
    return *parsed ? (*parsed)->ToString() + ((*parsed)->is_loopback ? " loopback" : "") : std::string("off");
  };
  EXPECT_EQ(text("off"), "off");
  EXPECT_EQ(text("0"), "127.0.0.1:0 loopback");
  EXPECT_EQ(text("8080"), "127.0.0.1:8080 loopback");
  EXPECT_EQ(text("localhost:1"), "127.0.0.1:1 loopback");
  EXPECT_EQ(text("127.9.9.9:1"), "127.9.9.9:1 loopback");
  EXPECT_EQ(text("[::1]:443"), "[::1]:443 loopback");
  EXPECT_EQ(text("0.0.0.0:65535"), "0.0.0.0:65535");
  EXPECT_EQ(text("[::]:80"), "[::]:80");
  EXPECT_EQ(text("10.0.0.1:80"), "10.0.0.1:80");
  for (const char* wrong : {"", "on", "65536", "-1", "80x", ":80", "127.0.0.1", "127.0.0.1:", "example.com:80",
                            "::1:80", "[::1]", "[10.0.0.1]:80", "127.1:80", "[]:80"}) {
    EXPECT_THAT(text(wrong), HasSubstr("--http=" + std::string(wrong) + " is no place to listen")) << wrong;
  }
}

TEST(CheckAccess, AsksForTlsAndATokenBeyondThisMachine) {
  const ListenAddress loopback{.address = "127.0.0.1"};
  const ListenAddress open{.address = "0.0.0.0", .port = 80, .is_loopback = false};
  const auto message = [&](const ServeOptions& options, const ListenAddress& address) {
    return CheckAccess(options, address).message();
  };
  EXPECT_EQ(message({}, loopback), "");
  EXPECT_EQ(message({.insecure = true}, open), "");
  EXPECT_EQ(message({.tls_cert = "c", .tls_key = "k", .token_file = "t"}, open), "");
  EXPECT_THAT(message({}, open), HasSubstr("--http=0.0.0.0:80 can be reached from other machines, so it needs "
                                           "--tls_cert and --tls_key, and --token_file; or say --insecure"));
  EXPECT_THAT(message({.tls_cert = "c", .tls_key = "k"}, open), HasSubstr("so it needs --token_file;"));
  EXPECT_THAT(message({.token_file = "t"}, open), HasSubstr("so it needs --tls_cert and --tls_key;"));
  EXPECT_THAT(message({.tls_cert = "c"}, loopback), HasSubstr("go together"));
  EXPECT_THAT(message({.tls_key = "k", .insecure = true}, open), HasSubstr("go together"));
}

class BearerTokenTest : public ::testing::Test {
 protected:
  StatusOr<BearerToken> Load(const std::string& content) {
    std::ofstream(path_) << content;
    return BearerToken::Load(path_);
  }
  ~BearerTokenTest() override { std::filesystem::remove(path_); }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / ("millrace_token_" + std::to_string(::getpid()))).string();
};

TEST_F(BearerTokenTest, MatchesTheHeaderAndNothingElse) {
  const std::string secret = "0123456789abcdef";
  const auto token = Load(secret + "\n");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_TRUE(token->Matches("Bearer " + secret));
  const std::vector<std::string> others = {
      secret, "bearer " + secret, "Bearer " + secret + " ", "Bearer  " + secret, "Bearer 0123456789abcdeX", "Bearer ",
      "",     "Basic " + secret};
  for (const std::string& wrong : others) {
    EXPECT_FALSE(token->Matches(wrong)) << wrong;
  }
}

TEST_F(BearerTokenTest, RefusesWhatIsNoSecret) {
  for (const std::string& content : {std::string(), std::string("short\n"), std::string("0123456789abcdef x"),
                                     std::string("0123456789abcdef\nsecond"), std::string("0123456789abcd\xC3\xBC")}) {
    const auto token = Load(content);
    ASSERT_FALSE(token.ok()) << content;
    EXPECT_THAT(token.status().message(), HasSubstr(path_ + " must hold one line of at least 16 printable"));
  }
  EXPECT_EQ(Load(std::string(5'000, 'x')).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(BearerToken::Load(path_ + ".missing").status().code(), StatusCode::kNotFound);
}

TEST(HostIsLoopback, KnowsThisMachine) {
  const auto is_loopback = [](const std::string& host) { return HostIsLoopback({.headers = {{"host", host}}}); };
  for (const char* host : {"localhost", "localhost:80", "127.0.0.1:8080", "127.0.0.1", "[::1]:80", "[::1]"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "",
                           "[", "[]", "10.0.0.1"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
  EXPECT_TRUE(HostIsLoopback({}));
}

}  // namespace
}  // namespace millrace::server
