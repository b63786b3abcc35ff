#!/usr/bin/env python3
"""A Kappa topology of living processes: who archives when the run is gone, what a replay is compared with, and what
becomes of one whose topic is closed."""

import json
import re
import signal
import subprocess
import time
import unittest

import flights_program
from flights_program import kill
from kappa_test import KappaScenario

ROWS = 4_000
ARCHIVE = ("--archive_after=100ms", "--archive_interval=50ms")
WAIT_S = 60


class KappaLiveTest(unittest.TestCase):
    def setUp(self):
        self.scenario = KappaScenario(ROWS)
        self.addCleanup(self.scenario.close)

    def start(self, name, *arguments):
        """A process of the topology, whose standard error is a file from which `said` reads while it lives."""
        with open(self.scenario.folder / f"{name}.txt", "a", encoding="utf-8") as told:
            child = subprocess.Popen(self.scenario.kappa(*arguments), stdout=subprocess.DEVNULL, stderr=told)
        self.scenario.children.append(child)
        return child

    def said(self, name):
        return (self.scenario.folder / f"{name}.txt").read_text(encoding="utf-8")

    def wait_until(self, reached, why):
        until = time.monotonic() + WAIT_S
        while not reached():
            self.assertLess(time.monotonic(), until, why())
            time.sleep(0.05)

    def wait_said(self, name, text):
        self.wait_until(lambda: text in self.said(name), lambda: f"{name} never said {text!r}:\n{self.said(name)}")

    def publish_a_part(self, records, *more):
        """Publishes so far that the log has that many records at least."""
        publisher = self.scenario.start(self.scenario.publish("--rate=1000", "--sync=os", *more))
        self.wait_until(lambda: self.records() >= records or publisher.poll() is not None, lambda: "nothing published")
        publisher.send_signal(signal.SIGINT)
        publisher.communicate(timeout=WAIT_S)
        self.assertLess(self.records(), ROWS, "all was published already")

    def records(self):
        try:
            return len(self.scenario.log())
        except (OSError, ValueError):  # it is being made
            return 0

    def archived(self):
        """Records in the archive, and who has written it last."""
        listed = self.scenario.finish(self.scenario.command("archive", "list", "--format=csv"))
        manifest = (self.scenario.data / "archive/flights/manifest").read_bytes()
        writer = re.search(rb'"written_by":"`flights (\w+)` \(pid (\d+)', manifest)
        return sum(int(line.split(",")[4]) for line in listed.splitlines()[1:]), int(writer[2])

    def wait_archived_by(self, child):
        """Until all that the log holds is archived, and that child has done so."""
        self.wait_until(lambda: self.archived() == (len([r for r in self.scenario.log() if r.data is not None]),
                                                    child.pid),
                        lambda: f"archived {self.archived()}, in the log {self.records()}, expected of {child.pid}")

    def check_generations(self, *generations):
        for generation in generations:
            only = f"--generation={generation}"
            self.assertEqual(self.scenario.check("check_live.sql", only), [], generation)
            self.assertEqual(self.scenario.check("check_dead_letters.sql", only), [], generation)

    def check_status(self, expected):
        """What each generation is for, and who runs it; those that run have read all, or are about to."""
        def told(*more):
            status = json.loads(self.scenario.finish(self.scenario.command("status", "--format=json", *more)))
            return {g["generation"]: g for g in status["generations"]}
        for more in ((), ("--generation=2",)):
            self.wait_until(lambda: all(told(*more)[n].get("caught_up") is True  # noqa: B023
                                        for n, (_, pid) in expected.items() if pid), lambda: told(*more))  # noqa: B023
            for number, listed in told(*more).items():
                self.assertEqual((listed["purpose"], listed.get("pid")), expected[number], listed)
                self.assertEqual(listed["is_read"], listed["purpose"] == "read")
                if listed.get("pid") is None:
                    self.assertIsNone(listed.get("caught_up"))  # it would go on
        lines = self.scenario.finish(self.scenario.command("status")).splitlines()
        for number, (purpose, pid) in expected.items():
            who = f"`flights .*` \\(pid {pid}, .*yes$" if pid else "none +-$"
            self.assertTrue(any(re.search(rf"^ *{number}  {purpose} +\d+ .*{who}", line) for line in lines), lines)

    def test_a_replay_archives_when_the_run_is_gone(self):
        run = self.start("run", "run", *ARCHIVE)
        self.publish_a_part(800)
        self.wait_archived_by(run)
        replay = self.start("replay", "replay", "--promote=when_caught_up", *ARCHIVE)
        self.wait_said("replay", "promoted; it is what is read now")
        self.wait_said("replay", f"archive: left to `flights run` (pid {run.pid}")
        self.publish_a_part(1500)
        self.wait_archived_by(run)
        self.check_status({1: ("kept", run.pid), 2: ("read", replay.pid)})

        self.assertTrue(kill(run))
        self.wait_said("replay", "has ended; this process archives now")
        self.publish_a_part(2200)
        self.wait_archived_by(replay)
        self.check_status({1: ("kept", None), 2: ("read", replay.pid)})

        # The run that comes back to its generation waits.
        self.scenario.finish(self.scenario.command("generations", "rollback"))
        run = self.start("again", "run", *ARCHIVE)
        self.wait_said("again", f"archive: left to `flights replay` (pid {replay.pid}")
        self.publish_a_part(2900)
        self.wait_archived_by(replay)
        self.scenario.finish(self.scenario.command("generations", "promote", "2"))
        self.scenario.finish(self.scenario.command("stop", "--generation=2"))
        self.assertEqual(replay.wait(timeout=WAIT_S), 0, self.said("replay"))
        self.wait_said("again", "has ended; this process archives now")
        self.publish_a_part(3300)
        self.wait_archived_by(run)

        # In the end nothing is missing anywhere.
        self.scenario.finish(self.scenario.publish("--close"))
        self.assertEqual(run.wait(timeout=WAIT_S), 0, self.said("again"))
        self.scenario.finish(self.scenario.run_kappa())
        self.assertEqual(self.scenario.differences_of_the_log(), [])
        self.check_generations(1, 2)
        self.scenario.finish(self.scenario.command("archive", "run", "--flush"))
        self.scenario.finish(self.scenario.command("archive", "verify"))
        self.assertNotIn("tried again", self.said("run") + self.said("again") + self.said("replay"))

    def test_a_replay_waits_for_a_run_that_is_behind_before_it_compares(self):
        self.scenario = KappaScenario(2 * ROWS, first=6_000)  # by day, when there are many
        self.addCleanup(self.scenario.close)
        late = ("--late=0.05", "--late_by=4h")
        self.publish_a_part(600, *late)
        slow = self.start("slow", "replay", "--promote=when_caught_up", "--read_rate=300", *ARCHIVE)
        self.wait_said("slow", "promoted; it is what is read now")
        # From here on it is the run. It reads some hours, and then nothing for a while: flights that are late for these
        # hours are in the archive before it meets them.
        self.publish_a_part(3_500, *late)
        self.wait_archived_by(slow)
        self.scenario.finish(self.scenario.publish("--sync=os", *late))
        self.wait_archived_by(slow)
        replay = self.start("replay", "replay", "--promote=when_equal", *ARCHIVE)
        self.wait_until(lambda: replay.poll() is not None or "promoted" in self.said("replay"),
                        lambda: self.said("replay"))
        self.assertIn("promoted; it is what is read now", self.said("replay"))
        self.assertNotIn("has not read", self.said("replay"))

    def read_after(self, replay, name="replay", code=0):
        self.assertEqual(replay.wait(timeout=WAIT_S), code, self.said(name))
        return self.scenario.read_generation()

    def test_a_replay_of_a_closed_topic_is_promoted_after_the_run_has_ended(self):
        self.scenario.finish(self.scenario.publish("--close"))
        self.scenario.finish(self.scenario.run_kappa())
        replay = self.start("replay", "replay", "--promote=when_equal", "--read_rate=2000")
        self.wait_said("replay", "replay into generation 2")
        self.assertIn("generation 2 is read now", self.scenario.finish(self.scenario.command("replay", "wait")))
        self.assertEqual(self.read_after(replay), 2)
        # One that differs is not, and whoever waits for it is told.
        replay = self.start("other", "replay", "--promote=when_equal", "--read_rate=2000", "--delayed_state=IL",
                            "--delayed_minutes=1500")
        self.wait_said("other", "replay into generation 3")
        said = self.scenario.finish(self.scenario.command("replay", "wait"), code=1)
        self.assertIn("the replay of generation 3 has ended, and was not promoted", said)
        self.assertEqual(self.read_after(replay, "other", code=1), 2)
        self.assertIn("so it is not promoted", self.said("other"))
        self.check_generations(1, 2)


if __name__ == "__main__":
    unittest.main()
