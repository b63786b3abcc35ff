#include "server/connection.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace millrace::server {

namespace {

// What a peer may still send after the response, while it reads that.
constexpr auto kLingerMax = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytesMax = 4 << 20;

class PlainConnection final : public Connection {
 public:
  PlainConnection(int socket, const ConnectionLimits& limits) : Connection(socket, limits) {}
  ~PlainConnection() override { Close(); }

 private:
  static std::ptrdiff_t Result(std::ptrdiff_t count) {
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? kAgain : count;
  }
  std::ptrdiff_t ReadSome(char* bytes, std::size_t size, Wait* wait) override {
    *wait = Wait::kReadable;
    return Result(::recv(socket(), bytes, size, 0));
  }
  std::ptrdiff_t WriteSome(const char* bytes, std::size_t size, Wait* wait) override {
    *wait = Wait::kWritable;
    return Result(::send(socket(), bytes, size, MSG_NOSIGNAL));
  }
};

class TlsConnection final : public Connection {
 public:
  TlsConnection(int socket, const ConnectionLimits& limits, std::shared_ptr<TlsContext> context)
      : Connection(socket, limits), context_(std::move(context)), ssl_(::SSL_new(context_->get())) {
    if (ssl_ == nullptr) return;
    ::SSL_set_fd(ssl_, socket);
    ::SSL_set_accept_state(ssl_);
  }
  ~TlsConnection() override {
    if (ssl_ != nullptr && sound_) ::SSL_shutdown(ssl_);
    ::ERR_clear_error();
    Close();
    ::SSL_free(ssl_);
  }

 private:
  std::ptrdiff_t Result(int count, Wait* wait) {
    if (count > 0) return count;
    const int error = ::SSL_get_error(ssl_, count);
    *wait = error == SSL_ERROR_WANT_WRITE ? Wait::kWritable : Wait::kReadable;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return kAgain;
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    sound_ = false;
    ::ERR_clear_error();
    return -1;
  }
  static int Limited(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, 1 << 20)); }
  std::ptrdiff_t ReadSome(char* bytes, std::size_t size, Wait* wait) override {
    return ssl_ == nullptr ? -1 : Result(::SSL_read(ssl_, bytes, Limited(size)), wait);
  }
  std::ptrdiff_t WriteSome(const char* bytes, std::size_t size, Wait* wait) override {
    return ssl_ == nullptr ? -1 : Result(::SSL_write(ssl_, bytes, Limited(size)), wait);
  }

  std::shared_ptr<TlsContext> context_;
  SSL* ssl_;
  bool sound_ = true;
};

std::string OpenSslError() {
  std::array<char, 256> text{};
  const unsigned long error = ::ERR_get_error();
  ::ERR_error_string_n(error, text.data(), text.size());
  ::ERR_clear_error();
  return error == 0 ? "no reason given" : text.data();
}

}  // namespace

StatusOr<std::shared_ptr<TlsContext>> TlsContext::Load(const std::string& certificate_path,
                                                       const std::string& key_path) {
  ssl_ctx_st* context = ::SSL_CTX_new(::TLS_server_method());
  if (context == nullptr) return InternalError("OpenSSL cannot be used: " + OpenSslError());
  std::shared_ptr<TlsContext> result(new TlsContext(context));
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (::SSL_CTX_use_certificate_chain_file(context, certificate_path.c_str()) != 1) {
    return InvalidArgumentError("--tls_cert: cannot read a PEM certificate from " + certificate_path + ": " +
                                OpenSslError());
  }
  if (::SSL_CTX_use_PrivateKey_file(context, key_path.c_str(), SSL_FILETYPE_PEM) != 1) {
    return InvalidArgumentError("--tls_key: cannot read the PEM key of " + certificate_path + " from " + key_path +
                                ": " + OpenSslError());
  }
  return result;
}

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

std::unique_ptr<Connection> Connection::Open(int socket, const ConnectionLimits& limits,
                                             const std::shared_ptr<TlsContext>& tls) {
  if (tls != nullptr) return std::make_unique<TlsConnection>(socket, limits, tls);
  return std::make_unique<PlainConnection>(socket, limits);
}

Connection::Connection(int socket, const ConnectionLimits& limits)
    : socket_(socket),
      limits_(limits),
      read_deadline_(Clock::now() + limits.request_max),
      bytes_left_(limits.request_bytes_max) {
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

Connection::~Connection() = default;

// Closing a socket with unread bytes would make the peer drop a response that is still on its way.
void Connection::Close() {
  ::shutdown(socket_, SHUT_WR);
  const auto deadline = std::min(Clock::now() + kLingerMax, std::max(read_deadline_, write_deadline_));
  std::array<char, 16384> dropped;
  std::size_t left = kLingerBytesMax;
  while (left > 0) {
    const std::ptrdiff_t count = ::recv(socket_, dropped.data(), dropped.size(), 0);
    if (count > 0) {
      left -= std::min(left, static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR) || !WaitFor(Wait::kReadable, deadline)) {
      break;
    }
  }
  ::close(socket_);
}

bool Connection::WaitFor(Wait wait, Clock::time_point deadline) const {
  pollfd waiting{.fd = socket_, .events = static_cast<short>(wait == Wait::kReadable ? POLLIN : POLLOUT), .revents = 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::ptrdiff_t Connection::Read(char* bytes, std::size_t size) {
  const std::size_t allowed = std::min(size, bytes_left_);
  if (allowed == 0) return -1;
  while (Clock::now() < read_deadline_) {
    Wait wait = Wait::kReadable;
    const std::ptrdiff_t count = ReadSome(bytes, allowed, &wait);
    if (count > 0) bytes_left_ -= static_cast<std::size_t>(count);
    if (count != kAgain) return count;
    if (!WaitFor(wait, read_deadline_)) return -1;
  }
  return -1;
}

std::ptrdiff_t Connection::Write(const char* bytes, std::size_t size) {
  if (write_deadline_ == Clock::time_point{}) write_deadline_ = Clock::now() + limits_.response_max;
  while (Clock::now() < write_deadline_) {
    Wait wait = Wait::kWritable;
    const std::ptrdiff_t count = WriteSome(bytes, size, &wait);
    if (count != kAgain) return count;
    if (!WaitFor(wait, write_deadline_)) return -1;
  }
  return -1;
}

void AbortConnection(int socket) { ::shutdown(socket, SHUT_RDWR); }

}  // namespace millrace::server
