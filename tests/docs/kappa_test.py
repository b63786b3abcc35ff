#!/usr/bin/env python3
"""Runs the commands of docs/guide/kappa.md, in their order and in one shell, on a slice of the real file."""

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


class KappaTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_kappa_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(subprocess.run, ["pkill", "-KILL", "-f", str(self.folder)], check=False)
        data = ROOT / ".setup/data"
        shutil.copy(data / "airports.csv", self.folder)
        duck.Duck().query(f"COPY (SELECT * FROM read_parquet('{data}/flights-3m.parquet') LIMIT {ROWS}) "
                          f"TO '{self.folder}/flights.parquet' (FORMAT parquet)")

    def said(self, name):
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def test_the_commands_of_the_guide(self):
        blocks = COMMANDS.findall((ROOT / "docs/guide/kappa.md").read_text(encoding="utf-8"))
        self.assertGreater(len(blocks), 6)
        # The absolute path in the commands lets the clean-up find what a failure leaves behind.
        commands = "".join(blocks).replace("--data_dir=data", f"--data_dir={self.folder}/data")
        done = subprocess.run(["bash", "-euc", commands], cwd=self.folder, text=True, capture_output=True, timeout=110,
                              env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
        told = done.stderr[-3000:] + self.said("run.txt")[-1500:] + self.said("replay.txt")[-3000:]
        self.assertEqual(done.returncode, 0, told)
        self.assertIn("generation 2 is read now", done.stdout)
        self.assertIn("generation 3 is read now", done.stdout)
        self.assertIn("generation 2 is read again", done.stdout)
        delayed = [int(count) for count in re.findall(r"^ *\d+ +(\d+)$", done.stdout, re.MULTILINE)]
        self.assertEqual(len(delayed), 2, done.stdout)
        self.assertLess(delayed[0], delayed[1])
        flights, expected = (int(value) for value in duck.Duck().query(
            f"SELECT count(*), count(*) FILTER (delay >= 15) FROM '{self.folder}/flights.parquet' "
            "WHERE origin = 'ORD' AND delay BETWEEN -120 AND 1440 AND distance > 0")[0])
        self.assertLessEqual(delayed[1], expected)
        self.assertGreater(delayed[1], expected * 0.95)  # but for duplicates and what came too late
        self.assertIn("generation 2: promoted", self.said("replay.txt"))
        self.assertIn("generation 3: promoted", self.said("replay.txt"))
        self.assertEqual(sorted(path.name for path in (self.folder / "data").glob("generation-*")), ["generation-3"])


if __name__ == "__main__":
    unittest.main()
