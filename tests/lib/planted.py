"""A system that works, and faults planted into it one after the other, for the tests of `bgplite doctor`.

    walk(lab, [Fault("ip_forward is 0", "forwarding", "net.ipv4.ip_forward", shell("sysctl -qw ..."), FIX), ...])

Each fault is named once, with what, why and a remedy; `doctor --fix` changes nothing but what it says; after the remedy
doctor is silent.
"""
import json
import time

import needs
from cases import check, check_equal, measured, require
from netlab import wait_until
from peers import Bird, Neighbor, Router, merged

FILE, STATE, MD5 = "/run/bgplite.yaml", "/run/bgplite/state", "/run/md5"
OURS, THEIRS = "192.0.2.1", "192.0.2.2"
USER = "nobody"
FIX = "fix"  # As Fault.repair: doctor --fix repairs it.


class System:
    """bgplite, run by USER, and BIRD, with a LAN, a tunnel of mode link, and managed settings of the host. Timers are
    short: a session that may come up does so within a second or two."""

    def __init__(self, lab):
        require(needs.root(), needs.namespaces(), needs.program("nft"), Bird.missing())
        self.ns, self.far = lab.namespace("a"), lab.namespace("b")
        lab.link(self.ns, self.far, "up0", "up0", [f"{OURS}/24"], [f"{THEIRS}/24"])
        lab.link(self.ns, self.far, "far", "far", ["198.51.100.1/24"], ["198.51.100.2/24"], mtu=1400)
        self.ns.dummy("lan", "172.16.20.1/24")
        self.ns.run("mkdir", "-p", STATE)
        self.shell(f"printf secret > {MD5}; chown {USER} {MD5}; chmod 400 {MD5}")
        chain = "chain input { type filter hook input priority 0; };"
        self.ns.run("nft", "-f", "-", input=f"table inet filter {{ {chain} }}\n")
        self.binary = needs.built("bgplite")
        self.config = {
            "router": {"asn": 65001, "router_id": OURS}, "user": USER, "state_dir": STATE,
            "networks": ["172.16.20.0/24", "172.16.21.0/24"], "fib": {"audit_interval": "1h"},
            "peers": {THEIRS: self.peer()},
            "tunnels": {"far": {"mode": "link", "interface": "far", "mtu": 1400}},
            "static_routes": [{"prefix": "10.77.0.0/16", "via": [{"tunnel": "far", "gateway": "198.51.100.2"}]}],
            "host": {"forwarding": "manage", "mss_clamp": "manage", "rp_filter": "manage",
                     "firewall": {"care": "manage", "chain": "inet filter input"}},
        }  # fmt: skip
        self.neighbor = Neighbor(OURS, 65001, hold=9, keepalive=3, connect_retry=1, password="secret")
        self.bird = Bird(self.far, Router(65002, THEIRS, [self.neighbor], kernel=False))
        self.bird.announced = {"10.40.0.0/16", "10.41.0.0/16"}
        self.write()
        self.bird.start()
        self.start()
        # BIRD may announce seconds after the session is up, and a state that is compared has no routes on their way.
        there = lambda: {"10.40.0.0/16", "10.41.0.0/16"} <= set(self.ns.run("ip", "route").stdout.split())
        wait_until(there, 30, lambda: f"BIRD's routes in the kernel: {self.process.log()}")

    @staticmethod
    def peer(**changes):
        return {"asn": 65002, "accept_all": True, "md5_file": MD5,
                "timers": {"hold": "9s", "keepalive": "3s", "connect_retry": "1s"}, **changes}  # fmt: skip

    def write(self, **changes):
        self.ns.write(FILE, json.dumps(merged(self.config, changes)))

    def start(self):
        self.process = self.ns.start("bgplite", self.binary, "run", "-c", FILE)
        wait_until(lambda: self.cli("show", "version").returncode == 0, 10, lambda: self.process.log())

    def cli(self, *words):
        return self.ns.run(self.binary, "-c", FILE, *words, check=False)

    def apply(self, **changes):
        self.write(**changes)
        done = self.cli("apply", "--yes")
        check_equal(done.returncode, 0, f"apply: {done.stdout}{done.stderr}")

    def doctor(self, *words):
        return json.loads(self.cli("doctor", "--json", *words).stdout)

    def shell(self, text, input=None):
        return self.ns.run("sh", "-c", text, input=input)

    def remote(self, **changes):
        """BIRD's configuration of us, with these differences."""
        for name, value in changes.items():
            setattr(self.neighbor, name, value)
        self.bird.reload(None)

    def wait_silent(self, what):
        seen = []

        def silent():
            seen[:] = self.doctor()["findings"]
            return not seen

        wait_until(silent, 20, lambda: f"{what}: {seen}")

    def wait_named(self, fault):
        """The finding of the fault: the only one there is."""
        seen = []

        def named():
            seen[:] = self.doctor()["findings"]
            return [f["check"] for f in seen] == [fault.check] and fault.words in words_of(seen[0])

        wait_until(named, 20, lambda: f"{fault.name}: {fault.check} once with '{fault.words}': {seen}")
        return seen[0]

    def state(self):
        """Modes, owners, what USER may read and write, sysctls, rules, links, routes."""
        files = f"stat -c '%n %U %G %a' {FILE} {STATE} {MD5}; ls -ln {STATE} | cut -c1-24"
        access = f"setpriv --reuid {USER} --regid nogroup --clear-groups --bounding-set=-all"
        files += "".join(f"; {access} test {test}; echo $?" for test in (f"-r {FILE}", f"-r {MD5}", f"-w {STATE}"))
        rules = "nft list ruleset > /run/rules && sed 's/counter packets.*//' /run/rules"
        routes = "ip route show table all && ip rule"
        sysctls = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/rp_filter"
        # A file or the link may be missing; what is read behind them must be there.
        return self.shell(f"exec 2>&1; {files}; ip link show far; {rules} && {routes} && {sysctls}").stdout


class Fault:
    """`plant` it; doctor names `check` with `words` in subject, what, why or remedy. `repair` is what the remedy says;
    None means that the remedy is a command and is run as it stands, FIX that --fix runs it. `undo` makes the system
    what it was, where the remedy does not."""

    def __init__(self, name, check, words, plant, repair=None, undo=None):
        self.name, self.check, self.words, self.plant, self.repair, self.undo = name, check, words, plant, repair, undo


def shell(text):
    return lambda s: s.shell(text)


def applied(**changes):
    return lambda s: s.apply(**changes)


def written(**changes):
    return lambda s: s.write(**changes)


def remote(**changes):
    return lambda s: s.remote(**changes)


def words_of(finding):
    return " ".join(finding[key] for key in ("subject", "what", "why", "remedy"))


def command(s, remedy):
    """The remedy as an operator types it."""
    text = remedy.split("  (")[0].split("; or ")[0]
    text = text.removeprefix("remove that route if it is not needed: ")
    return text.replace("bgplite apply", f"{s.binary} -c {FILE} apply --yes")


def walk(lab, faults):
    s = System(lab)
    s.wait_silent("a healthy system")
    for fault in faults:
        began = time.monotonic()
        healthy = s.state() if fault.repair == FIX else None
        fault.plant(s)
        found = s.wait_named(fault)
        for key in ("what", "why", "remedy"):
            check(found[key], f"{fault.name}: no {key}")
        before = s.state()
        fixed = s.doctor("--fix")["fixed"]
        if fault.repair == FIX:
            check_equal((len(fixed), s.state()), (1, healthy), f"{fault.name}: --fix repairs that and nothing else")
        else:
            check_equal((fixed, s.state()), ([], before), f"{fault.name}: --fix leaves alone what it only prints")
            fault.repair(s) if fault.repair else s.shell(command(s, found["remedy"]), input="secret")
        if fault.check == "session":
            s.cli("enable", THEIRS)  # It connects at once.
        s.wait_silent(f"{fault.name}: silent after '{found['remedy']}'")
        if fault.undo:
            fault.undo(s)
            s.wait_silent(f"{fault.name}: a healthy system again")
        print(f"    {time.monotonic() - began:4.1f} s {fault.name}: {found['check']}: {found['what']}", flush=True)
    measured("doctor: planted faults", f"{len(faults)} named once, repaired, silent")
