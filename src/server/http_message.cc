#include "server/http_message.h"

#include <algorithm>
#include <array>
#include <utility>

#include "millrace/core/json.h"

namespace millrace::server {

namespace {

int HttpStatusOf(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return 200;
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange: return 400;
    case StatusCode::kUnauthenticated: return 401;
    case StatusCode::kPermissionDenied: return 403;
    case StatusCode::kNotFound: return 404;
    case StatusCode::kAlreadyExists:
    case StatusCode::kAborted: return 409;
    case StatusCode::kFailedPrecondition: return 412;
    case StatusCode::kResourceExhausted: return 429;
    case StatusCode::kUnimplemented: return 501;
    case StatusCode::kUnavailable: return 503;
    case StatusCode::kDeadlineExceeded: return 504;
    default: return 500;
  }
}

}  // namespace

HttpResponse ErrorResponse(const Status& error) {
  HttpResponse response;
  response.status = HttpStatusOf(error.code());
  response.body =
      json::Write(ErrorBody{.code = std::string(StatusCodeName(error.code())), .message = error.message()}) + "\n";
  return response;
}

Status StatusOfResponse(const HttpResponse& response) {
  if (response.status == 200) return OkStatus();
  const StatusOr<ErrorBody> error = json::Parse<ErrorBody>(response.body);
  if (!error.ok()) return UnknownError("the server answered with HTTP status " + std::to_string(response.status));
  for (int code = 1; code <= static_cast<int>(StatusCode::kUnauthenticated); ++code) {
    const auto candidate = static_cast<StatusCode>(code);
    if (StatusCodeName(candidate) == error->code) return Status(candidate, error->message);
  }
  return UnknownError(error->message);
}

std::string QueryValue(const HttpRequest& request, const std::string& name, const std::string& otherwise) {
  const auto [begin, end] = request.query.equal_range(name);
  return begin == end ? otherwise : std::prev(end)->second;
}

}  // namespace millrace::server
