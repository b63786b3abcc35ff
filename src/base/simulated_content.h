// What a simulated file holds, seen twice: as programs see it, and as the device has it, with everything in between
// that a power cut may leave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace millrace::base {

/// The content of one simulated file. A device writes sectors of 512 bytes whole and in any order, so after a power cut
/// each sector is as it was after any one of the changes since the last sync, and so is the size; bytes below the size
/// that never came to the device are zeros. A cut that was not synced may therefore be undone in parts. Not thread
/// safe.
class SimulatedContent {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;

  /// As programs see it.
  std::string_view bytes() const { return live_; }
  std::uint64_t size() const { return live_.size(); }

  void Write(std::uint64_t offset, std::string_view bytes);
  void Truncate(std::uint64_t size);

  /// The device has all of it.
  void Sync();

  /// A sync that failed, as Linux does it: programs go on seeing their bytes, some of which the device has, and a later
  /// sync succeeds without writing the others.
  void FailSync(Random& random);

  /// A power cut: programs see from now on what the device has.
  void Crash(Random& random);

  /// Flips the bits of `mask` in the byte at `offset`, here and on the device. `offset` is below the size.
  void Flip(std::uint64_t offset, std::uint8_t mask);

 private:
  void Remember(std::uint64_t first_byte, std::uint64_t end_byte);
  std::string Survivors(Random& random) const;

  std::string live_;
  std::string durable_;
  std::map<std::uint64_t, std::vector<std::string>> sectors_;  // by number: its versions since the last sync
  std::vector<std::uint64_t> sizes_;                           // since the last sync
};

}  // namespace millrace::base
