// `dlq replay --dry_run`: what this program makes of the records behind dead letters.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status_macros.h"
#include "cli/dlq_records.h"
#include "millrace/io/view_sink.h"

namespace millrace::cli {

namespace {

/// Notes what the program refuses.
class RefusedLetters final : public DeadLetterSink {
 public:
  struct Cause {
    std::string name;
    std::string step;
    std::string reason;
    friend auto operator<=>(const Cause&, const Cause&) = default;
  };

  Status Write(std::span<const DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    for (const DeadLetter& letter : letters) {
      if (letter.origin.empty()) {
        ++without_origin_;
        continue;
      }
      refused_[letter.origin + "/" + std::to_string(letter.position)] = {letter.name, letter.step, letter.reason};
    }
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }

  const std::map<std::string, Cause>& refused() const { return refused_; }
  std::int64_t without_origin() const { return without_origin_; }

 private:
  std::mutex mutex_;
  std::map<std::string, Cause> refused_;  // by place
  std::int64_t without_origin_ = 0;
};

// The transforms whose output reaches a side input.
std::set<int> FeedSideInputs(const detail::Graph& graph) {
  std::vector<int> open;
  for (const detail::Transform& transform : graph.transforms()) {
    const auto* par_do = std::get_if<detail::ParDoPayload>(&transform.payload);
    if (par_do == nullptr) continue;
    for (const detail::SideInputUse& use : par_do->side_inputs)
      open.push_back(graph.pcollection(use.pcollection).producer);
  }
  std::set<int> seen;
  while (!open.empty()) {
    const int transform = open.back();
    open.pop_back();
    if (transform < 0 || !seen.insert(transform).second) continue;
    for (const int input : graph.transform(transform).inputs) open.push_back(graph.pcollection(input).producer);
  }
  return seen;
}

// What each source is to read: of the log the letters' records only.
Status RestrictSources(const Pipeline& pipeline, const PlacesByTopic& places, RunOptions* options) {
  const detail::Graph& graph = pipeline.graph();
  const std::set<int> feeds = FeedSideInputs(graph);
  bool any = false;
  for (std::size_t i = 0; i < graph.transforms().size(); ++i) {
    const detail::Transform& transform = graph.transform(static_cast<int>(i));
    const auto* read = std::get_if<detail::ReadPayload>(&transform.payload);
    if (read == nullptr) continue;
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<Restriction> described,
                              read->initial_restrictions({.workers = 1, .streaming = false}));
    std::vector<Restriction> wanted;
    bool is_of_letters = false;
    for (const auto& [topic, of_topic] : places) {
      for (const PlaceInTopic& place : of_topic) {
        Restriction only = OnlyRecord(topic, place);
        const bool is_here = std::any_of(described.begin(), described.end(),
                                         [&only](const Restriction& part) { return part.partition == only.partition; });
        is_of_letters = is_of_letters || is_here;
        if (is_here) wanted.push_back(std::move(only));
      }
    }
    any = any || is_of_letters;
    if (is_of_letters || !feeds.contains(static_cast<int>(i))) {
      options->restrictions[transform.label] = std::move(wanted);
    } else if (read->unbounded && !read->bounded_in_batch) {
      return UnimplementedError(transform.label + " gives a side input without end, so the letters cannot be tried");
    }
  }
  return any ? OkStatus()
             : FailedPreconditionError(
                   "this program does not read the log's topic that the letters come from; give "
                   "the options that the run was given");
}

}  // namespace

StatusOr<int> TryLetters(std::uint64_t generation, const std::vector<ListedLetter>& letters,
                         const BuildPipeline& build) {
  Pipeline pipeline;
  MILLRACE_RETURN_IF_ERROR(build(pipeline));
  auto refused = std::make_shared<RefusedLetters>();
  RunOptions options;
  options.threads = 1;
  options.dead_letters = refused;
  options.without_sinks = true;
  options.generation = generation;
  MILLRACE_RETURN_IF_ERROR(RestrictSources(pipeline, PlacesOf(letters), &options));
  const PipelineResult result = pipeline.Run(options);
  MILLRACE_RETURN_IF_ERROR(result.status.WithContext("this program fails on the letters"));
  std::map<RefusedLetters::Cause, std::int64_t> again;
  std::int64_t rescued = 0;
  for (const ListedLetter& letter : letters) {
    const auto found = refused->refused().find(PlaceOf(letter)->ToString());
    found == refused->refused().end() ? ++rescued : ++again[found->second];
  }
  std::cout << "this program would take " << rescued << " of " << letters.size() << " letters\n";
  for (const auto& [cause, count] : again) {
    std::cout << "  " << count << " refused again by " << cause.step << " (" << cause.name << ")"
              << (cause.reason.empty() ? "" : ": " + cause.reason) << "\n";
  }
  if (refused->without_origin() > 0) {
    std::cout << "  " << refused->without_origin() << " elements were refused whose record is not known\n";
  }
  return 0;
}

}  // namespace millrace::cli
