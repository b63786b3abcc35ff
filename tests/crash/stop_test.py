#!/usr/bin/env python3
"""Runs that are ended on purpose: stopped, with a snapshot, drained, with their windows closed."""

import json
import shutil
import signal
import time
import unittest

from flights_program import Scenario, kill

ROWS = 4_000
CHECKPOINTS = "--checkpoint_interval=200ms"


class StopTest(unittest.TestCase):
    def setUp(self):
        self.scenario = Scenario(ROWS)
        self.addCleanup(self.scenario.close)

    def start_run(self, *more):
        """A run over all that is published so far, which waits for more."""
        run = self.scenario.start(self.scenario.run(CHECKPOINTS, *more))
        self.wait_until(lambda: run.poll() is not None or self.has_read_all(run))
        self.assertIsNone(run.poll(), "the run ended by itself")
        return run

    def has_read_all(self, run):
        """The run has read all that the log holds, and there is a checkpoint."""
        server = self.scenario.data / "server.json"  # the one of a run before may still be there
        if not server.exists() or json.loads(server.read_text(encoding="utf-8"))["pid"] != run.pid:
            return False
        if not any(self.scenario.data.glob("generation-1/checkpoints/*")):
            return False
        status = json.loads(self.scenario.finish(self.scenario.command("status", "--format=json")))
        return any(generation.get("caught_up") is True for generation in status["generations"])

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
        # A folder that is taken stops no run.
        run = self.start_run()
        said = self.scenario.finish(self.scenario.command("stop", f"--snapshot={snapshot}"), code=1)
        self.assertIn("holds a snapshot already", said)
        self.scenario.finish(self.scenario.publish("--close"))
        self.ended(run)
        self.check_views()

    def wait_until(self, reached):
        until = time.monotonic() + 60
        while not reached():
            self.assertLess(time.monotonic(), until, "waited for too long")
            time.sleep(0.05)

    def records_of_the_log(self):
        try:
            return len(self.scenario.log())
        except (OSError, ValueError):  # it is being made
            return 0

    def publish_a_part(self, rate, records):
        publisher = self.scenario.start(self.scenario.publish(f"--rate={rate}"))
        self.wait_until(lambda: self.records_of_the_log() >= records)
        publisher.send_signal(signal.SIGINT)
        publisher.communicate(timeout=60)
        self.assertLess(len(self.scenario.log()), ROWS, "all was published already")

    def stopped_halfway(self, snapshot):
        """Publishes a part, lets two attempts of a run read it, and stops the second with a snapshot."""
        self.publish_a_part(rate=1000, records=2000)
        closed = "SELECT count(*) FROM hourly_delays WHERE window_end < '2001-01-01 03:00:00'"
        for more in ([], [f"--snapshot={snapshot}"]):
            run = self.start_run()
            self.wait_until((self.scenario.data / "server.json").exists)
            self.wait_until(lambda: int(self.scenario.rows(closed)[0]) > 0)
            self.scenario.finish(self.scenario.command("stop", *more))
            self.ended(run)

    def begin_elsewhere(self):
        """Another data directory, with a copy of the log, whose rest is published there."""
        log = self.scenario.data / "log"
        self.scenario.data = self.scenario.folder / "elsewhere"
        shutil.copytree(log, self.scenario.data / "log")
        self.scenario.finish(self.scenario.publish("--close"))

    def test_a_snapshot_begins_a_run_elsewhere_with_its_views(self):
        snapshot = self.scenario.folder / "snapshot"
        self.stopped_halfway(snapshot)
        self.begin_elsewhere()
        from_snapshot = f"--from_snapshot={snapshot}"
        # Killed as soon as it has begun: what it has taken over of the snapshot is its own.
        run = self.scenario.start(self.scenario.run("--checkpoint_interval=1h", from_snapshot))
        self.wait_until((self.scenario.data / "server.json").exists)
        kill(run)
        shutil.rmtree(snapshot)
        self.scenario.finish(self.scenario.run(CHECKPOINTS, from_snapshot))
        self.check_views()

    def test_a_snapshot_without_its_views_is_refused(self):
        snapshot = self.scenario.folder / "snapshot"
        self.stopped_halfway(snapshot)
        self.begin_elsewhere()
        (snapshot / "warehouse.duckdb").rename(snapshot / "elsewhere.duckdb")
        said = self.scenario.finish(self.scenario.run(CHECKPOINTS, f"--from_snapshot={snapshot}"), code=1)
        self.assertIn(f"{snapshot}/warehouse.duckdb is missing", said)
        self.assertFalse(any(self.scenario.data.glob("generation-*")), "a generation was begun")

    def test_a_snapshot_needs_the_log_that_it_was_made_of(self):
        snapshot = self.scenario.folder / "snapshot"
        self.stopped_halfway(snapshot)
        self.scenario.data = self.scenario.folder / "elsewhere"
        self.publish_a_part(rate=20, records=10)
        said = self.scenario.finish(self.scenario.run(CHECKPOINTS, f"--from_snapshot={snapshot}"), code=1)
        self.assertIn("is beyond the end", said)

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
