"""The document's two tunnels as plain links: bgplite is told that ipsec0 and ipsec1 are tunnels somebody else made
(mode: link), so that everything but IPsec itself happens as with real ones: probes, the tunnels' state, groups, routes.

    links = Links(lab, probe={"interval": "100ms"})
    links.start()
    links.black_hole(0, True)      # Silently: both ends keep their link, and nothing arrives.

A client 172.16.20.10 behind the gateway, hosts 192.168.10-50.11 behind the cloud, BIRD as the cloud's daemon. Instead
of bgplite another daemon may be the gateway's, for comparison.
"""
import json

import pairs
from cases import require
from netlab import wait_until
from pairs import OURS
from peers import Bgplite, Bird, Neighbor, Router
from routes import VPC, wait_learned

BOTH = frozenset({("169.254.10.1", "ipsec0", 1), ("169.254.20.1", "ipsec1", 1)})
HOLD = dict(hold=30, keepalive=10)


class Links:
    def __init__(self, lab, probe=None, us=Bgplite, extra=None):
        require(us.missing(), Bird.missing())
        self.gateway, self.cloud = lab.namespace("gateway", forward=True), lab.namespace("cloud", forward=True)
        for i, n in enumerate((10, 20)):
            lab.link(self.gateway, self.cloud, f"ipsec{i}", f"ipsec{i}", [f"169.254.{n}.2/30", f"fd00:{n}::2/64"],
                     [f"169.254.{n}.1/30", f"fd00:{n}::1/64"])
        for space in (self.gateway, self.cloud):
            space.sysctl(net__ipv4__fib_multipath_hash_policy=1)
        self.client, self.vpc = pairs.hosts(lab, self.gateway, self.cloud)
        tunnels = {}
        for i, n in enumerate((10, 20)):
            timers = {"hold": "30s", "keepalive": "10s", "connect_retry": "1s"}
            tunnels[f"ipsec{i}"] = {
                "mode": "link",
                "address": f"169.254.{n}.2/30",
                "peer": {"address": f"169.254.{n}.1", "asn": 65535, "accept_all": True, "timers": timers},
            }
            if probe is not None:
                tunnels[f"ipsec{i}"]["probe"] = dict(probe)
        self.protocol = us.kernel_protocol or OURS
        if us is Bgplite:
            self.ours = Bgplite(
                self.gateway,
                Router(65530, "169.254.10.2", [], maximum_paths=32),
                extra={"tunnels": tunnels, "metrics": {"listen": "127.0.0.1:9342"}, **(extra or {})},
            )
        else:
            peers = [Neighbor(f"169.254.{n}.1", 65535, **HOLD) for n in (10, 20)]
            self.ours = us(self.gateway, Router(65530, "169.254.10.2", peers, maximum_paths=32))
        neighbors = [Neighbor(f"169.254.{n}.2", 65530, **HOLD) for n in (10, 20)]
        self.theirs = Bird(self.cloud, Router(65535, "169.254.10.1", neighbors, maximum_paths=32))
        self.ours.announce(pairs.ON_PREMISES)
        self.theirs.announce(VPC)
        self.holes = set()

    @property
    def tunnels(self):
        """The configuration of the tunnels, to be changed before ours.reload()."""
        return self.ours.extra["tunnels"]

    def start(self, seconds=30, more=None):
        """Until everything is learned, and the kernel has `more` beside it."""
        self.theirs.start()
        self.ours.start()
        for n in (10, 20):
            self.ours.wait_established(f"169.254.{n}.1", seconds)
        wait_learned(self.gateway, {**{prefix: BOTH for prefix in VPC}, **(more or {})}, 4, self.protocol, seconds)

    def tunnel(self, name):
        """What `show tunnels` says of one."""
        return next(row for row in self.ours.json("show", "tunnels")["tunnels"] if row["tunnel"] == name)

    def wait_tunnel(self, name, state, seconds=10):
        wait_until(lambda: self.tunnel(name)["state"] == state, seconds,
                   lambda: f"tunnel {name} {state}: {json.dumps(self.tunnel(name))}")

    def wait_probe(self, name, state, seconds=10):
        wait_until(lambda: self.tunnel(name).get("probe", {}).get("state") == state, seconds,
                   lambda: f"probe of {name} {state}: {json.dumps(self.tunnel(name))}")

    def black_hole(self, i, on):
        """Drops, in the cloud, everything that arrives by one link or would leave by it."""
        if not on:
            return self.cloud.run("nft", "delete", "table", "netdev", f"hole{i}")
        hook = "type filter hook {} device ipsec%d priority 0;" % i
        self.cloud.run("nft", "table netdev hole%d { chain in { %s drop; }; chain out { %s drop; }; }"
                       % (i, hook.format("ingress"), hook.format("egress")))

    def metrics(self):
        fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9342/metrics').read().decode())"
        return self.gateway.run("python3", "-c", fetch).stdout
