// GroupByKey and CoGroupByKey (https://beam.apache.org/documentation/programming-guide/#groupbykey).
#pragma once

#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/core/pcollection.h"
#include "millrace/detail/combine_kernel.h"
#include "millrace/detail/key_check.h"
#include "millrace/detail/merging_kernel.h"
#include "millrace/transforms/flatten.h"
#include "millrace/transforms/map.h"

namespace millrace {

namespace detail {

template <class V>
struct GroupFn {
  std::vector<V> CreateAccumulator() const { return {}; }
  void AddInput(std::vector<V>& group, const V& value) const { group.push_back(value); }
  void MergeAccumulators(std::vector<V>& into, const std::vector<V>& from) const {
    into.insert(into.end(), from.begin(), from.end());
  }
  std::vector<V> ExtractOutput(std::vector<V> group) const { return group; }
};

/// The groups of a CoGroupByKey: one vector per input.
template <class... V>
struct CoGroupFn {
  using Groups = std::tuple<std::vector<V>...>;
  using Tagged = std::variant<V...>;
  Groups CreateAccumulator() const { return {}; }
  void AddInput(Groups& groups, const Tagged& value) const { AddAt(groups, value, std::index_sequence_for<V...>{}); }
  void MergeAccumulators(Groups& into, const Groups& from) const {
    MergeAt(into, from, std::index_sequence_for<V...>{});
  }
  Groups ExtractOutput(Groups groups) const { return groups; }

 private:
  template <std::size_t... kAt>
  static void AddAt(Groups& groups, const Tagged& value, std::index_sequence<kAt...>) {
    ((value.index() == kAt ? std::get<kAt>(groups).push_back(*std::get_if<kAt>(&value)) : void()), ...);
  }
  template <std::size_t... kAt>
  static void MergeAt(Groups& into, const Groups& from, std::index_sequence<kAt...>) {
    (std::get<kAt>(into).insert(std::get<kAt>(into).end(), std::get<kAt>(from).begin(), std::get<kAt>(from).end()),
     ...);
  }
};

/// A grouping that ships elements, not accumulators.
template <class K, class V, class Fn>
auto AddGrouping(const PCollection<KV<K, V>>& in, std::string name, Fn fn) {
  using Kernel = CombineKernel<K, V, Fn, false>;
  CombinePayload payload;
  payload.combine_name = std::move(name);
  payload.group_by_key = true;
  payload.make = [fn] { return std::make_unique<Kernel>(fn); };
  payload.make_merging = MakeMerging<K, V>(fn);
  return AddUnary<typename Kernel::OutputRow>(in, std::move(payload));
}

}  // namespace detail

/// Gathers the values of each key and window: PCollection<KV<K, V>> to PCollection<KV<K, std::vector<V>>>. The values
/// come in no particular order.
struct GroupByKey : detail::TransformBase {
  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!detail::kIsKv<T>) {
      static_assert(detail::kIsKv<T>,
                    "Millrace: GroupByKey needs a keyed input, PCollection<KV<K, V>>. Apply WithKeys "
                    "before it.");
      return detail::Poison{};
    } else if constexpr (!detail::CheckKey<typename T::Key>()) {
      return detail::Poison{};
    } else {
      return detail::AddGrouping(in, "GroupByKey", detail::GroupFn<typename T::Value>{});
    }
  }
};

namespace detail {
template <class K, class... V>
struct CoGroupByKeyTransform {
  std::tuple<PCollection<KV<K, V>>...> inputs;

  /// Applies it under a label: PCollection<KV<K, std::tuple<std::vector<V>...>>>.
  auto As(const std::string& label) const {
    Graph& graph = GraphAccess::GraphOf(std::get<0>(inputs));
    const Graph::Scope scope(graph, label, true);
    return Tag(std::index_sequence_for<V...>{});
  }

 private:
  using Tagged = typename CoGroupFn<V...>::Tagged;

  template <std::size_t... kAt>
  auto Tag(std::index_sequence<kAt...>) const {
    auto all =
        Flatten(std::get<kAt>(inputs).Apply("Tag" + std::to_string(kAt), Map([](const KV<K, V>& kv) {
                                              return KV<K, Tagged>{kv.key, Tagged(std::in_place_index<kAt>, kv.value)};
                                            }))...)
            .As("Flatten");
    return all.Apply("Group", Group{});
  }
  struct Group {
    auto Expand(const PCollection<KV<K, Tagged>>& in) const {
      return AddGrouping(in, "CoGroupByKey", CoGroupFn<V...>{});
    }
  };
};
}  // namespace detail

/// Joins PCollections with the same key type: `CoGroupByKey(people, orders).As("Join")`.
template <class K, class... V>
auto CoGroupByKey(const PCollection<KV<K, V>>&... inputs) {
  if constexpr (detail::CheckKey<K>()) {
    return detail::CoGroupByKeyTransform<K, V...>{{inputs...}};
  } else {
    return detail::Poison{};
  }
}
/// What the other cannot take: one error, or none where an input has been reported already.
template <class... Inputs>
detail::Poison CoGroupByKey(const Inputs&...) {
  static_assert(
      (detail::kIsPoison<Inputs> || ...),
      "Millrace: CoGroupByKey needs PCollections of KV<K, V> with one key type K. Apply WithKeys to each, and "
      "give all of them the same key type.");
  return {};
}

}  // namespace millrace
