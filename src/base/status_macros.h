// Two macros that hand an error up: the only macros of the house, since C++20 has no other early return.
#pragma once

#include <utility>

#include "millrace/core/status.h"

/// Evaluates `expression`, a Status, once and returns it from the enclosing function when it is not OK. The function
/// returns Status or StatusOr.
#define MILLRACE_RETURN_IF_ERROR(expression)                                                              \
  do {                                                                                                    \
    if (::millrace::Status millrace_status = (expression); !millrace_status.ok()) return millrace_status; \
  } while (false)

/// Evaluates `expression`, a StatusOr, once; returns its status when it failed, otherwise moves its value into
/// `declaration`: `MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path));`. Two statements, so not for a bare `if`. A
/// comma outside parentheses in the declaration needs `auto`.
#define MILLRACE_ASSIGN_OR_RETURN(declaration, expression) \
  MILLRACE_ASSIGN_OR_RETURN_NAMED(MILLRACE_STATUS_NAME(millrace_result_, __COUNTER__), declaration, expression)

#define MILLRACE_ASSIGN_OR_RETURN_NAMED(result, declaration, expression) \
  auto result = (expression);                                            \
  if (!result.ok()) return std::move(result).status();                   \
  declaration = *std::move(result)
#define MILLRACE_STATUS_NAME(prefix, number) MILLRACE_STATUS_NAME_JOINED(prefix, number)
#define MILLRACE_STATUS_NAME_JOINED(prefix, number) prefix##number
