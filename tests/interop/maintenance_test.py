#!/usr/bin/env python3
# kind: default
# seconds: 240
"""Work on a gateway that carries traffic, FRR as the cloud: a drained peer costs no packet in either direction, a drill
plays a failure, says what would have been lost and ends by itself.
"""
import json
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
import pairs
from cases import case, check, check_equal, main
from loss import Loss
from netlab import wait_until
from pairs import OURS, VPC_HOSTS
from peers import Frr
from routes import VPC, check_learned, wait_learned

FIRST, SECOND = "169.254.10.1", "169.254.20.1"
SECOND_OUT = {(SECOND, "ipsec1", 1)}
BOTH_OUT = {(FIRST, "ipsec0", 1)} | SECOND_OUT
SECOND_BACK = {("169.254.20.2", "ipsec1", 1)}
BOTH_BACK = {("169.254.10.2", "ipsec0", 1)} | SECOND_BACK


def scenario(lab, **peer_options):
    peers = {address: dict(peer_options) for address in (FIRST, SECOND)}
    extra = {"metrics": {"listen": "127.0.0.1:9342"}, "peers": peers}
    gateway, cloud, ours, theirs = pairs.document(lab, extra=extra)
    client, vpc = pairs.hosts(lab, gateway, cloud)
    settled(gateway, cloud)
    return gateway, cloud, ours, theirs, Loss(client, vpc, "172.16.20.10", VPC_HOSTS, rate=1000, flows=10)


def settled(gateway, cloud):
    check_learned(gateway, VPC, BOTH_OUT, OURS)
    check_learned(cloud, pairs.ON_PREMISES, BOTH_BACK, Frr.kernel_protocol)


def lost(traffic):
    forth, back = traffic.report.forth, traffic.report.back
    print(f"    forth {forth.sent} sent, {forth.lost} lost; back {back.sent} sent, {back.lost} lost")
    check(forth.sent > 1000 and back.sent > 1000, "traffic flowed")
    return forth.lost, back.lost


def counted(gateway, line):
    """The page of metrics has this line."""
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9342/metrics').read().decode())"
    return line in gateway.run("python3", "-c", fetch).stdout.splitlines()


def row(ours, address):
    return next(row for row in ours.json("show", "peers")["peers"] if row["peer"] == address)


@case("drain: the peer hears GRACEFUL_SHUTDOWN, then the session ends, and no packet is lost; --undo brings it back")
def drain(lab):
    gateway, cloud, ours, theirs, traffic = scenario(lab)
    refused = ours.cli("drain", FIRST, check=False)
    check_equal((refused.returncode, row(ours, FIRST).get("drained")), (1, None), "without --yes")
    check_equal(ours.cli("drain", "--undo", check=False).returncode, 1, "nothing is drained")
    seen = {}

    def communities():
        paths = theirs.json("show bgp ipv4 unicast 172.16.20.0/24").get("paths", [])
        for path in paths:
            seen[path["peer"]["peerId"]] = (path.get("community", {}).get("string", ""), path.get("metric"))
        return "graceful-shutdown" in seen.get("169.254.10.2", ("",))[0]

    with traffic:
        answer = {}
        command = threading.Thread(
            target=lambda: answer.update(done=ours.cli("drain", FIRST, "--wait", "3s", "--yes", check=False))
        )
        command.start()
        wait_until(communities, 10, "FRR sees the community")
        check("graceful-shutdown" not in seen["169.254.20.2"][0], f"only on the drained session: {seen}")
        check_equal(row(ours, FIRST)["drained"], "graceful shutdown announced", "show peers")
        for peer, drained in ((FIRST, 1), (SECOND, 0)):
            check(counted(gateway, f'bgplite_peer_drained{{peer="{peer}",name=""}} {drained}'), f"metrics of {peer}")
        check_learned(gateway, VPC, SECOND_OUT, OURS)
        check_learned(cloud, pairs.ON_PREMISES, SECOND_BACK, Frr.kernel_protocol)
        wait_until(lambda: communities() and seen["169.254.10.2"][1] == 4294967295, 10, lambda: f"highest MED: {seen}")
        command.join()
        done = answer["done"]
        check_equal(done.returncode, 0, done.stderr)
        steps = [line.split(": ")[1] for line in done.stdout.splitlines()]
        check_equal(
            steps, ["graceful shutdown announced", "prepended and highest MED", "session stopped"], "what it says"
        )
        theirs.wait_down("169.254.10.2", 10)
        check(ours.established(SECOND), "the other session is up")
        ours.cli("drain", FIRST, "--undo")
        settled(gateway, cloud)
        check_equal(row(ours, FIRST).get("drained"), None, "drained no more")
    check_equal(lost(traffic), (0, 0), "packets lost, both ways")


@case("drain of every peer ends every session; enable undoes it for one")
def drain_all(lab):
    gateway, cloud, ours, theirs, _ = scenario(lab)
    drained = json.loads(ours.cli("drain", "--wait", "100ms", "--yes", "--json").stdout)["drained"]
    check_equal({entry["peer"]: entry["done"] for entry in drained}, {FIRST: True, SECOND: True}, "all are stopped")
    wait_until(lambda: not gateway.routes(4, OURS), 10, "no routes are left")
    ours.cli("enable", SECOND)
    check_learned(gateway, VPC, SECOND_OUT, OURS)
    check_equal(ours.established(FIRST), False, "the first stays drained")


@case("drill with return_path: both directions move, nothing is lost, and it ends by itself")
def drill(lab):
    gateway, cloud, ours, theirs, traffic = scenario(lab, return_path="more_specifics")
    with traffic:
        answer = {}
        command = threading.Thread(
            target=lambda: answer.update(done=ours.cli("drill", FIRST, "--for", "3s", "--yes", "--json", check=False))
        )
        command.start()
        check_learned(gateway, VPC, SECOND_OUT, OURS)
        halves = [f"172.16.{n}.{half}/25" for n in (20, 21) for half in (0, 128)]
        whole = {prefix: BOTH_BACK for prefix in pairs.ON_PREMISES}
        wait_learned(cloud, {**whole, **{half: SECOND_BACK for half in halves}}, 4, Frr.kernel_protocol)
        check_equal(row(ours, SECOND)["return_path_halves"], 4, "show peers")
        check(counted(gateway, "bgplite_drill_running 1"), "metrics while it is played")
        check(ours.established(FIRST), "IPsec and the session are not touched")
        command.join()
        done = answer["done"]
        check_equal(done.returncode, 0, done.stdout + done.stderr)
        settled(gateway, cloud)
        check(counted(gateway, "bgplite_drill_running 0"), "metrics afterwards")
    check_equal(lost(traffic), (0, 0), "packets lost, both ways")
    report = json.loads(done.stdout)
    print(f"    {json.dumps(report)}")
    check_equal((report["state"], report["interface"], report["counted"]), ("done", "ipsec0", True), "report")
    check(2.9 < report["lasted_s"] < 10, "it lasted as long as asked")
    check(report["out"]["moved_after_ms"] is not None and report["in"]["moved_after_ms"] is not None, "both moved")
    check(0 < report["failover_us"] < 1_000_000, "the kernel's time")


@case("drill without return_path says that return traffic would be lost; a command that dies leaves nothing behind")
def drill_without(lab):
    gateway, cloud, ours, theirs, traffic = scenario(lab)
    with traffic:
        done = ours.cli("drill", FIRST, "--for", "2s", "--yes", check=False)
    check_equal(done.returncode, 1, done.stdout + done.stderr)
    check("return direction: did not move" in done.stdout, done.stdout)
    check("our direction:    moved after" in done.stdout, done.stdout)
    check_equal(lost(traffic), (0, 0), "packets lost: it was a rehearsal")
    settled(gateway, cloud)
    process = gateway.start("drill", needs.built("bgplite"), "drill", FIRST, "--for", "3s", "--yes")
    check_learned(gateway, VPC, SECOND_OUT, OURS)
    process.kill()
    check_equal(ours.cli("drill", SECOND, "--yes", check=False).returncode, 1, "a second one at a time is refused")
    settled(gateway, cloud)
    gateway.start("drill2", needs.built("bgplite"), "drill", FIRST, "--for", "60s", "--yes")
    check_learned(gateway, VPC, SECOND_OUT, OURS)
    ours.cli("drill", "--stop")
    settled(gateway, cloud)
    check_equal(ours.cli("drill", "nobody", "--yes", check=False).returncode, 1, "no such tunnel or peer")


if __name__ == "__main__":
    main()
