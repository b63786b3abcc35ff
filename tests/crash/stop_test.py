#!/usr/bin/env python3
"""Runs that are ended on purpose: stopped, with a snapshot, drained, with their windows closed."""

import time
import unittest

import flights_program
from flights_program import Scenario

ROWS = 4_000
CHECKPOINTS = "--checkpoint_interval=200ms"


class StopTest(unittest.TestCase):
    def setUp(self):
        self.scenario = Scenario(ROWS)
        self.addCleanup(self.scenario.close)

    def start_run(self, *more):
        """A run over all that is published so far, which waits for more."""
        run = self.scenario.start(self.scenario.run(CHECKPOINTS, *more))
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if any(self.scenario.data.glob("generation-1/checkpoints/*")):
                break
            time.sleep(0.1)
        time.sleep(1)  # it reads the rest
        self.assertIsNone(run.poll(), "the run ended by itself")
        return run

    def ended(self, run):
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 0, err)
        return out + err

    def check_views(self):
        self.assertEqual(self.scenario.check("check_live.sql"), [])
        self.assertEqual(self.scenario.check("check_dead_letters.sql"), [])
        self.assertEqual(self.scenario.differences_of_the_stores(), [])

    def test_a_stopped_run_goes_on_and_its_snapshot_is_a_checkpoint(self):
        self.scenario.finish(self.scenario.publish())
        run = self.start_run()
        snapshot = self.scenario.folder / "snapshot"
        said = self.scenario.finish(self.scenario.command("stop", f"--snapshot={snapshot}"))
        self.assertIn(str(snapshot), said)
        self.ended(run)
        self.assertTrue(any(snapshot.iterdir()))
        self.scenario.finish(self.scenario.publish("--close"))
        self.scenario.finish(self.scenario.run(CHECKPOINTS))
        self.check_views()

    def test_a_drained_run_keeps_its_windows_open(self):
        self.scenario.finish(self.scenario.publish())
        run = self.start_run()
        self.scenario.finish(self.scenario.command("drain"))
        self.ended(run)
        self.scenario.finish(self.scenario.publish("--close"))
        self.scenario.finish(self.scenario.run(CHECKPOINTS))
        self.check_views()

    def test_windows_are_closed_on_request(self):
        self.scenario.finish(self.scenario.publish())
        run = self.start_run()
        self.scenario.finish(self.scenario.command("drain", "--close_windows"))
        self.ended(run)
        self.check_views()


if __name__ == "__main__":
    unittest.main()
