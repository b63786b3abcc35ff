// A connection of a peer that may be slow, silent, hostile or gone: every wait has an end.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "millrace/core/status.h"

// OpenSSL's.
struct ssl_ctx_st;

namespace millrace::server {

/// The key and certificate of a server that speaks TLS 1.2 or later.
class TlsContext {
 public:
  /// Both files are PEM; the certificate's may hold a chain. INVALID_ARGUMENT says which file is at fault and why.
  static StatusOr<std::shared_ptr<TlsContext>> Load(const std::string& certificate_path, const std::string& key_path);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

/// How long a peer may take, and how much it may say.
struct ConnectionLimits {
  std::chrono::milliseconds request_max{10'000};   // from the connection to the request's last byte
  std::chrono::milliseconds response_max{60'000};  // from the first to the last byte of the response
  std::size_t request_bytes_max = (1 << 20) + (64 << 10);
};

/// One thread, but `Abort`.
class Connection {
 public:
  /// Takes the socket over, which the destructor closes. With `tls`, shakes hands first, at the first read.
  static std::unique_ptr<Connection> Open(int socket, const ConnectionLimits& limits,
                                          const std::shared_ptr<TlsContext>& tls);
  /// Says good-bye, so that the peer gets all of the response even if it has sent more than was read.
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// At least one byte, 0 at the end, -1 when the peer is gone, too slow or says too much.
  std::ptrdiff_t Read(char* bytes, std::size_t size);
  /// Any number of them, or -1.
  std::ptrdiff_t Write(const char* bytes, std::size_t size);
  int socket() const { return socket_; }

 protected:
  using Clock = std::chrono::steady_clock;
  enum class Wait { kReadable, kWritable };

  Connection(int socket, const ConnectionLimits& limits);
  /// Reads or writes what is possible now: a count, 0 at the end, -1 for a failure, or `kAgain` with what to wait for.
  virtual std::ptrdiff_t ReadSome(char* bytes, std::size_t size, Wait* wait) = 0;
  virtual std::ptrdiff_t WriteSome(const char* bytes, std::size_t size, Wait* wait) = 0;
  static constexpr std::ptrdiff_t kAgain = -2;
  void Close();

 private:
  bool WaitFor(Wait wait, Clock::time_point deadline) const;

  const int socket_;
  const ConnectionLimits limits_;
  const Clock::time_point read_deadline_;
  Clock::time_point write_deadline_{};
  std::size_t bytes_left_;
};

/// Ends what a thread waits for in a connection of that socket. Any thread.
void AbortConnection(int socket);

}  // namespace millrace::server
