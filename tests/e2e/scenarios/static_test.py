#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 1800
"""The document's scenarios with static routing and protected data flows: bgplite and strongSwan against a strongSwan
cloud that is route-based, so that the test can say which tunnel it sends on."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cases import case, check, check_equal
from ipsec_lab import ONPREM_NET, VPC_NET, tunnels
from netlab import wait_until
from scenario import PATIENCE, Scenario, main

FLOWS = dict(local_ts=(ONPREM_NET,), remote_ts=(VPC_NET,))


def cloud_sends_on(s, device):
    s.cloud.batch(f"route replace {ONPREM_NET} dev {device}")


@case("2 dual egress, static: the route leaves with its tunnel and comes back with it")
def dual_egress_static(lab):
    s = Scenario(lab, "2 dual egress static", tunnels(2), bgp=False)
    via = [{"tunnel": "ipsec0", "metric": 100}, {"tunnel": "ipsec1", "metric": 101}]
    s.start(s.config(static_routes=[{"prefix": VPC_NET, "via": via}]))
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.wait_routes(devices=["ipsec0"])
    s.wait_both_ways()
    with s.survives("tunnel 1 refused by the cloud"):
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1")
        key, s.tunnels[0].key = s.tunnels[0].key, "another-key"
        s.ipsec.load_cloud()
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
        cloud_sends_on(s, "ipsec1")
        s.wait_routes(devices=["ipsec1"])
        s.wait_both_ways()
        s.tunnels[0].key = key
        s.ipsec.load_cloud()
        s.wait_routes(devices=["ipsec0"])
    s.finish()


@case("4 single egress, protected data flows: the cloud switches to its standby tunnel, nothing is lost")
def protected_flows(lab):
    s = Scenario(lab, "4 single egress static, protected data flows", tunnels(1, **FLOWS), bgp=False)
    via = [{"tunnel": "ipsec0"}, {"tunnel": "ipsec1"}]
    s.start(s.config(static_routes=[{"prefix": VPC_NET, "via": via, "follow": "inbound"}]))
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.wait_both_ways()
    with s.traffic(rate=60):  # Whichever tunnel was up first, we send on the one that the cloud sends on.
        s.wait_routes(devices=["ipsec0"])
    with s.survives("the cloud's switch under traffic"):
        with s.traffic(rate=60) as traffic:
            cloud_sends_on(s, "ipsec1")
            s.wait_routes(devices=["ipsec1"])
        check_equal((traffic.report.forth.lost, traffic.report.back.lost), (0, 0), "packets lost")
        s.wait_both_ways()
    s.finish()


@case("4 the same with a policy-based cloud, whose standby tunnel takes over and stays", full=True)
def protected_flows_policy_cloud(lab):
    s = Scenario(lab, "4 protected data flows, policy-based cloud", tunnels(1, route_based=False, **FLOWS), bgp=False)
    # Of two equal policies the cloud's kernel has the older tunnel's; the route only leads to where they catch.
    s.cloud.batch(f"route add {ONPREM_NET} via 203.0.113.202 dev eth0")
    via = [{"tunnel": "ipsec0"}, {"tunnel": "ipsec1"}]
    s.start(s.config(static_routes=[{"prefix": VPC_NET, "via": via, "follow": "inbound"}]))
    s.wait_sas()
    s.wait_both_ways()
    routes = s.onprem.routes()
    active = min(routes[VPC_NET], key=lambda r: r.metric).devices
    check(len(active) == 1, f"one tunnel is sent on: {routes[VPC_NET]}")
    number = 1 if active == {"ipsec0"} else 2
    standby = f"ipsec{2 - number}"
    s.answers.add("sessions or routes up")
    with s.survives("the cloud's switch to its standby tunnel"):
        with s.traffic(rate=60) as traffic:
            s.ipsec.swanctl(s.cloud, "--terminate", "--ike", f"vco{number}")
            s.wait_routes(devices=[standby])
            s.wait_sas()
            s.wait_both_ways()
        forth, back = traffic.report.forth, traffic.report.back
        print(f"note policy-based cloud: lost {forth.lost} of {forth.sent} packets forth, {back.lost} of {back.sent} "
              f"back; longest gap {forth.longest_gap_s:.2f} s and {back.longest_gap_s:.2f} s", flush=True)
        s.wait_both_ways()
    s.finish()


@case("4 the same in mode: policy: our policies follow the tunnel the cloud sends on")
def protected_flows_by_policy(lab):
    s = Scenario(lab, "4 protected data flows, mode: policy", tunnels(1, **FLOWS), bgp=False)
    s.start(s.policy_config(metrics={"listen": "/run/bgplite/metrics.sock"}))
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.answers.add("sessions or routes up")
    s.wait_both_ways()
    with s.survives("the cloud's switch under traffic"):
        with s.traffic(rate=60) as traffic:
            cloud_sends_on(s, "ipsec1")
            remote = s.tunnels[1].remote
            wait_until(lambda: f"dst {remote}" in s.onprem.ip("xfrm", "policy"), PATIENCE, "policies of tunnel 2")
        back = traffic.report.back
        print(f"note mode: policy: return direction lost {back.lost} of {back.sent} packets, "
              f"longest gap {back.longest_gap_s:.2f} s, until our policies followed", flush=True)
        s.wait_both_ways()
        check("now lead through it" in s.log(), "the swap was not logged")
        ask = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/bgplite/metrics.sock'); " \
              "s.sendall(b'GET /metrics HTTP/1.0\\r\\n\\r\\n'); print(s.makefile().read())"
        counted = s.onprem.run("python3", "-c", ask).stdout
        check('bgplite_follow_moves_total{group="policies of ipsec0"}' in counted, "the swap was not counted")
    s.finish()


@case("5 single tunnel, legacy", full=True)
def single_tunnel(lab):
    s = Scenario(lab, "5 single tunnel", tunnels(1, **FLOWS)[:1], bgp=False)
    s.start(s.config(static_routes=[{"prefix": VPC_NET, "via": [{"tunnel": "ipsec0"}]}]))
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("charon killed and started again"):
        s.ipsec.charons["onprem"].kill()
        s.ipsec.start_charon(s.onprem)
        s.wait_sas()
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


@case("8 protected data flows with two CIDR blocks")
def two_blocks(lab):
    blocks = dict(local_ts=("172.16.20.0/24", "172.16.21.0/24"), remote_ts=(VPC_NET,))
    s = Scenario(lab, "8 two CIDR blocks", tunnels(2, **blocks)[:1], bgp=False)
    s.start(s.config(static_routes=[{"prefix": VPC_NET, "via": [{"tunnel": "ipsec0"}]}]))
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    check(s.ipsec.ping(s.vpc, "172.16.21.248", seconds=20, count=3), "the second block is not reached")
    with s.survives("a rekey"):
        before = s.ipsec.spis(s.onprem)
        s.ipsec.swanctl(s.onprem, "--rekey", "--child", "ipsec0")
        wait_until(lambda: s.ipsec.spis(s.onprem) - before, PATIENCE, "new SAs")
        s.wait_both_ways()
    s.finish()


if __name__ == "__main__":
    main()
