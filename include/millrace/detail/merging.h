// The seam between the operator that merges windows (`exec/merging_combine.cc`), which knows neither keys nor
// accumulators, and the little that needs their types (`detail/merging_kernel.h`). Merging windows are rarer than
// others, so they are paid for at run time and not by compiling tables for each aggregation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "millrace/core/window.h"
#include "millrace/detail/operator.h"

namespace millrace::detail {

/// A key as its state is encoded (`AppendState`), with its hash.
struct EncodedKey {
  std::uint64_t hash = 0;
  std::string bytes;

  friend bool operator==(const EncodedKey& a, const EncodedKey& b) { return a.bytes == b.bytes; }
  friend bool operator<(const EncodedKey& a, const EncodedKey& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.bytes < b.bytes;
  }
};
inline std::uint64_t KeyHash(const EncodedKey& key) { return key.hash; }

/// Rows go in, panes come out. Accumulators are behind pointers, made by `Create` and `Read`.
class MergingKernel {
 public:
  virtual ~MergingKernel() = default;

  virtual void Open(OperatorContext& context) = 0;
  /// The hashes of the keys of `rows`.
  virtual void Hash(const BatchBase& rows, Column<std::uint64_t>* hashes) const = 0;
  /// Appends the key of a row.
  virtual void AppendKey(const BatchBase& rows, std::size_t row, std::string* out) const = 0;

  virtual std::shared_ptr<void> Create() const = 0;
  /// Adds the value of a row.
  virtual void Add(void* accumulator, const BatchBase& rows, std::size_t row) const = 0;
  virtual void Merge(void* into, const void* from) const = 0;

  /// Emits the output of an accumulator, with the last timestamp of the window.
  virtual void Emit(std::string_view key, const void* accumulator, const BoundedWindow& window,
                    const PaneInfo& pane) = 0;
  /// Hands on what was emitted.
  virtual void FlushOutput() = 0;

  /// Of the state of one key: the layout of key and accumulator, and what keeps them out of a checkpoint.
  virtual StateDescription DescribeState() const = 0;
  virtual void Append(const void* accumulator, std::string* out) const = 0;
  /// What `Append` wrote; null if `bytes` are something else.
  virtual std::shared_ptr<void> Read(std::string_view bytes) const = 0;
  /// From now on `ReadSaved` takes what was written with `layout`, as `DescribeState` gave it then.
  virtual Status OpenSaved(const SavedSection& section) = 0;
  virtual std::shared_ptr<void> ReadSaved(std::string_view bytes) const = 0;
};

}  // namespace millrace::detail
