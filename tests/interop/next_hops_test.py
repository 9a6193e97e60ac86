#!/usr/bin/env python3
# kind: default
# seconds: 120
"""Which next hop a peer is given, which next hops share a route, and which routes are never installed, as other daemons
and the kernel see it."""
import collections
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, check, check_equal, main
from netlab import holds_for, wait_until
from peers import Bgplite, Bird, Frr, Neighbor, Router

HERE = pathlib.Path(__file__).resolve().parent
OURS = 155
FAR = "2001:db8:20::/48"


def speaker(namespace, number, address, *lines):
    """tests/lib/raw_speaker.py that speaks from `address` to 192.0.2.1 as AS 65002 and announces `lines`."""
    orders = f"/run/orders{number}"
    namespace.write(orders, "".join(f"announce {line}\n" for line in lines))
    script = HERE.parent / "lib/raw_speaker.py"
    namespace.start(f"speaker{number}", "python3", script, address, "192.0.2.1", "65002", orders)


def beside_speakers(lab, addresses):
    """bgplite, and a namespace where speakers with these addresses can run; they dial."""
    gateway, there = lab.namespace("gateway"), lab.namespace("there")
    lab.link(gateway, there, "up0", "up0", ["192.0.2.1/24"], [f"{address}/24" for address in addresses])
    router = Router(65001, "192.0.2.1", [Neighbor(address, 65002, passive=True) for address in addresses], 8)
    ours = Bgplite(gateway, router)
    ours.start()
    wait_until(lambda: ours.cli("show", "version", check=False).returncode == 0, 20, "bgplite answers")
    return gateway, there, ours


@case("the link-local half of a next hop is not reflected to another link")
def link_local_half(lab):
    gateway, left, right = lab.namespace("gateway"), lab.namespace("left"), lab.namespace("right")
    lab.link(gateway, left, "left0", "up0", ["2001:db8:a::1/64"], ["2001:db8:a::2/64"])
    lab.link(gateway, right, "right0", "up0", ["2001:db8:b::1/64"], ["2001:db8:b::2/64"])
    asn = 65000
    neighbors = [Neighbor("2001:db8:a::2", asn), Neighbor("2001:db8:b::2", asn)]
    client = {"route_reflector_client": True, "next_hop_self": False}
    ours = Bgplite(gateway, Router(asn, "192.0.2.1", neighbors), {"peers": {n.address: client for n in neighbors}})
    sender = Frr(left, Router(asn, "192.0.2.2", [Neighbor("2001:db8:a::1", asn)]))
    receiver = Frr(right, Router(asn, "192.0.2.3", [Neighbor("2001:db8:b::1", asn)]))
    sender.announced = {FAR}
    for one in (sender, receiver, ours):
        one.start()
    paths = lambda: json.loads(receiver.vtysh(f"show bgp ipv6 unicast {FAR} json").stdout).get("paths", [])
    wait_until(paths, 40, "the route is reflected")
    hops = {hop["ip"]: hop["scope"] for path in paths() for hop in path["nexthops"]}
    check_equal(hops, {"2001:db8:a::2": "global"}, "its next hop")
    shown = ours.json("explain", FAR)
    check("fe80::" in json.dumps(shown), f"the sender gave both halves: {shown}")


for peer in (Bird, Frr):

    @case(f"{peer.__name__}: IPv4 routes over an IPv6 session have the interface's IPv4 address as next hop")
    def ipv4_over_ipv6(lab, peer=peer):
        gateway, there = lab.namespace("gateway"), lab.namespace("there")
        lab.link(gateway, there, "up0", "up0", ["192.0.2.1/24", "2001:db8:1::1/64"],
                 ["192.0.2.2/24", "2001:db8:1::2/64"])
        both = (4, 6)
        ours = Bgplite(gateway, Router(65001, "192.0.2.1", [Neighbor("2001:db8:1::2", 65002, families=both)]))
        theirs = peer(there, Router(65002, "192.0.2.2", [Neighbor("2001:db8:1::1", 65001, families=both)]))
        ours.announced = {"172.16.20.0/24", FAR}
        theirs.start()
        ours.start()
        routes = lambda family: there.routes(family, peer.kernel_protocol)
        wait_until(lambda: FAR in routes(6), 30, "the IPv6 route is there")
        wait_until(lambda: "172.16.20.0/24" in routes(4), 20, "the IPv4 route is there")
        gateways = {g for route in routes(4)["172.16.20.0/24"] for g in route.gateways}
        check_equal(gateways, {"192.0.2.1"}, "its next hop")


@case("one next hop that two peers announce counts once in ECMP")
def counts_once(lab):
    addresses = ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    gateway, there, _ = beside_speakers(lab, addresses)
    # Two route servers say the same of one router, a third names another.
    for number, (address, hop) in enumerate(zip(addresses, ("192.0.2.11", "192.0.2.11", "192.0.2.12"))):
        speaker(there, number, address, f"10.0.0.0/8 0 {hop}")

    def weights():
        found = collections.Counter()
        for row in gateway.ip_json("route", "show", "proto", str(OURS)):
            for hop in row.get("nexthops", [row]):
                found[hop.get("gateway")] += hop.get("weight", 1)
        return dict(found)

    even = {"192.0.2.11": 1, "192.0.2.12": 1}
    wait_until(lambda: set(weights()) == set(even), 30, lambda: f"both are in use: {weights()}")
    holds_for(lambda: weights() == even, 3, "the shares are even")


@case("a learned route inside a connected network, or of a peer's address, is not installed, and that is said")
def inside_connected(lab):
    addresses = ["192.0.2.2", "192.0.2.3"]
    gateway, there, ours = beside_speakers(lab, addresses)
    lab.link(gateway, lab.namespace("lan"), "lan0", "up0", ["172.16.20.1/24"], ["172.16.20.2/24"])
    held_back = {"172.16.20.0/25": "connected_networks", "192.0.2.3/32": "peer_addresses"}
    speaker(there, 0, addresses[0], *held_back, "10.0.0.0/8")
    wait_until(lambda: "10.0.0.0/8" in gateway.routes(4, OURS), 30, "what is harmless is installed")
    holds_for(lambda: set(gateway.routes(4, OURS)) == {"10.0.0.0/8"}, 2, "nothing else is")
    for prefix, word in held_back.items():
        said = ours.cli("explain", prefix).stdout
        check(f"fib.allow: [{word}]" in said, f"explain {prefix} names the key that allows it: {said}")
        check(prefix in ours.processes[0].log(), f"the log names {prefix}")


if __name__ == "__main__":
    main()
