// Shards of text: lines, JSON lines and CSV.
#include <span>
#include <utility>

#include "base/file_system.h"
#include "millrace/core/csv.h"
#include "millrace/core/json.h"
#include "millrace/detail/shard_writer.h"

namespace millrace::detail {

namespace {

class LineShard final : public ShardWriter {
 public:
  LineShard(LineSyntax syntax, const Type& type, char delimiter, std::unique_ptr<base::File> file)
      : syntax_(syntax), type_(type), options_{.delimiter = delimiter}, file_(std::move(file)) {
    if (syntax_ == LineSyntax::kCsv) csv::AppendHeader(*type_.schema, &buffer_, options_);
  }

  Status Append(const void* rows, std::size_t stride, std::size_t count) override {
    for (std::size_t i = 0; i < count; ++i) AppendOne(static_cast<const char*>(rows) + i * stride);
    return buffer_.size() < kBufferBytes ? OkStatus() : Flush();
  }

  Status Close() override {
    if (Status flushed = Flush(); !flushed.ok()) return flushed;
    return file_->Sync();
  }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

  void AppendOne(const void* object) {
    switch (syntax_) {
      case LineSyntax::kCsv: return csv::AppendRow(*type_.schema, object, &buffer_, options_);
      case LineSyntax::kJsonLine: json::Append(type_, object, &buffer_); break;
      case LineSyntax::kLine: buffer_ += *static_cast<const std::string*>(object); break;
    }
    buffer_ += '\n';
  }

  Status Flush() {
    Status written = file_->Append(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
    return written;
  }

  LineSyntax syntax_;
  const Type& type_;
  csv::Options options_;
  std::unique_ptr<base::File> file_;
  std::string buffer_;
};

}  // namespace

ShardOpener OpenLineShards(LineSyntax syntax, const Type& type, char delimiter) {
  return [syntax, &type, delimiter](const std::string& path) -> StatusOr<std::unique_ptr<ShardWriter>> {
    auto file = base::PosixFileSystem().Open(path, base::OpenMode::kReadWrite);
    if (!file.ok()) return file.status();
    if (Status emptied = (*file)->Truncate(0); !emptied.ok()) return emptied;
    return std::unique_ptr<ShardWriter>(std::make_unique<LineShard>(syntax, type, delimiter, *std::move(file)));
  };
}

}  // namespace millrace::detail
