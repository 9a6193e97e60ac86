#!/usr/bin/env python3
# kind: default
# seconds: 240
"""The demo ends well, shows what it promises and leaves nothing behind.

demo_vm_test.py: the same on XFRM interfaces."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import needs
from cases import case, check, check_equal, main


def namespaces():
    return set(subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.splitlines())


def daemons():
    """Command lines of running daemons of the demo."""
    lines = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            pass  # It ended meanwhile.
    return [line for line in lines if "run -c /run/bgplite-demo/" in line]


@case("the demo shows sessions, ECMP routes, pings over both paths, and traffic that outlives a tunnel")
def demo(lab):
    before = namespaces()
    check_equal(daemons(), [], "daemons of a demo that runs already")
    done = subprocess.run(
        [ROOT / "apps/demo/run.sh", "--no-build"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "BGPLITE": needs.built("bgplite")},
    )
    print(done.stdout)
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr.strip()[-500:]}")
    has_xfrm = needs.xfrm_interfaces() is None
    check(("tunnels: XFRM interfaces" in done.stdout) == has_xfrm, "it says what the tunnels are made of")
    hops = r"nexthop via 169\.254\.10\.1 dev ipsec0 [^\n]*\n\s*nexthop via 169\.254\.20\.1 dev ipsec1"
    route = r"192\.168\.10\.0/24 [^\n]*\n\s*" + hops
    check_equal(len(re.findall(route, done.stdout)), 2, "times that 192.168.10.0/24 is shown with both tunnels")
    over = re.search(r"packets over ipsec0: (\d+), over ipsec1: (\d+)", done.stdout)
    check(over and all(int(n) > 0 for n in over.groups()), "each path carried some")
    lost = re.search(r"(\d+) of 200 lost in all", done.stdout)
    check(lost and int(lost[1]) <= 20, f"lost during the cut: {lost and lost[1]}")
    check_equal(namespaces(), before, "namespaces afterwards")
    check_equal(daemons(), [], "daemons afterwards")
    check(not os.path.exists("/run/bgplite-demo"), "its files are gone")


@case("a wrong option is refused before anything is touched")
def wrong_option(lab):
    done = subprocess.run([ROOT / "apps/demo/run.sh", "--kep"], capture_output=True, text=True)
    check_equal(done.returncode, 2, "status")
    check("unknown option '--kep'" in done.stderr, done.stderr)


@case("where nothing is built --no-build says so")
def not_built(lab):
    with tempfile.TemporaryDirectory() as root:
        script = pathlib.Path(root, "apps/demo/run.sh")
        script.parent.mkdir(parents=True)
        shutil.copy(ROOT / "apps/demo/run.sh", script)
        environment = {name: value for name, value in os.environ.items() if name != "BGPLITE"}
        done = subprocess.run([script, "--no-build"], capture_output=True, text=True, env=environment)
        check_equal(done.returncode, 1, "status")
        check("bgplite is not built" in done.stderr, done.stderr)


if __name__ == "__main__":
    main()
