#include "nexmark/pools.h"

#include <cstdint>
#include <string>

#include "nexmark/generator.h"

namespace millrace::nexmark {
namespace {

constexpr std::array<std::string_view, kHotChannels> kHotChannelNames = {"Google", "Facebook", "Baidu", "Apple"};

// A bound on the length of all texts together: the views point into one string that must not move while it grows.
constexpr std::size_t kTextBytesMax = kChannels * 100 + kExtras * 40;

char Letter(std::uint64_t hash) { return static_cast<char>('a' + (hash & 15)); }

void AppendUrl(std::size_t index, std::string& text) {
  text += "https://www.nexmark.com/";
  for (std::uint64_t segment = 0; segment < 3; ++segment) {
    const std::uint64_t hash = Mix(index * 3 + segment + 7);
    for (int k = 0; k < 5; ++k) text += Letter(hash >> (5 * k));
    text += '/';
  }
  text += "item.htm?query=1";
  if (index >= kHotChannels) {
    text += "&channel_id=";
    text += std::to_string(index);
  }
}

void AppendChannel(std::size_t index, std::string& text) {
  if (index < kHotChannels) {
    text += kHotChannelNames[index];
    return;
  }
  text += "channel-";
  text += std::to_string(index - kHotChannels);
}

void AppendExtra(std::size_t index, std::string& text) {
  const std::uint64_t letters = 24 + (Mix(index + 99) & 15);
  for (std::uint64_t k = 0; k < letters; ++k) text += Letter(Mix(index * 64 + k));
}

}  // namespace

const Pools& Pools::Get() {
  static const Pools pools;
  return pools;
}

Pools::Pools() : channels_(kChannels), extras_{} {
  text_.reserve(kTextBytesMax);
  const auto since = [this](std::size_t begin) { return std::string_view(text_).substr(begin); };
  for (std::size_t index = 0; index < kChannels; ++index) {
    const std::size_t channel_begin = text_.size();
    AppendChannel(index, text_);
    channels_[index].channel = since(channel_begin);
    const std::size_t url_begin = text_.size();
    AppendUrl(index, text_);
    channels_[index].url = since(url_begin);
  }
  for (std::size_t index = 0; index < kExtras; ++index) {
    const std::size_t begin = text_.size();
    AppendExtra(index, text_);
    extras_[index] = since(begin);
  }
}

}  // namespace millrace::nexmark
