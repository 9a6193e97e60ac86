#!/usr/bin/env python3
# kind: default
# seconds: 240
"""Faults of the host, planted one by one: sysctls, nft, links, routes. bgplite doctor names each once, and its remedy
works."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, main  # noqa: E402
from netlab import wait_until  # noqa: E402
from planted import FIX, Fault, shell, walk  # noqa: E402

FILTER = "add table inet f; add chain inet f {0} {{ type {1} hook {0} priority {2}; }}; add rule inet f {0} {3}"


def foreign_route(s):
    """Another program has a route with our prefix and metric before the peer advertises it."""
    s.bird.processes[0].stop()
    wait_until(lambda: "10.40.0.0/16" not in s.ns.routes(4, 155), 10, "our route is gone")
    s.shell("ip route add 10.40.0.0/16 metric 20 via 198.51.100.2")
    s.bird.start()


FAULTS = [
    Fault("ip_forward is 0", "forwarding", "net.ipv4.ip_forward", shell("sysctl -qw net.ipv4.ip_forward=0"), FIX),
    Fault("rp_filter is strict", "rp-filter", "far", shell("sysctl -qw net.ipv4.conf.far.rp_filter=1"), FIX),
    Fault("a managed sysctl has another value", "managed", "conf.default.rp_filter",
          shell("sysctl -qw net.ipv4.conf.default.rp_filter=0")),
    Fault("our table is gone", "mss", "bgplite apply", shell("nft delete table inet bgplite")),
    Fault("a chain of our table is flushed", "managed", "4 rules of the MSS clamp instead of 8",
          shell("nft flush chain inet bgplite mss_output")),
    Fault("a foreign rule in our table", "managed", "not ours", shell("nft add rule inet bgplite mss_output counter")),
    Fault("our rules in the operator's chain are gone", "managed", "inet filter input",
          shell("nft flush chain inet filter input")),
    Fault("forwarded packets are dropped", "firewall-forward", "nft insert rule",
          shell("nft '" + FILTER.format("forward", "filter", 0, "counter drop") + "'"), None,
          shell("nft delete table inet f")),
    Fault("a masquerade eats the tunnel's packets", "masquerade", "another source address",
          shell("nft '" + FILTER.format("postrouting", "nat", 100, "masquerade") + "'"), None,
          shell("nft delete table inet f")),
    Fault("the tunnel's interface is down", "link", "is down", shell("ip link set far down")),
    Fault("the tunnel's interface has another name", "link", "is not there",
          shell("ip link set far down; ip link set far name gone"),
          shell("ip link set gone name far; ip address replace 198.51.100.1/24 dev far; ip link set far up")),
    Fault("the tunnel's MTU differs", "link", "the MTU of far is 1300", shell("ip link set far mtu 1300")),
    Fault("a foreign route is in the way", "kernel-routes", "10.40.0.0/16",
          foreign_route),
]


@case("thirteen faults of the host, each named once; --fix sets what is missing and nothing else")
def host(lab):
    walk(lab, FAULTS)


if __name__ == "__main__":
    main()
