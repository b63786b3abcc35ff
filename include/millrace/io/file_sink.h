// What the sinks that write files share: text.h, json_lines.h, csv.h, parquet.h.
//
// Each worker writes one shard, `prefix-00000-of-0000N` and a suffix, N being the number of workers of the run; a
// worker that has no elements writes an empty one. While the run goes on, shards have hidden names
// (`.prefix-...unfinished`). When all workers have written everything to the device, the shards get their names, so
// that nobody ever sees a half-written file. A run that fails or is cancelled before leaves nothing behind. Folders
// that are missing are made.
//
// Which element is in which shard, and in which order, is not specified. Timestamps, windows and panes are not written:
// an element is written once for each pane that it is in. Unbounded input is refused as a mistake of the graph: its
// end, and with it the files, would never come.
#pragma once

#include <string>
#include <utility>

#include "millrace/core/pcollection.h"
#include "millrace/detail/shard_writer.h"

namespace millrace::detail {

/// The transform of a file sink. `Self` is the concrete one: it says by `Accepts<T>()`, with a static_assert of its
/// own, whether it can write a `T`, and by `Opener<T>()` how.
template <class Self>
struct FileWrite : TransformBase {
  FileWrite(std::string file_prefix, std::string file_suffix)
      : prefix(std::move(file_prefix)), suffix(std::move(file_suffix)) {}

  /// The end of the names of the files, such as ".txt".
  Self Suffix(std::string text) const {
    Self self = static_cast<const Self&>(*this);
    self.suffix = std::move(text);
    return self;
  }
  /// Replaces the shards that an earlier run left under this prefix and suffix, whatever their number. Without it they
  /// are an ALREADY_EXISTS that names one.
  Self Overwrite() const {
    Self self = static_cast<const Self&>(*this);
    self.overwrite = true;
    return self;
  }

  template <class T>
  void Expand(const PCollection<T>& in) const {
    if constexpr (Self::template Accepts<T>()) {
      Graph& graph = GraphAccess::GraphOf(in);
      const int index = GraphAccess::IndexOf(in);
      if (graph.pcollection(index).unbounded) {
        graph.AddMistake(graph.CurrentLabel(),
                         "files are complete when their input has ended, and this input is "
                         "unbounded; write a View, or bound the source");
      }
      FileSink sink{.prefix = prefix,
                    .suffix = suffix,
                    .overwrite = overwrite,
                    .stride = sizeof(T),
                    .open = static_cast<const Self&>(*this).template Opener<T>()};
      graph.Add({index}, {}, SinkPayload{"Write " + prefix + suffix, MakeFileSink(std::move(sink))});
    }
  }

  std::string prefix;
  std::string suffix;
  bool overwrite = false;
};

}  // namespace millrace::detail
