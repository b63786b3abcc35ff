#!/usr/bin/env python3
"""An independent implementation of bench/README.md's formulas, slow and plain; generator_test.cc compares with it.

    nexmark_reference.py bids SEED RATE INDEX...             one bid per line, tab-separated
    nexmark_reference.py persons_and_auctions SEED RATE INDEX...
    nexmark_reference.py positions DISORDER_LOG2 TOTAL       the index that each position reads, one per line
    nexmark_reference.py check QUERY SEED RATE EVENTS KEYS   the query's check
"""
import sys
from collections import Counter, defaultdict

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
BASE_MS = 1_700_000_000_000


def mix(x):
    x &= MASK
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def pick(r, m):
    return (r * m) >> 32


class Event:
    def __init__(self, seed, rate, n):
        h1 = mix(seed + (n + 1) * GAMMA)
        h2 = mix(h1 + GAMMA)
        h3 = mix(h2 + GAMMA)
        self.r = [part for h in (h1, h2, h3) for part in (h & 0xFFFFFFFF, h >> 32)]
        self.time_ms = BASE_MS + n * 1000 // rate
        self.epoch, self.offset = divmod(n, 50)
        self.last_person = self.epoch
        self.last_auction = max(0, 3 * self.epoch + (-1 if self.offset == 0 else min(self.offset, 3) - 1))

    def active(self, r):
        a = min(self.last_person + 1, 1000)
        return self.last_person + 1 - a + pick(r, a)

    def bid(self):
        r0, r1, r2, r3, r4, r5 = self.r
        m = max(0, self.last_auction - 100)
        hot = self.last_auction // 100 * 100
        auction = 1000 + (hot if r0 & 1 else m + pick(r1, self.last_auction - m + 1))
        bidder = 1000 + (self.last_person // 100 * 100 + 1 if r2 & 3 else self.active(r3))
        price = 10 ** pick(r4, 6) * (100 + (r4 & 0xFFFF) % 900)
        index = (r5 >> 1) & 3 if r5 & 1 else 4 + pick(r5, 10000)
        return auction, bidder, price, channel(index), url(index), extra((r2 >> 2) & 1023)

    def auction(self):
        seller = self.last_person // 100 * 100 if self.r[2] & 3 else self.active(self.r[3])
        return 1000 + self.last_auction, 1000 + seller, 10 + pick(self.r[4], 5)

    def person(self):
        identifier = 1000 + self.last_person
        return identifier, f"person-{identifier}"


def letters(h, count):
    return "".join(chr(ord("a") + ((h >> (5 * k)) & 15)) for k in range(count))


def channel(index):
    return ["Google", "Facebook", "Baidu", "Apple"][index] if index < 4 else f"channel-{index - 4}"


def url(index):
    path = "/".join(letters(mix(index * 3 + j + 7), 5) for j in range(3))
    suffix = f"&channel_id={index}" if index >= 4 else ""
    return f"https://www.nexmark.com/{path}/item.htm?query=1{suffix}"


def extra(index):
    return "".join(chr(ord("a") + (mix(index * 64 + k) & 15)) for k in range(24 + (mix(index + 99) & 15)))


def bid_event(seed, rate, b):
    return Event(seed, rate, (b // 46) * 50 + 4 + b % 46)


def person_or_auction_event(seed, rate, c):
    return Event(seed, rate, (c // 4) * 50 + c % 4)


def position(p, block, total):
    begin = p - p % block
    return p if begin + block > total else begin + ((p % block) * 2654435761 + 12345) % block


def hot_items(bids):
    windows = defaultdict(Counter)
    for time_ms, bid in bids:
        for start in range(time_ms - time_ms % 2000 - 8000, time_ms + 1, 2000):
            windows[start][bid[0]] += 1
    return [(n, a) for counts in windows.values() for a, n in counts.items() if n == max(counts.values())]


def check(query, seed, rate, events, keys):
    """The result rows' summed fields."""
    if query == "q8":
        persons, sellers = set(), set()
        for c in range(events):
            event = person_or_auction_event(seed, rate, c)
            window = event.time_ms // 10000
            if event.offset == 0:
                persons.add((window, event.person()[0]))
            else:
                sellers.add((window, event.auction()[1]))
        return [(identifier,) for _, identifier in persons & sellers]
    bid_events = [bid_event(seed, rate, b) for b in range(events)]
    if query == "qk":
        return [(n,) for n in Counter(pick(event.r[1], keys) for event in bid_events).values()]
    bids = [(event.time_ms, event.bid()) for event in bid_events]
    if query == "q0":
        return [(bid[2],) for _, bid in bids]
    if query == "q1":
        return [(bid[2] * 908 // 1000,) for _, bid in bids]
    if query == "q2":
        return [(bid[2],) for _, bid in bids if bid[0] % 123 == 0]
    if query == "q5":
        return hot_items(bids)
    if query == "q7":
        highest = defaultdict(int)
        for time_ms, bid in bids:
            highest[time_ms // 10000] = max(highest[time_ms // 10000], bid[2])
        return [(price,) for price in highest.values()]
    counts = Counter((time_ms // 10000, bid[1]) for time_ms, bid in bids)
    return [(n, n * n) for n in counts.values()]


def main(arguments):
    verb, rest = arguments[0], arguments[1:]
    if verb == "positions":
        block, total = 2 ** int(rest[0]), int(rest[1])
        for p in range(total):
            print(p if block == 1 else position(p, block, total))
    elif verb == "check":
        rows = check(rest[0], *map(int, rest[1:]))
        print(",".join(map(str, [len(rows)] + [sum(column) % 2**64 for column in zip(*rows)])))
    else:
        seed, rate, *indexes = map(int, rest)
        for index in indexes:
            if verb == "bids":
                event = bid_event(seed, rate, index)
                fields = event.bid()
            else:
                event = person_or_auction_event(seed, rate, index)
                fields = event.person() if event.offset == 0 else event.auction()
            print(*((event.time_ms,) + fields), sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
