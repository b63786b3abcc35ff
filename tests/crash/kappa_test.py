#!/usr/bin/env python3
"""SIGKILLs at seeded moments over a Kappa topology: the run with its archiver, a replay beside it, promotions and
roll-backs, and dead letters; in the end each generation equals SQL, and readers have seen one generation at a time.

10 kills at the level short, 300 at the level long. A failure names its seed: MILLRACE_TEST_SEED repeats it.
"""

import collections
import json
import random
import re
import signal
import subprocess
import threading
import time
import unittest

import flights_program
from flights_program import Scenario, kill

KILLS = 300 if flights_program.LONG else 10
KILLS_PER_SCENARIO = 10
PROMOTIONS = 100
ROWS = 20_000
FILES_MAX = 300
CHECKPOINTS = "--checkpoint_interval=100ms"


class KappaScenario(Scenario):
    def kappa(self, verb, *more):
        return self.command(verb, "--topology=kappa", "--threads=2", CHECKPOINTS,
                            f"--airports={flights_program.DATA}/airports.csv", *more)

    def run_kappa(self):
        return self.kappa("run", "--archive_after=200ms", "--archive_interval=50ms")

    def generations(self):
        """What `generations list` gives, by generation."""
        listed = self.finish(self.command("generations", "list", "--format=json")).splitlines()
        rows = [json.loads(line) for line in listed if line.startswith("{")]
        return {row["generation"]: row for row in rows}

    def read_generation(self):
        return next((n for n, row in self.generations().items() if row["purpose"] == "read"), None)


class Work:
    """The processes of a scenario: each is started again after it was killed."""

    def __init__(self, scenario, numbers):
        self.scenario = scenario
        self.random = numbers
        self.promote = numbers.choice(["never", "when_caught_up", "when_equal"])
        self.children = {}
        self.kills = collections.Counter()

    def commands(self):
        rate = ROWS * 1.1 / (KILLS_PER_SCENARIO * 0.6)
        return {
            "publish": self.scenario.publish(f"--rate={rate:.0f}", "--sync=os"),
            "run": self.scenario.run_kappa(),
            "replay": self.scenario.kappa("replay", f"--promote={self.promote}"),
        }

    def start_missing(self):
        for name, command in self.commands().items():
            child = self.children.get(name)
            if child is not None and child.poll() is None:
                continue
            if name == "replay" and not (self.scenario.data / "log/flights/ends").exists():
                continue
            if child is not None and child.returncode not in (0, -signal.SIGKILL):
                said = child.communicate()[1]
                # A promoted replay has what a run would go on with, until it is killed itself.
                if "is held by `flights replay`" not in said and "another generation was promoted" not in said:
                    raise AssertionError(f"{' '.join(command)}\nended with {child.returncode}:\n{said}")
            self.children[name] = self.scenario.start(command)

    def move_pointer(self):
        generations = self.scenario.generations() if (self.scenario.data / "millrace.json").exists() else {}
        beside = [n for n, row in generations.items() if row["purpose"] != "read"]
        if not beside or self.random.random() < 0.5:
            return
        verb = self.scenario.start(self.scenario.command("generations", "promote", str(self.random.choice(beside))))
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, 0.02))
            self.kills["promote"] += kill(verb)
        else:
            verb.communicate(timeout=60)

    def kill_until(self, number):
        while sum(self.kills.values()) < number:
            self.start_missing()
            time.sleep(self.random.uniform(0.05, 0.9))
            self.move_pointer()
            for name in [name for name in self.children if self.random.random() < 0.4]:
                self.kills[name] += kill(self.children[name])

    def finish(self):
        for child in self.children.values():
            kill(child)
        self.scenario.finish(self.scenario.publish("--close"))
        self.scenario.finish(self.scenario.run_kappa())
        self.scenario.finish(self.scenario.kappa("replay", "--promote=when_equal"))


class KappaTest(unittest.TestCase):
    def run_scenario(self, number, kills):
        seed = (flights_program.SEED * 1000 + 500 + number) % 2**63
        numbers = random.Random(seed)
        scenario = KappaScenario(ROWS, seed, first=numbers.randrange(0, 2_900_000))
        self.addCleanup(scenario.close)
        work = Work(scenario, numbers)
        with self.subTest(seed=seed, kills=kills, promote=work.promote):
            work.kill_until(kills)
            work.finish()
            self.assertEqual(scenario.differences_of_the_log(), [])
            read = scenario.read_generation()
            done = [n for n, row in scenario.generations().items() if "done" in row["note"]]
            self.assertIn(read, done)
            self.assertGreaterEqual(len(done), 2, scenario.generations())
            for generation in done:
                only = f"--generation={generation}"
                self.assertEqual(scenario.check("check_live.sql", only), [], generation)
                self.assertEqual(scenario.check("check_dead_letters.sql", only), [], generation)
            self.assertEqual(scenario.differences_of_the_stores(), [])
            scenario.finish(scenario.command("archive", "verify"))
            self.assertLess(scenario.files(), FILES_MAX)
            holds = {path.name for path in (scenario.data / "log/flights/holds").glob("run-*.json")}
            self.assertLessEqual(holds, {f"run-generation-{n}.json" for n in scenario.generations()})
        scenario.close()
        return work.kills

    def test_kills(self):
        killed = collections.Counter()
        number = 0
        while sum(killed.values()) < KILLS:
            killed += self.run_scenario(number, min(KILLS_PER_SCENARIO, KILLS - sum(killed.values())))
            number += 1
        print(f"{sum(killed.values())} kills:", ", ".join(f"{killed[name]} of {name}" for name in sorted(killed)))

    def test_readers_see_one_generation_through_promotions(self):
        scenario = KappaScenario(ROWS, flights_program.SEED)
        self.addCleanup(scenario.close)
        scenario.finish(scenario.publish("--close"))
        scenario.finish(scenario.run_kappa())
        scenario.finish(scenario.kappa("replay", "--delayed_state=IL", "--delayed_minutes=1500"))
        sql = "SELECT sum(delayed) AS delayed, (SELECT sum(delayed) FROM route_delays) AS in_routes FROM hourly_delays"
        sums = {n: scenario.rows(sql, f"--generation={n}")[0] for n in (1, 2)}
        self.assertNotEqual(sums[1], sums[2])
        seen = collections.Counter()
        failures = []
        done = threading.Event()

        def read():
            while not done.is_set():
                read = subprocess.run(scenario.command("sql", sql, "--format=csv"), capture_output=True, text=True,
                                      timeout=60, check=False)
                named = re.search(r"generation (\d+)", read.stderr)
                if read.returncode != 0 or not named or read.stdout.splitlines()[1] != sums[int(named[1])]:
                    failures.append((read.returncode, read.stdout, read.stderr))
                    return
                seen[int(named[1])] += 1

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for _ in range(PROMOTIONS // 2):
            scenario.finish(scenario.command("generations", "rollback"))
            scenario.finish(scenario.command("generations", "promote", "2"))
        done.set()
        for reader in readers:
            reader.join()
        self.assertEqual(failures, [])
        self.assertGreater(min(seen[1], seen[2]), 0, seen)


if __name__ == "__main__":
    unittest.main()
