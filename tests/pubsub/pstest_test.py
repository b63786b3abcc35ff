#!/usr/bin/env python3
"""The same calls to our server and to Google's own fake (cloud.google.com/go/pubsub/v2/pstest): what they answer must be
the same, but for the differences that are listed here, each with its reason. Skipped where tools/setup found no Go."""

import datetime
import random
import time
import unittest

import pubsub_server
from pubsub_server import LONG, PROJECT, PSTEST, SEED

TOPIC = f"{PROJECT}/topics/t"
SUBSCRIPTION = f"{PROJECT}/subscriptions/s"

# What differs: (call, ours, theirs, why).
DIFFERENCES = [
    ("seek backwards", "delivers again", "the process ends", "pstest does not keep what was acknowledged: it puts a "
     "message without content back and dereferences it"),
    ("snapshot", "OK", "UNIMPLEMENTED", "pstest has no snapshots"),
    ("seek to a snapshot", "OK", "UNIMPLEMENTED", "pstest has no snapshots"),
    ("filter", "UNIMPLEMENTED", "OK", "we deliver every message"),
    ("dead letters", "UNIMPLEMENTED", "OK", "we do not count deliveries"),
    ("exactly once", "UNIMPLEMENTED", "OK", "pstest takes the option and delivers as before"),
    ("push", "UNIMPLEMENTED", "OK", "pstest takes the option and pushes nothing"),
    ("retry policy", "UNIMPLEMENTED", "OK", "pstest takes the option and delivers as before"),
    ("short ack deadline", "INVALID_ARGUMENT", "OK", "the documentation says 10 s at least"),
    ("default ack deadline", "10", "0", "we show the one that counts"),
    ("empty message", "INVALID_ARGUMENT", "OK", "the documentation asks for data or an attribute"),
    ("no messages", "INVALID_ARGUMENT", "OK", "the documentation asks for at least one"),
    ("pull of 0", "INVALID_ARGUMENT", "OK", "the documentation asks for a positive number"),
    ("nonsense ack id", "INVALID_ARGUMENT", "OK", "it is not one that was ever given"),
    ("name of a topic", "INVALID_ARGUMENT", "OK", "the log cannot hold a topic of that name"),
    ("same topic in another project", "ALREADY_EXISTS", "OK", "topics are those of the log, whatever the project"),
    ("pull of a deleted topic's subscription", "nothing", "what was left", "the messages are in the topic's log only"),
    ("pull of a detached subscription", "FAILED_PRECONDITION", "OK", "the documentation says so"),
]


class Side:
    """A server with Google's generated client, whose calls are not retried."""

    def __init__(self, address):
        self.publisher, self.subscriber = pubsub_server.clients(address)
        self.bare = {"retry": None, "timeout": 20}

    def code(self, call, *arguments, **more):
        """The name of the status that a call ends with."""
        from google.api_core import exceptions
        try:
            call(*arguments, **more, **self.bare)
            return "OK"
        except exceptions.GoogleAPICallError as error:
            return error.grpc_status_code.name

    def make(self, **options):
        self.publisher.create_topic(name=TOPIC)
        self.subscriber.create_subscription(request={"name": SUBSCRIPTION, "topic": TOPIC, **options})

    def publish(self, messages):
        """Messages as (data, key, attributes), in one request: the client's own publish() collects them."""
        from google.pubsub_v1.services.publisher import PublisherClient
        PublisherClient.publish(self.publisher, request={"topic": TOPIC, "messages": [
            {"data": data, "ordering_key": key, "attributes": attributes} for data, key, attributes in messages]},
            **self.bare)

    def pull(self, most=1000):
        return list(self.subscriber.pull(request={"subscription": SUBSCRIPTION, "max_messages": most,
                                                  "return_immediately": True}, **self.bare).received_messages)

    def ack(self, received):
        self.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[one.ack_id for one in received], **self.bare)

    def nack(self, received):
        self.subscriber.modify_ack_deadline(subscription=SUBSCRIPTION, ack_ids=[one.ack_id for one in received],
                                            ack_deadline_seconds=0, **self.bare)


def seen(received):
    """What a consumer sees of messages; the order between keys is nobody's promise."""
    return sorted((one.message.data, one.message.ordering_key, tuple(sorted(one.message.attributes.items())),
                   one.delivery_attempt) for one in received)


@unittest.skipUnless(PSTEST.exists(), "there is no .setup/pstest: `make test-services` builds it")
class DifferentialTest(unittest.TestCase):
    def both(self):
        """A server of each kind, and the ends of both."""
        server = pubsub_server.Server("--sync=os", "--partitions=1").start()
        self.addCleanup(server.close)
        fake = pubsub_server.Fake()
        self.addCleanup(fake.close)
        return Side(server.address), Side(fake.address), fake

    @classmethod
    def setUpClass(cls):
        pubsub_server.clients("127.0.0.1:1")  # imports Google's client

    def differs(self, call, ours, theirs):
        self.assertIn((call, ours, theirs), [one[:3] for one in DIFFERENCES])
        self.listed.add(call)

    def setUp(self):
        self.listed = set()

    def test_random_calls(self):
        """The same sequence of publishes, pulls, acknowledgements and seeks forward."""
        for round_number in range(20 if LONG else 3):
            chance = random.Random(SEED * 1000 + round_number)
            ordered = chance.random() < 0.5
            ours, theirs, _ = self.both()
            for side in (ours, theirs):
                side.make(enable_message_ordering=ordered)
            held = ([], [])
            with self.subTest(seed=SEED, round=round_number, ordered=ordered):
                for step in range(60):
                    self.one_call(chance, ours, theirs, held, step)
                for i, side in enumerate((ours, theirs)):  # everything comes in the end
                    side.nack(held[i]) if held[i] else None
                    held[i].clear()
                left = ([], [])
                for _ in range(500):
                    got = [side.pull() for side in (ours, theirs)]
                    self.assertEqual(seen(got[0]), seen(got[1]))
                    if not got[0]:
                        break
                    for i, side in enumerate((ours, theirs)):
                        left[i].extend(got[i])
                        side.ack(got[i])
                self.assertEqual(seen(left[0]), seen(left[1]))

    def one_call(self, chance, ours, theirs, held, step):
        kind = chance.choice(["publish", "publish", "pull", "pull", "ack", "ack", "nack", "seek"])
        if kind == "publish":
            messages = [(f"{step}/{i}".encode(), chance.choice(["", "k1", "k2"]), {"n": str(i)} if i % 2 else {})
                        for i in range(chance.randint(1, 4))]
            for side in (ours, theirs):
                side.publish(messages)
                time.sleep(0.002)  # pstest orders by the publish time
        elif kind == "pull":  # everything that can be had, since pstest picks at random
            got = [side.pull() for side in (ours, theirs)]
            self.assertEqual(seen(got[0]), seen(got[1]), f"step {step}")
            held[0].extend(got[0])
            held[1].extend(got[1])
        elif kind in ("ack", "nack") and held[0]:
            data = {one.message.data for one in chance.sample(sorted(held[0], key=lambda one: one.message.data),
                                                              chance.randint(1, len(held[0])))}
            for i, side in enumerate((ours, theirs)):
                taken = [one for one in held[i] if one.message.data in data]
                side.ack(taken) if kind == "ack" else side.nack(taken)
                held[i][:] = [one for one in held[i] if one.message.data not in data]
        elif kind == "seek" and chance.random() < 0.2:
            now = datetime.datetime.now(datetime.timezone.utc)
            for i, side in enumerate((ours, theirs)):
                side.subscriber.seek(request={"subscription": SUBSCRIPTION, "time": now}, **side.bare)
                held[i].clear()

    def test_answers_to_resources(self):
        ours, theirs, _ = self.both()
        calls = [
            lambda side: side.code(side.publisher.get_topic, topic=TOPIC),
            lambda side: side.code(side.publisher.create_topic, name=TOPIC),
            lambda side: side.code(side.publisher.create_topic, name=TOPIC),
            lambda side: side.code(side.publisher.get_topic, topic=TOPIC),
            lambda side: side.code(side.subscriber.get_subscription, subscription=SUBSCRIPTION),
            lambda side: side.code(side.subscriber.create_subscription, name=SUBSCRIPTION, topic=TOPIC + "2"),
            lambda side: side.code(side.subscriber.create_subscription, name=SUBSCRIPTION, topic=TOPIC),
            lambda side: side.code(side.subscriber.create_subscription, name=SUBSCRIPTION, topic=TOPIC),
            lambda side: [one.name for one in side.publisher.list_topics(project=PROJECT)],
            lambda side: [one.name for one in side.subscriber.list_subscriptions(project=PROJECT)],
            lambda side: list(side.publisher.list_topic_subscriptions(topic=TOPIC)),
            lambda side: side.subscriber.get_subscription(subscription=SUBSCRIPTION).topic,
            lambda side: side.subscriber.update_subscription(request={
                "subscription": {"name": SUBSCRIPTION, "ack_deadline_seconds": 60, "labels": {"a": "b"}},
                "update_mask": {"paths": ["ack_deadline_seconds", "labels"]}}).ack_deadline_seconds,
            lambda side: dict(side.subscriber.get_subscription(subscription=SUBSCRIPTION).labels),
            lambda side: side.code(side.subscriber.update_subscription, request={
                "subscription": {"name": SUBSCRIPTION}, "update_mask": {"paths": ["nonsense"]}}),
            lambda side: side.code(side.subscriber.delete_subscription, subscription=SUBSCRIPTION + "2"),
            lambda side: side.code(side.publisher.delete_topic, topic=TOPIC),
            lambda side: side.subscriber.get_subscription(subscription=SUBSCRIPTION).topic,
            lambda side: side.code(side.publisher.delete_topic, topic=TOPIC),
            lambda side: side.code(side.subscriber.delete_subscription, subscription=SUBSCRIPTION),
            lambda side: side.code(side.subscriber.delete_subscription, subscription=SUBSCRIPTION),
        ]
        for number, call in enumerate(calls):
            with self.subTest(call=number):
                self.assertEqual(call(ours), call(theirs))

    def test_listed_differences(self):
        ours, theirs, fake = self.both()
        for side in (ours, theirs):
            side.make()
        create = "create_subscription"
        other = {"name": SUBSCRIPTION + "2", "topic": TOPIC}
        cases = {
            "filter": (create, {**other, "filter": 'attributes.a = "b"'}),
            "dead letters": (create, {**other, "name": SUBSCRIPTION + "3",
                                      "dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 5}}),
            "exactly once": (create, {**other, "name": SUBSCRIPTION + "4", "enable_exactly_once_delivery": True}),
            "push": (create, {**other, "name": SUBSCRIPTION + "5",
                              "push_config": {"push_endpoint": "http://localhost:1"}}),
            "retry policy": (create, {**other, "name": SUBSCRIPTION + "6",
                                      "retry_policy": {"minimum_backoff": {"seconds": 10}}}),
            "short ack deadline": (create, {**other, "name": SUBSCRIPTION + "7", "ack_deadline_seconds": 5}),
            "pull of 0": ("pull", {"subscription": SUBSCRIPTION, "max_messages": 0, "return_immediately": True}),
            "nonsense ack id": ("acknowledge", {"subscription": SUBSCRIPTION, "ack_ids": ["nonsense"]}),
            "snapshot": ("create_snapshot", {"name": f"{PROJECT}/snapshots/n", "subscription": SUBSCRIPTION}),
            "seek to a snapshot": ("seek", {"subscription": SUBSCRIPTION, "snapshot": f"{PROJECT}/snapshots/n"}),
        }
        for call, (method, request) in cases.items():
            with self.subTest(call=call):
                self.differs(call, *(side.code(getattr(side.subscriber, method), request=request)
                                     for side in (ours, theirs)))
        self.differs("default ack deadline", *(
            str(side.subscriber.get_subscription(subscription=SUBSCRIPTION).ack_deadline_seconds)
            for side in (ours, theirs)))
        published = {"empty message": [{}], "no messages": []}
        from google.pubsub_v1.services.publisher import PublisherClient
        for call, messages in published.items():
            with self.subTest(call=call):
                self.differs(call, *(side.code(PublisherClient.publish, side.publisher,
                                               request={"topic": TOPIC, "messages": messages})
                                     for side in (ours, theirs)))
        for call, name in {"name of a topic": f"{PROJECT}/topics/.x",
                           "same topic in another project": "projects/other/topics/t"}.items():
            with self.subTest(call=call):
                self.differs(call, *(side.code(side.publisher.create_topic, name=name) for side in (ours, theirs)))
        self.differs_in_the_end(ours, theirs, fake)
        self.assertEqual(self.listed, {one[0] for one in DIFFERENCES}, "a difference that is listed and not shown")

    def differs_in_the_end(self, ours, theirs, fake):
        """What ends subscriptions, or Google's process."""
        for side in (ours, theirs):
            side.publisher.create_topic(name=TOPIC + "9")
            for number in "89":
                side.subscriber.create_subscription(name=SUBSCRIPTION + number, topic=TOPIC + "9")
            side.publisher.detach_subscription(request={"subscription": SUBSCRIPTION + "8"})
        self.differs("pull of a detached subscription", *(side.code(side.subscriber.pull, request={
            "subscription": SUBSCRIPTION + "8", "max_messages": 1, "return_immediately": True})
            for side in (ours, theirs)))
        left = []
        for side in (ours, theirs):
            side.publisher.publish(TOPIC + "9", b"x").result(timeout=20)
            side.publisher.delete_topic(topic=TOPIC + "9")
            got = side.subscriber.pull(request={"subscription": SUBSCRIPTION + "9", "max_messages": 1,
                                                "return_immediately": True})
            left.append("what was left" if got.received_messages else "nothing")
        self.differs("pull of a deleted topic's subscription", *left)

        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        outcomes = []
        for side in (ours, theirs):
            side.publish([(b"again", "", {})])
            received = side.pull()
            side.ack(received)
            self.assertEqual(seen(side.pull()), [])
            try:
                side.subscriber.seek(request={"subscription": SUBSCRIPTION, "time": start}, **side.bare)
                outcomes.append("delivers again" if b"again" in {one.message.data for one in side.pull()} else "nothing")
            except Exception:
                fake.child.wait(timeout=20)
                outcomes.append("the process ends")
        self.differs("seek backwards", *outcomes)


if __name__ == "__main__":
    unittest.main()
