#include <algorithm>
#include <string>
#include <string_view>

#include "millrace/core/csv.h"

namespace millrace::csv {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void Splitter::Append(std::string_view bytes) {
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(bytes);
}

/// A quoted cell from its opening quote on; `*at` ends behind the closing one.
Splitter::Scan Splitter::ScanQuoted(std::size_t* at, Span* span) const {
  std::size_t from = *at + 1;
  *span = {from, from, true, false};
  while (true) {
    const std::size_t quote = buffer_.find('"', from);
    if (quote == std::string::npos) return closed_ ? Scan::kOpenQuote : Scan::kIncomplete;
    if (quote + 1 == buffer_.size() && !closed_) return Scan::kIncomplete;  // may be a doubled one
    if (quote + 1 < buffer_.size() && buffer_[quote + 1] == '"') {
      span->doubled = true;
      from = quote + 2;
      continue;
    }
    span->end = quote;
    *at = quote + 1;
    return Scan::kComplete;
  }
}

/// Fills spans_ with the cells of the record at `at_`; `*end` is where it and its line end are over.
Splitter::Scan Splitter::ScanRecord(std::size_t* end) {
  spans_.clear();
  const std::size_t size = buffer_.size();
  for (std::size_t at = at_;; ++at) {
    Span span{at, at, false, false};
    if (at < size && buffer_[at] == '"') {
      if (const Scan scan = ScanQuoted(&at, &span); scan != Scan::kComplete) return scan;
    } else {
      while (at < size && buffer_[at] != options_.delimiter && buffer_[at] != '\n') ++at;
      span.end = at;
    }
    const bool carriage_return =
        span.quoted ? at < size && buffer_[at] == '\r' : at > span.begin && buffer_[at - 1] == '\r';
    if (span.quoted && carriage_return) ++at;
    if (at == size && !closed_) return Scan::kIncomplete;
    const bool over = at == size || buffer_[at] == '\n';
    if (!span.quoted && carriage_return && over) --span.end;
    if (!over && (buffer_[at] != options_.delimiter || (span.quoted && carriage_return))) return Scan::kTextAfterQuote;
    spans_.push_back(span);
    if (over) {
      *end = at == size ? size : at + 1;
      return Scan::kComplete;
    }
  }
}

void Splitter::Consume(std::size_t end) {
  line_ += static_cast<std::uint64_t>(std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 buffer_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
  offset_ += end - at_;
  at_ = end;
}

/// Goes behind the next line end, or notes that it is yet to come.
void Splitter::SkipBadRecord() {
  const std::size_t line_end = buffer_.find('\n', at_);
  skipping_ = line_end == std::string::npos;
  Consume(skipping_ ? buffer_.size() : line_end + 1);
}

/// Doubled quotes become one, in place: the record is complete, so nobody scans it again.
std::string_view Splitter::Unquoted(const Span& span) {
  char* begin = buffer_.data() + span.begin;
  if (!span.doubled) return {begin, span.end - span.begin};
  char* to = begin;
  for (const char* from = begin; from != buffer_.data() + span.end; ++from) {
    *to++ = *from;
    if (*from == '"') ++from;
  }
  return {begin, static_cast<std::size_t>(to - begin)};
}

StatusOr<bool> Splitter::Next(Record* record) {
  if (skipping_) SkipBadRecord();
  if (offset_ == 0) {
    const std::size_t length = std::min(kByteOrderMark.size(), buffer_.size() - at_);
    const bool may_be_mark = std::string_view(buffer_).substr(at_, length) == kByteOrderMark.substr(0, length);
    if (may_be_mark && length < kByteOrderMark.size() && !closed_) return false;
    if (may_be_mark && length == kByteOrderMark.size()) Consume(at_ + length);
  }
  if (at_ == buffer_.size()) return false;
  std::size_t end = buffer_.size();
  const Scan scan = ScanRecord(&end);
  record->line = line_;
  record->offset = offset_;
  if ((scan == Scan::kIncomplete || scan == Scan::kComplete) && end - at_ > options_.record_bytes_max) {
    SkipBadRecord();
    return InvalidArgumentError("CSV: line " + std::to_string(record->line) + ": the record is longer than " +
                                std::to_string(options_.record_bytes_max) + " bytes; is a quote never closed?");
  }
  switch (scan) {
    case Scan::kIncomplete: return false;
    case Scan::kTextAfterQuote:
    case Scan::kOpenQuote:
      SkipBadRecord();
      return InvalidArgumentError("CSV: line " + std::to_string(record->line) +
                                  (scan == Scan::kOpenQuote ? ": a quoted cell is never closed"
                                                            : ": text follows a closing quote; double the quotes "
                                                              "within a quoted cell"));
    case Scan::kComplete: break;
  }
  record->cells.clear();
  Consume(end);  // counts the line ends, so before the quotes are taken out
  for (const Span& span : spans_) record->cells.push_back({Unquoted(span), span.quoted});
  return true;
}

}  // namespace millrace::csv
