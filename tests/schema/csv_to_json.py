"""csv_to_json.py FILE: prints the records that Python's csv module finds in FILE as one JSON array of arrays.
csv_to_json.py --write FILE: writes the records of the JSON array on standard input to FILE, quoted at random."""

import csv
import json
import random
import sys


def main(arguments):
    csv.field_size_limit(1 << 24)
    if arguments[0] == "--write":
        records = json.load(sys.stdin)
        choice = random.Random(len(records))
        with open(arguments[1], "w", encoding="utf-8", newline="") as file:
            for record in records:
                quoting = choice.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
                csv.writer(file, quoting=quoting, lineterminator=choice.choice(["\n", "\r\n"])).writerow(record)
        return
    with open(arguments[0], encoding="utf-8", newline="") as file:
        json.dump(list(csv.reader(file, strict=True)), sys.stdout)


main(sys.argv[1:])
