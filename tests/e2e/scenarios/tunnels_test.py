#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 1800
"""The tunnels alone (class xfrm::Tunnels, through the example tunnel_watch), without BGP: interfaces, charon's
configuration and SAs are made, kept and told, against a real kernel and two real strongSwans."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import needs
from cases import case, check, check_equal, main, require
from ipsec_lab import KEY, IpsecLab, tunnels
from netlab import holds_for, wait_until


class Watcher:
    """tunnel_watch on the on-premises device."""

    started = 0

    def __init__(self, ipsec, *words, changes=None):
        self.ipsec = ipsec
        argv = list(words)
        for t in ipsec.tunnels:
            fields = dict(
                name=t.name, if_id=t.if_id, address=f"{t.inner_local}/30", device=t.device, gateway=t.gateway,
                local=t.local, local_id=t.egress, remote=t.remote, remote_id=t.remote, psk=ipsec.key_file(t),
                version=t.version, proposals=t.proposals, esp_proposals=t.esp_proposals,
            )
            fields.update(changes or {})
            argv += ["--tunnel", ",".join(f"{k}={v}" for k, v in fields.items() if v is not None)]
        Watcher.started += 1
        self.process = ipsec.onprem.start(f"tunnel_watch-{Watcher.started}", needs.built("tunnel_watch"), *argv)

    def told(self):
        """The last state of each tunnel, as told."""
        states = {}
        for line in self.process.log().splitlines():
            words = line.split(" ", 3)
            if words[0] == "tunnel":
                states[words[1]] = (words[2].rstrip(":"), words[3])
        return states

    def wait_state(self, state, seconds=20, names=None):
        names = names or [t.name for t in self.ipsec.tunnels]
        wait_until(lambda: all(self.told().get(n, ("",))[0] == state for n in names), seconds,
                   lambda: f"tunnels {names} {state}; told: {self.told()}\n{self.process.log()[-1500:]}")

    def lines(self, text):
        return [line for line in self.process.log().splitlines() if text in line]


def start(lab, **options):
    require(needs.root(), needs.xfrm_interfaces(), needs.program("charon-systemd"), needs.program("swanctl"))
    ipsec = IpsecLab(lab, tunnels(**options))
    ipsec.start_cloud()
    ipsec.start_charon(ipsec.onprem)
    return ipsec


@case("from nothing to two tunnels: interfaces, addresses, underlay routes, connections, SAs")
def from_nothing(lab):
    ipsec = start(lab)
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 30)
    for t in ipsec.tunnels:
        link = ipsec.link(t.name)
        check_equal(link["linkinfo"]["info_kind"], "xfrm", "kind of the interface")
        check_equal(link["linkinfo"]["info_data"]["if_id"], hex(t.if_id), "if_id")
        check_equal(link["link"], t.device, "underlying device")
        check_equal(link["mtu"], 1400, "MTU")
        check_equal(link.get("ifalias"), "bgplite", "the mark of an interface we made")
        check_equal(ipsec.addresses(t.name), {f"{t.inner_local}/30"}, "addresses")
        route = ipsec.onprem.routes().get(f"{t.remote}/32", [])
        check(route and route[0].next_hops == {(t.gateway, t.device, 1)}, lambda: f"underlay route: {route}")
        ipsec.wait_ping(ipsec.onprem, t.inner_remote)
    check_equal(ipsec.installed(), {"bgplite-ipsec0", "bgplite-ipsec1"}, "connections with SAs")


@case("what others take away comes back: address, interface, underlay, connections, keys, charon itself")
def repairs(lab):
    ipsec = start(lab)
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 30)
    first, second = ipsec.tunnels
    onprem = ipsec.onprem

    # Not `ip address flush`: it goes on until none is left, and what comes back at once it takes again.
    onprem.ip("address", "del", f"{first.inner_local}/30", "dev", first.name)
    wait_until(lambda: ipsec.addresses(first.name) == {f"{first.inner_local}/30"}, 5, "the address back")
    watcher.wait_state("up", 5)
    check(watcher.lines("address missing"), "the missing address was not told")

    before = ipsec.spis(onprem)
    onprem.ip("link", "del", first.name)
    wait_until(lambda: ipsec.link(first.name) and ipsec.addresses(first.name), 5, "the interface back")
    watcher.wait_state("up", 5)
    check(watcher.lines("tunnel ipsec0 down: interface missing"), "the missing interface was not told")
    check_equal(ipsec.spis(onprem), before, "SAs after the interface was made anew")
    ipsec.wait_ping(onprem, first.inner_remote)

    onprem.ip("link", "set", "eth0", "down")
    onprem.ip("link", "set", "eth0", "up")
    wait_until(lambda: f"{first.remote}/32" in onprem.routes(), 5, "the underlay route after eth0 flapped")
    ipsec.wait_ping(onprem, first.inner_remote)

    # A foreign --load-all: charon forgets what is not in the file, the SAs stay, and ours are loaded again.
    empty = onprem.dir / "empty.conf"
    empty.write_text("connections {}\nsecrets {}\n")
    before = ipsec.spis(onprem)
    ipsec.swanctl(onprem, "--load-all", "--file", empty)
    wait_until(lambda: "bgplite-ipsec1" in ipsec.swanctl(onprem, "--list-conns"), 8, "connections loaded again")
    check_equal(ipsec.spis(onprem), before, "SAs after a foreign load-all")
    check(watcher.lines("another program unloaded its connection"), "the unloading was not told")

    charon = ipsec.charons["onprem"]
    charon.kill()
    ipsec.start_charon(onprem)
    wait_until(lambda: len(ipsec.installed()) == 2, 30, "SAs of the new charon")
    watcher.wait_state("up", 15)
    ipsec.wait_ping(onprem, first.inner_remote)
    ipsec.wait_ping(onprem, second.inner_remote)


@case("a tunnel stands on its uplink: what is missing is told at once, and what is back")
def stands_on_uplink(lab):
    ipsec = start(lab)
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 30)
    first = ipsec.tunnels[0]
    far, address = ("link", "set", "p-onprem"), (f"{first.local}/24", "dev", first.device)
    for reason, take, give in (
        ("underlay device has no carrier", lambda: ipsec.internet.ip(*far, "down"),
         lambda: ipsec.internet.ip(*far, "up")),
        ("local IKE address missing", lambda: ipsec.onprem.ip("address", "del", *address),
         lambda: ipsec.onprem.ip("address", "add", *address)),
        ("underlay device down", lambda: ipsec.onprem.ip("link", "set", first.device, "down"),
         lambda: ipsec.onprem.ip("link", "set", first.device, "up")),
    ):
        take()
        wait_until(lambda: watcher.told()[first.name] == ("down", reason), 10,
                   lambda: f"{reason}; told: {watcher.told()}")
        check_equal(watcher.told()["ipsec1"][0], "up", "the tunnel over the other uplink")
        give()
        watcher.wait_state("up", 60)
        ipsec.wait_ping(ipsec.onprem, first.inner_remote)


@case("our charon crashes: its SAs are deleted once there are newer ones; a storm of rekeys initiates nothing")
def crash_and_storm(lab):
    ipsec = start(lab)
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 30)
    before = ipsec.spis(ipsec.onprem)
    ipsec.charons["onprem"].kill()
    ipsec.start_charon(ipsec.onprem)
    wait_until(lambda: len(ipsec.installed()) == 2, 60, "SAs of the new charon")
    wait_until(lambda: not before & ipsec.spis(ipsec.onprem), 60,
               lambda: f"the old SAs deleted; left: {before & ipsec.spis(ipsec.onprem)}")
    watcher.wait_state("up", 30)
    ipsec.wait_ping(ipsec.onprem, ipsec.tunnels[0].inner_remote)

    log = lambda: ipsec.onprem.run("cat", ipsec.onprem.dir / "charon-file.log").stdout
    initiates = log().count("vici initiate")
    for _ in range(15):
        ipsec.swanctl(ipsec.cloud, "--rekey", "--ike", "vco1", check=False)
        ipsec.swanctl(ipsec.onprem, "--rekey", "--child", "ipsec0", check=False)
    # charon forgets an SA whose deletion falls into a rekey of its IKE_SA; we end that 30 s later.
    wait_until(lambda: len(ipsec.spis(ipsec.onprem)) == 4, 180,
               lambda: f"4 SAs: {ipsec.spis(ipsec.onprem)}\n{ipsec.swanctl(ipsec.onprem, '--list-sas')}")
    listed = ipsec.swanctl(ipsec.onprem, "--list-sas").splitlines()
    check_equal(sum(line.startswith("bgplite-ipsec0:") for line in listed), 1, "IKE_SAs of the first tunnel")
    check_equal(log().count("vici initiate"), initiates, "initiates")


@case("a rekey changes nothing; an SA the peer deletes is told at once; the other tunnel is not touched")
def events(lab):
    ipsec = start(lab)
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 30)
    states = lambda name: [line for line in watcher.lines(f"tunnel {name} ") if line.startswith("tunnel ")]
    told, other = len(states("ipsec0")), len(states("ipsec1"))
    for _ in range(3):
        before = ipsec.spis(ipsec.onprem)
        ipsec.swanctl(ipsec.onprem, "--rekey", "--child", "ipsec0")
        wait_until(lambda: ipsec.spis(ipsec.onprem) - before, 10, "new SAs")
    ipsec.swanctl(ipsec.onprem, "--rekey", "--ike", "bgplite-ipsec0")
    wait_until(lambda: len(ipsec.spis(ipsec.onprem)) == 4, 180,
               lambda: "the old SAs gone; there are " + ipsec.swanctl(ipsec.onprem, "--list-sas"))
    check_equal(states("ipsec0")[told:], [], "states told during three rekeys of the child and one of the IKE_SA")

    ipsec.swanctl(ipsec.cloud, "--terminate", "--ike", "vco1")
    wait_until(lambda: any(" down: " in line for line in states("ipsec0")[told:]), 5, "the loss told")
    watcher.wait_state("up", 20)
    check_equal(states("ipsec1")[other:], [], "states told of the other tunnel")


@case("a wrong key: said why, tried again with backoff, healed by the right key without anybody's help")
def wrong_key(lab):
    require(needs.root(), needs.xfrm_interfaces(), needs.program("charon-systemd"))
    ipsec = IpsecLab(lab, tunnels()[:1])
    ipsec.tunnels[0].key = "not-" + KEY
    ipsec.start_cloud()
    ipsec.tunnels[0].key = KEY
    ipsec.start_charon(ipsec.onprem)
    watcher = Watcher(ipsec)
    wait_until(lambda: watcher.lines("authentication failed: key or identity differ"), 20,
               lambda: "the reason told; " + watcher.process.log()[-800:])
    ipsec.load_cloud()
    watcher.wait_state("up", 40)
    check(KEY not in watcher.process.log(), "the key is in our output")


@case("a key file that others can read is refused, with the chmod to run")
def open_key(lab):
    require(needs.root(), needs.xfrm_interfaces(), needs.program("charon-systemd"))
    ipsec = IpsecLab(lab, tunnels()[:1])
    ipsec.start_charon(ipsec.onprem)
    path = ipsec.key_file(ipsec.tunnels[0])
    os.chmod(path, 0o644)
    key_file, ipsec.key_file = ipsec.key_file, lambda tunnel: path
    watcher = Watcher(ipsec)
    ipsec.key_file = key_file
    wait_until(lambda: watcher.lines(f"chmod 600 {path}"), 15, lambda: "the chmod told; " + watcher.process.log())
    os.chmod(path, 0o600)
    ipsec.start_cloud()
    watcher.wait_state("up", 40)


@case("IPv6 inner addresses in a VRF: both families go through, and what is missing comes back", full=True)
def ipv6_in_a_vrf(lab):
    both = ("0.0.0.0/0", "::/0")
    ipsec = start(lab, local_ts=both, remote_ts=both)
    onprem, first = ipsec.onprem, ipsec.tunnels[0]
    ipsec.tunnels = [first]
    onprem.batch("link add blue type vrf table 100", "link set blue up")
    ipsec.cloud.address(first.name, "fd00:10::1/64")
    watcher = Watcher(ipsec, changes={"address": f"{first.inner_local}/30;fd00:10::2/64", "vrf": "blue", "mtu": 1360})
    watcher.wait_state("up", 60)
    through = lambda target: wait_until(lambda: ipsec.ping(onprem, target, source="blue", seconds=1), 30, target)
    for target in (first.inner_remote, "fd00:10::1"):
        through(target)
    link = ipsec.link(first.name)
    check_equal((link["master"], link["mtu"]), ("blue", 1360), "VRF and MTU")
    onprem.ip("address", "del", "fd00:10::2/64", "dev", first.name)
    onprem.ip("link", "set", first.name, "nomaster")
    whole = lambda: (ipsec.link(first.name).get("master"), "fd00:10::2/64" in ipsec.addresses(first.name))
    wait_until(lambda: whole() == ("blue", True), 10, lambda: f"the VRF and the address again: {whole()}")
    watcher.wait_state("up", 10)
    through("fd00:10::1")


@case("a silent outage of 400 s, longer than charon's patience, heals by itself", full=True)
def long_outage(lab):
    ipsec = start(lab)
    first = ipsec.tunnels[0]
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 60)
    ipsec.cut(1)
    began = time.monotonic()
    # charon notices after dpd_delay and its retransmissions, 175 s.
    watcher.wait_state("down", 300, [first.name])
    check("giving up" in watcher.process.log() or watcher.lines("does not answer"), "the reason was not told")
    holds_for(lambda: watcher.told()[first.name][0] == "down", 400 - (time.monotonic() - began), "the tunnel is down")
    before = ipsec.spis(ipsec.onprem)
    ipsec.mend()
    watcher.wait_state("up", 120)
    check(ipsec.spis(ipsec.onprem) - before, "there are no new SAs")
    ipsec.wait_ping(ipsec.onprem, first.inner_remote)
    print(f"note outage: mended after {time.monotonic() - began:.0f} s, traffic again", flush=True)


@case("on_exit: keep leaves everything working; remove takes away what we made, and only that")
def leaving(lab):
    ipsec = start(lab)
    onprem = ipsec.onprem
    # Somebody else's interface with our if_id: adopted under its own name, never deleted.
    onprem.ip("link", "add", "mine0", "type", "xfrm", "dev", "eth0", "if_id", "42")
    watcher = Watcher(ipsec)
    watcher.wait_state("up", 30)
    check(ipsec.link("ipsec0") is None, "a second interface with the same if_id was made")
    check_equal(ipsec.addresses("mine0"), {"169.254.10.2/30"}, "addresses of the adopted interface")
    watcher.process.stop()
    check_equal(len(ipsec.installed()), 2, "tunnels after an end with keep")
    ipsec.wait_ping(onprem, "169.254.20.1")

    watcher = Watcher(ipsec, "--remove-on-exit")
    watcher.wait_state("up", 20)
    check_equal(watcher.process.stop(), 0, "exit status")
    wait_until(lambda: not ipsec.installed(), 10, "no SAs after an end with remove")
    check(ipsec.link("ipsec1") is None, "our interface is still there")
    check(ipsec.link("mine0") is not None, "somebody else's interface was deleted")
    check("203.0.113.151/32" not in onprem.routes(), "the underlay route is still there")
    check("bgplite-" not in ipsec.swanctl(onprem, "--list-conns"), "connections of ours are still loaded")

    watcher = Watcher(ipsec, "--remove-on-exit")
    watcher.wait_state("up", 30)
    charon = ipsec.charons[onprem.name]
    charon.pause()
    check_equal(watcher.process.stop(30), 0, "exit status while charon hangs")
    charon.resume()
    check(ipsec.link("ipsec1") is None, "our interface is still there, because charon hung")
    check(watcher.lines("charon did not take our connections out"), "nobody was told what stays")


if __name__ == "__main__":
    main()
