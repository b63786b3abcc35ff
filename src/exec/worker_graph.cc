#include "exec/worker_graph.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "exec/combine.h"
#include "exec/merging_combine.h"
#include "millrace/core/json.h"

namespace millrace::exec {

// An operator with its surroundings, and the context that it sees.
struct WorkerGraph::Node final : detail::OperatorContext {
  Node(int i, const PlanNode& p, WorkerEnvironment& e)
      : index(i),
        plan(p),
        environment(e),
        outputs(static_cast<std::size_t>(p.outputs)),
        channels(static_cast<std::size_t>(p.keyed ? e.workers() : 1)),
        op(p.make()) {}

  const std::string& label() const override { return plan.label; }
  int worker() const override { return environment.worker(); }
  int workers() const override { return environment.workers(); }
  bool streaming() const override { return environment.streaming(); }
  Timestamp processing_time() const override { return environment.processing_time(); }
  detail::OutputPort& output(int i) override { return outputs[static_cast<std::size_t>(i)]; }
  detail::MetricsContainer& metrics() override { return container; }
  void Ship(int to, std::unique_ptr<detail::BatchBase> batch) override {
    shipped += static_cast<std::int64_t>(batch->size());
    environment.Ship(index, to, std::move(batch));
  }
  std::unique_ptr<detail::BatchBase> TakeSpare() override {
    if (spares.empty()) return nullptr;
    std::unique_ptr<detail::BatchBase> spare = std::move(spares.back());
    spares.pop_back();
    return spare;
  }
  void KeepSpare(std::unique_ptr<detail::BatchBase> batch) {
    if (spares.size() >= kSparesMax) return;
    batch->Clear();
    spares.push_back(std::move(batch));
  }
  detail::SideInputValue GetSideInput(int i, const BoundedWindow& window) override {
    return environment.GetSideInput(plan.side_inputs[static_cast<std::size_t>(i)], window);
  }
  detail::NamedOrigin NameOrigin(detail::Origin origin) const override { return environment.origins().Name(origin); }
  void RecordLate(const BoundedWindow& window, Timestamp time, const void* element, detail::Origin origin) override {
    if (plan.late == nullptr) return;
    detail::NamedOrigin named = NameOrigin(origin);
    DeadLetter letter{.name = kLateName,
                      .step = plan.label,
                      .element = {},
                      .event_time = time,
                      .window = window,
                      .reason = kLateReason,
                      .origin = std::move(named.partition),
                      .position = named.position};
    if (plan.input_type != nullptr) json::Append(*plan.input_type, element, &letter.element);
    const Status written = plan.late->Write({&letter, 1});
    if (!written.ok()) throw detail::PipelineFailure(written.WithContext(plan.label));
  }
  bool stopping() const override { return environment.stopping(); }
  bool reading_ends() const override { return environment.reading_ends(); }
  std::unique_ptr<detail::Spiller> MakeSpiller() override {
    const StateMemory& memory = environment.state_memory();
    if (memory.store == nullptr) return nullptr;
    return std::make_unique<detail::Spiller>(*memory.store, memory.keeps_changes);
  }

  ReadOperator& source() { return static_cast<ReadOperator&>(*op); }

  static constexpr std::size_t kSparesMax = 4;

  int index;
  const PlanNode& plan;
  WorkerEnvironment& environment;
  std::vector<detail::OutputPort> outputs;
  detail::MetricsContainer container;
  engine::InputWatermark channels;
  Timestamp input_watermark = Timestamp::Min();
  Timestamp output_watermark = Timestamp::Min();
  Timestamp sent_watermark = Timestamp::Min();  // to the other workers
  ReadOperator::State source_state = ReadOperator::State::kMore;
  bool opened = false;
  std::int64_t shipped = 0;  // rows
  std::int64_t received = 0;
  std::vector<std::unique_ptr<detail::BatchBase>> spares;
  std::unique_ptr<detail::Operator> op;
};

WorkerGraph::WorkerGraph(const Plan& plan, WorkerEnvironment& environment, const ReadLimits& limits)
    : environment_(environment) {
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const PlanNode& planned = plan.nodes[i];
    auto node = std::make_unique<Node>(static_cast<int>(i), planned, environment);
    for (const Upstream& upstream : planned.inputs) {
      nodes_[static_cast<std::size_t>(upstream.node)]->output(upstream.output).Connect(node->op.get(), 0);
    }
    for (std::size_t output = 0; output < planned.outputs_with_origins.size(); ++output) {
      if (planned.outputs_with_origins[output]) node->outputs[output].WantOrigins();
    }
    if (planned.is_source) {
      sources_.push_back(static_cast<int>(i));
      ReadLimits own = limits;
      own.max_disorder = environment.streaming() ? planned.read->max_disorder.value_or(Duration(-1)) : Duration(-1);
      node->source().Start(environment.RestrictionsOf(static_cast<int>(i)), own, environment.origins());
    }
    if (planned.keyed && environment.workers() > 1) exchanges_.push_back(static_cast<int>(i));
    if (planned.is_collector) {
      static_cast<detail::SideInputOperator&>(*node->op).Attach(environment.StoreOf(static_cast<int>(i)));
    }
    nodes_.push_back(std::move(node));
  }
}

WorkerGraph::~WorkerGraph() = default;

void WorkerGraph::Open() {
  for (auto& node : nodes_) {
    node->op->Open(*node);
    node->opened = true;
  }
}

void WorkerGraph::Close() {
  for (auto& node : nodes_) {
    if (node->opened) node->op->Close();
    node->opened = false;
  }
}

void WorkerGraph::ReceiveBatch(int node, std::unique_ptr<detail::BatchBase> batch) {
  Node& receiver = *nodes_[static_cast<std::size_t>(node)];
  receiver.received += static_cast<std::int64_t>(batch->size());
  receiver.op->ProcessRemote(*batch);
  receiver.KeepSpare(std::move(batch));
}

void WorkerGraph::ReceiveWatermark(int node, int from, Timestamp watermark) {
  nodes_[static_cast<std::size_t>(node)]->channels.Advance(static_cast<std::size_t>(from), watermark);
}

bool WorkerGraph::MayRun(const Node& node) const {
  return std::all_of(node.plan.gates.begin(), node.plan.gates.end(), [this](int collector) {
    return environment_.GetSideInput(collector, BoundedWindow::Global()) != nullptr;
  });
}

ReadOperator::State WorkerGraph::RunSource() {
  Node* chosen = nullptr;
  bool waiting = false;
  ++turn_;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Node& node = *nodes_[static_cast<std::size_t>(sources_[(turn_ + i) % sources_.size()])];
    if (node.source_state == ReadOperator::State::kDone) continue;
    if (!MayRun(node) || (node.source_state == ReadOperator::State::kWaiting &&
                          node.source().ResumeAt() > environment_.processing_time())) {
      waiting = true;
      continue;
    }
    if (chosen == nullptr || node.output_watermark < chosen->output_watermark) chosen = &node;
  }
  if (chosen == nullptr) return waiting ? ReadOperator::State::kWaiting : ReadOperator::State::kDone;
  chosen->source_state = chosen->source().RunBundle();
  return ReadOperator::State::kMore;
}

void WorkerGraph::FinishBundle() {
  for (auto& node : nodes_) node->op->FinishBundle();
}

Timestamp WorkerGraph::LocalWatermark(const Node& node) const {
  Timestamp local = Timestamp::Max();
  for (const Upstream& upstream : node.plan.inputs) {
    local = std::min(local, nodes_[static_cast<std::size_t>(upstream.node)]->output_watermark);
  }
  return local;
}

void WorkerGraph::SendWatermark(Node& node, Timestamp local) {
  if (local <= node.sent_watermark) return;
  node.sent_watermark = local;
  node.op->WatermarkSent(local);
  for (int to = 0; to < environment_.workers(); ++to) {
    if (to != environment_.worker()) environment_.SendWatermark(node.index, to, local);
  }
}

void WorkerGraph::Advance(Node& node, Timestamp input) {
  if (input <= node.input_watermark && node.plan.side_inputs.empty() && !node.op->Due()) return;
  node.input_watermark = std::max(node.input_watermark, input);
  node.output_watermark = std::max(node.output_watermark, node.op->AdvanceWatermark(node.input_watermark));
}

void WorkerGraph::PropagateWatermarks(bool broadcast, bool idle) {
  const auto self = static_cast<std::size_t>(environment_.worker());
  for (auto& owned : nodes_) {
    Node& node = *owned;
    if (node.plan.is_source) {
      node.output_watermark = std::max(node.output_watermark, node.source().Watermark());
      continue;
    }
    const Timestamp local = LocalWatermark(node);
    Timestamp input = local;
    if (node.plan.keyed && environment_.workers() > 1) {
      // In streaming mode a trigger of another worker may wait for what is kept back here, wherever the watermark is.
      if (broadcast && (local > node.sent_watermark || environment_.streaming())) {
        idle ? node.op->FlushRemote() : node.op->FlushRemoteBefore(local);
      }
      if (broadcast) SendWatermark(node, local);
      // What was not broadcast yet may still be in a buffer for others, but is not in one for this worker.
      node.channels.Advance(self, local);
      input = node.channels.current();
    }
    Advance(node, input);
  }
}

void WorkerGraph::Settle(int until) {
  for (; settled_ < until; ++settled_) {
    Node& node = *nodes_[static_cast<std::size_t>(settled_)];
    node.op->FinishBundle();
    if (node.plan.is_source) {
      node.output_watermark = std::max(node.output_watermark, node.source().Watermark());
    } else {
      // All workers have sent their watermarks for an exchange by now: each has the same least one.
      const bool exchanges = node.plan.keyed && environment_.workers() > 1;
      Advance(node, exchanges ? node.channels.current() : LocalWatermark(node));
    }
  }
  if (until == size()) return;
  Node& exchange = *nodes_[static_cast<std::size_t>(until)];
  exchange.op->FinishBundle();
  const Timestamp local = LocalWatermark(exchange);
  exchange.op->FlushRemote();
  SendWatermark(exchange, local);
  exchange.channels.Advance(static_cast<std::size_t>(environment_.worker()), local);
}

WorkerSnapshot WorkerGraph::Save(const std::vector<bool>& full) {
  settled_ = 0;
  WorkerSnapshot snapshot;
  for (auto& owned : nodes_) {
    Node& node = *owned;
    WorkerSnapshot::Node& saved = snapshot.nodes.emplace_back();
    saved.input_watermark = node.input_watermark;
    saved.output_watermark = node.output_watermark;
    saved.metrics = node.container.Read();
    saved.ledger = LedgerOf(node.index);
    if (node.plan.is_source) {
      saved.unfinished = node.source().Unfinished();
      saved.read = node.source().TakeRead();
      saved.covered = node.source().TakeCovered();
    }
    const std::vector<detail::StateDescription> states = node.op->States();
    if (states.empty()) continue;
    const bool all = full[static_cast<std::size_t>(node.index)];
    detail::StateWriter writer(states.size(), all);
    node.op->SaveState(writer);
    for (std::size_t i = 0; i < states.size(); ++i) {
      saved.states.push_back(
          {.full = all || states[i].always_full, .sources = writer.TakeSources(i), .chunks = writer.TakeChunks(i)});
    }
  }
  return snapshot;
}

Status WorkerGraph::Restore(const std::vector<RestoredNode>& restored) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = *nodes_[i];
    const RestoredNode& from = restored[i];
    const Status taken = RestoreNode(node, from);
    if (!taken.ok()) return taken.WithContext(node.plan.label);
    node.input_watermark = from.input_watermark;
    node.output_watermark = from.output_watermark;
    node.sent_watermark = from.input_watermark;
    node.op->WatermarkSent(from.input_watermark);
    for (int from_worker = 0; from_worker < (node.plan.keyed ? environment_.workers() : 1); ++from_worker) {
      node.channels.Advance(static_cast<std::size_t>(from_worker), from.input_watermark);
    }
    if (!node.plan.is_source) node.op->FinishRestore(from.input_watermark);
  }
  return OkStatus();
}

// Piece by piece: all of a state need not fit into memory.
Status WorkerGraph::RestoreNode(Node& node, const RestoredNode& from) {
  for (const RestoredSection& section : from.sections) {
    MILLRACE_RETURN_IF_ERROR(section.read([&](const std::string& chunk) {
      const Status taken = node.op->RestoreState(
          {.state = section.state, .layout = section.layout, .bytes = chunk, .origin = section.origin});
      LimitState();
      return taken;
    }));
  }
  return OkStatus();
}

void WorkerGraph::LimitState() {
  const StateMemory& memory = environment_.state_memory();
  if (memory.store == nullptr) return;
  std::vector<std::pair<std::size_t, Node*>> held;
  std::size_t sum = 0;
  for (const auto& node : nodes_) {
    held.emplace_back(node->op->StateBytes(), node.get());
    sum += held.back().first;
  }
  if (sum <= memory.bytes_max) return;
  // Somewhat more than is too much, so that not every bundle ends here; the largest first.
  std::size_t wanted = sum - memory.bytes_max + memory.bytes_max / 8;
  std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [bytes, node] : held) {
    if (wanted == 0) return;
    wanted -= std::min(wanted, node->op->SpillState(wanted));
  }
}

std::vector<detail::StateDescription> WorkerGraph::StatesOf(int node) const {
  return nodes_[static_cast<std::size_t>(node)]->op->States();
}

void WorkerGraph::AdvanceProcessingTime(Timestamp now) {
  for (auto& node : nodes_) {
    if (node->op->NextProcessingTime() <= now) node->op->AdvanceProcessingTime(now);
    // A side input that an earlier node has published is what elements may wait for.
    if (!node->plan.side_inputs.empty()) Advance(*node, node->input_watermark);
  }
}

Timestamp WorkerGraph::NextProcessingTime() const {
  Timestamp next = Timestamp::Max();
  for (const auto& node : nodes_) next = std::min(next, node->op->NextProcessingTime());
  return next;
}

Timestamp WorkerGraph::SourceResumeAt() const {
  Timestamp next = Timestamp::Max();
  for (const int source : sources_) {
    Node& node = *nodes_[static_cast<std::size_t>(source)];
    if (node.source_state == ReadOperator::State::kWaiting) next = std::min(next, node.source().ResumeAt());
  }
  return next;
}

bool WorkerGraph::done() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->output_watermark == Timestamp::Max() &&
           (!node->plan.keyed || node->environment.workers() == 1 || node->sent_watermark == Timestamp::Max());
  });
}

Timestamp WorkerGraph::SourceReadableLow() const {
  Timestamp low = Timestamp::Max();
  for (const int source : sources_) {
    Node& node = *nodes_[static_cast<std::size_t>(source)];
    if (node.source_state == ReadOperator::State::kDone || !MayRun(node)) continue;
    low = std::min(low, node.source().ReadableLow(environment_.processing_time()));
  }
  return low;
}

Timestamp WorkerGraph::SourceWatermark() const {
  Timestamp low = Timestamp::Max();
  for (const int source : sources_) low = std::min(low, nodes_[static_cast<std::size_t>(source)]->output_watermark);
  return low;
}

void WorkerGraph::FinalizeSource(int node, const std::vector<Restriction>& read) {
  nodes_[static_cast<std::size_t>(node)]->source().Finalize(read);
}

void WorkerGraph::FinalizeSources() {
  for (const int source : sources_)
    FinalizeSource(source, nodes_[static_cast<std::size_t>(source)]->source().TakeRead());
}

std::int64_t WorkerGraph::elements_read() const {
  std::int64_t sum = 0;
  for (const int source : sources_) sum += nodes_[static_cast<std::size_t>(source)]->outputs[0].elements();
  return sum;
}

StepLedger WorkerGraph::LedgerOf(int index) const {
  const Node& node = *nodes_[static_cast<std::size_t>(index)];
  StepLedger ledger{.counts = node.op->Ledger(), .out = {}, .one_each = node.op->EmitsOneEach()};
  ledger.counts.shipped = node.shipped;
  ledger.counts.received = node.received;
  for (const detail::OutputPort& port : node.outputs) ledger.out.push_back(port.elements());
  return ledger;
}

std::vector<Restriction> WorkerGraph::TakeCovered(int node) {
  return nodes_[static_cast<std::size_t>(node)]->source().TakeCovered();
}

StepMetrics WorkerGraph::Metrics(int node) const { return nodes_[static_cast<std::size_t>(node)]->container.Read(); }

std::int64_t WorkerGraph::ElementsOut(int node, int output) const {
  return nodes_[static_cast<std::size_t>(node)]->outputs[static_cast<std::size_t>(output)].elements();
}

WorkerStatus WorkerGraph::CurrentStatus() const {
  WorkerStatus status;
  for (const auto& node : nodes_) {
    WorkerStatus::Node& told = status.nodes.emplace_back();
    told.input_watermark = node->input_watermark;
    told.output_watermark = node->output_watermark;
    told.state_bytes = node->op->StateBytes();
    if (const auto* combine = dynamic_cast<const CombineOperator*>(node->op.get())) {
      told.open_windows = static_cast<std::int64_t>(combine->windows().open());
      told.oldest_open_window = combine->windows().Oldest();
    } else if (const auto* merging = dynamic_cast<const MergingCombineOperator*>(node->op.get())) {
      told.open_windows = static_cast<std::int64_t>(merging->open_windows());
    }
    if (node->plan.is_source) told.partitions = node->source().Partitions();
  }
  return status;
}

std::int64_t WorkerGraph::ElementsOut(int node) const {
  std::int64_t sum = 0;
  for (const detail::OutputPort& port : nodes_[static_cast<std::size_t>(node)]->outputs) sum += port.elements();
  return sum;
}

}  // namespace millrace::exec
