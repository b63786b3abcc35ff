#include "exec/dead_letters.h"

#include "millrace/core/json.h"

namespace millrace::exec {

void DeadLettersOperator::Process(detail::BatchBase& batch, int /*input*/) {
  detail::Add(context().metrics().Cell(detail::MetricKind::kCounter, "dead_letters").count,
              static_cast<std::int64_t>(batch.size()));
  letters_.clear();
  for (std::size_t row = 0; row < batch.size(); ++row) {
    DeadLetter letter{.name = name_, .step = step_, .element = {}, .event_time = batch.timestamps[row]};
    json::Append(type_, batch.ValueAt(row), &letter.element);
    letters_.push_back(std::move(letter));
  }
  const Status written = sink_.Write(letters_);
  if (!written.ok()) throw detail::PipelineFailure(written.WithContext(context().label()));
}

}  // namespace millrace::exec
