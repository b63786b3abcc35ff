// The shards of parquet::Write.
#include <utility>

#include "columnar/parquet_writer.h"
#include "millrace/detail/shard_writer.h"

namespace millrace::detail {

namespace {

class ParquetShard final : public ShardWriter {
 public:
  explicit ParquetShard(columnar::ParquetWriter writer) : writer_(std::move(writer)) {}

  Status Append(const void* rows, std::size_t stride, std::size_t count) override {
    return writer_.Append(rows, stride, count);
  }
  Status Close() override { return writer_.Close(); }

 private:
  columnar::ParquetWriter writer_;
};

}  // namespace

ShardOpener OpenParquetShards(const Schema& schema, std::size_t row_group_rows) {
  return [&schema, row_group_rows](const std::string& path) -> StatusOr<std::unique_ptr<ShardWriter>> {
    StatusOr<columnar::ParquetWriter> writer =
        columnar::ParquetWriter::Open(path, schema, {.row_group_rows = row_group_rows, .overwrite = true});
    if (!writer.ok()) return writer.status();
    return std::unique_ptr<ShardWriter>(std::make_unique<ParquetShard>(*std::move(writer)));
  };
}

}  // namespace millrace::detail
