#!/usr/bin/env python3
"""measure.py [--messages N] [--rounds N]: how fast the Pub/Sub server takes and gives messages at each sync policy,
beside Google's fake (pstest, which keeps everything in memory), with a client of our own and with Google's Python client.

The servers take turns within a round, so that a noisy machine disturbs all alike; the median of the rounds counts. A pull
ends after 20 s. Needs build/bin/flights, build/bin/pubsub_bench and what tools/setup fetched."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/pubsub"))
import pubsub_server  # noqa: E402 (found by the line above)

BENCH = pubsub_server.PROGRAM.parent / "pubsub_bench"
TOPIC = f"{pubsub_server.PROJECT}/topics/bench"
SUBSCRIPTION = f"{pubsub_server.PROJECT}/subscriptions/bench"
TARGETS = ["pstest", "always", "interval", "os"]
PULL_MAX_S = 20
FEW_MESSAGES = 200


def start(target):
    if target == "pstest":
        return pubsub_server.Fake()
    return pubsub_server.Server(f"--sync={target}").start()


def own_client(server, mode, options, messages):
    done = subprocess.run([str(BENCH), server.address, mode, str(messages), str(options.bytes), "100", "8"],
                          capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    return measured["messages"] / measured["seconds"]


def python_publish(publisher, options, messages):
    data = b"x" * options.bytes
    started = time.perf_counter()
    futures = [publisher.publish(TOPIC, data) for _ in range(messages)]
    for future in futures:
        future.result(timeout=120)
    return messages / (time.perf_counter() - started)


def python_pull(subscriber, messages):
    got = [0]

    def take(message):
        message.ack()
        got[0] += 1

    started = time.perf_counter()
    stream = subscriber.subscribe(SUBSCRIPTION, callback=take)
    while got[0] < messages and time.perf_counter() - started < PULL_MAX_S:
        time.sleep(0.005)
    rate = got[0] / (time.perf_counter() - started)
    stream.cancel()
    stream.result(timeout=60)
    return rate


def one_round(target, options):
    """Messages per second of: publish and pull by our client, pull of few messages by it, publish and pull by Google's
    Python client. Each client has a server of its own."""
    rates = []
    for client in ("own", "few", "python"):
        server = start(target)
        try:
            from google.cloud import pubsub_v1
            batches = pubsub_v1.types.BatchSettings(max_messages=100, max_latency=0.01)
            publisher, subscriber = pubsub_server.clients(server.address, batch_settings=batches)
            publisher.create_topic(name=TOPIC)
            subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
            if client == "own":
                rates.append(own_client(server, "publish", options, options.messages))
                rates.append(own_client(server, "pull", options, options.messages))
            elif client == "few":  # pstest looks at every message that waits, each 10 ms
                own_client(server, "publish", options, FEW_MESSAGES)
                rates.append(own_client(server, "pull", options, FEW_MESSAGES))
            else:
                rates.append(python_publish(publisher, options, options.python_messages))
                rates.append(python_pull(subscriber, options.python_messages))
        finally:
            server.close()
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="by our own client")
    parser.add_argument("--python_messages", type=int, default=10_000, help="by Google's Python client")
    parser.add_argument("--bytes", type=int, default=200, help="of a message")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pubsub_server.clients("127.0.0.1:1")  # imports Google's client
    targets = TARGETS if pubsub_server.PSTEST.exists() else TARGETS[1:]
    rates = {target: [] for target in targets}
    for _ in range(options.rounds):
        for target in targets:
            rates[target].append(one_round(target, options))
    columns = ["publish", "streaming pull", f"pull of {FEW_MESSAGES}", "publish, Python", "pull, Python"]
    print(f"messages of {options.bytes} bytes per second, in brackets over pstest; the median of {options.rounds} rounds\n")
    print("| server | " + " | ".join(columns) + " |\n|---" * 1 + "|---" * len(columns) + "|")
    medians = {target: [statistics.median(one[i] for one in rates[target]) for i in range(len(columns))]
               for target in targets}
    for target in targets:
        cells = []
        for i in range(len(columns)):
            ratio = f" ({medians[target][i] / medians['pstest'][i]:.2f})" if "pstest" in medians else ""
            cells.append(f"{medians[target][i]:,.0f}{ratio}")
        print(f"| {target} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
