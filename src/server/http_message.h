// What goes in and out of a server, whatever carries it.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "millrace/core/status.h"

namespace millrace::server {

/// The header of a response that names the generation which its rows come from.
inline constexpr const char* kGenerationHeader = "Millrace-Generation";

/// One request. Names of headers are in lower case.
struct HttpRequest {
  std::string method = "GET";
  std::string path = {};                               // decoded, without what follows a question mark
  std::multimap<std::string, std::string> query = {};  // decoded
  std::map<std::string, std::string> headers = {};     // a few that matter: authorization, host
  std::string body = {};
  bool is_local = false;  // came through the local socket, so from this user
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::map<std::string, std::string> headers = {};
};

/// Called on many threads at once.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// What the body of a failure says.
struct ErrorBody {
  std::string code;  // "NOT_FOUND"
  std::string message;
};

/// A failure as a response: the status of HTTP that fits best, and an `ErrorBody`.
HttpResponse ErrorResponse(const Status& error);
/// The reverse, for who asked; UNKNOWN where the body says nothing.
Status StatusOfResponse(const HttpResponse& response);

/// The value of a parameter of the query, or the default one; the last one given counts.
std::string QueryValue(const HttpRequest& request, const std::string& name, const std::string& otherwise = "");

}  // namespace millrace::server
