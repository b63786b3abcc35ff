#!/usr/bin/env python3
"""The agreement certificate: batch and speed agree but for what came too late; a cell that was changed in a file is found
to the cell; what has landed since is no difference; a version is compared with another one.
"""

import json
import unittest

from lambda_test import LambdaScenario

ROWS = 60_000  # four days
DAY = "2001-01-02"


class ReconcileTest(unittest.TestCase):
    def setUp(self):
        self.scenario = LambdaScenario(ROWS)
        self.addCleanup(self.scenario.close)

    def reconcile(self, *more, code=0):
        said = self.scenario.finish(self.scenario.lambda_("reconcile", "--format=json", *more), code=code)
        return json.loads(next(line for line in said.splitlines() if line.startswith("{")))

    def run_all(self, *more):
        run = self.scenario.start(self.scenario.run_lambda())
        self.scenario.finish(self.scenario.publish("--rate=30000", "--sync=os", *more))
        return run

    def change(self, view, sql):
        """Replaces the current file of a day by what the statement gives of it."""
        partition = next(p for p in self.scenario.manifest()["partitions"] if p["name"] == DAY)
        file = next(f for f in partition["versions"][0]["views"] if f["view"] == view)
        path = self.scenario.data / "batch" / file["path"]
        self.scenario.duck.query(f"COPY ({sql.format(file=path)}) TO '{path}.new' (FORMAT parquet)")
        (path.parent / f"{path.name}.new").rename(path)

    def cells_without_late(self):
        """Airport and hour of the two greatest cells of the day that no flight was late for."""
        return [line.split(",") for line in self.scenario.rows(
            f"SELECT origin, hour(window_start) FROM warehouse.hourly_delays WHERE CAST(window_start AS DATE) = '{DAY}' "
            "AND NOT EXISTS (SELECT 1 FROM dead_letters l WHERE l.name = 'late' AND step = 'Delays/HourlyStats' "
            "AND l.window_start = hourly_delays.window_start "
            "AND json_extract_string(element, '$.key') = hourly_delays.origin) "
            "ORDER BY flights DESC, 1, 2 LIMIT 2")]

    def test_batch_and_speed_agree_but_for_what_came_too_late(self):
        run = self.run_all("--close")
        _, said = run.communicate(timeout=120)
        self.assertEqual(run.returncode, 0, said)
        certificate = self.reconcile()
        self.assertTrue(certificate["agrees"])
        self.assertEqual(certificate["with"], "generation 1")
        through = self.scenario.manifest()["partitions"][-1]["to"]
        for view in certificate["views"]:
            self.assertEqual(view["certified_through"], through)
        self.assertEqual({r["state"] for r in certificate["ranges"]}, {"certified"})
        for view in ("hourly_delays", "route_delays"):
            ranges = [r for r in certificate["ranges"] if r["view"] == view]
            late = int(self.scenario.rows(
                "SELECT count(DISTINCT (json_extract(element, '$.key'), window_start)) FROM dead_letters "
                f"WHERE name = 'late' AND step = '{'Delays/HourlyStats' if view[0] == 'h' else 'Delays/RouteStats'}'")[0])
            cells = int(self.scenario.rows(f"SELECT count(*) FROM {view}")[0])
            self.assertEqual(sum(r["late"] for r in ranges), late)
            self.assertEqual(sum(r["equal"] + r["late"] for r in ranges), cells)
            self.assertGreater(late, 0)
        # People read it, too; and a part of it.
        said = self.scenario.finish(self.scenario.lambda_("reconcile", "--view=hourly_delays", "--to=2001-01-03"))
        self.assertIn("hourly_delays: the batch layer and generation 1 are certified to agree through 2001-01-03", said)
        self.assertNotIn("route_delays", said)

        # A cell with another value, one that is not there, and one too many.
        wrong, gone = self.cells_without_late()
        self.change("hourly_delays", f"SELECT * REPLACE (if(origin = '{wrong[0]}' AND hour(window_start) = {wrong[1]}, "
                    f"flights + 1, flights) AS flights, if(origin = '{gone[0]}' AND hour(window_start) = {gone[1]}, "
                    "'XXX', origin) AS origin) FROM '{file}'")
        certificate = self.reconcile(code=1)
        self.assertFalse(certificate["agrees"])
        found = [(c["key"], c["window_start"], c["kind"]) for c in certificate["cells"]]
        wrong_at, gone_at = (f"{DAY}T{hour:>02}:00:00Z" for _, hour in (wrong, gone))
        self.assertEqual(sorted(found), sorted([(gone[0], gone_at, "extra"), (wrong[0], wrong_at, "mismatch"),
                                                ("XXX", gone_at, "missing")]))
        mismatch = next(c for c in certificate["cells"] if c["kind"] == "mismatch")
        batch, other = (int(mismatch[side].split(",")[0].removeprefix("flights=")) for side in ("batch", "other"))
        self.assertEqual(batch, other + 1)
        self.assertEqual(mismatch["cause"], "unexplained")
        differs = [r for r in certificate["ranges"] if r["state"] == "differs"]
        self.assertEqual([(r["view"], r["from"], r["mismatch"], r["missing"], r["extra"], r["unexamined"])
                          for r in differs], [("hourly_delays", f"{DAY}T00:00:00Z", 1, 1, 1, 0)])
        through = {view["view"]: view["certified_through"] for view in certificate["views"]}
        self.assertEqual(through["hourly_delays"], f"{DAY}T00:00:00Z")
        self.assertGreater(through["route_delays"], f"{DAY}T00:00:00Z")
        self.assertIn(wrong[0], self.scenario.finish(self.scenario.lambda_("reconcile"), code=1))

        # Computed again it agrees; and with the version before it does not, in these cells.
        broken = self.scenario.versions()[DAY]
        self.scenario.finish(self.scenario.recompute(f"--from={DAY}", "--to=2001-01-03", "--force"))
        self.assertTrue(self.reconcile()["agrees"])
        certificate = self.reconcile(f"--with=version:{broken}", code=1)
        self.assertEqual(len(certificate["cells"]), 3)
        self.assertEqual({r["late"] for r in certificate["ranges"]}, {0})

    def test_what_has_landed_since_is_behind_and_no_difference(self):
        run = self.run_all()
        self.scenario.finish(self.scenario.lambda_("replay", "wait"), code=1)  # only the socket is up
        self.scenario.finish(self.scenario.recompute("--from=2001-01-01", "--to=2001-01-03"))
        before = self.reconcile()  # beside the run, which answers for its warehouse
        self.assertEqual({r["state"] for r in before["ranges"]}, {"certified"})
        # The file once more, as another producer's: duplicates of all days, which the views leave out.
        self.scenario.finish(self.scenario.publish("--sync=os", f"--seed={self.scenario.seed + 1}"))
        after = self.reconcile()
        self.assertTrue(after["agrees"])
        self.assertEqual({r["state"] for r in after["ranges"]}, {"behind"})
        self.assertNotIn("certified_through", {k for v in after["views"] for k, value in v.items() if value})
        run.terminate()
        run.communicate(timeout=60)

    def test_what_cannot_be_compared(self):
        self.scenario.finish(self.scenario.publish("--close"))
        said = self.scenario.finish(self.scenario.lambda_("reconcile"), code=1)
        self.assertIn("has nothing yet", said)
        said = self.scenario.finish(self.scenario.lambda_("reconcile", "--with=yesterday"), code=2)
        self.assertIn("give generation:N or version:N", said)
        said = self.scenario.finish(self.scenario.lambda_("reconcile", "--view=none"), code=2)
        self.assertIn("there is no view none", said)
        said = self.scenario.finish(self.scenario.command("reconcile", "--topology=kappa"), code=2)
        self.assertIn("this job has no batch layer", said)


if __name__ == "__main__":
    unittest.main()
