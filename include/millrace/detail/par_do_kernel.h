// The ParDo loop: one virtual call per batch, the user's function inlined.
#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "millrace/detail/dofn_traits.h"
#include "millrace/detail/element_failure.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

/// The typed output buffers of a DoFn, in the order of its Output parameters.
template <class List>
struct OutputBuffers;
template <class... T>
struct OutputBuffers<TypeList<Output<T>...>> {
  static constexpr std::size_t kSize = sizeof...(T);
  std::tuple<OutputBuffer<T>...> buffers;

  void Open(OperatorContext& context) {
    int index = 0;
    std::apply([&](auto&... buffer) { (buffer.Open(context.output(index++)), ...); }, buffers);
  }
  void Begin(const BatchBase& input) {
    std::apply([&](auto&... buffer) { (buffer.Begin(input), ...); }, buffers);
  }
  void Mark() {
    std::apply([](auto&... buffer) { (buffer.Mark(), ...); }, buffers);
  }
  void Rewind() {
    std::apply([](auto&... buffer) { (buffer.RewindToMark(), ...); }, buffers);
  }
  void FlushFull() {
    std::apply([](auto&... buffer) { ((buffer.full() ? buffer.Flush() : void()), ...); }, buffers);
  }
  void Flush() {
    std::apply([](auto&... buffer) { (buffer.Flush(), ...); }, buffers);
  }
  /// Something was emitted since `Mark`.
  bool marked() const {
    return std::apply([](const auto&... buffer) { return (buffer.marked() || ... || false); }, buffers);
  }
  /// The first buffer of that type: for methods other than ProcessElement.
  template <class U>
  OutputBuffer<U>& OfType() {
    constexpr std::size_t kIndex = kIndexOf<TypeList<T...>, U>;
    static_assert(kIndex < sizeof...(T),
                  "Millrace: FinishBundle, timer handlers and OnWindowExpiration can only emit "
                  "to an Output<T> that ProcessElement has, too.");
    return std::get<kIndex>(buffers);
  }
};

/// Calls the optional methods of a DoFn's life cycle.
template <class D>
struct Lifecycle {
  static void Setup(D& fn) {
    if constexpr (requires { fn.Setup(); }) fn.Setup();
  }
  static void Teardown(D& fn) {
    if constexpr (requires { fn.Teardown(); }) fn.Teardown();
  }
  static void StartBundle(D& fn) {
    if constexpr (requires { fn.StartBundle(); }) fn.StartBundle();
  }
  template <class Buffers>
  static void FinishBundle(D& fn, Buffers& outputs) {
    if constexpr (requires { &D::FinishBundle; }) {
      CallFinish(fn, outputs, typename Signature<decltype(&D::FinishBundle)>::Parameters{});
      outputs.Flush();
    }
  }

 private:
  template <class Buffers, class... P>
  static void CallFinish(D& fn, Buffers& outputs, TypeList<P...>) {
    fn.FinishBundle(std::remove_cvref_t<P>(outputs.template OfType<typename std::remove_cvref_t<P>::Element>(), 0)...);
  }
};

/// What ParDos with and without state share: the copy of the DoFn, its outputs and its life cycle.
template <class D>
class DoFnKernel : public Operator {
 public:
  explicit DoFnKernel(D fn) : fn_(std::move(fn)) {}

  void Open(OperatorContext& context) override {
    Operator::Open(context);
    outputs_.Open(context);
    const MetricsScope scope(context.metrics());
    Lifecycle<D>::Setup(fn_);
  }
  void FinishBundle() final {
    if (!in_bundle_) return;
    in_bundle_ = false;
    const MetricsScope scope(context().metrics());
    Lifecycle<D>::FinishBundle(fn_, outputs_);
  }
  void Close() final {
    const MetricsScope scope(context().metrics());
    Lifecycle<D>::Teardown(fn_);
  }

 protected:
  /// Before the first element of a bundle.
  void BeginBundle() {
    if (in_bundle_) return;
    in_bundle_ = true;
    Lifecycle<D>::StartBundle(fn_);
  }

  D fn_;
  OutputBuffers<typename DoFnTraits<D>::Outputs> outputs_;

 private:
  bool in_bundle_ = false;
};

/// `kIsolates`: an element on which the DoFn fails every time goes to one more output.
template <class D, bool kIsolates>
class ParDoKernel final : public DoFnKernel<D> {
  using Traits = DoFnTraits<D>;
  using Base = DoFnKernel<D>;
  using Base::context;
  using Base::fn_;
  using Base::ledger_;
  using Base::outputs_;

 public:
  using Element = typename Traits::Element;

  explicit ParDoKernel(D fn) : Base(std::move(fn)) {}

  void Open(OperatorContext& to) override {
    Base::Open(to);
    if constexpr (kIsolates) failed_.Open(to.output(static_cast<int>(Traits::Outputs::kSize)));
  }

  void Process(BatchBase& batch, int /*input*/) override {
    const MetricsScope scope(context().metrics());
    Base::BeginBundle();
    if (Traits::kObservesWindow && batch.windows.many()) {
      Batch<Element> exploded;
      ExplodeWindows(batch, exploded);
      ledger_.units += static_cast<std::int64_t>(exploded.size());
      ProcessRows(exploded);
    } else {
      ledger_.units += static_cast<std::int64_t>(batch.size());
      ProcessRows(static_cast<Batch<Element>&>(batch));
    }
  }
  LedgerCounts Ledger() const override {
    LedgerCounts counts = ledger_;
    counts.open = static_cast<std::int64_t>(waiting_.size());
    return counts;
  }

  Timestamp AdvanceWatermark(Timestamp watermark) override {
    if constexpr (Traits::SideInputs::kSize > 0) {
      Retry();
      for (std::size_t i = 0; i < waiting_.size(); ++i) watermark = std::min(watermark, waiting_.timestamps[i]);
    }
    return watermark;
  }

  std::vector<StateDescription> States() const override {
    if constexpr (Traits::SideInputs::kSize == 0) return {};
    return {{.name = "waiting", .layout = "rows<" + StateLayout<Element>() + ">", .problem = {}, .always_full = true}};
  }
  void SaveState(StateWriter& writer) override {
    if (waiting_.empty()) return;
    if constexpr (StateCodable<Element>()) {
      for (std::size_t row = 0; row < waiting_.size(); ++row) {
        std::string* out = writer.To(0);
        AppendState(waiting_.values[row], out);
        AppendState(waiting_.timestamps[row], out);
        AppendState(waiting_.windows.each[row], out);
        AppendState(waiting_.panes.each[row], out);
      }
    } else {
      throw PipelineFailure(
          UnimplementedError(context().label() + ": elements that wait for a side input " + StateProblem<Element>()));
    }
  }
  Status RestoreState(const SavedSection& section) override {
    if constexpr (Traits::SideInputs::kSize > 0 && StateCodable<Element>()) {
      if (context().worker() != 0) return OkStatus();
      StateDecoder<Element> decoder;
      std::string why;
      if (!decoder.Open(section.layout.substr(5, section.layout.size() - 6), &why)) {  // within "rows<>"
        return FailedPreconditionError(std::string(section.origin) + ": " + why);
      }
      std::string_view rest = section.bytes;
      Batch<Element> rows;
      rows.windows.kind = WindowColumn::Kind::kEach;
      rows.panes.uniform = false;
      while (!rest.empty()) {
        Element element{};
        Timestamp time;
        BoundedWindow window;
        PaneInfo pane;
        if (!decoder.Read(&rest, &element) || !ReadState(&rest, &time) || !ReadState(&rest, &window) ||
            !ReadState(&rest, &pane)) {
          return DamagedSection(section, rest);
        }
        rows.values.Append(std::move(element));
        rows.timestamps.Append(time);
        rows.windows.each.Append(window);
        rows.panes.each.Append(pane);
        Wait(rows, rows.size() - 1);
      }
    }
    return OkStatus();
  }

 private:
  void ProcessRows(Batch<Element>& rows) {
    outputs_.Begin(rows);
    if constexpr (kIsolates) failed_.Begin(rows);
    std::size_t row = 0;
    const std::size_t count = rows.size();
    std::int64_t emitted = 0;
    std::int64_t filtered = 0;
    while (row < count) {
      try {
        for (; row < count; ++row) {
          outputs_.FlushFull();
          outputs_.Mark();
          if (CallRow(rows, row)) [[likely]] {
            ++(outputs_.marked() ? emitted : filtered);
          } else {
            Wait(rows, row);
          }
        }
      } catch (const PipelineFailure&) {
        throw;
      } catch (...) {
        outputs_.Rewind();
        RetryRow(rows, row);
        ++row;
      }
    }
    ledger_.emitted += emitted;
    ledger_.filtered += filtered;
    outputs_.Flush();
    if constexpr (kIsolates) failed_.Flush();
  }

  // The first attempt has failed.
  void RetryRow(Batch<Element>& rows, std::size_t row) {
    std::string error;
    if (TryElement([&] { CallRow(rows, row); }, [&] { outputs_.Rewind(); }, &error)) {
      ++(outputs_.marked() ? ledger_.emitted : ledger_.filtered);
      return;
    }
    if constexpr (kIsolates) {
      ++ledger_.failed;
      failed_.Emit(FailedElement<Element>{rows.values[row], error}, row);
    } else {
      throw PipelineFailure(ElementFailure(context().label(), DescribeElement(rows.values[row]), error));
    }
  }

  // False if a side input is not ready for the row's window.
  bool CallRow(Batch<Element>& rows, std::size_t row) {
    std::array<SideInputValue, Traits::SideInputs::kSize + 1> sides;
    if constexpr (Traits::SideInputs::kSize > 0) {
      const BoundedWindow window = rows.windows.Of(row, rows.timestamps[row]);
      for (std::size_t i = 0; i < Traits::SideInputs::kSize; ++i) {
        sides[i] = context().GetSideInput(static_cast<int>(i), window);
        if (sides[i] == nullptr) return false;
      }
    }
    Call(rows, row, sides, typename Traits::Arguments{});
    return true;
  }

  template <class Sides, class... P>
  void Call(Batch<Element>& rows, std::size_t row, Sides& sides, TypeList<P...>) {
    CallIndexed(rows, row, sides, TypeList<P...>{}, std::index_sequence_for<P...>{});
  }
  template <class Sides, class... P, std::size_t... kAt>
  void CallIndexed(Batch<Element>& rows, std::size_t row, Sides& sides, TypeList<P...>, std::index_sequence<kAt...>) {
    Traits::Process::Call(fn_, rows.values[row], Bind<std::remove_cvref_t<P>, kAt>(rows, row, sides)...);
  }

  template <class P, std::size_t kAt, class Sides>
  P Bind(Batch<Element>& rows, std::size_t row, Sides& sides) {
    if constexpr (kIsOutput<P>) {
      return P(std::get<OutputRanks<typename Traits::Arguments>::kRank[kAt]>(outputs_.buffers), row);
    } else if constexpr (kIsSideInput<P>) {
      return P(static_cast<const typename P::Value*>(sides[kIndexOf<typename Traits::SideInputs, P>].get()));
    } else if constexpr (std::is_same_v<P, Timestamp>) {
      return rows.timestamps[row];
    } else if constexpr (std::is_same_v<P, BoundedWindow>) {
      return rows.windows.Of(row, rows.timestamps[row]);
    } else {
      return rows.panes.Of(row);
    }
  }

  // Keeps a row until its side inputs are ready.
  void Wait(Batch<Element>& rows, std::size_t row) {
    if constexpr (Traits::SideInputs::kSize > 0 && std::is_copy_constructible_v<Element>) {
      waiting_.windows.kind = WindowColumn::Kind::kEach;
      waiting_.panes.uniform = false;
      waiting_.values.Append(rows.values[row]);
      waiting_.timestamps.Append(rows.timestamps[row]);
      waiting_.windows.each.Append(rows.windows.Of(row, rows.timestamps[row]));
      waiting_.panes.each.Append(rows.panes.Of(row));
      waiting_.has_origins = true;
      waiting_.origins.Append(rows.OriginOf(row));
    }
  }

  void Retry() {
    if (waiting_.empty()) return;
    Batch<Element> again;
    again.CopyHeader(waiting_);
    again.values.Swap(waiting_.values);
    again.timestamps.Swap(waiting_.timestamps);
    again.windows.each.Swap(waiting_.windows.each);
    again.panes.each.Swap(waiting_.panes.each);
    again.origins.Swap(waiting_.origins);
    waiting_.Clear();
    const MetricsScope scope(context().metrics());
    ProcessRows(again);
  }

  struct Nothing {};

  [[no_unique_address]] std::conditional_t<kIsolates, OutputBuffer<FailedElement<Element>>, Nothing> failed_;
  Batch<Element> waiting_;
};

}  // namespace millrace::detail
