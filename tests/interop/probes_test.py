#!/usr/bin/env python3
# kind: default
# seconds: 300
"""Echo probes through tunnels, end to end: a tunnel whose link stays up while nothing arrives is noticed, traffic
moves, sessions stay, and all of it can be seen; what cannot be probed is not taken down, and says why."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import case, check, check_equal, main, require
from links import BOTH, Links
from loss import Loss
from netlab import holds_for, wait_until
from pairs import OURS, VPC_HOSTS
from routes import VPC, check_learned, wait_learned

FAST = {"interval": "100ms", "failures": 3, "answers": 3}
SECOND = {("169.254.20.1", "ipsec1", 1)}


@case("a silent black hole is noticed by probes: traffic moves, the sessions stay, all is shown; mended, it comes back")
def black_hole(lab):
    require(needs.program("nft"))
    links = Links(lab, probe=FAST)
    links.start()
    for name in ("ipsec0", "ipsec1"):
        links.wait_probe(name, "up")
    with Loss(links.client, links.vpc, "172.16.20.10", VPC_HOSTS, rate=500, flows=10) as traffic:
        links.black_hole(0, True)
        check_learned(links.gateway, VPC, SECOND, OURS)
    gap = traffic.report.forth.longest_gap_s
    tunnel = links.tunnel("ipsec0")
    check_equal((tunnel["state"], tunnel["reason"]), ("down", "no answer to echo probes"), "the tunnel")
    check_equal(tunnel["probe"]["state"], "down", "its probe")
    check_equal(tunnel["went_down_for"], {"no answer to echo probes": 1}, "why it went down")
    failover = links.ours.json("show", "tunnels")["failovers"][-1]
    print(f"    longest gap {gap:.2f} s; noticed after {failover['silent_for_s']:.2f} s, moved in "
          f"{failover['moved_us'] / 1000:.2f} ms")
    check(0.25 < failover["silent_for_s"] < 2, f"noticed after {failover['silent_for_s']} s of silence")
    check(0.1 < gap < 2, f"a flow paused for {gap} s")
    shown = links.ours.cli("show", "tunnels").stdout
    check("ipsec0: probe of 169.254.10.1: down, " in shown and "no answer to echo probes for 0." in shown, shown)
    page = links.metrics()
    for line in ('bgplite_tunnel_down_total{tunnel="ipsec0",reason="no answer to echo probes"} 1',
                 'bgplite_probe_state{tunnel="ipsec0"} 2', 'bgplite_probe_state{tunnel="ipsec1"} 1',
                 'bgplite_probe_round_trip_seconds_bucket{tunnel="ipsec1",le="+Inf"} ',
                 'bgplite_tunnel_last_failover_seconds{tunnel="ipsec0"} '):
        check(line in page, lambda: f"{line} is missing from:\n{page}")
    links.black_hole(0, False)
    links.wait_tunnel("ipsec0", "up")
    check_learned(links.gateway, VPC, BOTH, OURS)
    sessions = links.ours.json("show", "peers")["peers"]
    check_equal([row["established"] for row in sessions], [1, 1], "sessions of each peer so far")


@case("a target that never answers takes nothing down; one over IPv6; without the right to probe it says so")
def not_probing(lab):
    links = Links(lab, probe=FAST)
    links.tunnels["ipsec0"]["probe"]["target"] = "192.168.10.99"  # Nobody.
    links.tunnels["ipsec1"]["probe"]["target"] = "fd00:20::1"
    links.start()
    links.wait_probe("ipsec1", "up")
    wait_until(lambda: links.tunnel("ipsec0")["probe"]["lost"] >= 5, 10, "five requests unanswered")
    tunnel = links.tunnel("ipsec0")
    check_equal((tunnel["state"], tunnel["probe"]["state"]), ("up", "learning"), "tunnel and probe")
    links.ours.stop()
    links.gateway.run("sysctl", "-qw", "net.ipv4.ping_group_range=1 0")
    argv = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", needs.built("bgplite"), "run", "--config"]
    links.ours.processes = [links.gateway.start("without-net-raw", *argv, links.ours.dir / "bgplite.yaml")]
    links.ours.wait_established("169.254.20.1")
    for name in ("ipsec0", "ipsec1"):
        check("CAP_NET_RAW" in links.tunnel(name)["probe"]["why_not"], f"{links.tunnel(name)}")
        check_equal(links.tunnel(name)["state"], "up", f"{name} although it cannot be probed")
    check("no probe of fd00:20::1: needs CAP_NET_RAW" in links.ours.cli("show", "tunnels").stdout, "show says why")


@case("a reload changes probes while all else goes on; a static route follows its probe; a tunnel that is back is used")
def reload(lab):
    require(needs.program("nft"))
    links = Links(lab, probe=FAST, extra={"static_routes": [{"prefix": "10.50.0.0/16", "via": {"tunnel": "ipsec0"}}]})
    static = {"10.50.0.0/16": {(None, "ipsec0", 1)}}
    dynamic = lambda hops: {prefix: hops for prefix in VPC}
    links.start(more=static)
    links.wait_probe("ipsec0", "up")
    links.black_hole(0, True)
    wait_learned(links.gateway, dynamic(SECOND), 4, OURS)
    # Without its probe nothing is known against the tunnel.
    del links.tunnels["ipsec0"]["probe"]
    links.ours.write("bgplite.yaml", links.ours.config())
    check("tunnel ipsec0: probe changed" in links.ours.cli("plan").stdout, "plan names the probe")
    links.ours.reload(set())
    wait_learned(links.gateway, {**dynamic(BOTH), **static}, 4, OURS)
    check("probe" not in links.tunnel("ipsec0"), "the probe is gone")
    links.black_hole(0, False)
    links.tunnels["ipsec0"]["probe"] = {**FAST, "answers": 100}
    links.ours.reload(set())
    links.wait_probe("ipsec0", "up")
    # Down for another reason, the probe pauses; back, the tunnel is used without waiting for 100 answers.
    links.gateway.ip("address", "del", "169.254.10.2/30", "dev", "ipsec0")
    links.wait_tunnel("ipsec0", "down")
    paused = links.tunnel("ipsec0")["probe"]
    check_equal(paused.get("why_not"), "the tunnel is down: address missing", "why the probe pauses")
    holds_for(lambda: links.tunnel("ipsec0")["probe"]["sent"] == paused["sent"], 0.5, "no request leaves meanwhile")
    links.gateway.address("ipsec0", "169.254.10.2/30")
    links.wait_tunnel("ipsec0", "up", 5)
    sessions = links.ours.json("show", "peers")["peers"]
    check_equal(links.ours.json("show", "version")["reloads"], 2, "reloads")
    check_equal([row["established"] for row in sessions if row["peer"] == "169.254.20.1"], [1], "the other's session")


if __name__ == "__main__":
    main()
