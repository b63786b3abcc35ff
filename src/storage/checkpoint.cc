#include "storage/checkpoint.h"

#include <algorithm>
#include <utility>

namespace millrace::storage {

StateDescription DescribeState(std::string step, std::string kind, std::string state, std::string layout) {
  std::uint64_t fingerprint = 14'695'981'039'346'656'037U;  // FNV-1a
  for (char c : layout) fingerprint = (fingerprint ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return {.step = std::move(step),
          .kind = std::move(kind),
          .state = std::move(state),
          .layout = std::move(layout),
          .fingerprint = fingerprint};
}

std::uint64_t StateChain::bytes() const {
  std::uint64_t sum = 0;
  for (const SectionRef& section : chain) sum += section.bytes;
  return sum;
}

const StateChain* CheckpointManifest::FindState(std::string_view step, std::string_view state) const {
  const auto found = std::find_if(states.begin(), states.end(), [&](const StateChain& chain) {
    return chain.description.step == step && chain.description.state == state;
  });
  return found == states.end() ? nullptr : &*found;
}

const SourcePosition* CheckpointManifest::FindSource(std::string_view step) const {
  const auto found =
      std::find_if(sources.begin(), sources.end(), [&](const auto& source) { return source.step == step; });
  return found == sources.end() ? nullptr : &*found;
}

const SinkPosition* CheckpointManifest::FindSink(std::string_view sink) const {
  const auto found =
      std::find_if(sinks.begin(), sinks.end(), [&](const auto& position) { return position.sink == sink; });
  return found == sinks.end() ? nullptr : &*found;
}

std::uint64_t CheckpointManifest::bytes() const {
  std::uint64_t sum = 0;
  for (const StateChain& state : states) sum += state.bytes();
  for (const SinkPosition& sink : sinks) sum += sink.batch.bytes;
  return sum;
}

}  // namespace millrace::storage
