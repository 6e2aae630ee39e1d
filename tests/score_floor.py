#!/usr/bin/env python3
"""Fails when a score is below the floor.

usage: score_floor.py FLOOR_FILE 'captures 10/12, handshakes 7/7, ..., invented 0'

The floor is a line of the same form. Every part must reach the floor's count, nothing more may be invented.
"""
import re
import sys


def parts(line):
    found = {k: int(n) for k, n in re.findall(r"(\w+) (\d+)/\d+", line)}
    # Counts in which less is better.
    bad = {k.strip(): int(n) for k, n in re.findall(r"(invented|wrong pairs|unfounded) (\d+)", line)}
    return found, bad


def main():
    floor_file, line = sys.argv[1], sys.argv[2]
    floors = [x for x in open(floor_file).read().splitlines() if x and not x.startswith("#")]
    keys = set(parts(line)[0])
    floor = next((f for f in floors if set(parts(f)[0]) == keys), None)
    if floor is None:
        sys.exit(f"no floor in {floor_file} for: {line!r}")
    (want, may), (have, bad) = parts(floor), parts(line)
    short = [f"{k} {have.get(k)} below {n}" for k, n in want.items() if have.get(k, -1) < n]
    short += [f"{k} {bad.get(k)} above {n}" for k, n in may.items() if bad.get(k, n + 1) > n]
    if short:
        sys.exit("score below the floor: " + "; ".join(short))


if __name__ == "__main__":
    main()
