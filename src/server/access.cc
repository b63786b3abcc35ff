#include "server/access.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace millrace::server {

namespace {

constexpr std::uint64_t kTokenFileBytesMax = 4096;
constexpr std::size_t kTokenCharactersMin = 16;
constexpr std::string_view kScheme = "Bearer ";

std::optional<int> ParsePort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65'535) return std::nullopt;
  return port;
}

bool IsNumericV4(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool IsNumericV6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool IsLoopback(const std::string& address) {
  if (IsNumericV4(address)) return address.starts_with("127.");
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1 && IN6_IS_ADDR_LOOPBACK(&parsed);
}

}  // namespace

std::string ListenAddress::ToString() const {
  const bool is_v6 = address.find(':') != std::string::npos;
  return (is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

StatusOr<std::optional<ListenAddress>> ParseListenAddress(const std::string& text) {
  if (text == "off") return std::optional<ListenAddress>();
  const std::size_t colon = text.rfind(':');
  std::string address = colon == std::string::npos ? "127.0.0.1" : text.substr(0, colon);
  const std::optional<int> port = ParsePort(colon == std::string::npos ? text : text.substr(colon + 1));
  if (address == "localhost") address = "127.0.0.1";
  bool is_address = IsNumericV4(address);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    is_address = IsNumericV6(address);
  }
  if (!port || !is_address) {
    return InvalidArgumentError("--http=" + text +
                                " is no place to listen; give PORT, ADDRESS:PORT with a numeric address such as "
                                "127.0.0.1:8080 or [::1]:8080, or off");
  }
  return std::optional(ListenAddress{.address = address, .port = *port, .is_loopback = IsLoopback(address)});
}

Status CheckAccess(const ServeOptions& options, const ListenAddress& address) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return InvalidArgumentError("--tls_cert and --tls_key go together; one of them is missing");
  }
  if (address.is_loopback || options.insecure) return OkStatus();
  std::string missing;
  if (options.tls_cert.empty()) missing = "--tls_cert and --tls_key";
  if (options.token_file.empty()) missing += std::string(missing.empty() ? "" : ", and ") + "--token_file";
  if (missing.empty()) return OkStatus();
  return InvalidArgumentError("--http=" + address.ToString() + " can be reached from other machines, so it needs " +
                              missing + "; or say --insecure, and everybody there may read the views");
}

StatusOr<BearerToken> BearerToken::Load(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(std::string token, base::ReadFile(base::PosixFileSystem(), path, kTokenFileBytesMax));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool printable = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (token.size() < kTokenCharactersMin || !printable) {
    return InvalidArgumentError("--token_file: " + path + " must hold one line of at least " +
                                std::to_string(kTokenCharactersMin) +
                                " printable characters without spaces; make one: openssl rand -hex 32");
  }
  return BearerToken(DigestOf(token));
}

BearerToken::Digest BearerToken::DigestOf(std::string_view token) {
  Digest digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

bool BearerToken::Matches(std::string_view authorization) const {
  if (!authorization.starts_with(kScheme)) return false;
  const Digest given = DigestOf(authorization.substr(kScheme.size()));
  return ::CRYPTO_memcmp(given.data(), digest_.data(), digest_.size()) == 0;
}

bool HostIsLoopback(const HttpRequest& request) {
  const auto found = request.headers.find("host");
  if (found == request.headers.end()) return true;  // HTTP/1.0; a browser always sends it
  std::string host = found->second;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  return host == "localhost" || IsLoopback(host);
}

}  // namespace millrace::server
