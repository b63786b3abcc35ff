#include "server/server.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "millrace/core/json.h"
#include "server/http_listener.h"
#include "server/metrics_text.h"

namespace millrace::server {

namespace {

constexpr int kPortThreads = 4;
constexpr int kSocketThreads = 3;
constexpr std::size_t kResultBytesMax = 32 << 20;
constexpr std::size_t kPublishBodyBytesMax = 16 << 20;  // 10 MB of messages in base64
constexpr std::string_view kPublishPrefix = "/v1/projects/";
constexpr std::string_view kPublishSuffix = ":publish";
constexpr Duration kStatusAgeMax = std::chrono::seconds(30);

Timestamp Now() { return Timestamp::FromMillis(base::SystemClock().Now().millis()); }

HttpResponse TextResponse(std::string text, const char* type = "text/plain; charset=utf-8") {
  return {.status = 200, .content_type = type, .body = std::move(text), .headers = {}};
}

const char* ContentTypeOf(const std::string& format) {
  if (format == "json") return "application/x-ndjson";
  return format == "csv" ? "text/csv; charset=utf-8" : "text/plain; charset=utf-8";
}

StatusOr<std::optional<Timestamp>> TimeValue(const HttpRequest& request, const std::string& name) {
  const std::string text = QueryValue(request, name);
  if (text.empty()) return std::optional<Timestamp>();
  MILLRACE_ASSIGN_OR_RETURN(const Timestamp time, Timestamp::Parse(text));
  return std::optional(time);
}

StatusOr<ViewRequest> ViewRequestOf(const HttpRequest& request) {
  ViewRequest result{.view = QueryValue(request, "view"),
                     .format = QueryValue(request, "format", "json"),
                     .as_of = QueryValue(request, "as_of", "")};
  if (result.view.empty()) return InvalidArgumentError("say which view: /v1/query?view=NAME");
  const auto [begin, end] = request.query.equal_range("key");
  for (auto key = begin; key != end; ++key) result.key.push_back(key->second);
  MILLRACE_ASSIGN_OR_RETURN(result.from, TimeValue(request, "from"));
  MILLRACE_ASSIGN_OR_RETURN(result.to, TimeValue(request, "to"));
  const std::string limit = QueryValue(request, "limit");
  if (limit.empty()) return result;
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(limit.data(), limit.data() + limit.size(), number);
  if (error != std::errc() || rest != limit.data() + limit.size()) {
    return InvalidArgumentError("limit=" + limit + " is no number of rows");
  }
  result.limit = number;
  return result;
}

bool IsPublishPath(const std::string& path) {
  return path.starts_with(kPublishPrefix) && path.ends_with(kPublishSuffix) &&
         path.find("/topics/") != std::string::npos;
}

// Failures of Google's interfaces look like this.
struct GoogleError {
  int code = 0;
  std::string message;
  std::string status;
};
struct GoogleErrorBody {
  GoogleError error;
};

HttpResponse GoogleErrorResponse(const Status& failure) {
  HttpResponse response = ErrorResponse(failure);
  response.body = json::Write(GoogleErrorBody{{.code = response.status,
                                               .message = failure.message(),
                                               .status = std::string(StatusCodeName(failure.code()))}}) +
                  "\n";
  return response;
}

}  // namespace

struct Server::Impl {
  ServerOptions options;
  std::optional<ListenAddress> address;
  std::optional<BearerToken> token;
  std::shared_ptr<TlsContext> tls;
  Timestamp started_at = Now();
  std::string url;
  std::unique_ptr<HttpListener> socket;  // the listeners end before what they answer from
  std::unique_ptr<HttpListener> port;

  Status Configure();
  Status ListenOnSocket();
  Status ListenOnPort();
  Status WriteServerFile() const;

  HttpResponse Answer(const HttpRequest& request) const;
  std::optional<HttpResponse> Refusal(const HttpRequest& request) const;
  ServerStatus CurrentStatus() const;
  HttpResponse Health() const;
  HttpResponse AnswerData(const HttpRequest& request) const;
  HttpResponse AnswerQuery(const HttpRequest& request) const;
  HttpResponse AnswerSql(const HttpRequest& request) const;
  HttpResponse AnswerExport(const HttpRequest& request) const;
  HttpResponse AnswerPublish(const HttpRequest& request) const;
};

Status Server::Impl::Configure() {
  MILLRACE_ASSIGN_OR_RETURN(address, ParseListenAddress(options.serve.http.value_or("0")));
  if (!address) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(CheckAccess(options.serve, *address));
  if (!options.serve.token_file.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(token, BearerToken::Load(options.serve.token_file));
  }
  if (!options.serve.tls_cert.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(tls, TlsContext::Load(options.serve.tls_cert, options.serve.tls_key));
  }
  return OkStatus();
}

Status Server::Impl::ListenOnSocket() {
  if (options.folder.empty()) return OkStatus();
  // This process holds the folder, so a socket that is there belongs to one that was killed.
  const std::string path = SocketPathOf(options.folder);
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return UnavailableError("cannot remove the socket of an earlier run, " + path + ": " + error.message());
  const HttpListenerOptions listener{.socket_path = path, .threads = kSocketThreads};
  MILLRACE_ASSIGN_OR_RETURN(socket,
                            HttpListener::Bind(listener, [this](const HttpRequest& asked) { return Answer(asked); }));
  return OkStatus();
}

Status Server::Impl::ListenOnPort() {
  if (!address) return OkStatus();
  HttpListenerOptions listener{.address = address->address, .port = address->port, .tls = tls, .threads = kPortThreads};
  if (options.publish != nullptr) listener.limits.request_bytes_max = kPublishBodyBytesMax;
  auto started = HttpListener::Bind(listener, [this](const HttpRequest& asked) { return Answer(asked); });
  if (!started.ok()) {
    return UnavailableError("--http=" + address->ToString() + ": " + started.status().message() +
                            "; give another port, or 0 for any that is free");
  }
  port = *std::move(started);
  address->port = port->port();
  url = (tls != nullptr ? "https://" : "http://") + address->ToString();
  return OkStatus();
}

Status Server::Impl::WriteServerFile() const {
  if (options.folder.empty()) return OkStatus();
  const ServerFile file{
      .pid = ::getpid(), .url = url, .socket = SocketPathOf(options.folder), .started_at = started_at};
  return base::ReplaceFile(base::PosixFileSystem(), ServerFileOf(options.folder), json::Write(file) + "\n");
}

// Nothing for a request that may be answered.
std::optional<HttpResponse> Server::Impl::Refusal(const HttpRequest& request) const {
  if (request.is_local || request.path == "/healthz") return std::nullopt;
  if (token) {
    const auto header = request.headers.find("authorization");
    if (header != request.headers.end() && token->Matches(header->second)) return std::nullopt;
    HttpResponse response = ErrorResponse(
        Status(StatusCode::kUnauthenticated, "the request needs the token of --token_file: Authorization: Bearer ..."));
    response.headers["WWW-Authenticate"] = "Bearer realm=\"millrace\"";
    return response;
  }
  if (address && address->is_loopback && !HostIsLoopback(request)) {
    return ErrorResponse(
        PermissionDeniedError("the request was meant for another host; ask by 127.0.0.1 or localhost"));
  }
  return std::nullopt;
}

HttpResponse Server::Impl::Answer(const HttpRequest& request) const {
  if (std::optional<HttpResponse> refusal = Refusal(request)) return *std::move(refusal);
  const bool is_read = request.method == "GET" || request.method == "HEAD";
  const auto action = options.actions.find(request.path);
  const bool is_action = action != options.actions.end();
  const bool is_publish = IsPublishPath(request.path);
  const bool is_local_post = request.path == "/v1/sql" || request.path == "/v1/export" || is_action;
  const bool is_post = is_publish || is_local_post;
  if (is_post ? request.method != "POST" : !is_read) {
    HttpResponse response = ErrorResponse(InvalidArgumentError(request.path + " does not know " + request.method));
    response.status = 405;
    response.headers["Allow"] = is_post ? "POST" : "GET, HEAD";
    return response;
  }
  if (is_local_post && !request.is_local) {
    return ErrorResponse(
        PermissionDeniedError(request.path + " is answered through the socket in the data directory only"));
  }
  if (is_action) {
    StatusOr<std::string> done = action->second();
    return done.ok() ? TextResponse(*std::move(done)) : ErrorResponse(done.status());
  }
  if (request.path == "/v1/status") {
    ServerStatus status = CurrentStatus();
    if (QueryValue(request, "generations", "") != "no") {
      const RunStatus* own = status.run ? &*status.run : nullptr;
      if (options.generations) status.generations = options.generations(own);
      if (options.batch) status.batch = options.batch(own);
    }
    return {.status = 200, .body = json::Write(status) + "\n", .headers = {}};
  }
  if (request.path == "/metrics") {
    const std::shared_ptr<const Ledger> ledger = options.ledger ? options.ledger() : nullptr;
    return TextResponse(MetricsText(CurrentStatus(), ledger.get()), kMetricsContentType);
  }
  if (request.path == "/healthz") return Health();
  if (is_publish) return AnswerPublish(request);
  if (request.path == "/v1/query" || request.path == "/v1/sql" || request.path == "/v1/export") {
    return AnswerData(request);
  }
  return ErrorResponse(
      NotFoundError("there is nothing at " + request.path + "; there is: /v1/status, /v1/query, /metrics, /healthz"));
}

HttpResponse Server::Impl::AnswerData(const HttpRequest& request) const {
  const std::string own = std::to_string(options.generation);
  const std::string wanted = QueryValue(request, "generation", "");
  if (!wanted.empty() && wanted != own) {
    return ErrorResponse(Status(StatusCode::kAborted, "this process has generation " + own + ", not " + wanted));
  }
  if (wanted.empty() && options.elsewhere) {
    if (std::optional<StatusOr<HttpResponse>> answer = options.elsewhere(request)) {
      return answer->ok() ? **std::move(answer) : ErrorResponse(answer->status());
    }
  }
  if (options.data == nullptr) return ErrorResponse(FailedPreconditionError(options.why_no_data));
  HttpResponse response = request.path == "/v1/query" ? AnswerQuery(request)
                          : request.path == "/v1/sql" ? AnswerSql(request)
                                                      : AnswerExport(request);
  response.headers[kGenerationHeader] = own;
  return response;
}

ServerStatus Server::Impl::CurrentStatus() const {
  ServerStatus status{.program = options.program,
                      .version = options.version,
                      .pid = ::getpid(),
                      .data_dir = options.data_dir,
                      .url = url,
                      .started_at = started_at,
                      .now = Now()};
  if (options.status != nullptr) status.run = options.status->Read(status.now);
  return status;
}

HttpResponse Server::Impl::AnswerPublish(const HttpRequest& request) const {
  if (options.publish == nullptr) {
    return GoogleErrorResponse(NotFoundError("Pub/Sub is not served here; say --pubsub_port, or use the verb serve"));
  }
  // "/v1/projects/P/topics/T:publish"
  constexpr std::size_t kVersionBytes = std::string_view("/v1/").size();
  const std::string topic =
      request.path.substr(kVersionBytes, request.path.size() - kVersionBytes - kPublishSuffix.size());
  StatusOr<std::string> published = options.publish->PublishJson(topic, request.body);
  if (!published.ok()) return GoogleErrorResponse(published.status());
  return {.status = 200, .body = *std::move(published), .headers = {}};
}

HttpResponse Server::Impl::Health() const {
  if (options.status == nullptr) return TextResponse("ok\n");
  const ServerStatus status = CurrentStatus();
  if (!status.run) {
    if (status.now - started_at < kStatusAgeMax) return TextResponse("starting\n");
    return ErrorResponse(UnavailableError("the run has not begun"));
  }
  if (status.run->state == "failed") return ErrorResponse(UnavailableError("the run has failed"));
  if (status.run->age > kStatusAgeMax) {
    return ErrorResponse(UnavailableError("the run has not told its status for " + DurationToString(status.run->age)));
  }
  return TextResponse("ok\n");
}

HttpResponse Server::Impl::AnswerQuery(const HttpRequest& request) const {
  const StatusOr<ViewRequest> asked = ViewRequestOf(request);
  if (!asked.ok()) return ErrorResponse(asked.status());
  StatusOr<std::string> rows = options.data->Query(*asked, kResultBytesMax);
  return rows.ok() ? TextResponse(*std::move(rows), ContentTypeOf(asked->format)) : ErrorResponse(rows.status());
}

// It reads files too, so it is only for who could read them anyway: for the local socket.
HttpResponse Server::Impl::AnswerSql(const HttpRequest& request) const {
  const SqlRequest asked{.statement = request.body,
                         .format = QueryValue(request, "format", "json"),
                         .as_of = QueryValue(request, "as_of", "")};
  StatusOr<std::string> rows = options.data->Sql(asked, kResultBytesMax);
  return rows.ok() ? TextResponse(*std::move(rows), ContentTypeOf(asked.format)) : ErrorResponse(rows.status());
}

// It writes with the rights of this process: for the local socket.
HttpResponse Server::Impl::AnswerExport(const HttpRequest& request) const {
  // A statement may be long, so it is in the body.
  ExportRequest asked{.path = QueryValue(request, "path", ""),
                      .view = QueryValue(request, "view", ""),
                      .statement = request.body,
                      .is_unordered = QueryValue(request, "order", "") == "none"};
  if (asked.path.empty()) std::swap(asked.path, asked.statement);
  const StatusOr<std::int64_t> rows = options.data->Export(asked);
  return rows.ok() ? TextResponse(std::to_string(*rows) + "\n") : ErrorResponse(rows.status());
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server(std::make_unique<Impl>()));
  Impl& impl = *server->impl_;
  impl.options = options;
  MILLRACE_RETURN_IF_ERROR(impl.Configure());
  MILLRACE_RETURN_IF_ERROR(impl.ListenOnPort());
  MILLRACE_RETURN_IF_ERROR(impl.ListenOnSocket());
  MILLRACE_RETURN_IF_ERROR(impl.WriteServerFile());
  for (HttpListener* listener : {impl.port.get(), impl.socket.get()}) {
    if (listener != nullptr) listener->Run();
  }
  return server;
}

Server::~Server() {
  if (impl_->options.data != nullptr) impl_->options.data->Cancel();
  impl_->port.reset();
  impl_->socket.reset();
  if (impl_->options.folder.empty()) return;
  std::error_code ignored;  // the next run replaces what is left
  std::filesystem::remove(SocketPathOf(impl_->options.folder), ignored);
  std::filesystem::remove(ServerFileOf(impl_->options.folder), ignored);
}

const std::string& Server::url() const { return impl_->url; }

std::string SocketPathOf(const std::string& folder) { return folder + "/server.sock"; }
std::string ServerFileOf(const std::string& folder) { return folder + "/server.json"; }

StatusOr<HttpResponse> AskServer(const std::string& folder, const HttpRequest& request,
                                 std::chrono::milliseconds timeout) {
  return SendToSocket(SocketPathOf(folder), request, timeout);
}

}  // namespace millrace::server
