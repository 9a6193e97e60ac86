#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 2400
"""The document's scenarios with BGP: bgplite and strongSwan against strongSwan and FRR playing the VPN gateway."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cases import case, check, check_equal
from ipsec_lab import tunnels
from netlab import wait_until
from peers import Bgplite
from scenario import PATIENCE, Scenario, main


@case("1 dual egress, BGP: an SA the cloud deletes comes back and the session stays")
def dual_egress_bgp(lab):
    s = Scenario(lab, "1 dual egress BGP", tunnels(2))
    s.start()
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("an SA deleted by the cloud"):
        before = s.ipsec.spis(s.onprem)
        s.ipsec.swanctl(s.cloud, "--terminate", "--child", "vco_child1")
        wait_until(lambda: s.ipsec.spis(s.onprem) != before and len(s.ipsec.installed()) == 2, PATIENCE, "a new SA")
        s.wait_routes()
        s.wait_both_ways()
        sessions = {row["peer"]: row for row in s.daemon.json("show", "peers")["peers"]}
        check(all(row["state"] == "Established" for row in sessions.values()), f"sessions: {sessions}")
        check_equal(s.daemon.processes[0].log().count("session down"), 0, "sessions lost")
    s.finish()


@case("1 the same with bgplite at the cloud's end too", full=True)
def bgplite_at_both_ends(lab):
    s = Scenario(lab, "1 dual egress BGP, bgplite at the cloud", tunnels(2), cloud=Bgplite)
    s.start()
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("bgplite restarted at the cloud"):
        s.speaker.kill()
        s.speaker.start()
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


@case("1 the same with the user's own swanctl.conf: bgplite only watches charon", full=True)
def own_swanctl_conf(lab):
    s = Scenario(lab, "1 dual egress BGP, own swanctl.conf", tunnels(2))
    config = s.config()
    connections, secrets = [], []
    for t in s.tunnels:
        del config["tunnels"][t.name]["ike"]
        s.onprem.ip("route", "add", t.remote, "via", t.gateway, "dev", t.device)
        connections.append(s.ipsec.own_connection(t, f"mine{t.number}", "start_action = start", "close_action = start"))
        secrets.append(f"""ike-{t.number} {{
            id = {t.remote}
            secret = "{t.key}"
        }}""")
    path = s.onprem.dir / "own.conf"
    path.write_text(f"connections {{ {''.join(connections)} }}\nsecrets {{ {''.join(secrets)} }}\n")
    s.start(config)
    s.ipsec.swanctl(s.onprem, "--load-all", "--file", path)
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("an SA deleted by the cloud"):
        before = s.ipsec.spis(s.onprem)
        s.ipsec.swanctl(s.cloud, "--terminate", "--child", "vco_child1")
        wait_until(lambda: s.ipsec.spis(s.onprem) != before and len(s.ipsec.installed()) == 2, PATIENCE, "a new SA")
        s.wait_routes()
        s.wait_both_ways()
    check("bgplite-" not in s.ipsec.swanctl(s.onprem, "--list-conns"), "bgplite gave charon connections")
    s.finish()


@case("3 single egress, BGP: one tunnel silently dead, traffic moves; mended, it comes back")
def single_egress_bgp(lab):
    s = Scenario(lab, "3 single egress BGP", tunnels(1))
    config = s.config()
    # The cloud keeps our routes on the dead tunnel for its hold time and then for this: to FRR the end of the hold
    # timer is a restart (RFC 8538).
    for tunnel in config["tunnels"].values():
        tunnel["peer"]["restart_time"] = "10s"
    s.start(config)
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("a silent black hole"):
        s.ipsec.cut(1)
        s.wait_routes(devices=["ipsec1"])
        s.wait_both_ways()
        s.ipsec.mend()
        s.wait_routes()
    s.finish()


@case("6 transit router: equal routes are ECMP over both tunnels, and both carry flows")
def transit_router(lab):
    s = Scenario(lab, "6 transit router", tunnels(2))
    s.start()
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.traffic(rate=80, flows=5).watch((s.onprem, "ipsec0"), (s.onprem, "ipsec1")) as traffic:
        def carried():
            used = traffic.paths_used()
            return all(count > 50 for count in used.values())
        wait_until(carried, PATIENCE, lambda: f"flows on both tunnels: {traffic.paths_used()}")
    check_equal(traffic.report.forth.lost, 0, "packets lost toward the VPC")
    with s.survives("one interface set down"):
        s.onprem.down("ipsec0")
        wait_until(lambda: (s.ipsec.link("ipsec0") or {}).get("operstate") != "DOWN" and len(s.ipsec.installed()) == 2,
                   PATIENCE, "the interface up again")
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


@case("7 IKEv1", full=True)
def ikev1(lab):
    s = Scenario(lab, "7 IKEv1", tunnels(2, version=1))
    s.start()
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("a rekey"):
        before = s.ipsec.spis(s.onprem)
        s.ipsec.swanctl(s.onprem, "--rekey", "--child", "ipsec0", check=False)
        wait_until(lambda: s.ipsec.spis(s.onprem) - before, PATIENCE, "new SAs")
        s.wait_both_ways()
    s.finish()


@case("9 no NAT: ESP itself on the wire")
def no_nat(lab):
    s = Scenario(lab, "9 no NAT", tunnels(2, nat=False), nat=False)
    # The device has public addresses of its own, on the same wires as the cloud's.
    for t, wan in ((s.tunnels[0], "wan1"), (s.tunnels[1], "wan2")):
        internet = s.ipsec.internet
        internet.batch(f"route add {t.local}/32 via {'172.16.20.80' if wan == 'wan1' else '172.16.21.248'}")
        s.onprem.address(t.device, f"{t.local}/32")
        s.cloud.batch(f"route add {t.local}/32 via {'203.0.113.202' if wan == 'wan1' else '198.51.100.127'}")
        t.gateway = "172.16.20.253" if wan == "wan1" else "172.16.21.253"
    s.start()
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("eth0 flapped"):
        s.onprem.down("eth0")
        s.onprem.up("eth0")
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


MODERN = {"proposals": "aes256gcm16-sha384-ecp384", "esp_proposals": "aes256gcm16-ecp384"}


@case("10 aes256gcm16-sha384-ecp384", full=True)
def modern_proposals(lab):
    s = Scenario(lab, "10 aes256gcm16-sha384-ecp384", tunnels(2, **MODERN))
    s.start()
    s.wait_sas()
    check("AES_GCM_16-256" in s.ipsec.swanctl(s.onprem, "--list-sas"), "the proposal is another one")
    s.wait_routes()
    s.wait_both_ways()
    with s.survives("charon killed and started again"):
        s.ipsec.charons["onprem"].kill()
        s.ipsec.start_charon(s.onprem)
        s.wait_sas()
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


@case("11 reboot: everything torn away, one start brings it back; with the proposals of 10")
def reboot(lab):
    s = Scenario(lab, "11 reboot", tunnels(2, **MODERN))
    s.start()
    s.wait_sas()
    check("AES_GCM_16-256" in s.ipsec.swanctl(s.onprem, "--list-sas"), "the proposal is another one")
    s.wait_routes()
    with s.survives("a reboot"):
        s.daemon.kill()
        s.ipsec.charons["onprem"].kill()
        for t in s.tunnels:
            s.onprem.ip("link", "del", t.name)
        s.onprem.run("ip", "xfrm", "state", "flush")
        s.onprem.run("ip", "xfrm", "policy", "flush")
        s.onprem.run("sh", "-c", "ip nexthop flush proto 155; ip route flush proto 155; ip route flush proto 156; "
                                 "rm -rf /run/bgplite /run/bgplite-state /run/charon.vici; true")
        s.onprem.sysctl(net__ipv4__ip_forward=0)
        s.ipsec.start_charon(s.onprem)
        s.daemon.start()
        s.wait_sas()
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


@case("12 everything that others do to a running system, under traffic where nothing may be lost")
def disturbances(lab):
    s = Scenario(lab, "12 disturbances", tunnels(2))
    s.start()
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    first = s.tunnels[0]
    with s.survives("3 rekeys under traffic, nothing lost"):
        with s.traffic() as traffic:
            for _ in range(3):
                before = s.ipsec.spis(s.onprem)
                s.ipsec.swanctl(s.onprem, "--rekey", "--child", "ipsec0")
                wait_until(lambda: s.ipsec.spis(s.onprem) - before, PATIENCE, "new SAs")
        check_equal((traffic.report.forth.lost, traffic.report.back.lost), (0, 0), "packets lost during three rekeys")
    with s.survives("a foreign --load-all"):
        empty = s.onprem.dir / "empty.conf"
        empty.write_text("connections {}\nsecrets {}\n")
        s.ipsec.swanctl(s.onprem, "--load-all", "--file", empty)
        wait_until(lambda: "bgplite-ipsec1" in s.ipsec.swanctl(s.onprem, "--list-conns"), PATIENCE, "loaded again")
    with s.survives("the interface and the address deleted"):
        s.onprem.ip("address", "del", f"{s.tunnels[1].inner_local}/30", "dev", "ipsec1")
        s.onprem.ip("link", "del", "ipsec0")
        s.wait_routes()
        s.wait_both_ways()
    with s.survives("a wrong key, mended"):
        key, first.key = first.key, "another-key"
        s.ipsec.load_cloud()
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1")
        wait_until(lambda: "authentication failed" in s.daemon.processes[0].log(), PATIENCE, "the reason told")
        s.wait_routes(devices=["ipsec1"])
        first.key = key
        s.ipsec.load_cloud()
        s.wait_routes()
        s.wait_both_ways()
    with s.survives("eth0 flapped, charon restarted"):
        s.onprem.down("eth0")
        s.onprem.up("eth0")
        s.ipsec.charons["onprem"].kill()
        s.ipsec.start_charon(s.onprem)
        s.wait_sas()
        s.wait_routes()
        s.wait_both_ways()
    s.finish()


if __name__ == "__main__":
    main()
