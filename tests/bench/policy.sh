#!/bin/sh
# Prints the table of the policy benchmarks with one command:
#   1. routes judged per second by policies of 1, 10 and 100 terms over sets of 10, 10 000 and 1 000 000 prefixes, and
#      the growth with the size of the set;
#   2. `bgplite policy diff` over an MRT file of a million routes, and reading it beside `bgpdump -m`.
# Usage: tests/bench/policy.sh [BUILD_DIR]   (a release build with -DMINIBGP_BUILD_BENCH=ON; default build/release)
# MRT=FILE uses another table than the one that is made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-"$here/../../build/release"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

bench=$(find "$build/tests/bench" -name policy_bench -type f | head -1)
bgplite=$(find "$build/apps" -name bgplite -type f | head -1)
if [ -n "$bench" ]; then
  "$bench" --benchmark_format=json --benchmark_repetitions=3 --benchmark_report_aggregates_only=true >"$work/bench.json"
  python3 "$here/policy_table.py" judge "$work/bench.json"
fi
if [ -z "$bgplite" ]; then
  echo "no bgplite in $build/apps: the comparison of whole programs is left out"
  exit 0
fi
mrt=${MRT:-"$work/table.mrt"}
[ -f "$mrt" ] || python3 "$here/policy_table.py" make "$mrt" 1000000
python3 "$here/policy_table.py" diff "$bgplite" "$mrt" "$work"
