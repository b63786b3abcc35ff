// Drops superseded versions of cells while RocksDB compacts. Internal to this room.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <memory>
#include <string>

#include "io/rocksdb/cell_format.h"

namespace millrace::io_rocksdb {

/// Sees the entries of one compaction in the order of their keys, where the newest version of a cell comes first: any
/// other version in the same compaction is superseded. Versions in other files wait for a later compaction.
class SupersededFilter : public rocksdb::CompactionFilter {
 public:
  Decision FilterV2(int /*level*/, const rocksdb::Slice& key, ValueType type, const rocksdb::Slice& /*existing_value*/,
                    std::string* /*new_value*/, std::string* /*skip_until*/) const override {
    const std::string_view bytes(key.data(), key.size());
    if (type != ValueType::kValue || !IsCellKey(bytes)) return Decision::kKeep;
    if (IdentityOf(bytes) == newest_) return Decision::kRemove;
    newest_ = IdentityOf(bytes);
    return Decision::kKeep;
  }
  const char* Name() const override { return "millrace.SupersededFilter"; }

 private:
  mutable std::string newest_;  // a filter serves one compaction on one thread
};

/// Makes a filter for each compaction.
class SupersededFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& /*context*/) override {
    return std::make_unique<SupersededFilter>();
  }
  const char* Name() const override { return "millrace.SupersededFilterFactory"; }
};

}  // namespace millrace::io_rocksdb
