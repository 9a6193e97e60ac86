#!/usr/bin/env python3
# kind: default
# seconds: 1800
"""The rules of the project, checked on the tree: `tidy_test.py [RULE...]`. One line per rule; findings above it."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rules


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    chosen = [r for r in rules.RULES if not sys.argv[1:] or r.__name__ in sys.argv[1:]]
    tree = rules.Tree(root)
    failed = False
    for rule in chosen:
        started = time.monotonic()
        findings = list(rule(tree))
        for finding in findings:
            print(f"{finding.file}:{finding.line}: {finding.text}")
        meaning = rule.__doc__.strip().rstrip(".")
        if findings:
            failed = True
            print(f"FAIL {rule.__name__}: {len(findings)} findings: {meaning}", flush=True)
        else:
            print(f"ok {rule.__name__} ({time.monotonic() - started:.1f} s): {meaning}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
