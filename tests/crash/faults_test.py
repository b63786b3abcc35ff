#!/usr/bin/env python3
"""Full disks, failing devices, damaged files, clocks that jump, two processes that want the same: what the program then
says is in docs/guide/operations.md, "Faults", and what it gives afterwards is never wrong.
"""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
import unittest

import flights_program
from flights_program import Scenario, kill

ROWS = 4_000
CHECKPOINTS = "--checkpoint_interval=100ms"
REFUSALS = 3  # of damaged checkpoints, at the level short


def flip_bit(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def cut(path, bytes_left):
    with open(path, "r+b") as file:
        file.truncate(bytes_left)


class FaultTest(unittest.TestCase):
    def setUp(self):
        self.scenario = Scenario(ROWS)
        self.addCleanup(self.scenario.close)

    def fails(self, command, *texts, **more):
        """The command ends with 1 and says all of that."""
        said = self.scenario.finish(command, code=1, **more)
        for text in texts:
            self.assertIn(text, said)
        return said

    def check_log(self):
        self.assertEqual(self.scenario.differences_of_the_log(), [])

    def check_views(self):
        self.assertEqual(self.scenario.check("check_live.sql"), [])
        self.assertEqual(self.scenario.check("check_dead_letters.sql"), [])
        self.assertEqual(self.scenario.differences_of_the_stores(), [])

    def publish_all(self):
        self.scenario.finish(self.scenario.publish("--close"))

    def segments(self):
        return sorted((self.scenario.data / "log/flights").glob("*/*.segment"))

    def a_run_with_checkpoints(self):
        """A run that was killed behind some checkpoints."""
        self.scenario.finish(self.scenario.publish())  # not closed: the run waits for more
        run = self.scenario.start(self.scenario.run(CHECKPOINTS))
        checkpoints = self.scenario.data / "generation-1/checkpoints"
        until = time.monotonic() + 30
        while len(list(checkpoints.glob("*"))) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        self.assertTrue(kill(run), "the run ended by itself")
        return checkpoints


class FullDiskTest(FaultTest):
    def mount(self, folder, size):
        folder.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
            stderr=subprocess.DEVNULL, check=False).returncode == 0
        if not mounted:
            self.skipTest("a small disk needs the right to mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], check=False)

    def resize(self, size, folder=None):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(folder or self.scenario.data)], check=True)

    def check_full(self, command):
        full = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertIn(full.returncode, (1, -signal.SIGABRT), full.stderr)  # Debian's RocksDB asserts after a full disk
        if full.returncode == 1:
            self.assertRegex(full.stderr, "[Nn]o space left|disk full|disk is full")

    def test_publish_goes_on_when_there_is_room(self):
        self.mount(self.scenario.data, "400k")
        said = self.fails(self.scenario.publish("--close"), "run the same command again to go on")
        self.assertIn("No space left on device", said)
        self.resize("100m")
        self.publish_all()
        self.check_log()

    def test_a_run_goes_on_when_there_is_room(self):
        self.mount(self.scenario.data, "100m")
        self.publish_all()
        used = shutil.disk_usage(self.scenario.data).used
        self.resize(used + 1_500_000)
        self.check_full(self.scenario.run(CHECKPOINTS))
        self.resize("200m")
        self.scenario.finish(self.scenario.run(CHECKPOINTS))
        self.check_views()

    def test_a_run_whose_state_found_no_room(self):
        self.scenario = Scenario(rows=60_000 if flights_program.LONG else 42_000, seed=self.scenario.seed)
        self.addCleanup(self.scenario.close)
        state = self.scenario.folder / "state"
        self.mount(state, "300k")
        self.publish_all()
        run = self.scenario.run(CHECKPOINTS, "--state_backend=rocksdb", f"--temp_location={state}")
        self.check_full([*run, "--state_memory_mib=1"])
        self.resize("200m", state)
        # The message gives two ways out. With room alone the state stays on the disk, which takes longer.
        self.scenario.finish([*run, f"--state_memory_mib={1 if flights_program.LONG else 16}"])
        self.check_views()


class DeviceTest(FaultTest):
    """Injects the errors of a device into system calls."""

    def setUp(self):
        super().setUp()
        works = shutil.which("strace") and subprocess.run(["strace", "-o", "/dev/null", "true"], check=False,
                                                          stderr=subprocess.DEVNULL).returncode == 0
        if not works:
            self.skipTest("needs strace and the right to trace")

    def inject(self, calls, errors, moments, command, paths=()):
        """Runs the command with each error in the n-th of these calls of a thread: it ends well or with 1, and at least
        once with 1 and the name of a file."""
        failed = []
        for error in errors:
            for when in moments:
                with self.subTest(error=error, when=when):
                    traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                              f"inject={calls}:error={error}:when={when}",
                              *(option for path in paths for option in ("-P", str(path))), *command]
                    done = subprocess.run(traced, capture_output=True, text=True, timeout=120, check=False)
                    self.assertIn(done.returncode, (0, 1), done.stderr)
                    if done.returncode == 1:
                        failed.append(done.stderr)
                        self.assertRegex(done.stderr, "Input/output error|No space left on device|fsync failed")
        self.assertTrue(failed, "no error was injected")
        self.assertIn(str(self.scenario.data), "".join(failed))

    def test_a_publish_that_cannot_sync(self):
        self.inject("fsync,fdatasync", ["EIO"], ["1", "3", "6", "9"], self.scenario.publish())
        self.publish_all()
        self.check_log()

    def test_a_publish_that_cannot_write(self):
        self.inject("pwrite64", ["EIO", "ENOSPC"], ["2", "5", "8"], self.scenario.publish())
        self.publish_all()
        self.check_log()

    def test_a_run_that_cannot_sync(self):
        self.publish_all()
        self.inject("fsync,fdatasync", ["EIO"], ["2", "5", "11", "23"], self.scenario.run(CHECKPOINTS))
        self.scenario.finish(self.scenario.run(CHECKPOINTS))
        self.check_views()

    def test_a_run_that_cannot_read(self):
        self.publish_all()
        self.inject("pread64", ["EIO"], ["2+", "5+"], self.scenario.run(CHECKPOINTS), self.segments())
        self.scenario.finish(self.scenario.run(CHECKPOINTS))
        self.check_views()


class DamageTest(FaultTest):
    """Bits that change, and files that are cut."""

    def test_a_bit_of_a_segment(self):
        self.publish_all()
        segment = max(self.segments(), key=os.path.getsize)
        flip_bit(segment, os.path.getsize(segment) // 2)
        self.fails(self.scenario.run(), segment.name)

    def test_a_segment_that_was_cut(self):
        self.publish_all()
        segment = max(self.segments(), key=os.path.getsize)
        cut(segment, os.path.getsize(segment) // 2)
        self.fails(self.scenario.run(), segment.name)

    def test_a_missing_segment(self):
        self.publish_all()
        segment = max(self.segments(), key=os.path.getsize)
        segment.unlink()
        self.fails(self.scenario.run())

    def test_a_torn_tail_after_a_kill(self):
        publish = self.scenario.start(self.scenario.publish("--rate=4000", "--sync=interval"))
        until = time.monotonic() + 10
        while not self.segments() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        self.assertTrue(kill(publish))
        with open(self.segments()[0], "ab") as file:
            file.write(b"MRB1 torn")
        self.publish_all()
        self.check_log()
        self.scenario.finish(self.scenario.run())
        self.check_views()

    def test_the_topic_file(self):
        self.publish_all()
        flip_bit(self.scenario.data / "log/flights/topic.json", 5)
        self.fails(self.scenario.run(), "topic.json")
        self.fails(self.scenario.publish(), "topic.json")

    def test_the_manifest_of_the_data_directory(self):
        self.publish_all()
        self.scenario.finish(self.scenario.run())
        cut(self.scenario.data / "millrace.json", 20)
        self.fails(self.scenario.run(), "millrace.json is damaged")
        self.fails(self.scenario.command("query", "hourly_delays"), "millrace.json is damaged")

    def test_checkpoints(self):
        checkpoints = self.a_run_with_checkpoints()
        self.publish_all()
        as_killed = self.scenario.folder / "as_killed"
        (self.scenario.data / "server.sock").unlink(missing_ok=True)
        shutil.copytree(self.scenario.data, as_killed)
        refused = []
        kinds = (("a bit", lambda p: flip_bit(p, p.stat().st_size // 2)),
                 ("cut", lambda p: cut(p, p.stat().st_size // 2)))
        damages = [(path, *kind) for path in sorted(checkpoints.rglob("*")) for kind in kinds
                   if path.is_file() and path.stat().st_size > 0]
        if not flights_program.LONG:
            random.Random(self.scenario.seed).shuffle(damages)
        for path, name, damage in damages:
            if len(refused) == REFUSALS and not flights_program.LONG:
                break
            with self.subTest(file=path.name, damage=name):
                shutil.rmtree(self.scenario.data)
                shutil.copytree(as_killed, self.scenario.data)
                damage(path)
                done = subprocess.run(self.scenario.run(CHECKPOINTS), capture_output=True, text=True, timeout=60,
                                      check=False)
                if done.returncode == 0:  # the file was not needed any more
                    self.check_views()
                else:
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertIn("/checkpoints/", done.stderr)
                    refused.append(path.name)
        self.assertTrue(refused)

    def test_a_parquet_file_of_the_archive(self):
        self.publish_all()
        self.scenario.finish(self.scenario.command("archive", "run", "--flush"))
        self.scenario.finish(self.scenario.command("archive", "verify"))
        file = sorted((self.scenario.data / "archive").rglob("*.parquet"))[0]
        content = file.read_bytes()
        for damage in (lambda: flip_bit(file, len(content) // 2), lambda: cut(file, len(content) - 10), file.unlink):
            damage()
            self.fails(self.scenario.command("archive", "verify"), file.name)
            file.write_bytes(content)
        self.scenario.finish(self.scenario.command("archive", "verify"))

    def test_the_manifest_of_the_archive(self):
        self.publish_all()
        self.scenario.finish(self.scenario.command("archive", "run", "--flush"))
        manifest = [path for path in (self.scenario.data / "archive").rglob("*manifest*") if path.is_file()][0]
        flip_bit(manifest, manifest.stat().st_size // 2)
        self.fails(self.scenario.command("archive", "list"), manifest.name)
        self.fails(self.scenario.command("archive", "run", "--flush"), manifest.name)


class ClockTest(FaultTest):
    def setUp(self):
        super().setUp()
        found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            self.skipTest("needs libfaketime")
        self.library = str(found[0])

    def at(self, time_of_day):
        return {**os.environ, "LD_PRELOAD": self.library, "FAKETIME": time_of_day, "DONT_FAKE_MONOTONIC": "1"}

    def test_publish_and_run_when_the_clock_jumps(self):
        for number, time_of_day in enumerate(("+400d", "-400d", "+0 x50")):
            publish = self.scenario.start(self.scenario.publish("--rate=4000"), env=self.at(time_of_day))
            run = self.scenario.start(self.scenario.run(CHECKPOINTS), env=self.at(time_of_day)) if number else None
            time.sleep(0.8)
            kill(publish)
            if run:
                kill(run)
        self.publish_all()
        self.check_log()
        self.scenario.finish(self.scenario.run(CHECKPOINTS), env=self.at("-3d"))
        self.check_views()


class TwoTest(FaultTest):
    def test_two_runs(self):
        self.scenario.finish(self.scenario.publish())
        first = self.scenario.start(self.scenario.run(CHECKPOINTS))
        until = time.monotonic() + 20
        lock = self.scenario.data / "lock"
        while (not lock.exists() or '"run"' not in lock.read_text(encoding="utf-8")) and time.monotonic() < until:
            time.sleep(0.05)
        said = self.fails(self.scenario.run(CHECKPOINTS), "is held by `flights run`", f"pid {first.pid}")
        self.assertIn(str(self.scenario.data), said)
        self.publish_all()
        first.communicate(timeout=60)
        self.assertEqual(first.returncode, 0)
        self.check_views()

    def test_two_publishers(self):
        first = self.scenario.start(self.scenario.publish("--rate=2000", "--close"))
        until = time.monotonic() + 20
        while not self.segments() and time.monotonic() < until:
            time.sleep(0.02)
        self.fails(self.scenario.command("publish", str(self.scenario.input)), "`flights publish`", f"pid {first.pid}")
        first.communicate(timeout=60)
        self.assertEqual(first.returncode, 0)
        self.check_log()


if __name__ == "__main__":
    unittest.main()
