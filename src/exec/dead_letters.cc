#include "exec/dead_letters.h"

#include <string_view>
#include <utility>

#include "millrace/core/json.h"

namespace millrace::exec {

namespace {

// The names that a text field may have which says why an element was refused; the first one counts.
constexpr std::string_view kReasonFields[] = {"reason", "error", "why"};

const Field* FindReason(const Type& type) {
  if (type.kind != FieldKind::kStruct) return nullptr;
  for (const std::string_view name : kReasonFields) {
    const Field* field = type.schema->Find(name);
    if (field != nullptr && field->type->kind == FieldKind::kString) return field;
  }
  return nullptr;
}

}  // namespace

DeadLettersOperator::DeadLettersOperator(std::string name, std::string step, const Type& type, DeadLetterSink& sink)
    : name_(std::move(name)), step_(std::move(step)), type_(type), reason_(FindReason(type)), sink_(sink) {}

DeadLetter DeadLettersOperator::LetterOf(const detail::BatchBase& batch, std::size_t row) const {
  const void* element = batch.ValueAt(row);
  DeadLetter letter{.name = name_, .step = step_, .element = {}, .event_time = batch.timestamps[row]};
  json::Append(type_, element, &letter.element);
  if (reason_ != nullptr) letter.reason = *static_cast<const std::string*>(reason_->In(element));
  if (&type_ == &TypeOf<BadRecord>()) {
    const auto& bad = *static_cast<const BadRecord*>(element);
    letter.origin = bad.origin;
    letter.position = bad.position;
  } else {
    detail::NamedOrigin origin = context().NameOrigin(batch.OriginOf(row));
    letter.origin = std::move(origin.partition);
    letter.position = origin.position;
  }
  return letter;
}

void DeadLettersOperator::Process(detail::BatchBase& batch, int /*input*/) {
  const auto count = static_cast<std::int64_t>(batch.size());
  detail::Add(context().metrics().Cell(detail::MetricKind::kCounter, "dead_letters").count, count);
  ledger_.units += count;
  letters_.clear();
  for (std::size_t row = 0; row < batch.size(); ++row) letters_.push_back(LetterOf(batch, row));
  const Status written = sink_.Write(letters_);
  if (!written.ok()) throw detail::PipelineFailure(written.WithContext(context().label()));
  ledger_.taken += static_cast<std::int64_t>(letters_.size());
}

}  // namespace millrace::exec
