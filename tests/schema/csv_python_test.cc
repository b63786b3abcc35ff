// CSV against an independent reader and writer, the csv module of Python.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/test_settings.h"
#include "millrace/core/csv.h"
#include "millrace/core/json.h"
#include "model/schema_samples.h"

namespace millrace {
namespace {

using Records = std::vector<std::vector<std::string>>;

struct Texts {
  std::string first, second, third;
  friend bool operator==(const Texts&, const Texts&) = default;
};

class CsvAndPython : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (std::filesystem::temp_directory_path() / "millrace_csv_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const char* name) const { return folder_ + "/" + name; }
  void Save(const char* name, const std::string& text) const { std::ofstream(Path(name), std::ios::binary) << text; }
  std::string Load(const char* name) const {
    std::ostringstream text;
    text << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return text.str();
  }
  /// Runs the script in a shell; false when it fails.
  bool RunScript(const std::string& arguments) const {
    const std::string script = std::string(MILLRACE_SOURCE_DIR) + "/tests/schema/csv_to_json.py";
    return std::system(("python3 '" + script + "' " + arguments).c_str()) == 0;
  }

  std::string folder_;
};

TEST_F(CsvAndPython, FindsTheSameCells) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  std::vector<Texts> rows(static_cast<std::size_t>(base::TestRounds(1000, 50000)));
  Records expected{{"first", "second", "third"}};
  for (Texts& row : rows) {
    row = random.Make<Texts>();
    expected.push_back({row.first, row.second, row.third});
  }
  Save("rows.csv", csv::Write(rows));
  ASSERT_TRUE(RunScript("'" + Path("rows.csv") + "' > '" + Path("records.json") + "'"));
  StatusOr<Records> found = json::Parse<Records>(Load("records.json"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, expected);
}

TEST_F(CsvAndPython, WhatItWritesIsReadHere) {
  model::RandomValues random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  std::vector<Texts> expected(static_cast<std::size_t>(base::TestRounds(1000, 50000)));
  Records records{{"third", "other", "first", "second"}};
  for (Texts& row : expected) {
    row = random.Make<Texts>();
    records.push_back({row.third, "ignored", row.first, row.second});
  }
  Save("records.json", json::Write(records));
  ASSERT_TRUE(RunScript("--write '" + Path("rows.csv") + "' < '" + Path("records.json") + "'"));
  StatusOr<std::vector<Texts>> found = csv::Parse<Texts>(Load("rows.csv"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, expected);
}

}  // namespace
}  // namespace millrace
