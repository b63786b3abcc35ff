#!/usr/bin/env python3
"""Measures what a replay costs the generation that runs beside it: the latency of its results.

latency.py BUILD_BIN [--rate N] [--seconds N] [--rounds N] [--history N] [--sync os|always] [--folder DIR] [--replay OPTION]...

A topology runs (kappa_latency_main.cc): JSON events, a count per key and window with a result for each event, a view. It
has a history, which is archived. Events are then sent at a fixed rate, each when it is due, in phases by turns: while
the topology runs alone, and while `replay` reads the history beside it. A result's latency counts from when the newest
event in it was due. A phase counts as beside a replay only if the replay still reads the history when it ends: give more
history otherwise. `busy cores` counts every process of the machine: where it is as high alone as beside the replay,
other programs took the cores, and the ratio says little.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PERCENTILES = ("p50_ms", "p99_ms", "p999_ms", "max_ms")


def busy_ticks():
    """Of all cores and all processes since the machine started."""
    fields = [int(text) for text in pathlib.Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.program = str(pathlib.Path(options.bin) / "kappa_latency")
        self.data = folder / "data"
        self.latencies = folder / "latencies.json"
        self.run_errors = (folder / "run.txt").open("w+", encoding="utf-8")
        self.replay_errors = (folder / "replay.txt").open("w+", encoding="utf-8")
        self.run = None
        self.busy = {}  # by phase: how many cores

    def verb(self, name, *more):
        return [self.program, name, f"--data_dir={self.data}", *more]

    def status(self, generation):
        done = subprocess.run(self.verb("status", "--format=json", f"--generation={generation}"), capture_output=True,
                              text=True, check=False)
        return json.loads(done.stdout)["run"] if done.returncode == 0 and done.stdout else None

    def send(self, *more):
        subprocess.run(self.verb("send", f"--rate={self.options.rate}", f"--sync={self.options.sync}", *more), check=True)

    def send_phase(self, number):
        before, began = busy_ticks(), time.monotonic()
        self.send(f"--phase={number}", f"--seconds={self.options.seconds}")
        self.busy[number] = (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)

    def start(self):
        self.run = subprocess.Popen(
            self.verb("run", "--archive_after=1s", "--archive_interval=1s", f"--latency_file={self.latencies}"),
            stderr=self.run_errors)
        self.wait("the topic", lambda: (self.data / "log/kappa_latency/topic.json").exists())
        self.send("--phase=0", f"--history={self.options.history}")
        self.wait("the history", lambda: self.read(1) >= self.options.history, seconds=600)
        time.sleep(15)  # until it is archived, and the checkpoint behind it is written

    def read(self, generation):
        status = self.status(generation)
        return 0 if status is None else status["elements_read"]

    def wait(self, what, holds, seconds=60):
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until or self.run.poll() is not None:
                self.run_errors.seek(0)
                sys.exit(f"latency: waited too long for {what}:\n{self.run_errors.read()[-2000:]}")
            time.sleep(0.2)

    def alone(self, number):
        self.send_phase(number)
        time.sleep(2)

    def beside(self, number):
        replay = subprocess.Popen(self.verb("replay", "--promote=never", "--fresh", *self.options.replay),
                                  stderr=self.replay_errors)
        generation = None
        try:
            def replays():
                nonlocal generation
                manifest = json.loads((self.data / "millrace.json").read_text(encoding="utf-8"))
                if manifest.get("beside"):
                    generation = manifest["beside"][-1]["generation"]
                return generation is not None and self.read(generation) > 0
            self.wait("the replay", replays)
            before = self.read(generation)
            self.send_phase(number)
            status = self.status(generation)
            replay_status = status and status.get("replay")
            if not replay_status or replay_status["positions_read"] >= replay_status["positions"]:
                sys.exit("latency: the replay had read the history before the phase ended: give more --history")
            return (self.read(generation) - before) / self.options.seconds
        finally:
            subprocess.run(self.verb("replay", "cancel"), check=False, stdout=subprocess.DEVNULL)
            replay.wait(timeout=60)
            time.sleep(2)

    def stop(self):
        if self.run is not None and self.run.poll() is None:
            self.run.send_signal(signal.SIGINT)
            self.run.wait(timeout=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--history", type=int, default=4_000_000)
    parser.add_argument("--sync", choices=("os", "always"), default="os")
    parser.add_argument("--folder")
    parser.add_argument("--replay", action="append", default=[], help="an option of replay, as --replay=--nice=0")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_latency_", dir=options.folder))
    bench = Bench(options, folder)
    try:
        bench.start()
        replayed = []
        for round_number in range(options.rounds):
            bench.alone(2 * round_number + 1)
            replayed.append(bench.beside(2 * round_number + 2))
        bench.stop()
        phases = {row["phase"]: row for row in map(json.loads, bench.latencies.read_text(encoding="utf-8").splitlines())}
        print(f"{options.rate:,} events/s, --sync={options.sync}, {os.cpu_count()} cores; "
              f"the replay read {statistics.median(replayed):,.0f} events/s")
        print(f"{'latencies in ms':24}" + "".join(f"{name[:-3]:>10}" for name in PERCENTILES) + f"{'busy cores':>12}")
        rows = {"alone": range(1, 2 * options.rounds, 2), "beside a replay": range(2, 2 * options.rounds + 1, 2)}
        medians = {}
        for name, numbers in rows.items():
            for number in numbers:
                print(f"{name + ', ' + str((number + 1) // 2):24}" +
                      "".join(f"{phases[number][percentile]:10.1f}" for percentile in PERCENTILES) +
                      f"{bench.busy[number]:12.2f}")
            medians[name] = [statistics.median(phases[number][percentile] for number in numbers)
                             for percentile in PERCENTILES]
        for name, values in medians.items():
            print(f"{name + ', median':24}" + "".join(f"{value:10.1f}" for value in values))
        print(f"{'ratio':24}" + "".join(f"{b / a:9.2f}x" for a, b in zip(*medians.values())))
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
