// What an aggregation over merging windows needs of its types. See `detail/merging.h`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/detail/combine_output.h"
#include "millrace/detail/combine_row.h"
#include "millrace/detail/merging.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

/// `Fn` has Beam's four calls over `V`; `K` is codable.
template <class K, class V, class Fn>
class TypedMergingKernel final : public MergingKernel {
 public:
  using Rows = CombineRow<K, V>;
  using Row = typename Rows::Row;
  using Accumulator = decltype(std::declval<const Fn&>().CreateAccumulator());
  using OutputRow = typename CombineOutput<K, Fn>::Row;

  explicit TypedMergingKernel(Fn fn) : fn_(std::move(fn)) {}

  void Open(OperatorContext& context) override { output_.Open(context.output(0)); }
  void Hash(const BatchBase& rows, Column<std::uint64_t>* hashes) const override {
    std::uint64_t* hash = hashes->Extend(rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) hash[row] = KeyHash(KeyAt(rows, row));
  }
  void AppendKey(const BatchBase& rows, std::size_t row, std::string* out) const override {
    AppendState(KeyAt(rows, row), out);
  }

  std::shared_ptr<void> Create() const override { return std::make_shared<Accumulator>(fn_.CreateAccumulator()); }
  void Add(void* accumulator, const BatchBase& rows, std::size_t row) const override {
    fn_.AddInput(*static_cast<Accumulator*>(accumulator),
                 Rows::ValueOf(static_cast<const Batch<Row>&>(rows).values[row]));
  }
  void Merge(void* into, const void* from) const override {
    fn_.MergeAccumulators(*static_cast<Accumulator*>(into), *static_cast<const Accumulator*>(from));
  }

  void Emit(std::string_view key, const void* accumulator, const BoundedWindow& window, const PaneInfo& pane) override {
    auto extracted = fn_.ExtractOutput(*static_cast<const Accumulator*>(accumulator));
    if constexpr (Rows::kGlobally) {
      output_.EmitIn(std::move(extracted), window.max_timestamp(), window, pane);
    } else {
      K own{};
      ReadState(&key, &own);
      output_.EmitIn(OutputRow{std::move(own), std::move(extracted)}, window.max_timestamp(), window, pane);
    }
    if (output_.full()) output_.Flush();
  }
  void FlushOutput() override { output_.Flush(); }

  StateDescription DescribeState() const override {
    return {.name = "sessions",
            .layout = KeyedLayout<K>("merging", StateLayout<Accumulator>()),
            .problem = StateProblem<Accumulator>()};
  }
  void Append(const void* accumulator, std::string* out) const override {
    if constexpr (StateCodable<Accumulator>()) AppendState(*static_cast<const Accumulator*>(accumulator), out);
  }
  std::shared_ptr<void> Read(std::string_view bytes) const override {
    if constexpr (StateCodable<Accumulator>()) {
      auto accumulator = std::make_shared<Accumulator>();
      if (ReadState(&bytes, accumulator.get()) && bytes.empty()) return accumulator;
    }
    return nullptr;
  }
  Status OpenSaved(const SavedSection& section) override {
    if constexpr (StateCodable<Accumulator>()) {
      std::string why;
      saved_ = std::make_unique<StateDecoder<Accumulator>>();
      if (!saved_->Open(PartsOfKeyedLayout(section.layout).value, &why)) {
        return FailedPreconditionError(std::string(section.origin) + ": " + why);
      }
    }
    return OkStatus();
  }
  std::shared_ptr<void> ReadSaved(std::string_view bytes) const override {
    if constexpr (StateCodable<Accumulator>()) {
      auto accumulator = std::make_shared<Accumulator>();
      if (saved_->Read(&bytes, accumulator.get()) && bytes.empty()) return accumulator;
    }
    return nullptr;
  }

 private:
  static const K& KeyAt(const BatchBase& rows, std::size_t row) {
    return Rows::KeyOf(static_cast<const Batch<Row>&>(rows).values[row]);
  }
  struct NoDecoder {};

  Fn fn_;
  OutputBuffer<OutputRow> output_;
  std::unique_ptr<std::conditional_t<StateCodable<Accumulator>(), StateDecoder<Accumulator>, NoDecoder>> saved_;
};

/// The factory of a merging kernel, or none where keys have no encoding.
template <class K, class V, class Fn>
std::function<std::unique_ptr<MergingKernel>()> MakeMerging(const Fn& fn) {
  if constexpr (StateCodable<K>()) {
    return [fn] { return std::make_unique<TypedMergingKernel<K, V, Fn>>(fn); };
  } else {
    return nullptr;
  }
}

}  // namespace millrace::detail
