// The texts of a bid: 10,004 channels with their urls and 1,024 extras, built once and never changed.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nexmark {

inline constexpr std::size_t kHotChannels = 4;
inline constexpr std::size_t kColdChannels = 10'000;
inline constexpr std::size_t kChannels = kHotChannels + kColdChannels;
inline constexpr std::size_t kExtras = 1'024;

/// The two texts that one channel index selects. They lie beside each other, so a bid touches one cache line for both.
struct ChannelTexts {
  std::string_view channel;
  std::string_view url;
};

/// Storage for every text that a bid can hold. The views that it hands out live as long as the process when it is the
/// instance that `Get` returns. Immutable after construction, so safe for any number of threads.
class Pools {
 public:
  /// The process's one instance. The first call builds it (a few milliseconds); later calls cost a guard check, so a
  /// loop should keep the reference.
  static const Pools& Get();

  Pools(const Pools&) = delete;
  Pools& operator=(const Pools&) = delete;

  /// `index` is below `kChannels`.
  const ChannelTexts& Channel(std::size_t index) const { return channels_[index]; }
  /// `index` is below `kExtras`.
  std::string_view Extra(std::size_t index) const { return extras_[index]; }

 private:
  Pools();

  std::string text_;  // all texts, one after the other; the views below point into it
  std::vector<ChannelTexts> channels_;
  std::array<std::string_view, kExtras> extras_;
};

}  // namespace millrace::nexmark
