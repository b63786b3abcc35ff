#!/usr/bin/env python3
"""Runs the commands of docs/guide/live.md, in their order and in one shell, on a slice of the real file."""

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


class LiveTest(unittest.TestCase):
    def test_the_commands_of_the_guide(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_live_"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        data = ROOT / ".setup/data"
        shutil.copy(data / "airports.csv", folder)
        duck.Duck().query(f"COPY (SELECT * FROM read_parquet('{data}/flights-3m.parquet') LIMIT {ROWS}) "
                          f"TO '{folder}/flights.parquet' (FORMAT parquet)")
        blocks = COMMANDS.findall((ROOT / "docs/guide/live.md").read_text(encoding="utf-8"))
        self.assertGreater(len(blocks), 4)
        done = subprocess.run(["bash", "-euc", "".join(blocks) + "wait\n"], cwd=folder, text=True, capture_output=True,
                              timeout=110, env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertIn("which is closed now", done.stderr)
        self.assertRegex(done.stderr, r"flights: done in .* dead letters")
        self.assertRegex(done.stdout, r"flights +\d+")


if __name__ == "__main__":
    unittest.main()
