#include "exec/window_into.h"

#include <utility>

namespace millrace::exec {

void WindowIntoOperator::Process(detail::BatchBase& batch, int /*input*/) {
  // Another consumer may still read the batch with the windows that it came with.
  detail::WindowColumn before;
  before.CopyHeader(batch.windows);
  before.each.Swap(batch.windows.each);
  batch.windows.SetImplicit(fn_);
  ledger_.units += static_cast<std::int64_t>(batch.size());
  ledger_.emitted += static_cast<std::int64_t>(batch.size());
  context().output(0).Deliver(batch);
  batch.windows.CopyHeader(before);
  batch.windows.each.Swap(before.each);
}

}  // namespace millrace::exec
