#!/usr/bin/env python3
# kind: default
"""Two peers and a static route share one gateway; one peer resets, then dies: what is forwarded for the other peer and
for the static route loses nothing. With next-hop objects and without.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
from cases import case, check, check_equal, main, require
from loss import Loss
from netlab import holds_for, wait_until
from pairs import OURS
from peers import Bgplite, Bird, Neighbor, Router
from routes import learned, wait_learned

GATEWAY = "192.0.2.2"
FIRST, SECOND, FIXED = "10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"
HOP = {(GATEWAY, "up0", 1)}


class ViaGateway(Bird):
    """A peer elsewhere that announces GATEWAY as its next hop."""

    def config(self):
        return (
            super()
            .config()
            .replace(
                "export where source = RTS_STATIC;",
                f"export filter {{ if source != RTS_STATIC then reject; bgp_next_hop = {GATEWAY}; accept; }};",
            )
        )


def ends(ours):
    """Sessions with GATEWAY that ended."""
    return next(row["dropped"] for row in ours.json("show", "peers")["peers"] if row["peer"] == GATEWAY)


for objects in (True, False):

    @case(f"one peer resets and dies: the others lose nothing, {'with' if objects else 'without'} next-hop objects")
    def reset(lab, objects=objects):
        require(Bgplite.missing(), Bird.missing())
        us, router, elsewhere = lab.namespace("us"), lab.namespace("router"), lab.namespace("elsewhere")
        lab.link(us, router, "up0", "up0", ["192.0.2.1/24"], [f"{GATEWAY}/24"])
        lab.link(us, elsewhere, "up1", "up0", ["198.51.100.1/24"], ["198.51.100.2/24"])
        router.dummy("hosts", "10.1.0.1/24", "10.2.0.1/24", "10.3.0.1/24")
        timers = dict(hold=30, keepalive=10)
        addresses = {GATEWAY: 65001, "198.51.100.2": 65002}
        ours = Bgplite(
            us,
            Router(65530, "192.0.2.1", [Neighbor(a, asn, **timers) for a, asn in addresses.items()]),
            extra={
                "peers": {a: {"graceful_restart": "off"} for a in addresses},
                "static_routes": [{"prefix": FIXED, "via": {"gateway": GATEWAY}}],
                "fib": {"next_hop_objects": objects},
            },
        )
        first = Bird(router, Router(65001, GATEWAY, [Neighbor("192.0.2.1", 65530, **timers)], kernel=False))
        second = ViaGateway(
            elsewhere, Router(65002, "198.51.100.2", [Neighbor("198.51.100.1", 65530, **timers)], kernel=False)
        )
        first.announce([FIRST])
        second.announce([SECOND])
        for daemon in (first, second, ours):
            daemon.start()
        everything = {prefix: HOP for prefix in (FIRST, SECOND, FIXED)}
        wait_learned(us, everything, 4, OURS, 30)
        check_equal("nhid" in us.ip("route", "show", SECOND), objects, "routes by next-hop object")
        others = {prefix: HOP for prefix in (SECOND, FIXED)}
        with Loss(us, router, "192.0.2.1", ["10.2.0.1", "10.3.0.1"], rate=1000, flows=8) as traffic:
            ours.reset(GATEWAY)
            # It may be back before anybody looks at the kernel.
            wait_until(lambda: ends(ours) > 0, 10, "the session ended")
            wait_learned(us, everything, 4, OURS, 30)
            first.kill()
            wait_learned(us, others, 4, OURS, 30)
            # All that may be over within milliseconds; what it did to the others would show now.
            holds_for(lambda: learned(us, 4, OURS) == others, 1, "the others' routes stay")
        forth = traffic.report.forth
        print(f"    {forth.sent} sent, {forth.lost} lost")
        check(forth.sent > 100, "traffic flowed")
        check_equal(forth.lost, 0, "packets lost")


if __name__ == "__main__":
    main()
