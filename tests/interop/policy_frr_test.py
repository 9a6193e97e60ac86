#!/usr/bin/env python3
# kind: default
# seconds: 300
"""The policy language against a running FRR: AS path expressions on 500 pairs, and an imported configuration on 200
routes. ExaBGP puts the routes in; FRR's own tables are the oracle."""
import json
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import case, check, check_equal, main, require
from injected import Injector, Route
from netlab import wait_until
from peers import Bgplite, Frr, Neighbor, Router

FRR, EXA = "192.0.2.1", "192.0.2.2"


class FrrWithPolicy(Frr):
    """FRR with lines of its own in front of `router bgp`, and a route-map for what the peer sends."""

    lines = ""
    import_map = "allow-all"

    def config(self):
        return self.lines + super().config().replace("route-map allow-all in", f"route-map {self.import_map} in")


def lab_with(lab, lines, import_map="allow-all"):
    require(Bgplite.missing(), Frr.missing(), Injector.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", [f"{FRR}/24"], [f"{EXA}/24"])
    timers = dict(hold=90, keepalive=30)
    frr = FrrWithPolicy(a, Router(65530, FRR, [Neighbor(EXA, 65530, local=FRR, passive=True, **timers)], kernel=False))
    frr.lines, frr.import_map = lines, import_map
    exa = Injector(b, Router(65530, EXA, [Neighbor(FRR, 65530, local=EXA, **timers)]))
    frr.start()
    exa.start()
    frr.wait_established(EXA)
    return frr, exa


def bgplite(*words):
    done = subprocess.run([needs.built("bgplite"), *words], capture_output=True, text=True, timeout=120)
    return done


EXPRESSIONS = [
    "_65001_", "^65001_", "_65002$", "^$", ".*", "^[0-9]+$", "^65001 65002", "_(65001|65003)_", "^65001(_65001)*$",
    "_6500[12]_", "_650[0-9][0-9]$", "^[0-9]+ [0-9]+$", "^(65001|65002)_.*_(65003|174)$", "{65003,65004}",
    "_4200000001_", "65001", "1_6", "^.{5}$", "_65001_65002_", "[^0-9]65003", "_[0-9]{3}_", "^(65001_)?65002", "5$",
    "_.+_", "(_174)+$",
]  # fmt: skip
# FRR's parser takes braces for repeats; in an expression of its own the set's braces are escaped.
EXPRESSIONS = [e.replace("{65003,65004}", r"\{65003,65004\}") for e in EXPRESSIONS]
PATHS = [
    (), (65001,), (65002,), (65001, 65002), (65002, 65001), (65001, 65001), (65001, 65001, 65001), (165001, 650012),
    (65003,), (65001, 65003, 174), (65002, 7018, 174), (174, 174), (65001, (65004, 65003)), ((65001, 65002),),
    (4200000001, 65002), (65005, 4200000001), (1, 6), (1,), (123, 65099), (65001, 65002, 65003, 65004, 65005),
]  # fmt: skip


@case("AS path expressions and FRR agree on 500 pairs")
def expressions(lab):
    lines = "".join(f"bgp as-path access-list e{i} permit {e}\n" for i, e in enumerate(EXPRESSIONS))
    frr, exa = lab_with(lab, lines)
    routes = [Route(f"10.0.{i}.0/24", EXA, as_path=path) for i, path in enumerate(PATHS)]
    check_equal(len(routes) * len(EXPRESSIONS), 500, "pairs")
    exa.inject(routes)
    table = lambda: frr.json("show bgp ipv4 unicast").get("routes", {})
    wait_until(lambda: len(table()) == len(routes), 30, "FRR has the routes")

    rows = frr.json("show bgp ipv4 unicast")["routes"]
    check_equal({p: row[0]["path"] for p, row in rows.items()}, {r.prefix: r.as_path_text() for r in routes}, "paths")
    tests, matched = [], 0
    for i, expression in enumerate(EXPRESSIONS):
        found = set(frr.json(f"show bgp ipv4 unicast filter-list e{i}").get("routes", {}))
        matched += len(found)
        for route in routes:
            expect = "accept" if route.prefix in found else "reject"
            name = f"'{expression}' on '{route.as_path_text()}'"
            tests.append({"name": name, "policy": f"e{i}", "route": route.policy_route(), "expect": expect})
    check(100 < matched < 400, lambda: f"{matched} of 500 pairs match: neither kind is rare")
    policies = {f"e{i}": [{"match": {"as_path": e}, "accept": "true"}] for i, e in enumerate(EXPRESSIONS)}
    path = lab.dir / "expressions.yaml"
    path.write_text(json.dumps({"policies": policies, "policy_tests": tests}))
    done = bgplite("policy", "test", str(path))
    last = done.stdout.splitlines()[-1:]
    check_equal((done.returncode, last), (0, ["total: 500 passed, 0 failed"]), done.stdout[:2000])


POLICY = """\
ip prefix-list vpc seq 5 permit 10.0.0.0/8 le 24
ip prefix-list mixed seq 5 deny 10.1.0.0/16 le 32
ip prefix-list mixed seq 10 permit 10.0.0.0/8 ge 16 le 28
ip prefix-list odd permit 0.0.0.0/0 ge 27 le 27
ip prefix-list hops permit 192.0.2.8/29 le 32
bgp as-path access-list customers permit ^65001_
bgp as-path access-list no-transit deny _174_
bgp as-path access-list no-transit permit .*
bgp community-list standard both permit 65001:1 65001:2
bgp community-list standard either permit 65001:3
bgp community-list standard either permit 65001:4
bgp community-list expanded of-65002 permit _65002:[0-9]+_
bgp community-list standard gone permit 65001:1
bgp large-community-list standard big permit 65001:1:1
bgp extcommunity-list standard target permit rt 65001:1
route-map sub deny 10
 match origin incomplete
route-map sub permit 20
 match ip address prefix-list vpc
 set weight 70
route-map sub permit 30
 match metric 30
route-map rm deny 5
 match ip address prefix-list odd
route-map rm permit 10
 match community of-65002
 set local-preference 250
 set metric +10
 set community 65530:10 additive
route-map rm permit 20
 match as-path customers
 match ip address prefix-list mixed
 set weight 20
 on-match next
route-map rm deny 30
 match as-path no-transit
 match community both
 match metric 20
route-map rm permit 40
 match community either
 set as-path prepend 65530 65530 65531
 set origin egp
 set community 65530:40 no-export
 set large-community 65530:4:0 additive
route-map rm permit 50
 match large-community big
 set metric -5
 set comm-list gone delete
route-map rm permit 60
 match extcommunity target
 set extcommunity rt 65530:6
 set as-path prepend last-as 2
route-map rm permit 70
 match local-preference 130
 set weight 7
 set ip next-hop 192.0.2.77
route-map rm permit 80
 match ip next-hop prefix-list hops
 set local-preference +11
route-map rm permit 90
 match ip next-hop address 192.0.2.20
 set community none
route-map rm permit 100
 match metric 10
 match origin igp
 set local-preference -30
route-map rm permit 110
 match peer 192.0.2.2
 match as-path no-transit
 call sub
"""


def random_routes(count, seed):
    rng = random.Random(seed)
    some = lambda items, most: tuple(sorted(rng.sample(items, rng.randint(0, most))))
    routes = {}
    while len(routes) < count:
        length = rng.choice([15, 16, 20, 24, 24, 27, 28, 29])
        number = rng.choice([10 << 24, 10 << 24, 11 << 24]) | rng.randrange(3) << 16 | rng.randrange(1 << 16)
        number &= (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        prefix = ".".join(str(number >> s & 255) for s in (24, 16, 8, 0)) + f"/{length}"
        path = tuple(rng.choice([65001, 65002, 174, 7018]) for _ in range(rng.randint(0, 3)))
        routes[prefix] = Route(
            prefix,
            rng.choice([EXA, "192.0.2.9", "192.0.2.20"]),
            as_path=path,
            origin=rng.choice(["igp", "egp", "incomplete"]),
            med=rng.choice([None, 3, 10, 20, 30]),
            local_pref=rng.choice([100, 100, 130, 20]),
            communities=some(["65001:1", "65001:2", "65001:3", "65001:9", "65002:5"], 3) if rng.random() < 0.7 else (),
            large=("65001:1:1",) if rng.random() < 0.2 else (),
            targets=("65001:1",) if rng.random() < 0.2 else (),
        )
    return list(routes.values())


def in_frr(row):
    """FRR's words for a path's attributes in ours."""
    as_path = row["aspath"].get("string", "")
    targets = row.get("extendedCommunity", {}).get("string", "").split()
    return {
        "local_pref": str(row.get("locPrf", "none")),
        "med": str(row.get("metric", "none")) if row.get("metric") is not None else "none",
        "weight": str(row.get("weight", 0)),
        "origin": row["origin"].lower(),
        "as_path": as_path if as_path and as_path != "Local" else "none",
        "community": set(row.get("community", {}).get("string", "").split()),
        "large_community": set(row.get("largeCommunity", {}).get("string", "").split()),
        "extended_community": {t.replace("RT:", "rt:") for t in targets},
        "next_hop": row["nexthops"][0]["ip"],
    }


def in_ours(attributes):
    words = lambda name: set(attributes[name].split()) - {"none"}
    return {
        **{name: attributes[name] for name in ("local_pref", "med", "weight", "origin", "as_path", "next_hop")},
        **{name: words(name) for name in ("community", "large_community", "extended_community")},
    }


@case("an imported configuration and FRR agree on each of 200 routes")
def imported(lab):
    frr, exa = lab_with(lab, POLICY, "rm")
    conf = lab.dir / "frr.conf"
    conf.write_text(frr.config())
    done = bgplite("import", "frr", str(conf), "--json")
    check_equal(done.returncode, 0, done.stderr)
    result = json.loads(done.stdout)
    # `log` and `hostname` lines are left out, those of the policy are not.
    about_policy = [one for one in result["left_out"] if one["line"] <= len(POLICY.splitlines())]
    check_equal(about_policy, [], "lines of the policy that were not carried over")
    config = lab.dir / "imported.yaml"
    config.write_text(result["yaml"])

    routes = random_routes(200, seed=7)
    exa.inject(routes)
    received = lambda: frr.json(f"show bgp ipv4 unicast neighbors {EXA} received-routes").get("receivedRoutes", {})
    wait_until(lambda: len(received()) == len(routes), 60, "FRR has received the routes")

    table = frr.json("show bgp ipv4 unicast").get("routes", {})
    accepted = 0
    for route in routes:
        done = bgplite("policy", "eval", "-c", str(config), "--peer", EXA, "--json", "--trace", "--route",
                       json.dumps(route.policy_route()))  # fmt: skip
        check_equal(done.returncode, 0, done.stderr)
        verdict = json.loads(done.stdout)
        why = f"{route}\n{done.stdout}"
        check_equal(verdict["action"], "accept" if route.prefix in table else "reject", why)
        if route.prefix not in table:
            continue
        accepted += 1
        row = frr.json(f"show bgp ipv4 unicast {route.prefix}")["paths"][0]
        check_equal(in_ours(verdict["attributes"]), in_frr(row), why)
    check(60 < accepted < 180, lambda: f"{accepted} of 200 accepted: neither fate is rare")


if __name__ == "__main__":
    main()
