// The verb `reconcile`: prints the agreement certificate, and ends with 1 where what must agree does not.
#include <charconv>
#include <iostream>
#include <utility>

#include "base/status_macros.h"
#include "cli/certificate.h"
#include "cli/row_writer.h"
#include "cli/verbs.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr int kExitDisagrees = 1;

// "generation:3" or "version:7".
Status ParseOther(const std::string& text, CertificateRequest* request) {
  if (text.empty()) return OkStatus();
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + std::min(colon, text.size() - 1) + 1, end, number);
  const bool is_number = colon != std::string::npos && error == std::errc() && rest == end;
  if (is_number && kind == "generation") request->generation = number;
  if (is_number && kind == "version") request->version = number;
  if (request->generation || request->version) return OkStatus();
  return UsageError("--with=" + text + ": give generation:N or version:N");
}

Status PrintTable(const Certificate& certificate, const std::string& format) {
  const auto number = [](std::string name) {
    return RowColumn{.name = std::move(name), .kind = CellKind::kLiteral, .is_number = true};
  };
  const auto time = [](std::string name) { return RowColumn{.name = std::move(name), .kind = CellKind::kTime}; };
  MILLRACE_ASSIGN_OR_RETURN(const auto ranges, MakeRowWriter(format,
                                                             {{.name = "view"},
                                                              time("from"),
                                                              time("to"),
                                                              {.name = "state"},
                                                              number("equal"),
                                                              number("late"),
                                                              number("mismatch"),
                                                              number("missing"),
                                                              number("extra"),
                                                              {.name = "cause"}},
                                                             std::cout));
  for (const CertifiedRange& range : certificate.ranges) {
    std::string cause = range.cause;
    if (range.unexamined > 0) cause += ", and " + std::to_string(range.unexamined) + " groups of cells unexamined";
    ranges->Write({TextCell(range.view), TimeCell(range.from), TimeCell(range.to), TextCell(range.state),
                   NumberCell(range.equal), NumberCell(range.late), NumberCell(range.mismatch),
                   NumberCell(range.missing), NumberCell(range.extra), cause.empty() ? RowCell() : TextCell(cause)});
  }
  ranges->Finish();
  if (!certificate.cells.empty()) {
    std::cout << "\n";
    MILLRACE_ASSIGN_OR_RETURN(const auto cells, MakeRowWriter(format,
                                                              {{.name = "view"},
                                                               {.name = "key"},
                                                               time("window_start"),
                                                               time("window_end"),
                                                               {.name = "kind"},
                                                               {.name = "batch"},
                                                               {.name = certificate.with},
                                                               {.name = "cause"}},
                                                              std::cout));
    for (const DifferentCell& cell : certificate.cells) {
      cells->Write({TextCell(cell.view), TextCell(cell.key), TimeCell(cell.window_start), TimeCell(cell.window_end),
                    TextCell(cell.kind), TextCell(cell.batch), TextCell(cell.other), TextCell(cell.cause)});
    }
    cells->Finish();
    if (certificate.more_cells > 0) std::cout << "and " << GroupedDigits(certificate.more_cells) << " more cells\n";
  }
  std::cout << "\n";
  for (const CertifiedView& view : certificate.views) {
    std::cout << view.view << ": the batch layer and " << certificate.with << " are certified to agree "
              << (view.certified_through ? "through " + view.certified_through->ToString() : "nowhere") << "\n";
  }
  return OkStatus();
}

}  // namespace

StatusOr<int> ReconcileVerb(const Invocation& invocation, const Pipeline& pipeline) {
  if (!invocation.arguments.empty()) return UsageError("reconcile takes no arguments: " + invocation.arguments[0]);
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say of what: " + invocation.program + " reconcile --data_dir=DIR");
  }
  const std::string& format = invocation.output.format;
  if (format != "table" && format != "json") return UsageError("--format=" + format + ": give table or json");
  CertificateRequest request{.from = invocation.output.from, .to = invocation.output.to, .view = invocation.batch.view};
  MILLRACE_RETURN_IF_ERROR(ParseOther(invocation.batch.with, &request));
  if (!request.view.empty()) MILLRACE_RETURN_IF_ERROR(FindView(pipeline, request.view).status());
  MILLRACE_ASSIGN_OR_RETURN(const Certificate certificate, Reconcile(invocation, pipeline, request));
  if (format == "json") {
    std::cout << json::Write(certificate) << "\n";
  } else {
    MILLRACE_RETURN_IF_ERROR(PrintTable(certificate, format));
  }
  return certificate.agrees ? 0 : kExitDisagrees;
}

}  // namespace millrace::cli
