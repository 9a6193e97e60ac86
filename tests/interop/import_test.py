#!/usr/bin/env python3
# kind: default
# seconds: 300
"""`bgplite import frr` of the kinds of configurations that people run: FRR with the original and bgplite with the
import learn the same routes from the same peer, and the peer learns the same from both."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402
from pairs import OURS  # noqa: E402
from peers import Bgplite, Bird, Frr, Neighbor, Router  # noqa: E402
from routes import learned  # noqa: E402

SENT = {"192.168.10.0/24", "192.168.20.0/24", "192.168.30.128/25", "10.64.0.0/16", "198.51.100.0/24"}


def frr(body, before="", family="", asn=65535):
    """A frr.conf of AS 65530 with one peer; {p} is its address."""
    return f"""frr defaults traditional
{before}router bgp 65530
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 192.0.2.2 remote-as {asn}
{body} !
 address-family ipv4 unicast
  network 172.16.20.0/24
  network 172.16.21.0/24
{family} exit-address-family
exit
"""


VPC = "ip prefix-list VPC seq 5 permit 192.168.0.0/16 le 24\n"
TEN = "ip prefix-list TEN seq 5 permit 10.0.0.0/8 le 16\n"
ONE = "ip prefix-list ONE seq 5 permit 172.16.20.0/24\n"
CONFIGURATIONS = {
    "the document's": frr(
        " neighbor 192.0.2.2 timers 10 30\n",
        "route-map allow-all permit 1\nexit\n",
        "  neighbor 192.0.2.2 soft-reconfiguration inbound\n  neighbor 192.0.2.2 route-map allow-all in\n"
        "  neighbor 192.0.2.2 route-map allow-all out\n  maximum-paths 32\n",
    ),
    "nothing but a peer": frr(""),
    "timers and a description": frr(" neighbor 192.0.2.2 description cloud\n neighbor 192.0.2.2 timers 5 15\n"),
    "a peer group": frr(
        " neighbor CLOUD peer-group\n neighbor CLOUD timers 10 30\n neighbor 192.0.2.2 peer-group CLOUD\n"
    ),
    "a prefix-list in": frr("", VPC, "  neighbor 192.0.2.2 prefix-list VPC in\n"),
    "a prefix-list out": frr("", ONE, "  neighbor 192.0.2.2 prefix-list ONE out\n"),
    "a route-map with a prefix-list in": frr(
        "",
        VPC + "route-map IN permit 10\n match ip address prefix-list VPC\n set local-preference 200\nexit\n",
        "  neighbor 192.0.2.2 route-map IN in\n",
    ),
    "a route-map that denies and then permits": frr(
        "",
        VPC + "route-map IN deny 10\n match ip address prefix-list VPC\nexit\nroute-map IN permit 20\nexit\n",
        "  neighbor 192.0.2.2 route-map IN in\n",
    ),
    "a route-map that jumps over entries": frr(
        "",
        VPC + "route-map IN permit 5\n match ip address prefix-list VPC\n on-match goto 100\nexit\n"
        "route-map IN permit 10\nexit\nroute-map IN deny 100\nexit\n",
        "  neighbor 192.0.2.2 route-map IN in\n",
    ),
    "a route-map that goes on and matches nothing more": frr(
        "",
        VPC + TEN + "route-map IN permit 5\n match ip address prefix-list VPC\n on-match next\nexit\n"
        "route-map IN permit 10\n match ip address prefix-list TEN\nexit\n",
        "  neighbor 192.0.2.2 route-map IN in\n",
    ),
    "a route-map out with MED and prepending": frr(
        "",
        ONE + "route-map OUT permit 10\n match ip address prefix-list ONE\n set metric 50\n"
        " set as-path prepend 65530 65530\nexit\n",
        "  neighbor 192.0.2.2 route-map OUT out\n",
    ),
    "an AS path list": frr(
        "",
        "bgp as-path access-list CLOUD permit ^65535$\nroute-map IN permit 10\n match as-path CLOUD\nexit\n",
        "  neighbor 192.0.2.2 route-map IN in\n",
    ),
    "an AS path list that refuses everything": frr(
        "",
        "bgp as-path access-list OTHER permit _65001_\nroute-map IN permit 10\n match as-path OTHER\nexit\n",
        "  neighbor 192.0.2.2 route-map IN in\n",
    ),
    "communities set on the way out": frr(
        "",
        "route-map OUT permit 10\n set community 65530:1 65530:2\nexit\n",
        "  neighbor 192.0.2.2 route-map OUT out\n",
    ),
    "iBGP": frr("", asn=65530),
    "update-source": frr(" neighbor 192.0.2.2 update-source 192.0.2.1\n"),
    "a maximum of prefixes": frr("", family="  neighbor 192.0.2.2 maximum-prefix 100\n"),
    "a peer that dials": frr(" neighbor 192.0.2.2 passive\n"),
}


class FrrFile(Frr):
    """FRR with a configuration as it is."""

    def config(self):
        return self.text


class Imported(Bgplite):
    def config(self):
        path = self.write("frr.conf", self.text)
        return self.cli("import", "frr", path).stdout


def exchanged(lab, name, kind, text):
    """What one daemon and its peer learn from each other: (ours, theirs)."""
    a, b = lab.namespace(f"{name}a"), lab.namespace(f"{name}b")
    lab.link(a, b, "up0", "up0", ["192.0.2.1/24"], ["192.0.2.2/24"])
    internal = "remote-as 65530" in text
    daemon = kind(a, Router(65530, "192.0.2.1", []))
    daemon.text = text
    neighbor = Neighbor("192.0.2.1", 65530, local="192.0.2.2", next_hop_self=True)
    peer = Bird(b, Router(65530 if internal else 65535, "192.0.2.2", [neighbor]))
    peer.announced = set(SENT)
    daemon.start()
    peer.start()
    return (lambda: (set(learned(a, 4, daemon.kernel_protocol or OURS)), heard(peer))), peer


def heard(peer):
    """{prefix: what BIRD was told of it}. MED 0, which FRR writes to its own networks, and no MED are the same to who
    receives them (RFC 4271 s.9.1.2.2)."""
    routes, present = {}, None
    for line in peer.birdc("show", "route", "protocol", "n0", "all", check=False).stdout.splitlines():
        if line[:1].isdigit() and "/" in line.split()[0]:
            present = routes.setdefault(line.split()[0], set())
        elif "local_pref" in line or line.strip() == "BGP.med: 0":
            continue
        elif present is not None and line.strip().startswith("BGP."):
            present.add(line.strip())
    return {prefix: frozenset(facts) for prefix, facts in routes.items()}


def settled(look, peer):
    """What is exchanged once the session is up and it stays the same. Every configuration here announces something, and
    FRR may take its time to begin."""
    peer.wait_established("192.0.2.1", 60)
    seen = []

    def same():
        seen.append(look())
        return len(seen) > 40 and seen[-1][1] and all(one == seen[-1] for one in seen[-40:])

    wait_until(same, 30, "the routes settle")
    return seen[-1]


for title, text in CONFIGURATIONS.items():

    @case(f"import frr: {title}")
    def same(lab, text=text):
        require(Bgplite.missing(), Frr.missing(), Bird.missing())
        original, theirs = exchanged(lab, "f", FrrFile, text)
        imported, ours = exchanged(lab, "i", Imported, text)
        wanted, seen = settled(original, theirs), settled(imported, ours)
        check(wanted[1], "FRR announced nothing: the comparison would show nothing")
        check_equal(seen[0], wanted[0], "learned from the peer")
        check_equal(seen[1], wanted[1], "learned by the peer")


if __name__ == "__main__":
    main()
