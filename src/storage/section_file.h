// A data file of checkpoints: sections of chunks, each with its checksum (docs/formats/checkpoints.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "storage/checkpoint.h"

namespace millrace::storage {

/// Writes a data file from its beginning; what stood there is overwritten. After an error, give it up.
class SectionFileWriter {
 public:
  static StatusOr<SectionFileWriter> Create(base::FileSystem& files, const std::string& folder, std::uint64_t epoch,
                                            std::uint64_t attempt);

  /// A section is begun, gets its chunks and is ended.
  void BeginSection(bool full);
  Status AppendChunk(std::string_view chunk);
  StatusOr<SectionRef> EndSection();

  /// Completes the header and returns when all is on the device. The file's name is not synced.
  Status Finish();

 private:
  SectionFileWriter(std::unique_ptr<base::File> file, std::string name, std::uint64_t epoch, std::uint64_t attempt);
  Status Append(std::string_view bytes);
  Status Flush();

  std::unique_ptr<base::File> file_;
  SectionRef next_;                  // the section that is being written, or the next one
  std::uint64_t chunks_ = 0;         // in it
  std::string chunk_checksums_;      // of it
  std::string buffer_;               // bytes that come next in the file
  std::uint64_t buffer_offset_ = 0;  // where they begin
};

/// Gives the chunks of a section to `visit`, each verified. DATA_LOSS says file, section, offset and what is wrong.
Status ReadSectionChunks(base::FileSystem& files, const std::string& folder, const SectionRef& section,
                         const std::function<Status(std::string chunk)>& visit);

}  // namespace millrace::storage
