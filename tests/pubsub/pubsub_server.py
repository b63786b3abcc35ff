"""Our Pub/Sub server and Google's fake in processes of their own, and Google's Python client for them."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".setup/python_pubsub"))

PROGRAM = pathlib.Path(os.environ.get("MILLRACE_BIN", ROOT / "build/bin")) / "flights"
PSTEST = ROOT / ".setup/pstest"
SEED = int(os.environ.get("MILLRACE_TEST_SEED", "1"))
LONG = os.environ.get("MILLRACE_TEST_LEVEL", "short") == "long"
START_MAX_S = 60
PROJECT = "projects/millrace"


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """`flights serve` on a data directory, at one port however often it is killed and started again."""

    def __init__(self, *options, folder=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace_pubsub_"))
        self.owns_folder = folder is None
        self.data = self.folder / "data"
        self.port = free_port()
        self.options = options
        self.child = None
        self.log = open(self.folder / "server.log", "ab")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.child = subprocess.Popen(
            [str(PROGRAM), "serve", f"--data_dir={self.data}", f"--pubsub_port={self.port}", "--http=off",
             *self.options], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + START_MAX_S
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise AssertionError("the server ended:\n" + self.messages())
            try:
                if json.loads((self.data / "pubsub.json").read_text())["pid"] == self.child.pid:
                    return self
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            time.sleep(0.005)
        raise AssertionError("the server does not start:\n" + self.messages())

    def messages(self):
        return (self.folder / "server.log").read_text()

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self):
        """By SIGTERM; gives the exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(timeout=60)

    def close(self):
        if self.child is not None and self.child.poll() is None:
            self.kill()
        self.log.close()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


class Fake:
    """Google's pstest; keeps nothing."""

    def __init__(self):
        self.child = subprocess.Popen([str(PSTEST)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)
        self.address = self.child.stdout.readline().strip()

    def close(self):
        self.child.kill()
        self.child.communicate()


def clients(address, **publisher):
    """Google's publisher and subscriber clients, as its documentation makes them for an emulator."""
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    from google.cloud import pubsub_v1
    return pubsub_v1.PublisherClient(**publisher), pubsub_v1.SubscriberClient()


def eventually(condition, timeout_s=60, what="it"):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about in {timeout_s} s")
        time.sleep(0.01)
