// DeadLetters: hands elements as JSON to the sink of the run.
#pragma once

#include <string>
#include <vector>

#include "millrace/detail/graph.h"
#include "millrace/io/view_sink.h"

namespace millrace::exec {

class DeadLettersOperator final : public detail::Operator {
 public:
  /// `step` is the label of the transform whose output the letters are.
  DeadLettersOperator(std::string name, std::string step, const Type& type, DeadLetterSink& sink);
  void Process(detail::BatchBase& batch, int input) override;

 private:
  DeadLetter LetterOf(const detail::BatchBase& batch, std::size_t row) const;

  std::string name_;
  std::string step_;
  const Type& type_;
  const Field* reason_ = nullptr;  // of the element; null where it has no such field
  DeadLetterSink& sink_;
  std::vector<DeadLetter> letters_;
};

}  // namespace millrace::exec
