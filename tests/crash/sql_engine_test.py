#!/usr/bin/env python3
"""The SQL batch engine over flights: the SQL files of the example give the cells of the native engine, cell by cell, from
the archive and from the log behind it; and a file that is wrong is an error that says where, and leaves what was.
"""

import os
import random
import shutil
import unittest

import flights_program
import lambda_test

ROWS = 20_000  # a day and some hours
EXAMPLE = flights_program.ROOT / "examples/flights"
VIEWS = lambda_test.VIEWS


def a_part(cases, count):
    """All of them at the level long, else so many that the seed chooses."""
    return cases if flights_program.LONG else random.Random(flights_program.SEED).sample(cases, count)


class SqlEngineTest(unittest.TestCase):
    def setUp(self):
        self.scenario = lambda_test.LambdaScenario(ROWS)
        self.addCleanup(self.scenario.close)
        self.sql = self.scenario.folder / "sql"
        shutil.copytree(EXAMPLE, self.sql, ignore=lambda _, names: [name for name in names if not name.endswith(".sql")])

    def recompute(self, *more, code=0):
        return self.scenario.finish(self.scenario.recompute("--from=2001-01-01", f"--sql_folder={self.sql}", *more),
                                    code=code)

    def publish(self, *more):
        self.scenario.finish(self.scenario.publish("--sync=os", *more))

    def archived(self):
        """How many records the archive holds."""
        files = list((self.scenario.data / "archive").rglob("*.parquet"))
        if not files:
            return 0
        paths = ", ".join(f"'{path}'" for path in files)
        [(count,)] = self.scenario.duck.query(f"SELECT count(*) FROM read_parquet([{paths}], hive_partitioning = false)")
        return int(count)

    def engines(self):
        return {version["engine"] for partition in self.scenario.manifest()["partitions"]
                for version in partition["versions"][:1]}

    def cells(self):
        """All cells of both views as any client of DuckDB reads them."""
        read = {}
        for view in VIEWS:
            files = self.scenario.data / f"batch/current/{view}/*/*.parquet"
            read[view] = self.scenario.duck.query(
                f"SELECT * EXCLUDE (_version) FROM read_parquet('{files}', hive_partitioning = false) ORDER BY ALL")
        return read

    def check_same(self, native):
        by_sql = self.cells()
        for view in VIEWS:
            self.assertEqual(len(by_sql[view]), len(native[view]), view)
            different = [pair for pair in zip(native[view], by_sql[view]) if pair[0] != pair[1]]
            self.assertEqual(different[:5], [], view)

    def check_overlap(self):
        """There are sliding windows that two days' records are in, on both sides of midnight."""
        files = self.scenario.data / "batch/current/route_delays/*/*.parquet"
        [(over,)] = self.scenario.duck.query(
            f"SELECT count(*) FROM read_parquet('{files}') WHERE window_start::DATE < window_end::DATE "
            f"AND window_end::TIME BETWEEN '01:00:00' AND '05:00:00'")
        self.assertGreater(int(over), 100)

    def test_sql_and_logic_give_the_same_cells(self):
        # In the archive, partly behind it, and all of it in the log.
        first = True
        for archived in a_part(("all", "half", "none"), 1):
            with self.subTest(archived=archived):
                if not first:
                    self.scenario.close()
                    self.setUp()
                first = False
                self.publish("--segment_bytes=300000")
                if archived == "all":
                    self.scenario.finish(self.scenario.lambda_("archive", "run", "--flush"))
                if archived == "half":
                    self.scenario.finish(self.scenario.lambda_("archive", "run"))
                self.assertEqual(self.archived() / len(self.scenario.log()) > 0.99, archived == "all")
                self.assertEqual(self.archived() > 0, archived != "none")
                self.recompute("--batch_engine=native")
                native = self.cells()
                self.check_overlap()
                said = self.recompute("--batch_engine=sql", "--force")
                self.assertIn(f"{len(self.scenario.versions())} partitions", said)
                self.assertEqual(self.engines(), {"sql"})
                self.check_same(native)

    def test_the_other_engine_is_computed_without_force(self):
        self.publish()
        self.recompute()
        version = self.scenario.manifest()["version"]
        self.assertIn("there is nothing to compute", self.recompute())
        self.assertIn(f"version {version + 1}", self.recompute("--batch_engine=sql"))
        self.assertIn("there is nothing to compute", self.recompute("--batch_engine=sql"))
        path = self.sql / "hourly_delays.sql"
        path.write_text(path.read_text(encoding="utf-8") + "-- Another file.\n", encoding="utf-8")
        self.assertIn(f"version {version + 2}", self.recompute("--batch_engine=sql"))
        self.assertIn(f"version {version + 3}", self.recompute())
        self.assertEqual(self.engines(), {"native"})

    def test_options_of_the_program_are_variables(self):
        self.publish()
        options = ("--delayed_state=CA", "--delayed_minutes=30")
        self.recompute()
        others = self.cells()
        self.recompute("--force", *options)
        native = self.cells()
        self.assertNotEqual(others, native)
        self.recompute("--batch_engine=sql", *options)
        self.check_same(native)

    def change(self, view, old, new):
        path = self.sql / f"{view}.sql"
        text = (EXAMPLE / f"{view}.sql").read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def test_a_wrong_file_is_an_error_and_leaves_what_was(self):
        self.publish()
        self.recompute()
        native = self.cells()
        versions = self.scenario.versions()
        grouped = "GROUP BY ALL\n"
        for view, old, new, expected in a_part((
                ("hourly_delays", "count(*) AS flights", "count(*) AS flight",
                 ["the column flights (BIGINT) is missing", "the view has no column flight"]),
                ("hourly_delays", "CAST(sum(delay) AS BIGINT)", "sum(delay)",
                 ["the column delay_sum is HUGEINT, not BIGINT"]),
                ("route_delays", "hour - to_hours(back) AS window_start", "CAST(hour AS DATE) AS window_start",
                 ["the column window_start is DATE, not TIMESTAMP"]),
                ("route_delays", "FROM hours,", "FORM hours,", ["syntax error", "LINE "]),
                ("hourly_delays", "FROM events", "FROM event", ["event does not exist"]),
                ("hourly_delays", "CAST(sum(delay) AS BIGINT)", "CAST(NULL AS BIGINT)",
                 ["NOT NULL constraint failed", "delay_sum"]),
                ("hourly_delays", grouped, "GROUP BY ALL UNION ALL FROM flights SELECT origin, "
                 "date_trunc('hour', event_time), date_trunc('hour', event_time) + INTERVAL 1 HOUR, 1, 0, 0, 0, 0\n",
                 ["it gives the cell {'origin': ", "more than once"]),
                ("hourly_delays", "event_time) + INTERVAL 1 HOUR", "event_time)",
                 ["a window ends at its start or before it"]),
                ("hourly_delays", grouped, "GROUP BY ALL; DROP VIEW events\n", ["multiple statements"]),
                ("hourly_delays", "CAST(id AS BIGINT) AS id", "CAST(origin AS BIGINT) AS id",
                 ["Could not convert string"])), 3):
            with self.subTest(new=new):
                self.change(view, old, new)
                said = self.recompute("--batch_engine=sql", code=1)
                for text in (f"view {view}: SQL file {self.sql}/{view}.sql: ", *expected):
                    self.assertIn(text, said)
                self.assertEqual(self.scenario.versions(), versions)
                self.assertEqual(self.cells(), native)
                shutil.copy(EXAMPLE / f"{view}.sql", self.sql)
        os.remove(self.sql / "route_delays.sql")
        said = self.recompute("--batch_engine=sql", code=1)
        self.assertIn(f"view route_delays: SQL file {self.sql}/route_delays.sql (say by --sql_folder", said)
        self.assertIn("--batch_engine=sqlite: give native or sql", self.recompute("--batch_engine=sqlite", code=2))

    def test_what_is_read_equals_sql_over_all_flights(self):
        run = self.scenario.start(self.scenario.run_lambda() + ["--batch_engine=sql", f"--sql_folder={self.sql}"])
        self.publish("--rate=30000", "--close")
        _, said = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 0, said)
        self.assertEqual(self.engines(), {"sql"})
        self.assertEqual({source for _, source, _, _ in self.scenario.sources()}, {"batch"})
        self.assertEqual(self.scenario.check("check.sql"), [])


if __name__ == "__main__":
    unittest.main()
