#!/usr/bin/env python3
"""A Lambda topology over flights, some of them late or sent twice: what both layers give together equals DuckDB SQL over
all flights, however often a recompute is killed; and it says which layer a cell comes from.

4 kills of recomputes at the level short, 100 at the level long.
"""

import json
import random
import time
import unittest

import flights_program
from flights_program import Scenario, kill

ROWS = 60_000  # four days
KILLS = 100 if flights_program.LONG else 4
VIEWS = ("hourly_delays", "route_delays")


class LambdaScenario(Scenario):
    def lambda_(self, verb, *more):
        return self.command(verb, "--topology=lambda", "--threads=2", f"--airports={flights_program.DATA}/airports.csv",
                            *more)

    def run_lambda(self):
        return self.lambda_("run", "--checkpoint_interval=100ms", "--archive_after=200ms", "--archive_interval=50ms")

    def recompute(self, *more):
        return self.lambda_("recompute", *more)

    def manifest(self):
        return json.loads((self.data / "batch/manifest.json").read_text(encoding="utf-8"))

    def versions(self):
        """The current version of each day."""
        return {partition["name"]: partition["versions"][0]["version"] for partition in self.manifest()["partitions"]}

    def sources(self, *more):
        """How many cells each layer gives, by day."""
        sql = ("SELECT CAST(window_end - INTERVAL 1 MICROSECOND AS DATE), _source, _version, count(*) "
               "FROM hourly_delays GROUP BY ALL ORDER BY ALL")
        return [tuple(line.split(",")) for line in self.rows(sql, *more)]


class LambdaTest(unittest.TestCase):
    def setUp(self):
        self.scenario = LambdaScenario(ROWS)
        self.addCleanup(self.scenario.close)

    def check(self, *more):
        self.assertEqual(self.scenario.check("check.sql", *more), [])

    def run_all(self):
        """The run, with what is published meanwhile; gives what it said."""
        run = self.scenario.start(self.scenario.run_lambda())
        self.scenario.finish(self.scenario.publish("--rate=30000", "--sync=os", "--close"))
        _, said = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 0, said)
        return said

    def check_published(self):
        """What any client of DuckDB reads is the current version of each day."""
        for view in VIEWS:
            files = self.scenario.data / f"batch/current/{view}/*/*.parquet"
            read = self.scenario.duck.query(
                f"SELECT CAST(day AS VARCHAR), CAST(any_value(_version) AS BIGINT), count(DISTINCT _version), "
                f"bool_and(CAST(window_end - INTERVAL 1 MICROSECOND AS DATE) = day) "
                f"FROM read_parquet('{files}', hive_partitioning = true) GROUP BY day")
            self.assertEqual({row[0]: int(row[1]) for row in read}, self.scenario.versions(), view)
            self.assertEqual({(str(row[2]), str(row[3]).lower()) for row in read}, {("1", "true")}, view)

    def test_batch_and_speed_together_equal_sql_over_all_flights(self):
        said = self.run_all()
        self.assertIn("2001-01-01", said)
        self.check()
        self.check_published()
        # A look-up gives the same rows.
        looked_up = self.scenario.finish(self.scenario.lambda_("query", "route_delays", "LAX", "--format=csv"))
        by_sql = self.scenario.rows("SELECT * EXCLUDE (_pane, _final) FROM route_delays WHERE origin = 'LAX' "
                                    "ORDER BY origin, destination, window_start, window_end")
        self.assertEqual([line for line in looked_up.splitlines() if line.startswith("LAX,")], by_sql)
        self.assertGreater(len(by_sql), 100)
        # Late flights are in no cell of the speed layer; without the batch layer they are missing.
        self.assertEqual({source for _, source, _, _ in self.scenario.sources()}, {"batch"})
        late = self.scenario.rows("SELECT count(*) FROM dead_letters WHERE name = 'late'")
        self.assertNotEqual(late, ["0"])
        sql = "SELECT (SELECT sum(flights) FROM {0}hourly_delays) + (SELECT sum(flights) FROM {0}route_delays)"
        self.assertLess(int(self.scenario.rows(sql.format("warehouse."))[0]), int(self.scenario.rows(sql.format(""))[0]))
        self.assertIn("there is nothing to compute", self.scenario.finish(self.scenario.recompute()))
        self.assertIn("there is nothing to compute", self.scenario.finish(self.scenario.recompute("--dirty")))

    def status(self):
        told = self.scenario.finish(self.scenario.command("status", "--topology=lambda", "--format=json"))
        return json.loads(next(line for line in told.splitlines() if line.startswith("{"))).get("batch")

    def test_the_status_says_what_the_batch_layer_lacks(self):
        run = self.scenario.start(self.scenario.run_lambda())
        self.scenario.finish(self.scenario.publish("--rate=30000", "--sync=os"))  # not closed: the last day has no end
        until = time.monotonic() + 60
        while (self.status() or {}).get("through") != "2001-01-04T00:00:00Z":
            self.assertLess(time.monotonic(), until, self.status())
            time.sleep(0.2)
        told = self.status()
        self.assertEqual((told["every"], told["partitions"], told["from"]), ("day", 3, "2001-01-01T00:00:00Z"))
        self.assertEqual(told["complete_at"], "2001-01-05T00:00:00Z")
        # What has landed since the days were looked at.
        records = sum(record.data is not None for record in self.scenario.log())
        manifest = self.scenario.manifest()
        checked = sum(manifest["partitions"][0]["checked"])
        self.assertEqual(told["unchecked"], records - checked)
        self.assertEqual(told["dirty"], [])
        said = self.scenario.finish(self.scenario.command("status", "--topology=lambda"))
        self.assertIn("3 partitions of a day, 2001-01-01T00:00:00Z through 2001-01-04T00:00:00Z", said)
        self.assertIn("all that has landed is in it when event time is 2001-01-05T00:00:00Z, in ", said)
        # A day that late flights have made dirty while nothing could compute it.
        kill(run)
        folder = self.scenario.data / "batch/manifest.json"
        manifest["partitions"][1]["is_dirty"] = True
        folder.write_text(json.dumps(manifest), encoding="utf-8")
        self.assertEqual(self.status()["dirty"], ["2001-01-02"])
        self.assertIn("1 to be computed again: 2001-01-02",
                      self.scenario.finish(self.scenario.command("status", "--topology=lambda")))
        said = self.scenario.finish(self.scenario.recompute("--dirty"))
        self.assertIn("2001-01-02: version", said)
        self.assertEqual((self.status()["dirty"], self.status()["unchecked"]), ([], 0))

    def test_what_was_read_then_can_be_read_again(self):
        self.run_all()
        before = self.scenario.sources()
        version = self.scenario.manifest()["version"]
        written_at = self.scenario.manifest()["written_at"]
        said = self.scenario.finish(self.scenario.recompute("--from=2001-01-02T05:00:00Z", "--to=2001-01-03", "--force"))
        self.assertIn("computed are whole partitions: 2001-01-02", said)
        after = self.scenario.sources()
        self.assertNotEqual(before, after)
        self.assertEqual(self.scenario.versions()["2001-01-02"], version + 1)
        self.check()
        for as_of in (version, written_at):
            self.assertEqual(self.scenario.sources(f"--as_of={as_of}"), before, as_of)
            self.check(f"--as_of={as_of}")
        # Two later versions of that day, and the first one is not kept any more.
        for _ in range(2):
            self.scenario.finish(self.scenario.recompute("--from=2001-01-02", "--to=2001-01-03", "--force"))
        with self.assertRaisesRegex(AssertionError, "does not keep that state of partition 2001-01-02"):
            self.scenario.sources(f"--as_of={version}")
        with self.assertRaisesRegex(AssertionError, "neither a version"):
            self.scenario.sources("--as_of=yesterday")

    def test_a_recompute_that_is_killed_leaves_what_was(self):
        self.run_all()
        numbers = random.Random(flights_program.SEED)
        began = time.monotonic()
        self.scenario.finish(self.scenario.recompute("--from=2001-01-01", "--force"))
        lasts = time.monotonic() - began
        kills = 0
        while kills < KILLS:
            before = self.scenario.versions()
            child = self.scenario.start(self.scenario.recompute("--from=2001-01-01", "--force"))
            time.sleep(numbers.uniform(0, lasts * 1.1))
            kills += kill(child)
            after = self.scenario.versions()
            self.assertEqual(len(set(after.values())), 1, f"{before} became {after}")
            self.check()
        self.scenario.finish(self.scenario.recompute("--from=2001-01-01", "--force"))
        self.check_published()
        named = {file["path"] for partition in self.scenario.manifest()["partitions"]
                 for version in partition["versions"] for file in version["views"]}
        named |= {file["path"] for file in self.scenario.manifest()["superseded"]}
        batch = self.scenario.data / "batch"
        self.assertEqual({str(path.relative_to(batch)) for path in (batch / "versions").rglob("*.parquet")}, named)

    def test_what_cannot_be_asked_is_refused(self):
        run = self.scenario.lambda_("recompute", "--dirty", "--from=2001-01-01")
        self.assertIn("give --dirty, or --from and --to", self.scenario.finish(run, code=2))
        said = self.scenario.finish(self.scenario.lambda_("describe"))
        self.assertIn("certifiable: by partitions, each from records up to 1h before it", said)
        self.assertIn("certifiable: by partitions, each from records up to 6h before it", said)
        kappa = self.scenario.command("recompute", "--topology=kappa")
        self.assertIn("this job has no batch layer", self.scenario.finish(kappa, code=2))
        self.scenario.finish(self.scenario.publish())
        self.assertIn("there is no run with a checkpoint", self.scenario.finish(self.scenario.recompute(), code=1))
        self.assertIn("4 partitions", self.scenario.finish(self.scenario.recompute("--from=2001-01-01")))


if __name__ == "__main__":
    unittest.main()
