#!/bin/sh
# Runs every fuzzer of the tree and prints how often each ran:
#   tests/fuzz.sh [--minutes N] [--only REGEX] [--build DIRECTORY]
# Each runs N minutes (default 2) from its corpus, tests/fuzz/corpus/NAME. What it finds grows in DIRECTORY/corpus
# (default build/fuzz/corpus), never in the tree; an input that fails is left there as crash-*. Exit 1 when one failed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
minutes=2
only=.
build=$root/build/fuzz
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    *) sed -n '2,5p' "$0" >&2; exit 2 ;;
  esac
done

if [ ! -f "$build/build.ninja" ]; then
  (cd "$root" && cmake --preset fuzz -B "$build" >/dev/null)
fi
cmake --build "$build" --target all_fuzz

failed=0
for list in "$build"/tests/programs/fuzz_*; do
  program=$(cut -d ' ' -f 2- "$list")
  name=$(basename "$program")
  printf '%s\n' "$name" | grep -Eq "$only" || continue
  grown=$build/corpus/$name
  seeds=$root/tests/fuzz/corpus/${name#fuzz_}
  mkdir -p "$grown"
  set -- "$grown"
  [ -d "$seeds" ] && set -- "$grown" "$seeds"
  log=$grown.log
  if (cd "$grown" && "$program" -max_total_time=$((minutes * 60)) -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
      "$@" >"$log" 2>&1); then
    verdict=ok
  else
    verdict=FAIL
    failed=1
  fi
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  printf '%-4s %-24s %12s executions %6s edges\n' "$verdict" "$name" "${executions:-?}" "${covered:-?}"
  [ "$verdict" = ok ] || tail -n 30 "$log"
done
exit $failed
