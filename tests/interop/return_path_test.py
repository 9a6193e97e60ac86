#!/usr/bin/env python3
# kind: default
# seconds: 240
"""A tunnel is lost without a word while its session is held: our direction moves by itself, the return direction when
FRR, as the cloud, hears our networks in halves over the other tunnel. Hosts talk through it with numbered packets.

The tunnels are plain links over switches, so that the cloud does not see our end go down.
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import pairs
from cases import case, check, check_equal, main, require
from loss import Loss
from netlab import holds_for, wait_until
from pairs import OURS, VPC_HOSTS
from peers import Bgplite, Frr, Neighbor, Router
from routes import VPC, check_learned, learned, wait_learned

SECOND_OUT = {("169.254.20.1", "ipsec1", 1)}
BOTH_OUT = {("169.254.10.1", "ipsec0", 1)} | SECOND_OUT
SECOND_BACK = {("169.254.20.2", "ipsec1", 1)}
BOTH_BACK = {("169.254.10.2", "ipsec0", 1)} | SECOND_BACK
HALVES = [f"172.16.{n}.{half}/25" for n in (20, 21) for half in (0, 128)]
WHOLE = {prefix: BOTH_BACK for prefix in pairs.ON_PREMISES}
PEERS = ("169.254.10.1", "169.254.20.1")
# What an operator writes who lists the networks one by one: the halves go where the networks go.
LISTED = [{"match": {"prefix": pairs.ON_PREMISES}, "accept": True}]


def scenario(lab, peer_options, hold=30):
    extra = {
        "peers": {a: {"accept_all": False, "import": "all", "export": "listed", **peer_options} for a in PEERS},
        "policies": {"all": [{"accept": True}], "listed": LISTED},
    }
    gateway, cloud, ours, theirs = pairs.document(lab, join=lab.long_link, extra=extra, hold=hold)
    client, vpc = pairs.hosts(lab, gateway, cloud)
    check_learned(gateway, VPC, BOTH_OUT, OURS)
    wait_learned(cloud, WHOLE, 4, Frr.kernel_protocol)
    return gateway, cloud, ours, Loss(client, vpc, "172.16.20.10", VPC_HOSTS, rate=1000, flows=10)


def sessions(ours):
    """{peer: sessions so far}"""
    return {row["peer"]: row["established"] for row in ours.json("show", "peers")["peers"]}


def told(report):
    for name, way in (("forth", report.forth), ("back", report.back)):
        print(f"    {name}: {way.sent} sent, {way.lost} lost, longest gap {way.longest_gap_s:.2f} s")


@case("ipsec0 goes down, hold time 30 s: the return direction is back in under 1 s, and everything when it returns")
def more_specifics(lab):
    gateway, cloud, ours, traffic = scenario(lab, {"return_path": {"longest": 25}})
    before = sessions(ours)
    with traffic:
        gateway.down("ipsec0")
        wait_learned(cloud, {**WHOLE, **{half: SECOND_BACK for half in HALVES}}, 4, Frr.kernel_protocol)
        check_learned(gateway, VPC, SECOND_OUT, OURS)
        # The first session is held: whoever looked at its routes alone would go on sending there.
        holds_for(lambda: sessions(ours) == before, 2, "both sessions are held")
    told(traffic.report)
    check(traffic.report.back.sent > 1000, "traffic flowed")
    check(traffic.report.back.longest_gap_s < 1, "the return direction was away for a second or more")
    check(traffic.report.forth.longest_gap_s < 1, "our direction was away for a second or more")
    gateway.up("ipsec0")
    check_learned(gateway, VPC, BOTH_OUT, OURS)
    wait_learned(cloud, WHOLE, 4, Frr.kernel_protocol)
    check_equal(sessions(ours), before, "sessions so far: none was lost")


@case("without return_path the cloud sends into the lost tunnel until its hold timer ends")
def without(lab):
    gateway, cloud, ours, traffic = scenario(lab, {"graceful_restart": "off"}, hold=9)
    with traffic:
        gateway.down("ipsec0")
        wait_learned(cloud, {prefix: SECOND_BACK for prefix in pairs.ON_PREMISES}, 4, Frr.kernel_protocol)
    told(traffic.report)
    check(traffic.report.back.longest_gap_s > 3, "so the other case proves nothing")


@case("the halves are taken back when the lost session's hold timer has ended at both sides")
def hold_ends(lab):
    gateway, cloud, ours, traffic = scenario(
        lab, {"graceful_restart": "off", "return_path": "more_specifics"}, hold=9
    )
    with traffic:
        gateway.down("ipsec0")
        wait_learned(cloud, {**WHOLE, **{half: SECOND_BACK for half in HALVES}}, 4, Frr.kernel_protocol)
        wait_learned(cloud, {prefix: SECOND_BACK for prefix in pairs.ON_PREMISES}, 4, Frr.kernel_protocol, 20)
    told(traffic.report)
    check(traffic.report.back.longest_gap_s < 1, "the return direction was away for a second or more")
    gateway.up("ipsec0")
    check_learned(gateway, VPC, BOTH_OUT, OURS, 30)
    wait_learned(cloud, WHOLE, 4, Frr.kernel_protocol, 30)


@case("neither the limit of what the cloud takes nor the longest length is exceeded")
def limits(lab):
    options = {"return_path": {"longest": 25}, "export_limit": {"max": 5}}
    gateway, cloud, ours, _ = scenario(lab, options)
    gateway.down("ipsec0")
    first = {half: SECOND_BACK for half in HALVES[:2]}
    wait_learned(cloud, {**WHOLE, **first}, 4, Frr.kernel_protocol)
    ours.extra["peers"] = {a: {**ours.extra["peers"][a], "return_path": {"longest": 24}} for a in PEERS}
    ours.reload(set(ours.announced))
    wait_learned(cloud, WHOLE, 4, Frr.kernel_protocol)
    ours.extra["peers"] = {
        a: {**ours.extra["peers"][a], "return_path": {"longest": 25}, "export_limit": {"max": 50}} for a in PEERS
    }
    ours.reload(set(ours.announced))
    wait_learned(cloud, {**WHOLE, **{half: SECOND_BACK for half in HALVES}}, 4, Frr.kernel_protocol)
    wait_until(lambda: all(ours.established(a) for a in PEERS), 5, "a reload of return_path resets no session")


@case("a path comes back and both sides dial: one session each, and ECMP again in seconds, not after a retry timer")
def comes_back(lab):
    gateway, cloud, ours, theirs = pairs.document(lab, extra={"peers": {a: {"graceful_restart": "off"} for a in PEERS}})
    check_learned(gateway, VPC, BOTH_OUT, OURS)
    wait_learned(cloud, WHOLE, 4, Frr.kernel_protocol)
    for round_number in (1, 2, 3):
        before, theirs_before = sessions(ours), established_at(theirs)
        # Both links at once and at both ends: each side notices, closes, and dials when they return.
        for space in (gateway, cloud):
            space.batch("link set ipsec0 down", "link set ipsec1 down")
        for address in PEERS:
            ours.cli("reset", address, "--yes")
        wait_until(lambda: not gateway.routes(4, OURS), 10, "no routes")
        for space in (gateway, cloud):
            space.batch("link set ipsec0 up", "link set ipsec1 up")
        up = time.monotonic()
        check_learned(gateway, VPC, BOTH_OUT, OURS)
        wait_learned(cloud, WHOLE, 4, Frr.kernel_protocol)
        print(f"    round {round_number}: ECMP again at both ends {time.monotonic() - up:.2f} s after the links")
        # What a late collision would do to the young sessions, it does within this time.
        wanted = {address: count + 1 for address, count in before.items()}
        holds_for(lambda: sessions(ours) == wanted, 1, lambda: f"one new session each: {before} -> {sessions(ours)}")
        theirs_now = established_at(theirs)
        check_equal(
            theirs_now, {address: count + 1 for address, count in theirs_before.items()}, "sessions as FRR counts them"
        )


# A BGP speaker that says End-of-RIB when the file /run/end is there: LOCAL REMOTE PREFIX...
SPEAKER = r"""
import os, socket, struct, sys, time
local, remote, prefixes = sys.argv[1], sys.argv[2], sys.argv[3:]
message = lambda kind, body=b"": b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body
capability = lambda code, value: bytes([2, 2 + len(value), code, len(value)]) + value
# Graceful restart without a family: it keeps nothing, but says End-of-RIB.
offered = capability(1, b"\0\1\0\1") + capability(64, struct.pack("!H", 120))
own = socket.inet_aton(local)
s = socket.create_connection((remote, 179), 20, (local, 0))
s.sendall(message(1, struct.pack("!BHH", 4, 65535, 90) + own + bytes([len(offered)]) + offered))
kind = 0
while kind != 4:
    header = s.recv(19, socket.MSG_WAITALL)
    length, kind = struct.unpack("!HB", header[16:])
    s.recv(length - 19, socket.MSG_WAITALL) if length > 19 else b""
    if kind == 1:
        s.sendall(message(4))
attributes = b"\x40\x01\x01\x00" + b"\x40\x02\x04\x02\x01\xff\xff" + b"\x40\x03\x04" + own
nlri = b"".join(bytes([24]) + socket.inet_aton(prefix.split("/")[0])[:3] for prefix in prefixes)
s.sendall(message(2, struct.pack("!HH", 0, len(attributes)) + attributes + nlri))
while not os.path.exists("/run/end"):
    time.sleep(0.02)
s.sendall(message(2, b"\0\0\0\0"))
while True:
    s.sendall(message(4))
    time.sleep(5)
"""


@case("a peer that comes back beside another is used when it has said everything, at once, or after 5 s")
def make_before_break(lab):
    require(Bgplite.missing(), Frr.missing())
    gateway, cloud, other = lab.namespace("gateway"), lab.namespace("cloud"), lab.namespace("other")
    lab.link(gateway, cloud, "ipsec0", "ipsec0", ["169.254.10.2/30"], ["169.254.10.1/30"])
    lab.link(gateway, other, "ipsec1", "ipsec1", ["169.254.20.2/30"], ["169.254.20.1/30"])
    ours = Bgplite(gateway, Router(65530, "169.254.10.2", [Neighbor(a, 65535) for a in PEERS], maximum_paths=4))
    theirs = Frr(cloud, Router(65535, "169.254.10.1", [Neighbor("169.254.10.2", 65530)]))
    theirs.announce(VPC)
    theirs.start()
    ours.start()

    def speaker():
        return other.start("speaker", "python3", "-c", SPEAKER, "169.254.20.1", "169.254.20.2", *VPC)

    first_only = {("169.254.10.1", "ipsec0", 1)}
    other.write("/run/end", "")
    first = speaker()
    check_learned(gateway, VPC, BOTH_OUT, OURS)
    for round_number, says_end in ((2, True), (3, False)):
        first.kill()
        check_learned(gateway, VPC, first_only, OURS)
        other.run("rm", "-f", "/run/end")
        first = speaker()
        wait_until(lambda: ours.established(PEERS[1]), 20, "the other peer is back")
        wait_until(lambda: prefixes_of(ours, PEERS[1]) == len(VPC), 5, "and has announced everything")
        up = time.monotonic()
        holds_for(
            lambda: learned(gateway, 4, OURS) == {prefix: frozenset(first_only) for prefix in VPC},
            1,
            "traffic stays where it is before End-of-RIB",
        )
        if says_end:
            other.write("/run/end", "")
        check_learned(gateway, VPC, BOTH_OUT, OURS, 8)
        print(f"    round {round_number}: used {time.monotonic() - up:.1f} s after its last route")


def prefixes_of(ours, address):
    return next(row for row in ours.json("show", "peers")["peers"] if row["peer"] == address)["prefixes"]["received"]


def established_at(frr):
    """{our address: sessions so far} as FRR counts them."""
    return {f"169.254.{n}.2": frr.neighbor(f"169.254.{n}.2")["connectionsEstablished"] for n in (10, 20)}


if __name__ == "__main__":
    main()
