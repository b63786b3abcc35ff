// What the sources of text files share: text.h, json_lines.h, csv.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/detail/record_reader.h"
#include "millrace/transforms/read.h"

namespace millrace::detail {

/// A partition is a file, a position is the byte that a record begins at, a restriction is a range of bytes.
template <class T>
struct RecordSource {
  using Element = T;

  std::string pattern;
  RecordFormat format;
  Timestamp T::* event_time = nullptr;
  std::shared_ptr<LineNumbers> line_numbers = MakeLineNumbers();
  std::shared_ptr<RecordReader> reader;  // made by the copy that reads
  T record{};                            // the record found last
  RecordReader::Found found = RecordReader::Found::kEnd;
  bool held = false;  // it was not claimed yet

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions& options) const {
    return SplitRecords(format, pattern, options, *line_numbers);
  }

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<T>& out) {
    if (reader == nullptr) {
      auto opened = OpenRecords(format, tracker.partition(), tracker.from(), line_numbers);
      if (!opened.ok()) return opened.status();
      reader = *std::move(opened);
    }
    while (true) {
      if (!held) {
        StatusOr<RecordReader::Found> next = reader->Next(&record);
        if (!next.ok()) return next.status();
        found = *next;
        if (found == RecordReader::Found::kEnd) return ProcessContinuation::Stop();
      }
      held = !tracker.TryClaim(reader->offset());
      if (held) return ProcessContinuation::Stop();
      if (found == RecordReader::Found::kBadRecord) {
        StatusOr<BadRecord> bad = reader->TakeBadRecord();
        if (!bad.ok()) return bad.status();
        out.EmitBadRecord(*std::move(bad));
        continue;
      }
      const Timestamp time = TimeOf();
      out.Emit(std::move(record), time);
    }
  }

 private:
  Timestamp TimeOf() const {
    if constexpr (std::is_class_v<T>) {
      if (event_time != nullptr) return record.*event_time;
    }
    return Timestamp::Min();
  }
};

/// The transform of a source of text files. `Self` is the concrete one, so that options can be given in any order.
template <class Self, class T>
struct RecordRead : TransformBase {
  RecordRead(std::string files, RecordFormat records) : pattern(std::move(files)), format(records) {}

  /// A longer record is a bad one. 16 MiB unless it is given.
  Self MaxRecordBytes(std::int64_t bytes) const {
    return With([&](Self& self) { self.format.record_bytes_max = bytes; });
  }
  /// The size of the ranges that files are cut into, each read by one worker at a time. Unless it is given, 16 to 64
  /// MiB by the size of the input.
  Self SplitBytes(std::int64_t bytes) const {
    return With([&](Self& self) { self.format.split_bytes = bytes; });
  }
  /// In streaming mode: see `ReadTransform::MaxDisorder`. A range is a partition.
  Self MaxDisorder(Duration disorder) const {
    return With([&](Self& self) { self.max_disorder = disorder; });
  }

  /// What reads the files, for `ForEach`.
  RecordSource<T> Source() const {
    RecordSource<T> source;
    source.pattern = pattern;
    source.format = format;
    source.event_time = event_time;
    return source;
  }
  auto Expand(Pipeline& pipeline) const {
    ReadTransform<RecordSource<T>> read(Source());
    read.max_disorder = max_disorder;
    return read.Expand(pipeline);
  }

  std::string pattern;
  RecordFormat format;
  Timestamp T::* event_time = nullptr;
  std::optional<Duration> max_disorder;

 protected:
  template <class Change>
  Self With(const Change& change) const {
    Self self = static_cast<const Self&>(*this);
    change(self);
    return self;
  }
};

/// The same for records that are structs.
template <class Self, class T>
struct StructRecordRead : RecordRead<Self, T> {
  using RecordRead<Self, T>::RecordRead;

  /// Each element's event time is that field.
  template <class M>
  Self WithEventTime(M T::* member) const {
    static_assert(std::is_same_v<M, Timestamp>,
                  "Millrace: WithEventTime needs a field of type millrace::Timestamp. For "
                  "any other, apply WithTimestamps behind the read.");
    return this->With([&]([[maybe_unused]] Self& self) {
      if constexpr (std::is_same_v<M, Timestamp>) self.event_time = member;
    });
  }
};

}  // namespace millrace::detail
