#!/usr/bin/env python3
"""Runs the commands and the SQL of docs/guide/event-log.md, in their order, on a slice of the real file."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/crash"))
import duck  # noqa: E402 (found by the line above)

PROGRAMS = os.environ.get("MILLRACE_BIN", str(ROOT / "build/bin"))
BLOCKS = re.compile(r"^```(sh|sql)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROWS = 60_000


class EventLogTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_event_log_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        data = ROOT / ".setup/data"
        shutil.copy(data / "airports.csv", self.folder)
        duck.Duck().query(f"COPY (SELECT * FROM read_parquet('{data}/flights-3m.parquet') LIMIT {ROWS}) "
                          f"TO '{self.folder}/flights.parquet' (FORMAT parquet)")

    def test_the_commands_of_the_guide(self):
        blocks = BLOCKS.findall((ROOT / "docs/guide/event-log.md").read_text(encoding="utf-8"))
        commands = "".join(code for kind, code in blocks if kind == "sh")
        done = subprocess.run(["bash", "-euxc", commands], cwd=self.folder, text=True, capture_output=True, timeout=110,
                              env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertIn(": 0 appended, 60,000 were there before to the topic flights\n", done.stderr)
        self.assertIn("which is closed now", done.stderr)
        self.assertRegex(done.stderr, r"flights: done in ")
        self.assertRegex(done.stderr, r"(?s)to the topic recent; \d+ old segments removed\n.*cut off a torn end of 12 "
                                      r"bytes at position \d+, offset \d+ \(the file ends in the header of a batch\); "
                                      r"it was not synced")
        self.assertIn('"name":"archive"', done.stdout)
        self.assertIn('"name":"run-generation-1"', done.stdout)
        for topic in ("fast", "flights", "recent"):
            self.assertRegex(done.stdout, rf"{topic}: \d+ files, [\d,]+ records, [\d,]+ bytes, 0 problems")

        os.chdir(self.folder)  # the paths of the SQL
        self.addCleanup(os.chdir, ROOT)
        statements = [code for kind, block in blocks if kind == "sql" for code in block.split(";") if code.strip()]
        self.assertEqual(len(statements), 2)
        by_partition, by_origin = (duck.Duck().query(statement) for statement in statements)
        self.assertEqual(sum(int(row[2]) for row in by_partition), ROWS)
        self.assertEqual({row[1] for row in by_partition}, {"0", "1", "2", "3"})
        expected = duck.Duck().query("SELECT origin, count(*) AS n FROM 'flights.parquet' GROUP BY ALL ORDER BY n DESC "
                                     "LIMIT 5")
        self.assertEqual(by_origin, expected)


if __name__ == "__main__":
    unittest.main()
