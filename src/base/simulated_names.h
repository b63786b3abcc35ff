// The names in a simulated file system, seen twice: as programs see them, and as the device has them, with the changes
// in between that a power cut may keep or lose.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/simulated_content.h"
#include "millrace/core/status.h"

namespace millrace::base {

struct SimulatedNode;
using SimulatedNodePointer = std::shared_ptr<SimulatedNode>;

/// A file or a folder.
struct SimulatedNode {
  using Names = std::map<std::string, SimulatedNodePointer, std::less<>>;

  explicit SimulatedNode(bool is_a_folder) : is_folder(is_a_folder) {}

  const bool is_folder;
  bool is_named = true;  // reachable for programs; a removed file lives on while it is open
  SimulatedContent content;
  Names names;          // of a folder, as programs see it
  Names durable_names;  // and as the device has it
};

/// Where a path leads: `node` is null when the last name does not exist, `folder` is null for the root.
struct SimulatedPlace {
  SimulatedNodePointer folder;
  std::string name;
  SimulatedNodePointer node;
};

/// "cannot open a/b: No such file or directory", with the code that a file system gives.
Status SimulatedError(StatusCode code, std::string_view action, const std::string& path, std::string_view reason);
Status NoSuchFile(std::string_view action, const std::string& path);
Status NotAFolder(std::string_view action, const std::string& path);

/// The tree of names. Not thread safe.
class SimulatedNames {
 public:
  /// `in_order`: see SimulatedFileSystemOptions::names_in_order.
  explicit SimulatedNames(bool in_order) : in_order_(in_order) {}

  const SimulatedNodePointer& root() const { return root_; }
  /// NOT_FOUND when a folder on the way is missing.
  StatusOr<SimulatedPlace> Find(std::string_view action, const std::string& path) const;

  /// Gives a place a new node.
  void Create(const SimulatedPlace& place, const SimulatedNodePointer& node);
  void Remove(const SimulatedPlace& place);
  /// In one step, also at a power cut.
  void Rename(const SimulatedPlace& from, const SimulatedPlace& to);

  /// What was changed in the folder is durable (a rename between folders once both are synced), and what was changed
  /// before that under the same names (with `in_order`: everything before that).
  void Sync(const SimulatedNode& folder);

  /// A power cut, for the contents too. Gives the bytes of all files.
  std::uint64_t Crash(Random& random);

 private:
  /// A change that the device may or may not have: a rename has two entries, which come together.
  struct Change {
    struct Entry {
      SimulatedNodePointer folder;
      std::string name;
      SimulatedNodePointer node;  // null: the name is gone
    };
    std::vector<Entry> entries;
    std::set<const SimulatedNode*> unsynced_folders;

    bool SharesANameWith(const Change& other) const;
  };

  void Apply(std::vector<Change::Entry> entries);
  std::vector<bool> ChooseKept(Random& random) const;
  void Settle(const std::vector<bool>& kept);

  const bool in_order_;
  const SimulatedNodePointer root_ = std::make_shared<SimulatedNode>(true);
  std::vector<Change> journal_;  // changes that are not durable, in order
};

/// The names on a path, without empty ones and ".".
std::vector<std::string> SplitSimulatedPath(std::string_view path);

}  // namespace millrace::base
