#!/usr/bin/env python3
# kind: default
"""The engine says the same bytes whichever compiler built it: the digests that the simulation prints are compared
between the g++ release build and the clang build with sanitizers, where both are there."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import Skip, case, check, main


def digest(folder):
    program = folder / "tests" / "sim" / "determinism_test"
    if not program.exists():
        raise Skip(f"{program} is not built")
    done = subprocess.run([program], capture_output=True, text=True)
    check(done.returncode == 0, lambda: done.stdout + done.stderr)
    return re.search(r"digest \w+ of \d+ octets", done.stdout).group()


@case("two compilers, one digest")
def two_compilers(lab):
    release = needs.build_dir()
    first, second = digest(release), digest(release.parent / "debug")
    check(first == second, f"{release.name}: {first}; debug: {second}")


if __name__ == "__main__":
    main()
