#!/usr/bin/env python3
"""bgplite beside BIRD and FRR, from the bench harness's results.json: medians, ratios, and the aims they are held to.

    tests/bench/ratios.py results.json [--check]

--check: status 1 when an aim is missed.
"""
import argparse
import collections
import json
import statistics
import sys

Aim = collections.namedtuple("Aim", "case figure limit against unit")
# limit is a ratio to the better of `against`, or an absolute value where against is None.
AIMS = [
    Aim("a ingest+reflect 100k", "time_s", 0.6, ["bird"], "s"),
    Aim("a ingest+reflect 1M", "time_s", 0.6, ["bird"], "s"),
    Aim("a ingest+reflect 1M", "withdraw_s", None, ["bird"], "s"),
    Aim("a ingest+reflect 1M", "rss_mb", 1.0, ["bird"], "MB"),
    Aim("b 8 senders x same 100k", "time_s", 0.6, ["bird"], "s"),
    Aim("b 8 senders x same 100k", "rss_mb", None, ["bird"], "MB"),
    Aim("c 1 x 100k -> 20 receivers", "time_s", 0.5, ["bird", "frr"], "s"),
    Aim("d FIB 100k, 1 nexthop", "time_s", 0.5, ["bird"], "s"),
    Aim("d FIB 500k, 1 nexthop", "time_s", 0.5, ["bird"], "s"),
    Aim("d FIB 100k, 2 nexthops", "time_s", 0.45, ["bird"], "s"),
    Aim("e failover reset, 100k", "gone_s", 0.02, None, "s"),
    Aim("f idle", "ten_routes_s", 0.02, None, "s"),
    Aim("f start, daemon connects", "ten_routes_s", 0.05, None, "s"),
    Aim("f idle", "rss_mb", 8.0, None, "MB"),
]


def median(results, case, target, figure):
    return results["cases"].get(case, {}).get(target, {}).get("median", {}).get(figure)


def kernel_limits(results):
    """Seconds that adding routes takes the kernel alone, by (number of routes, how), when scenario g was run too."""
    found = {}
    for case, runs in results["cases"].get("g limits", {}).items():
        kind, count = case.rsplit(" ", 1)
        if kind != "kernel":
            continue
        for run in runs:
            seen = set()  # Of what is done several times in a run the first counts.
            for step in run["rows"]:
                if step["ev"] == "limit" and step["what"].startswith("batch 256 add") and step["what"] not in seen:
                    seen.add(step["what"])
                    found.setdefault((int(count), step["what"]), []).append(step["seconds"])
    return {key: statistics.median(seconds) for key, seconds in found.items()}


def number(value):
    return "-" if value is None else f"{value:.3f}" if value < 100 else f"{value:.0f}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("results")
    arguments.add_argument("--target", default="bgplite")
    arguments.add_argument("--check", action="store_true")
    options = arguments.parse_args()
    with open(options.results) as file:
        results = json.load(file)
    missed = 0
    print(f"{'case':32} {'figure':12} {'bgplite':>9} {'bird':>9} {'frr':>9} {'ratio':>6} {'aim':>7}")

    def row(case, figure, ours, aim, others, ratio):
        nonlocal missed
        bad = aim is not None and ours is not None and ratio is not None and ratio > aim
        missed += bad
        cells = " ".join(f"{number(v):>9}" for v in (ours, *others))
        print(f"{case:32} {figure:12} {cells} {number(ratio):>6} {number(aim):>7}{'  missed' if bad else ''}")

    for aim in AIMS:
        ours = median(results, aim.case, options.target, aim.figure)
        others = [median(results, aim.case, t, aim.figure) for t in ("bird", "frr")]
        if aim.against is None:
            row(aim.case, aim.figure, ours, aim.limit, others, ours)
            continue
        known = [v for t in aim.against if (v := median(results, aim.case, t, aim.figure)) is not None]
        ratio = ours / min(known) if ours is not None and known else None
        row(aim.case, aim.figure, ours, aim.limit, others, ratio)
    small = median(results, "a ingest+reflect 100k", options.target, "time_s")
    large = median(results, "a ingest+reflect 1M", options.target, "time_s")
    if small and large:
        growth = large / 10 / small
        row("a, time per prefix at 1M / 100k", "growth", growth, 1.5, (None, None), growth)
    for (count, what), seconds in kernel_limits(results).items():
        print(f"the kernel alone, {count} routes: {what}: {seconds:.3f} s")
    sys.exit(1 if options.check and missed else 0)


if __name__ == "__main__":
    main()
