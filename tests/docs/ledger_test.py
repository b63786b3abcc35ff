#!/usr/bin/env python3
"""Runs the commands of docs/guide/ledger.md, in their order and in one shell, on a slice of the real file."""

import unittest

import guide


class LedgerTest(guide.GuideTest):
    def test_the_commands_of_the_guide(self):
        blocks = guide.blocks("ledger.md", "sh")
        self.assertGreater(len(blocks), 5)
        done = self.shell("".join(blocks))
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-3000:])
        self.assertNotIn("does not balance", done.stderr)
        self.assertIn('"balances":true', done.stdout)

        # Every flight that Los Angeles was missing for is a letter, would be taken, and counts once in the end.
        known = (f"SELECT count(*) FROM '{self.folder}/flights.parquet' f, '{self.folder}/airports.csv' o, "
                 f"'{self.folder}/airports.csv' d WHERE f.origin = o.iata AND f.destination = d.iata ")
        is_valid = "AND delay BETWEEN -120 AND 1440 AND distance > 0 "
        is_lax = "AND 'LAX' IN (f.origin, f.destination) "
        letters, rescued, valid = (int(guide.duck.Duck().query(known + where)[0][0])
                                   for where in (is_lax, is_lax + is_valid, is_valid))
        self.assertGreater(rescued, 100)
        self.assertIn(f"this program would take {rescued} of {letters} letters\n", done.stdout)
        self.assertIn(f"{letters} letters replayed: {letters} records put into the log again for generation 1\n",
                      done.stdout)
        self.assertRegex(done.stdout, rf"\n *{valid}\n")
        self.assertRegex(done.stdout, r"\d+ letters discarded\n(?s:.*)\(0 rows\)\n$")


if __name__ == "__main__":
    unittest.main()
