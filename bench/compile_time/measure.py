#!/usr/bin/env python3
"""Measures how long a pipeline of 50 transforms takes to compile beyond the SDK's header.

measure.py [--compilers g++,clang++-19] [--runs N] [--flags "-O3 -DNDEBUG"] [--keep FILE]

The program is generated: ten branches of five transforms, each with lambdas and a row type of its own, as the stages of
a real program have them. A file with the header alone is compiled beside it. Prints CPU seconds, the least of the runs.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
HEADER = '#include "millrace/millrace.h"\n'
BRANCHES = 10

# The fifth transform of a branch; the fourth gives it KV<std::string, std::int64_t> in windows.
LAST = [
    '"Sum{n}" >> CombinePerKey(Sum{{}})',
    '"Count{n}" >> CombinePerKey(Count{{}})',
    '"Max{n}" >> CombinePerKey(Max{{}})',
    '"Group{n}" >> GroupByKey()',
    '"Mean{n}" >> CombinePerKey(Mean{{}})',
]
# The second transform of a branch, from Row{n} to Row{n}.
SECOND = [
    '"Big{n}" >> Filter([](const Row{n}& row) {{ return row.amount > {n}; }})',
    '"Both{n}" >> FlatMap([](const Row{n}& row) {{ return std::vector<Row{n}>{{row, row}}; }})',
    '"Timed{n}" >> WithTimestamps([](const Row{n}& row) {{ return Timestamp::FromSeconds(row.amount); }})',
    '"Split{n}" >> ParDo([](const Row{n}& row, Output<Row{n}> out) {{ if (row.amount > {n}) out.Emit(row); }})',
    '"Few{n}" >> Filter([](const Row{n}& row) {{ return row.name.size() < {n}; }})',
]


def branch(n):
    row = f"Row{n}"
    steps = [
        f'"Parse{n}" >> Map([](const std::int64_t& i) {{ return {row}{{std::to_string(i), i, {n} * 0.5}}; }})',
        SECOND[n % len(SECOND)].format(n=n),
        f'"Key{n}" >> Map([](const {row}& row) {{ return KV<std::string, std::int64_t>{{row.name, row.amount + {n}}}; }})',
        f'"Window{n}" >> WindowInto(FixedWindows{{std::chrono::seconds({n + 1})}})',
        LAST[n % len(LAST)].format(n=n),
    ]
    return (f"struct {row} {{\n  std::string name;\n  std::int64_t amount = 0;\n  double rate = 0;\n}};\n"
            f"void Branch{n}(const PCollection<std::int64_t>& numbers) {{\n"
            f"  numbers | {(chr(10) + '      | ').join(steps)};\n}}\n")


def program():
    calls = "".join(f"  Branch{n}(numbers);\n" for n in range(BRANCHES))
    return (HEADER + "#include <string>\n#include <vector>\nusing namespace millrace;\nnamespace {\n"
            + "".join(branch(n) for n in range(BRANCHES)) + "}  // namespace\nvoid Build(Pipeline& pipeline) {\n"
            '  auto numbers = pipeline | "Numbers" >> Create(std::vector<std::int64_t>{1, 2, 3});\n' + calls + "}\n")


def cpu_seconds(command):
    before = os.times()
    subprocess.run(command, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compilers", default="g++,clang++-19")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--flags", default="-O3 -DNDEBUG")
    parser.add_argument("--keep", type=pathlib.Path, help="also writes the program there")
    options = parser.parse_args()
    if options.keep:
        options.keep.write_text(program())
    print("| compiler | header, s | with 50 transforms, s | beyond the header, s |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        sources = {"header": HEADER, "pipeline": program()}
        for name, text in sources.items():
            (pathlib.Path(folder) / f"{name}.cc").write_text(text)
        for compiler in options.compilers.split(","):
            least = {}
            for name in sources:
                command = [compiler, "-std=c++20", *options.flags.split(), f"-I{INCLUDE}", "-c", f"{folder}/{name}.cc",
                           "-o", f"{folder}/{name}.o"]
                least[name] = min(cpu_seconds(command) for _ in range(options.runs))
            beyond = least["pipeline"] - least["header"]
            print(f"| {compiler} | {least['header']:.1f} | {least['pipeline']:.1f} | {beyond:.1f} |", flush=True)


if __name__ == "__main__":
    main()
