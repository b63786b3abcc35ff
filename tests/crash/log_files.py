"""Reads the segments of a topic as docs/formats/log.md has them, apart from checksums: an eye of its own on the log."""

import struct

SEGMENT_HEADER = 64
BATCH_HEADER = 72
KIND_CONTROL = 1


class Record:
    """A record, or a control record, whose data is None."""

    def __init__(self, partition, offset, event_time, key, data, producer, sequence):
        self.partition = partition
        self.offset = offset
        self.event_time = event_time
        self.key = key
        self.data = data
        self.producer = producer
        self.sequence = sequence


def _varint(body, at):
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _records(body, header, partition):
    (_, _, _, first_offset, count, _, first_sequence, _, least_time, _, kind, producer_bytes, _, _) = header
    if kind == KIND_CONTROL:
        return [Record(partition, first_offset, least_time, None, None, None, None)]
    producer = body[:producer_bytes].decode()
    at = producer_bytes
    sequence = first_sequence
    records = []
    for number in range(count):
        time, at = _varint(body, at)
        if producer_bytes:
            step, at = _varint(body, at)
            sequence += step
        key_bytes, at = _varint(body, at)
        attributes, at = _varint(body, at)
        data_bytes, at = _varint(body, at)
        for _ in range(attributes):
            name_bytes, at = _varint(body, at)
            value_bytes, at = _varint(body, at)
            at += name_bytes + value_bytes
        key = body[at:at + key_bytes].decode()
        at += key_bytes
        data = body[at:at + data_bytes].decode()
        at += data_bytes
        records.append(Record(partition, first_offset + number, least_time + time, key, data, producer, sequence))
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes behind the records of the batch at offset {first_offset}")
    return records


def read_partition(folder):
    """The records of a partition, whose offsets must follow each other. A torn tail ends the last segment."""
    records = []
    segments = sorted(folder.glob("*.segment"))
    for path in segments:
        content = path.read_bytes()
        if len(content) < SEGMENT_HEADER or content[:8] != b"MRSEGMT1":
            if path == segments[-1]:
                break
            raise ValueError(f"{path}: no segment")
        at = SEGMENT_HEADER
        while at + BATCH_HEADER <= len(content) and content[at + 8:at + 12] == b"MRB1":
            header = struct.unpack_from("<Q4sIqIIqqqqBBHI", content, at)
            begin = at + BATCH_HEADER
            if begin + header[2] > len(content):
                break
            records += _records(content[begin:begin + header[2]], header, int(folder.name))
            at = begin + header[2]
        if at != len(content) and path != segments[-1]:
            raise ValueError(f"{path}: damaged at {at}")
    for number, record in enumerate(records):
        if record.offset != number:
            raise ValueError(f"{folder}: offset {record.offset} where {number} should be")
    return records


def read_topic(folder):
    """The records of all partitions, one partition after another."""
    partitions = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return [record for partition in partitions for record in read_partition(partition)]
