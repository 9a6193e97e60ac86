#!/usr/bin/env python3
"""Does the simulation of a gateway (tests/sim/gateway) find faults? Those in planted/ are put into the code one at a
time; with each, gateway_sim_test runs its seeds until one violates an invariant.

    planted.py [NAME...]      those patches whose name contains one of the words; default: all
    planted.py --seeds 4000   gives up after so many seeds
    planted.py --write        all of them, and the results into docs/robustness.md; a replay in tests/sim/gateway/replay
                              with the name of a patch becomes what its script was cut down to

The sources stay as they are: a patched copy of one is compiled as the build compiles it, with the sources that the
build compiles together with it, and linked before the libraries. Exit status 1 when a fault was not found.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = "gateway_sim_test"
BUILD = ROOT / "build/release"
REPLAYS = ROOT / "tests/sim/gateway/replay"
DOCUMENT = ROOT / "docs/robustness.md"
BEGIN, END = "<!-- tests/mutation/planted.py --write -->\n", "<!-- end -->\n"
RUN_SECONDS = 900


def run(argv, folder=ROOT, text=None):
    return subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, input=text, shell=isinstance(argv, str), timeout=RUN_SECONDS
    )


def must(done, what):
    if done.returncode:
        sys.exit(f"{what}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def build(jobs):
    """Its progress goes to standard error, the table to standard output."""
    configure = [] if (BUILD / "build.ninja").exists() else [["cmake", "--preset", "release"]]
    for argv in *configure, ["cmake", "--build", BUILD, "-j", str(jobs), "--target", PROGRAM]:
        if subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
            sys.exit(f"{BUILD.relative_to(ROOT)}: {PROGRAM} does not build; the reason is above")


def unit_of(source):
    """What the build compiles for a source: the file, which may include several sources, and the command."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        unit = pathlib.Path(entry["file"])
        together = "/Unity/" in entry["file"] and f'#include "{ROOT / source}"' in unit.read_text()
        if unit == ROOT / source or together:
            return unit, entry["command"].rsplit(" -o ", 1)[0]
    sys.exit(f"{source}: the build does not compile it")


def patched_objects(name, patch, folder):
    """Compiles the units of the sources that `patch` names, with patched copies; quickly: they run for a second."""
    sources = re.findall(r"^\+\+\+ b/(\S+)", patch, re.M)
    for source in sources:
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        (folder / source).write_bytes((ROOT / source).read_bytes())
    must(run(["patch", "-p1", "-s", "-F0"], folder, patch), f"{name} does not apply")
    units = {}
    for source in sources:
        unit, command = unit_of(source)
        units.setdefault(unit, (command, []))[1].append(source)
    objects = []
    for unit, (command, patched) in units.items():
        text = "".join(f'#include "{ROOT / source}"\n' for source in patched)
        if "/Unity/" in str(unit):
            text = unit.read_text()
        for source in patched:
            text = text.replace(f'"{ROOT / source}"', f'"{folder / source}"')
        copy = folder / f"unit{len(objects)}.cc"
        copy.write_text(text)
        objects.append(f"{copy}.o")
        must(run(f"{command} -O0 -w -o {copy}.o -c {copy}", BUILD), f"{name}: {', '.join(patched)} does not compile")
    return objects


def link(name, objects, output):
    """As the build links the program, with these objects first: the libraries' own are not asked for then."""
    command = must(run(["ninja", "-t", "commands", PROGRAM], BUILD), "ninja").splitlines()[-1]
    command = re.search(r": && (.*?) && ", command)[1]
    own = f" -o tests/sim/{PROGRAM} "
    if own not in command:
        sys.exit(f"the build links {PROGRAM} in another way: {command}")
    must(run(command.replace(own, f" {' '.join(objects)} -o {output} "), BUILD), f"{name} does not link")


def search(name, patch, options):
    """The cells of the table's row, and the script."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program = folder / "program"
        link(name, patched_objects(name, patch, folder), program)
        argv = [program, "--gtest_filter=*EverySeed*", "--seeds", options.seeds]
        try:
            done = run(list(map(str, argv)))
        except subprocess.TimeoutExpired:
            return (f"it hangs for {RUN_SECONDS} s", "", ""), None
    found = re.search(
        r"violates invariant (\d).*\nafter (\d+) seeds and (\d+) turns; cut down to\n((?:[^ \n].*\n)+)", done.stdout
    )
    if found:
        return (found[2], found[3], found[1]), found[4]
    died = re.search(r"assertion failed.*", done.stdout + done.stderr)
    return (died[0] if died else "not found" if done.returncode == 0 else f"status {done.returncode}", "", ""), None


def write(rows, scripts):
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    generated = "\n" + "".join(rows) + "\nSome of the scripts, as they were cut down; they are kept as replays:\n"
    for name, script in scripts.items():
        path = REPLAYS / f"{name}.txt"
        if path.exists():
            path.write_text(script)
            generated += f"\n`{path.relative_to(ROOT)}`\n\n```text\n{script}```\n"
    DOCUMENT.write_text(before + BEGIN + generated + "\n" + END + after)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--seeds", type=int, default=4000)
    arguments.add_argument("--jobs", type=int, default=2, help="of the build")
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    build(options.jobs)
    rows = ["| | planted fault | file | seeds | turns | invariant |\n", "| --- | --- | --- | --- | --- | --- |\n"]
    print(*rows, sep="", end="", flush=True)
    scripts, missed = {}, 0
    for path in sorted((HERE / "planted").glob("*.patch")):
        if options.names and not any(name in path.name for name in options.names):
            continue
        head, patch = path.read_text().split("\n\n", 1)
        row, what = re.fullmatch(r"Fault: (\S+)\nWhat: (.*)", head).groups()
        (seeds, turns, invariant), script = search(path.stem, patch, options)
        files = ", ".join(f"`{name}`" for name in re.findall(r"^\+\+\+ b/(\S+)", patch, re.M))
        rows.append(f"| {row} | {what} | {files} | {seeds} | {turns} | {invariant} |\n")
        print(rows[-1], end="", flush=True)
        if script:
            scripts[path.stem] = script
        missed += script is None
    if options.write and not options.names:
        write(rows, scripts)
    print(f"{len(scripts)} of {len(scripts) + missed} faults were found")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
