#include "millrace/detail/graph.h"

#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace millrace::detail {

namespace {

std::string Demangled(const std::type_info& type) {
  int failed = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &failed);
  std::string result = failed == 0 ? text : type.name();
  std::free(text);
  return result;
}

}  // namespace

std::string ReadableTypeName(const std::type_info& type) { return Demangled(type); }

std::string ShortTypeName(const std::type_info& type) {
  std::string name = Demangled(type);
  name = name.substr(0, name.find('<'));
  const std::size_t colon = name.rfind("::");
  if (colon != std::string::npos) name = name.substr(colon + 2);
  std::string clean;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') clean.push_back(c);
  }
  return clean.empty() ? "Transform" : clean;
}

void Graph::Enter(std::string_view label, bool given) {
  OpenScope& outer = scopes_.back();
  std::string name(label);
  if (name.empty()) {
    AddMistake(outer.path.empty() ? "(no label)" : outer.path, "a label is empty; give the transform a name");
    name = "_";
  }
  int& uses = outer.uses.try_emplace(name, 0).first->second;
  if (++uses > 1) {
    if (given) {
      AddMistake((outer.path.empty() ? "" : outer.path + "/") + name,
                 "this label is used twice; state is found by its label, so give each transform one of its own");
    }
    name += "_" + std::to_string(uses);
  }
  OpenScope inner;
  inner.path = outer.path.empty() ? name : outer.path + "/" + name;
  inner.given = outer.given && given;
  scopes_.push_back(std::move(inner));
}

void Graph::Leave() { scopes_.pop_back(); }

std::string Graph::CurrentLabel() const { return scopes_.back().path; }

int Graph::Add(std::vector<int> inputs, std::vector<const TypeInfo*> outputs, Payload payload) {
  OpenScope& scope = scopes_.back();
  Transform transform;
  transform.label = scope.path;
  if (scope.added++ > 0) transform.label += "/" + std::to_string(scope.added);
  transform.label_given = scope.given;
  transform.inputs = std::move(inputs);
  transform.payload = std::move(payload);
  const int index = static_cast<int>(transforms_.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    PCollectionNode node;
    node.type = outputs[i];
    node.producer = index;
    node.output = static_cast<int>(i);
    if (!transform.inputs.empty()) {
      node.windowing = pcollection(transform.inputs[0]).windowing;
      if (std::holds_alternative<CombinePayload>(transform.payload) && node.windowing.merges()) {
        node.windowing.already_merged = true;
      }
      node.unbounded = std::any_of(transform.inputs.begin(), transform.inputs.end(),
                                   [this](int input) { return pcollection(input).unbounded; });
      node.bounded_in_batch = std::none_of(transform.inputs.begin(), transform.inputs.end(), [this](int input) {
        return pcollection(input).unbounded && !pcollection(input).bounded_in_batch;
      });
    }
    transform.outputs.push_back(static_cast<int>(pcollections_.size()));
    pcollections_.push_back(node);
  }
  transforms_.push_back(std::move(transform));
  return index;
}

int Graph::AddElementwise(int input, const TypeInfo* output, const char* verb, bool captures, OperatorFactory make) {
  ParDoPayload payload;
  payload.verb = verb;
  payload.make = std::move(make);
  payload.captures = captures;
  return Add({input}, {output}, std::move(payload));
}

bool Graph::Owns(const Graph& graph, const std::string& what) {
  if (&graph == this) return true;
  AddMistake(CurrentLabel(), what + " belongs to another pipeline; build both in one");
  return false;
}

void Graph::AddMistake(const std::string& label, std::string text) {
  mistakes_.push_back(label + ": " + std::move(text));
}

}  // namespace millrace::detail
