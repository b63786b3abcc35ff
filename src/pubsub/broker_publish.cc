// Publishing: messages become records of the log.
#include <charconv>
#include <utility>

#include "base/status_macros.h"
#include "pubsub/broker.h"

namespace millrace::pubsub {

namespace {

constexpr std::size_t kAttributesMax = 100;
constexpr std::size_t kAttributeNameBytesMax = 256;
constexpr std::size_t kAttributeValueBytesMax = 1'024;
constexpr std::size_t kOrderingKeyBytesMax = 1'024;

// A message's place in exactly once, if it has one.
struct Sequenced {
  std::string producer = {};
  std::int64_t sequence = -1;
};

Status BadMessage(std::size_t index, const std::string& why) {
  return InvalidArgumentError("message " + std::to_string(index) + ": " + why);
}

Status CheckAttributes(std::size_t index, const PublishMessage& message) {
  if (message.attributes.size() > kAttributesMax) {
    return BadMessage(index, "it has " + std::to_string(message.attributes.size()) + " attributes; at most 100");
  }
  for (const auto& [name, value] : message.attributes) {
    if (name.empty() || name.size() > kAttributeNameBytesMax) {
      return BadMessage(index, "the name of an attribute has 1 to 256 bytes");
    }
    if (value.size() > kAttributeValueBytesMax) return BadMessage(index, name + " has a value above 1,024 bytes");
    if (name.starts_with("goog")) return BadMessage(index, name + " begins with goog, which is reserved");
  }
  return OkStatus();
}

Status CheckMessage(std::size_t index, const PublishMessage& message, std::size_t* bytes) {
  if (message.data.empty() && message.attributes.empty()) {
    return BadMessage(index, "it has neither data nor attributes");
  }
  if (message.ordering_key.size() > kOrderingKeyBytesMax) {
    return BadMessage(index, "the ordering key has more than 1,024 bytes");
  }
  if (!message.attributes.empty()) MILLRACE_RETURN_IF_ERROR(CheckAttributes(index, message));
  *bytes += message.data.size() + message.ordering_key.size();
  for (const auto& [name, value] : message.attributes) *bytes += name.size() + value.size();
  return OkStatus();
}

// Takes the producer and the sequence out of the attributes.
StatusOr<Sequenced> TakeSequence(std::size_t index, std::map<std::string, std::string>* attributes) {
  Sequenced sequenced;
  auto producer = attributes->extract(kProducerAttribute);
  auto sequence = attributes->extract(kSequenceAttribute);
  if (producer.empty() && sequence.empty()) return sequenced;
  if (producer.empty() || sequence.empty()) {
    return BadMessage(index, std::string(kProducerAttribute) + " and " + kSequenceAttribute + " go together");
  }
  const std::string& text = sequence.mapped();
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), sequenced.sequence);
  if (error != std::errc() || rest != text.data() + text.size() || sequenced.sequence < 0) {
    return BadMessage(index, std::string(kSequenceAttribute) + "=" + text + " is no number from 0");
  }
  sequenced.producer = std::move(producer.mapped());
  return sequenced;
}

struct Publishing {
  std::vector<log::AppendRecord> records;
  std::vector<Sequenced> sequenced;
};

StatusOr<Publishing> CheckedRecords(std::vector<PublishMessage>& messages, Timestamp now) {
  if (messages.empty() || messages.size() > kPublishMessagesMax) {
    return InvalidArgumentError("a request has 1 to 1,000 messages, not " + std::to_string(messages.size()));
  }
  Publishing publishing{.records = std::vector<log::AppendRecord>(messages.size()),
                        .sequenced = std::vector<Sequenced>(messages.size())};
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    PublishMessage& message = messages[i];
    MILLRACE_RETURN_IF_ERROR(CheckMessage(i, message, &bytes));
    log::AppendRecord& record = publishing.records[i];
    record = {.event_time = now, .key = message.ordering_key, .data = message.data};
    if (message.attributes.empty()) continue;
    if (const auto time = message.attributes.find(kEventTimeAttribute); time != message.attributes.end()) {
      const StatusOr<Timestamp> parsed = Timestamp::Parse(time->second);
      if (!parsed.ok()) return BadMessage(i, std::string(kEventTimeAttribute) + ": " + parsed.status().message());
      record.event_time = *parsed;
    }
    MILLRACE_ASSIGN_OR_RETURN(publishing.sequenced[i], TakeSequence(i, &message.attributes));
    if (!message.attributes.empty()) record.attributes = &message.attributes;
  }
  if (bytes > kPublishBytesMax) {
    return InvalidArgumentError("the request has " + std::to_string(bytes) + " bytes; at most " +
                                std::to_string(kPublishBytesMax));
  }
  return publishing;
}

// Up to where one Append goes: messages of no producer, or of one with sequences that follow each other.
std::size_t EndOfAppend(const std::vector<Sequenced>& sequenced, std::size_t begin) {
  std::size_t end = begin + 1;
  while (end < sequenced.size() && sequenced[end].producer == sequenced[begin].producer &&
         (sequenced[end].producer.empty() || sequenced[end].sequence == sequenced[end - 1].sequence + 1)) {
    ++end;
  }
  return end;
}

Status AppendAll(log::LogWriter& writer, const Publishing& publishing, std::vector<std::string>* ids) {
  for (std::size_t begin = 0; begin < publishing.records.size();) {
    const std::size_t end = EndOfAppend(publishing.sequenced, begin);
    const Sequenced& first = publishing.sequenced[begin];
    std::optional<log::Producer> producer;
    if (!first.producer.empty()) producer = {.id = first.producer, .first_sequence = first.sequence};
    const std::span records(publishing.records);
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<log::Appended> appended,
                              writer.Append(records.subspan(begin, end - begin), producer));
    for (const log::Appended& one : appended) {
      ids->push_back(MessageIdOf({.partition = one.partition, .offset = one.offset}));
    }
    begin = end;
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::vector<std::string>> Broker::Publish(const std::string& topic, std::vector<PublishMessage> messages) {
  MILLRACE_ASSIGN_OR_RETURN(const Publishing publishing, CheckedRecords(messages, clock_.Now()));
  std::vector<std::string> ids;
  ids.reserve(messages.size());
  MILLRACE_RETURN_IF_ERROR(
      writers_->Use(topic, [&](log::LogWriter& writer) { return AppendAll(writer, publishing, &ids); }));
  WakeTopic(topic);
  return ids;
}

}  // namespace millrace::pubsub
