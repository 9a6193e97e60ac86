#!/usr/bin/env python3
# kind: default
# seconds: 120
"""bgplite explain in each situation that an operator asks about: the only path, ECMP, lost by each rule, an unusable
next hop, refused by policy, by the underlay's guard, by the kernel; and to whom a route is announced, and why not."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402
from peers import Bgplite, Neighbor, Router  # noqa: E402

# Peers of ours, by the third octet of their link: 1 and 2 are routers of AS 65002, 3 of our own AS, 4 and 5 are two
# links to one router of AS 65002. Prefixes: 10.SITUATION.0.0/16.
ONLY, ECMP, WEIGHT, LOCAL_PREF, AS_PATH, ORIGIN, MED, EXTERNAL, ROUTER_ID = range(1, 10)
PEER_ADDRESS, FILTERED, UNUSABLE, FOREIGN = range(11, 15)
ENDPOINT, LINK_LOCAL = "203.0.113.0/24", "169.254.77.0/24"


def prefix(situation):
    return f"10.{situation}.0.0/16"


ANNOUNCED = {
    1: [ONLY, ECMP, WEIGHT, LOCAL_PREF, AS_PATH, ORIGIN, MED, EXTERNAL, ROUTER_ID, FILTERED, FOREIGN],
    2: [ECMP, WEIGHT, LOCAL_PREF, AS_PATH, ORIGIN, MED, ROUTER_ID],
    3: [EXTERNAL, UNUSABLE],
    4: [PEER_ADDRESS, ROUTER_ID],
}
# What makes router 2's path better or worse than router 1's.
FROM_2 = {
    WEIGHT: {"weight": 10},
    LOCAL_PREF: {"local_pref": 200},
    AS_PATH: {"prepend": "65002"},
    ORIGIN: {"origin": "incomplete"},
    MED: {"med": 5},
}


def import_of(link):
    terms = [{"match": {"prefix": prefix(FILTERED)}, "reject": True}]
    if link == 2:
        terms += [{"match": {"prefix": prefix(s)}, "then": edit, "accept": True} for s, edit in FROM_2.items()]
    return terms + [{"accept": True}]


def ours(maximum_paths):
    peers = {}
    for link in range(1, 6):
        peers[f"10.200.{link}.2"] = {
            "asn": 65001 if link == 3 else 65002,
            "import": import_of(link),
            # Router 2 hears nothing.
            "export": [{"reject" if link == 2 else "accept": True}],
        }
    return {
        "router": {"asn": 65001, "router_id": "10.200.1.1", "maximum_paths": maximum_paths},
        "peers": peers,
        "fib": {"enabled": True},
        # Never comes up, for want of a charon; its endpoint is guarded all the same.
        "tunnels": {"ipsec0": {"if_id": 42, "address": "169.254.10.2/30", "underlay": {"device": "up1"},
                               "ike": {"local": {"address": "10.200.1.1"}, "remote": {"address": "203.0.113.151"},
                                       "psk_file": "/run/psk"}}},
        "state_dir": "/run/bgplite",
    }  # fmt: skip


class Ours(Bgplite):
    def config(self):
        return json.dumps(self.extra)

    def explain(self, what):
        return self.cli("explain", what).stdout


def routers(lab):
    """Everything started and learned. Returns (namespace, ours)."""
    require(Bgplite.missing())
    us = lab.namespace("us")
    others = {n: lab.namespace(f"r{n}") for n in (1, 2, 3, 4)}
    for link in range(1, 6):
        lab.link(us, others[min(link, 4)], f"up{link}", f"up{link}",
                 [f"10.200.{link}.1/30"], [f"10.200.{link}.2/30"])  # fmt: skip
    us.write("/run/psk", "secret")
    us.run("chmod", "600", "/run/psk")
    # The kernel refuses to have two protocols' routes with the same prefix and metric; ours comes second.
    us.ip("route", "add", prefix(FOREIGN), "via", "10.200.2.2", "metric", "20", "proto", "static")
    speaker = Ours(us, Router(65001, "10.200.1.1", []), ours(2))
    speaker.start()
    for n, space in others.items():
        links = (4, 5) if n == 4 else (n,)
        neighbors = [Neighbor(f"10.200.{link}.1", 65001, connect_retry=1) for link in links]
        peer = Bgplite(space, Router(65001 if n == 3 else 65002, f"10.200.{n}.2", neighbors, kernel=False))
        peer.announced = {prefix(situation) for situation in ANNOUNCED[n]}
        if n == 1:
            peer.announced |= {ENDPOINT, LINK_LOCAL}
        if n == 3:
            peer.announced = set()
        peer.start()
        if n == 3:
            # A next hop that nothing leads to: iBGP keeps it. And a path as long as that of router 1.
            for words in ([prefix(UNUSABLE), "--next-hop", "198.51.100.9"], [prefix(EXTERNAL), "--as-path", "65002"]):
                wait_until(lambda: peer.cli("announce", *words, check=False).returncode == 0, 10, "the daemon answers")
    wanted = {1: 13, 2: 7, 3: 2, 4: 2, 5: 2}

    def received():
        rows = speaker.cli("show", "peers", "--json", check=False)
        return rows.returncode == 0 and {
            int(row["peer"].split(".")[2]): row["prefixes"]["received"] for row in json.loads(rows.stdout)["peers"]
        } == wanted

    wait_until(received, 20, lambda: speaker.cli("show", "peers").stdout)
    wait_until(lambda: speaker.json("show", "fib")["status"]["synchronized"], 10, "the kernel has its routes")
    return us, speaker


def check_lines(text, *lines):
    """The lines stand in the text in this order, and no line is wider than the screen."""
    left = text.splitlines()
    check(all(len(line) <= 80 for line in left), lambda: f"wider than 80 columns:\n{text}")
    for line in lines:
        check(line in left, lambda: f"{line!r} is missing, or not in this place, in:\n{text}")
        left = left[left.index(line) + 1 :]


@case("explain says why, in sixteen situations")
def situations(lab):
    us, speaker = routers(lab)
    path1, path2 = "  *> from 10.200.1.2, next hop 10.200.1.2", "  *= from 10.200.2.2, next hop 10.200.2.2"
    check_equal(
        speaker.explain("10.1.2.3"),
        "10.1.0.0/16 (the route used for 10.1.2.3/32)\n"
        "  *> from 10.200.1.2, next hop 10.200.1.2\n"
        "       best: the only path\n"
        "       AS path 65002 i\n"
        "  next hop          10.200.1.2: through 10.200.1.2 dev up1\n"
        "  kernel            ok, metric 20\n"
        "                    via 10.200.1.2 dev up1\n"
        "  not announced to  10.200.1.2: the best path came from it\n"
        "  not announced to  10.200.2.2: refused by export policy, community or family\n"
        "  announced to      10.200.3.2\n"
        "  announced to      10.200.4.2\n"
        "  announced to      10.200.5.2\n",
        "the only path",
    )
    check_lines(speaker.explain(prefix(ECMP)), path1, "       best: by router-id", path2,
                "       shares the traffic with the best", "                    via 10.200.1.2 dev up1",
                "                    via 10.200.2.2 dev up2")  # fmt: skip
    first = {WEIGHT: "2", LOCAL_PREF: "2", AS_PATH: "1", ORIGIN: "1", MED: "1"}
    rules = {WEIGHT: "weight", LOCAL_PREF: "local-pref", AS_PATH: "as-path-length", ORIGIN: "origin", MED: "med"}
    for situation, rule in rules.items():
        better, worse = first[situation], "12".replace(first[situation], "")
        check_lines(speaker.explain(prefix(situation)),
                    f"  *> from 10.200.{better}.2, next hop 10.200.{better}.2", f"       best: by {rule}",
                    f"  *  from 10.200.{worse}.2, next hop 10.200.{worse}.2", f"       lost by {rule}")  # fmt: skip
    check_lines(speaker.explain(prefix(EXTERNAL)), path1, "       best: by external",
                "  *  from 10.200.3.2, next hop 10.200.3.2", "       lost by external")  # fmt: skip
    check_lines(speaker.explain(prefix(ROUTER_ID)), path1, path2, "  *  from 10.200.4.2, next hop 10.200.4.2",
                "       lost by router-id")  # fmt: skip
    check_lines(speaker.explain(prefix(FILTERED)), "  x  from 10.200.1.2, next hop 10.200.1.2",
                "       refused by import policy", "  not announced to  10.200.3.2: there is no usable path")
    check_lines(speaker.explain(prefix(UNUSABLE)), "  !  from 10.200.3.2, next hop 198.51.100.9",
                "       next hop is not usable")
    check_lines(speaker.explain(ENDPOINT), path1, "  kernel            refused, metric 20",
                "       it would take over the path to an IKE endpoint", "                    203.0.113.151")
    check_lines(speaker.explain(LINK_LOCAL), "       link-local networks are never learned")
    check_lines(speaker.explain(prefix(FOREIGN)), "  kernel            refused, metric 20",
                "       the kernel has another protocol's route with this prefix and metric")
    check(us.routes(protocol="static").keys() == {prefix(FOREIGN)}, "the other protocol's route stays")
    # One path each from now on.
    speaker.extra = ours(1)
    speaker.write("bgplite.yaml", speaker.config())
    speaker.cli("apply", "--yes")
    check_lines(speaker.explain(prefix(ECMP)), "  *  from 10.200.2.2, next hop 10.200.2.2", "       lost by router-id")
    check_lines(speaker.explain(prefix(PEER_ADDRESS)), "  *> from 10.200.4.2, next hop 10.200.4.2",
                "  *  from 10.200.5.2, next hop 10.200.5.2", "       lost by peer-address")  # fmt: skip
    done = speaker.cli("explain", "172.31.0.0/16", check=False)
    nothing = "bgplite: no route to 172.31.0.0/16: neither it nor a prefix that covers it was announced\n"
    check_equal((done.returncode, done.stderr), (1, nothing), "nothing there")


if __name__ == "__main__":
    main()
