#!/usr/bin/env python3
"""Tests tools/tidy: each breach of a rule in a temporary tree must be found, and a clean tree has none."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).with_name("tidy")
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("tidy", str(TOOL))
TIDY = importlib.util.module_from_spec(importlib.util.spec_from_loader("tidy", LOADER))
LOADER.exec_module(TIDY)

HEADER = "#pragma once\n"


class Tree(unittest.TestCase):
    def findings(self, **files):
        with tempfile.TemporaryDirectory() as folder:
            for path, content in files.items():
                file = pathlib.Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
            return TIDY.check_tree(pathlib.Path(folder))

    def errors(self, path, content):
        return self.findings(**{path: content}).errors

    def assert_clean(self, path, content):
        self.assertEqual(self.errors(path, content), [])

    def assert_found(self, path, content, message, line=1):
        errors = self.errors(path, content)
        self.assertEqual(len(errors), 1, errors)
        self.assertTrue(errors[0].startswith(f"{path}:{line}: "), errors)
        self.assertIn(message, errors[0])


class RoomsTest(Tree):
    def test_a_room_may_use_itself_the_rooms_above_and_public_headers(self):
        for path, include in (
            ("src/base/x.cc", "base/x.h"),
            ("src/base/x.cc", "millrace/detail/hash.h"),
            ("src/exec/x.cc", "engine/x.h"),
            ("src/exec/x.cc", "millrace/transforms/x.h"),
            ("src/runner/native/x.cc", "storage/x.h"),
            ("src/runner/native/x.cc", "runner/native/x.h"),
            ("src/io/json/x.cc", "io/json/x.h"),
            ("src/io/json/x.cc", "columnar/x.h"),
            ("src/io/json/x_test.cc", "io/x_suite.h"),
            ("include/millrace/core/x.cc", "millrace/runner/x.h"),
            ("src/topology/x.cc", "topology/x.h"),
            ("src/cli/x.cc", "io/json/x.h"),
            ("src/cli/x.cc", "server/x.h"),
            ("tests/x/x_test.cc", "engine/x.h"),
            ("bench/x/x_main.cc", "engine/x.h"),
            ("examples/x/x.cc", "x.h"),
        ):
            self.assert_clean(path, f'#include "{include}"\n')

    def test_a_room_must_not_use_a_room_below(self):
        for path, include in (
            ("src/base/x.cc", "model/x.h"),
            ("src/model/x.h", "engine/x.h"),
            ("src/engine/x.cc", "exec/x.h"),
            ("src/storage/x.cc", "runner/native/x.h"),
            ("src/runner/native/x.cc", "runner/portable/x.h"),
            ("src/runner/native/x.cc", "io/json/x.h"),
            ("src/archive/x.cc", "topology/x.h"),
            ("src/exec/x.cc", "io/x_suite.h"),
            ("src/columnar/x.cc", "cli/x.h"),
            ("src/topology/x.cc", "server/x.h"),
        ):
            self.assert_found(path, HEADER + f'#include "{include}"\n', "must not use room", line=2)

    def test_a_connector_uses_base_columnar_and_its_own_folder_only(self):
        for include in ("model/x.h", "exec/x.h", "io/parquet/x.h"):
            self.assert_found("src/io/json/x.cc", f'#include "{include}"\n', "room io/json must not use room")

    def test_a_topology_uses_public_headers_only(self):
        self.assert_found("src/topology/x.cc", '#include "base/x.h"\n', "room topology must not use room base")

    def test_nothing_includes_the_top(self):
        for include in ("server/x.h", "cli/x.h", "console/x.h"):
            self.assert_found("src/runner/native/x.cc", f'#include "{include}"\n', "must not use room")

    def test_an_unknown_folder_is_no_room(self):
        self.assert_found("src/kitchen/x.cc", "int x = 1;\n", "this folder is no room")

    def test_an_include_is_written_from_its_root(self):
        self.assert_found("src/base/x.cc", '#include "x.h"\n', "from its root")

    def test_the_detail_headers_use_core_and_detail_only(self):
        self.assert_clean("include/millrace/detail/x.h", HEADER + '#include "millrace/core/x.h"\n')
        self.assert_found("include/millrace/detail/x.h", HEADER + '#include "millrace/transforms/x.h"\n',
                          "this folder may include only", line=2)

    def test_a_public_header_includes_only_public_and_standard_ones(self):
        path = "include/millrace/io/x.h"
        self.assert_clean(path, HEADER + '#include <vector>\n#include "millrace/transforms/x.h"\n')
        self.assert_found(path, HEADER + '#include "exec/x.h"\n', "is not public", line=2)
        for header in ("absl/container/flat_hash_map.h", "duckdb.h", "rocksdb/db.h", "fmt/format.h", "unistd.h"):
            self.assert_found(path, HEADER + f"#include <{header}>\n", "not of the standard library", line=2)

    def test_an_example_is_a_users_program(self):
        self.assert_found("examples/x/x.cc", '#include "engine/x.h"\n', "an example is a user's program")
        self.assert_clean("examples/x/x_test.cc", '#include "columnar/x.h"\n')


class EngineTest(Tree):
    def test_the_engine_includes_no_thread_file_or_clock(self):
        for header in ("<thread>", "<mutex>", "<condition_variable>", "<fstream>", "<filesystem>", '"base/clock.h"'):
            self.assert_found("src/engine/x.cc", f"#include {header}\n", "the engine has no thread")

    def test_the_engine_reads_no_clock(self):
        self.assert_clean("src/engine/x.cc", "#include <chrono>\nstd::chrono::seconds x{1};  // no system_clock\n")
        self.assert_found("src/engine/x.cc", "auto x = std::chrono::steady_clock::now();\n", "steady_clock")


class SizeTest(Tree):
    def test_long_files(self):
        self.assertEqual(self.findings(**{"src/base/x.cc": "int x;\n" * 500}).warnings, [])
        self.assertEqual(len(self.findings(**{"src/base/x.cc": "int x;\n" * 501}).warnings), 1)
        self.assert_clean("src/base/x.cc", "int x;\n" * 800)
        self.assert_found("src/base/x.cc", "int x;\n" * 801, "801 lines")

    def test_long_functions_of_every_form(self):
        for header in (
            "void F() {",
            "template <class T, std::enable_if_t<(N > 0)>>\nauto F(T t) -> std::vector<T> {",
            "namespace a {\nstruct S {\nbool operator<(const S& other) const noexcept(true) {",
            "TEST(A, B) {",
            "S::S(int a) : a_(a), b_{1} {",
            "bool F(std::function<void(int)> f) requires std::integral<int> {",
        ):
            open_braces = header.count("{") - header.count("}")
            body = "\n  if (x) { y(); }" * 70 + "\n" + "}\n" * open_braces
            errors = self.errors("src/base/x.cc", header + body)
            self.assertEqual(len(errors), 1, (header, errors))
            self.assertIn("the cap is 70", errors[0])

    def test_seventy_lines_are_allowed_and_classes_tables_and_comments_are_no_functions(self):
        self.assert_clean("src/base/x.cc", "void F() {\n" + "  x();\n" * 68 + "}\n")
        self.assert_found("src/base/x.cc", "\nvoid F() {\n" + "  x();\n" * 69 + "}\n", "71 lines", line=2)
        members = "  int x() { y(); }\n" * 90
        self.assert_clean("src/base/x.cc", "template <class T>\nclass alignas(64) X {\n" + members + "};\n")
        self.assert_clean("src/base/x.cc", "constexpr int kTable[] = {\n" + "  1,\n" * 90 + "};\n")
        self.assert_clean("src/base/x.cc", "void F() {\n  x('{', \"{\", R\"(\n{)\");  // {\n}\n" + "int x;\n" * 90)

    def test_large_files(self):
        self.assert_clean("docs/x.bin", b"\0" * (1 << 20))
        self.assert_found("docs/x.bin", b"\0" * ((1 << 20) + 1), "the cap is 1048576")


class TextTest(Tree):
    def test_names_that_say_nothing(self):
        for path in ("src/base/utils.cc", "src/base/string_util.cc", "tests/helpers/x.cc", "common.py", "misc/x.md"):
            self.assert_found(path, "\n", "says nothing")
        self.assert_found("src/base/x.cc", "namespace millrace::helpers {}\n", "namespace millrace::helpers")

    def test_third_party_names_in_public_headers(self):
        path = "include/millrace/core/x.h"
        self.assert_clean(path, HEADER + "// as absl::Status does\n")
        for name in ("absl::Status", "google::protobuf::Message", "rocksdb::DB", "nlohmann::json", "CLI::App"):
            self.assert_found(path, HEADER + f"{name} F();\n", "must not be seen", line=2)

    def test_registry_hosts(self):
        for host in (("registry", "npmjs", "org"), ("static", "crates", "io"), ("pypi", "org")):
            self.assert_found("docs/x.md", "from " + ".".join(host) + "\n", "names the registry")

    def test_paths_of_one_machine(self):
        for path in (("", "home", "ann", "x"), ("", "work", "x"), ("", "root", "x"), ("", "Users", "ann", "x")):
            self.assert_found("tools/x", "cd " + "/".join(path) + "\n", "a path of one machine")
        relative = "/".join(("", "work", "x"))
        self.assert_clean("tools/x", f'cd "$out{relative}" ..{relative}\n')

    def test_white_space(self):
        self.assert_found("src/base/x.cc", "int x;\n\tint y;\n", "a tab", line=2)
        self.assert_clean("Makefile", "all:\n\ttrue\n")
        self.assert_found("docs/x.md", "text \nmore\n", "white space at the end")
        self.assert_found("docs/x.md", "text\nmore", "final newline", line=2)
        self.assert_clean("docs/x.md", "")

    def test_text_is_utf8(self):
        self.assert_found("docs/x.md", b"text\n\xff\n", "not UTF-8", line=2)

    def test_headers_need_a_guard(self):
        self.assert_found("src/base/x.h", "int x;\n", "#pragma once")


class ProgramTest(Tree):
    def run_on(self, content):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "x.md").write_text(content, encoding="utf-8")
            return subprocess.run([sys.executable, str(TOOL), folder], capture_output=True, text=True, check=False)

    def test_the_exit_code_tells(self):
        self.assertEqual(self.run_on("clean\n").returncode, 0)
        broken = self.run_on("text \n")
        self.assertEqual(broken.returncode, 1)
        self.assertIn("x.md:1: white space", broken.stdout)
        self.assertIn("1 breaches", broken.stderr)

    def test_builds_are_not_looked_at(self):
        for folder in ("build", "build-asan", ".setup"):
            self.assertEqual(self.errors(f"{folder}/x.md", "text \n"), [])


if __name__ == "__main__":
    unittest.main()
