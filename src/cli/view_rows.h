// The rows of a view as text.
#pragma once

#include <ostream>

#include "millrace/core/status.h"
#include "millrace/io/view_store.h"
#include "server/server.h"

namespace millrace::cli {

/// A usage error for a key that does not fit the view, or an unknown format.
Status CheckViewRequest(const ViewDescriptor& view, const server::ViewRequest& request);

/// Prints what is asked for in the order of the store. Ends early when `out` fails.
Status PrintViewRows(const ViewStore& store, const ViewDescriptor& view, const server::ViewRequest& request,
                     std::ostream& out);

}  // namespace millrace::cli
