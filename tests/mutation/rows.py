#!/usr/bin/env python3
"""Would the tests that docs/conformance.md names notice? 20 of its rows, chosen by a seed, have their implementing line
broken one after the other; the named test is built, seen to go red, and the line put back.

    rows.py --seed 4271 --list       the rows the seed chooses, and which has a patch here
    rows.py --seed 4271 [--count N]  breaks them; the transcript in docs/conformance.md is what this printed

A row's patch is the file here that names it in its first line. The rows are ordered by a hash of seed and row, so a row
that is added later changes the choice by at most one. Works on the sources in place and restores them, also when
interrupted; a source that differs from the commit is left alone. Exit status 1 when a test stayed green.
"""
import argparse
import hashlib
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def rows():
    """Those that name a test, as (section, first column, second column)."""
    found, section = [], ""
    for line in (ROOT / "docs/conformance.md").read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 4 and re.search(r"`\w+\.\w+`", cells[3]):
            found.append(((section, *cells[:2]), cells[3]))
    return found


def chosen(seed, count):
    order = lambda row: hashlib.sha256("\n".join((str(seed), *row[0])).encode()).hexdigest()
    return sorted(rows(), key=order)[:count]


def patches():
    """{row: (path, test, program)}."""
    found = {}
    for path in sorted(HERE.glob("*.patch")):
        head = dict(line.split(": ", 1) for line in path.read_text().split("\n\n")[0].splitlines())
        found[tuple(head["Row"].split(" | "))] = (path, head["Test"], head["Program"])
    return found


def run(*argv):
    return subprocess.run(list(map(str, argv)), cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def build(folder, program):
    done = run("cmake", "--build", folder, "-j", "2", "--target", program)
    if done.returncode:
        sys.exit(f"{program} does not build:\n{done.stdout[-3000:]}")
    return pathlib.Path((folder / "tests/programs" / program).read_text().split(maxsplit=1)[1].strip())


def verdict(program, test):
    suite, name = test.split(".")
    # Parameterized ones have a prefix and a suffix.
    done = run(program, f"--gtest_filter={test}:{suite}.{name}:*/{suite}.{name}/*")
    if not re.search(r"\[ RUN ", done.stdout):
        return "absent", ""
    at = re.search(r"([\w.]+):(\d+): Failure", done.stdout)
    if done.returncode == 0:
        return "green", ""
    return "red", f"{at[1]}:{at[2]}" if at else f"status {done.returncode}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=4271)
    arguments.add_argument("--count", type=int, default=20)
    arguments.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    arguments.add_argument("--list", action="store_true")
    options = arguments.parse_args()
    known, bad = patches(), 0
    print(f"seed {options.seed}: {options.count} of {len(rows())} rows")
    for number, (row, tests) in enumerate(chosen(options.seed, options.count), 1):
        name = " | ".join(row)
        if options.list or row not in known:
            print(f"{number:2} {name}: {known[row][0].name if row in known else 'NO PATCH'}", flush=True)
            bad += row not in known
            continue
        path, test, program = known[row]
        if f"`{test}`" not in tests:
            sys.exit(f"{path.name}: the row does not name {test}")
        patch = path.read_text().split("\n\n", 1)[1]
        source = ROOT / re.search(r"^\+\+\+ b/(\S+)", patch, re.M)[1]
        if run("git", "diff", "--quiet", "--", source).returncode:
            sys.exit(f"{source} has changes: commit them first")
        original, started = source.read_bytes(), time.monotonic()
        lines = [line for line in patch.splitlines() if re.match(r"[-+](?![-+])", line)]
        try:
            done = subprocess.run(["patch", "--no-backup-if-mismatch", "-p1", "-s"], cwd=ROOT, input=patch, text=True,
                                  capture_output=True)
            if done.returncode:
                sys.exit(f"{path.name} does not apply: {done.stdout}")
            broken, where = verdict(build(options.build, program), test)
        finally:
            source.write_bytes(original)
        print(f"{number:2} {name}\n   {source.relative_to(ROOT)}", flush=True)
        for line in lines:
            print(f"   {line[0]} {line[1:].strip()}")
        print(f"   {test}: {broken} {where} ({time.monotonic() - started:.0f} s)", flush=True)
        bad += broken != "red"
    if options.list:
        return
    for program in sorted({known[row][2] for row, _ in chosen(options.seed, options.count) if row in known}):
        built = build(options.build, program)
        done = run(built, "--gtest_brief=1")
        print(f"restored: {program} {'passes' if done.returncode == 0 else 'FAILS'}", flush=True)
        bad += done.returncode != 0
    print(f"{options.count - bad} of {options.count} rows went red" if not bad else f"{bad} are not as they should be")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
