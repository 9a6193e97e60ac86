#!/usr/bin/env python3
# kind: default
# seconds: 400
"""Standard-conforming peers that ask for much, with BIRD and FRR looking on: routes that fit no message, refreshes
back to back, peers that close at once, IPv6 over an IPv4 session, keys that change in their file."""
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import case, check, check_equal, main, measured
from netlab import RouteMonitor, holds_for, wait_until
from peers import Bgplite, Bird, Frr, Neighbor, Router

HERE = pathlib.Path(__file__).resolve().parent
OURS = 155
TOO_LARGE = 4042  # Octets of an attribute with which a /16 fits one message to an external peer and a /32 does not.
GATEWAY, BIRD_SIDE, FRR_SIDE, RAW_SIDE = "192.0.2.1", "192.0.2.2", "198.51.100.2", "203.0.113.2"


class Orders:
    """tests/lib/raw_speaker.py in a namespace."""

    def __init__(self, namespace, source, target, asn):
        namespace.write("/run/orders", "")
        self.namespace = namespace
        script = HERE.parent / "lib/raw_speaker.py"
        self.process = namespace.start("raw", "python3", script, source, target, str(asn), "/run/orders")

    def give(self, *lines):
        self.namespace.run("tee", "-a", "/run/orders", input="".join(line + "\n" for line in lines))


def star(lab, extra=None, frr=True, bird=Bird, raw=True):
    """bgplite in the middle; BIRD, FRR and a scripted speaker around it, each on a link of its own."""
    gateway, birds, frrs, raws = (lab.namespace(name) for name in ("gateway", "birds", "frrs", "raws"))
    lab.link(gateway, birds, "bird0", "up0", ["192.0.2.1/24"], [f"{BIRD_SIDE}/24"])
    lab.link(gateway, frrs, "frr0", "up0", ["198.51.100.1/24"], [f"{FRR_SIDE}/24"])
    lab.link(gateway, raws, "raw0", "up0", ["203.0.113.1/24"], [f"{RAW_SIDE}/24"])
    neighbors = [Neighbor(BIRD_SIDE, 65002), Neighbor(FRR_SIDE, 65003), Neighbor(RAW_SIDE, 65004, passive=True)]
    ours = Bgplite(gateway, Router(65001, "192.0.2.1", neighbors), extra)
    theirs = bird(birds, Router(65002, "192.0.2.2", [Neighbor(GATEWAY, 65001)]))
    other = Frr(frrs, Router(65003, "198.51.100.2", [Neighbor("198.51.100.1", 65001)]))
    return gateway, raws, ours, theirs, other


def bird_routes(bird):
    """What BIRD has of us."""
    return {
        line.split()[0]
        for line in bird.birdc("show", "route", "protocol", "n0").stdout.splitlines()
        if "/" in line.split(" ")[0]
    }


def frr_routes(frr):
    rows = json.loads(frr.vtysh("show bgp ipv4 unicast json").stdout)["routes"]
    return {prefix for prefix, paths in rows.items() if any(path.get("peerId") == "198.51.100.1" for path in paths)}


def cpu_seconds(process):
    """User and system time of bgplite itself; it may run behind a wrapper."""
    total = 0
    for pid in process.tree():
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / 100


@case("a route too large for one message is sent to no peer, withdrawn from none too late, and said")
def too_large(lab):
    # FRR negotiates extended messages, into which the route would fit.
    gateway, raws, ours, bird, frr = star(lab, {"peers": {FRR_SIDE: {"extended_messages": False}}})
    bird.start()
    ours.start()
    ours.wait_established(BIRD_SIDE)
    orders = Orders(raws, RAW_SIDE, "203.0.113.1", 65004)
    ours.wait_established(RAW_SIDE)
    orders.give(*(f"announce {prefix} {TOO_LARGE}" for prefix in ("10.1.0.0/16", "1.2.3.4/32", "10.2.0.0/16")),
                "announce 10.3.0.0/16")
    wait_until(lambda: bird_routes(bird) == {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"}, 20, "BIRD has what fits")
    frr.start()  # It was told nothing before.
    ours.wait_established(FRR_SIDE)
    wait_until(lambda: frr_routes(frr) == bird_routes(bird), 20,
               lambda: f"FRR, which came later, has {frr_routes(frr)}, BIRD {bird_routes(bird)}")
    said = ours.cli("explain", "1.2.3.4").stdout
    check("do not fit one message" in said, f"explain says why it is not sent: {said}")
    orders.give("announce 10.2.0.0/16 5000", "announce 10.1.0.0/16 4046")
    wait_until(lambda: "10.1.0.0/16" not in bird_routes(bird), 20, "what fits no longer is withdrawn")
    orders.give("withdraw 10.1.0.0/16,1.2.3.4/32,10.2.0.0/16,10.3.0.0/16")
    wait_until(lambda: not bird_routes(bird) and not frr_routes(frr), 20, "nothing is left behind")
    check(ours.processes[0].running(), "bgplite runs")


@case("an export limit and a route too large for one message: no processor time, and the room is used")
def limited(lab):
    gateway, raws, ours, bird, _ = star(lab, {"peers": {BIRD_SIDE: {"export_limit": {"max": 1}}}})
    bird.start()
    ours.start()
    ours.wait_established(BIRD_SIDE)
    orders = Orders(raws, RAW_SIDE, "203.0.113.1", 65004)
    ours.wait_established(RAW_SIDE)
    orders.give(f"announce 1.2.3.4/32 {TOO_LARGE}", "announce 10.3.0.0/16", "announce 10.4.0.0/16")
    wait_until(lambda: len(bird_routes(bird)) == 1, 20, "BIRD has one route, which fits")
    before = cpu_seconds(ours.processes[0])
    holds_for(lambda: len(bird_routes(bird)) == 1, 3, "the limit holds")
    spent = cpu_seconds(ours.processes[0]) - before
    measured("export limit met, route too large", f"{spent:.2f} s of processor time in 3 s")
    check(spent < 1, f"bgplite spins: {spent} s of processor time in 3 s")


@case("four refreshes back to back withdraw no route, from the kernel or from another peer")
def refreshes(lab):
    gateway, _, ours, bird, frr = star(lab)
    routes = {f"10.{i // 256}.{i % 256}.0/24" for i in range(40000)}
    bird.announced = routes
    bird.start()
    frr.start()
    ours.start()
    for address in (BIRD_SIDE, FRR_SIDE):
        ours.wait_established(address, 60)
    wait_until(lambda: len(gateway.routes(4, OURS)) == len(routes), 60, "the kernel has the routes")
    wait_until(lambda: len(frr_routes(frr)) == len(routes), 60, "FRR has the routes")
    received = lambda: int(json.loads(frr.vtysh("show bgp neighbors 198.51.100.1 json").stdout)["198.51.100.1"]
                           ["messageStats"]["updatesRecv"])
    monitor = RouteMonitor(gateway, OURS)
    before = received()
    again = f"{needs.built('bgplite')} refresh {BIRD_SIDE}"
    gateway.run("sh", "-c", "; ".join([again] * 4))
    holds_for(lambda: len(gateway.routes(4, OURS)) == len(routes), 4, "the kernel keeps the routes")
    check_equal(monitor.seen(), [], "notifications about routes that did not change")
    check_equal(received() - before, 0, "UPDATEs to the other peer")
    check_equal(len(frr_routes(frr)), len(routes), "FRR's routes")


@case("a peer that accepts and closes is dialed at most five times in ten seconds, ten in a minute, and is named")
def reconnects(lab):
    _, _, ours, stranger, _ = star(lab)
    there = lab["birds"]
    there.run("nft", "-f", "-", input="""table inet count {
        chain in {
            type filter hook input priority 0
            tcp dport 179 tcp flags & (syn|ack) == syn counter
        }
    }""")

    def dials():
        rows = json.loads(there.run("nft", "-j", "list", "chain", "inet", "count", "in").stdout)["nftables"]
        expressions = [part for row in rows if "rule" in row for part in row["rule"]["expr"]]
        return next(part["counter"]["packets"] for part in expressions if "counter" in part)

    # BIRD that does not know us as a neighbor accepts the connection and closes it.
    stranger.router.neighbors = [Neighbor("192.0.2.77", 65077)]
    stranger.start()
    ours.start()
    wait_until(lambda: dials() > 0, 10, "it dials")
    started = time.monotonic()
    within_10 = None
    while time.monotonic() - started < 60:
        if within_10 is None and time.monotonic() - started >= 10:
            within_10 = dials()
        check(dials() <= 10, f"{dials()} connections in {time.monotonic() - started:.0f} s")
        time.sleep(0.5)  # Between two looks at the counter.
    measured("dials to a peer that closes at once", f"{within_10} in 10 s, {dials()} in 60 s")
    check(within_10 <= 5, f"{within_10} connections in 10 s")
    check(dials() >= 3, "it gave up")
    log = ours.processes[0].log()
    lines = [line for line in log.splitlines() if BIRD_SIDE in line]
    check(lines, f"no line of the log names the peer: {log}")
    check(len(lines) <= 20, f"{len(lines)} lines of the log in a minute")


def dual_stack(lab, peer, global_address):
    gateway, there = lab.namespace("gateway"), lab.namespace("there")
    ours6, theirs6 = (["2001:db8:1::1/64"], ["2001:db8:1::2/64"]) if global_address else ([], [])
    lab.link(gateway, there, "up0", "up0", ["192.0.2.1/24", *ours6], ["192.0.2.2/24", *theirs6])
    both = (4, 6)
    ours = Bgplite(gateway, Router(65001, "192.0.2.1", [Neighbor("192.0.2.2", 65002, families=both)]))
    theirs = peer(there, Router(65002, "192.0.2.2", [Neighbor("192.0.2.1", 65001, families=both)]))
    ours.announced = {"172.16.20.0/24", "2001:db8:20::/48"}
    theirs.start()
    ours.start()
    ours.wait_established("192.0.2.2")
    wait_until(lambda: "172.16.20.0/24" in there.routes(4, peer.kernel_protocol), 20, "the IPv4 route is there")
    return gateway, there, ours, theirs


for peer in (Bird, Frr):

    @case(f"{peer.__name__}: IPv6 routes over an IPv4 session have the interface's IPv6 address as next hop")
    def ipv6_over_ipv4(lab, peer=peer):
        _, there, _, _ = dual_stack(lab, peer, True)
        wait_until(lambda: "2001:db8:20::/48" in there.routes(6, peer.kernel_protocol), 20, "the IPv6 route is there")
        routes = there.routes(6, peer.kernel_protocol)["2001:db8:20::/48"]
        check_equal({g for route in routes for g in route.gateways}, {"2001:db8:1::1"}, "its next hop")

    @case(f"{peer.__name__}: IPv6 routes over an IPv4 session without any IPv6 address are not sent, and that is said")
    def no_ipv6(lab, peer=peer):
        _, there, ours, _ = dual_stack(lab, peer, False)
        said = lambda: ours.cli("explain", "2001:db8:20::").stdout
        wait_until(lambda: "next hop" in said() and "IPv6" in said(), 10, "explain says why")
        check("2001:db8:20::/48" not in there.routes(6, peer.kernel_protocol), "it was not sent")
        check("IPv6" in ours.processes[0].log(), f"the log says it: {ours.processes[0].log()}")


@case("a TCP-MD5 key that changes inside its file is used after SIGHUP, apply and reset")
def rotated_key(lab):
    gateway, there = lab.namespace("gateway"), lab.namespace("there")
    lab.link(gateway, there, "up0", "up0", ["192.0.2.1/24"], ["192.0.2.2/24"])

    def key(text):
        gateway.run("sh", "-c", "umask 077; cat > /run/key", input=text + "\n")

    key("first")
    ours = Bgplite(gateway, Router(65001, "192.0.2.1", [Neighbor("192.0.2.2", 65002)]),
                   {"peers": {"192.0.2.2": {"md5_file": "/run/key"}}})
    bird = Bird(there, Router(65002, "192.0.2.2", [Neighbor("192.0.2.1", 65001, password="first")]))
    bird.start()
    ours.start()
    ours.wait_established("192.0.2.2")
    ways = {
        "second": lambda: ours.processes[0].popen.send_signal(signal.SIGHUP),
        "third": lambda: ours.cli("apply", "--yes"),
        "fourth": lambda: ours.cli("reset", "192.0.2.2", "--yes"),
    }
    for word, way in ways.items():
        bird.router.neighbors[0].password = word
        bird.reload(set())
        key(word)
        way()
        up = lambda: bird.established("192.0.2.1") and ours.established("192.0.2.2")
        wait_until(up, 30, f"up with the {word} key")
        check(word not in ours.processes[0].log(), "a key in the log")


if __name__ == "__main__":
    main()
