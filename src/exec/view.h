// View: hands a batch's cells to the sink of the run.
#pragma once

#include <vector>

#include "millrace/detail/graph.h"
#include "millrace/io/view_sink.h"

namespace millrace::exec {

class ViewOperator final : public detail::Operator {
 public:
  /// `sink` may be null: the cells are then only counted.
  ViewOperator(const detail::ViewPayload& view, ViewSink* sink) : view_(view), sink_(sink) {}
  void Process(detail::BatchBase& batch, int input) override;

 private:
  const detail::ViewPayload& view_;
  ViewSink* sink_;
  std::vector<Cell> cells_;
};

}  // namespace millrace::exec
