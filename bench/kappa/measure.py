#!/usr/bin/env python3
"""Measures how fast a replay is.

measure.py BUILD_BIN [--rounds N] [--rows N] [--threads N] [--folder DIR]

The flights are published, run and archived once. Then, by turns in one run of this program: the replay of the topology
`kappa` over archive and log into a new generation; the same definition over the log alone (`run --source=log`); and
DuckDB running the equivalent SQL over the same archive's Parquet files, JSON parsing and deduplication included, into
tables. The SQL takes no notice of lateness and keeps nothing that a later event could change. Whole processes, wall time
and CPU seconds; medians of the rounds, and the ratios of events per CPU-second and per second of wall time.

Every replayed generation must hold exactly the cells of the SQL's tables, but for those in which it names late elements
of its own; otherwise the cells are printed and the program ends with 1. That this can fail is shown at the end with SQL
that counts delayed flights from 16 minutes on.
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
  SELECT origin, hour AS window_start, count(*) AS flights, count(*) FILTER (delay >= 15) AS delayed, sum(delay) AS delay_sum,
         max(delay) AS delay_max, sum(distance) AS distance_sum
  FROM valid GROUP BY ALL;
CREATE TABLE route_delays AS
  SELECT origin, destination, hour - to_hours(back) AS window_start, count(*) AS flights,
         count(*) FILTER (delay >= 15) AS delayed, sum(delay) AS delay_sum, max(delay) AS delay_max,
         sum(distance) AS distance_sum
  FROM valid, range(6) AS hours_before(back) GROUP BY ALL;
"""

# Every cell of either side that the other has not, or has otherwise; one in which the generation was late is none.
CHECK = """
WITH late AS (
  SELECT CASE step WHEN 'Delays/HourlyStats' THEN 'hourly_delays' WHEN 'Delays/RouteStats' THEN 'route_delays' END AS view,
         json_extract_string(element, CASE step WHEN 'Delays/HourlyStats' THEN '$.key' ELSE '$.key.origin' END) AS origin,
         coalesce(json_extract_string(element, '$.key.destination'), '') AS destination, window_start
  FROM dead_letters WHERE name = 'late'
),
wanted AS (
  SELECT 'hourly_delays' AS view, '' AS destination, * FROM read_parquet('{expected}/hourly_delays.parquet')
  UNION ALL BY NAME SELECT 'route_delays' AS view, * FROM read_parquet('{expected}/route_delays.parquet')
),
found AS (
  SELECT 'hourly_delays' AS view, '' AS destination, * EXCLUDE (window_end) FROM hourly_delays
  UNION ALL BY NAME SELECT 'route_delays' AS view, * EXCLUDE (window_end) FROM route_delays
),
cells AS (
  SELECT view, origin, destination, window_start, {columns}
         coalesce(w.flights = f.flights AND w.delayed = f.delayed AND w.delay_sum = f.delay_sum
                  AND w.delay_max = f.delay_max AND w.distance_sum = f.distance_sum, false) AS equal
  FROM wanted AS w FULL JOIN found AS f USING (view, origin, destination, window_start)
)
SELECT * EXCLUDE (equal), count(*) OVER () AS cells_that_differ
FROM cells ANTI JOIN late USING (view, origin, destination, window_start)
WHERE NOT equal ORDER BY view, window_start, origin, destination LIMIT 20
"""
VALUES = ("flights", "delayed", "delay_sum", "delay_max", "distance_sum")


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
        self.rounds = options.rounds
        self.checked = None
        self.data = folder / "data"
        self.input = folder / "flights.parquet"
        self.scratch = folder / "scratch"
        self.expected = folder / "expected"

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

    def definition(self):
        return SQL.format(threads=self.threads, airports=DATA / "airports.csv", archive=self.data / "archive/flights")

    def expect(self, definition):
        """Writes the cells that the views must hold by that SQL."""
        self.expected.mkdir(exist_ok=True)
        self.duck(definition + "".join(f"COPY {view} TO '{self.expected}/{view}.parquet' (FORMAT parquet);"
                                       for view in ("hourly_delays", "route_delays")))

    def ask(self, generation, sql):
        done = subprocess.run(self.verb("sql", sql, "--format=csv", f"--generation={generation}"), capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"measure: the cells of generation {generation} cannot be read:\n{done.stderr[-2000:]}")
        return done.stdout.splitlines()[1:]

    def differences(self, generation):
        """Cells of a generation that are not as expected, as lines of text."""
        columns = "".join(f"w.{name} AS {name}_expected, f.{name} AS {name}_found, " for name in VALUES)
        return self.ask(generation, CHECK.format(expected=self.expected, columns=columns))

    def check(self, generation):
        different = self.differences(generation)
        if different:
            sys.exit("measure: generation {} does not hold the cells of the SQL:\n{}".format(
                generation, "\n".join(different)))
        self.checked = self.ask(generation, "SELECT (SELECT count(*) FROM hourly_delays) + (SELECT count(*) FROM "
                                            "route_delays), count(*) FROM dead_letters WHERE name = 'late'")[0]

    def check_can_fail(self, generation):
        self.expect(self.definition().replace("delay >= 15", "delay >= 16"))
        if not self.differences(generation):
            sys.exit("measure: the check does not notice that flights are delayed from 16 minutes on")

    def replay(self):
        taken = timed(self.pipeline("replay", "--promote=never", "--fresh", "--nice=0"))
        self.check(self.beside())
        self.rounds -= 1
        if self.rounds == 0:
            self.check_can_fail(self.beside())
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
        return self.duck(self.definition())


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
        bench.expect(bench.definition())
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
        cells, late = bench.checked.split(",")
        print(f"Every replay holds the {cells} cells of the SQL; {late} elements of the last one were late. "
              "With other SQL the check fails.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
