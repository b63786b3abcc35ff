#!/usr/bin/env python3
"""Runs the commands of docs/guide/lambda.md, in their order and in one shell, on a slice of the real file."""

import re
import subprocess
import unittest

import guide


class LambdaTest(guide.GuideTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(subprocess.run, ["pkill", "-KILL", "-f", str(self.folder)], check=False)

    def test_the_commands_of_the_guide(self):
        blocks = guide.blocks("lambda.md", "sh")
        self.assertGreater(len(blocks), 5)
        # The absolute path in the commands lets the clean-up find what a failure leaves behind.
        done = self.shell("".join(blocks).replace("--data_dir=data", f"--data_dir={self.folder}/data"))
        said = (self.folder / "run.txt").read_text(encoding="utf-8")
        told = done.stdout[-3000:] + done.stderr[-3000:] + said[-2000:]
        self.assertEqual(done.returncode, 0, told)
        # Days were computed beside the run, one more by hand, and the last ones when the topic was closed.
        self.assertRegex(said, r"2001-01-01.*: version 1, ")
        self.assertRegex(done.stderr, r"2001-01-02: version \d+, 1 partition, ")
        self.assertRegex(done.stdout, r"batch layer +\d+ partitions of a day, 2001-01-01T00:00:00Z through 2001-01-0")
        self.assertIn("hourly_delays: the batch layer and generation 1 are certified to agree through 2001-01-0", done.stdout)
        both, alone = (int(text) for text in re.search(r"speed_alone\n-+ +-+\n *(\d+) +(\d+)", done.stdout).groups())
        self.assertGreater(both, alone, told)
        duck = guide.duck.Duck()
        valid = int(duck.query(f"SELECT count(*) FROM '{self.folder}/flights.parquet' "
                               "WHERE delay BETWEEN -120 AND 1440 AND distance > 0")[0][0])
        source, _, flights = re.findall(r"^(batch|speed) +(\d+) +(\d+)$", done.stdout, re.MULTILINE)[-1]
        self.assertEqual((source, int(flights)), ("batch", valid), told)
        for statement in guide.blocks("lambda.md", "sql"):
            days = duck.query(statement.replace("'data/", f"'{self.folder}/data/"))
            self.assertEqual(sum(int(day[2]) for day in days), valid)


if __name__ == "__main__":
    unittest.main()
