#!/usr/bin/env python3
"""The verb `compare`: what it counts is what both topologies have, and it leaves them to be looked at."""

import csv
import io
import unittest

from lambda_test import LambdaScenario

ROWS = 40_000


class CompareTest(unittest.TestCase):
    def setUp(self):
        self.scenario = LambdaScenario(ROWS)
        self.addCleanup(self.scenario.close)

    def compare(self, *more, code=0):
        return self.scenario.finish(self.scenario.lambda_(
            "compare", str(self.scenario.input), "--duplicates=0.02", "--late=0.02", "--garbage=0.01",
            "--rate=20000", "--sync=os", "--checkpoint_interval=200ms", "--archive_after=200ms",
            "--archive_interval=100ms", "--format=csv", *more), code=code)

    def test_the_same_input_through_both(self):
        said = self.compare()
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(said)) if len(row) == 3}
        self.assertEqual(rows["records"][0], rows["records"][1])
        self.assertGreaterEqual(int(rows["records"][0].replace(",", "")), ROWS)
        for name in ("wall seconds", "CPU seconds: live, of lambda with its recomputes", "MiB: log", "MiB: archive"):
            self.assertTrue(all(float(value) > 0 for value in rows[name]), (name, rows))
        self.assertEqual(float(rows["MiB: batch layer"][0]), 0)
        self.assertGreater(float(rows["MiB: batch layer"][1]), 0)
        self.assertGreater(float(rows["seconds until everything is certain, by a replay"][0]), 0)
        for topology in rows["freshness, seconds: 99 %"]:
            self.assertLess(float(topology), 30)
        # Both directories are as after a run: lambda equals SQL, and so the cells that kappa lacks are those that came
        # too late.
        self.scenario.data = self.scenario.data / "lambda"
        self.assertEqual(self.scenario.check("check.sql"), [])
        cells = sum(int(self.scenario.rows(f"SELECT count(*) FROM {view}")[0])
                    for view in ("hourly_delays", "route_delays"))
        self.assertEqual(int(rows["cells of the answer"][1].replace(",", "")), cells)
        self.assertGreater(int(rows["of them otherwise in kappa, live"][1].replace(",", "")), 0)
        self.scenario.data = self.scenario.data.parent
        self.assertIn("is there; give a folder that is new", self.compare(code=1))

    def test_what_it_cannot_compare(self):
        said = self.scenario.finish(self.scenario.command("compare", "--topology=kappa"), code=2)
        self.assertIn("say --topology=lambda", said)
        said = self.scenario.finish(self.scenario.command("compare", "--topology=lambda"), code=2)
        self.assertIn("usage: flights compare FILE", said)


if __name__ == "__main__":
    unittest.main()
