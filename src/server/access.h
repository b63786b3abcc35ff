// Who may ask a server that listens on a network: where it may listen, and the bearer token.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/core/options.h"
#include "millrace/core/status.h"
#include "server/http_message.h"

namespace millrace::server {

/// Options of the server of a run.
struct ServeOptions {
  std::optional<std::string> http = {};
  std::string tls_cert = {};
  std::string tls_key = {};
  std::string token_file = {};
  bool insecure = false;

  static constexpr OptionHelp kOptionHelp[] = {
      {"http",
       "run, serve: where status and metrics are served: PORT of 127.0.0.1, ADDRESS:PORT, or off; port 0 picks one. "
       "A streaming run, and serve, take 0 if nothing is said"},
      {"tls_cert", "run, serve: PEM file of the certificate, with its chain; HTTP and Pub/Sub then go over TLS"},
      {"tls_key", "run, serve: PEM file of the certificate's key"},
      {"token_file", "run, serve: file with the bearer token that every request must carry"},
      {"insecure", "run, serve: listen beyond this machine without TLS or token"},
  };
};

/// Where a server listens.
struct ListenAddress {
  std::string address;  // numeric
  int port = 0;         // 0: any
  bool is_loopback = true;

  /// "127.0.0.1:8080", "[::1]:8080".
  std::string ToString() const;
};

/// "8080", "127.0.0.1:8080", "localhost:0", "[::1]:8080"; nothing for "off". INVALID_ARGUMENT names the text.
StatusOr<std::optional<ListenAddress>> ParseListenAddress(const std::string& text);

/// INVALID_ARGUMENT for options that do not go together. What listens beyond the loopback interface needs TLS and a
/// token, or `insecure`.
Status CheckAccess(const ServeOptions& options, const ListenAddress& address);

/// A secret that a request must carry as `Authorization: Bearer TOKEN`. Only its hash is kept. Thread safe.
class BearerToken {
 public:
  /// At least 16 printable characters without spaces in one line. Errors name the file.
  static StatusOr<BearerToken> Load(const std::string& path);

  /// Whether it is the value of the header. Takes the same time wherever the first difference is.
  bool Matches(std::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  explicit BearerToken(const Digest& digest) : digest_(digest) {}
  static Digest DigestOf(std::string_view token);
  Digest digest_;
};

/// Whether the request's Host is this machine by name or number. A page of another site that a browser shows here would
/// carry that site's name, even if the name is made to mean 127.0.0.1.
bool HostIsLoopback(const HttpRequest& request);

}  // namespace millrace::server
