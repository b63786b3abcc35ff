// The server that a run brings with it: status, metrics and the views, over HTTP and over a socket in the data
// directory.
//
// | path              | gives                                                                                   |
// | ----------------- | --------------------------------------------------------------------------------------- |
// | GET /v1/status    | `ServerStatus` as JSON                                                                  |
// | GET /metrics      | the same facts for Prometheus, text format 0.0.4                                        |
// | GET /healthz      | 200 while the run goes on, 503 when it has failed or its status is old; needs no token  |
// | GET /v1/query     | rows of a view: view, key (repeated), from, to, limit, format, as_of                    |
// | POST /v1/sql      | the local socket only: runs the body, one statement; format, as_of                      |
// | POST /v1/export   | the local socket only: writes the view to the Parquet file that the body names; or what |
// |                   | the statement in the body gives to the file `path`                                      |
// | POST ACTION       | the local socket only: what `ServerOptions::actions` adds                               |
// | POST /v1/projects/P/topics/T:publish | publishes to the log, in Pub/Sub's JSON, where Pub/Sub is served     |
//
// Rows come from one generation, which the header Millrace-Generation names. A request with `generation=N` is answered
// from that one or not at all; any other from the one that is read now, by whichever process has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/runner/ledger.h"
#include "millrace/runner/status.h"
#include "server/access.h"
#include "server/http_message.h"

namespace millrace::server {

/// What is asked of a view.
struct ViewRequest {
  std::string view = {};
  std::vector<std::string> key = {};  // the first columns, as text
  std::optional<Timestamp> from = {};
  std::optional<Timestamp> to = {};
  std::optional<std::uint64_t> limit = {};
  std::string format = "json";  // "table", "json" (an object per line) or "csv"
  std::string as_of = {};       // of the batch layer: a version or a time; empty: the newest
};

/// What is asked of the warehouse.
struct SqlRequest {
  std::string statement = {};
  std::string format = "json";
  std::string as_of = {};  // of the batch layer: a version or a time; empty: the newest
};

/// What is written to a Parquet file: a view or the table of dead letters, or what a statement gives that only reads.
struct ExportRequest {
  std::string path = {};
  std::string view = {};
  std::string statement = {};  // instead
  bool is_unordered =
      false;  // not in the order of keys and windows, which is quicker; what a statement gives is as it is
};

/// What the process that runs a pipeline can tell of its results. Called on several threads at once.
class DataService {
 public:
  virtual ~DataService() = default;
  /// Rows as text, at most `bytes_max` of it; RESOURCE_EXHAUSTED where there are more. INVALID_ARGUMENT for an unknown
  /// view or column, as the verb `query` says it.
  virtual StatusOr<std::string> Query(const ViewRequest& request, std::size_t bytes_max) = 0;
  /// Runs a statement that only reads.
  virtual StatusOr<std::string> Sql(const SqlRequest& request, std::size_t bytes_max) = 0;
  /// Writes a Parquet file, and gives the number of its rows.
  virtual StatusOr<std::int64_t> Export(const ExportRequest& request) = 0;
  /// Ends what goes on; later calls fail.
  virtual void Cancel() = 0;
};

/// What takes messages of Pub/Sub. Called on several threads at once.
class PublishService {
 public:
  virtual ~PublishService() = default;
  /// `topic` is "projects/P/topics/T"; request and answer are Pub/Sub's JSON.
  virtual StatusOr<std::string> PublishJson(const std::string& topic, const std::string& body) = 0;
};

/// One generation of the data directory.
struct GenerationStatus {
  std::uint64_t generation = 0;
  bool is_read = false;                     // it answers what is asked of the views
  std::string purpose = {};                 // "read", "run" (has no results yet), "replay" or "kept"
  std::uint64_t attempt = 0;                // 0: of a run without checkpoints, or one that is done
  std::optional<std::uint64_t> epoch = {};  // of its last checkpoint
  std::optional<Timestamp> watermark = {};  // of it
  std::optional<std::int64_t> pid = {};     // nothing: no process runs it
  std::string process = {};                 // "`flights run` (pid 12, since ...)"
  std::optional<bool> caught_up = {};       // with its input; nothing: not known
  bool is_done = false;                     // its input has ended, and it with it
  std::string part = {};                    // of a replay of a part: which
};

/// The batch layer of a Lambda topology.
struct BatchStatus {
  std::string every = {};                    // "day" or "hour": the size of a partition
  std::uint64_t version = 0;                 // 0: nothing is computed yet
  std::optional<Timestamp> written_at = {};  // of it
  std::int64_t partitions = 0;
  std::optional<Timestamp> from = {};     // it answers for the windows that end after this time ...
  std::optional<Timestamp> through = {};  // ... and at this time at the latest
  std::int64_t behind_a_hole = 0;         // partitions that are computed, and not used since one before them is missing
  std::vector<std::string> dirty = {};    // to be computed again for what has landed since, as far as is known
  std::int64_t unchecked = 0;             // records that have landed since and were not looked at yet
  /// All that has landed is in the batch layer when event time has come so far; nothing: it is, or time has no end yet.
  std::optional<Timestamp> complete_at = {};
  std::optional<Duration> left = {};  // of event time, until then
};

/// What /v1/status tells.
struct ServerStatus {
  std::string program = {};
  std::string version = {};
  std::int64_t pid = 0;
  std::string data_dir = {};
  std::string url = {};  // empty: no port is open
  Timestamp started_at = {};
  Timestamp now = {};
  std::optional<RunStatus> run = {};               // empty until the run has begun
  std::vector<GenerationStatus> generations = {};  // of the data directory, unless generations=no was asked
  std::optional<BatchStatus> batch = {};           // of the same, likewise
};

/// The content of DIR/server.json, for who looks for the server. A process that was killed leaves it behind.
struct ServerFile {
  std::int64_t pid = 0;
  std::string url = {};
  std::string socket = {};
  Timestamp started_at = {};
};

struct ServerOptions {
  ServeOptions serve = {};
  std::string data_dir = {};  // of the program
  std::string folder = {};    // held by this process, for the local socket and server.json; empty: there is none
  std::string program = {};
  std::string version = {};
  std::shared_ptr<StatusBoard> status = nullptr;  // null: nothing runs, which is healthy
  std::shared_ptr<DataService> data = nullptr;    // null: there is nothing to query
  std::string why_no_data = "this run keeps no views";
  std::uint64_t generation = 0;  // that `data` reads
  /// Asks another process, which has the generation that is read now; nothing where this one is to answer. Called on
  /// several threads at once.
  std::function<std::optional<StatusOr<HttpResponse>>(const HttpRequest&)> elsewhere = nullptr;
  /// The generations of the data directory, given what this process runs, if it does. Called on several threads at
  /// once.
  std::function<std::vector<GenerationStatus>(const RunStatus*)> generations = nullptr;
  /// The batch layer of the data directory, likewise.
  std::function<std::optional<BatchStatus>(const RunStatus*)> batch = nullptr;
  /// The ledger of what this process has committed; null as long as there is none. Called on several threads at once.
  std::function<std::shared_ptr<const Ledger>()> ledger = nullptr;
  /// By path. What they give is the answer's text.
  std::map<std::string, std::function<StatusOr<std::string>()>> actions = {};
  std::shared_ptr<PublishService> publish = nullptr;  // null: Pub/Sub is not served
};

/// Serves from `Start` to the destructor, which waits for no peer.
class Server {
 public:
  /// INVALID_ARGUMENT for options that cannot be; UNAVAILABLE when it cannot listen.
  static StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options);
  /// Removes the socket and server.json.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// "http://127.0.0.1:8080"; empty when no port is open.
  const std::string& url() const;

  /// Opaque.
  struct Impl;

 private:
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The socket and the description of a folder's server.
std::string SocketPathOf(const std::string& folder);
std::string ServerFileOf(const std::string& folder);

/// Statements may take their time; a verb waits for them as long as the run lives.
inline constexpr std::chrono::milliseconds kAskMax = std::chrono::minutes(10);

/// Asks the server of a folder. NOT_FOUND or UNAVAILABLE when there is none; the response may tell a failure.
StatusOr<HttpResponse> AskServer(const std::string& folder, const HttpRequest& request,
                                 std::chrono::milliseconds timeout = kAskMax);

}  // namespace millrace::server
