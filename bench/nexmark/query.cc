#include "nexmark/query.h"

#include <string>

namespace millrace::nexmark {

std::string_view QueryName(Query query) {
  switch (query) {
    case Query::kQ0: return "q0";
    case Query::kQ1: return "q1";
    case Query::kQ2: return "q2";
    case Query::kQ5: return "q5";
    case Query::kQ7: return "q7";
    case Query::kQ8: return "q8";
    case Query::kQ12: return "q12";
    case Query::kQk: return "qk";
  }
  return "unknown";
}

StatusOr<Query> ParseQuery(std::string_view name) {
  std::string names;
  for (const Query query : kQueries) {
    if (QueryName(query) == name) return query;
    names += names.empty() ? "" : ", ";
    names += QueryName(query);
  }
  return InvalidArgumentError("no query is named \"" + std::string(name) + "\"; give one of " + names);
}

int SumsOfCheck(Query query) { return query == Query::kQ5 || query == Query::kQ12 ? 2 : 1; }

}  // namespace millrace::nexmark
