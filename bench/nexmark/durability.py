#!/usr/bin/env python3
"""Measures what checkpoints cost, how fast a killed run is back, and latencies.

durability.py BUILD_BIN [--pairs N] [--seconds S] [--log] [--folder DIR] [--parts checkpoints,recovery,latency]

Checkpoints: runs with and without a durable checkpoint each second, in pairs; the completed checkpoints are counted.
Recovery: a count over 1,000,000 keys is killed by SIGKILL, started again, and must give the check of a run that was
never killed; the time is from the start of the run to the first element it reads. Latency: q12 at scheduled send times,
at 500,000 rows per second with event time as fast as the clock, and at 70 % of what the machine takes, with windows of
as many rows as when that is measured. With --log, rows come from an event log, which is filled before a run is measured;
without, from the generator.
"""

import argparse
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

KEYED = ["--query=qk", "--keys=1000000"]
Q12 = ["--query=q12"]
START_EVENTS = 4_000_000


def run(program, *options):
    done = subprocess.run([program, "--format=json", *options], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"durability: {done.args} failed")
    return json.loads(done.stdout)


def rows(options, query, events):
    """The options that say how many rows there are and where they come from."""
    if not options.log:
        return [f"--events={events}"]
    return [f"--events={events}", f"--log_folder={options.folder}/log-{events}-{query[0][2:]}"]


def events_for(program, query, options):
    """So many events as one thread takes in about that many seconds."""
    return int(run(program, *query, *rows(options, query, START_EVENTS))["events_per_s"] * options.seconds)


class Checkpoints:
    """A folder of checkpoints, empty at first, and the options that name it."""

    def __init__(self, folder):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="checkpoints-", dir=folder))
        self.options = ["--checkpoint_interval=1000", f"--checkpoint_folder={self.path}"]

    def __enter__(self):
        return self.options

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def measure_checkpoints(program, options):
    print("| pipeline | events | checkpoints | throughput kept, by the clock | by CPU time |\n| --- | --- | --- | --- | --- |")
    for name, query in (("q12", Q12), ("qk, 1,000,000 keys", KEYED)):
        events = events_for(program, query, options)
        wall, cpu, counts = [], [], []
        for _ in range(options.pairs):
            plain = run(program, *query, *rows(options, query, events))
            with Checkpoints(options.folder) as checkpoints:
                kept = run(program, *query, *rows(options, query, events), *checkpoints)
            if plain["check"] != kept["check"]:
                sys.exit(f"durability: {name} gives {kept['check']} with checkpoints, {plain['check']} without")
            wall.append(kept["events_per_s"] / plain["events_per_s"])
            cpu.append(kept["events_per_cpu_s"] / plain["events_per_cpu_s"])
            counts.append(kept["checkpoints"])
        print(f"| {name} | {events:,} | {min(counts)}–{max(counts)} | {statistics.median(wall):.2f} "
              f"({min(wall):.2f}–{max(wall):.2f}) | {statistics.median(cpu):.2f} |", flush=True)


def measure_recovery(program, options):
    events = events_for(program, KEYED, options)
    expected = run(program, *KEYED, *rows(options, KEYED, events))["check"]
    times = []
    for _ in range(options.pairs):
        with Checkpoints(options.folder) as checkpoints:
            child = subprocess.Popen([program, *KEYED, *rows(options, KEYED, events), *checkpoints], stdout=subprocess.DEVNULL)
            time.sleep(options.seconds * 0.6)
            child.send_signal(signal.SIGKILL)
            if child.wait() != -signal.SIGKILL:
                sys.exit("durability: the run ended before it was killed")
            resumed = run(program, *KEYED, *rows(options, KEYED, events), *checkpoints)
        if resumed["check"] != expected:
            sys.exit(f"durability: the resumed run gives {resumed['check']}, not {expected}")
        times.append(resumed["first_read_s"])
    print(f"\nrecovery at 1,000,000 keys, to the first element read: {statistics.median(times):.2f} s "
          f"({min(times):.2f}–{max(times):.2f})", flush=True)


def measure_latency(program, options):
    print("\n| q12, 2 threads, rows per second | p50 ms | p99 ms | p99.9 ms | max ms |\n| --- | --- | --- | --- | --- |")
    most = run(program, *Q12, "--threads=2", "--events=40000000")["events_per_s"]
    for name, rate, more in (("500,000", 500_000, []), ("70 % of its own maximum", int(most * 0.7), ["--rate=50000"])):
        line = run(program, *Q12, "--threads=2", f"--send_rate={rate}", *more,
                   f"--events={int(rate * options.latency_seconds)}")
        latency = line["latency_ms"]
        print(f"| {name}: {rate:,} | {latency['p50']} | {latency['p99']} | {latency['p999']} | {latency['max']} |",
              flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--latency_seconds", type=float, default=61)
    parser.add_argument("--log", action="store_true", help="read rows from an event log")
    parser.add_argument("--folder", help="where checkpoints and the log are written")
    parser.add_argument("--parts", default="checkpoints,recovery,latency")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="durability-", dir=options.folder) as folder:
        options.folder = folder
        measure(options)


def measure(options):
    program = options.bin / "nexmark"
    parts = {"checkpoints": measure_checkpoints, "recovery": measure_recovery, "latency": measure_latency}
    for part in options.parts.split(","):
        parts[part](program, options)


if __name__ == "__main__":
    main()
