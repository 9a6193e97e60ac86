#!/usr/bin/env python3
# kind: default
# sanitized: no
"""What the compiler, the linker and systemd were asked to put around the daemon is there: read from the binary and
from the unit, not from the build's own options."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import Skip, case, check, main

UNIT = needs.REPOSITORY / "apps/bgplite/dist/systemd/bgplite.service"
# Tenths of systemd's exposure level.
THRESHOLD = 20


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def require_tool(name):
    if needs.program(name):
        raise Skip(f"{name} is not installed")


@case("the binary: PIE, full RELRO, no executable stack, stack protector, CET landing pads")
def binary(lab):
    for tool in ("readelf", "objdump"):
        require_tool(tool)
    program = needs.built("bgplite")
    check(re.search(r"Type:\s+DYN", said("readelf", "-hW", program)), "not position independent")
    segments = said("readelf", "-lW", program)
    check("GNU_RELRO" in segments, "no RELRO segment")
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    check(re.search(r"\sRW\s", stack), lambda: f"the stack may be executed: {stack}")
    check("BIND_NOW" in said("readelf", "-dW", program), "symbols are bound late: RELRO is partial")
    symbols = said("readelf", "-sW", "--dyn-syms", program)
    check("__stack_chk_fail" in symbols, "no stack protector")
    entry = said("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", program)
    check(re.search(r"<main>:\n.*endbr64", entry), "main does not begin with a CET landing pad")


@case("the binary of a Release build calls the checked functions of FORTIFY_SOURCE")
def fortified(lab):
    require_tool("readelf")
    program = needs.built("bgplite")
    cache = (needs.build_dir() / "CMakeCache.txt").read_text()
    if not re.search(r"^CMAKE_BUILD_TYPE:\w+=Release$", cache, re.MULTILINE):
        raise Skip("only a Release build is fortified")
    symbols = said("readelf", "-sW", "--dyn-syms", program)
    check(re.search(r"__(memcpy|snprintf|explicit_bzero)_chk", symbols), "no checked function is called")


@case(f"systemd-analyze security --threshold={THRESHOLD} passes on the unit")
def unit(lab):
    require_tool("systemd-analyze")
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={THRESHOLD}",
                           UNIT], capture_output=True, text=True)
    check(done.returncode == 0, lambda: done.stdout[-200:] + done.stderr)


if __name__ == "__main__":
    main()
