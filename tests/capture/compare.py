"""Compares the figures of a simulation with what a capture shows on its servers' ports.

    compare.py FIGURES.json PAYLOADS

PAYLOADS has a line for each TCP segment with a payload, in order: stream, source port, destination port, and the payload in
hexadecimal digits, between tabs.
"""

import collections
import json
import re
import sys

WITHIN = 0.02
ANSWER = re.compile(rb"HTTP/1\.1 \d\d\d ")
EVENT = re.compile(rb"^event: ?receipts\r?$", re.MULTILINE)


def captured(path, ports):
    """The bytes each way of each connection to one of the ports: (port, direction) to a list of bytes."""
    connections = collections.defaultdict(bytearray)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            stream, source, target, payload = line.rstrip("\n").split("\t")
            source, target = int(source), int(target)
            payload = bytes.fromhex(payload.replace(":", ""))
            if target in ports:
                connections[target, "up", stream] += payload
            elif source in ports:
                connections[source, "down", stream] += payload
    both = collections.defaultdict(list)
    for (port, way, _), sent in connections.items():
        both[port, way].append(bytes(sent))
    return both


def counts(up, down):
    """What the bytes of one server's connections come to."""
    return {
        "bytes_up": sum(map(len, up)),
        "bytes_down": sum(map(len, down)),
        "answers": sum(len(ANSWER.findall(sent)) for sent in down),
        "events": sum(len(EVENT.findall(sent)) for sent in down),
    }


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        figures = json.load(file)
    rows = [(group["name"], row) for group in figures["groups"] for row in group["strategies"]]
    sent = captured(sys.argv[2], {row["port"] for _, row in rows})
    agrees = True
    print(f"{'group':<12} {'strategy':<16} {'what':<10} {'counted':>9} {'captured':>9} {'off by':>8}")
    for group, row in rows:
        found = counts(sent[row["port"], "up"], sent[row["port"], "down"])
        for what, there in found.items():
            here = row["sums"][what]
            off = abs(here - there) / max(here, there, 1)
            agrees &= off <= WITHIN
            mark = "" if off <= WITHIN else "  TOO FAR"
            print(f"{group:<12} {row['strategy']:<16} {what:<10} {here:>9} {there:>9} {off:>8.2%}{mark}")
    if not any(row["sums"]["bytes_down"] for _, row in rows):
        sys.exit("nothing was simulated")
    sys.exit(0 if agrees else "the capture shows something else than was counted")


main()
