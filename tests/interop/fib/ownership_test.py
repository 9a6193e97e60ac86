#!/usr/bin/env python3
# kind: default
# seconds: 300
"""Who owns the kernel's routes: a second instance with the same table and protocol does not start; what was installed
is remembered across changes of table, protocol and next-hop objects; foreign routes with our key, and those that lose
one next hop, are known for what they are; a program that undoes our repairs does not make us spin. The oracle is
iproute2.
"""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
import needs
from cases import case, check, check_equal, main, require
from netlab import RouteMonitor, holds_for, wait_until
from pairs import OURS
from peers import Bgplite, Router

GATEWAY, OTHER = "192.0.2.2", "192.0.2.3"
FIXED = ["10.1.0.0/16", "10.2.0.0/16", "2001:db8:1::/48"]


class Scene:
    """One host with a link, and bgplite with static routes over it and no peers."""

    def __init__(self, lab, **extra):
        require(Bgplite.missing())
        self.us, self.router = lab.namespace("us"), lab.namespace("router")
        lab.link(self.us, self.router, "up0", "up0", ["192.0.2.1/24", "2001:db8::1/64"],
                 [f"{GATEWAY}/24", f"{OTHER}/24", "2001:db8::2/64"])
        self.state = self.us.dir / "state"
        self.state.mkdir()
        self.ours = Bgplite(self.us, Router(65530, "192.0.2.1", []), extra=self.configuration(**extra))

    def configuration(self, fib=None, **extra):
        """What all cases share; a key that is given goes before."""
        via = {4: {"gateway": GATEWAY}, 6: {"gateway": "2001:db8::2"}}
        return {
            "state_dir": str(self.state),
            "listen": {"enabled": False},
            "static_routes": [{"prefix": p, "via": via[6 if ":" in p else 4]} for p in FIXED],
            "fib": {"adopt_timeout": "1s", "audit_interval": "1s", **(fib or {})},
            **extra,
        }

    def start(self):
        self.ours.start()
        wait_until(lambda: self.ours.cli("show", "version", check=False).returncode == 0, 20, "bgplite answers")
        return self

    def restart(self, **extra):
        """Killed, so that everything it installed is left, and started with another file."""
        self.ours.processes[0].kill()
        self.ours.extra = self.configuration(**extra)
        return self.start()

    def installed(self, protocol=OURS, table="main"):
        return {p for family in (4, 6) for p in self.us.routes(family, protocol, table)}

    def wait_installed(self, wanted, protocol=OURS, table="main"):
        wait_until(lambda: self.installed(protocol, table) == set(wanted), 20,
                   lambda: f"table {table} protocol {protocol}: {self.installed(protocol, table)}, wanted {wanted}")

    def verify(self):
        done = self.ours.cli("verify", check=False)
        return done.returncode, done.stdout

    def wait_verified(self):
        wait_until(lambda: self.verify()[0] == 0, 20, lambda: f"verify says that all is well: {self.verify()}")

    def memory(self):
        return [line for path in self.state.glob("kernel-tables.*") for line in path.read_text().splitlines()
                if line.startswith("table")]


@case("a second instance with our table and protocol says who has them, and does not start")
def second(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    monitor = RouteMonitor(scene.us, OURS)
    path = scene.us.dir / "second.yaml"
    path.write_text(json.dumps({
        "router": {"asn": 65531, "router_id": "192.0.2.9"}, "listen": {"enabled": False},
        "control": {"socket": "/run/second/control.sock"}, "state_dir": str(scene.us.dir / "second"),
        "fib": {"adopt_timeout": "3s"}}))
    done = scene.us.run(needs.built("bgplite"), "run", "--config", path, check=False, timeout=30)
    check_equal(done.returncode, 3, f"exit status: {done.stderr}")
    text = done.stdout + done.stderr
    check(f"process {scene.ours.processes[0].pid} (bgplite)" in text, f"it names the owner: {text}")
    check("table 254" in text and "fib.table" in text, f"it says what to do: {text}")
    holds_for(lambda: scene.installed() == set(FIXED), 2, "the routes stay")
    check_equal(monitor.seen(), [], "routes touched")
    # Another table is another owner's; and once the first has ended, its table is free.
    other = json.loads(path.read_text())
    other["fib"]["table"] = 100
    path.write_text(json.dumps(other))
    beside = scene.us.start("beside", needs.built("bgplite"), "run", "--config", path)
    wait_until(lambda: "AS 65531" in beside.log(), 20, lambda: f"the other table is free: {beside.log()}")
    beside.stop()
    scene.ours.processes[0].kill()
    other["fib"].pop("table")
    path.write_text(json.dumps(other))
    heir = scene.us.start("heir", needs.built("bgplite"), "run", "--config", path)
    wait_until(lambda: "AS 65531" in heir.log(), 20, lambda: f"a dead owner owns nothing: {heir.log()}")


@case("another fib.protocol: the next start takes over every route in place, and none is left")
def protocol(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    scene.wait_verified()
    plan = scene.configuration(fib={"protocol": 177})
    scene.ours.extra = plan
    scene.ours.write("bgplite.yaml", scene.ours.config())
    check("next start" in scene.ours.cli("plan", check=False).stdout, "plan says that it takes a restart")
    scene.ours.cli("apply", "--yes")
    holds_for(lambda: scene.installed() == set(FIXED), 1, "nothing moves before")
    scene.restart(fib={"protocol": 177})
    scene.wait_installed(FIXED, 177)
    scene.wait_installed([], OURS)
    scene.wait_verified()
    wait_until(lambda: len(scene.memory()) == 1, 20, lambda: f"only the new one is remembered: {scene.memory()}")


@case("another fib.table: the next start leaves nothing in the former one, with on_exit: remove too")
def table(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    scene.restart(fib={"table": 100})
    scene.wait_installed(FIXED, table="100")
    scene.wait_installed([])
    scene.wait_verified()
    # Live, and then a crash at once.
    scene.ours.extra = scene.configuration(fib={"table": 101})
    scene.ours.write("bgplite.yaml", scene.ours.config())
    scene.ours.cli("apply", "--yes")
    scene.restart(fib={"table": 102}, on_exit="remove")
    scene.wait_installed(FIXED, table="102")
    for former in ("100", "101"):
        scene.wait_installed([], table=former)
    check_equal(scene.ours.processes[0].stop(20), 0, "exit status")
    for former in ("main", "100", "101", "102"):
        check_equal(scene.installed(table=former), set(), f"routes in table {former}")
    check_equal(scene.us.ip("nexthop", "show"), "", "next-hop objects")


@case("without routes to keep a start removes what the last one left")
def disabled(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    scene.restart(fib={"enabled": False}, static_routes=[])
    scene.wait_installed([])
    wait_until(lambda: scene.us.ip("nexthop", "show") == "", 20, "no next-hop object is left")
    wait_until(lambda: scene.memory() == [], 20, lambda: f"nothing is remembered: {scene.memory()}")


@case("next_hop_objects: false leaves no next-hop object of the last start")
def objects(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    check(scene.us.ip("nexthop", "show") != "", "objects are used")
    scene.restart(fib={"next_hop_objects": False})
    wait_until(lambda: scene.us.ip("nexthop", "show") == "", 20, lambda: scene.us.ip("nexthop", "show"))
    scene.wait_installed(FIXED)
    scene.wait_verified()


@case("a foreign route that loses one of two next hops is still there for us")
def legs(lab):
    networks = [{"prefix": p, "when": "if-route"} for p in ("fd50::/64", "10.50.0.0/24")]
    scene = Scene(lab, networks=networks, fib={"audit_interval": "600s"})
    two = ["nexthop", "via", "2001:db8::2", "dev", "up0", "nexthop", "via", "2001:db8::3", "dev", "up0"]
    scene.us.ip("-6", "route", "add", "fd50::/64", "metric", "50", *two)
    for gateway in (GATEWAY, OTHER):
        scene.us.ip("route", "append", "10.50.0.0/24", "metric", "50", "via", gateway)
    scene.start()
    log = scene.ours.processes[0].log
    wait_until(lambda: log().count("announced: the kernel has a route") == 2, 20, log)
    scene.us.ip("-6", "route", "del", "fd50::/64", "metric", "50", "via", "2001:db8::2")
    scene.us.ip("route", "del", "10.50.0.0/24", "metric", "50", "via", GATEWAY)
    holds_for(lambda: "withdrawn: no route" not in log(), 2, log)
    scene.us.ip("-6", "route", "del", "fd50::/64")
    scene.us.ip("route", "del", "10.50.0.0/24")
    wait_until(lambda: log().count("withdrawn: no route") == 2, 10, log)


@case("a foreign route with our prefix and metric: behind ours it is harmless, in front verify says so")
def beside(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    scene.wait_verified()
    log = scene.ours.processes[0].log
    lines = len(log().splitlines())
    same = ["10.1.0.0/16", "metric", "20", "via", OTHER]
    scene.us.ip("route", "append", *same)
    holds_for(lambda: len(log().splitlines()) == lines, 3, log)
    check_equal(scene.verify()[0], 0, "verify with a foreign route behind ours")
    scene.us.ip("route", "del", *same, "proto", "boot")
    scene.us.ip("route", "prepend", *same)
    wait_until(lambda: "in front of ours" in log(), 10, log)
    status, text = scene.verify()
    check_equal(status, 1, f"verify with a foreign route in front: {text}")
    check("10.1.0.0/16" in text, text)
    holds_for(lambda: log().count("in front of ours") == 1, 3, log)
    check(OTHER in scene.us.ip("route", "show", "10.1.0.0/16"), "the foreign route stays")
    # Nothing of ours is left behind it either when we change our mind.
    scene.ours.extra = scene.configuration(static_routes=[])
    scene.ours.write("bgplite.yaml", scene.ours.config())
    scene.ours.cli("apply", "--yes")
    scene.wait_installed([])
    check(OTHER in scene.us.ip("route", "show", "10.1.0.0/16"), "the foreign route stays")


@case("a program that removes our route again and again does not make us spin, and is named")
def fight(lab):
    scene = Scene(lab).start()
    scene.wait_installed(FIXED)
    monitor = RouteMonitor(scene.us, OURS)
    undo = f"while :; do ip route del 10.1.0.0/16 proto {OURS} 2>/dev/null; sleep 0.02; done"
    other = scene.us.start("vandal", "sh", "-c", undo)
    log = scene.ours.processes[0].log
    wait_until(lambda: "again after 3 repairs" in log(), 20, log)
    time.sleep(10)  # The measurement.
    made = [line for line in monitor.seen() if "Deleted" not in line]
    check(len(made) <= 12, f"{len(made)} repairs in more than 10 s")
    check_equal(scene.verify()[0], 1, "verify while somebody undoes it")
    other.kill()
    scene.wait_installed(FIXED)
    scene.wait_verified()


@case("a second instance that hands connections to the same charon does not start")
def charon(lab):
    scene = Scene(lab)
    key = scene.us.dir / "psk"
    key.write_text("secret\n")
    key.chmod(0o600)
    vici = str(scene.us.dir / "charon.vici")  # Nothing answers there; the owner is known all the same.
    ike = {"local": {"address": "192.0.2.1"}, "remote": {"address": GATEWAY}, "psk_file": str(key),
           "local_ts": "172.16.0.0/16", "remote_ts": "192.168.0.0/16"}
    host = dict.fromkeys(("forwarding", "mss_clamp", "firewall", "rp_filter", "multipath_hash"), "ignore")
    tunnels = {"tunnels": {"t0": {"mode": "policy", "ike": ike}}, "ipsec": {"vici_socket": vici}, "host": host}
    scene.ours.extra = scene.configuration(fib={"table": 100}, static_routes=[], **tunnels)
    scene.start()
    path = scene.us.dir / "second.yaml"
    second = {**scene.configuration(fib={"table": 101}, static_routes=[], **tunnels),
              "router": {"asn": 65531, "router_id": "192.0.2.9"}, "state_dir": str(scene.us.dir / "second"),
              "control": {"socket": "/run/second/control.sock"}}
    path.write_text(json.dumps(second))
    done = scene.us.run(needs.built("bgplite"), "run", "--config", path, check=False, timeout=30)
    check_equal(done.returncode, 3, f"exit status: {done.stderr}")
    text = done.stdout + done.stderr
    check(f"process {scene.ours.processes[0].pid} (bgplite)" in text and vici in text, text)


@case("socket paths never remove what is not a dead socket")
def sockets(lab):
    scene = Scene(lab)
    precious = scene.us.dir / "precious"
    for key in ("metrics", "control"):
        precious.write_text("precious\n")
        extra = {key: {{"metrics": "listen", "control": "socket"}[key]: str(precious)}}
        scene.ours.extra = scene.configuration(**extra)
        scene.ours.start()
        check_equal(scene.ours.processes[0].wait(20), 3, "exit status")
        check("exists and is not a socket" in scene.ours.processes[0].log(), scene.ours.processes[0].log())
        check_equal(precious.read_text(), "precious\n", key)
    precious.unlink()
    listen = f"import socket,time; s=socket.socket(1); s.bind({str(precious)!r}); s.listen(); time.sleep(600)"
    holder = scene.us.start("holder", sys.executable, "-c", listen)
    wait_until(precious.exists, 10, "the other program listens")
    scene.ours.extra = scene.configuration(metrics={"listen": str(precious)})
    scene.ours.start()
    check_equal(scene.ours.processes[0].wait(20), 3, "exit status")
    check("another program listens" in scene.ours.processes[0].log(), scene.ours.processes[0].log())
    holder.kill()
    check(precious.exists(), "a dead socket is left")
    scene.start()
    scene.wait_installed(FIXED)


if __name__ == "__main__":
    main()
