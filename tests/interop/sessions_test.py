#!/usr/bin/env python3
# kind: default
# seconds: 400
"""Sessions that do not go well, live: a peer that accepts and closes, refreshes back to back, and a restart of ours
beside a peer that cannot be reached."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import pairs
from cases import case, check, check_equal, main, require
from netlab import RouteMonitor, holds_for, wait_until
from pairs import OURS, hop
from peers import Bgplite, Bird, Frr, Neighbor, Router
from routes import check_learned, prefixes

# Accepts on port 179 and closes at once; a line for each connection.
CLOSER = """
import socket
listener = socket.create_server(("192.0.2.2", 179))
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    connection.close()
    print("closed", flush=True)
"""


@case("a peer that accepts and closes before its OPEN is dialed at most 10 times a minute, and a log line says so")
def closes(lab):
    require(Bgplite.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", ["192.0.2.1/24"], ["192.0.2.2/24"])
    closer = b.start("closer", sys.executable, "-c", CLOSER)
    wait_until(lambda: "listening" in closer.log(), 10, "the peer listens")
    ours = Bgplite(a, Router(65530, "192.0.2.1", [Neighbor("192.0.2.2", 65535)]))
    ours.start()
    count = lambda: closer.log().count("closed")
    wait_until(lambda: count() > 0, 20, "the first attempt")
    holds_for(lambda: count() <= 5, 10, lambda: f"{count()} attempts in 10 s")
    holds_for(lambda: count() <= 10, 50, lambda: f"{count()} attempts in 60 s")
    check(count() >= 4, f"only {count()} attempts in 60 s")
    lines = [line for line in ours.processes[0].log().splitlines() if "no session:" in line]
    check(1 <= len(lines) <= 3, f"log lines that say why there is no session: {lines}")
    check("before its OPEN" in lines[0], lines[0])
    row = ours.json("show", "peers")["peers"][0]
    check(0 < row["next_attempt_in_s"] <= 120, f"when the next attempt is: {row.get('next_attempt_in_s')}")
    before = count()
    ours.reset("192.0.2.2")
    wait_until(lambda: count() > before, 2, "reset dials at once")


for peer in (Bird, Frr):

    @case(f"{peer.__name__}: refreshes back to back touch no kernel route")
    def refreshes(lab, peer=peer):
        a, b, ours, theirs = pairs.pair(lab, peer)
        routes = prefixes(10000, 4)
        theirs.announce(routes)
        check_learned(a, routes, hop("192.0.2.2"), OURS, 40)
        monitor = RouteMonitor(a, OURS)
        before = pairs.counters(ours, "192.0.2.2")
        for _ in range(4):
            ours.refresh("192.0.2.2")
        wait_until(
            lambda: pairs.counters(ours, "192.0.2.2")["updates_received"] > before["updates_received"],
            15,
            "the peer answers",
        )
        holds_for(lambda: not monitor.seen(), 5, lambda: f"{len(monitor.seen())} notifications: {monitor.seen()[:3]}")
        check_learned(a, routes, hop("192.0.2.2"), OURS)


class Plain(Bird):
    """Without graceful restart."""

    def config(self):
        return super().config().replace("graceful restart aware;", "graceful restart off;")


@case("after our restart a peer without graceful restart has our networks within a second, though another is away")
def restart(lab):
    require(Bgplite.missing(), Bird.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", ["192.0.2.1/24"], ["192.0.2.2/24"])
    timers = dict(hold=30, keepalive=10)
    away, here = Neighbor("192.0.2.3", 65534, **timers), Neighbor("192.0.2.2", 65535, **timers)
    ours = Bgplite(a, Router(65530, "192.0.2.1", [away, here]))
    theirs = Plain(b, Router(65535, "192.0.2.2", [Neighbor("192.0.2.1", 65530, **timers)]))
    ours.announce(prefixes(3, 4))
    theirs.announce(prefixes(5, 4, 1))
    theirs.start()
    ours.start()
    theirs.wait_established("192.0.2.1")
    check_learned(b, prefixes(3, 4), hop("192.0.2.1"), theirs.kernel_protocol, 60)
    check_learned(a, prefixes(5, 4, 1), hop("192.0.2.2"), OURS, 60)
    kept = a.routes(4, OURS)
    ours.kill()
    wait_until(lambda: not b.routes(4, theirs.kernel_protocol), 10, "the peer keeps nothing of ours")
    ours.start()
    ours.wait_established("192.0.2.2", 30)
    began = time.monotonic()
    wait_until(lambda: len(b.routes(4, theirs.kernel_protocol)) == 3, 10, "our networks are back")
    took = time.monotonic() - began
    check(took < 1, f"our networks took {took:.1f} s after Established")
    check_equal(a.routes(4, OURS), kept, "kernel routes that were kept")


if __name__ == "__main__":
    main()
