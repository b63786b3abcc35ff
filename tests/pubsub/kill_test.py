#!/usr/bin/env python3
"""Google's Python client, unmodified, publishes and pulls while the server is killed and started again.

Every acknowledged publish is there, at least once; exactly once with our producer attributes. Nothing is delivered again
after a unary Acknowledge has returned.
"""

import collections
import json
import random
import sys
import threading
import time
import unittest

import pubsub_server
from pubsub_server import LONG, PROJECT, ROOT, SEED, eventually

sys.path.insert(0, str(ROOT / "tests/crash"))
import log_files  # noqa: E402 (found by the line above)

TOPIC = f"{PROJECT}/topics/clicks"
SUBSCRIPTION = f"{PROJECT}/subscriptions/counter"
KILLS = 60 if LONG else 5
POLICIES = ["always", "interval", "os"] if LONG else ["interval"]
PROGRESS = 40  # publishes between two kills, and then
PAUSE_S = (0, 0.3)


class Publishers:
    """Threads that publish numbered messages, each until it was acknowledged."""

    def __init__(self, client, threads):
        self.client = client
        # The client's own pauses grow to a minute, as is right for a service, and long for a test.
        from google.api_core import exceptions, retry
        self.retry = retry.Retry(predicate=retry.if_exception_type(exceptions.ServiceUnavailable, exceptions.Unknown),
                                 initial=0.05, maximum=0.2, timeout=60)
        self.acknowledged = collections.Counter()  # data -> how often a publish of it was acknowledged
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.plain if i % 2 else self.sequenced, args=(f"producer{i}",))
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def publish(self, data, **attributes):
        """Until it is acknowledged; the client itself retries what is UNAVAILABLE."""
        while True:
            try:
                self.client.publish(TOPIC, data, retry=self.retry, **attributes).result(timeout=60)
                break
            except Exception as error:  # whatever a killed server looks like to the client
                if "FAILED_PRECONDITION" in str(error) or "INVALID_ARGUMENT" in str(error):
                    raise
        with self.lock:
            self.acknowledged[data] += 1

    def plain(self, name):
        number = 0
        while not self.stopping.is_set():
            self.publish(f"{name}/{number}".encode(), page=str(number % 7))
            number += 1

    def sequenced(self, name):
        number = 0
        while not self.stopping.is_set():
            self.publish(f"{name}/{number}".encode(),
                         **{"millrace.producer": name, "millrace.sequence": str(number)})
            number += 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Puller(threading.Thread):
    """Pulls and acknowledges by unary calls, and looks for what must not come again."""

    def __init__(self, client):
        super().__init__()
        self.client = client
        self.acknowledged = set()  # message ids whose Acknowledge has returned
        self.delivered = collections.defaultdict(set)  # data -> message ids
        self.again = []
        self.stopping = threading.Event()
        self.errors = 0

    def run(self):
        chance = random.Random(SEED)
        while not self.stopping.is_set():
            try:
                response = self.client.pull(subscription=SUBSCRIPTION, max_messages=200, timeout=10, retry=None)
                received = list(response.received_messages)
                for one in received:
                    self.delivered[one.message.data].add(one.message.message_id)
                    if one.message.message_id in self.acknowledged:
                        self.again.append(one.message.message_id)
                chance.shuffle(received)
                taken = received[:len(received) - len(received) // 8]  # the rest: nacked, delivered again
                if taken:
                    self.client.acknowledge(subscription=SUBSCRIPTION, ack_ids=[one.ack_id for one in taken], retry=None,
                                            timeout=10)
                    self.acknowledged.update(one.message.message_id for one in taken)
                left = received[len(taken):]
                if left:
                    self.client.modify_ack_deadline(subscription=SUBSCRIPTION, ack_ids=[one.ack_id for one in left],
                                                    ack_deadline_seconds=0, retry=None, timeout=10)
            except Exception:  # the server was killed; what was not answered promises nothing
                self.errors += 1
                time.sleep(0.02)


class KillTest(unittest.TestCase):
    def test_acknowledged_is_kept(self):
        for policy in POLICIES:
            with self.subTest(policy=policy, seed=SEED):
                self.kill_under(policy)

    def kill_under(self, policy):
        chance = random.Random(SEED)
        server = pubsub_server.Server(f"--sync={policy}", "--partitions=3").start()
        self.addCleanup(server.close)
        publisher, subscriber = pubsub_server.clients(server.address)
        publisher.create_topic(name=TOPIC)
        subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
        publishers = Publishers(publisher, 4)
        puller = Puller(subscriber)
        puller.start()
        for _ in range(KILLS):  # clients take a second or so to find the server again
            before = sum(publishers.acknowledged.values())
            eventually(lambda: sum(publishers.acknowledged.values()) > before + PROGRESS, 60, "progress")
            time.sleep(chance.uniform(*PAUSE_S))
            server.kill()
            server.start()
        publishers.stop()
        eventually(lambda: set(publishers.acknowledged) <= set(puller.delivered), 120, "that all was delivered")
        time.sleep(1)  # for what might come again
        puller.stopping.set()
        puller.join()

        self.assertEqual(puller.again, [], "delivered again after an Acknowledge had returned")
        self.assertGreater(len(publishers.acknowledged), PROGRESS * KILLS)
        stored = collections.Counter()
        self.assertEqual(server.stop(), 0)
        for record in log_files.read_topic(server.data / "log/clicks"):
            if record.data is not None:
                stored[record.data.encode()] += 1
        lost = set(publishers.acknowledged) - set(stored)
        self.assertEqual(lost, set(), "acknowledged, and not in the log")
        sequenced = [data for data in stored if data.startswith((b"producer0/", b"producer2/"))]
        self.assertGreater(len(sequenced), KILLS)
        self.assertEqual({data: stored[data] for data in sequenced if stored[data] != 1}, {}, "stored twice")
        print(f"{policy}: {KILLS} kills, {sum(stored.values())} records, {len(puller.acknowledged)} acknowledged, "
              f"{puller.errors} calls failed, seed {SEED}", file=sys.stderr)
        self.assertEqual(json.loads((server.data / "log/clicks/topic.json").read_text())["partitions"], 3)


if __name__ == "__main__":
    unittest.main()
