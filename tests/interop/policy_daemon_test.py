#!/usr/bin/env python3
# kind: default
# seconds: 180
"""The same policy file in the running daemon and offline: FRR sends routes; for each, `show routes in` and
`policy eval` give the same verdict and the same attributes, and both the one written here."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, check, check_equal, main, require
from netlab import wait_until
from peers import Bgplite, Frr, Neighbor, Router

OURS, THEIRS = "192.0.2.1", "192.0.2.2"

POLICIES = {
    "networks": ["172.16.20.0/24"],
    "prefix_sets": {"vpc": ["192.168.0.0/16 le 24"], "never": ["0.0.0.0/0", "169.254.0.0/16 le 32"]},
    "policies": {
        "from-cloud": [
            {"name": "never", "match": {"prefix": "never"}, "reject": "true"},
            {"name": "own", "match": {"own_prefix": "true"}, "reject": "true"},
            {"name": "transit", "match": {"as_path": "_174_"}, "reject": "true"},
            {"name": "mark", "match": {"community": "65535:*"}, "then": {"add_community": "65530:9"}, "next": "true"},
            {"name": "dear", "match": {"prefix": "vpc", "med": "100.."}, "then": {"local_pref": "50", "med": "+5"},
             "accept": "true"},
            {"name": "vpc", "match": {"prefix": "vpc"}, "then": {"local_pref": "200", "prepend": "leftmost x2"},
             "accept": "true"},
        ]  # fmt: skip
    },
}

# Prefix -> FRR's set lines, and what must become of it: None is refused.
ROUTES = {
    "192.168.10.0/24": ([], {"local_pref": "200", "as_path": "65535 65535 65535", "community": "none"}),
    "192.168.11.0/24": (["set metric 100"], {"local_pref": "50", "med": "105", "as_path": "65535"}),
    "192.168.12.0/24": (["set metric 99"], {"local_pref": "200", "med": "99"}),
    "192.168.13.0/24": (["set community 65535:1"], {"local_pref": "200", "community": "65530:9 65535:1"}),
    "192.168.14.0/24": (["set community 65534:1"], {"local_pref": "200", "community": "65534:1"}),
    "192.168.15.0/24": (["set as-path prepend 174"], None),
    "192.168.16.0/24": (["set as-path prepend 1740"], {"local_pref": "200", "as_path": "65535 65535 65535 1740"}),
    "192.168.17.0/24": (["set origin incomplete"], {"local_pref": "200", "origin": "incomplete"}),
    "192.168.18.0/25": ([], None),
    "192.168.0.0/16": ([], {"local_pref": "200"}),
    "192.168.0.0/15": ([], None),
    "10.0.0.0/8": (["set community 65535:1"], None),
    "172.16.20.0/24": ([], None),
    "172.16.20.128/25": ([], None),
    "169.254.7.0/24": ([], None),
    "0.0.0.0/0": ([], None),
}


class FrrSender(Frr):
    def config(self):
        text = super().config()
        maps = ""
        for i, (prefix, (lines, _)) in enumerate(ROUTES.items()):
            maps += f"route-map r{i} permit 10\n" + "".join(f" {line}\n" for line in lines)
            # as-path can be set on the way out only.
            maps += "exit\n"
            text = text.replace(f"  network {prefix}\n", f"  network {prefix} route-map r{i}\n")
        return maps + text


@case("the daemon and policy eval agree on every route that FRR sends")
def same_verdicts(lab):
    require(Bgplite.missing(), Frr.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", [f"{OURS}/24"], [f"{THEIRS}/24"])
    timers = dict(hold=30, keepalive=10)
    peer = {"accept_all": "false", "import": "from-cloud", "export": [{"reject": "true"}]}
    cloud = Neighbor(THEIRS, 65535, local=OURS, passive=True, **timers)
    ours = Bgplite(a, Router(65530, OURS, [cloud], kernel=False), {**POLICIES, "peers": {THEIRS: peer}})
    theirs = FrrSender(b, Router(65535, THEIRS, [Neighbor(OURS, 65530, local=THEIRS, **timers)], kernel=False))
    theirs.announced = set(ROUTES)
    ours.start()
    theirs.start()
    theirs.wait_established(OURS)

    def received():
        routes = ours.json("show", "routes", "in", THEIRS)["routes"]
        return {route["prefix"]: route["paths"][0] for route in routes}

    wait_until(lambda: len(received()) == len(ROUTES), 30, "all routes are received")
    accepted = {route["prefix"]: route["paths"][0] for route in ours.json("show", "routes")["routes"]}
    config = str(ours.dir / "bgplite.yaml")
    for prefix, path in received().items():
        wanted = ROUTES[prefix][1]
        arrived = {**path, "prefix": prefix}
        for own in ("best", "multipath", "accepted", "usable", "stale", "rule", "peer", "received", "path_id"):
            arrived.pop(own, None)
        done = ours.cli("policy", "eval", "-c", config, "--peer", THEIRS, "--json", "--route", json.dumps(arrived))
        offline = json.loads(done.stdout)
        check_equal(path["accepted"], wanted is not None, f"the daemon on {prefix}")
        check_equal(offline["action"], "accept" if wanted is not None else "reject", f"policy eval on {prefix}")
        if wanted is None:
            continue
        texts = daemon_texts(accepted[prefix])
        for name, text in wanted.items():
            check_equal(texts[name], text, f"{name} of {prefix} in the daemon")
            check_equal(offline["attributes"][name], text, f"{name} of {prefix} offline")
        for name, text in texts.items():
            check_equal(offline["attributes"][name], text, f"{name} of {prefix}, daemon against offline")


def daemon_texts(path):
    """What `show routes --json` says of an accepted path, in the words of policy eval."""
    words = lambda name: " ".join(path.get(name, [])) or "none"
    return {
        "local_pref": str(path.get("local_pref", "none")),
        "med": str(path.get("med", "none")),
        "origin": path["origin"],
        "as_path": path["as_path"] or "none",
        "next_hop": path["next_hop"],
        "community": words("communities"),
    }


if __name__ == "__main__":
    main()
