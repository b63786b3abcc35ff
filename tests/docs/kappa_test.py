#!/usr/bin/env python3
"""Runs the commands of docs/guide/kappa.md, in their order and in one shell, on a slice of the real file."""

import re
import subprocess
import unittest

import guide


class KappaTest(guide.GuideTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(subprocess.run, ["pkill", "-KILL", "-f", str(self.folder)], check=False)

    def said(self, name):
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def test_the_commands_of_the_guide(self):
        blocks = guide.blocks("kappa.md", "sh")
        self.assertGreater(len(blocks), 6)
        # The absolute path in the commands lets the clean-up find what a failure leaves behind.
        done = self.shell("".join(blocks).replace("--data_dir=data", f"--data_dir={self.folder}/data"))
        told = done.stderr[-3000:] + self.said("run.txt")[-1500:] + self.said("replay.txt")[-3000:]
        self.assertEqual(done.returncode, 0, told)
        self.assertIn("generation 2 is read now", done.stdout)
        self.assertIn("generation 3 is read now", done.stdout)
        self.assertIn("generation 2 is read again", done.stdout)
        delayed = [int(count) for count in re.findall(r"^ *\d+ +(\d+)$", done.stdout, re.MULTILINE)]
        self.assertEqual(len(delayed), 2, done.stdout)
        self.assertLess(delayed[0], delayed[1])
        flights, expected = (int(value) for value in guide.duck.Duck().query(
            f"SELECT count(*), count(*) FILTER (delay >= 15) FROM '{self.folder}/flights.parquet' "
            "WHERE origin = 'ORD' AND delay BETWEEN -120 AND 1440 AND distance > 0")[0])
        self.assertLessEqual(delayed[1], expected)
        self.assertGreater(delayed[1], expected * 0.95)  # but for duplicates and what came too late
        self.assertIn("generation 2: promoted", self.said("replay.txt"))
        self.assertIn("generation 3: promoted", self.said("replay.txt"))
        self.assertEqual(sorted(path.name for path in (self.folder / "data").glob("generation-*")), ["generation-3"])


if __name__ == "__main__":
    unittest.main()
