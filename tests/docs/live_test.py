#!/usr/bin/env python3
"""Runs the commands of docs/guide/live.md, in their order and in one shell, on a slice of the real file."""

import unittest

import guide


class LiveTest(guide.GuideTest):
    def test_the_commands_of_the_guide(self):
        blocks = guide.blocks("live.md", "sh")
        self.assertGreater(len(blocks), 4)
        done = self.shell("".join(blocks) + "wait\n")
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertIn("which is closed now", done.stderr)
        self.assertRegex(done.stderr, r"flights: done in .* dead letters")
        self.assertRegex(done.stdout, r"flights +\d+")


if __name__ == "__main__":
    unittest.main()
