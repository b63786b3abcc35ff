"""The commands of a guide of docs/guide, and the folder in which a reader would give them."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/crash"))
import duck  # noqa: E402 (found by the line above)

PROGRAMS = os.environ.get("MILLRACE_BIN", str(ROOT / "build/bin"))
ROWS = 60_000
TIMEOUT_S = 110
BLOCKS = re.compile(r"^```(sh|sql)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(guide, kind):
    """The blocks of that kind in a guide, in order."""
    text = (ROOT / "docs/guide" / guide).read_text(encoding="utf-8")
    return [code for found, code in BLOCKS.findall(text) if found == kind]


class GuideTest(unittest.TestCase):
    """`folder` holds flights.parquet, a slice of the real file, and airports.csv."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_guide_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        data = ROOT / ".setup/data"
        shutil.copy(data / "airports.csv", self.folder)
        duck.Duck().query(f"COPY (SELECT * FROM read_parquet('{data}/flights-3m.parquet') LIMIT {ROWS}) "
                          f"TO '{self.folder}/flights.parquet' (FORMAT parquet)")

    def shell(self, commands, options="-euc"):
        """Runs the commands in the folder, in one shell that finds the programs."""
        return subprocess.run(["bash", options, commands], cwd=self.folder, text=True, capture_output=True,
                              timeout=TIMEOUT_S, check=False,
                              env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
