#include "archive/digest.h"

#include <xxhash.h>

#include <utility>

#include "base/status_macros.h"

namespace millrace::archive {

namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

std::string HexOf(XXH128_hash_t hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(32, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[15 - i] = kDigits[(hash.high64 >> (4 * i)) & 15];
    text[31 - i] = kDigits[(hash.low64 >> (4 * i)) & 15];
  }
  return text;
}

}  // namespace

struct Digest::State {
  State() : xxh(XXH3_createState()) { XXH3_128bits_reset(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { XXH3_freeState(xxh); }

  XXH3_state_t* xxh;
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::Add(std::string_view bytes) { XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size()); }

std::string Digest::Hex() const { return HexOf(XXH3_128bits_digest(state_->xxh)); }

std::string DigestOf(std::string_view bytes) { return HexOf(XXH3_128bits(bytes.data(), bytes.size())); }

StatusOr<ObjectDigest> DigestOfFile(base::FileSystem& files, const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, files.Open(path, base::OpenMode::kRead));
  ObjectDigest result;
  Digest digest;
  std::string piece(kPieceBytes, '\0');
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t count,
                              file->ReadAt(result.bytes, std::as_writable_bytes(std::span(piece))));
    digest.Add(std::string_view(piece).substr(0, count));
    result.bytes += count;
    if (count < kPieceBytes) break;
  }
  result.hex = digest.Hex();
  return result;
}

StatusOr<ObjectDigest> DigestOfObject(ArchiveStore& store, const std::string& name) {
  ObjectDigest result;
  Digest digest;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::string piece, store.Read(name, result.bytes, kPieceBytes));
    digest.Add(piece);
    result.bytes += piece.size();
    if (piece.size() < kPieceBytes) break;
  }
  result.hex = digest.Hex();
  return result;
}

}  // namespace millrace::archive
