#!/usr/bin/env python3
"""Runs the commands of docs/guide/ledger.md, in their order and in one shell, on a slice of the real file."""

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
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROWS = 60_000


class LedgerTest(unittest.TestCase):
    def test_the_commands_of_the_guide(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_ledger_"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        data = ROOT / ".setup/data"
        shutil.copy(data / "airports.csv", folder)
        duck.Duck().query(f"COPY (SELECT * FROM read_parquet('{data}/flights-3m.parquet') LIMIT {ROWS}) "
                          f"TO '{folder}/flights.parquet' (FORMAT parquet)")
        blocks = COMMANDS.findall((ROOT / "docs/guide/ledger.md").read_text(encoding="utf-8"))
        self.assertGreater(len(blocks), 5)
        done = subprocess.run(["bash", "-euc", "".join(blocks)], cwd=folder, text=True, capture_output=True,
                              timeout=110, env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-3000:])
        self.assertNotIn("does not balance", done.stderr)
        self.assertIn('"balances":true', done.stdout)

        # Every flight that Los Angeles was missing for is a letter, would be taken, and counts once in the end.
        known = (f"SELECT count(*) FROM '{folder}/flights.parquet' f, '{folder}/airports.csv' o, "
                 f"'{folder}/airports.csv' d WHERE f.origin = o.iata AND f.destination = d.iata ")
        is_valid = "AND delay BETWEEN -120 AND 1440 AND distance > 0 "
        is_lax = "AND 'LAX' IN (f.origin, f.destination) "
        letters, rescued, valid = (int(duck.Duck().query(known + where)[0][0])
                                   for where in (is_lax, is_lax + is_valid, is_valid))
        self.assertGreater(rescued, 100)
        self.assertIn(f"this program would take {rescued} of {letters} letters\n", done.stdout)
        self.assertIn(f"{letters} letters replayed: {letters} records put into the log again for generation 1\n",
                      done.stdout)
        self.assertRegex(done.stdout, rf"\n *{valid}\n")
        self.assertRegex(done.stdout, r"\d+ letters discarded\n(?s:.*)\(0 rows\)\n$")


if __name__ == "__main__":
    unittest.main()
