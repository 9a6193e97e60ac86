#!/usr/bin/env python3
"""Builds, runs and counts; called by tests/run.sh, which installs what is needed first.

    runner.py [--full] [--with-frr] [--no-sanitize] [--match TEXT] [--jobs N] [KIND...]

A C++ test program runs once for all its tests; a script (tests/<kind>/**/*_test.py or *_test.sh) reports `ok NAME`,
`FAIL NAME: why` or `skip NAME: why`, a line per case, and says in its first 15 lines:

    # kind: default | full        default: in every run
    # where: here | vm | systemd  vm: on Debian's stock kernel; systemd: there, with systemd. Default: here
    # seconds: 300                its time limit
    # sanitized: no               measures, or looks into, the release build: never run with the sanitized one
"""
import argparse
import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import scenario_table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM_KINDS = ("unit", "property", "sim", "replay")
ALL_KINDS = (*PROGRAM_KINDS, "tidy", "interop", "e2e", "fuzz", "bench")
DEFAULT_KINDS = (*PROGRAM_KINDS, "tidy", "interop", "e2e")
SANITIZED_KINDS = ("unit", "property", "sim")
# Programs that look at no clock but a virtual one: how long they take changes nothing.
VIRTUAL_TIME_KINDS = ("property", "sim")
# Who comes first when more wants to run than there are processors: scripts of namespaces, which have peers with timers;
# virtual machines, which take what they get; what only computes.
IN_VM = ("nice", "-n", "5")
IN_BACKGROUND = ("nice", "-n", "19")
# What interop scripts need of the sanitized build; with --full they run with it, too, those marked default.
SANITIZED_INTEROP = ("bgplite", "all_interop", "all_examples")

Build = collections.namedtuple("Build", "name preset what options")
RELEASE = Build("release", "release", "g++ release", [])
SANITIZED = Build("debug", "debug", "clang ASan + UBSan", [])
FUZZ = Build("fuzz", "fuzz", "clang libFuzzer", [])
# Where each source is compiled by itself, with nothing but what it includes.
ONE_BY_ONE = ["-DMINIBGP_UNITY=OFF", "-DMINIBGP_PRECOMPILE=OFF"]
MORE_BUILDS = [
    Build("debug-gcc", "release", "g++ debug", ["-DCMAKE_BUILD_TYPE=Debug", *ONE_BY_ONE]),
    Build("release-clang", "release", "clang release", ["-DCMAKE_CXX_COMPILER=clang++"]),
]

_print_lock = threading.RLock()  # Reentrant: the handler of a signal prints too.


def say(text=""):
    with _print_lock:
        print(text, flush=True)


class Results:
    """What ran, by row of the closing table."""

    def __init__(self):
        self.rows = collections.OrderedDict()
        self.failures, self.skips, self.measured = [], [], []
        self.scenarios = []  # Rows of scenario_table.py.
        self.lock = threading.Lock()

    def row(self, name):
        return self.rows.setdefault(name, {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0})

    def add(self, row, verdict, name="", why=""):
        with self.lock:
            self.row(row)[verdict] += 1
            if verdict == "failed":
                self.failures.append(f"FAIL {row}: {name}: {why}")
            elif verdict == "skipped":
                self.skips.append(f"skip {row}: {name}: {why}")

    def spend(self, row, seconds):
        with self.lock:
            self.row(row)["seconds"] += seconds

    def measurements(self):
        """What the scripts measured, in columns; empty when nothing was."""
        width = [max(map(len, column)) for column in itertools.zip_longest(*self.measured, fillvalue="")]
        return "\n".join("  ".join(f"{cell:{w}}" for cell, w in zip(row, width)).rstrip() for row in self.measured)

    def total(self, verdict):
        return sum(row[verdict] for row in self.rows.values())

    def table(self):
        width = max([len(name) for name in self.rows] + [4])
        lines = [f"{'':{width}}  passed  failed  skipped   seconds"]
        for name, row in self.rows.items():
            lines.append(
                f"{name:{width}}  {row['passed']:6}  {row['failed']:6}  {row['skipped']:7}  {row['seconds']:8.0f}"
            )
        return "\n".join(lines)


# --- building ---------------------------------------------------------------------------------------------------------
def build(chosen, targets, jobs, results, prefix=()):
    """True when it succeeded. Ninja prints its progress."""
    folder = ROOT / "build" / chosen.name
    started = time.monotonic()
    say(f"== building {chosen.what} in {folder.relative_to(ROOT)}")
    configure = ["cmake", "--preset", chosen.preset, "-B", folder, *chosen.options]
    env = {**os.environ, "NINJA_STATUS": "[%f/%t, %e s] "}
    if shutil.which("ccache"):
        configure.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        # Without these it keeps nothing that was compiled with a precompiled header.
        env.setdefault("CCACHE_SLOPPINESS", "pch_defines,time_macros")
    command = ["cmake", "--build", folder, "-j", str(jobs)] + (["--target", *targets] if targets else [])
    done = subprocess.run(list(map(str, configure)), cwd=ROOT, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        done = start([*prefix, *command], stdin=subprocess.DEVNULL, env=env)
        done.wait()
        _running.discard(done)
    row = f"build {chosen.what}"
    results.spend(row, time.monotonic() - started)
    if done.returncode:
        results.add(row, "failed", "build", f"status {done.returncode}; the compiler's words are above")
        return False
    results.add(row, "passed")
    return True


# --- C++ programs -----------------------------------------------------------------------------------------------------
def programs(chosen, kinds, match):
    """[(kind, path)] of the built test programs."""
    found = []
    for entry in sorted((ROOT / "build" / chosen.name / "tests" / "programs").glob("*")):
        kind, path = entry.read_text().split(maxsplit=1)
        path = pathlib.Path(path.strip())
        if kind in kinds and path.exists() and (not match or match in path.name):
            found.append((kind, path))
    return found


def run_program(chosen, kind, path, results, prefix=(), label=None, env=None, seconds=1200):
    row = f"{kind}, {label or chosen.what}"
    report = ROOT / "build" / chosen.name / "tests" / f"{path.name}.{os.getpid()}.json"
    full_env = {**os.environ, "GTEST_OUTPUT": f"json:{report}", "GTEST_COLOR": "no", **(env or {})}
    full_env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    started = time.monotonic()
    output, status = run_limited([*prefix, path], seconds, env=full_env)
    results.spend(row, time.monotonic() - started)
    cases = []
    try:
        for suite in json.loads(report.read_text())["testsuites"]:
            cases += [(f"{suite['name']}.{case['name']}", case) for case in suite["testsuite"]]
    except (OSError, ValueError, KeyError):
        pass
    finally:
        report.unlink(missing_ok=True)
    failed = 0
    for name, case in cases:
        if case.get("failures"):
            failed += 1
            why = case["failures"][0]["failure"].strip().splitlines()
            results.add(row, "failed", f"{path.name} {name}", " ".join(why[:3])[:300])
        elif case.get("result") == "SKIPPED":
            results.add(row, "skipped", f"{path.name} {name}", _skip_reason(output, name))
        elif case.get("status") == "RUN":
            results.add(row, "passed")
    if status and not failed:
        results.add(row, "failed", path.name, f"ended with status {status}")
    elif not cases:
        results.add(row, "failed", path.name, "reported no test")
    say(f"{'FAIL' if status else 'ok  '} {row}: {path.name}, {len(cases)} tests, {time.monotonic() - started:.1f} s")
    if status:
        say("\n".join("     " + line for line in output.splitlines()[-60:]))


def _skip_reason(output, name):
    match = re.search(rf"\[ RUN +\] {re.escape(name)}\n(.*?)\[ +SKIPPED \]", output, re.S)
    lines = [line.strip() for line in (match.group(1) if match else "").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def run_limited(argv, seconds, env=None, cwd=ROOT):
    """(output, status); the whole process group ends at the limit, with status 124."""
    process = start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                    errors="replace", env=env, cwd=cwd)
    try:
        output, _ = process.communicate(timeout=seconds)
        return output, process.returncode
    except subprocess.TimeoutExpired:
        # First politely: a lab takes its namespaces down.
        end_group(process, signal.SIGTERM)
        try:
            output, _ = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            end_group(process, signal.SIGKILL)
            output, _ = process.communicate()
        return output + f"\nstopped after {seconds} s\n", 124
    finally:
        _running.discard(process)


_running = set()
_starting = threading.Lock()
_stopping = False


def start(argv, cwd=ROOT, **options):
    """A process in a group of its own that an interruption ends. Nothing starts after one."""
    with _starting:
        if _stopping:
            raise SystemExit(1)
        process = subprocess.Popen(list(map(str, argv)), cwd=cwd, start_new_session=True, **options)
        _running.add(process)
        return process


def stop(number, _):
    """Ends what runs, politely first so that a test takes its namespaces down, and then this process."""
    global _stopping
    signal.signal(signal.SIGINT, lambda *_: os._exit(128 + number))  # Who presses Ctrl-C again does not want to wait.
    # The lock may be held by the thread that this handler interrupted: the flag is set without it.
    _stopping = True
    # A thread that is just starting a process adds it to those that are ended here; this one itself may be it.
    _starting.acquire(timeout=1)
    say(f"\nstopped by {signal.Signals(number).name}: ending what runs (again: do not wait for it)")
    for how, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        for process in list(_running):
            end_group(process, how)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(process.poll() is None for process in list(_running)):
            time.sleep(0.05)
    # Threads that still wait for a result would keep sys.exit() from ending.
    os._exit(128 + number)


def end_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


# --- scripts ----------------------------------------------------------------------------------------------------------
Script = collections.namedtuple("Script", "kind path full where seconds sanitized")


def scripts(kinds, full, match):
    found = []
    for kind in kinds:
        folder = ROOT / "tests" / kind
        for path in sorted([*folder.rglob("*_test.py"), *folder.rglob("*_test.sh")]):
            head = "\n".join(path.read_text().split("\n")[:15])
            word = lambda key, default: (re.search(rf"^# {key}: (\S+)$", head, re.M) or [None, default])[1]
            script = Script(
                kind, path, word("kind", "full") == "full", word("where", "here"), int(word("seconds", "300")),
                word("sanitized", "yes") == "yes"
            )
            if (full or not script.full) and (not match or match in path.name):
                found.append(script)
    return found


def run_script(script, full, with_frr, results, env, row=None, prefix=()):
    name = script.path.relative_to(ROOT / "tests" / script.kind).as_posix()
    row = row or (script.kind if script.where == "here" else f"{script.kind}, in a VM")
    more = ["--full"] + (["--with-frr"] if with_frr and "with_frr=True" in script.path.read_text() else [])
    argv = [script.path] + (more if full and script.path.suffix == ".py" and script.kind != "tidy" else [])
    seconds = script.seconds
    if script.where != "here":
        out = ROOT / "build" / "vm" / script.path.stem
        systemd = ["--systemd"] if script.where == "systemd" else []
        prefix = prefix or IN_VM
        argv = [ROOT / "tests/e2e/vm/vm.py", "--out", out, "--timeout", seconds, "--cpus", 1, *systemd, "--", *argv]
        seconds += 60
    started = time.monotonic()
    output, status = run_limited([*prefix, *argv], seconds, env=env)
    results.spend(row, time.monotonic() - started)
    results.scenarios += scenario_table.read(output)
    counted = 0
    for line in output.splitlines():
        if line.startswith("measured "):
            results.measured.append(line.removeprefix("measured ").split(" | "))
        match = re.match(r"(ok|FAIL|skip) (.*)", line)
        if not match:
            continue
        verdict, text = match.groups()
        case, _, why = text.partition(": ")
        counted += 1
        results.add(row, {"ok": "passed", "FAIL": "failed", "skip": "skipped"}[verdict], f"{name} {case}", why)
        say(f"{verdict:4} {row}: {name}: {text}")
    failed = [line for line in output.splitlines() if line.startswith("FAIL ")]
    if script.where != "here" and status == 125 and not counted:
        why = next((line[4:] for line in output.splitlines() if line.startswith("vm: ")), "the VM could not be had")
        verdict = "skipped" if "apt-get install" in why or "no kernel" in why else "failed"
        listed = run_limited([script.path, "--list"], 60, env=env)[0].splitlines()
        for case in [text[8:] for text in listed if full or text.startswith("default ")] or [""]:
            results.add(row, verdict, f"{name} {case}".strip(), why)
            say(f"skip {row}: {name} {case}: {why}")
    elif status == 77 and not counted:
        results.add(row, "skipped", name, (output.strip().splitlines() or ["no reason given"])[-1])
    elif status not in (0, 77) and not failed:
        results.add(row, "failed", name, f"ended with status {status}")
        say(f"FAIL {row}: {name}: ended with status {status}")
    elif status == 0 and not counted:
        results.add(row, "failed", name, "reported no case")
    if status not in (0, 77):
        say("\n".join("     " + line for line in output.splitlines()[-120:]))


def run_side_by_side(found, jobs, run):
    """`jobs` scripts at a time, in which namespaces and VMs do not meet, and one more beside VMs. Those that may take
    longest first."""
    queues = [collections.deque(), collections.deque()]
    for script in sorted(found, key=lambda s: -s.seconds):
        queues[script.where == "here"].append(script)
    in_vms, here = queues

    def work(*mine):
        for queue in mine:
            while True:
                try:
                    script = queue.popleft()
                except IndexError:
                    break
                run(script)

    workers = [(in_vms, here)] * jobs + ([(here,)] if in_vms else [])
    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        for done in [pool.submit(work, *mine) for mine in workers]:
            done.result()


def run_sanitized_scripts(found, results):
    """With the sanitized build: also red when a sanitizer of any process of ours had something to say."""
    folder = ROOT / "build" / SANITIZED.name
    reports = pathlib.Path(tempfile.mkdtemp(prefix="minibgp-sanitizers-"))
    reports.chmod(0o1777)  # Daemons write as users of their own.
    env = {**os.environ, "MINIBGP_BUILD": str(folder), "ASAN_OPTIONS": f"log_path={reports}/address",
           "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={reports}/undefined"}
    row = f"interop, {SANITIZED.what}"
    for script in found:
        run_script(script, False, False, results, env, row)
        for report in sorted(reports.iterdir()):
            results.add(row, "failed", script.path.name, f"a sanitizer's report: {report.name}")
            say(report.read_text(errors="replace"))
            report.unlink()
    reports.rmdir()


# --- fuzzing, benchmarks, static analysis -----------------------------------------------------------------------------
def run_fuzzers(full, match, jobs, results):
    for kind, path in programs(FUZZ, ("fuzz",), match):
        corpus = ROOT / "tests" / "fuzz" / "corpus" / path.name.removeprefix("fuzz_")
        seconds = 120 if full else 10
        grown = ROOT / "build" / "fuzz" / "corpus" / path.name
        grown.mkdir(parents=True, exist_ok=True)
        corpora = [grown] + ([corpus] if corpus.is_dir() else [])
        row = "fuzz, clang libFuzzer"
        started = time.monotonic()
        output, status = run_limited(
            [path, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1", *corpora],
            seconds + 120,
            cwd=grown,
        )
        results.spend(row, time.monotonic() - started)
        runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
        text = f"{path.name}: {runs.group(1) if runs else '?'} executions in {seconds} s"
        if status:
            say("\n".join("     " + line for line in output.splitlines()[-40:]))
            results.add(row, "failed", path.name, f"status {status}; the input is in {grown}")
        else:
            results.add(row, "passed")
        say(f"{'FAIL' if status else 'ok  '} {text}")


def run_benchmarks(full, match, results):
    for kind, path in programs(RELEASE, ("bench",), match):
        started = time.monotonic()
        least = "0.5" if full else "0.05"
        output, status = run_limited([path, f"--benchmark_min_time={least}"], 1200)
        say(output.rstrip())
        results.spend("bench", time.monotonic() - started)
        results.add("bench", "failed" if status else "passed", path.name, f"ended with status {status}")


def run_clang_tidy(jobs, results):
    started = time.monotonic()
    sources = [p for top in ("bgp", "fib", "xfrm", "apps") for p in sorted((ROOT / top).rglob("*.cc"))]
    # Never built: it says how each source is compiled.
    folder = ROOT / "build" / "tidy"
    run_limited(["cmake", "--preset", SANITIZED.preset, "-B", folder, *ONE_BY_ONE], 600)

    def one(path):
        output, status = run_limited(["clang-tidy", "-p", folder, "--quiet", path], 600)
        results.add("clang-tidy", "failed" if status else "passed", path.relative_to(ROOT), "see above")
        if status:
            say(output)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, sources))
    results.spend("clang-tidy", time.monotonic() - started)


# --- everything -------------------------------------------------------------------------------------------------------
def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("kinds", nargs="*", choices=[[], *ALL_KINDS], default=[])
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--with-frr", action="store_true")
    arguments.add_argument("--no-sanitize", action="store_true")
    arguments.add_argument("--match")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = arguments.parse_args()
    everything = not options.kinds
    kinds = list(options.kinds) or list(ALL_KINDS if options.full else DEFAULT_KINDS)
    sanitize = (everything or options.full) and not options.no_sanitize
    results = Results()
    started = time.monotonic()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)

    def run_all(work):
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for done in [pool.submit(*item) for item in work]:
                done.result()

    def run_programs(chosen, wanted, **more):
        run_all(
            [
                (lambda k=kind, p=path: run_program(chosen, k, p, results, **more),)
                for kind, path in programs(chosen, wanted, options.match)
            ]
        )

    seeds = {"MINIBGP_SEEDS": "20000" if options.full else "3000"}
    # Programs of kind interop make their own network namespaces.
    wanted = [k for k in kinds if k in (*PROGRAM_KINDS, "interop")]
    if set(kinds) & {*PROGRAM_KINDS, "interop", "e2e", "bench"}:
        only = [f"all_{k}" for k in wanted] if set(kinds) <= {*PROGRAM_KINDS, "tidy"} and not everything else []
        if build(RELEASE, only, options.jobs, results):
            run_programs(RELEASE, wanted, env=seeds)
    # Scripts wait for protocol timers most of the time. What they leave of the processors makes and tests the sanitized
    # build, and checks the rules.
    checked = [k for k in kinds if k in SANITIZED_KINDS] if sanitize else []
    targets = [f"all_{k}" for k in checked]
    with_interop = sanitize and options.full and "interop" in kinds
    if with_interop:
        targets += SANITIZED_INTEROP
    sanitized_env = {"MINIBGP_SEEDS": "2000" if options.full else "300"}
    env = {**os.environ, "MINIBGP_BUILD": str(ROOT / "build" / RELEASE.name)}
    todo = scripts(kinds, options.full, options.match)
    rules, replays = ([s for s in todo if s.kind == kind] for kind in ("tidy", "replay"))
    rest = [s for s in todo if s not in rules and s not in replays]

    def in_background():
        """Whether the sanitized build is there."""
        built = bool(targets) and build(SANITIZED, targets, options.jobs, results, IN_BACKGROUND)
        if built:
            virtual = [k for k in checked if k in VIRTUAL_TIME_KINDS]
            run_programs(SANITIZED, virtual, env=sanitized_env, prefix=IN_BACKGROUND)
        for script in rules:
            run_script(script, options.full, options.with_frr, results, env, prefix=IN_BACKGROUND)
        return built

    with concurrent.futures.ThreadPoolExecutor(1) as background:
        meanwhile = background.submit(in_background)
        run_side_by_side(rest, options.jobs, lambda s: run_script(s, options.full, options.with_frr, results, env))
        built = meanwhile.result()
    if built:
        timed = [k for k in checked if k not in VIRTUAL_TIME_KINDS] + (["interop"] if with_interop else [])
        run_programs(SANITIZED, timed, env=sanitized_env)
        if with_interop:
            here = scripts(["interop"], False, options.match)
            run_sanitized_scripts([s for s in here if s.sanitized and s.where == "here"], results)
    for script in replays:  # They compare the builds.
        run_script(script, options.full, options.with_frr, results, env)
    if "fuzz" in kinds and build(FUZZ, ["all_fuzz"], options.jobs, results):
        run_fuzzers(options.full, options.match, options.jobs, results)
    if "bench" in kinds:
        run_benchmarks(options.full, options.match, results)
    if options.full and everything:
        for chosen in MORE_BUILDS:
            if build(chosen, [], options.jobs, results):
                run_programs(chosen, PROGRAM_KINDS)
        valgrind = [
            "valgrind",
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
            f"--suppressions={ROOT / 'tests/lib/valgrind.supp'}",
        ]
        # valgrind runs execve and the like itself, where no filter of system calls sees them.
        say("not under valgrind: CallFilter.*: it answers some system calls itself, so that the filter never sees them")
        run_programs(MORE_BUILDS[0], ("unit",), prefix=valgrind, label="valgrind", seconds=3600,
                     env={"GTEST_FILTER": "-CallFilter.*"})
        run_clang_tidy(options.jobs, results)

    say()
    for line in results.skips + results.failures:
        say(line)
    if results.scenarios:
        say("\n" + scenario_table.table(results.scenarios))
    say()
    if results.measured:
        say(results.measurements() + "\n")
    say(results.table())
    say(f"{'total':{8}} {time.monotonic() - started:.0f} s, {results.total('skipped')} skipped")
    say(f"{results.total('passed')} passed, {results.total('failed')} failed")
    sys.exit(1 if results.total("failed") or not results.total("passed") else 0)


if __name__ == "__main__":
    main()
