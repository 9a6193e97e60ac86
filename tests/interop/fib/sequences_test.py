#!/usr/bin/env python3
# kind: default
# seconds: 3600
"""Random sequences of faults under a running bgplite with two peers: afterwards the kernel has what the peers announce
and the links allow, packets pass, and no next-hop object was leaked; in between no route leads through a dead next hop
for longer than noticing takes.

Faults: a peer is killed or stopped, bgplite is killed and started again or stopped, links go down or silent, TCP 179 is
dropped, routes and next-hop objects are deleted or overwritten, the notification socket is overrun. The oracle is the
kernel.

MINIBGP_SEQUENCES: how many (default 6 with next-hop objects and 6 without, 200 each with --full); MINIBGP_SEED: the
first seed, to see one again.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
import needs
from cases import case, check, main, require
from netlab import LabError, wait_until
from pairs import OURS
from peers import Bgplite, Bird, Neighbor, Router
from routes import VPC, learned

PATIENCE = 10  # Seconds until a test gives up; how long it took is printed.
# Where a session has to come back first. After bgplite's restart: it keeps what it finds in the kernel until each peer
# has said everything, and these, without graceful restart, never say that they have: it gives them 10 s each from the
# start of their session on.
SESSION_PATIENCE = 60
OWN = ["10.10.0.0/24", "10.20.0.0/24"]  # What only one of the peers announces.
HOST = "192.168.10.1"  # Answers behind either peer.
PROBE = {"interval": "100ms", "failures": 3, "answers": 3}
# Seconds until what kills a next hop is noticed: by the kernel, by the end of the session, by probes (with jitter).
NOTICED = {"link down": 0, "peer killed": 0, "silence": 0.4}
SLACK = 1.5  # Seconds that a busy machine may add; the figures are printed.


class Witness:
    """Looks at the kernel's routes all the time, and notes for how long a dead next hop is in use."""

    def __init__(self, space, devices):
        self.lock = threading.Lock()
        self.devices = devices
        self.dead = {}  # What is wrong with a device, by device.
        self.since = {}  # When its use began, or it died; by device.
        self.away = False  # While bgplite does not run nobody can notice anything.
        self.longest = dict.fromkeys(NOTICED, 0.0)
        self.looks = 0
        # Its pace, not a wait: the next look comes 20 ms after the last.
        look = f"while ip -j route show proto {OURS}; do sleep 0.02; done"
        # It ends with its namespace.
        self.process = subprocess.Popen(space.enter(["sh", "-c", look]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._watch, daemon=True).start()

    def died(self, device, why):
        with self.lock:
            self.dead[device] = why
            self.since[device] = time.monotonic()

    def lives(self, device):
        with self.lock:
            self.dead.pop(device, None)

    def set_away(self, away):
        with self.lock:
            self.away = away
            self.since.clear()

    def _watch(self):
        for line in self.process.stdout:
            routes, now = json.loads(line), time.monotonic()
            used = {hop["dev"] for route in routes for hop in route.get("nexthops", [route]) if "dev" in hop}
            with self.lock:
                self.looks += 1
                for device in self.devices:
                    if self.away or device not in self.dead or device not in used:
                        self.since.pop(device, None)
                    else:
                        why, since = self.dead[device], self.since.setdefault(device, now)
                        self.longest[why] = max(self.longest[why], now - since)

    def check(self):
        with self.lock:
            for why, seconds in self.longest.items():
                check(seconds < NOTICED[why] + SLACK, f"a next hop was in use for {seconds:.2f} s after {why}")
            check(self.looks > 0, "nobody looked at the routes")


class Scene:
    """The gateway, two clouds with one peer each, and what should hold at the moment."""

    def __init__(self, lab, objects):
        require(Bgplite.missing(), Bird.missing(), needs.program("nft"), needs.program("ping"))
        self.objects = objects
        self.gateway = lab.namespace("gateway", forward=True)
        self.gateway.dummy("lan0", "172.16.20.80/24")
        self.gateway.sysctl(net__ipv4__fib_multipath_hash_policy=1)
        self.peers = []
        extra = {"tunnels": {}, "ipsec": {"damping": {"enabled": False}}, "fib": {"next_hop_objects": objects}}
        for i, n in enumerate((10, 20)):
            cloud = lab.namespace(f"cloud{i}", forward=True)
            lab.link(self.gateway, cloud, self.device(i), "up0", [f"169.254.{n}.2/30"], [f"{self.address(i)}/30"])
            cloud.dummy("vsw0", f"{HOST}/24")
            timers = dict(hold=90, keepalive=30)  # No hold timer ends here: each fault has its own consequence.
            extra["tunnels"][self.device(i)] = {
                "mode": "link", "address": f"169.254.{n}.2/30", "probe": PROBE,
                "peer": {"address": self.address(i), "asn": 65535, "accept_all": True, "graceful_restart": "off",
                         "timers": {"hold": "90s", "keepalive": "30s", "connect_retry": "1s"}},
            }
            peer = Bird(cloud, Router(65535, self.address(i), [Neighbor(f"169.254.{n}.2", 65530, **timers)]))
            peer.announce([*VPC, OWN[i]])
            self.peers.append(peer)
        self.ours = Bgplite(self.gateway, Router(65530, "169.254.10.2", [], maximum_paths=8), extra=extra)
        self.link_up, self.alive = [True, True], [True, True]
        self.dropping = self.restarted = self.links_touched = False
        self.silent = [False, False]
        self.witness = Witness(self.gateway, [self.device(i) for i in (0, 1)])
        for daemon in (*self.peers, self.ours):
            daemon.start()
        self.restore()
        self.objects_at_rest = self.count_objects()

    @staticmethod
    def device(i):
        return f"ipsec{i}"

    @staticmethod
    def address(i):
        return f"169.254.{(10, 20)[i]}.1"

    def count_objects(self):
        return len(self.gateway.ip("nexthop", "show").splitlines())

    def wanted(self, said=None):
        """{prefix: next hops}: what the peers announce, over the links that are up. `said`: only peers whose session is
        up now and that have said everything."""
        usable = [self.link_up[i] and self.alive[i] and not self.silent[i] and (said is None or said[i])
                  for i in (0, 1)]
        hops = [{(self.address(i), self.device(i), 1)} if usable[i] else set() for i in (0, 1)]
        routes = {prefix: hops[0] | hops[1] for prefix in VPC} | {OWN[i]: hops[i] for i in (0, 1)}
        return {prefix: frozenset(via) for prefix, via in routes.items() if via}

    def said(self):
        """Which peers' routes bgplite has, all of them."""
        peers = {peer["peer"]: peer for peer in self.ours.json("show", "peers")["peers"]}
        whole = lambda peer: peer["state"] == "Established" and peer["prefixes"]["received"] == len(VPC) + 1
        return tuple(whole(peers[self.address(i)]) for i in (0, 1))

    def rest(self):
        """Waits until the kernel has what the peers have said by now; returns the seconds since the last fault, or
        since a peer last began or ended saying it."""
        changed, before = time.monotonic(), None
        while True:
            said, now = self.said(), time.monotonic()
            if said != before:
                before, changed = said, now
            has, wants = learned(self.gateway, 4, OURS), self.wanted(said)
            if has == wants:
                seconds = time.monotonic() - changed
                if wants:
                    self.gateway.run("ping", "-n", "-c", "1", "-W", str(PATIENCE), HOST)
                return seconds
            check(now - changed < PATIENCE, f"said by now: {said}; the kernel has {has}, not {wants}")

    def restore(self):
        """No fault is left; both sessions are up."""
        if self.dropping:
            self.gateway.run("nft", "delete", "table", "inet", "fault")
            self.dropping = False
        for i, peer in enumerate(self.peers):
            self.witness.lives(self.device(i))
            if self.silent[i]:
                peer.ns.run("nft", "delete", "table", "netdev", "hole")
            if not self.link_up[i]:
                self.gateway.up(self.device(i))
            if not self.alive[i]:
                peer.start()
        self.link_up, self.alive, self.silent = [True, True], [True, True], [False, False]
        self.links_touched = False
        if self.restarted:
            self.wait_adopted()
            self.restarted = False
        kicked = time.monotonic()
        wants = self.wanted()

        def whole():
            nonlocal kicked
            if learned(self.gateway, 4, OURS) == wants:
                return True
            # Sessions that fell again and again are held in Idle, up to two minutes; an operator's word ends that. BIRD
            # ends its own with a link of its own, often a moment after we saw the link return.
            if time.monotonic() - kicked > 6:
                kicked = time.monotonic()
                for i in (0, 1):
                    if not self.ours.established(self.address(i)):
                        self.ours.cli("--yes", "disable", self.address(i))
                        self.ours.cli("enable", self.address(i))
            return False

        wait_until(whole, SESSION_PATIENCE, lambda: f"{wants}; the kernel has {learned(self.gateway, 4, OURS)}")
        self.gateway.run("ping", "-n", "-c", "1", "-W", str(PATIENCE), HOST)

    def wait_adopted(self):
        wait_until(lambda: self.ours.cli("show", "version", check=False).returncode == 0, PATIENCE, "bgplite answers")
        wait_until(lambda: not self.ours.json("show", "summary")["fib"]["adopting"], SESSION_PATIENCE,
                   "nothing is kept for the sake of a restart any more")

    # --- faults: each says what it did ------------------------------------------------------------------------------
    # BIRD ends its session with a link of its own, so with TCP dropped it could not come back: never both at a time.
    def link(self, rng):
        i = rng.randrange(2)
        if self.dropping or any(self.silent):
            return "links stay as they are"
        self.links_touched = True
        self.link_up[i] = not self.link_up[i]
        (self.gateway.up if self.link_up[i] else self.gateway.down)(self.device(i))
        if not self.link_up[i]:
            self.witness.died(self.device(i), "link down")
        elif self.alive[i]:
            self.witness.lives(self.device(i))
        return f"{self.device(i)} {'up' if self.link_up[i] else 'down'}"

    def flap(self, rng):
        i = rng.randrange(2)
        if self.link_up[i] and not self.dropping and not any(self.silent):
            self.links_touched = True
            for _ in range(rng.randint(1, 3)):
                self.gateway.batch(f"link set {self.device(i)} down", f"link set {self.device(i)} up")
        return f"{self.device(i)} flaps"

    def kill_peer(self, rng):
        i = rng.randrange(2)
        if not self.alive[i] or not self.link_up[i] or self.dropping or self.silent[i]:
            return "nobody to kill"  # Or its last word would not arrive, and the hold timer would have to tell.
        self.peers[i].kill()
        self.alive[i] = False
        self.witness.died(self.device(i), "peer killed")
        return f"peer {i} killed"

    def silence(self, rng):
        """Nothing arrives any more, and no link is down."""
        i = rng.randrange(2)
        if self.dropping or self.links_touched or self.silent[i] or not self.alive[i]:
            return "nothing falls silent"
        hook = "type filter hook {} device up0 priority 0; drop;"
        self.peers[i].ns.run("nft", "table netdev hole { chain in { %s }; chain out { %s }; }"
                             % (hook.format("ingress"), hook.format("egress")))
        self.silent[i] = True
        self.witness.died(self.device(i), "silence")
        return f"{self.device(i)} falls silent"

    def stop_peer(self, rng):
        i = rng.randrange(2)
        self.peers[i].pause()
        time.sleep(rng.uniform(0, 0.3))
        self.peers[i].resume()
        return f"peer {i} stopped for a moment"

    def drop(self, rng):
        if not self.dropping and not self.links_touched and not any(self.silent):
            rules = "type filter hook input priority 0; tcp sport 179 drop; tcp dport 179 drop;"
            self.gateway.run("nft", "table inet fault { chain input { " + rules + " }; }")
            self.dropping = True
        return "TCP 179 is dropped" if self.dropping else "TCP 179 stays open"

    def flush_routes(self, rng):
        doomed = rng.sample(VPC, rng.randint(1, len(VPC)))
        lines = "".join(f"route del {prefix} proto {OURS}\n" for prefix in doomed)
        self.gateway.run("ip", "-force", "-batch", "-", input=lines, check=False)
        return f"{len(doomed)} routes deleted"

    def flush_next_hops(self, rng):
        self.gateway.run("ip", "nexthop", "flush", check=False)
        return "next-hop objects flushed"

    def overwrite(self, rng):
        i = rng.randrange(2)
        words = ["route", "replace", rng.choice(VPC), "via", self.address(i), "dev", self.device(i), "metric", "20"]
        # A foreign route where none of ours is at the moment would rightly be left alone, for good.
        sure = not self.links_touched and self.link_up == [True, True] and self.alive == [True, True]
        owner = ["proto", str(OURS)] if rng.randrange(2) or not sure else []
        self.gateway.ip(*words, *owner, check=False)
        return f"a route overwritten with peer {i}'s gateway{'' if owner else ', under another protocol'}"

    def stop_us(self, rng):
        self.witness.set_away(True)
        self.ours.pause()
        done = rng.choice((self.link, self.flush_routes, self.flush_next_hops, self.overwrite))(rng)
        time.sleep(rng.uniform(0, 0.2))
        self.ours.resume()
        self.witness.set_away(False)
        return f"bgplite stopped, {done}, resumed"

    def overrun(self, rng):
        self.ours.pause()
        flood = [f"route add 100.0.{i >> 8}.{i & 255}/32 dev lan0" for i in range(30000)]
        self.gateway.batch(*flood)
        self.flush_routes(rng)
        self.gateway.batch(*(line.replace("add", "del") for line in flood))
        self.ours.resume()
        return "notifications overrun"

    FAULTS = (
        *[link] * 6, *[flap] * 3, *[kill_peer] * 2, *[silence] * 3, *[stop_peer] * 2, *[drop] * 2, *[flush_routes] * 5,
        *[flush_next_hops] * 4, *[overwrite] * 4, *[stop_us] * 4,
    )  # fmt: skip

    def sequence(self, seed, done):
        """One sequence; what it did is appended to `done`. Returns the seconds from its last fault to rest."""
        rng = random.Random(seed)
        if rng.randrange(20) == 0:
            done.append(self.overrun(rng))
        elif rng.randrange(12) == 0:
            # On its own: what changed while nobody looked is found after the restart, when the peers are back.
            before = learned(self.gateway, 4, OURS)
            self.ours.kill()
            self.restarted = True
            done.append("bgplite killed and started again")
            time.sleep(rng.uniform(0, 0.5))
            self.ours.start()
            check(learned(self.gateway, 4, OURS) == before, "the routes stay while bgplite is away")
        for _ in range(0 if done else rng.randint(1, 6)):
            done.append(rng.choice(self.FAULTS)(self, rng))
            time.sleep(rng.choice((0, 0, 0.01, 0.1)))
        if self.restarted:
            self.wait_adopted()
        return self.rest()


def sequences(lab, objects, default):
    scene = Scene(lab, objects)
    first = int(os.environ.get("MINIBGP_SEED", "1"))
    count = 1 if "MINIBGP_SEED" in os.environ else int(os.environ.get("MINIBGP_SEQUENCES", default))
    took = []
    for seed in range(first, first + count):
        done = []
        try:
            took.append(scene.sequence(seed, done))
            scene.witness.check()
            if took[-1] > 1:
                print(f"    seed {seed}: {took[-1]:.1f} s: {'; '.join(done)}", flush=True)
            scene.restore()
            wait_until(
                lambda: scene.count_objects() == scene.objects_at_rest,
                SESSION_PATIENCE,
                lambda: f"next-hop objects: {scene.count_objects()}, {scene.objects_at_rest} at first",
            )
        except (AssertionError, LabError) as error:
            raise AssertionError(f"seed {seed} (MINIBGP_SEED={seed}): {'; '.join(done)}: {error}") from error
    took.sort()
    print(
        f"    seeds {first} to {first + count - 1}: from the last fault, or a session's return, to rest: median "
        f"{took[len(took) // 2] * 1000:.0f} ms, longest {took[-1] * 1000:.0f} ms; "
        f"{scene.objects_at_rest} next-hop objects at rest; a dead next hop was in use for at most "
        + ", ".join(f"{seconds * 1000:.0f} ms after {why}" for why, seconds in scene.witness.longest.items())
        + f", in {scene.witness.looks} looks at the routes"
    )
    check((scene.objects_at_rest > 0) == objects, "next-hop objects are used exactly when they are asked for")


for objects in (True, False):
    with_objects = f"{'with' if objects else 'without'} next-hop objects"

    @case(f"random sequences of faults, {with_objects}: the kernel ends with what peers and links demand")
    def some(lab, objects=objects):
        sequences(lab, objects, "6")

    @case(f"200 random sequences of faults, {with_objects}", full=True)
    def many(lab, objects=objects):
        sequences(lab, objects, "200")


if __name__ == "__main__":
    main()
