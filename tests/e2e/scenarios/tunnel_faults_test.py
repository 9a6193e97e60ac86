#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 1800
"""What breaks under a tunnel, with two real strongSwans and numbered packets both ways: charon crashes, the uplink
loses carrier, address or gateway, IKE packets are lost while ESP flows, both ends rekey without end, the cloud forgets
its SAs, the endpoint changes. Static routes with the first tunnel preferred and no probes unless a case says so, so
that nothing but the tunnels' own verdict moves the traffic."""
import contextlib
import copy
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import needs
from cases import case, check, check_equal, main, measured, require
from ipsec_lab import ONPREM_NET, VPC_NET, tunnels
from netlab import wait_until
from scenario import PATIENCE, Scenario

VM = "VM, real SAs"
VIA = [{"tunnel": "ipsec0", "metric": 100}, {"tunnel": "ipsec1", "metric": 101}]


FAST_PROBE = {"interval": "200ms", "failures": 3, "answers": 3}


def started(lab, name, probe=None, first="ipsec0", change=None):
    """`first`: the tunnel that the static routes prefer; `change` edits the configuration."""
    s = Scenario(lab, name, tunnels(2), bgp=False)
    via = VIA if first == "ipsec0" else [{"tunnel": "ipsec1", "metric": 100}, {"tunnel": "ipsec0", "metric": 101}]
    config = s.config(static_routes=[{"prefix": VPC_NET, "via": via}])
    for t in s.tunnels:
        if probe:
            config["tunnels"][t.name]["probe"] = {**probe, "target": t.inner_remote}
    if change:
        change(config)
    s.start(config)
    cloud_sends_on(s, first)
    s.wait_sas()
    if probe:
        for t in s.tunnels:
            wait_until(lambda t=t: shown(s, t.name)["probe"]["state"] == "up", PATIENCE, f"the probe of {t.name} up")
    s.wait_routes(devices=[first])
    s.wait_both_ways()
    return s


def reload(s, value):
    s.daemon.value = value
    s.daemon.write("bgplite.yaml", json.dumps(value))
    s.daemon.processes[0].send_signal(signal.SIGHUP)


def cloud_sends_on(s, device):
    s.cloud.batch(f"route replace {ONPREM_NET} dev {device}")


def shown(s, tunnel="ipsec0"):
    return next(row for row in s.daemon.json("show", "tunnels")["tunnels"] if row["tunnel"] == tunnel)


def wait_shown(s, state, *reasons, tunnel="ipsec0", seconds=PATIENCE):
    def there():
        row = shown(s, tunnel)
        return row["state"] == state and (not reasons or row["reason"] in reasons)

    wait_until(there, seconds, lambda: f"{tunnel} {state} {reasons}; it is {shown(s, tunnel)}")


def since(s, tunnel="ipsec0"):
    """When the tunnel became what it is, by the daemon: to see it from outside takes seconds here."""
    return time.monotonic() - shown(s, tunnel)["state_for_s"]


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
    """The cloud deletes tunnel 1's SAs and will not have them again. When it began to."""
    key, s.tunnels[0].key = s.tunnels[0].key, "another-key"
    s.ipsec.load_cloud()
    s.tunnels[0].key = key
    began = time.monotonic()
    s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
    return began


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
        cloud_sends_on(s, "ipsec1")
        began = refuse(s)
        route_moves_to(s, "ipsec1")
        moved = since(s)
        s.wait_both_ways()
    report("our charon crashed, cloud ends and refuses later", traffic, began, moved, "aim: < 2 s")
    check(traffic.report.forth.longest_gap_s < 10, "the orphaned SAs kept the dead tunnel usable")


@case("the cloud's charon crashes: what carries traffic goes on, what does not is made anew, the first when asked",
      full=True)
def clouds_charon_crashes(lab):
    s = started(lab, "the cloud's charon crashes")
    first, second = (s.ipsec.spis(s.onprem, t.if_id) for t in s.tunnels)
    with s.traffic() as traffic:
        began = time.monotonic()
        s.ipsec.charons["cloud"].kill()
        time.sleep(5)  # How long it is away, no condition to wait for.
        s.ipsec.start_charon(s.cloud)
        away = time.monotonic() - began
        s.ipsec.load_cloud()
        # Nothing comes in through the second tunnel, so charon asks, and is not answered.
        wait_until(lambda: not second & s.ipsec.spis(s.onprem), 300, "new SAs of the idle tunnel")
        for t in s.tunnels:
            wait_shown(s, "up", tunnel=t.name)
        renewed = time.monotonic()
    report("the cloud's charon crashed for 5 s, its kernel keeps the SAs", traffic, began, renewed,
           f"aim: out the {away:.1f} s it was away, back none; the idle tunnel anew in 130 s")
    # Behind NAT, ESP comes in through the socket of the cloud's charon. Its kernel goes on sending.
    check(traffic.report.forth.longest_gap_s < away + 1, f"lost for longer than the {away:.1f} s of charon's absence")
    check_equal(traffic.report.back.lost, 0, "packets lost of the other direction")
    check(renewed - began < 180, "the idle tunnel took too long")

    with s.traffic() as traffic:
        began = time.monotonic()
        s.ipsec.swanctl(s.onprem, "--rekey", "--ike", "bgplite-ipsec0", check=False)
        # charon gives up a peer that forgot it after 175 s.
        wait_until(lambda: not first & s.ipsec.spis(s.onprem), 300, "new SAs of the tunnel that carried")
        wait_shown(s, "up")
        renewed = time.monotonic()
        s.wait_both_ways()
    report("its IKE_SA, which the cloud has forgotten, is to be renewed", traffic, began, renewed, "aim: < 5 s lost")
    check(traffic.report.forth.longest_gap_s < 5, "the tunnel that carried took too long to come back")
    wait_quiet(s)


@case("both charons crash and are started again", full=True)
def both_charons_crash(lab):
    s = started(lab, "both charons crash")
    before = s.ipsec.spis(s.onprem)
    with s.traffic() as traffic:
        began = time.monotonic()
        for charon in s.ipsec.charons.values():
            charon.kill()
        time.sleep(5)  # How long they are away, no condition to wait for.
        s.ipsec.start_charon(s.cloud)
        s.ipsec.load_cloud()
        s.ipsec.start_charon(s.onprem)
        # charon gives up a peer that forgot it after 175 s.
        wait_until(lambda: not before & s.ipsec.spis(s.onprem), 400,
                   lambda: f"new SAs in place of all; left: {before & s.ipsec.spis(s.onprem)}")
        for t in s.tunnels:
            wait_shown(s, "up", tunnel=t.name)
        moved = time.monotonic()
        s.wait_both_ways()
    report("both charons crashed for 5 s", traffic, began, moved, "aim: < 30 s")
    wait_quiet(s)


def wait_quiet(s):
    """Two SAs and one IKE_SA for each tunnel."""
    def quiet():
        return len(s.ipsec.spis(s.onprem)) == 2 * len(s.tunnels) and all(
            ike_sas(s, s.onprem, f"bgplite-{t.name}") == 1 for t in s.tunnels)
    wait_until(quiet, 2 * PATIENCE, lambda: "one IKE_SA and two SAs for each tunnel; there are " +
               s.ipsec.swanctl(s.onprem, "--list-sas") + s.onprem.ip("xfrm", "state"))


def far_end(tunnel):
    return "p-onprem" if tunnel.device == "eth0" else "lan1"


def gateway_of(tunnel):
    return "br0" if tunnel.device == "eth0" else "lan1"


def set_link(space, device, state):
    return lambda s, t: getattr(s.ipsec, space).ip("link", "set", device(t), state)


def set_address(what):
    return lambda s, t: s.onprem.ip("address", what, f"{t.local}/24", "dev", t.device)


def set_arp(state):
    return lambda s, t: s.ipsec.internet.ip("link", "set", gateway_of(t), "arp", state)


# What breaks, how, how it is repaired, the reasons that `show tunnels` may give, the limit in seconds.
UPLINK_FAULTS = {
    "cable out at the far end": (set_link("internet", far_end, "down"), set_link("internet", far_end, "up"),
                                 ("underlay device has no carrier", "no route to the peer's IKE address"), 10),
    "local IKE address lost": (set_address("del"), set_address("add"), ("local IKE address missing",), 10),
    "uplink set down": (set_link("onprem", lambda t: t.device, "down"), set_link("onprem", lambda t: t.device, "up"),
                        ("underlay device down",), 10),
    "gateway silent": (set_arp("off"), set_arp("on"), ("underlay gateway does not answer",), 90),
}


def uplink_faults(lab, number, names):
    """The LAN is on the first uplink too, so that there is no traffic to count while that is gone."""
    tunnel, other = (f"ipsec{number - 1}", f"ipsec{2 - number}")
    s = started(lab, f"uplink {number}", first=tunnel)
    t = s.tunnels[number - 1]
    counts = number == 2
    for name in names:
        break_it, repair_it, reasons, limit = UPLINK_FAULTS[name]
        with s.traffic() if counts else contextlib.nullcontext() as traffic:
            cloud_sends_on(s, other)
            began = time.monotonic()
            break_it(s, t)
            route_moves_to(s, other)
            moved = time.monotonic()
            reason = shown(s, tunnel)["reason"]
            if counts:
                s.wait_both_ways()
        check(reason in reasons, lambda: f"the reason: {reason}")
        aim = "aim: < 2 s" if limit == 10 else "aim: as soon as the kernel's ARP gives up"
        if counts:
            report(f"{name}, uplink {number}", traffic, began, moved, aim)
        else:
            measured(f"{name}, uplink {number}", VM, f"route moved after {moved - began:.1f} s", aim)
        check(moved - began < limit, f"the dead uplink stayed in use for {moved - began:.1f} s")
        repair_it(s, t)
        wait_shown(s, "up", tunnel=tunnel)
        route_moves_to(s, tunnel)
        cloud_sends_on(s, tunnel)
        s.wait_both_ways()


@case("the first uplink loses its carrier at the far end, and its address: at once, and back")
def first_uplink(lab):
    uplink_faults(lab, 1, ["cable out at the far end", "local IKE address lost"])


@case("the first uplink is set down, its gateway falls silent", full=True)
def first_uplink_more(lab):
    uplink_faults(lab, 1, ["uplink set down", "gateway silent"])


@case("the second uplink, with traffic: carrier, address, device, gateway", full=True)
def second_uplink(lab):
    uplink_faults(lab, 2, list(UPLINK_FAULTS))


@case("the cable is out at the cloud's side of either uplink: silent for us, probes notice", full=True)
def clouds_uplinks(lab):
    s = started(lab, "the cloud's uplinks", probe=FAST_PROBE)
    for tunnel, other, device in (("ipsec0", "ipsec1", "eth0"), ("ipsec1", "ipsec0", "eth1")):
        with s.traffic() as traffic:
            cloud_sends_on(s, other)
            began = time.monotonic()
            s.cloud.ip("link", "set", device, "down")
            wait_shown(s, "down", "no answer to echo probes", tunnel=tunnel)
            route_moves_to(s, other)
            moved = since(s, tunnel)
            s.wait_both_ways()
        report(f"cable out at the cloud's {device}, probes 200 ms x 3", traffic, began, moved, "aim: < 1 s")
        s.cloud.ip("link", "set", device, "up")
        # The interface lost its routes with the link.
        for t in s.tunnels:
            wait_shown(s, "up", tunnel=t.name, seconds=2 * PATIENCE)
        route_moves_to(s, "ipsec0")
        cloud_sends_on(s, "ipsec0")
        s.wait_both_ways()


@case("both ends rekey IKE_SA and CHILD_SA for a minute: nothing is initiated, one IKE_SA stays", full=True)
def rekey_storm(lab):
    storm(lab, 60)


@case("the same for three minutes", full=True)
def long_rekey_storm(lab):
    storm(lab, 180)


def storm(lab, seconds):
    s = started(lab, "rekey storm")
    # What the keeper asks for; a rekey makes its IKE_SA without.
    initiates = lambda: charon_log(s).count("vici initiate")
    before, rekeys = initiates(), 0
    with s.traffic() as traffic:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            s.ipsec.swanctl(s.cloud, "--rekey", "--ike", "vco1", check=False)
            s.ipsec.swanctl(s.onprem, "--rekey", "--child", "ipsec0", check=False)
            rekeys += 1
            time.sleep(2)  # The storm's own pace, no condition to wait for.
    wait_quiet(s)
    needless = initiates() - before
    measured(f"{rekeys} rekeys by both ends in {seconds} s", VM, f"out {traffic.report.forth.lost} lost",
             f"back {traffic.report.back.lost} lost", f"{needless} initiates",
             "1 IKE_SA, 2 SAs for each tunnel at the end", "aim: 0 initiates")
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
    s = started(lab, "cloud forgets", probe=FAST_PROBE)
    with s.traffic() as traffic:
        began = time.monotonic()
        s.ipsec.charons["cloud"].kill()
        s.cloud.ip("xfrm", "state", "flush")
        wait_shown(s, "down", "no answer to echo probes")
        s.ipsec.start_charon(s.cloud)
        # Without its connections: the first attempt is refused, and no later one may be lost in the dead IKE_SA.
        wait_until(lambda: "tunnel ipsec0: no common IKE proposal" in s.log(), 2 * PATIENCE,
                   "the first attempt refused")
        s.ipsec.load_cloud()
        wait_shown(s, "up", seconds=100)
        moved = since(s)
        s.wait_both_ways()
    report("the cloud lost its SAs", traffic, began, moved, "aim: not charon's 175 s")
    wait_until(lambda: ike_sas(s, s.onprem, "bgplite-ipsec0") == 1, PATIENCE, "the dead IKE_SA ended")


NEW_REMOTE = "203.0.113.152"


def nothing_of(s, address):
    """What is left of an endpoint: lines of SAs, policies, charon's lists and routes that name it."""
    texts = {
        "SA": s.onprem.ip("xfrm", "state"), "policy": s.onprem.ip("xfrm", "policy"),
        "IKE_SA": s.ipsec.swanctl(s.onprem, "--list-sas", check=False),
        "connection": s.ipsec.swanctl(s.onprem, "--list-conns", check=False), "route": s.onprem.ip("route"),
    }
    return [f"{what}: {line.strip()}" for what, text in texts.items() for line in text.splitlines() if address in line]


@case("an endpoint changed and a tunnel removed by reload, the other by kill -9 and a restart: nothing is left")
def reload_leaves_nothing(lab):
    s = started(lab, "reload")
    first, second = s.tunnels
    old = first.remote
    check(f"{old}/32" in s.onprem.routes(protocol=156), "no underlay route to begin with")
    s.cloud.address("eth0", f"{NEW_REMOTE}/24")
    config = copy.deepcopy(s.daemon.value)
    config["tunnels"]["ipsec0"]["ike"]["remote"]["address"] = NEW_REMOTE
    with s.traffic() as traffic:
        began = time.monotonic()
        first.remote = NEW_REMOTE
        s.ipsec.load_cloud()
        reload(s, config)
        wait_until(lambda: not nothing_of(s, old), PATIENCE, lambda: f"nothing of {old}; left: {nothing_of(s, old)}")
        cloud_sends_on(s, "ipsec0")
        wait_until(lambda: any(f"dst {NEW_REMOTE}" in line for line in nothing_of(s, NEW_REMOTE)), PATIENCE, "new SAs")
        wait_shown(s, "up")
        moved = since(s)
        s.wait_both_ways()
    report("endpoint moved by reload", traffic, began, moved, "aim: < 10 s without the tunnel, nothing left")

    config = copy.deepcopy(config)
    del config["tunnels"]["ipsec0"]
    config["static_routes"] = [{"prefix": VPC_NET, "via": VIA[1:]}]
    cloud_sends_on(s, "ipsec1")
    reload(s, config)
    wait_until(lambda: not nothing_of(s, NEW_REMOTE), PATIENCE, lambda: f"left: {nothing_of(s, NEW_REMOTE)}")
    check(s.ipsec.link("ipsec0") is None, "the interface is left")
    check(f"{second.remote}/32" in s.onprem.routes(), "the other tunnel's route went, too")

    del config["tunnels"], config["static_routes"]
    s.daemon.kill()
    s.daemon.value = config
    s.daemon.start()
    wait_until(lambda: not nothing_of(s, second.remote), PATIENCE, lambda: f"left: {nothing_of(s, second.remote)}")
    wait_until(lambda: s.ipsec.link("ipsec1") is None, PATIENCE, "the interface of a former run removed")


@case("a tunnel's endpoint moves by DNS: probes notice, the new SAs lead to the new address", full=True)
def moved_by_dns(lab):
    require(needs.vm("changes /etc/hosts"))
    hosts = pathlib.Path("/etc/hosts")
    name, before = "vpn.example.net", hosts.read_text()
    point_to = lambda address: hosts.write_text(f"{before}\n{address} {name}\n")

    def by_name(config):
        config["tunnels"]["ipsec0"]["ike"]["remote"] = {"address": name, "id": "203.0.113.151"}

    try:
        point_to("203.0.113.151")
        s = Scenario(lab, "moved by DNS", tunnels(2), bgp=False)
        s.onprem.ip("route", "add", "203.0.113.0/24", "via", s.tunnels[0].gateway)
        cloud_config = s.ipsec.cloud_config
        s.ipsec.cloud_config = lambda: cloud_config().replace(
            "local_addrs = 203.0.113.151\n", f"local_addrs = 203.0.113.151,{NEW_REMOTE}\n")
        s.cloud.address("eth0", f"{NEW_REMOTE}/24")
        # Or the second address of a network goes with the first.
        s.cloud.run("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1")
        config = s.config(static_routes=[{"prefix": VPC_NET, "via": VIA}])
        by_name(config)
        for t in s.tunnels:
            config["tunnels"][t.name]["probe"] = {**FAST_PROBE, "target": t.inner_remote}
        s.start(config)
        cloud_sends_on(s, "ipsec0")
        s.wait_sas()
        for t in s.tunnels:
            wait_shown(s, "up", tunnel=t.name)
        s.wait_both_ways()
        with s.traffic() as traffic:
            cloud_sends_on(s, "ipsec1")
            began = time.monotonic()
            point_to(NEW_REMOTE)
            s.cloud.ip("address", "del", "203.0.113.151/24", "dev", "eth0")
            wait_shown(s, "down", "no answer to echo probes")
            wait_until(lambda: any(f"dst {NEW_REMOTE}" in line for line in nothing_of(s, NEW_REMOTE)), PATIENCE,
                       "SAs to the new address")
            wait_shown(s, "up")
            moved = since(s)
            s.wait_both_ways()
        report("endpoint moved by DNS, probes 200 ms x 3", traffic, began, moved, "aim: < 30 s")
        gone = lambda: [x for x in nothing_of(s, "203.0.113.151") if x.startswith(("SA", "policy"))]
        wait_until(lambda: not gone(), 2 * PATIENCE, lambda: f"no SA to the old address; left: {gone()}")
        wait_until(lambda: ike_sas(s, s.onprem, "bgplite-ipsec0") == 1, 2 * PATIENCE, "one IKE_SA")
    finally:
        hosts.write_text(before)


@case("400 ms of delay on both tunnels, then 30 % loss one way on the first, with probes", full=True)
def delay_and_loss(lab):
    s = started(lab, "delay and loss", probe={"interval": "100ms", "failures": 3, "answers": 3})
    internet = s.ipsec.internet
    went_down = lambda t: shown(s, t).get("went_down", 0)

    def phase(what, aim, seconds, *netem):
        before = [went_down(t.name) for t in s.tunnels]
        with s.traffic() as traffic:
            for device, words in netem:
                internet.run("tc", "qdisc", "replace", "dev", device, "root", "netem", *words)
            time.sleep(seconds)  # How long it is watched, no condition to wait for.
        downs = [went_down(t.name) - b for t, b in zip(s.tunnels, before)]
        forth, back = traffic.report.forth, traffic.report.back
        measured(what, VM, f"out {forth.lost} of {forth.sent} lost, longest {forth.longest_gap_s:.2f} s",
                 f"back {back.lost} of {back.sent}", f"went down {downs[0]} and {downs[1]} times", aim)
        return traffic.report, downs

    delay = (("wan1", ("delay", "400ms")), ("wan2", ("delay", "400ms")))
    phase("400 ms of delay begins on both, probes 100 ms x 3", "aim: usable again within 2 s", 30, *delay)
    for t in s.tunnels:
        wait_shown(s, "up", tunnel=t.name)
    report_, downs = phase("400 ms of delay on both goes on", "aim: none lost, never down", 30)
    check_equal(downs, [0, 0], "losses of tunnels whose probes are answered after 400 ms")
    check(report_.forth.lost + report_.back.lost < 10, f"lost: {report_.forth.lost}, {report_.back.lost}")
    for device in ("wan1", "wan2"):
        internet.run("tc", "qdisc", "del", "dev", device, "root")
    # Towards the cloud: the probes' requests and our traffic; what the cloud sends takes the second tunnel.
    cloud_sends_on(s, "ipsec1")
    report_, downs = phase("30 % loss one way on the first tunnel, probes 100 ms x 3", "aim: well below 30 % out", 60,
                           ("wan1", ("loss", "30%")))
    check(report_.forth.lost < 0.25 * report_.forth.sent, f"out {report_.forth.lost} of {report_.forth.sent} lost")
    check_equal(downs[1], 0, "losses of the other tunnel")
    internet.run("tc", "qdisc", "del", "dev", "wan1", "root")
    wait_shown(s, "up", seconds=2 * PATIENCE)


@case("mode: policy, equal selectors: rekeys of the standby lose nothing, with bgplite and without", full=True)
def policy_standby(lab):
    s = Scenario(lab, "policy standby", tunnels(2, local_ts=(ONPREM_NET,), remote_ts=(VPC_NET,)), bgp=False)
    s.start(s.policy_config())
    cloud_sends_on(s, "ipsec0")
    s.wait_sas()
    s.wait_both_ways()

    def rekeyed(what):
        with s.traffic() as traffic:
            for _ in range(4):
                before = s.ipsec.spis(s.onprem)
                s.ipsec.swanctl(s.cloud, "--rekey", "--child", "vco_child2", check=False)
                wait_until(lambda: s.ipsec.spis(s.onprem) - before, PATIENCE, "SAs of the rekey")
        forth, back = traffic.report.forth, traffic.report.back
        measured(f"mode: policy, 4 rekeys of the standby, {what}", VM, f"out {forth.lost} of {forth.sent} lost",
                 f"back {back.lost} of {back.sent}", "", "aim: none")
        check_equal((forth.lost, back.lost), (0, 0), f"packets lost, {what}")

    rekeyed("bgplite runs")
    s.daemon.processes[0].kill()
    rekeyed("bgplite is dead")


@case("a foreign connection on our tunnel is named, and ours goes on", full=True)
def foreign_connection(lab):
    s = started(lab, "foreign connection")
    path = s.onprem.dir / "guide.conf"
    path.write_text(f"connections {{ {s.ipsec.own_connection(s.tunnels[0], 'guide')} }}\n")
    with s.traffic() as traffic:
        s.ipsec.swanctl(s.onprem, "--load-conns", "--file", path)
        s.ipsec.swanctl(s.onprem, "--initiate", "--child", "guide-child", "--timeout", "60")
        wait_until(lambda: "guide" in s.log(), PATIENCE, lambda: f"the log names it: {s.log()}")
        findings = doctor_findings(s)
        check("foreign-connections" in findings, f"doctor names {sorted(findings)}")
        s.wait_both_ways()
    forth, back = traffic.report.forth, traffic.report.back
    measured("a foreign connection on our tunnel", VM, f"out {forth.lost} of {forth.sent} lost",
             f"back {back.lost} of {back.sent}", f"doctor: {', '.join(sorted(findings))}", "named within a minute")
    s.ipsec.swanctl(s.onprem, "--terminate", "--ike", "guide", check=False)
    wait_shown(s, "up")
    s.wait_both_ways()


@case("our charon ends behind NAT: nothing comes in any more, and no tunnel is called usable", full=True)
def charon_gone_behind_nat(lab):
    s = started(lab, "charon gone behind NAT")
    began = time.monotonic()
    s.ipsec.charons[s.onprem.name].kill()
    for t in s.tunnels:
        wait_shown(s, "down", "charon is not running", tunnel=t.name)
    noticed = time.monotonic() - began
    s.ipsec.start_charon(s.onprem)
    for t in s.tunnels:
        wait_shown(s, "up", tunnel=t.name)
    s.wait_both_ways()
    measured("our charon gone, behind NAT", VM, "", "", f"both down after {noticed:.1f} s", "aim: < 2 s")


def doctor_findings(s):
    """The checks of doctor that are errors now."""
    argv = s.daemon.processes[0].popen.args
    program, path = argv[argv.index("run") - 1], argv[-1]
    answer = s.onprem.run("env", f"STRONGSWAN_CONF={s.onprem.dir}/strongswan.conf", program, "-c", path, "doctor",
                          "--json", check=False, timeout=300).stdout
    return {f["check"] for f in json.loads(answer)["findings"] if f.get("verdict", "error") == "error"}


def ours(**keys):
    def change(s, config):
        config["tunnels"]["ipsec0"]["ike"].update(keys)
    return change


def our_key(s, config):
    path = s.onprem.dir / "wrong.psk"
    s.ipsec.key_file(s.tunnels[0])  # For its owner and mode.
    s.onprem.run("cp", "-p", config["tunnels"]["ipsec0"]["ike"]["psk_file"], path)
    path.write_text("another\n")
    config["tunnels"]["ipsec0"]["ike"]["psk_file"] = str(path)


OTHER = "aes256-sha256-modp2048"
# What is wrong; what the cloud's swanctl.conf says instead; what our file says instead; doctor's findings, of which one
# must be there.
WRONG = [
    ("key, the cloud's", ('secret = "', 'secret = "not-'), None, {"psk-mismatch"}),
    ("key, ours", None, our_key, {"psk-mismatch"}),
    ("IKE proposal, the cloud's", ("  proposals = aes128-sha1-modp1024", f"  proposals = {OTHER}"), None,
     {"ike-proposal"}),
    ("IKE proposal, ours", None, ours(proposals=OTHER), {"ike-proposal"}),
    ("ESP proposal, the cloud's", ("esp_proposals = aes128-sha1-modp1024", f"esp_proposals = {OTHER}"), None,
     {"esp-proposal"}),
    ("ESP proposal, ours", None, ours(esp_proposals=OTHER), {"esp-proposal"}),
    ("id, the cloud's of itself", ("id = 203.0.113.151\n", "id = 192.0.2.98\n"), None, {"id-mismatch", "psk-mismatch"}),
    ("id, ours of us", None, ours(local={"address": "172.16.20.80", "id": "192.0.2.99"}),
     {"id-mismatch", "psk-mismatch"}),
    ("id, ours of the cloud", None, ours(remote={"address": "203.0.113.151", "id": "192.0.2.98"}),
     {"id-mismatch", "psk-mismatch"}),
    ("selectors, narrowed by the cloud", ("local_ts = 0.0.0.0/0", "local_ts = 10.0.0.0/8"), None,
     {"selectors", "selectors-bgp", "tunnels"}),
    ("selectors, disjoint", ("local_ts = 0.0.0.0/0", "local_ts = 10.0.0.0/8"),
     ours(local_ts=["0.0.0.0/0"], remote_ts=["192.168.0.0/16"]), {"selectors"}),
]


@case("wrong key, proposals, selectors and ids on either side: what show, log and doctor say", full=True)
def wrong_on_either_side(lab):
    s = started(lab, "wrong on either side", probe=FAST_PROBE)
    right = copy.deepcopy(s.daemon.value)
    plain = s.ipsec.cloud_config
    failed = []
    for what, cloud, our, findings in WRONG:
        said = len(s.log())
        if cloud:
            # Of the first connection only.
            s.ipsec.cloud_config = lambda: plain().replace(*cloud, 1)
            s.ipsec.load_cloud()
        config = copy.deepcopy(right)
        if our:
            our(s, config)
            reload(s, config)
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
        why = lambda: (shown(s)["reason"], shown(s).get("ike_failure", {}).get("reason", ""))
        bad = lambda: shown(s)["state"] == "down" and ("narrowed" in why()[0] or why()[1] not in ("", "none"))
        wait_until(bad, PATIENCE, lambda: f"{what}: down with a reason; {shown(s)}")
        wait_until(lambda: [line for line in s.log()[said:].splitlines() if "ipsec0: " in line and
                            ("narrowed" in line or why()[1] in line)], PATIENCE, lambda: f"{what}: not in the log")
        found = doctor_findings(s)
        measured(f"wrong {what}", VM, f"show: {why()[0]}; {why()[1]}", f"doctor: {', '.join(sorted(found))}")
        if not found & findings:
            failed.append(f"{what}: doctor names {sorted(found)}, not one of {sorted(findings)}")
        s.ipsec.cloud_config = plain
        s.ipsec.load_cloud()
        if our:
            reload(s, right)
        # SAs with narrowed selectors stay until they are ended.
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
        wait_shown(s, "up", seconds=2 * PATIENCE)
    check(not failed, lambda: "; ".join(failed))


if __name__ == "__main__":
    main()
