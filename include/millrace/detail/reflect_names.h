// Names of members and types out of the compiler's own pretty function names: no macro in the user's code.
#pragma once

#include <string_view>
#include <type_traits>

namespace millrace::detail {

/// The identifier that the text of a pretty function name ends in: "user" of "... [with auto M = &Click::user]".
constexpr std::string_view LastIdentifier(std::string_view pretty) {
  auto in_identifier = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  std::size_t end = pretty.size();
  while (end > 0 && !in_identifier(pretty[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && in_identifier(pretty[begin - 1])) --begin;
  return pretty.substr(begin, end - begin);
}

template <auto kMember>
constexpr const char* PrettyMember() {
  return __PRETTY_FUNCTION__;
}

/// "user" of `MemberName<&Click::user>()`, at compile time.
template <auto kMember>
  requires std::is_member_object_pointer_v<decltype(kMember)>
constexpr std::string_view MemberName() {
  return LastIdentifier(PrettyMember<kMember>());
}

template <class T>
constexpr const char* PrettyType() {
  return __PRETTY_FUNCTION__;
}

/// Storage in which no `T` is ever made: the addresses of its members are constants that name the members. It is
/// defined, not just declared, since clang's debug information refers to it.
template <class T>
union NameHolder {
  constexpr NameHolder() : nothing() {}
  constexpr ~NameHolder() {}

  char nothing;
  T value;
};
template <class T>
inline constinit NameHolder<T> kNameHolder;

template <class T>
constexpr const T& NamedObject() {
  return kNameHolder<T>.value;
}

}  // namespace millrace::detail
