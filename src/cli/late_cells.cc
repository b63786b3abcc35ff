#include "cli/late_cells.h"

#include <utility>
#include <variant>

#include "columnar/column.h"
#include "millrace/detail/graph.h"
#include "millrace/io/view_sink.h"

namespace millrace::cli {

namespace {

using columnar::QuoteIdentifier;
using columnar::QuoteLiteral;

std::string InList(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + QuoteLiteral(text);
  return list.empty() ? "''" : list;
}

}  // namespace

LateSource LateSourceOf(const Pipeline& pipeline, const std::string& view_name) {
  const detail::Graph& graph = pipeline.graph();
  LateSource source;
  const Type* view_key = nullptr;
  std::vector<int> open;
  for (const detail::Transform& transform : graph.transforms()) {
    const auto* view = std::get_if<detail::ViewPayload>(&transform.payload);
    if (view == nullptr || view->name != view_name) continue;
    view_key = view->key_type;
    open = transform.inputs;
    source.allowed_lateness = graph.pcollection(open.at(0)).windowing.allowed_lateness;
  }
  source.has_key = view_key != nullptr;
  while (!open.empty()) {
    const int producer = graph.pcollection(open.back()).producer;
    open.pop_back();
    if (producer < 0) continue;
    const detail::Transform& transform = graph.transform(producer);
    open.insert(open.end(), transform.inputs.begin(), transform.inputs.end());
    if (!std::holds_alternative<detail::CombinePayload>(transform.payload)) continue;
    source.steps.push_back(transform.label);
    const Type* element = graph.pcollection(transform.inputs.at(0)).type->type;
    const bool is_kv = element != nullptr && element->is_kv;
    source.has_key = source.has_key && is_kv && element->schema->fields().at(0).type == view_key;
  }
  return source;
}

std::vector<LateKey> LateKeysOf(const columnar::ViewColumns& columns, const ViewDescriptor& view,
                                const LateSource& source) {
  std::vector<LateKey> keys;
  for (const columnar::ViewColumn& column : columns.key) {
    const bool is_struct = view.key->kind == FieldKind::kStruct;
    const std::string path = is_struct ? "$.key.\"" + column.name + "\"" : "$.key";
    keys.push_back({.name = QuoteIdentifier(column.name),
                    .from_late = source.has_key ? "json_extract_string(element, " + QuoteLiteral(path) + ")" : "NULL"});
  }
  return keys;
}

std::string LateCellsSql(const LateSource& source, const std::vector<LateKey>& keys, const std::string& letters) {
  std::string columns;
  for (const LateKey& key : keys) columns += key.from_late + " AS " + key.name + ", ";
  return "SELECT DISTINCT " + columns + "window_start, window_end FROM " + letters +
         " WHERE name = " + QuoteLiteral(kLateName) + " AND step IN (" + InList(source.steps) + ")";
}

std::string SameLateSql(const LateSource& source, const std::vector<LateKey>& keys, const std::string& late_cell,
                        const std::string& cell) {
  std::string same = SameWindowSql(late_cell, cell);
  for (const LateKey& key : keys) {
    if (!source.has_key) break;
    same += " AND CAST(" + cell + "." + key.name + " AS VARCHAR) IS NOT DISTINCT FROM " + late_cell + "." + key.name;
  }
  return same;
}

std::string SameKeySql(const std::vector<LateKey>& keys, const std::string& a, const std::string& b) {
  std::string text;
  for (const LateKey& key : keys) {
    text += (text.empty() ? "" : " AND ") + a + "." + key.name + " IS NOT DISTINCT FROM " + b + "." + key.name;
  }
  return text;
}

std::string SameWindowSql(const std::string& a, const std::string& b) {
  return a + ".window_start IS NOT DISTINCT FROM " + b + ".window_start AND " + a +
         ".window_end IS NOT DISTINCT FROM " + b + ".window_end";
}

}  // namespace millrace::cli
