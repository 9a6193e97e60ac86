#!/usr/bin/env python3
# kind: full
# where: vm
# seconds: 3600
"""How long traffic stops when a tunnel dies, measured with real SAs: two strongSwans and XFRM interfaces, numbered
packets both ways. failover_test.py: on plain links, with many routes. The machine is emulated, 10 to 30 times slower
than metal, so where no timer waits most of the time is charon's."""
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import needs
from cases import case, check, check_equal, main, measured
from ipsec_lab import VPC_NET, VSWITCHES, tunnels
from netlab import holds_for, wait_until
from peers import Frr, Neighbor, Router
from scenario import CLOUD_AS, LAN, OUR_AS, PATIENCE, Scenario

PROBE = {"interval": "100ms", "failures": 3, "answers": 3}
VM = "VM, real SAs"


def started(lab, name, probe=None):
    s = Scenario(lab, name, tunnels(2))
    config = s.config()
    for tunnel in config["tunnels"].values():
        # Or the cloud's FRR takes the end of its hold timer for a restart (RFC 8538), and waits two minutes more.
        tunnel["peer"]["graceful_restart"] = "off"
        if probe:
            tunnel["probe"] = probe
    s.start(config)
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    if probe:
        wait_probes(s)
    return s


def wait_probes(s):
    for t in s.tunnels:
        wait_until(lambda t=t: shown(s, t.name)["probe"]["state"] == "up", PATIENCE, f"the probe of {t.name} up")


def shown(s, tunnel):
    return next(row for row in s.daemon.json("show", "tunnels")["tunnels"] if row["tunnel"] == tunnel)


def failover(s):
    return s.daemon.json("show", "tunnels")["failovers"][-1]


def gaps(traffic):
    return f"out {traffic.report.forth.longest_gap_s:.2f} s", f"back {traffic.report.back.longest_gap_s:.2f} s"


def sessions(s):
    """How often each peer's session came up so far."""
    return [row["established"] for row in s.daemon.json("show", "peers")["peers"]]


def said(s, *texts):
    """When the daemon logged each of the texts last (seconds)."""
    lines = s.daemon.json("show", "log")["lines"]
    return [max(line["time_ms"] for line in lines if all(word in line["text"] for word in text)) / 1000
            for text in texts]


def refuse(s):
    """The cloud deletes tunnel 1's SA and will not have it again."""
    key, s.tunnels[0].key = s.tunnels[0].key, "another-key"
    s.ipsec.load_cloud()
    s.tunnels[0].key = key
    s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1")


def cloud_leaves_tunnel_1(s):
    wait_until(lambda: s.cloud.routes().get(LAN, [None])[0] and s.cloud.routes()[LAN][0].devices == {"ipsec1"},
               PATIENCE, lambda: f"the cloud sends over tunnel 2 alone: {s.cloud.routes().get(LAN)}")


@case("an SA deleted and refused again; accepted at last: Established and ECMP again")
def refused(lab):
    s = started(lab, "SA deleted and refused")
    with s.traffic(rate=100) as traffic:
        refuse(s)
        s.wait_routes(devices=["ipsec1"])
        cloud_leaves_tunnel_1(s)
    told = failover(s)
    check_equal(told["tunnel"], "ipsec0", "the tunnel that was lost")
    measured("SA deleted by the cloud and refused again", VM, *gaps(traffic), f"ours: {told['moved_us'] / 1000:.2f} ms",
             "aim: out < 0.25 s")
    check(traffic.report.forth.longest_gap_s < 2, "our direction was without traffic for long")
    wait_until(lambda: any(row["state"] != "Established" for row in s.daemon.json("show", "peers")["peers"]), PATIENCE,
               "the session over tunnel 1 ended")
    s.ipsec.load_cloud()
    s.wait_sas()
    s.wait_routes()
    began, established = said(s, ("tunnel ipsec0: up",), ("169.254.10.1", "session up"))
    ecmp = time.time()
    measured("SA back: Established, and ECMP again", VM, f"Established after {established - began:.2f} s",
             f"ECMP after at most {ecmp - began:.2f} s", "aim: < 2 s")


@case("an SA deleted by the cloud and accepted again: the session stays")
def accepted(lab):
    s = started(lab, "SA deleted and accepted")
    with s.traffic(rate=100) as traffic:
        before = s.ipsec.spis(s.onprem)
        s.ipsec.swanctl(s.cloud, "--terminate", "--child", "vco_child1")
        wait_until(lambda: s.ipsec.spis(s.onprem) != before and len(s.ipsec.installed()) == 2, PATIENCE, "a new SA")
        s.wait_routes()
    measured("SA deleted by the cloud and accepted again", VM, *gaps(traffic), "aim: <= 0.38 s, session unbroken")
    check_equal(sessions(s), [1, 1], "sessions so far")


@case("ipsec0 set down: our direction, and the cloud's")
def interface_down(lab):
    s = started(lab, "ipsec0 down")
    with s.traffic(rate=100) as traffic:
        s.onprem.down("ipsec0")
        wait_until(lambda: "ipsec0" in {f["tunnel"] for f in s.daemon.json("show", "tunnels")["failovers"]}, PATIENCE,
                   "the loss was noticed")
        s.wait_routes()
    measured("ipsec0 set down (bgplite sets it up again)", VM, *gaps(traffic))


@case("a tunnel silently dead: probes of 100 ms x 3, BGP")
def silent(lab):
    s = started(lab, "silent black hole", PROBE)
    with s.traffic(rate=100) as traffic:
        s.ipsec.cut(1)
        s.wait_routes(devices=["ipsec1"])
        cloud_leaves_tunnel_1(s)
    told = failover(s)
    check_equal(told["reason"], "no answer to echo probes", "what noticed it")
    measured("silent black hole, probes 100 ms x 3", VM, *gaps(traffic), f"noticed after {told['silent_for_s']:.2f} s",
             "aim: out < 0.6 s")
    check(traffic.report.forth.longest_gap_s < 2, "our direction was without traffic for long")
    s.ipsec.mend()
    s.wait_routes()


@case("a tunnel silently dead: probes of 100 ms x 3, static routes")
def silent_static(lab):
    via = [{"tunnel": "ipsec0", "metric": 100}, {"tunnel": "ipsec1", "metric": 101}]
    s = Scenario(lab, "static, silent black hole", tunnels(2), bgp=False)
    config = s.config(static_routes=[{"prefix": VPC_NET, "via": via}])
    for t in s.tunnels:
        config["tunnels"][t.name]["probe"] = {"target": t.inner_remote, **PROBE}
    s.start(config)
    s.cloud.batch("route replace 172.16.0.0/16 dev ipsec1")
    s.wait_sas()
    s.wait_routes(devices=["ipsec0"])
    s.wait_both_ways()
    wait_probes(s)
    with s.traffic(rate=100) as traffic:
        s.ipsec.cut(1)
        wait_until(lambda: s.onprem.routes()[VPC_NET][0].devices == {"ipsec1"}, PATIENCE, "the static route moved")
        holds_for(lambda: s.daemon.processes[0].running(), 1, "what comes after the loss")
    measured("static routes, silent black hole, probes 100 ms x 3", VM, *gaps(traffic),
             f"noticed after {failover(s)['silent_for_s']:.2f} s", "aim: out < 0.6 s")
    check(traffic.report.forth.longest_gap_s < 2, "our direction was without traffic for long")


@case("an IKE peer that falls silent, as charon 6.0.3 tells it: its tunnel is suspect and keeps a small share; cleared")
def alerted(lab):
    s = Scenario(lab, "alert", tunnels(2))
    config = s.config(ipsec={"vici_socket": "/run/alerts.vici"})
    s.start_ends()
    alerts = s.onprem.start("alerts", needs.REPOSITORY / "tests/lib/vici_alerts.py", "/run/alerts.vici",
                            "/run/charon.vici", "bgplite-ipsec0")
    wait_until(lambda: "ready" in alerts.log(), PATIENCE, lambda: alerts.log())
    s.start_ours(config)
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()

    def shares():
        route = s.onprem.routes()[f"192.168.{VSWITCHES[0]}.0/24"][0]
        return {device: weight for _, device, weight in route.next_hops}

    check_equal(shares(), {"ipsec0": 1, "ipsec1": 1}, "shares at first")
    with s.traffic(rate=50) as traffic:
        alerts.popen.send_signal(signal.SIGUSR1)
        wait_until(lambda: shares() == {"ipsec0": 1, "ipsec1": 16}, PATIENCE, lambda: f"shares: {shares()}")
        tunnel = shown(s, "ipsec0")
        check_equal((tunnel["state"], tunnel["reason"]), ("suspect", "peer does not answer IKE"), "the tunnel")
        alerts.popen.send_signal(signal.SIGUSR2)
        wait_until(lambda: shares() == {"ipsec0": 1, "ipsec1": 1}, PATIENCE, lambda: f"shares: {shares()}")
    check_equal(shown(s, "ipsec0")["state"], "up", "the tunnel")
    check_equal(traffic.report.forth.lost, 0, "packets lost of ours")


# --- FRR in bgplite's place, set up as the strongSwan document does -----------------------------------------------
class WithFrr(Scenario):
    """strongSwan with its own configuration file and FRR on the on-premises side as well."""

    def start(self, config=None):
        self.ipsec.start_capture()
        self.ipsec.start_cloud()
        for t in self.tunnels:
            self.onprem.batch(f"link add {t.name} type xfrm dev {t.device} if_id {t.if_id}",
                              f"link set {t.name} mtu 1400 up", f"address add {t.inner_local}/30 dev {t.name}",
                              f"route add {t.remote}/32 via {t.gateway} dev {t.device}")
        self.onprem.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__rp_filter=0,
                           net__ipv4__fib_multipath_hash_policy=1)
        for t in self.tunnels:
            self.onprem.run("sysctl", "-qw", f"net.ipv4.conf.{t.name}.rp_filter=0")
        self.ipsec.start_charon(self.onprem)
        path = self.onprem.dir / "swanctl.conf"
        path.write_text(self.swanctl_conf())
        self.ipsec.swanctl(self.onprem, "--load-all", "--file", path)
        for space, local_as, remote_as, networks, router_id in (
            (self.cloud, CLOUD_AS, OUR_AS, {f"192.168.{n}.0/24" for n in VSWITCHES}, "169.254.10.1"),
            (self.onprem, OUR_AS, CLOUD_AS, {LAN}, "172.16.20.80"),
        ):
            far = "inner_remote" if space is self.onprem else "inner_local"
            peers = [Neighbor(getattr(t, far), remote_as, keepalive=10, hold=30) for t in self.tunnels]
            daemon = Frr(space, Router(local_as, router_id, peers, maximum_paths=32))
            daemon.announce(networks)
            daemon.start()
        self.daemon = daemon

    def swanctl_conf(self):
        connections, secrets = [], []
        for t in self.tunnels:
            connections.append(f"""
                {t.name} {{
                    version = {t.version}
                    local_addrs = {t.local}
                    remote_addrs = {t.remote}
                    proposals = {t.proposals}
                    dpd_delay = 10
                    keyingtries = 0
                    mobike = no
                    encap = yes
                    local {{
                        auth = psk
                        id = {t.egress}
                    }}
                    remote {{
                        auth = psk
                        id = {t.remote}
                    }}
                    children {{ {t.name} {{
                        local_ts = 0.0.0.0/0
                        remote_ts = 0.0.0.0/0
                        esp_proposals = {t.esp_proposals}
                        start_action = start
                        close_action = start
                        dpd_action = restart
                        if_id_in = {t.if_id}
                        if_id_out = {t.if_id}
                    }} }}
                }}""")
            secrets.append(f"""ike-{t.number} {{
                    id-1 = {t.egress}
                    id-2 = {t.remote}
                    secret = "{t.key}"
                }}""")
        return f"connections {{ {''.join(connections)} }}\nsecrets {{ {''.join(secrets)} }}\n"

    @classmethod
    def started(cls, lab, name):
        s = cls(lab, name, tunnels(2))
        s.start()
        s.wait_sas()
        s.wait_routes()
        s.wait_both_ways()
        return s


for name, fault in (
    ("SA deleted by the cloud and refused again", refuse),
    ("silent black hole", lambda s: s.ipsec.cut(1)),
    ("ipsec0 set down", lambda s: s.onprem.down("ipsec0")),
):

    @case(f"FRR in bgplite's place: {name}", with_frr=True)
    def frr(lab, name=name, fault=fault):
        s = WithFrr.started(lab, f"FRR, {name}")
        with s.traffic(rate=100) as traffic:
            fault(s)
            s.wait_routes(devices=["ipsec1"])
            cloud_leaves_tunnel_1(s)
        measured(f"FRR: {name}", VM, *gaps(traffic))


if __name__ == "__main__":
    main()
