#!/usr/bin/env python3
# kind: default
"""Doxygen over the public headers: no warning, and every public name says what it is. Two kinds of names may stay bare:
data members of a struct that itself is documented (their names and types say it), and operators."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import Skip, case, check, check_equal, main

# What Doxygen 1.9 says of a correct specialization of std::hash.
KNOWN = re.compile(r"Internal inconsistency: scope for class std::hash")
BARE = re.compile(r"Member .*(\(variable\) of (struct|class) |operator).* is not documented")


def warnings(headers=None):
    """What Doxygen has to say of the project's public headers, or of `headers`."""
    if not shutil.which("doxygen"):
        raise Skip("doxygen is not installed: apt-get install doxygen")
    with tempfile.TemporaryDirectory() as folder:
        config = (needs.REPOSITORY / "bgp/library/Doxyfile").read_text() + f"OUTPUT_DIRECTORY = {folder}\n"
        config += f"INPUT = {' '.join(map(str, headers))}\n" if headers else ""
        done = subprocess.run(["doxygen", "-"], input=config, capture_output=True, text=True, cwd=needs.REPOSITORY)
    check(done.returncode == 0, lambda: done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return [line for line in lines if not KNOWN.search(line) and not BARE.search(line)]


@case("every public name is documented, and Doxygen warns of nothing")
def documented(lab):
    found = warnings()
    check_equal(found, [], "warnings of Doxygen")


@case("a public name without a word about it is found")
def bare_names_fail(lab):
    with tempfile.TemporaryDirectory() as folder:
        header = pathlib.Path(folder) / "bare.h"
        known = "/// Is.\nstruct Known {\n  int x;\n  void f();\n  void g();  ///< Is.\n};\n"
        header.write_text("struct Bare {\n  int x;\n};\n" + known)
        found = "\n".join(warnings([header]))
    check("Compound Bare is not documented" in found, lambda: found)
    check("Member f()" in found, lambda: found)
    check("Member g()" not in found and "Compound Known" not in found, lambda: found)


if __name__ == "__main__":
    main()
