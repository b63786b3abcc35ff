#!/usr/bin/env python3
"""Measures the engine against the hand-written loop, in one run, as ratios.

measure.py BUILD_BIN [--pairs N] [--events N] [--queries q0,q1,...]

For each query, pair by pair: the loop over whole rows (nexmark_loop --rows=whole), the pipeline with one thread in
streaming mode, two such processes side by side, and the pipeline with two threads. Then memory per key and start-up.
Prints medians; every check must be equal.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

QUERIES = "q0,q1,q2,q5,q7,q8,q12"


def start(program, *options):
    return subprocess.Popen([program, "--format=json", *options], stdout=subprocess.PIPE)


def finish(process):
    output, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"measure: {process.args} failed")
    return json.loads(output)


def run(program, *options):
    return finish(start(program, *options))


def measure_query(query, programs, events, pairs):
    engine, loop = programs
    common = [f"--query={query}", f"--events={events}"]
    ratios, scalings, rates, loop_rates = [], [], [], []
    for _ in range(pairs):
        hand = run(loop, *common, "--rows=whole")
        one = run(engine, *common)
        sides = [start(engine, *common), start(engine, *common)]
        apart = [finish(side) for side in sides]
        two = run(engine, *common, "--threads=2")
        if len({hand["check"], one["check"], two["check"]}) != 1:
            sys.exit(f"measure: {query} gives different checks: {hand['check']}, {one['check']}, {two['check']}")
        ratios.append(one["events_per_cpu_s"] / hand["events_per_cpu_s"])
        scalings.append(two["events_per_s"] / sum(side["events_per_s"] for side in apart))
        rates.append(one["events_per_cpu_s"] / 1e6)
        loop_rates.append(hand["events_per_cpu_s"] / 1e6)
    median = statistics.median
    print(f"| {query} | {median(loop_rates):.1f} | {median(rates):.1f} | {median(ratios):.2f} "
          f"({min(ratios):.2f}–{max(ratios):.2f}) | {median(scalings):.2f} ({min(scalings):.2f}–{max(scalings):.2f}) |",
          flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--events", type=int, default=40_000_000)
    parser.add_argument("--queries", default=QUERIES)
    options = parser.parse_args()
    programs = (options.bin / "nexmark", options.bin / "nexmark_loop")
    print("| query | loop, M events per CPU-s | engine, 1 thread | ratio | 2 threads against two processes |")
    print("| --- | --- | --- | --- | --- |")
    for query in options.queries.split(","):
        measure_query(query, programs, options.events, options.pairs)
    single = run(programs[0], "--query=qk", "--keys=1")
    many = run(programs[0], "--query=qk", "--keys=10000000")
    rows = int(many["check"].split(",")[0])
    per_key = (many["peak_rss_mb"] - single["peak_rss_mb"]) * 1024 * 1024 / rows
    print(f"\nmemory per key at {rows} keys: {per_key:.0f} bytes; peak {many['peak_rss_mb']} MB")
    small = run(programs[0], "--query=q12", "--events=1000")
    print(f"a pipeline over 1000 events: {small['wall_s'] * 1000:.1f} ms, peak {small['peak_rss_mb']} MB")


if __name__ == "__main__":
    main()
