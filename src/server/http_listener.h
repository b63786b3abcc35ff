// An HTTP/1.1 server on a TCP port or a UNIX socket. One request per connection; all that a peer can use up is bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/status.h"
#include "server/connection.h"
#include "server/http_message.h"

namespace millrace::server {

struct HttpListenerOptions {
  std::string address = {};  // numeric, of TCP; empty: `socket_path`
  int port = 0;              // 0: any that is free
  std::string socket_path = {};
  std::shared_ptr<TlsContext> tls = nullptr;
  int threads = 4;                           // that answer requests
  std::size_t connections_waiting_max = 16;  // for a thread; who comes then is told 503
  ConnectionLimits limits = {};
};

/// Answers requests on threads of its own, from `Run` to the destructor.
class HttpListener {
 public:
  /// UNAVAILABLE says on what it cannot listen and why. A socket's file must not exist; it is made for this user alone.
  static StatusOr<std::unique_ptr<HttpListener>> Bind(const HttpListenerOptions& options, HttpHandler handler);
  /// Begins to answer. To be called once.
  void Run();
  /// Aborts what goes on.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  /// The one that was picked; 0 for a UNIX socket.
  int port() const;

  /// Opaque.
  struct Impl;

 private:
  explicit HttpListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Sends a request to the server at a UNIX socket. UNAVAILABLE when nobody listens there (NOT_FOUND without the file),
/// or when the server does not answer in time.
StatusOr<HttpResponse> SendToSocket(const std::string& socket_path, const HttpRequest& request,
                                    std::chrono::milliseconds timeout);

}  // namespace millrace::server
