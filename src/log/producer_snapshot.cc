// The snapshot of the producers, so that a start need not read all segments.
#include <cstring>

#include "log/byte_buffer.h"
#include "log/producer_table.h"

namespace millrace::log {

namespace {

constexpr std::string_view kProducersMagic = "MRPRODU1";

// Takes numbers from the front of bytes; once there are too few, everything it gives is 0.
class NumberReader {
 public:
  explicit NumberReader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  Number Take() {
    if (bytes_.size() < sizeof(Number)) {
      failed_ = true;
      return 0;
    }
    const auto number = Load<Number>(bytes_.data());
    bytes_.remove_prefix(sizeof(Number));
    return number;
  }
  std::string_view TakeBytes(std::size_t size) {
    if (bytes_.size() < size) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  /// What was taken cannot be.
  void Require(bool possible) { failed_ = failed_ || !possible; }
  bool failed() const { return failed_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace

std::string ProducerTable::Snapshot(const TopicMetadata& topic, const Cut& cut) const {
  ByteBuffer bytes;
  bytes.Append(kProducersMagic);
  bytes.AppendNumber(topic.id);
  bytes.AppendNumber(topic.partitions);
  for (const std::int64_t offset : cut) bytes.AppendNumber(offset);
  bytes.AppendNumber(static_cast<std::uint32_t>(producers_.size()));
  for (const auto& [id, state] : producers_) {
    bytes.AppendNumber(static_cast<std::uint8_t>(id.size()));
    bytes.Append(id);
    bytes.AppendNumber(state->last_publish_.micros());
    bytes.AppendNumber(static_cast<std::uint16_t>(state->partitions_.size()));
    for (const ProducerState::InPartition& in : state->partitions_) {
      bytes.AppendNumber(static_cast<std::uint16_t>(in.partition));
      bytes.AppendNumber(static_cast<std::uint16_t>(in.batches.size()));
      for (const ProducerBatch& batch : in.batches) {
        bytes.AppendNumber(batch.first_sequence);
        bytes.AppendNumber(batch.span);
        bytes.AppendNumber(batch.first_offset);
        bytes.AppendNumber(batch.records);
      }
    }
  }
  bytes.AppendNumber(Checksum(bytes.view(), topic.id));
  return std::string(bytes.view());
}

std::optional<Cut> ProducerTable::Restore(const TopicMetadata& topic, std::string_view snapshot) {
  producers_.clear();
  if (snapshot.size() < kProducersMagic.size() + 8 || !snapshot.starts_with(kProducersMagic)) return std::nullopt;
  const std::string_view content = snapshot.substr(0, snapshot.size() - 8);
  if (Load<std::uint64_t>(content.data() + content.size()) != Checksum(content, topic.id)) return std::nullopt;
  NumberReader in(content.substr(kProducersMagic.size()));
  if (in.Take<std::uint64_t>() != topic.id || in.Take<std::int32_t>() != topic.partitions) return std::nullopt;
  Cut cut;
  for (std::int32_t i = 0; i < topic.partitions; ++i) cut.push_back(in.Take<std::int64_t>());
  for (const std::int64_t offset : cut) in.Require(offset >= 0);
  const auto producers = in.Take<std::uint32_t>();
  for (std::uint32_t i = 0; i < producers && !in.failed(); ++i) {
    const std::string_view id = in.TakeBytes(in.Take<std::uint8_t>());
    auto state = std::make_unique<ProducerState>();
    state->last_publish_ = Timestamp::FromMicros(in.Take<std::int64_t>());
    const auto partitions = in.Take<std::uint16_t>();
    for (std::uint16_t k = 0; k < partitions && !in.failed(); ++k) {
      const auto partition = in.Take<std::uint16_t>();
      in.Require(partition < topic.partitions);
      ProducerState::InPartition& part = state->In(partition);
      const auto batches = in.Take<std::uint16_t>();
      for (std::uint16_t j = 0; j < batches && !in.failed(); ++j) {
        ProducerBatch batch;
        batch.first_sequence = in.Take<std::int64_t>();
        batch.span = in.Take<std::uint32_t>();
        batch.first_offset = in.Take<std::int64_t>();
        batch.records = in.Take<std::uint32_t>();
        in.Require(AreSequences(batch.first_sequence, batch.span));
        part.batches.push_back(batch);
      }
      part.queued = part.written();
    }
    producers_[std::string(id)] = std::move(state);
  }
  if (in.failed() || !in.at_end()) {  // the checksum is right, so another version wrote it
    producers_.clear();
    return std::nullopt;
  }
  return cut;
}

}  // namespace millrace::log
