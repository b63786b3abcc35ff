#!/usr/bin/env python3
"""Runs the commands and the SQL of docs/guide/event-log.md, in their order, on a slice of the real file."""

import os
import unittest

import guide


class EventLogTest(guide.GuideTest):
    def test_the_commands_of_the_guide(self):
        done = self.shell("".join(guide.blocks("event-log.md", "sh")), "-euxc")
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
        self.addCleanup(os.chdir, guide.ROOT)
        statements = [code for block in guide.blocks("event-log.md", "sql") for code in block.split(";")
                      if code.strip()]
        self.assertEqual(len(statements), 2)
        by_partition, by_origin = (guide.duck.Duck().query(statement) for statement in statements)
        self.assertEqual(sum(int(row[2]) for row in by_partition), guide.ROWS)
        self.assertEqual({row[1] for row in by_partition}, {"0", "1", "2", "3"})
        expected = guide.duck.Duck().query("SELECT origin, count(*) AS n FROM 'flights.parquet' GROUP BY ALL "
                                           "ORDER BY n DESC LIMIT 5")
        self.assertEqual(by_origin, expected)


if __name__ == "__main__":
    unittest.main()
