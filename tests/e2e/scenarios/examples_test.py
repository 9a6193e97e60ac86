#!/usr/bin/env python3
# kind: default
# seconds: 120
"""Every example configuration passes `bgplite check`, without a warning."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
import needs
from cases import case, check, check_equal, main, require
from peers import Bgplite

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "apps/bgplite/dist/examples"


@case("example configurations are right")
def examples(_):
    require(Bgplite.missing())
    files = sorted(EXAMPLES.glob("*.yaml"))
    check(len(files) >= 11, f"only {len(files)} examples were found in {EXAMPLES}")
    for path in files:
        done = subprocess.run([needs.built("bgplite"), "check", "--strict", path], capture_output=True, text=True)
        check_equal(done.returncode, 0, f"{path.name}: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
