// A small view of visits, a run's sinks over it, and what the stores then hold, for the tests of this folder.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cli/run_results.h"
#include "cli/store_writers.h"
#include "millrace/io/view_sink.h"

namespace millrace::results_test {

struct PageKey {
  std::string page;
  std::optional<std::int32_t> shard;
};

struct VisitCount {
  std::int64_t visits = 0;
  std::string last;
};

/// The view `visits`.
ViewDescriptor VisitsView();

/// A cell with the objects that it points to.
struct Visit {
  PageKey key;
  std::int64_t minute = 0;  // the window's start
  std::uint64_t pane = 0;
  std::optional<VisitCount> count;  // nothing: the cell is removed

  Cell ToCell() const;
};

/// Writes them as one span.
Status WriteVisits(ViewSink& sink, const std::vector<Visit>& visits);
Status WriteLetter(DeadLetterSink& sink, const std::string& element);

/// All pieces one after another.
std::string Joined(const EpochBatch& batch);

/// What a store holds, in comparable form: "page/shard@minute" to "visits last (attempt.pane)".
using StoredVisits = std::map<std::string, std::string>;
std::string NameOf(const Visit& visit);
std::string TextOf(const VisitCount& count, std::uint64_t attempt, std::uint64_t pane);

/// What is in a generation's folder; its stores are not open.
struct Stored {
  cli::AppliedEpochs epochs;
  StoredVisits warehouse;
  StoredVisits lookup;
  std::map<std::string, int> letters;  // by element, how often
};
Stored ReadStored(const std::string& folder);

/// A folder that is removed in the end.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace millrace::results_test
