// JSON against an independent reader and writer, nlohmann-json: what Millrace writes means the same there, what it
// writes is read here, and both accept and refuse the same texts.
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/test_settings.h"
#include "millrace/core/json.h"
#include "model/schema_samples.h"

namespace millrace {
namespace {

using model::Address;
using model::Everything;

nlohmann::json TreeOf(const Address& address) {
  nlohmann::json tree{{"street", address.street}, {"number", nullptr}};
  if (address.number) tree["number"] = *address.number;
  return tree;
}

template <class T>
nlohmann::json TreeOf(const std::optional<T>& optional) {
  return optional ? nlohmann::json(*optional) : nlohmann::json(nullptr);
}

/// The fields that need no text format of our own, built by hand.
nlohmann::json TreeOf(const Everything& value) {
  nlohmann::json tree{{"flag", value.flag},
                      {"int8", value.int8},
                      {"int16", value.int16},
                      {"int32", value.int32},
                      {"int64", value.int64},
                      {"uint8", value.uint8},
                      {"uint16", value.uint16},
                      {"uint32", value.uint32},
                      {"uint64", value.uint64},
                      {"real", value.real},
                      {"text", value.text},
                      {"color", static_cast<int>(value.color)},
                      {"texts", value.texts},
                      {"matrix", value.matrix},
                      {"counts", nlohmann::json::object()},
                      {"pair", {{"key", value.pair.key}, {"value", value.pair.value}}}};
  tree["level"] = static_cast<int>(value.level);
  tree["maybe_text"] = TreeOf(value.maybe_text);
  tree["maybe_real"] = TreeOf(value.maybe_real);
  tree["maybe_address"] = value.maybe_address ? TreeOf(*value.maybe_address) : nlohmann::json(nullptr);
  tree["maybe_numbers"] = nlohmann::json::array();
  for (const auto& number : value.maybe_numbers) tree["maybe_numbers"].push_back(TreeOf(number));
  tree["addresses"] = nlohmann::json::array();
  for (const Address& address : value.addresses) tree["addresses"].push_back(TreeOf(address));
  for (const auto& [name, count] : value.counts) tree["counts"][name] = count;
  tree["by_number"] = nlohmann::json::object();
  for (const auto& [number, address] : value.by_number) tree["by_number"][std::to_string(number)] = TreeOf(address);
  tree["address"] = TreeOf(value.address);
  return tree;
}

TEST(JsonAndNlohmann, WhatIsWrittenMeansTheSameThere) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = base::TestRounds(500, 20000); round > 0; --round) {
    const Everything value = random.Make<Everything>();
    const std::string text = json::Write(value);
    nlohmann::json tree = nlohmann::json::parse(text);
    ASSERT_EQ(tree.size(), SchemaOf<Everything>().fields().size());
    EXPECT_EQ(static_cast<float>(tree["single"].get<double>()), value.single);
    for (const char* own : {"single", "bytes", "time", "span", "visited", "history"}) tree.erase(own);
    ASSERT_EQ(tree, TreeOf(value)) << text;
  }
}

TEST(JsonAndNlohmann, WhatItWritesIsReadHere) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = base::TestRounds(500, 20000); round > 0; --round) {
    const Everything value = random.Make<Everything>();
    const nlohmann::json tree = nlohmann::json::parse(json::Write(value));  // its members are sorted by name
    const std::string text = tree.dump(random.Below(2) == 0 ? -1 : 2, ' ', random.Below(2) == 0);
    StatusOr<Everything> read = json::Parse<Everything>(text);
    ASSERT_TRUE(read.ok()) << read.status() << "\n" << text;
    ASSERT_EQ(*read, value) << text;
  }
}

// Refused there for a number beyond a double: JSON sets no limit (RFC 8259, 6), and here nobody reads the number.
bool HasTooLargeNumber(const std::string& text) {
  constexpr int kNumberOverflow = 406;
  try {
    static_cast<void>(nlohmann::json::parse(text));
  } catch (const nlohmann::json::out_of_range& error) {
    return error.id == kNumberOverflow;
  } catch (const nlohmann::json::exception&) {
  }
  return false;
}

TEST(JsonAndNlohmann, BothAcceptAndRefuseTheSameTexts) {
  struct Nothing {};
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  static constexpr std::string_view kBytes = "{}[]\":,.-+eE0123456789tfn\\u/ \n\t\x01\x7f\x80\xc3\xa9\xed\xff";
  std::int64_t accepted = 0;
  const std::int64_t rounds = base::TestRounds(20000, 1000000);
  for (std::int64_t round = rounds; round > 0; --round) {
    // Small documents, so that a change of one or two bytes often leaves a valid one.
    std::string text = R"({"a":[1,-2.5e+3,"x\u00e9\n",true,null,{"b":false}],"c":{"d":0.1,"e":""},"f":-0})";
    const std::size_t start = random.Below(text.size());
    text = random.Below(2) == 0 ? text : text.substr(start, 1 + random.Below(20));
    for (std::uint64_t change = random.Below(3); change > 0; --change) {
      text[random.Below(text.size())] = kBytes[random.Below(kBytes.size())];
    }
    text = "{\"unknown\":" + text + "}";
    const bool expected = nlohmann::json::accept(text);
    accepted += expected;
    if (!expected && HasTooLargeNumber(text)) continue;
    Status status = json::Parse<Nothing>(text).status();
    ASSERT_EQ(status.ok(), expected) << text << "\n" << status;
  }
  EXPECT_GT(accepted, rounds / 10);
  EXPECT_LT(accepted, rounds * 9 / 10);
}

}  // namespace
}  // namespace millrace
