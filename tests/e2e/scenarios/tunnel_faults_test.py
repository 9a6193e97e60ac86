#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 1800
"""What breaks under a tunnel, with two real strongSwans and numbered packets both ways: charon crashes, the uplink
loses carrier, address or gateway, IKE packets are lost while ESP flows, both ends rekey without end, the cloud forgets
its SAs, the endpoint changes. Static routes with the first tunnel preferred and no probes unless a case says so, so
that nothing but the tunnels' own verdict moves the traffic."""
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cases import case, check, check_equal, main, measured
from ipsec_lab import ONPREM_NET, VPC_NET, tunnels
from netlab import wait_until
from scenario import PATIENCE, Scenario

VM = "VM, real SAs"
VIA = [{"tunnel": "ipsec0", "metric": 100}, {"tunnel": "ipsec1", "metric": 101}]


def started(lab, name, probe=None):
    s = Scenario(lab, name, tunnels(2), bgp=False)
    config = s.config(static_routes=[{"prefix": VPC_NET, "via": VIA}])
    for t in s.tunnels:
        if probe:
            config["tunnels"][t.name]["probe"] = {**probe, "target": t.inner_remote}
    s.start(config)
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.wait_routes(devices=["ipsec0"])
    s.wait_both_ways()
    return s


def cloud_sends_on(s, device):
    s.cloud.batch(f"route replace {ONPREM_NET} dev {device}")


def shown(s, tunnel="ipsec0"):
    return next(row for row in s.daemon.json("show", "tunnels")["tunnels"] if row["tunnel"] == tunnel)


def wait_shown(s, state, *reasons, tunnel="ipsec0", seconds=PATIENCE):
    def there():
        row = shown(s, tunnel)
        return row["state"] == state and (not reasons or row["reason"] in reasons)

    wait_until(there, seconds, lambda: f"{tunnel} {state} {reasons}; it is {shown(s, tunnel)}")


def route_moves_to(s, device, seconds=PATIENCE):
    wait_until(lambda: s.onprem.routes().get(VPC_NET, [None])[0] and s.onprem.routes()[VPC_NET][0].devices == {device},
               seconds, lambda: f"the route over {device}; it is {s.onprem.routes().get(VPC_NET)}; {shown(s)}")


def report(what, traffic, began, moved, aim):
    forth, back = traffic.report.forth, traffic.report.back
    measured(what, VM, f"out {forth.lost} of {forth.sent} lost, longest {forth.longest_gap_s:.2f} s",
             f"back {back.lost} of {back.sent}", f"route moved after {moved - began:.1f} s", aim)


def restart_charon(s, space):
    s.ipsec.charons[space.name].kill()
    s.ipsec.start_charon(space)


def refuse(s):
    """The cloud deletes tunnel 1's SAs and will not have them again."""
    key, s.tunnels[0].key = s.tunnels[0].key, "another-key"
    s.ipsec.load_cloud()
    s.tunnels[0].key = key
    s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)


def ike_sas(s, space, connection):
    listed = s.ipsec.swanctl(space, "--list-sas", check=False)
    return sum(line.startswith(connection + ":") for line in listed.splitlines())


@case("our charon crashes; later the cloud ends and refuses the tunnel: the SAs of before keep nothing usable")
def our_charon_crashes(lab):
    s = started(lab, "our charon crashes")
    before = s.ipsec.spis(s.onprem)
    restart_charon(s, s.onprem)
    wait_until(lambda: len(s.ipsec.installed()) == 2, PATIENCE, "SAs of the new charon")
    wait_until(lambda: not before & s.ipsec.spis(s.onprem), PATIENCE,
               lambda: f"the old SAs deleted; left: {before & s.ipsec.spis(s.onprem)}")
    wait_shown(s, "up")
    s.wait_both_ways()
    with s.traffic() as traffic:
        began = time.monotonic()
        cloud_sends_on(s, "ipsec1")
        refuse(s)
        route_moves_to(s, "ipsec1")
        moved = time.monotonic()
        s.wait_both_ways()
    report("our charon crashed, cloud ends and refuses later", traffic, began, moved, "aim: < 2 s")
    check(traffic.report.forth.longest_gap_s < 10, "the orphaned SAs kept the dead tunnel usable")


def uplink_case(name, break_it, repair_it, *reasons, aim="aim: < 2 s", limit=10):
    """The LAN is on this uplink too, so that there is no traffic to count while it is gone."""

    def run(lab):
        s = started(lab, name)
        cloud_sends_on(s, "ipsec1")
        began = time.monotonic()
        break_it(s)
        route_moves_to(s, "ipsec1")
        moved = time.monotonic() - began
        check(shown(s)["reason"] in reasons, lambda: f"the reason: {shown(s)['reason']}")
        measured(name, VM, f"route moved after {moved:.1f} s", aim)
        check(moved < limit, f"the dead uplink stayed in use for {moved:.1f} s")
        repair_it(s)
        wait_shown(s, "up")
        route_moves_to(s, "ipsec0")
        s.wait_both_ways()

    return run


def other_end(s, state):
    s.ipsec.internet.ip("link", "set", "p-onprem" if s.tunnels[0].device == "eth0" else "lan1", state)


def lose_address(s):
    s.onprem.ip("address", "del", f"{s.tunnels[0].local}/24", "dev", s.tunnels[0].device)


def regain_address(s):
    s.onprem.ip("address", "add", f"{s.tunnels[0].local}/24", "dev", s.tunnels[0].device)


case("the cable of an uplink is out at the far end: at once, and back")(uplink_case(
    "no carrier on the uplink", lambda s: other_end(s, "down"), lambda s: other_end(s, "up"),
    "underlay device has no carrier", "no route to the peer's IKE address"))
case("the uplink is set down", full=True)(uplink_case(
    "uplink set down", lambda s: s.onprem.ip("link", "set", "eth0", "down"),
    lambda s: s.onprem.ip("link", "set", "eth0", "up"), "underlay device down"))
case("the local IKE address goes and comes back")(uplink_case(
    "local IKE address lost", lose_address, regain_address, "local IKE address missing"))
case("the gateway of an uplink falls silent", full=True)(uplink_case(
    "gateway silent", lambda s: s.ipsec.internet.ip("link", "set", "br0", "arp", "off"),
    lambda s: s.ipsec.internet.ip("link", "set", "br0", "arp", "on"),
    "underlay gateway does not answer", aim="aim: as soon as the kernel's ARP gives up", limit=90))


@case("both ends rekey IKE_SA and CHILD_SA for a minute: nothing is initiated, one IKE_SA stays")
def rekey_storm(lab):
    s = started(lab, "rekey storm")
    # What the keeper asks for; a rekey makes its IKE_SA without.
    initiates = lambda: charon_log(s).count("vici initiate")
    before = initiates()
    with s.traffic() as traffic:
        for _ in range(15):
            s.ipsec.swanctl(s.cloud, "--rekey", "--ike", "vco1", check=False)
            s.ipsec.swanctl(s.onprem, "--rekey", "--child", "ipsec0", check=False)
            time.sleep(2)  # The storm's own pace, no condition to wait for.
    wait_until(lambda: ike_sas(s, s.onprem, "bgplite-ipsec0") == 1, PATIENCE,
               lambda: f"one IKE_SA; {ike_sas(s, s.onprem, 'bgplite-ipsec0')}")
    wait_until(lambda: len(s.ipsec.spis(s.onprem)) == 2 * len(s.tunnels), 2 * PATIENCE,
               lambda: f"2 SAs for each tunnel\n{s.ipsec.swanctl(s.onprem, '--list-sas')}")
    needless = initiates() - before
    left = len(s.ipsec.spis(s.onprem))
    measured("15 rekeys by both ends", VM, f"out {traffic.report.forth.lost} lost",
             f"back {traffic.report.back.lost} lost", f"{needless} initiates",
             f"{left} SAs at the end", "aim: 0 initiates")
    check_equal(needless, 0, "IKE_SAs initiated beside one that is up")


@case("our IKE packets are lost while the cloud rekeys and ESP flows: the tunnel keeps its share")
def lost_ike(lab):
    s = started(lab, "IKE packets lost")
    # IKE on port 4500 begins with four octets of zero, ESP with its SPI.
    s.ipsec.internet.run("nft", "add", "rule", "ip", "cut", "transit", "ip", "daddr", s.tunnels[0].remote,
                         "udp", "dport", "4500", "@th,64,32", "0", "drop")
    s.ipsec.swanctl(s.cloud, "--rekey", "--child", "vco_child1", "--timeout", "1", check=False)
    wait_until(lambda: "received retransmit of request" in charon_log(s), PATIENCE, "the cloud repeats its request")
    s.ipsec.mend()
    wait_shown(s, "up")
    check_equal(shown(s)["reason"], "ready", "the verdict of a tunnel whose peer asks")
    # A request of our own that got lost meanwhile is a true reason.
    ours = "retransmit 1 of request" in charon_log(s)
    check(ours or "peer does not answer IKE" not in s.log(), "a repetition of the peer's was taken for its silence")


def charon_log(s):
    return s.onprem.run("cat", s.onprem.dir / "charon-file.log").stdout


@case("the cloud crashes and forgets its SAs; probes: a new IKE_SA beside the dead one as soon as it is back")
def cloud_forgets(lab):
    s = started(lab, "cloud forgets", probe={"interval": "200ms", "failures": 3, "answers": 3})
    for t in s.tunnels:
        wait_until(lambda t=t: shown(s, t.name)["probe"]["state"] == "up", PATIENCE, f"the probe of {t.name} up")
    with s.traffic() as traffic:
        began = time.monotonic()
        s.ipsec.charons["cloud"].kill()
        s.cloud.ip("xfrm", "state", "flush")
        wait_shown(s, "down", "no answer to echo probes")
        s.ipsec.start_charon(s.cloud)
        s.ipsec.load_cloud()
        wait_shown(s, "up", seconds=100)
        moved = time.monotonic()
        s.wait_both_ways()
    report("the cloud lost its SAs", traffic, began, moved, "aim: not charon's 175 s")
    wait_until(lambda: ike_sas(s, s.onprem, "bgplite-ipsec0") == 1, PATIENCE, "the dead IKE_SA ended")


@case("a tunnel's endpoint changed by reload, and a tunnel removed: no route of ours is left")
def reload_leaves_nothing(lab):
    s = started(lab, "reload")
    first = s.tunnels[0]
    config = dict(s.daemon.value)
    check(f"{first.remote}/32" in s.onprem.routes(protocol=156), "no underlay route to begin with")
    del config["tunnels"]["ipsec0"]
    config["static_routes"] = [{"prefix": VPC_NET, "via": VIA[1:]}]
    s.daemon.value = config
    s.daemon.write("bgplite.yaml", json.dumps(config))
    s.daemon.processes[0].send_signal(signal.SIGHUP)
    wait_until(lambda: f"{first.remote}/32" not in s.onprem.routes(), PATIENCE,
               lambda: f"the underlay route gone: {s.onprem.routes()}")
    check(s.ipsec.link("ipsec0") is None, "the interface is left")
    check(f"{s.tunnels[1].remote}/32" in s.onprem.routes(), "the other tunnel's route went, too")


if __name__ == "__main__":
    main()
