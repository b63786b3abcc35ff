#include "millrace/core/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/schema_samples.h"

namespace millrace {
namespace {

using model::Address;
using model::Everything;
using testing::ElementsAre;

struct Click {
  std::string id, user, page;
  Timestamp at;
};

class Account {
 public:
  Account() = default;
  Account(std::string id, std::int64_t balance) : id_(std::move(id)), balance_(balance) {}

 private:
  std::string secret_ = "hidden";
  std::string id_;
  std::int64_t balance_ = 0;

  friend auto MillraceFields(const Account*) {
    return Fields(Named("balance", &Account::balance_), Named("id", &Account::id_));
  }
  friend std::string SecretOf(const Account& account) { return account.secret_; }
};

struct Forty {
  int f01, f02, f03, f04, f05, f06, f07, f08, f09, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20;
  int f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32, f33, f34, f35, f36, f37, f38, f39, f40;
};
struct FortyOne {
  Forty all;
  int g01, g02, g03, g04, g05, g06, g07, g08, g09, g10, g11, g12, g13, g14, g15, g16, g17, g18, g19, g20;
  int g21, g22, g23, g24, g25, g26, g27, g28, g29, g30, g31, g32, g33, g34, g35, g36, g37, g38, g39, g40;
};

TEST(Schema, NamesTypesAndOffsetsComeFromThePlainStruct) {
  const Schema& schema = SchemaOf<Click>();
  EXPECT_EQ(schema.ToString(), "Click{id: string, user: string, page: string, at: timestamp}");
  Click click{"i", "u", "p", Timestamp::FromSeconds(7)};
  EXPECT_EQ(schema.Find("page")->In(&click), &click.page);
  EXPECT_EQ(schema.Find("at")->In(&click), &click.at);
  EXPECT_EQ(schema.Find("nothing"), nullptr);
  EXPECT_EQ(&SchemaOf<Click>(), &schema);
}

TEST(Schema, EveryKindIsDescribed) {
  EXPECT_EQ(
      SchemaOf<Everything>().ToString(),
      "Everything{flag: bool, int8: int8, int16: int16, int32: int32, int64: int64, uint8: uint8, uint16: uint16, "
      "uint32: uint32, uint64: uint64, single: float, real: double, text: string, bytes: bytes, time: timestamp, "
      "span: duration, color: enum<uint8>, level: enum<int32>, maybe_text: optional<string>, maybe_real: "
      "optional<double>, maybe_address: optional<row<Address>>, texts: list<string>, maybe_numbers: "
      "list<optional<int64>>, addresses: list<row<Address>>, matrix: list<list<int16>>, counts: map<string, int64>, "
      "by_number: map<int32, row<Address>>, visited: map<row<Address>, bool>, history: map<timestamp, "
      "optional<string>>, address: row<Address>, pair: row<KV>}");
  EXPECT_EQ(TypeOf<long long>().kind, FieldKind::kInt64);
  EXPECT_EQ(TypeOf<std::string_view>().kind, FieldKind::kStringView);
}

TEST(Schema, OffsetsOfEveryFieldPointAtIt) {
  Everything everything;
  std::vector<const void*> addresses;
  detail::ForEachField(everything, [&](auto& field) { addresses.push_back(&field); });
  const std::vector<Field>& fields = SchemaOf<Everything>().fields();
  ASSERT_EQ(addresses.size(), fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) EXPECT_EQ(fields[i].In(&everything), addresses[i]) << fields[i].name;
  EXPECT_EQ(addresses.back(), &everything.pair);
}

TEST(Schema, AClassGivesItsFieldsItself) {
  EXPECT_EQ(SchemaOf<Account>().ToString(), "Account{balance: int64, id: string}");
  const Account account("a", 12);
  EXPECT_EQ(*static_cast<const std::int64_t*>(SchemaOf<Account>().Find("balance")->In(&account)), 12);
  std::string seen;
  detail::ForEachField(account, [&](const auto& field) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(field)>, std::string>) seen = field;
  });
  EXPECT_EQ(seen, "a");
  EXPECT_EQ(SecretOf(account), "hidden");
}

TEST(Schema, KvIsAStructThatIsMarked) {
  using Pair = KV<std::string, Click>;
  EXPECT_EQ(SchemaOf<Pair>().ToString(), "KV{key: string, value: row<Click>}");
  EXPECT_TRUE(TypeOf<Pair>().is_kv);
  EXPECT_FALSE(TypeOf<Click>().is_kv);
}

TEST(Schema, FortyFieldsAreTheLimit) {
  EXPECT_EQ(SchemaOf<Forty>().fields().size(), 40U);
  EXPECT_EQ(SchemaOf<Forty>().fields()[39].name, "f40");
  EXPECT_EQ(SchemaOf<Forty>().fields()[39].offset, 39 * sizeof(int));
  EXPECT_EQ(detail::kStructProblem<FortyOne>, detail::StructProblem::kTooManyFields);
}

TEST(Schema, WhatReflectionCannotDoIsFound) {
  using detail::StructProblem;
  struct Empty {};
  struct Array {
    int first;
    int numbers[3];
  };
  struct ArrayOfOne {
    int numbers[1];
  };
  struct StandardArray {
    std::array<int, 2> numbers;
  };
  struct Derived : Address {
    int more;
  };
  struct Reference {
    int& number;
  };
  struct Constant {
    const int number = 0;
  };
  struct MoveOnly {
    std::unique_ptr<int> number;
  };
  struct Bits {
    int low : 3;
    int high;
  };
  class Private {
   public:
    int Get() const { return number_; }

   private:
    int number_ = 0;
  };
  union Either {
    int number;
    float real;
  };
  EXPECT_EQ(detail::kStructProblem<Empty>, StructProblem::kNone);
  EXPECT_EQ(detail::kStructProblem<Array>, StructProblem::kArray);
  EXPECT_EQ(detail::kStructProblem<Derived>, StructProblem::kBase);
  EXPECT_EQ(detail::kStructProblem<Reference>, StructProblem::kNoDefault);
  EXPECT_EQ(detail::kStructProblem<Constant>, StructProblem::kNoCopy);
  EXPECT_EQ(detail::kStructProblem<MoveOnly>, StructProblem::kNoCopy);
  EXPECT_EQ(detail::kStructProblem<Bits>, StructProblem::kBitField);
  EXPECT_EQ(detail::kStructProblem<Private>, StructProblem::kNoAggregate);
  EXPECT_FALSE(detail::Reflectable<Either>);
  EXPECT_EQ(Private().Get(), 0);
  // These two are structs of one field; it is the field that has no schema.
  EXPECT_FALSE(detail::IsDescribable<std::remove_reference_t<decltype(ArrayOfOne::numbers)>>());
  EXPECT_FALSE(detail::IsDescribable<decltype(StandardArray::numbers)>());
  EXPECT_FALSE(detail::IsDescribable<int*>());
  EXPECT_FALSE(detail::IsDescribable<char>());
  EXPECT_FALSE(detail::IsDescribable<long double>());
  EXPECT_FALSE(detail::IsDescribable<std::function<void()>>());
  EXPECT_FALSE(detail::IsDescribable<std::unique_ptr<int>>());
  EXPECT_FALSE(detail::IsDescribable<std::chrono::seconds>());
}

TEST(Schema, AMemberPointerHasAName) {
  static_assert(detail::MemberName<&Click::user>() == "user");
  static_assert(detail::MemberName<&KV<std::string, Click>::value>() == "value");
  EXPECT_EQ(FieldOf(&Click::page)->name, "page");
  EXPECT_EQ(FieldOf(&Everything::pair)->name, "pair");
}

TEST(Schema, TheFingerprintDependsOnStructureOnly) {
  struct Same {
    std::string street;
    std::optional<std::int32_t> number;
  };
  struct Renamed {
    std::string road;
    std::optional<std::int32_t> number;
  };
  struct Required {
    std::string street;
    std::int32_t number;
  };
  struct Swapped {
    std::optional<std::int32_t> number;
    std::string street;
  };
  const std::uint64_t fingerprint = SchemaOf<Address>().fingerprint();
  EXPECT_EQ(SchemaOf<Same>().fingerprint(), fingerprint);
  EXPECT_NE(SchemaOf<Renamed>().fingerprint(), fingerprint);
  EXPECT_NE(SchemaOf<Required>().fingerprint(), fingerprint);
  EXPECT_NE(SchemaOf<Swapped>().fingerprint(), fingerprint);
  EXPECT_TRUE(SameStructure(TypeOf<std::vector<Same>>(), TypeOf<std::vector<Address>>()));
  EXPECT_FALSE(SameStructure(TypeOf<std::vector<Renamed>>(), TypeOf<std::vector<Address>>()));
  // State on disk is found by it: a change of this number makes it unreadable. It is the FNV-1a hash of
  // "row(6:street=string;6:number=optional<int32>;)".
  EXPECT_EQ(fingerprint, 0xbee46e046bdd09cbU);
}

TEST(Schema, OperationsOfOptionalListAndMap) {
  std::optional<int> optional;
  const Type& optional_type = TypeOf<std::optional<int>>();
  EXPECT_EQ(optional_type.optional_get(&optional), nullptr);
  *static_cast<int*>(optional_type.optional_emplace(&optional)) = 5;
  EXPECT_EQ(optional, 5);
  EXPECT_EQ(optional_type.optional_get(&optional), &*optional);
  optional_type.optional_reset(&optional);
  EXPECT_EQ(optional, std::nullopt);

  std::vector<std::string> list;
  const Type& list_type = TypeOf<std::vector<std::string>>();
  *static_cast<std::string*>(list_type.list_append(&list)) = "a";
  *static_cast<std::string*>(list_type.list_append(&list)) = "b";
  EXPECT_THAT(list, ElementsAre("a", "b"));
  EXPECT_EQ(list_type.list_size(&list), 2U);
  EXPECT_EQ(list_type.list_at(&list, 1), &list[1]);
  std::vector<std::string> copy;
  list_type.assign(&copy, &list);
  EXPECT_EQ(copy, list);

  std::map<std::string, int> map;
  const Type& map_type = TypeOf<std::map<std::string, int>>();
  std::string key = "k";
  *static_cast<int*>(map_type.map_insert(&map, &key)) = 3;
  EXPECT_EQ(map, (std::map<std::string, int>{{"k", 3}}));
  int sum = 0;
  map_type.map_visit(&map, &sum, [](void* context, const void*, const void* value) {
    *static_cast<int*>(context) += *static_cast<const int*>(value);
  });
  EXPECT_EQ(sum, 3);
  void* made = map_type.create();
  EXPECT_EQ(map_type.map_size(made), 0U);
  map_type.destroy(made);
}

struct Tree {
  int value = 0;
  std::vector<Tree> children;
};

class Twice {
  int a_ = 0, b_ = 0;
  friend auto MillraceFields(const Twice*) { return Fields(Named("a", &Twice::a_), Named("a", &Twice::b_)); }
};

TEST(SchemaDeathTest, MistakesThatOnlyARunFinds) {
  EXPECT_DEATH(SchemaOf<Tree>(), "the struct Tree contains itself");
  EXPECT_DEATH(SchemaOf<Twice>(), "two fields of Twice are named a");
}

}  // namespace
}  // namespace millrace
