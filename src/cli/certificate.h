// The agreement certificate of a Lambda topology: whether two computations of the same views agree, partition by
// partition, and in which cells and why they do not (docs/formats/certificate.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/generation_reader.h"
#include "cli/verbs.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// How the cells of consecutive partitions of one view compare.
struct CertifiedRange {
  std::string view;
  Timestamp from;
  Timestamp to;
  /// "certified": equal, but for late cells; "behind": records have landed that the batch layer has not read, so it is
  /// not compared; "open": the other side is not final there; "differs".
  std::string state;
  std::int64_t equal = 0;
  std::int64_t late = 0;        // of which the other side has missed an element that came too late; not compared
  std::int64_t mismatch = 0;    // other values
  std::int64_t missing = 0;     // of the batch layer's, in the other side
  std::int64_t extra = 0;       // in the other side only
  std::int64_t unexamined = 0;  // groups of cells whose digests differ and that were not looked into
  std::string cause = {};       // of "differs": "code version" or "unexplained"
};

/// A cell in which both sides differ. Values are texts of all value columns; empty where the cell is not there.
struct DifferentCell {
  std::string view;
  std::string key;
  Timestamp window_start;
  Timestamp window_end;
  std::string kind;  // "mismatch", "missing" or "extra"
  std::string batch = {};
  std::string other = {};
  std::string cause = {};
};

/// Of one view.
struct CertifiedView {
  std::string view;
  std::optional<Timestamp> certified_through;  // nothing: not even the first partition is certified
};

struct Certificate {
  std::string with;  // "generation 3" or "version 7": what the batch layer was compared with
  bool agrees = true;
  std::vector<CertifiedView> views;
  std::vector<CertifiedRange> ranges;
  std::vector<DifferentCell> cells;  // the first ones
  std::int64_t more_cells = 0;
};

/// What is compared.
struct CertificateRequest {
  std::optional<Timestamp> from = {};  // whole partitions, as with recompute
  std::optional<Timestamp> to = {};
  std::string view = {};                         // empty: all of the topology
  std::optional<std::uint64_t> generation = {};  // the other side: this one, or else the one that is read ...
  std::optional<std::uint64_t> version = {};     // ... or the batch layer as of this version
};

/// Compares what the batch layer has now with the other side. A run that is behind is awaited.
StatusOr<Certificate> Reconcile(const Invocation& invocation, const Pipeline& pipeline,
                                const CertificateRequest& request);

}  // namespace millrace::cli
