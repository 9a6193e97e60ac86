#!/usr/bin/env python3
# kind: default
# where: here
# seconds: 300
"""The daemon as its operator meets it: one clear sentence when it cannot start, never half a start; commands, aliases
and metrics of a running pair; what it may do without being root; how much memory it takes when idle."""
import json
import os
import pathlib
import signal
import socket
import stat
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
import pairs  # noqa: E402
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import Lab, holds_for, wait_until  # noqa: E402
from peers import Bird, Frr  # noqa: E402
from routes import VPC, check_learned  # noqa: E402

# The figure is for the release build; other builds carry more (sanitizers, no inlining).
IDLE_KIB_MAX = 8 * 1024


def config(own, other, asn, other_asn, **extra):
    value = {
        "router": {"asn": asn, "router_id": own},
        "peers": {other: {"asn": other_asn, "accept_all": True, "local_address": own}},
        "control": {"socket": "/run/bgplite/control.sock"},
        "state_dir": "/run/bgplite/state",
    }
    value.update(extra)
    return json.dumps(value)


class Pair:
    """Two routers on one link: a announces 10.1.0.0/16, b announces 10.2.0.0/16 and 10.3.0.0/16."""

    def __init__(self, lab, a_extra=None, b_extra=None):
        require(needs.root(), needs.namespaces())
        self.binary = needs.built("bgplite")
        self.a, self.b = lab.namespace("a"), lab.namespace("b")
        lab.link(self.a, self.b, "ab", "ba", ["192.0.2.1/30"], ["192.0.2.2/30"])
        self.a_extra = {"networks": ["10.1.0.0/16"], **(a_extra or {})}
        self.b_extra = {"networks": ["10.2.0.0/16", "10.3.0.0/16"], **(b_extra or {})}
        for ns in (self.a, self.b):
            ns.run("mkdir", "-p", "/run/bgplite/state")
        # /run is each namespace's own.
        self.a_file = self.b_file = "/run/bgplite.yaml"
        self.a.write(self.a_file, config("192.0.2.1", "192.0.2.2", 65001, 65002, **self.a_extra))
        self.b.write(self.b_file, config("192.0.2.2", "192.0.2.1", 65002, 65001, **self.b_extra))

    def start(self):
        self.a_process = self.a.start("bgplite", self.binary, "run", "-c", self.a_file)
        self.b_process = self.b.start("bgplite", self.binary, "run", "-c", self.b_file)
        wait_until(lambda: self.state() == "Established", 15, "the session is up")
        wait_until(lambda: self.prefixes() == {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"}, 10, "the routes are there")
        return self

    def cli(self, *words, check=True, ns=None):
        return (ns or self.a).run(self.binary, "-c", self.a_file, *words, check=check)

    def json(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    def state(self):
        done = self.cli("show", "peers", "--json", check=False)
        return json.loads(done.stdout)["peers"][0]["state"] if done.returncode == 0 else None

    def prefixes(self):
        return {route["prefix"] for route in self.json("show", "routes")["routes"]}


def refused(lab_ns, binary, path):
    """Runs the daemon, which must end by itself; its exit code and complaint."""
    argv = [binary, "run", "-c", path]
    done = lab_ns.run(*argv, check=False, timeout=20)
    return done.returncode, (done.stdout + done.stderr).strip()


@case("a busy port gives one sentence, and nothing is left behind")
def busy_port(lab):
    pair = Pair(lab)
    blocker = pair.a.start(
        "blocker", "python3", "-c",
        "import socket,time; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1);"
        "s.bind(('0.0.0.0',179)); s.listen(); print('ready', flush=True); time.sleep(600)")
    wait_until(lambda: "ready" in blocker.log(), 10, "port 179 is taken")
    code, text = refused(pair.a, pair.binary, pair.a_file)
    check_equal(code, 3, "exit code")
    check("cannot listen on port 179: Address already in use" in text, text)
    check_equal(pair.a.run("ls", "/run/bgplite").stdout.split(), ["control.sock.lock", "state"], "files left behind")
    check_equal(pair.a.routes(protocol=155), {}, "kernel routes")


@case("a second daemon on the same control socket is refused and the first goes on")
def second_daemon(lab):
    pair = Pair(lab).start()
    code, text = refused(pair.a, pair.binary, pair.a_file)
    check_equal(code, 3, "exit code")
    check("another bgplite runs with the control socket /run/bgplite/control.sock" in text, text)
    check_equal(pair.state(), "Established", "the first daemon's session")


@case("a file with mistakes is refused with every one of them, before anything is opened")
def bad_file(lab):
    pair = Pair(lab)
    path = "/run/bad.yaml"
    pair.a.write(path, "router: { asm: 1, router_id: x }\nnetworks: [10.0.0.1/8]\n")
    code, text = refused(pair.a, pair.binary, path)
    check_equal(code, 2, "exit code")
    check_equal(len(text.splitlines()), 3, "lines, one for each mistake")
    for words in ("unknown key 'asm'", "router_id", "10.0.0.1/8"):
        check(words in text, f"'{words}' is named: {text}")
    check_equal(pair.a.run("ls", "/run/bgplite").stdout.split(), ["state"], "files")


@case("without the right to change routes it says which right, and does not start")
def no_permission(lab):
    pair = Pair(lab)
    require(needs.program("setpriv"))
    pair.a.run("chmod", "0777", "/run/bgplite", "/run/bgplite/state")
    done = pair.a.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                      "--ambient-caps=-all", "--bounding-set=-all", pair.binary, "run", "-c", pair.a_file,
                      check=False, timeout=20)
    check_equal(done.returncode, 3, lambda: done.stdout + done.stderr)
    check("CAP_NET_ADMIN" in done.stderr, done.stderr)


@case("as its own user with the capabilities its configuration needs and no more it routes")
def own_user(lab):
    require(needs.root())
    pair = Pair(lab, a_extra={"user": "nobody"}).start()
    pid = pair.a_process.pid
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status") if ":\t" in line)
    check_equal(status["Uid"].split()[0], "65534", "user")
    wanted = (1 << 13) | (1 << 12) | (1 << 10)  # NET_RAW, NET_ADMIN, NET_BIND_SERVICE
    for which in ("CapEff", "CapPrm"):
        check_equal(int(status[which], 16), wanted, which)
    check_equal(int(status["CapBnd"], 16) & ~wanted, 0, "bounding set")
    check_equal(os.stat(f"/proc/{pid}/environ").st_uid, 0, "owner of its /proc files: not root means a core dump")
    if "MINIBGP_SANITIZE:BOOL=ON" not in (needs.build_dir() / "CMakeCache.txt").read_text():
        check_equal(status["Seccomp"].strip(), "2", "a filter of system calls")
    check_equal(status["NoNewPrivs"].strip(), "1", "no_new_privs")
    wait_until(lambda: set(pair.a.routes(protocol=155)) == {"10.2.0.0/16", "10.3.0.0/16"}, 10, "kernel routes")


def ended(pid):
    """Also one that nobody has waited for."""
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1][0] == "Z"
    except FileNotFoundError:
        return True


@case("rules for nft are set and taken out by a process that may do nothing else and ends with the daemon")
def rules(lab):
    require(needs.root(), needs.program("nft"))
    pair = Pair(lab, a_extra={
        "user": "nobody", "on_exit": "remove", "host": {"mss_clamp": "manage"},
        "tunnels": {"ab": {"mode": "link", "address": "192.0.2.1/30", "mtu": 1400}},
    }).start()  # fmt: skip
    tables = lambda: pair.a.run("nft", "list", "tables").stdout.split("\n")
    wait_until(lambda: "table inet bgplite" in tables(), 10, "the table")
    helper = [pid for pid in pair.a_process.tree() if open(f"/proc/{pid}/comm").read().strip() == "bgplite-nft"]
    check_equal(len(helper), 1, "processes that run nft")
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{helper[0]}/status") if ":\t" in line)
    for which in ("CapEff", "CapPrm", "CapBnd"):
        check_equal(int(status[which], 16), 1 << 12, f"{which}: NET_ADMIN")
    check_equal(len(os.listdir(f"/proc/{helper[0]}/fd")), 4, "its files: the standard ones and its socket")
    pair.a_process.stop()
    check_equal(tables(), [""], "tables after the end")
    wait_until(lambda: ended(helper[0]), 5, "the helper ends with the daemon")
    pair.start()
    helper = [pid for pid in pair.a_process.tree() if open(f"/proc/{pid}/comm").read().strip() == "bgplite-nft"]
    os.kill(pair.a_process.pid, 9)
    wait_until(lambda: ended(helper[0]), 5, "the helper ends with a daemon that is killed")


@case("the kernel has what the peer announced, verify says so, and sees a route that somebody took")
def verify(lab):
    pair = Pair(lab).start()
    wait_until(lambda: set(pair.a.routes(protocol=155)) == {"10.2.0.0/16", "10.3.0.0/16"}, 10, "kernel routes")
    check_equal(pair.json("verify")["same"], True, "verify")
    routes = {route["prefix"]: route for route in pair.json("show", "fib")["routes"]}
    check_equal(routes["10.2.0.0/16"]["vias"], [{"gateway": "192.0.2.2", "interface": "ab"}], "show fib")
    explained = pair.json("explain", "10.2.3.4")
    check_equal(explained["prefix"], "10.2.0.0/16", "explain")
    check_equal(explained["kernel"][0]["in_sync"], True, "explain reads the kernel")
    check_equal(pair.cli("explain", "172.31.0.0/16", check=False).returncode, 1, "explain of nothing")


@case("announce and withdraw reach the peer; disable, enable and reset do what they say")
def doing(lab):
    pair = Pair(lab).start()

    def at_b():
        return set(pair.b.routes(protocol=155))

    pair.cli("announce", "10.9.0.0/16", "--med", "7", "--community", "65001:9")
    wait_until(lambda: "10.9.0.0/16" in at_b(), 10, "b has the announced route")
    check_equal(pair.cli("withdraw", "10.9.0.0/16", check=False).returncode, 1, "withdraw without --yes")
    pair.cli("withdraw", "10.9.0.0/16", "--yes")
    wait_until(lambda: "10.9.0.0/16" not in at_b(), 10, "b lost it")
    pair.cli("disable", "192.0.2.2", "maintenance", "tonight", "--yes")
    wait_until(lambda: not at_b() and not set(pair.a.routes(protocol=155)), 10, "no routes")
    seen = pair.b.run(pair.binary, "-c", pair.b_file, "show", "peers", "192.0.2.1").stdout
    check("maintenance tonight" in seen, seen)
    pair.cli("enable", "192.0.2.2")
    wait_until(lambda: pair.state() == "Established" and "10.1.0.0/16" in at_b(), 20, "back again")
    pair.cli("reset", "192.0.2.2", "--yes")
    wait_until(lambda: pair.json("show", "peers")["peers"][0]["established"] >= 3, 20, "a new session")
    done = pair.cli("reset", "192.0.2.99", "--yes", check=False)
    check_equal((done.returncode, done.stderr.strip()),
                (1, "bgplite: no peer '192.0.2.99': bgplite show peers lists them"), "no such peer")


@case("apply --confirm rolls back by itself, a reload resets nothing it did not name")
def apply_confirm(lab):
    pair = Pair(lab).start()
    changed = config("192.0.2.1", "192.0.2.2", 65001, 65002, networks=["10.1.0.0/16", "10.8.0.0/16"])
    pair.a.write(pair.a_file, changed)
    check("10.8.0.0/16: announced" in pair.cli("plan").stdout, "plan")
    pair.cli("apply", "--confirm", "1s")
    wait_until(lambda: "10.8.0.0/16" in pair.b.routes(protocol=155), 10, "b has it")
    wait_until(lambda: "10.8.0.0/16" not in pair.b.routes(protocol=155), 10, "rolled back")
    pair.cli("apply", "--confirm", "60s")
    pair.cli("confirm")
    wait_until(lambda: "10.8.0.0/16" in pair.b.routes(protocol=155), 10, "b has it again")
    check_equal(pair.json("show", "peers")["peers"][0]["established"], 1, "sessions so far")


@case("kill -9 before the confirmation: the next start runs the last good configuration")
def killed_unconfirmed(lab):
    pair = Pair(lab).start()
    pair.a.write(pair.a_file, config("192.0.2.1", "192.0.2.2", 65001, 65002, networks=["10.8.0.0/16"]))
    pair.cli("apply", "--confirm", "60s", "--yes")
    wait_until(lambda: "10.8.0.0/16" in pair.b.routes(protocol=155), 10, "b has the new one")
    pair.a_process.kill()
    pair.a_process = pair.a.start("bgplite", pair.binary, "run", "-c", pair.a_file)
    wait_until(lambda: set(pair.b.routes(protocol=155)) == {"10.1.0.0/16"}, 20, "b has the last good one's route")
    check("never confirmed" in pair.a_process.log(), "the log says so")


@case("the socket is 0660, and garbage on it harms nobody")
def control_socket(lab):
    pair = Pair(lab).start()
    check_equal(stat.S_IMODE(int(pair.a.run("stat", "-c", "%a", "/run/bgplite/control.sock").stdout, 8)), 0o660, "mode")
    script = (
        "import socket, os, random\n"
        "random.seed(5)\n"
        "for i in range(100):\n"
        "    s = socket.socket(socket.AF_UNIX); s.connect('/run/bgplite/control.sock')\n"
        "    try:\n"
        "        s.sendall(bytes(random.randrange(256) for _ in range(random.randrange(2000))) + b'\\n')\n"
        "        s.settimeout(5); s.recv(4096)\n"
        "    except OSError: pass\n"
        "    s.close()\n")
    pair.a.run("python3", "-c", script)
    check_equal(pair.state(), "Established", "after the garbage")
    # Every reading verb, each argument of every type but its own.
    script = (
        "import json, socket\n"
        "names = 'peer prefix direction level area limit match policy routes family path_id'.split()\n"
        "for verb in 'peers routes fib tunnels memory config policy log'.split() + ['explain', 'verify', 'monitor']:\n"
        "    for value in (None, True, -7, 2 ** 63, 1e300, '', 'x' * 3000, [], [[]], {}, {'a': [1]}):\n"
        "        s = socket.socket(socket.AF_UNIX); s.connect('/run/bgplite/control.sock'); s.settimeout(10)\n"
        "        verb = verb if verb in ('explain', 'verify', 'monitor') else 'show.' + verb.removeprefix('show.')\n"
        "        s.sendall(json.dumps({'verb': verb, 'arguments': dict.fromkeys(names, value)}).encode() + b'\\n')\n"
        "        assert s.recv(4096), (verb, value)\n"
        "        s.close()\n")
    pair.a.run("python3", "-c", script)
    check_equal(pair.state(), "Established", "after arguments of wrong types")


@case("who is not in the control socket's group may only read, and nobody is shown a key")
def readers_and_keys(lab):
    require(needs.program("setpriv"))
    key = "correct-horse-battery-staple"

    def extra(other, asn):
        return {"peers": {other: {"asn": asn, "accept_all": True, "md5_file": "/run/md5"}},
                "control": {"socket": "/run/bgplite/control.sock", "group": "daemon"}}

    pair = Pair(lab, extra("192.0.2.2", 65002), extra("192.0.2.1", 65001))
    for ns in (pair.a, pair.b):
        ns.write("/run/md5", key + "\n")
        ns.run("chmod", "600", "/run/md5")
    pair.start()
    # Opened wide, as an operator may: who may change things is still the daemon's to say.
    pair.a.run("chmod", "666", "/run/bgplite/control.sock")
    group = pair.a.run("getent", "group", "daemon").stdout.split(":")[2]

    def as_user(groups, *words):
        return pair.a.run("setpriv", "--reuid=65534", "--regid=65534", *groups, pair.binary, "-c", pair.a_file, *words,
                          check=False)

    check_equal(as_user(["--clear-groups"], "show", "summary").returncode, 0, "a stranger reads")
    for words in (["reset", "192.0.2.2", "--yes"], ["announce", "10.9.0.0/16"], ["apply", "--yes"]):
        refusal = as_user(["--clear-groups"], *words)
        check_equal(refusal.returncode, 3, lambda words=words: f"{words} by a stranger")
        check("user 65534 may only read" in refusal.stderr, refusal.stderr)
    check_equal(pair.json("show", "peers")["peers"][0]["established"], 1, "sessions so far")
    allowed = as_user([f"--groups={group}"], "announce", "10.9.0.0/16")
    check_equal(allowed.returncode, 0, lambda: f"a member of the group: {allowed.stderr}")
    for words in ("show config", "show peers --json", "show log", "show memory", "plan", "check"):
        said = pair.cli(*words.split(), check=False)
        check(key not in said.stdout + said.stderr, lambda words=words: f"{words} shows the key")
    check(key not in pair.a_process.log(), "the log shows the key")


@case("a TCP-MD5 key that changed in its file is used after apply, SIGHUP, reset and enable")
def rotated_key(lab):
    def extra(other, asn):
        return {"peers": {other: {"asn": asn, "accept_all": True, "md5_file": "/run/md5"}}}

    pair = Pair(lab, extra("192.0.2.2", 65002), extra("192.0.2.1", 65001))

    def write(key):
        for ns in (pair.a, pair.b):
            ns.write("/run/md5", key + "\n")
            ns.run("chmod", "600", "/run/md5")

    write("the-first-key")
    pair.start()
    check("nothing would change" in pair.cli("plan").stdout, "a plan with the key as it is")
    sides = ((pair.a, pair.a_process, pair.a_file, "192.0.2.2"), (pair.b, pair.b_process, pair.b_file, "192.0.2.1"))
    for word in ("apply", "SIGHUP", "reset", "enable"):
        write(f"the-key-for-{word}")
        check("TCP-MD5 key" in pair.cli("plan").stdout, "a plan names the key")
        for ns, process, file, other in sides:
            if word == "SIGHUP":
                ns.run("kill", "-HUP", str(process.pid))
            else:
                peer = [] if word == "apply" else [other]
                if word == "enable":
                    ns.run(pair.binary, "-c", file, "disable", other, "--yes")
                ns.run(pair.binary, "-c", file, word, *peer, *([] if word == "enable" else ["--yes"]))
            if ns is pair.a:
                wait_until(lambda: pair.state() != "Established", 5, f"the session ended: {word}")
        wait_until(lambda: pair.state() == "Established", 30, f"the session is up with the new key: {word}")
        check("nothing would change" in pair.cli("plan").stdout, f"a plan after {word}")
    for process in (pair.a_process, pair.b_process):
        check("the-key-for" not in process.log(), "the log shows a key")


@case("FRR's words give FRR's keys; metrics are served under both kinds of names")
def frr_words(lab):
    pair = Pair(lab, a_extra={"metrics": {"listen": "127.0.0.1:9342", "names": "both"}}).start()
    summary = json.loads(pair.cli("show", "bgp", "summary", "json").stdout)["ipv4Unicast"]
    check_equal(summary["peers"]["192.0.2.2"]["state"], "Established", "state")
    check_equal(summary["peers"]["192.0.2.2"]["pfxRcd"], 2, "pfxRcd")
    routes = json.loads(pair.cli("show", "ip", "bgp", "json").stdout)["routes"]
    check_equal(routes["10.2.0.0/16"][0]["path"], "65002", "path")
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9342/metrics', timeout=5).read().decode())"
    page = pair.a.run("python3", "-c", fetch).stdout
    for line in ('bgplite_peer_up{peer="192.0.2.2",name="",asn="65002"} 1',
                 'frr_bgp_peer_state{vrf="default",afi="ipv4",safi="unicast",local_as="65001",peer="192.0.2.2",'
                 'peer_as="65002",peer_desc=""} 1',
                 'bgplite_fib_routes{state="installed"} 2'):
        check(line in page, lambda: f"{line} is missing from:\n{page}")
    names = [line.split("{")[0].split(" ")[0] for line in page.splitlines() if line and not line.startswith("#")]
    types = dict(line.split()[2:4] for line in page.splitlines() if line.startswith("# TYPE"))
    helped = {name + part for name, kind in types.items()
              for part in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    check_equal(set(names) - helped, set(), "series without a TYPE")


def idle(processes, seconds):
    """What a daemon's processes take together: (processes, resident KiB, wake-ups per second)."""
    pids = sorted({pid for process in processes for pid in process.tree()})

    def status(pid, task=None):
        path = f"/proc/{pid}/status" if task is None else f"/proc/{pid}/task/{task}/status"
        return dict(line.split(":", 1) for line in pathlib.Path(path).read_text().splitlines() if ":" in line)

    def wake_ups():
        return sum(int(status(pid, task)["voluntary_ctxt_switches"])
                   for pid in pids for task in os.listdir(f"/proc/{pid}/task"))

    before, started = wake_ups(), time.monotonic()
    # What is measured is the passing of time itself.
    holds_for(lambda: all(process.running() for process in processes), seconds, "the daemons run")
    woken = (wake_ups() - before) / (time.monotonic() - started)
    return len(pids), sum(int(status(pid)["VmRSS"].split()[0]) for pid in pids), woken


@case("idle in the document's scenario: one process, at most 8 MiB, under 5 wake-ups a second; FRR and BIRD beside it")
def footprint(lab):
    require(needs.program("/usr/lib/frr/watchfrr"), Bird.missing())
    gateway, cloud, ours, frr = pairs.document(lab)
    out = {("169.254.10.1", "ipsec0", 1), ("169.254.20.1", "ipsec1", 1)}
    back = {("169.254.10.2", "ipsec0", 1), ("169.254.20.2", "ipsec1", 1)}
    # Idle begins when both sides have told all they have.
    check_learned(gateway, VPC, out, pairs.OURS)
    check_learned(cloud, pairs.ON_PREMISES, back, Frr.kernel_protocol)
    with Lab("beside-bird") as other:
        bird_gateway, _, _, bird = pairs.document(other, Bird)
        check_learned(bird_gateway, VPC, out, pairs.OURS)
        # As the package runs it: with static routes and the watcher, which here restarts nobody.
        watched = [cloud.start("staticd", "/usr/lib/frr/staticd", "-P", "0", "-i", "/run/frr/staticd.pid")]
        wait_until(lambda: cloud.run("test", "-S", "/run/frr/staticd.vty", check=False).returncode == 0, 30, "staticd")
        watched.append(cloud.start("watchfrr", "/usr/lib/frr/watchfrr", "--dry", "zebra", "bgpd", "staticd"))
        figures = {}
        threads = []
        beside = {"bgplite": ours.processes, "FRR": frr.processes + watched, "BIRD": bird.processes}
        for name, processes in beside.items():
            measure = threading.Thread(target=lambda n=name, p=processes: figures.update({n: idle(p, 5)}))
            threads.append(measure)
            measure.start()
        for measure in threads:
            measure.join()
        for name, (count, resident, woken) in figures.items():
            print(f"     {name}: {count} processes, {resident} KiB resident, {woken:.1f} wake-ups a second")
    count, resident, woken = figures["bgplite"]
    check_equal(count, 1, "processes")
    check(woken < 5, f"{woken:.1f} wake-ups a second")
    check_equal(figures["FRR"][0], 4, "FRR's processes")
    if "CMAKE_BUILD_TYPE:STRING=Release" in (needs.build_dir() / "CMakeCache.txt").read_text():
        check(resident <= IDLE_KIB_MAX, f"{resident} KiB resident, at most {IDLE_KIB_MAX}")


def holds_sighup(pid):
    """bgplite blocks SIGHUP, or has a handler for it."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    bit = 1 << (signal.SIGHUP - 1)
    return fields["Name"].strip() == "bgplite" and any(int(fields[key], 16) & bit for key in ("SigBlk", "SigCgt"))


@case("a SIGHUP right after the start ends nothing, whenever it comes")
def early_reload(lab):
    require(needs.root(), needs.namespaces())
    a = lab.namespace("a")
    a.run("mkdir", "-p", "/run/bgplite/state")
    a.write("/run/bgplite.yaml", config("192.0.2.1", "192.0.2.2", 65001, 65002, fib={"enabled": False}))
    binary = needs.built("bgplite")
    # The configuration is a pipe without a writer: what the program does before it has read a word.
    pipe = a.dir / "pipe"
    os.mkfifo(pipe)

    def writer():
        try:
            return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "w")
        except OSError:
            return None

    process = a.start("bgplite", binary, "run", "-c", pipe)
    with wait_until(writer, 10, "the program opens its configuration"):
        process.send_signal(signal.SIGHUP)
        holds_for(process.running, 0.3, "a SIGHUP before the configuration was read ended the daemon")
        process.kill()
    for milliseconds in range(0, 40, 2):
        process = a.start("bgplite", binary, "run", "-c", "/run/bgplite.yaml")
        # Before main() begins the dynamic loader is at work, and no program can hold a signal back then.
        wait_until(lambda: holds_sighup(process.pid), 10, "the program runs")
        due = time.monotonic() + milliseconds / 1000
        while time.monotonic() < due:
            pass
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: not process.running() or "reload: nothing has changed" in process.log(), 20,
                   lambda: f"the reload is done: {process.log()[-300:]}")
        check(process.running(), f"a SIGHUP {milliseconds} ms after the start ended the daemon")
        process.stop()


@case("SIGTERM keeps kernel routes with on_exit: keep and removes them with remove")
def on_exit(lab):
    for how, left in (("keep", {"10.2.0.0/16", "10.3.0.0/16"}), ("remove", set())):
        pair = Pair(lab_of(lab, how), a_extra={"on_exit": how}).start()
        wait_until(lambda: set(pair.a.routes(protocol=155)) == {"10.2.0.0/16", "10.3.0.0/16"}, 10, "kernel routes")
        pair.a_process.stop()
        check_equal(set(pair.a.routes(protocol=155)), left, f"kernel routes after on_exit: {how}")


class lab_of:
    """The same lab with other names, for two pairs in one case."""

    def __init__(self, lab, suffix):
        self.lab, self.suffix = lab, suffix

    def namespace(self, name):
        return self.lab.namespace(name + self.suffix)

    def link(self, *arguments):
        return self.lab.link(*arguments)


if __name__ == "__main__":
    main()
