#!/usr/bin/env bash
# Everything that must hold, in one command: installs what is missing, builds, runs, prints a table.
set -euo pipefail

usage() {
  cat << 'USAGE'
usage: sudo tests/run.sh [--fast | --full | --only KIND...]

  (nothing)     g++ release with everything; clang ASan + UBSan for unit, property and sim; tidy, replay, interop and
                e2e sets marked default. About an hour from scratch on two cores.
  --fast        unit, property, sim and tidy with the release build: a few minutes
  --only KIND   one or several of: unit property sim tidy replay interop e2e fuzz bench (--only unit --only tidy, or
                --only unit tidy)
  --full        every build type, all of interop and e2e, interop with the sanitized build, long simulations and
                fuzzing, valgrind, clang-tidy: hours
                (with --only: all of those kinds, not just their default sets)
  --with-frr    with --full: also what FRR does where bgplite was measured, for the record
  --match TEXT  only test programs and scripts whose name contains TEXT
  --no-install  do not install packages; what is missing is reported by the tests that need it
  --jobs N      build and run N at a time (default: the number of cores)

Needs root for namespaces and for installing packages; as another user it runs what it can and says what it left out.
Daemons among the packages (frr, bird2, ...) are installed but neither started nor enabled, and running ones are left
alone. The last line is "N passed, N failed"; the status is 0 only when nothing failed.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
kinds=() fast=0 full=0 install=1 passed_on=()
while (($#)); do
  case $1 in
    --fast) fast=1 ;;
    --full) full=1 ;;
    --with-frr) passed_on+=(--with-frr) ;;
    --no-install) install=0 ;;
    --match | --jobs)
      (($# > 1)) || { echo "tests/run.sh: $1 needs a value" >&2; exit 2; }
      passed_on+=("$1" "$2")
      shift
      ;;
    --only)
      (($# > 1)) || { echo "tests/run.sh: --only needs a kind" >&2; exit 2; }
      shift
      while (($#)) && [[ $1 != -* ]]; do
        case $1 in
          unit | property | sim | tidy | replay | interop | e2e | fuzz | bench) kinds+=("$1") ;;
          *) echo "tests/run.sh: there is no kind '$1' (see --help)" >&2; exit 2 ;;
        esac
        shift
      done
      continue
      ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; echo "tests/run.sh: unknown option '$1'" >&2; exit 2 ;;
  esac
  shift
done
if ((fast)); then
  ((${#kinds[@]} == 0)) || { echo "tests/run.sh: --fast and --only exclude each other" >&2; exit 2; }
  kinds=(unit property sim tidy)
fi

exec < /dev/null
export CI=${CI:-true} LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

groups=(build test)
has() { ((${#kinds[@]} == 0)) || [[ " ${kinds[*]} " == *" $1 "* ]]; }
((fast)) || ! { ((${#kinds[@]} == 0)); } || groups+=(sanitize)
if has interop; then groups+=(interop); fi
if has e2e; then groups+=(e2e); fi
if has fuzz; then groups+=(fuzz); fi
if ((full)); then groups+=(full); fi
if ((install)); then "$here/lib/install.sh" "${groups[@]}"; fi
command -v python3 > /dev/null || { echo "tests/run.sh: python3 is missing: apt-get install python3" >&2; exit 1; }

options=()
if ((full)); then options+=(--full); fi
if ((fast)); then options+=(--no-sanitize); fi
python3 "$here/lib/runner.py" "${options[@]}" "${passed_on[@]}" "${kinds[@]}" &
runner=$!
# bash would wait for the runner before it acts on a signal that only bash got.
trap 'kill -INT $runner' INT
trap 'kill -TERM $runner' TERM HUP
status=0
wait $runner || status=$?
# A trap ends wait early, with 128 and the signal: then the runner is still taking things down.
while kill -0 $runner 2> /dev/null; do
  status=0
  wait $runner || status=$?
done
# A build made through sudo belongs to who asked for it.
if [[ ${SUDO_UID:-} && $EUID == 0 && -d $root/build ]]; then
  chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$root/build"
fi
exit $status
