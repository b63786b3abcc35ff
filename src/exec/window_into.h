// WindowInto: says of a batch that its windows follow from the timestamps. No value is touched.
#pragma once

#include "millrace/detail/operator.h"

namespace millrace::exec {

class WindowIntoOperator final : public detail::Operator {
 public:
  explicit WindowIntoOperator(const WindowFn& fn) : fn_(fn) {}
  void Process(detail::BatchBase& batch, int input) override;
  bool EmitsOneEach() const override { return true; }

 private:
  WindowFn fn_;
};

}  // namespace millrace::exec
