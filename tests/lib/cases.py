"""Test scripts in Python: cases, their report, their exit status.

    #!/usr/bin/env python3
    # kind: default
    '''What this script shows.'''
    import pathlib, sys
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
    from cases import case, main, check_equal, Skip

    @case("a peer that falls silent loses its routes")
    def silent_peer(lab): ...

    if __name__ == "__main__":
        main()

Each case gets a fresh netlab.Lab and prints one line: `ok NAME (1.2 s)`, `FAIL NAME: why` or `skip NAME: why`;
tests/run.sh counts these lines, and puts those of measured() into one table. A case with full=True runs only with
--full. Exit status: 0; 1 when one failed; 77 when all were skipped.
"""
import argparse
import re
import signal
import sys
import time
import traceback

import needs
from netlab import Lab

_cases = []


class Skip(Exception):
    """Raised by a case that this machine cannot run; the text says what is missing."""


def case(name, full=False, with_frr=False):
    """Registers a function of one argument, the Lab. `with_frr`: what FRR does in the same place, for the record; only
    with --with-frr."""

    def register(function):
        if not with_frr or "--with-frr" in sys.argv:
            _cases.append((name, full, function))
        return function

    return register


def require(*answers):
    """require(needs.program("bird"), ...): skips the case with the first thing that is missing."""
    wrong = [answer for answer in answers if not (answer is None or isinstance(answer, str))]
    if wrong:  # True, for what is there, would skip the case wherever it can run.
        raise TypeError(f"require() takes None or what is missing, not {wrong}")
    missing = needs.first_missing(*answers)
    if missing:
        raise Skip(missing)


def check(condition, what):
    if not condition:
        raise AssertionError(what() if callable(what) else what)


def check_equal(seen, wanted, what, limit=5):
    """Compares by value; for dicts and sets the report lists the first `limit` differences, not the whole."""
    if seen == wanted:
        return
    if isinstance(seen, dict) and isinstance(wanted, dict):
        rows = [
            f"{k}: {seen.get(k, 'nothing')}, wanted {wanted.get(k, 'nothing')}"
            for k in sorted(set(seen) | set(wanted), key=str)
            if seen.get(k) != wanted.get(k)
        ]
        raise AssertionError(f"{what}: {len(rows)} differ: " + "; ".join(rows[:limit]))
    if isinstance(seen, (set, frozenset)) and isinstance(wanted, (set, frozenset)):
        extra, missing = sorted(seen - wanted, key=str), sorted(wanted - seen, key=str)
        raise AssertionError(f"{what}: {len(extra)} too many {extra[:limit]}, {len(missing)} missing {missing[:limit]}")
    raise AssertionError(f"{what}: {seen!r}, wanted {wanted!r}")


def measured(what, *cells):
    """A row of the table that tests/run.sh prints at its end: what was measured, and the figures."""
    print("measured " + " | ".join((what, *map(str, cells))), flush=True)


def main():
    arguments = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    arguments.add_argument("names", nargs="*", help="only cases whose name contains one of these (regular expressions)")
    arguments.add_argument("--full", action="store_true", help="also the cases marked full")
    arguments.add_argument("--with-frr", action="store_true", help="also what FRR does in the same place")
    arguments.add_argument("--list", action="store_true")
    arguments.add_argument("--keep-logs", metavar="DIR", help="copy each case's logs here")
    options = arguments.parse_args()
    chosen = [
        c
        for c in _cases
        if (options.full or options.names or not c[1])
        and (not options.names or any(re.search(n, c[0]) for n in options.names))
    ]
    if options.list:
        for name, full, _ in _cases:
            print(f"{'full   ' if full else 'default'} {name}")
        return
    # SIGTERM must run the cleanup of the Lab.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = skipped = 0
    for name, _, function in chosen:
        started = time.monotonic()
        try:
            require(needs.root(), needs.namespaces())
            with Lab(re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-"), options.keep_logs) as lab:
                try:
                    function(lab)
                except Skip:
                    raise
                except Exception:
                    print(traceback.format_exc() + lab.logs(), flush=True)
                    raise
            print(f"ok {name} ({time.monotonic() - started:.1f} s)", flush=True)
        except Skip as reason:
            skipped += 1
            print(f"skip {name}: {reason}", flush=True)
        except Exception as error:
            failed += 1
            text = str(error).splitlines() or [type(error).__name__]
            print(f"FAIL {name}: {text[0]}", flush=True)
    if failed:
        sys.exit(1)
    if chosen and skipped == len(chosen):
        sys.exit(77)
