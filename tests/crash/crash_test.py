#!/usr/bin/env python3
"""SIGKILLs at seeded moments over publish, run and archive on one data directory; in the end nothing is lost and
nothing counts twice.

20 kills at the level short, 500 at the level long. A failure names its seed: MILLRACE_TEST_SEED repeats it.
"""

import collections
import csv
import json
import random
import signal
import time
import unittest

import flights_program
from flights_program import Scenario, kill

KILLS = 500 if flights_program.LONG else 20
KILLS_PER_SCENARIO = 20
ROWS = 20_000
# What one generation, log, archive and checkpoints need is far less; an orphan of each kill would be more.
FILES_MAX = 150
# A run goes on from the checkpoint of another, whatever backend either has its state in.
STATE_BACKENDS = ([], ["--state_backend=rocksdb", "--state_memory_mib=1"])


class Work:
    """The processes of a scenario: each is started again after it was killed."""

    def __init__(self, scenario, random_numbers):
        self.scenario = scenario
        self.random = random_numbers
        # The publish would take about as long as the kills do.
        rate = ROWS * 1.1 / (KILLS_PER_SCENARIO * 0.5)
        self.commands = {
            "publish": scenario.publish(f"--rate={rate:.0f}",
                                        f"--sync={self.random.choice(['always', 'interval', 'os'])}"),
            "run": scenario.run("--checkpoint_interval=100ms"),
            "archive": scenario.command("archive", "run", "--continuous", "--archive_interval=20ms",
                                        "--archive_after=200ms"),
        }
        self.children = {}
        self.kills = collections.Counter()
        self.acknowledged = []

    def start_missing(self):
        for name, command in self.commands.items():
            child = self.children.get(name)
            if name != "publish" and not (self.scenario.data / "log/flights/ends").exists():
                continue
            if child is not None and child.poll() not in (None, 0, -signal.SIGKILL):
                raise AssertionError(f"{' '.join(command)}\nended with {child.returncode}:\n{child.communicate()[1]}")
            if child is None or child.poll() is not None:
                backend = self.random.choice(STATE_BACKENDS) if name == "run" else []
                self.children[name] = self.scenario.start([*command, *backend])

    def kill_some(self):
        chosen = [name for name in self.children if self.random.random() < 0.5]
        for name in chosen or [self.random.choice(sorted(self.children))]:
            if kill(self.children[name]):
                self.kills[name] += 1

    def kill_until(self, number):
        while sum(self.kills.values()) < number:
            self.start_missing()
            time.sleep(self.random.uniform(0.02, 0.8))
            self.kill_some()

    def finish(self):
        for child in self.children.values():
            kill(child)
        self.scenario.finish(self.scenario.publish("--close"))
        self.scenario.finish(self.commands["run"])
        self.scenario.finish(self.scenario.command("archive", "run", "--flush"))


class CrashTest(unittest.TestCase):
    def check_archive(self, scenario):
        """The archive holds what the log holds, and says so itself."""
        scenario.finish(scenario.command("archive", "verify"))
        listed = scenario.finish(scenario.command("archive", "list", "--format=json")).splitlines()
        paths = [json.loads(line)["path"] for line in listed]  # others are what a kill has left, and go after a while
        rows = scenario.duck.query(f"SELECT partition, \"offset\", decode(data) FROM read_parquet({paths})")
        archived = {(int(partition), int(offset)): data for partition, offset, data in rows}
        self.assertEqual(len(archived), len(rows), "an offset is archived twice")
        log = {(record.partition, record.offset): record.data for record in scenario.log() if record.data is not None}
        differing = [place for place in archived.keys() | log.keys() if archived.get(place) != log.get(place)]
        self.assertEqual(differing[:20], [])

    def check_origins(self, scenario):
        """Each dead letter names its record."""
        log = {(f"flights/{record.partition}", str(record.offset)): record.data for record in scenario.log()}
        letters = scenario.rows("SELECT name, origin, position, json_extract_string(element, '$.event') AS event, "
                                "json_extract_string(element, '$.value.id') AS id FROM dead_letters")
        self.assertGreater(len(letters), 0)
        for name, origin, position, event, number in csv.reader(letters):
            data = log[origin, position]
            self.assertIn(f'"id":{number},' if name == "late" else event, data)

    def run_scenario(self, number, kills):
        seed = (flights_program.SEED * 1000 + number) % 2**63
        numbers = random.Random(seed)
        scenario = Scenario(ROWS, seed, first=numbers.randrange(0, 2_900_000))
        self.addCleanup(scenario.close)
        work = Work(scenario, numbers)
        with self.subTest(seed=seed, kills=kills):
            work.kill_until(kills)
            work.finish()
            self.assertEqual(scenario.differences_of_the_log(), [])
            self.assertEqual(scenario.check("check_live.sql"), [])
            self.assertEqual(scenario.check("check_dead_letters.sql"), [])
            twice = scenario.rows("SELECT step, element, window_start FROM dead_letters WHERE name = 'late' "
                                  "GROUP BY ALL HAVING count(*) > 1")
            self.assertEqual(twice, [], "a late flight is written down twice")
            scenario.finish(scenario.command("ledger"))  # fails where it does not balance
            self.check_origins(scenario)
            self.assertEqual(scenario.differences_of_the_stores(), [])
            self.check_archive(scenario)
            self.assertLess(scenario.files(), FILES_MAX)
            self.assertEqual(len(list(scenario.data.glob("generation-*"))), 1)
        scenario.close()
        return work.kills

    def test_kills(self):
        killed = collections.Counter()
        number = 0
        while sum(killed.values()) < KILLS:
            killed += self.run_scenario(number, min(KILLS_PER_SCENARIO, KILLS - sum(killed.values())))
            number += 1
        print(f"{sum(killed.values())} kills:", ", ".join(f"{killed[name]} of {name}" for name in sorted(killed)))


if __name__ == "__main__":
    unittest.main()
