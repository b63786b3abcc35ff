#!/usr/bin/env python3
"""Runs the commands of docs/guide/pubsub.md, in their order, at ports that are free."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/pubsub"))
import pubsub_server  # noqa: E402 (found by the line above)

BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class PubsubGuideTest(unittest.TestCase):
    def test_the_commands_of_the_guide(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace_pubsub_guide_"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        commands = "".join(BLOCKS.findall((ROOT / "docs/guide/pubsub.md").read_text(encoding="utf-8")))
        self.assertIn("8085", commands)
        for port in ("8085", "8080"):
            commands = commands.replace(port, str(pubsub_server.free_port()))
        done = subprocess.run(
            ["bash", "-euxc", commands], cwd=folder, text=True, capture_output=True, timeout=110,
            env={**os.environ, "PATH": f"{pubsub_server.PROGRAM.parent}:{os.environ['PATH']}",
                 "PYTHONPATH": str(ROOT / ".setup/python_pubsub")})
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        self.assertEqual(len(re.findall(r"^pulled click \d \{'page': 'home'\}$", done.stdout, re.MULTILINE)), 10,
                         done.stdout)
        self.assertRegex(done.stdout, r'\{"messageIds":\["\d-\d+","\d-\d+"\]\}')


if __name__ == "__main__":
    unittest.main()
