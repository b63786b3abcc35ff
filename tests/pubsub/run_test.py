#!/usr/bin/env python3
"""A run that serves the Pub/Sub API beside its pipeline: what clients publish is in its views, and the verb `publish`
takes turns with it."""

import base64
import json
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import pubsub_server
from pubsub_server import PROJECT, ROOT, eventually

sys.path.insert(0, str(ROOT / "tests/crash"))
import duck  # noqa: E402 (found by the line above)

FLIGHTS = ROOT / ".setup/data/flights-3m.parquet"
AIRPORTS = ROOT / ".setup/data/airports.csv"
TOPIC = f"{PROJECT}/topics/flights"
ROWS = 400  # half of them by Pub/Sub, then the other half by the verb
ID_FIRST = 10_000_000  # the verb's ids are the numbers of rows


class RunTest(unittest.TestCase):
    def setUp(self):
        self.server = pubsub_server.Server("--partitions=2").start()
        self.addCleanup(self.server.close)
        publisher, _ = pubsub_server.clients(self.server.address)
        publisher.create_topic(name=TOPIC)
        self.assertEqual(self.server.stop(), 0, self.server.messages())
        self.data = self.server.data
        self.http = pubsub_server.free_port()
        self.port = pubsub_server.free_port()

    def flights(self, verb, *arguments):
        return [str(pubsub_server.PROGRAM), verb, *arguments, f"--data_dir={self.data}"]

    def post(self, topic, messages):
        """Publishes by HTTP, as curl would; gives the status and the answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/v1/{topic}:publish", method="POST",
                                         data=json.dumps({"messages": messages}).encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def test_publishes_to_a_run(self):
        run = subprocess.Popen(
            self.flights("run", "--source=log", f"--airports={AIRPORTS}", "--threads=2", f"--pubsub_port={self.port}",
                         f"--http={self.http}", "--sync=os"), stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (run.kill(), run.communicate()))
        eventually(lambda: (self.data / "server.json").exists() or run.poll() is not None, what="the ports")
        self.assertIsNone(run.poll(), run.poll() is not None and run.stderr.read())
        db = duck.Duck()
        rows = db.query("SELECT strftime(date, '%Y-%m-%dT%H:%M:%SZ'), delay, distance, origin, destination FROM "
                        f"(SELECT * FROM '{FLIGHTS}' LIMIT {ROWS // 2})")
        messages = []
        for number, (at, delay, distance, origin, destination) in enumerate(rows):
            event = {"id": ID_FIRST + number, "at": at, "delay": int(delay), "distance": int(distance),
                     "origin": origin, "destination": destination}
            messages.append({"data": base64.b64encode(json.dumps(event).encode()).decode(),
                             "orderingKey": origin + destination, "attributes": {"millrace.event_time": at}})
        status, answer = self.post(TOPIC, messages[:100])
        self.assertEqual((status, len(answer["messageIds"])), (200, 100), answer)
        publisher, _ = pubsub_server.clients(f"127.0.0.1:{self.port}")
        from google.pubsub_v1.services.publisher import PublisherClient
        PublisherClient.publish(publisher, request={"topic": TOPIC, "messages": [
            {"data": base64.b64decode(one["data"]), "ordering_key": one["orderingKey"],
             "attributes": one["attributes"]} for one in messages[100:]]})

        status, answer = self.post(TOPIC + "2", messages[:1])
        self.assertEqual((status, answer["error"]["status"]), (404, "NOT_FOUND"))
        status, answer = self.post(TOPIC, [{"data": "?"}])
        self.assertEqual((status, answer["error"]["status"]), (400, "INVALID_ARGUMENT"))
        health = urllib.request.urlopen(f"http://127.0.0.1:{self.http}/healthz", timeout=30)
        self.assertEqual(health.status, 200)

        rest = self.server.folder / "rest.parquet"
        db.query(f"COPY (SELECT * FROM '{FLIGHTS}' LIMIT {ROWS // 2} OFFSET {ROWS // 2}) TO '{rest}' (FORMAT parquet)")
        refused = None
        for _ in range(300):  # until the server has given the topic back
            published = subprocess.run(self.flights("publish", str(rest), "--close"), capture_output=True, text=True,
                                       check=False, timeout=60)
            if published.returncode == 0:
                break
            refused = published.stderr
            time.sleep(0.2)
        self.assertEqual(published.returncode, 0, published.stderr)
        self.assertIn("`flights run`", refused, "the verb was to be refused first, and told by whom")

        self.assertEqual(run.wait(timeout=60), 0)  # the topic is closed
        found = subprocess.run(self.flights("sql", "SELECT sum(flights), sum(delayed) FROM hourly_delays",
                                            "--format=csv"), capture_output=True, text=True, check=True)
        expected = db.query(
            "SELECT count(*), count(*) FILTER (delay >= 15) FROM "
            f"(SELECT * FROM '{FLIGHTS}' LIMIT {ROWS}) WHERE delay BETWEEN -120 AND 1440 AND distance > 0 AND origin IN "
            f"(SELECT iata FROM read_csv('{AIRPORTS}', header = true, all_varchar = true)) AND destination IN "
            f"(SELECT iata FROM read_csv('{AIRPORTS}', header = true, all_varchar = true))")
        self.assertEqual(found.stdout.splitlines()[1].split(","), [str(cell) for cell in expected[0]])

    def test_refuses_what_cannot_be_served(self):
        for arguments, message in [
                (["--pubsub_host=0.0.0.0"], "--insecure"), (["--pubsub_host=nowhere"], "no numeric address"),
                (["--pubsub_port=70000"], "0 to 65535"), (["--sync=never"], "--sync"), (["--partitions=0"], "--partitions"),
                (["nonsense"], "takes no arguments")]:
            with self.subTest(arguments=arguments):
                done = subprocess.run(self.flights("serve", *arguments), capture_output=True, text=True, check=False,
                                      timeout=60)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(message, done.stderr)
        self.server.start()
        done = subprocess.run(self.flights("serve", "--pubsub_port=0"), capture_output=True, text=True, check=False,
                              timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another process serves the Pub/Sub", done.stderr)


if __name__ == "__main__":
    unittest.main()
