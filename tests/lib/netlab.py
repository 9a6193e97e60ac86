"""Network namespaces for tests: make them, join them, run daemons in them, read what the kernel has.

A Lab owns everything it makes. Each namespace is held by one process that dies with the test (PR_SET_PDEATHSIG), so
that nothing is left behind even when the test is killed; close() ends the rest, by process id. A namespace has its own
network, host name, /run and /sys, so that daemons find their sockets in the usual places and never meet those of the
machine.

Not here: how each BGP daemon is configured (peers.py), how cases are reported (cases.py), loss (loss.py).
"""
import atexit
import ctypes
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something the test needed did not happen; the text says what and what was seen instead."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def from_ip(printed):
    """The rows of `ip -j`. Of a table that does not exist it prints the opening bracket alone: there are none."""
    return json.loads(printed) if printed.strip() not in ("", "[") else []


def wait_until(condition, seconds, what):
    """The first true value of condition(). Asks every 20 ms; after `seconds` raises LabError with `what`, a text or a
    callable that makes it (to say what was seen instead)."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise LabError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def holds_for(condition, seconds, what):
    """condition() stays true for `seconds`; raises LabError with `what` the first time that it is not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise LabError(f"did not hold for {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Process:
    """One daemon, in the foreground, output in a file. `pid` is its own (nsenter replaces itself)."""

    def __init__(self, lab, name, popen, log):
        self.lab, self.name, self.popen, self.log_path = lab, name, popen, log

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def tree(self):
        """Its pid and those of all its descendants."""
        found = [self.pid]
        for pid in found:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
                    found.extend(int(child) for child in children)
            except OSError:
                pass
        return found

    def send_signal(self, number):
        """To the whole tree (a daemon may be several processes)."""
        for pid in self.tree():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def pause(self):
        self.send_signal(signal.SIGSTOP)

    def resume(self):
        self.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL: it has no chance to say goodbye."""
        self.send_signal(signal.SIGKILL)
        return self.popen.wait()

    def stop(self, seconds=10, number=signal.SIGTERM):
        """Asks it to end and returns its exit status; SIGKILL after `seconds`."""
        if self.running():
            self.resume()
            self.popen.send_signal(number)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.returncode

    def wait(self, seconds):
        """Its exit status once it ends by itself."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} still runs after {seconds:g} s") from None


class Namespace:
    """One host of the lab."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.dir = lab.dir / name
        self.dir.mkdir()
        ready = self.dir / ".ready"
        script = (
            "hostname \"$1\" && mount -t sysfs s /sys && mount -t tmpfs -o mode=755 t /run && mkdir -p /run/lock && "
            "ip link set lo up && "
            "for k in all default; do for f in accept_dad=0 dad_transmits=0; do "
            "echo \"${f#*=}\" > /proc/sys/net/ipv6/conf/$k/${f%=*} 2>/dev/null || :; done; done; "
            ": > \"$2\" && exec sleep infinity"
        )
        self.holder = subprocess.Popen(
            ["unshare", "-n", "-m", "-u", "--propagation", "private", "bash", "-c", script, "netlab", name, str(ready)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",  # Of every command in here.
            preexec_fn=_die_with_parent,
        )
        wait_until(lambda: ready.exists() or self.holder.poll() is not None, 60, f"namespace {name}")
        if self.holder.poll() is not None:
            raise LabError(f"cannot make a network namespace: {self.holder.stderr.read().decode().strip()}")
        self.processes = []

    # --- commands ---------------------------------------------------------------------------------------------------
    def enter(self, argv):
        """argv as a command line that runs it in here."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "-u", "-r", "-w", "--", *map(str, argv)]

    def run(self, *argv, check=True, input=None, timeout=60, env=None):
        """Runs argv to its end; returns CompletedProcess with text output. LabError when it fails and `check`."""
        done = subprocess.run(
            self.enter(argv),
            input=input,
            text=True,
            capture_output=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL if input is None else None,
            env=env,
        )
        if check and done.returncode:
            raise LabError(
                f"{self.name}: {' '.join(map(str, argv))}: status {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()}"
            )
        return done

    def start(self, name, *argv, env=None, cwd=None):
        """Starts a foreground daemon; its output goes to <lab>/<namespace>/<name>.log. Call from the main thread."""
        log = self.dir / f"{name}.log"
        with open(log, "ab") as out:
            popen = subprocess.Popen(
                self.enter(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=env,
                cwd=cwd,
                preexec_fn=_die_with_parent,
            )
        process = Process(self.lab, name, popen, log)
        self.processes.append(process)
        return process

    def ip(self, *words, check=True):
        return self.run("ip", *words, check=check).stdout

    def batch(self, *lines):
        """Many `ip` commands in one process."""
        self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")

    def sysctl(self, **values):
        """sysctl(net__ipv4__ip_forward=1): two underscores stand for the dot."""
        for name, value in values.items():
            self.write("/proc/sys/" + name.replace("__", "/"), str(value))

    def write(self, path, text):
        """Writes a file as this namespace sees it (its own /run, /sys, /proc/sys/net)."""
        self.run("sh", "-c", "cat > \"$1\"", "write", path, input=text)

    # --- addresses and links ----------------------------------------------------------------------------------------
    def address(self, device, *addresses):
        self.batch(*(f"address add {a} dev {device}" + (" nodad" if ":" in a else "") for a in addresses))

    def dummy(self, device, *addresses):
        """A link that leads nowhere, up, for addresses and connected routes."""
        # Not of kind dummy, which not every kernel has: a veth pair whose other end nobody uses.
        far = f"{device}-far"[:15]
        self.batch(f"link add {device} type veth peer name {far}", f"link set {far} up", f"link set {device} up")
        if addresses:
            self.address(device, *addresses)

    def up(self, device):
        self.ip("link", "set", device, "up")

    def down(self, device):
        self.ip("link", "set", device, "down")

    # --- what the kernel has ----------------------------------------------------------------------------------------
    def ip_json(self, *words):
        return from_ip(self.ip("-j", *words))

    def routes(self, family=4, protocol=None, table="main"):
        """{prefix: [Route, ...]} as the kernel has it, ordered by metric. A host route has its length; default is
        0.0.0.0/0 or ::/0. `protocol` is a name of rtproto or a number."""
        words = [f"-{family}", "-N", "-d", "route", "show", "table", table]
        if protocol is not None:
            words += ["proto", str(protocol)]
        found = {}
        for row in from_ip(self.ip("-j", *words, check=False)):
            row.setdefault("protocol", protocol)  # A filtered dump does not repeat what it was filtered by.
            route = Route.from_json(row, family)
            found.setdefault(route.prefix, []).append(route)
        for rows in found.values():
            rows.sort(key=lambda r: r.metric)
        return found

    def close(self):
        for process in reversed(self.processes):
            process.resume()
            if process.running():
                process.popen.terminate()
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and any(p.running() for p in self.processes):
            time.sleep(0.02)
        for process in self.processes:
            if process.running():
                process.kill()
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.holder.wait()

    def pids(self):
        """Everything that runs in here, the holder included: all of it was started by this lab."""
        try:
            mine = os.readlink(f"/proc/{self.holder.pid}/ns/net")
        except OSError:
            return []
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/ns/net") == mine:
                    found.append(int(entry))
            except OSError:
                pass
        return found


class Route:
    """One kernel route as a value: == means the same route. next_hops: frozenset of (gateway, device, weight); a
    gateway of None is a connected route. `flags` such as "linkdown" or "dead" are kept apart and not compared."""

    def __init__(self, prefix, next_hops, metric, protocol, source=None, kind="unicast", flags=()):
        self.prefix, self.next_hops, self.metric, self.protocol = prefix, frozenset(next_hops), metric, protocol
        self.source, self.kind, self.flags = source, kind, frozenset(flags)

    @classmethod
    def from_json(cls, row, family):
        prefix = row["dst"]
        if prefix == "default":
            prefix = "0.0.0.0/0" if family == 4 else "::/0"
        elif "/" not in prefix:
            prefix += "/32" if family == 4 else "/128"
        hops = row["nexthops"] if "nexthops" in row else [row]
        flags = set(row.get("flags", []))
        values = set()
        for hop in hops:
            gateway = hop.get("gateway") or hop.get("via", {}).get("host")
            values.add((gateway, hop.get("dev"), hop.get("weight", 1)))
            flags |= set(hop.get("flags", []))
        return cls(
            prefix,
            values,
            row.get("metric", 0),
            str(row.get("protocol", "")),
            row.get("prefsrc"),
            row.get("type", "unicast"),
            flags,
        )

    @property
    def gateways(self):
        return frozenset(gateway for gateway, _, _ in self.next_hops)

    @property
    def devices(self):
        return frozenset(device for _, device, _ in self.next_hops)

    def _key(self):
        return self.prefix, self.next_hops, self.metric, self.protocol, self.source, self.kind

    def __eq__(self, other):
        return isinstance(other, Route) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        hops = " ".join(
            f"via {g} dev {d}" + (f" weight {w}" if w != 1 else "") for g, d, w in sorted(self.next_hops, key=str)
        )
        return (
            f"{self.prefix} {hops} metric {self.metric} proto {self.protocol}"
            + (f" src {self.source}" if self.source else "")
            + "".join(f" {f}" for f in sorted(self.flags))
        )


class Lab:
    """Use as a context manager. `dir` holds the logs; kept with keep_logs (a path) or when MINIBGP_KEEP_LOGS is set."""

    _numbers = itertools.count()

    def __init__(self, name="lab", keep_logs=None):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"minibgp-{name}-"))
        os.chmod(self.dir, 0o755)  # Daemons drop privileges and still read their configuration.
        self.keep_logs = keep_logs or os.environ.get("MINIBGP_KEEP_LOGS")
        self.namespaces = {}
        self._closed = False
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getitem__(self, name):
        return self.namespaces[name]

    def namespace(self, name, forward=False):
        space = Namespace(self, name)
        self.namespaces[name] = space
        if forward:
            space.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        return space

    def link(self, a, b, a_device, b_device, a_addresses=(), b_addresses=(), mtu=None):
        """A veth pair between two namespaces, up on both ends, with these addresses ("192.0.2.1/24")."""
        subprocess.run(
            [
                "ip",
                "link",
                "add",
                a_device,
                "netns",
                str(a.holder.pid),
                "type",
                "veth",
                "peer",
                "name",
                b_device,
                "netns",
                str(b.holder.pid),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        for space, device, addresses in ((a, a_device, a_addresses), (b, b_device, b_addresses)):
            space.batch(*([f"link set {device} mtu {mtu}"] if mtu else []), f"link set {device} up")
            if addresses:
                space.address(device, *addresses)

    def long_link(self, a, b, a_device, b_device, a_addresses=(), b_addresses=()):
        """As link(), with a switch in between: an end that goes down is not seen at the other, as with a tunnel."""
        switch = self.namespace(f"switch-{a_device}")
        self.link(a, switch, a_device, "port0", a_addresses)
        self.link(switch, b, "port1", b_device, (), b_addresses)
        switch.batch(
            "link add bridge0 type bridge",
            "link set bridge0 up",
            "link set port0 master bridge0",
            "link set port1 master bridge0",
        )

    def close(self):
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for space in reversed(list(self.namespaces.values())):
            space.close()
        if self.keep_logs:
            target = pathlib.Path(self.keep_logs) / f"{self.name}-{os.getpid()}-{next(self._numbers)}"
            shutil.copytree(self.dir, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self, lines=25):
        """The tail of every daemon's output, for a failure's report."""
        text = []
        for space in self.namespaces.values():
            for process in space.processes:
                tail = process.log().splitlines()[-lines:]
                state = "running" if process.running() else f"ended with {process.popen.returncode}"
                text.append(f"--- {space.name}/{process.name} ({state})")
                text.extend("    " + line for line in tail)
        return "\n".join(text)


class RouteMonitor:
    """Counts the kernel's route notifications in a namespace from now on; `protocol` is a number."""

    def __init__(self, namespace, protocol):
        self.pattern = re.compile(rf"\bproto {protocol}\b")
        self.process = namespace.start("ip-monitor", "stdbuf", "-oL", "ip", "-N", "-o", "monitor", "route")
        # It is listening once it reports a route that we add and take away for that purpose.
        probe = "192.0.2.254/32"
        wait_until(lambda: self._probe(namespace, probe), 10, "ip monitor listens")
        self._skip = len(self.process.log().splitlines())

    def _probe(self, namespace, prefix):
        namespace.ip("route", "replace", "blackhole", prefix)
        namespace.ip("route", "del", "blackhole", prefix)
        return prefix.split("/")[0] in self.process.log()

    def seen(self):
        """The notifications about routes of the protocol, one line each."""
        return [line for line in self.process.log().splitlines()[self._skip :] if self.pattern.search(line)]
