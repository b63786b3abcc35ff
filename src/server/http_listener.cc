// The only file that knows cpp-httplib. It parses requests and writes responses; accepting, waiting and hanging up are
// done by `Connection`, for the library waits for a peer as long as that sends a byte now and then.
#include "server/http_listener.h"

#include <httplib.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "server/socket_path.h"

namespace millrace::server {

namespace {

constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n";
constexpr auto kStartMax = std::chrono::seconds(5);
// The library asks for a port with a UNIX socket too, and takes any.
constexpr int kPortOfSocket = 80;

// A connection that is not answered but told that there are too many.
thread_local bool refusing = false;

// Threads with a bounded queue; what does not fit is refused at once.
class BoundedQueue final : public httplib::TaskQueue {
 public:
  BoundedQueue(int threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  }

  void enqueue(std::function<void()> task) override {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() < waiting_max_) {
        waiting_.push_back(std::move(task));
        changed_.notify_one();
        return;
      }
    }
    refusing = true;
    task();
    refusing = false;
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Work() {
    sigset_t broken_pipe;  // a peer that hangs up is told by the write, not by a signal that ends the process
    ::sigemptyset(&broken_pipe);
    ::sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const std::function<void()> task = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// What the library reads from and writes to. It reads lines byte by byte.
class ConnectionStream final : public httplib::Stream {
 public:
  explicit ConnectionStream(Connection& connection) : connection_(connection) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* bytes, size_t size) override {
    if (at_ == end_) {
      const std::ptrdiff_t count = connection_.Read(buffer_.data(), buffer_.size());
      if (count <= 0) return count;
      at_ = 0;
      end_ = static_cast<std::size_t>(count);
    }
    const std::size_t count = std::min(size, end_ - at_);
    std::copy_n(buffer_.data() + at_, count, bytes);
    at_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, size_t size) override { return connection_.Write(bytes, size); }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return connection_.socket(); }

 private:
  Connection& connection_;
  std::array<char, 4096> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

HttpRequest RequestOf(const httplib::Request& from, bool is_local) {
  HttpRequest request{.method = from.method, .path = from.path, .body = from.body, .is_local = is_local};
  request.query.insert(from.params.begin(), from.params.end());
  for (const auto& [header, name] : {std::pair{"Authorization", "authorization"}, std::pair{"Host", "host"}}) {
    if (from.has_header(header)) request.headers[name] = from.get_header_value(header);
  }
  return request;
}

void Fill(const HttpResponse& from, httplib::Response& response) {
  response.status = from.status;
  response.set_header("Cache-Control", "no-store");
  response.set_header("X-Content-Type-Options", "nosniff");
  for (const auto& [name, value] : from.headers) response.set_header(name, value);
  response.set_content(from.body, from.content_type);
}

class BoundedServer final : public httplib::Server {
 public:
  BoundedServer(const HttpListenerOptions& options, HttpHandler handler)
      : options_(options), handler_(std::move(handler)) {
    new_task_queue = [this] { return new BoundedQueue(options_.threads, options_.connections_waiting_max); };
    set_payload_max_length(options.limits.request_bytes_max);
    const bool is_local = options.address.empty();
    set_socket_options([is_local](socket_t socket) {
      const int yes = 1;
      if (is_local) {
        ::fchmod(socket, S_IRUSR | S_IWUSR);  // before it is bound, so that the file is never anybody else's
      } else {
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      }
    });
    if (is_local) set_address_family(AF_UNIX);
    const auto answer = [this, is_local](const httplib::Request& from, httplib::Response& response) {
      Fill(Answer(RequestOf(from, is_local)), response);
    };
    // The library takes 8 KiB at most of what curl -d sends, which calls itself a form, and would make parameters of
    // it.
    Post(".*", [this, is_local](const httplib::Request& from, httplib::Response& response,
                                const httplib::ContentReader& read) {
      if (from.is_multipart_form_data()) {
        Fill(ErrorResponse(InvalidArgumentError("a body in parts is not read; send it as it is")), response);
        return;
      }
      HttpRequest request = RequestOf(from, is_local);
      const bool whole = read([&](const char* bytes, std::size_t size) {
        if (request.body.size() + size > options_.limits.request_bytes_max) return false;  // it was compressed
        request.body.append(bytes, size);
        return true;
      });
      if (whole) Fill(Answer(request), response);
    });
    // Only a POST has a body that is worth reading; the connection is closed after the response.
    set_pre_routing_handler([answer](const httplib::Request& from, httplib::Response& response) {
      if (from.method == "POST") return HandlerResponse::Unhandled;
      answer(from, response);
      return HandlerResponse::Handled;
    });
  }

  /// Ends the wait of every thread for its peer.
  void AbortConnections() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int socket : sockets_) AbortConnection(socket);
  }

 private:
  HttpResponse Answer(const HttpRequest& request) {
    try {
      return handler_(request);
    } catch (const std::exception& error) {
      return ErrorResponse(InternalError(std::string("the server failed: ") + error.what()));
    }
  }

  bool process_and_close_socket(socket_t socket) override {
    if (refusing) {
      ::send(socket, kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::close(socket);
      return true;
    }
    const std::unique_ptr<Connection> connection = Connection::Open(socket, options_.limits, options_.tls);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return true;
      sockets_.insert(socket);
    }
    ConnectionStream stream(*connection);
    bool closed = false;
    process_request(stream, true, closed, nullptr);
    const std::lock_guard lock(mutex_);
    sockets_.erase(socket);
    return true;
  }

  const HttpListenerOptions options_;
  const HttpHandler handler_;
  std::mutex mutex_;
  std::set<int> sockets_;
  bool stopping_ = false;
};

// The library ignores the signal in the whole process, which is not its business.
class KeepBrokenPipeAction {
 public:
  KeepBrokenPipeAction() { ::sigaction(SIGPIPE, nullptr, &before_); }
  ~KeepBrokenPipeAction() { ::sigaction(SIGPIPE, &before_, nullptr); }
  KeepBrokenPipeAction(const KeepBrokenPipeAction&) = delete;
  KeepBrokenPipeAction& operator=(const KeepBrokenPipeAction&) = delete;

 private:
  struct sigaction before_{};
};

}  // namespace

struct HttpListener::Impl {
  std::unique_ptr<BoundedServer> server;
  std::thread thread;
  int port = 0;
};

HttpListener::HttpListener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

int HttpListener::port() const { return impl_->port; }

namespace {

// Gives the port, 0 for a UNIX socket.
StatusOr<int> BindTo(BoundedServer& server, const HttpListenerOptions& options) {
  bool bound = false;
  int port = 0;
  errno = 0;
  if (options.address.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(const SocketPath path, SocketPath::Open(options.socket_path));
    bound = server.bind_to_port(path.short_path(), kPortOfSocket);
  } else if (options.port == 0) {
    port = server.bind_to_any_port(options.address);
    bound = port > 0;
  } else {
    port = options.port;
    bound = server.bind_to_port(options.address, port);
  }
  if (bound) return port;
  const int error = errno;
  const std::string where =
      options.address.empty() ? options.socket_path : options.address + ":" + std::to_string(options.port);
  return UnavailableError("cannot listen on " + where +
                          (error == 0 ? "" : ": " + std::error_code(error, std::generic_category()).message()));
}

}  // namespace

StatusOr<std::unique_ptr<HttpListener>> HttpListener::Bind(const HttpListenerOptions& options, HttpHandler handler) {
  auto impl = std::make_unique<Impl>();
  {
    const KeepBrokenPipeAction keep;
    impl->server = std::make_unique<BoundedServer>(options, std::move(handler));
  }
  MILLRACE_ASSIGN_OR_RETURN(impl->port, BindTo(*impl->server, options));
  return std::unique_ptr<HttpListener>(new HttpListener(std::move(impl)));
}

void HttpListener::Run() {
  impl_->thread = std::thread([server = impl_->server.get()] { server->listen_after_bind(); });
  // Until then the library would not hear that it is to stop.
  const auto deadline = std::chrono::steady_clock::now() + kStartMax;
  while (!impl_->server->is_running() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

HttpListener::~HttpListener() {
  impl_->server->stop();
  impl_->server->AbortConnections();
  if (impl_->thread.joinable()) impl_->thread.join();
}

StatusOr<HttpResponse> SendToSocket(const std::string& socket_path, const HttpRequest& request,
                                    std::chrono::milliseconds timeout) {
  std::error_code ignored;
  if (!std::filesystem::exists(socket_path, ignored)) return NotFoundError("there is no socket " + socket_path);
  MILLRACE_ASSIGN_OR_RETURN(const SocketPath path, SocketPath::Open(socket_path));
  const KeepBrokenPipeAction keep;
  httplib::Client client(path.short_path(), kPortOfSocket);
  client.set_address_family(AF_UNIX);
  client.set_connection_timeout(std::chrono::seconds(2));
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
  const httplib::Params params(request.query.begin(), request.query.end());
  const httplib::Headers headers = {{"Host", "localhost"}};
  const std::string target = httplib::append_query_params(request.path, params);
  const httplib::Result result = request.method == "POST"
                                     ? client.Post(target, headers, request.body, "application/json")
                                     : client.Get(target, headers);
  if (!result) {
    return UnavailableError("the server at " + socket_path + " does not answer: " + httplib::to_string(result.error()));
  }
  HttpResponse response{.status = result->status,
                        .content_type = result->get_header_value("Content-Type"),
                        .body = result->body,
                        .headers = {}};
  if (result->has_header(kGenerationHeader)) {
    response.headers[kGenerationHeader] = result->get_header_value(kGenerationHeader);
  }
  return response;
}

}  // namespace millrace::server
