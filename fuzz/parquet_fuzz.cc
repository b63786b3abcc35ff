// Damages a small sound Parquet file and reads it: whatever happens must be a Status that names the file, or rows.
// The input is a list of edits, five bytes each: where (4 bytes, modulo the size) and what to flip there (0: cut here).
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "columnar/parquet_reader.h"
#include "columnar/parquet_writer.h"

namespace {

struct Event {
  millrace::Timestamp at;
  std::int64_t number = 0;
  std::string text;
  std::vector<std::int32_t> list;
  double real = 0;
};

const std::string& FilePath() {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("parquet_fuzz_" + std::to_string(getpid()) + ".parquet")).string();
  return path;
}

std::string MakeSoundFile() {
  std::vector<Event> events;
  for (int i = 0; i < 5000; ++i) {
    events.push_back(
        {millrace::Timestamp::FromSeconds(i), i * i, "text " + std::to_string(i % 100), {i, i + 1}, i / 3.0});
  }
  auto writer = millrace::columnar::ParquetWriter::Open(FilePath(), millrace::SchemaOf<Event>(),
                                                        {.row_group_rows = 2048, .overwrite = true});
  if (!writer.ok() || !writer->Append(events.data(), sizeof(Event), events.size()).ok() || !writer->Close().ok()) {
    std::fprintf(stderr, "the sound file could not be written\n");
    std::abort();
  }
  std::ifstream stream(FilePath(), std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

void CheckNamed(const millrace::Status& status) {
  if (status.ok() || status.message().find(FilePath()) != std::string::npos) return;
  std::fprintf(stderr, "a status without the file's name: %s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string sound = MakeSoundFile();
  std::string damaged = sound;
  for (; size >= 5 && !damaged.empty(); data += 5, size -= 5) {
    std::uint32_t where = 0;
    std::memcpy(&where, data, sizeof(where));
    where %= damaged.size();
    // Half of the edits go to the footer, which is small and holds all that is complicated.
    if (where % 2 == 0 && damaged.size() > 2000) where = static_cast<std::uint32_t>(damaged.size() - 1 - where % 2000);
    if (data[4] == 0) {
      damaged.resize(where);
    } else {
      damaged[where] = static_cast<char>(damaged[where] ^ data[4]);
    }
  }
  std::ofstream(FilePath(), std::ios::binary | std::ios::trunc) << damaged;

  CheckNamed(millrace::columnar::ReadParquetInfo(FilePath()).status());
  auto reader = millrace::columnar::ParquetReader::Open(FilePath(), millrace::SchemaOf<Event>());
  CheckNamed(reader.status());
  std::vector<Event> events(777);
  // A damaged footer may claim any number of rows: the fuzzer reads some.
  for (int reads = 0; reader.ok() && reads < 100; ++reads) {
    auto batch = reader->Read(events.data(), sizeof(Event), events.size());
    CheckNamed(batch.status());
    if (!batch.ok() || batch->count == 0) break;
  }
  return 0;
}
