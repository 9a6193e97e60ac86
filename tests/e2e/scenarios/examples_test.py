#!/usr/bin/env python3
# kind: default
# seconds: 120
"""Every example configuration passes `bgplite check`, without a warning, and is as long as docs/compare.md says."""
import pathlib
import re
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
        words = ["check", "--strict", "--elsewhere", path]
        done = subprocess.run([needs.built("bgplite"), *words], capture_output=True, text=True)
        check_equal(done.returncode, 0, f"{path.name}: {done.stdout}{done.stderr}")


@case("docs/compare.md counts what is there")
def comparison(_):
    text = (EXAMPLES.parents[3] / "docs/compare.md").read_text()
    cells = {row[0]: row[1:] for row in (list(map(str.strip, line.strip("|").split("|"))) for line in
                                         re.findall(r"^\|.*\|$", text, re.M))}
    lines = (EXAMPLES / "dual-egress-bgp.yaml").read_text().splitlines()
    written = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    check_equal(cells["lines of configuration"][1], str(len(written)), "lines of the example")
    keys = sum("psk_file:" in line for line in written)
    check(f"and {keys} key files" in cells["files edited"][1], f"the example has {keys} keys")
    numbers = lambda words: list(map(int, re.findall(r"\d+", words)))
    total, *parts = numbers(cells["lines of configuration"][0])
    check_equal(sum(parts), total, "lines of the guide")
    listed = re.search(r"change something: (.*?): (\d+)\.", text, re.S)
    check_equal(sum(numbers(re.sub(r"\([^)]*\)", "", listed[1]))), int(listed[2]), "commands of the guide")
    check_equal(numbers(cells["shell commands typed"][0])[0], int(listed[2]), "commands in the table")
    total, files = cells["files edited"][0].split(": ")
    check_equal(files.count(",") + 1, int(total), "files of the guide")


if __name__ == "__main__":
    main()
