#!/usr/bin/env python3
"""Measures how fast a replay is.

measure.py BUILD_BIN [--rounds N] [--rows N] [--threads N] [--folder DIR]

The flights are published, run and archived once. Then, by turns in one run of this program: the replay of the topology
`kappa` over archive and log into a new generation; the same definition over the log alone (`run --source=log`); and
DuckDB running the equivalent SQL over the same archive's Parquet files, JSON parsing and deduplication included, into
tables. The SQL takes no notice of lateness and keeps nothing that a later event could change. Whole processes, wall time
and CPU seconds; medians of the rounds, and the ratios of events per CPU-second and per second of wall time.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / ".setup/data"

SQL = """
SET threads = {threads};
CREATE TABLE airports AS SELECT iata, city, state FROM read_csv('{airports}', header = true, all_varchar = true);
CREATE TABLE valid AS
  SELECT any_value(f.origin) AS origin, any_value(f.destination) AS destination, any_value(f.delay) AS delay,
         any_value(f.distance) AS distance, time_bucket(INTERVAL 1 HOUR, any_value(CAST(f.at AS TIMESTAMP))) AS hour
  FROM (SELECT from_json(decode(data), '{{"id":"BIGINT","at":"TIMESTAMP","delay":"INTEGER","distance":"INTEGER",
                                         "origin":"VARCHAR","destination":"VARCHAR"}}') AS f
        FROM read_parquet('{archive}/*/*.parquet', hive_partitioning = true)
        WHERE json_valid(decode(data)) AND json_type(decode(data), '$.delay') IN ('BIGINT', 'UBIGINT'))
  WHERE f.delay BETWEEN -120 AND 1440 AND f.distance > 0 AND f.origin IN (SELECT iata FROM airports)
    AND f.destination IN (SELECT iata FROM airports)
  GROUP BY f.id;
CREATE TABLE hourly_delays AS
  SELECT origin, hour, count(*) AS flights, count(*) FILTER (delay >= 15) AS delayed, sum(delay) AS delay_sum,
         max(delay) AS delay_max, sum(distance) AS distance_sum
  FROM valid GROUP BY ALL;
CREATE TABLE route_delays AS
  SELECT origin, destination, hour - to_hours(back) AS window_start, count(*) AS flights,
         count(*) FILTER (delay >= 15) AS delayed, sum(delay) AS delay_sum, max(delay) AS delay_max,
         sum(distance) AS distance_sum
  FROM valid, range(6) AS hours_before(back) GROUP BY ALL;
"""


def timed(command, **more):
    """Wall and CPU seconds of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, **more)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"measure: {command} failed:\n{done.stderr[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Bench:
    def __init__(self, options, folder):
        self.flights = str(pathlib.Path(options.bin) / "flights")
        self.threads = options.threads
        self.data = folder / "data"
        self.input = folder / "flights.parquet"
        self.scratch = folder / "scratch"

    def verb(self, name, *more, data=None):
        return [self.flights, name, f"--data_dir={data or self.data}", *more]

    def pipeline(self, name, *more, data=None):
        return self.verb(name, f"--threads={self.threads}", f"--airports={DATA}/airports.csv", *more, data=data)

    def prepare(self, rows):
        self.duck(f"COPY (SELECT * FROM read_parquet('{DATA}/flights-3m.parquet') LIMIT {rows}) TO '{self.input}' "
                  "(FORMAT parquet)")
        timed(self.verb("publish", str(self.input), "--sync=os", "--duplicates=0.01", "--garbage=0.001", "--close"))
        timed(self.pipeline("run", "--topology=kappa"))
        timed(self.verb("archive", "run", "--flush"))

    def duck(self, sql):
        return timed([sys.executable, str(ROOT / "tests/crash/duck.py"), sql])

    def replay(self):
        taken = timed(self.pipeline("replay", "--promote=never", "--fresh", "--nice=0"))
        timed(self.verb("generations", "drop", str(self.beside())))
        return taken

    def beside(self):
        manifest = json.loads((self.data / "millrace.json").read_text(encoding="utf-8"))
        return manifest["beside"][-1]["generation"]

    def run_log(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        (self.scratch / "log").symlink_to(self.data / "log")
        return timed(self.pipeline("run", "--topology=pipeline", "--source=log", data=self.scratch))

    def sql(self):
        return self.duck(SQL.format(threads=self.threads, airports=DATA / "airports.csv",
                                    archive=self.data / "archive/flights"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_replay_", dir=options.folder))
    try:
        bench = Bench(options, folder)
        bench.prepare(options.rows)
        contenders = {"replay": bench.replay, "the log alone": bench.run_log, "DuckDB": bench.sql}
        times = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, contender in contenders.items():
                times[name].append(contender())
        walls = {name: statistics.median(wall for wall, _ in taken) for name, taken in times.items()}
        cpus = {name: statistics.median(cpu for _, cpu in taken) for name, taken in times.items()}
        print(f"{'':14} {'wall s':>8} {'CPU s':>8} {'events/s':>10} {'replay is, wall':>16} {'CPU':>6}")
        for name in contenders:
            print(f"{name:14} {walls[name]:8.1f} {cpus[name]:8.1f} {options.rows / walls[name]:10,.0f} "
                  f"{walls[name] / walls['replay']:15.2f}x {cpus[name] / cpus['replay']:5.2f}x")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
