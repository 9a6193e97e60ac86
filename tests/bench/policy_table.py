#!/usr/bin/env python3
"""Parts of policy.sh: makes an MRT table, times whole programs over it, prints the figures with their ratios.

policy_table.py judge BENCH.json | make FILE ROUTES | diff BGPLITE MRT DIRECTORY
"""
import json
import pathlib
import random
import shutil
import statistics
import struct
import subprocess
import sys
import time

RUNS = 3
LIMIT_SECONDS = 5  # For `policy diff` over a million routes.
GROWTH_LIMIT = 2  # Time per route at a million entries against ten.


def judge(path):
    rows = {}
    for row in json.loads(pathlib.Path(path).read_text())["benchmarks"]:
        if row.get("aggregate_name", "median") != "median":
            continue
        order, *arguments = row["run_name"].split("/")
        found = dict(part.split(":") for part in arguments if ":" in part)
        if "terms" in found:
            rows[order, int(found["terms"]), int(found["entries"])] = row["items_per_second"]
        else:
            print(f"{order.replace('_', ' ')}: {row['real_time']:.0f} {row['time_unit']} (limit 2000 ms)")
    print(f"\n{'order':16} {'terms':>6} {'10':>12} {'10 000':>12} {'1 000 000':>12}   growth (limit {GROWTH_LIMIT})")
    worst = 0
    for order, terms in sorted({key[:2] for key in rows}):
        speeds = [rows[order, terms, entries] for entries in (10, 10_000, 1_000_000)]
        growth = speeds[0] / speeds[2]
        worst = max(worst, growth if order == "in_table_order" else 0)
        print(f"{order:16} {terms:6}" + "".join(f" {speed / 1e6:10.1f} M" for speed in speeds) + f"   {growth:.2f}x")
    print(f"routes per second; worst growth in table order {worst:.2f}x\n")


def make(path, count):
    """TABLE_DUMP_V2 (RFC 6396) with /24s spread over the unicast space, and attributes of 20 000 kinds."""
    rng = random.Random(1)
    kinds = []
    for _ in range(20_000):
        path_asns = [65535] + [rng.randrange(1, 400_000) for _ in range(rng.randint(1, 5))]
        communities = [rng.randrange(1 << 32) for _ in range(rng.randint(0, 6))]
        attributes = b"\x40\x01\x01\x00"
        segment = struct.pack("!BB", 2, len(path_asns)) + b"".join(struct.pack("!I", a) for a in path_asns)
        attributes += struct.pack("!BBB", 0x40, 2, len(segment)) + segment
        attributes += b"\x40\x03\x04\xc0\x00\x02\x02"
        attributes += b"\x80\x04\x04" + struct.pack("!I", rng.randrange(200))
        if communities:
            value = b"".join(struct.pack("!I", c) for c in communities)
            attributes += struct.pack("!BBB", 0xC0, 8, len(value)) + value
        kinds.append(attributes)

    def record(subtype, body):
        return struct.pack("!IHHI", 1700000000, 13, subtype, len(body)) + body

    with open(path, "wb") as out:
        peer = struct.pack("!B4s4sI", 2, b"\xc0\x00\x02\x02", b"\xc0\x00\x02\x02", 65535)
        out.write(record(1, b"\xc0\x00\x02\x01" + struct.pack("!HH", 0, 1) + peer))
        first, last = 1 << 16, 223 << 16
        for i in range(count):
            slot = first + (last - first) * i // count
            attributes = kinds[rng.randrange(len(kinds))]
            entry = struct.pack("!HIH", 0, 1700000000, len(attributes)) + attributes
            prefix = struct.pack("!B", 24) + struct.pack("!I", slot << 8)[:3]
            out.write(record(2, struct.pack("!I", i) + prefix + struct.pack("!H", 1) + entry))


POLICY = """\
prefix_sets: {{ low: [0.0.0.0/1 le 24], high: ['128.0.0.0/1 le 24'] }}
policies:
  p:
    - {{ match: {{ as_path: '_1000[0-9]+_' }}, reject: true }}
    - {{ match: {{ prefix: low }}, then: {{ local_pref: {pref}, add_community: 65530:1 }}, accept: true }}
    - {{ match: {{ prefix: high, med: ..{med} }}, accept: true }}
"""


def timed(argv):
    """Median of RUNS, with the output thrown away."""
    seconds = []
    for _ in range(RUNS):
        begin = time.monotonic()
        subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        seconds.append(time.monotonic() - begin)
    return statistics.median(seconds)


def diff(bgplite, mrt, directory):
    work = pathlib.Path(directory)
    files = {}
    for name, pref, med in (("old", 200, 99), ("new", 300, 100), ("plain", 0, 0)):
        files[name] = work / f"{name}.yaml"
        files[name].write_text(POLICY.format(pref=pref, med=med))
    files["plain"].write_text("policies: { p: [ { accept: true } ] }\n")
    common = ["--rib", mrt, "--policy", "p"]
    changed = timed([bgplite, "policy", "diff", str(files["old"]), str(files["new"]), *common])
    reading = timed([bgplite, "policy", "diff", str(files["plain"]), str(files["plain"]), *common])
    megabytes = pathlib.Path(mrt).stat().st_size / 1e6
    print(f"policy diff over {megabytes:.0f} MB of MRT: {changed:.2f} s (limit {LIMIT_SECONDS} s)")
    print(f"policy diff of a policy that takes everything (reading): {reading:.2f} s")
    if shutil.which("bgpdump"):
        theirs = timed(["bgpdump", "-m", mrt])
        print(f"bgpdump -m: {theirs:.2f} s; reading takes {reading / theirs:.2f} of it")
    else:
        print("bgpdump is not installed (apt-get install bgpdump)")


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    if verb == "make":
        make(rest[0], int(rest[1]))
    else:
        {"judge": judge, "diff": diff}[verb](*rest)
