// The parts of JSON that need no type: strings, numbers, and values that are checked and skipped.
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "model/json_reader.h"
#include "model/schema_text.h"

namespace millrace::json {
namespace {

constexpr int kMaxSkippedDepth = 256;

bool IsDecimalDigit(char c) { return c >= '0' && c <= '9'; }

bool IsOrdinary(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

/// The first byte from `at` that is a quote, a backslash, a control character or no ASCII; `end` when none is.
const char* FindSpecial(const char* at, const char* end) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    constexpr std::uint64_t kHighs = 0x8080808080808080;
    for (; end - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      const std::uint64_t quote = word ^ kOnes * '"';
      const std::uint64_t backslash = word ^ kOnes * '\\';
      // The lowest bit set is exact: a borrow only runs upwards from a byte that is itself a hit.
      const std::uint64_t hits =
          (word | ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash)) &
          kHighs;
      if (hits != 0) return at + std::countr_zero(hits) / 8;
    }
  }
  while (at != end && IsOrdinary(*at)) ++at;
  return at;
}

void AppendUtf8(unsigned code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | code >> 18));
    out->push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

}  // namespace

bool Reader::ReadString(std::string_view* text) {
  const char* from = at_ + 1;  // the caller has seen the quote
  const char* special = FindSpecial(from, end_);
  if (special != end_ && *special == '"') [[likely]] {
    *text = {from, static_cast<std::size_t>(special - from)};
    at_ = special + 1;
    return true;
  }
  at_ = special;
  return ReadLongString(from, text);
}

bool Reader::ReadLongString(const char* from, std::string_view* text) {
  bool decoding = false;
  const char* copied = from;
  auto copy = [&] {
    if (!decoding) decoded_.clear();
    decoding = true;
    decoded_.append(copied, static_cast<std::size_t>(at_ - copied));
  };
  while (true) {
    at_ = FindSpecial(at_, end_);
    if (at_ == end_) return Fail("the text ends within a string");
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '"') break;
    if (c == '\\') {
      copy();
      if (!ReadEscape()) return false;
      copied = at_;
    } else if (c < 0x20) {
      return Fail("a control character stands unescaped in a string");
    } else {
      const std::size_t length = model::Utf8Length({at_, static_cast<std::size_t>(end_ - at_)});
      if (length == 0) return Fail("the string is not valid UTF-8");
      at_ += length;
    }
  }
  if (decoding) {
    copy();
    *text = decoded_;
  } else {
    *text = {from, static_cast<std::size_t>(at_ - from)};
  }
  ++at_;
  return true;
}

bool Reader::ReadHex4(unsigned* value) {
  *value = 0;
  if (end_ - at_ < 4) return Fail("an escape \\u needs four hexadecimal digits");
  for (int i = 0; i < 4; ++i) {
    const char c = at_[i];
    const int digit = IsDecimalDigit(c)             ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return Fail("an escape \\u needs four hexadecimal digits");
    *value = *value * 16 + static_cast<unsigned>(digit);
  }
  at_ += 4;
  return true;
}

bool Reader::ReadEscape() {
  if (end_ - at_ < 2) return Fail("the text ends within a string");
  const char c = at_[1];
  const std::string_view letters = "\"\\/bfnrt";
  const std::string_view meanings = "\"\\/\b\f\n\r\t";
  if (const std::size_t i = letters.find(c); i != std::string_view::npos) {
    decoded_.push_back(meanings[i]);
    at_ += 2;
    return true;
  }
  if (c != 'u') return Fail("a backslash is followed by no escape of JSON");
  at_ += 2;
  unsigned code = 0;
  if (!ReadHex4(&code)) return false;
  if (code >= 0xdc00 && code <= 0xdfff) return Fail("a low surrogate has no high one before it");
  if (code >= 0xd800 && code <= 0xdbff) {
    unsigned low = 0;
    if (!NextWord("\\u")) return Fail("a high surrogate has no low one behind it");
    if (!ReadHex4(&low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return Fail("a high surrogate has no low one behind it");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  AppendUtf8(code, &decoded_);
  return true;
}

bool Reader::SkipNumber(std::string_view* digits, bool* integer) {
  const char* start = at_;
  *integer = true;
  auto skip_digits = [this] {
    const char* first = at_;
    while (at_ != end_ && IsDecimalDigit(*at_)) ++at_;
    return at_ != first || Expected("a digit");
  };
  if (at_ != end_ && *at_ == '-') ++at_;
  if (at_ != end_ && *at_ == '0') {
    ++at_;
    if (at_ != end_ && IsDecimalDigit(*at_)) return Fail("a number begins with a zero that it does not need");
  } else if (!skip_digits()) {
    return false;
  }
  if (at_ != end_ && *at_ == '.') {
    *integer = false;
    ++at_;
    if (!skip_digits()) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    *integer = false;
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!skip_digits()) return false;
  }
  *digits = {start, static_cast<std::size_t>(at_ - start)};
  return true;
}

bool Reader::SkipMembers(int depth) {
  const bool object = *at_++ == '{';
  const char close = object ? '}' : ']';
  SkipSpace();
  bool done = Next(close);
  while (!done) {
    SkipSpace();
    if (object) {
      std::string_view name;
      if (at_ == end_ || *at_ != '"') return Expected("the name of a member");
      if (!ReadString(&name)) return false;
      SkipSpace();
      if (!Next(':')) return Expected("a colon");
    }
    if (!SkipValue(depth + 1) || !NextSeparator(close, &done)) return false;
  }
  return true;
}

bool Reader::SkipValue(int depth) {
  if (depth > kMaxSkippedDepth) return Fail("the value is nested more than 256 deep");
  SkipSpace();
  std::string_view text;
  bool integer = false;
  if (at_ == end_) return Expected("a value");
  switch (*at_) {
    case '"': return ReadString(&text);
    case '{':
    case '[': return SkipMembers(depth);
    case 't': return NextWord("true") || Expected("a value");
    case 'f': return NextWord("false") || Expected("a value");
    case 'n': return NextWord("null") || Expected("a value");
    default: return *at_ == '-' || IsDecimalDigit(*at_) ? SkipNumber(&text, &integer) : Expected("a value");
  }
}

}  // namespace millrace::json
