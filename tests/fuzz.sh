#!/bin/sh
# Runs every fuzzer of the tree and prints how often each ran:
#   tests/fuzz.sh [--minutes N] [--only REGEX] [--build DIRECTORY]
#   tests/fuzz.sh --coverage
# Each runs N minutes of processor time (default 2) from its corpus, tests/fuzz/corpus/NAME. What it finds grows in
# DIRECTORY/corpus (default build/fuzz/corpus), never in the tree; an input that fails is left there as crash-*. Exit 1
# when one failed. --coverage instead prints what the committed corpora reach in bgp/wire, line by line in
# build/coverage/lines.txt; exit 1 below 95 % of lines.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
minutes=2
only=.
build=$root/build/fuzz
coverage=
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) minutes=$2; shift 2 ;;
    --only) only=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --coverage) coverage=1; shift ;;
    *) sed -n '2,8p' "$0" >&2; exit 2 ;;
  esac
done

if [ -n "$coverage" ]; then
  build=$root/build/coverage
  fuzzers="fuzz_stream fuzz_open fuzz_update fuzz_notification fuzz_mrt fuzz_text fuzz_session"
  (cd "$root" && cmake --preset fuzz -B "$build" -DMINIBGP_SANITIZE=OFF -DMINIBGP_HARDENING=OFF \
    -DMINIBGP_BUILD_APPS=OFF -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O0 -fprofile-instr-generate -fcoverage-mapping" \
    >/dev/null)
  # shellcheck disable=SC2086
  cmake --build "$build" --target $fuzzers
  objects=
  for name in $fuzzers; do
    program=$(find "$build/tests" -name "$name" -type f -perm -u+x)
    seeds=$root/tests/fuzz/corpus/${name#fuzz_}
    LLVM_PROFILE_FILE=$build/$name.profraw "$program" -runs=0 "$seeds" >"$build/$name.log" 2>&1
    objects="$objects${objects:+ -object }$program"
  done
  llvm-profdata merge -o "$build/all.profdata" "$build"/fuzz_*.profraw
  # shellcheck disable=SC2086
  llvm-cov show $objects -instr-profile "$build/all.profdata" >"$build/lines.txt"
  # shellcheck disable=SC2086
  llvm-cov export -summary-only $objects -instr-profile "$build/all.profdata" >"$build/summary.json"
  exec python3 - "$build/summary.json" <<'END'
import json, sys
files = json.load(open(sys.argv[1]))["data"][0]["files"]
lines = {file["filename"].split("/bgp/")[-1]: file["summary"]["lines"] for file in files
         if "/bgp/wire/" in file["filename"]}
for name, of in sorted(lines.items()):
    print(f"{of['percent']:6.1f} % of {of['count']:4} lines  {name}")
count, covered = (sum(of[what] for of in lines.values()) for what in ("count", "covered"))
print(f"{100 * covered / count:6.1f} % of {count:4} lines  all")
sys.exit(100 * covered < 95 * count)
END
fi

if [ ! -f "$build/build.ninja" ]; then
  (cd "$root" && cmake --preset fuzz -B "$build" >/dev/null)
fi
cmake --build "$build" --target all_fuzz

# $spent: processor seconds of the children that have ended.
measure() {
  times >"$build/times"
  sum='2s/^\([0-9]*\)m\([0-9]*\)[^ ]* \([0-9]*\)m\([0-9]*\).*/(\1 + \3) * 60 + \2 + \4/p'
  spent=$(($(sed -n "$sum" "$build/times")))
}

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
  verdict=ok
  executions=0
  measure
  until=$((spent + minutes * 60))
  # In rounds: on a busy machine a minute of the clock is less of the processor.
  while [ "$spent" -lt "$until" ] && [ $verdict = ok ]; do
    (cd "$grown" && exec "$program" -max_total_time=$((until - spent)) -rss_limit_mb=2048 -timeout=10 \
      -print_final_stats=1 "$@" >"$log" 2>&1) || verdict=FAIL failed=1
    executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | grep . || echo 0)))
    measure
  done
  covered=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  printf '%-4s %-24s %12s executions %6s edges\n' "$verdict" "$name" "$executions" "${covered:-?}"
  [ "$verdict" = ok ] || tail -n 30 "$log"
done
exit $failed
