#include "cli/live_results.h"

#include <algorithm>
#include <atomic>
#include <ostream>
#include <streambuf>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "cli/export_view.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/sql_rows.h"
#include "cli/verbs.h"
#include "cli/view_rows.h"

namespace millrace::cli {

namespace {

constexpr auto kStatementMax = std::chrono::minutes(5);
constexpr auto kInterruptInterval = std::chrono::milliseconds(50);

Status Expired() { return DeadlineExceededError("the statement was stopped after five minutes"); }

Status CheckReads(columnar::Connection& connection, const std::string& statement) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::Statement prepared, connection.Prepare(statement));
  if (prepared.only_reads()) return OkStatus();
  return FailedPreconditionError("while the run goes on, SQL may only read: give a SELECT");
}

// Keeps a text up to a limit; then the stream fails.
class BoundedText final : public std::streambuf {
 public:
  explicit BoundedText(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// What was written, or RESOURCE_EXHAUSTED.
  StatusOr<std::string> Take() {
    if (!overflowed_) return std::move(text_);
    return ResourceExhaustedError("the answer has more than " + std::to_string(bytes_max_ >> 20) +
                                  " MiB, which is too much while the run goes on; ask for fewer rows");
  }

 private:
  int_type overflow(int_type c) override {
    if (c == traits_type::eof()) return traits_type::not_eof(c);
    const char character = traits_type::to_char_type(c);
    return xsputn(&character, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    if (text_.size() + static_cast<std::size_t>(count) > bytes_max_) {
      overflowed_ = true;
      return 0;
    }
    text_.append(bytes, static_cast<std::size_t>(count));
    return count;
  }

  const std::size_t bytes_max_;
  std::string text_;
  bool overflowed_ = false;
};

}  // namespace

// A statement that can be interrupted, and is when it takes too long.
class LiveResults::Running {
 public:
  Running(LiveResults& results, columnar::Connection& connection) : results_(results), connection_(connection) {
    watch_ = std::thread([this] { Watch(); });
  }
  ~Running() {
    {
      const std::lock_guard lock(results_.mutex_);
      done_ = true;
    }
    results_.changed_.notify_all();
    watch_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  bool expired() const { return expired_; }

 private:
  // An interruption that comes just before the statement begins is lost, so it is repeated.
  void Watch() {
    std::unique_lock lock(results_.mutex_);
    const bool ends = results_.changed_.wait_for(lock, kStatementMax, [this] { return done_ || results_.cancelled_; });
    expired_ = !ends;
    while (!done_) {
      connection_.Interrupt();
      results_.changed_.wait_for(lock, kInterruptInterval, [this] { return done_; });
    }
  }

  LiveResults& results_;
  columnar::Connection& connection_;
  bool done_ = false;  // guarded by the results' mutex
  std::atomic<bool> expired_ = false;
  std::thread watch_;
};

StatusOr<ViewDescriptor> LiveResults::Find(const std::string& name) const {
  const auto view =
      std::find_if(views_.begin(), views_.end(), [&](const ViewDescriptor& known) { return known.name == name; });
  if (view == views_.end()) return NotFoundError("there is no view " + name);
  return *view;
}

StatusOr<std::string> LiveResults::Query(const server::ViewRequest& request, std::size_t bytes_max) {
  MILLRACE_ASSIGN_OR_RETURN(const ViewDescriptor view, Find(request.view));
  BoundedText text(bytes_max);
  std::ostream out(&text);
  Status printed;
  if (merged_.Find(view.name) != nullptr) {
    MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, warehouse_.Connect());
    const Running running(*this, connection);
    printed = CheckViewRequest(view, request);
    if (printed.ok()) printed = merged_.Print(connection, request, out);
    if (running.expired()) return Expired();
  } else if (request.as_of.empty()) {
    printed = PrintViewRows(lookup_, view, request, out);
  } else {
    printed = InvalidArgumentError("as_of is for the views that a batch layer has; " + view.name + " is none");
  }
  if (!printed.ok()) return Status(printed.code(), MessageOf(printed));
  return text.Take();
}

StatusOr<std::string> LiveResults::Sql(const server::SqlRequest& request, std::size_t bytes_max) {
  MILLRACE_RETURN_IF_ERROR(CheckFormat(request.format));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, warehouse_.Connect());
  if (const Status created = merged_.Create(connection, request.as_of); !created.ok()) {
    return Status(created.code(), MessageOf(created));
  }
  MILLRACE_RETURN_IF_ERROR(CheckReads(connection, request.statement));
  BoundedText text(bytes_max);
  std::ostream out(&text);
  const Running running(*this, connection);
  MILLRACE_RETURN_IF_ERROR(connection.Execute("BEGIN TRANSACTION READ ONLY"));
  const Status printed = PrintSqlRows(connection, request.statement, request.format, out);
  if (running.expired()) return Expired();
  MILLRACE_RETURN_IF_ERROR(printed);
  return text.Take();
}

StatusOr<std::int64_t> LiveResults::Export(const server::ExportRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, warehouse_.Connect());
  if (!request.statement.empty()) MILLRACE_RETURN_IF_ERROR(CheckReads(connection, request.statement));
  const Running running(*this, connection);
  StatusOr<std::int64_t> rows = 0;
  if (!request.statement.empty()) {
    rows = WriteStatement(connection, request.statement, request.path);
  } else if (request.view == kDeadLettersTable) {
    rows = WriteUnordered(connection, request.view, request.path);
  } else {
    MILLRACE_ASSIGN_OR_RETURN(const ViewDescriptor view, Find(request.view));
    rows = request.is_unordered ? WriteUnordered(connection, view.name, request.path)
                                : WriteParquet(connection, view, request.path);
  }
  if (running.expired()) return Expired();
  return rows;
}

void LiveResults::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

}  // namespace millrace::cli
