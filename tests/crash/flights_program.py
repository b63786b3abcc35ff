"""The flights program in processes of its own, on a slice of the real file, and what must come out of it."""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import duck
import log_files

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / ".setup/data"
FLIGHTS = pathlib.Path(os.environ.get("MILLRACE_BIN", ROOT / "build/bin")) / "flights"
VIEWS = ["hourly_delays", "route_delays"]

SEED = int(os.environ.get("MILLRACE_TEST_SEED", "1"))
LONG = os.environ.get("MILLRACE_TEST_LEVEL", "short") == "long"

PUBLISH = ["--duplicates=0.02", "--late=0.02", "--garbage=0.01", "--partitions=3"]


class Scenario:
    """A data directory, the slice that is published into it, and the processes that are at work on it."""

    def __init__(self, rows=20_000, seed=SEED, first=0):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_crash_"))
        self.data = self.folder / "data"
        self.input = self.folder / "flights.parquet"
        self.report = self.folder / "report.json"
        self.seed = seed
        self.children = []
        self.duck = duck.Duck()
        self.duck.query(f"COPY (SELECT * FROM read_parquet('{DATA}/flights-3m.parquet') LIMIT {rows} OFFSET {first}) "
                        f"TO '{self.input}' (FORMAT parquet)")

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Command lines.
    def command(self, *arguments):
        return [str(FLIGHTS), *arguments, f"--data_dir={self.data}"]

    def publish(self, *more):
        return self.command("publish", str(self.input), f"--report={self.report}", f"--seed={self.seed}", *PUBLISH,
                            *more)

    def run(self, *more):
        return self.command("run", "--source=log", "--threads=2", f"--airports={DATA}/airports.csv", *more)

    # Processes.
    def start(self, command, prefix=(), **more):
        child = subprocess.Popen([*prefix, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.children.append(child)
        return child

    def finish(self, command, code=0, timeout=120, **more):
        """Runs a command to its end and gives what it printed on both outputs."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout + done.stderr

    def rows(self, sql, *more):
        """The rows that `flights sql` prints, as lines of CSV, without the header."""
        done = subprocess.run(self.command("sql", sql, "--format=csv", *more), capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.splitlines()[1:]

    # What must be so in the end.
    def check(self, name, *more):
        """The rows that examples/flights/<name> gives: each is a difference."""
        sql = (ROOT / "examples/flights" / name).read_text(encoding="utf-8")
        for word, path in (("FLIGHTS", self.input), ("AIRPORTS", DATA / "airports.csv"), ("REPORT", self.report)):
            sql = sql.replace(f"'{word}'", f"'{path}'")
        return self.rows(sql, *more)

    def differences_of_the_stores(self):
        """Rows that one of DuckDB and RocksDB has and the other has not."""
        found = []
        for view in VIEWS:
            looked_up = subprocess.run(self.command("query", view, "--format=csv"), capture_output=True, text=True,
                                       timeout=120, check=True)
            by_key = looked_up.stdout.splitlines()[1:]
            by_sql = self.rows(f"SELECT * FROM {view}")
            found += sorted(set(map(_plain_times, by_key)) ^ set(map(_plain_times, by_sql)))
            if len(by_key) != len(set(by_key)):
                found.append(f"{view}: a row is there twice")
        return found

    def reported(self):
        """The lines of the report; the last one may be torn by a kill."""
        if not self.report.exists():
            return []
        lines = self.report.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    def log(self):
        return log_files.read_topic(self.data / "log/flights")

    def expected_log(self):
        """How often each text must be in the log, from the input and the report."""
        rows = self.duck.query("SELECT file_row_number, strftime(date, '%Y-%m-%dT%H:%M:%SZ'), delay, distance, origin, "
                               f"destination FROM read_parquet('{self.input}', file_row_number = true)")
        texts = {row[0]: f'{{"id":{row[0]},"at":"{row[1]}","delay":{row[2]},"distance":{row[3]},"origin":"{row[4]}",'
                         f'"destination":"{row[5]}"}}' for row in rows}
        counts = {text: 1 for text in texts.values()}
        for line in self.reported():
            text = {"duplicate": texts.get(line["id"]), "garbage": line["data"]}.get(line["kind"])
            if text is not None:
                counts[text] = counts.get(text, 0) + 1
        return counts

    def differences_of_the_log(self):
        """Texts that the log holds more or less often than it must: (text, times expected, times found)."""
        found = collections.Counter(record.data for record in self.log() if record.data is not None)
        expected = self.expected_log()
        return [(text, expected.get(text, 0), found[text]) for text in found.keys() | expected.keys()
                if expected.get(text, 0) != found[text]][:20]

    def files(self):
        """How many files the data directory has."""
        return sum(len(names) for _, _, names in os.walk(self.data))


def _plain_times(line):
    return re.sub(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)Z?", r"\1 \2", line)


def kill(child):
    """SIGKILL, if it still runs; true if that ended it."""
    if child.poll() is None:
        child.send_signal(signal.SIGKILL)
    child.communicate()
    return child.returncode == -signal.SIGKILL
