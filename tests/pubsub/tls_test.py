#!/usr/bin/env python3
"""The Pub/Sub port with TLS and Google's Python client: who trusts the certificate publishes and pulls, nobody else does
anything."""

import contextlib
import io
import os
import subprocess
import unittest

from pubsub_server import PROJECT, Server

TOPIC = f"{PROJECT}/topics/clicks"
SUBSCRIPTION = f"{PROJECT}/subscriptions/s"
CALL_MAX_S = 10


def make_certificate(folder, name):
    """A self-signed certificate of this machine, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                    str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


class TlsTest(unittest.TestCase):
    def setUp(self):
        os.environ.pop("PUBSUB_EMULATOR_HOST", None)
        self.server = Server()
        self.addCleanup(self.server.close)
        self.certificate, self.key = make_certificate(self.server.folder, "server")
        self.server.options = (f"--tls_cert={self.certificate}", f"--tls_key={self.key}")

    def clients(self, channel):
        """Google's clients over a channel."""
        from google.cloud import pubsub_v1
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
        return (pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
                pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)))

    def trusting(self, certificate):
        import grpc
        channel = grpc.secure_channel(self.server.address, grpc.ssl_channel_credentials(certificate.read_bytes()))
        self.addCleanup(channel.close)
        return channel

    def refused(self, channel):
        """The error of a call that does not come through."""
        from google.api_core import exceptions
        publisher, _ = self.clients(channel)
        with self.assertRaises((exceptions.ServiceUnavailable, exceptions.RetryError)) as raised:
            publisher.get_topic(topic=TOPIC, timeout=CALL_MAX_S, retry=None)
        return str(raised.exception)

    def test_publish_and_pull(self):
        import grpc
        self.server.start()
        publisher, subscriber = self.clients(self.trusting(self.certificate))
        publisher.create_topic(name=TOPIC)
        subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
        sent = [f"click {number}".encode() for number in range(50)]
        for future in [publisher.publish(TOPIC, data) for data in sent]:
            future.result(timeout=CALL_MAX_S)
        got = []
        while len(got) < len(sent):
            pulled = subscriber.pull(subscription=SUBSCRIPTION, max_messages=100).received_messages
            self.assertTrue(pulled, f"{len(got)} of {len(sent)} came")
            got += [received.message.data for received in pulled]
            subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[received.ack_id for received in pulled])
        self.assertEqual(sorted(got), sorted(sent))

        # Neither without TLS nor with another certificate than the one that is trusted.
        plain = grpc.insecure_channel(self.server.address)
        self.addCleanup(plain.close)
        self.refused(plain)
        other, _ = make_certificate(self.server.folder, "other")
        self.assertRegex(self.refused(self.trusting(other)), "(?i)certificate|handshake|ssl")
        self.assertIn(" with TLS", self.server.messages())
        self.assertNotIn("PUBSUB_EMULATOR_HOST", self.server.messages())
        self.assertIn('"tls":true', (self.server.data / "pubsub.json").read_text().replace(" ", ""))
        self.assertEqual(self.server.stop(), 0)

    def test_wrong_files_are_told(self):
        _, other_key = make_certificate(self.server.folder, "other")
        nowhere = self.server.folder / "nowhere.pem"
        for options, told in (((f"--tls_cert={self.certificate}",), "--tls_cert and --tls_key go together"),
                              ((f"--tls_cert={nowhere}", f"--tls_key={self.key}"), str(nowhere)),
                              ((f"--tls_cert={self.certificate}", f"--tls_key={other_key}"), str(other_key)),
                              ((f"--tls_cert={self.server.folder}/server.log", f"--tls_key={self.key}"), "in PEM")):
            with self.subTest(options=options), contextlib.redirect_stderr(io.StringIO()):
                self.server.options = options
                with self.assertRaises(AssertionError) as raised:
                    self.server.start()
                self.assertIn(told, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
