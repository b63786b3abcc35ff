#include "base/simulated_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace millrace::base {
namespace {

/// Makes the device's state of a folder and all below it the one that programs see. Gives the bytes of the files.
std::uint64_t CrashBelow(SimulatedNode& folder, Random& random) {
  std::uint64_t bytes = 0;
  folder.names = folder.durable_names;
  for (const auto& [name, node] : folder.names) {
    node->is_named = true;
    if (node->is_folder) {
      bytes += CrashBelow(*node, random);
    } else {
      node->content.Crash(random);
      bytes += node->content.size();
    }
  }
  return bytes;
}

}  // namespace

Status SimulatedError(StatusCode code, std::string_view action, const std::string& path, std::string_view reason) {
  return Status(code, "cannot " + std::string(action) + " " + path + ": " + std::string(reason));
}

Status NoSuchFile(std::string_view action, const std::string& path) {
  return SimulatedError(StatusCode::kNotFound, action, path, "No such file or directory");
}

Status NotAFolder(std::string_view action, const std::string& path) {
  return SimulatedError(StatusCode::kFailedPrecondition, action, path, "Not a directory");
}

std::vector<std::string> SplitSimulatedPath(std::string_view path) {
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (!name.empty() && name != ".") names.emplace_back(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

bool SimulatedNames::Change::SharesANameWith(const Change& other) const {
  return std::any_of(entries.begin(), entries.end(), [&](const Entry& mine) {
    return std::any_of(other.entries.begin(), other.entries.end(),
                       [&](const Entry& theirs) { return mine.folder == theirs.folder && mine.name == theirs.name; });
  });
}

StatusOr<SimulatedPlace> SimulatedNames::Find(std::string_view action, const std::string& path) const {
  if (path.empty()) return NoSuchFile(action, path);
  SimulatedPlace place{nullptr, "", root_};
  for (const std::string& name : SplitSimulatedPath(path)) {
    if (place.node == nullptr) return NoSuchFile(action, path);
    if (!place.node->is_folder) return NotAFolder(action, path);
    const auto found = place.node->names.find(name);
    SimulatedNodePointer node = found == place.node->names.end() ? nullptr : found->second;
    place = {place.node, name, std::move(node)};
  }
  return place;
}

void SimulatedNames::Apply(std::vector<Change::Entry> entries) {
  Change change{std::move(entries), {}};
  for (const Change::Entry& entry : change.entries) {
    if (entry.node == nullptr) {
      entry.folder->names.erase(entry.name);
    } else {
      entry.folder->names[entry.name] = entry.node;
    }
    change.unsynced_folders.insert(entry.folder.get());
  }
  journal_.push_back(std::move(change));
}

void SimulatedNames::Create(const SimulatedPlace& place, const SimulatedNodePointer& node) {
  Apply({{place.folder, place.name, node}});
}

void SimulatedNames::Remove(const SimulatedPlace& place) {
  place.node->is_named = false;
  Apply({{place.folder, place.name, nullptr}});
}

void SimulatedNames::Rename(const SimulatedPlace& from, const SimulatedPlace& to) {
  if (to.node != nullptr) to.node->is_named = false;
  Apply({{from.folder, from.name, nullptr}, {to.folder, to.name, from.node}});
}

/// Makes the changes that `kept` marks durable, in their order.
void SimulatedNames::Settle(const std::vector<bool>& kept) {
  std::vector<Change> rest;
  for (std::size_t i = 0; i < journal_.size(); ++i) {
    if (!kept[i]) {
      rest.push_back(std::move(journal_[i]));
      continue;
    }
    for (const Change::Entry& entry : journal_[i].entries) {
      if (entry.node == nullptr) {
        entry.folder->durable_names.erase(entry.name);
      } else {
        entry.folder->durable_names[entry.name] = entry.node;
      }
    }
  }
  journal_ = std::move(rest);
}

void SimulatedNames::Sync(const SimulatedNode& folder) {
  std::vector<bool> kept(journal_.size(), false);
  for (std::size_t i = journal_.size(); i-- > 0;) {
    if (journal_[i].unsynced_folders.erase(&folder) > 0 && journal_[i].unsynced_folders.empty()) kept[i] = true;
    if (!kept[i]) continue;
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      if (in_order_ || journal_[earlier].SharesANameWith(journal_[i])) kept[earlier] = true;
    }
  }
  Settle(kept);
}

std::vector<bool> SimulatedNames::ChooseKept(Random& random) const {
  std::vector<bool> kept(journal_.size(), false);
  if (in_order_) {
    std::fill_n(kept.begin(), random.Below(journal_.size() + 1), true);
    return kept;
  }
  const double share = std::array{0.0, 0.5, 0.9, 1.0}[random.Below(4)];
  for (std::size_t i = 0; i < journal_.size(); ++i) {
    kept[i] = random.Chance(share);
    for (std::size_t earlier = 0; earlier < i && kept[i]; ++earlier) {
      if (!kept[earlier] && journal_[earlier].SharesANameWith(journal_[i])) kept[i] = false;
    }
  }
  return kept;
}

std::uint64_t SimulatedNames::Crash(Random& random) {
  Settle(ChooseKept(random));
  journal_.clear();
  return CrashBelow(*root_, random);
}

}  // namespace millrace::base
