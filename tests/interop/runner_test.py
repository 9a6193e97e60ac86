#!/usr/bin/env python3
# kind: default
# seconds: 120
"""tests/run.sh stops when it is told to: what runs is ended, nothing more is started; what it runs side by side."""
import collections
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import runner
from cases import case, check, main
from netlab import wait_until

# Not a test that passes: it says that it began, waits, and says how it was ended.
SLOW = """#!/usr/bin/env bash
# kind: default
# seconds: 600
trap 'touch "$0.ended"; exit 1' TERM
touch "$0.began"
while :; do read -rt 1 <> <(:) || :; done
"""
NEXT = """#!/usr/bin/env bash
# kind: default
# seconds: 1
touch "$0.began"
echo "ok next"
"""


def tree(folder, kind):
    root = pathlib.Path(folder)
    (root / "tests/lib").mkdir(parents=True)
    for name in ("run.sh", "lib/runner.py", "lib/scenario_table.py"):
        shutil.copy(HERE.parent / name, root / "tests" / name)
    (root / "tests" / kind).mkdir()
    for name, text in (("a_test.sh", SLOW), ("b_test.sh", NEXT)):
        path = root / "tests" / kind / name
        path.write_text(text)
        path.chmod(0o755)
    return root


def stops(kind, number):
    with tempfile.TemporaryDirectory() as folder:
        root = tree(folder, kind)
        slow = root / "tests" / kind / "a_test.sh"
        marks = lambda name, what: pathlib.Path(f"{slow.parent / name}.{what}").exists()
        command = [root / "tests/run.sh", "--no-install", "--only", kind, "--jobs", "1"]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until(lambda: marks("a_test.sh", "began"), 30, "the first script runs")
            run.send_signal(number)
            output, _ = run.communicate(timeout=15)
        finally:
            run.kill()
        check(run.returncode == 128 + number, f"status {run.returncode}: {output}")
        check(marks("a_test.sh", "ended"), "the running script was not ended")
        check(not marks("b_test.sh", "began"), "the next script was started")
        check("stopped by" in output, output)


@case("an interrupted run ends its script and starts no other")
def interrupted(_):
    stops("tidy", signal.SIGINT)


@case("a terminated run ends its script and starts no other")
def terminated(_):
    stops("tidy", signal.SIGTERM)


@case("scripts that run side by side end too")
def side_by_side(_):
    stops("e2e", signal.SIGINT)


@case("as many VMs as jobs at a time, and one script of namespaces beside them; each runs once")
def lanes(_):
    seen, most, running, lock = [], collections.Counter(), collections.Counter(), threading.Lock()
    begun = threading.Barrier(3)

    def run(script):
        with lock:
            seen.append(script.path)
            running[script.where] += 1
            most[script.where] = max(most[script.where], running[script.where])
        # The first three are two VMs and one other, or this raises; the rest of them come in any order.
        if len(seen) <= 3:
            begun.wait(10)
        with lock:
            running[script.where] -= 1

    found = [
        runner.Script("e2e", f"{where}{number}", False, where, seconds, True)
        for where, seconds in (("vm", 1000), ("here", 900))
        for number in range(5)
    ]
    runner.run_side_by_side(found, 2, run)
    check(sorted(seen) == sorted(script.path for script in found), f"ran: {seen}")
    check(sorted(seen[:3]) == ["here0", "vm0", "vm1"], f"began with {seen[:3]}")
    check(most["vm"] <= 2, f"VMs at a time: {most['vm']}")


if __name__ == "__main__":
    main()
