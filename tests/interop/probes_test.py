#!/usr/bin/env python3
# kind: default
# seconds: 300
"""Echo probes through tunnels, end to end: a tunnel whose link stays up while nothing arrives is noticed, traffic
moves, sessions stay, and all of it can be seen; what cannot be probed is not taken down, and says why."""
import json
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


# Answers echo requests to 169.254.10.1 as many milliseconds late as the file says.
LATE = """
import heapq, select, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
due = []
while True:
    wait = max(0, due[0][0] - time.monotonic()) if due else None
    if select.select([s], [], [], wait)[0]:
        packet, (source, _) = s.recvfrom(2048)
        icmp = packet[(packet[0] & 15) * 4:]
        if icmp[0] == 8 and packet[16:20] == socket.inet_aton("169.254.10.1"):
            body = b"\\0\\0\\0\\0" + icmp[4:]
            total = sum(struct.unpack(f"!{len(body) // 2}H", body))
            total = (total & 0xffff) + (total >> 16)
            answer = body[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + body[4:]
            heapq.heappush(due, (time.monotonic() + int(open(sys.argv[1]).read()) / 1000, answer, source))
    while due and due[0][0] <= time.monotonic():
        s.sendto(due[0][1], (heapq.heappop(due)[2], 0))
"""


@case("answers after 250 ms with probes every 100 ms: it learns that and counts no loss; a jump to 400 ms is a moment")
def slow(lab):
    links = Links(lab, probe=FAST)
    delay = lambda milliseconds: links.cloud.write("/run/delay", f"{milliseconds}")
    delay(250)
    links.cloud.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    links.cloud.start("late", sys.executable, "-c", LATE, "/run/delay")
    probe = lambda: links.tunnel("ipsec0")["probe"]
    links.start()
    links.wait_probe("ipsec0", "up")
    answered = probe()["answered"]
    wait_until(lambda: probe()["answered"] >= answered + 70, 20, "70 answers")
    check_equal((probe()["state"], probe()["recent_lost"], links.tunnel("ipsec0")["went_down"]), ("up", 0, 0), "slow")
    check(250 <= probe()["round_trip_ms"]["smoothed"] < 400, lambda: probe()["round_trip_ms"])
    peer = next(row for row in links.ours.json("show", "peers")["peers"] if row["peer"] == "169.254.10.1")
    check(peer["probe"]["round_trip_ms"]["smoothed"] >= 250, lambda: peer)
    check('bgplite_probe_smoothed_round_trip_seconds{tunnel="ipsec0"} 0.2' in links.metrics(), links.metrics)
    delay(400)
    answered = probe()["answered"]
    wait_until(lambda: probe()["answered"] >= answered + 30, 20, "30 answers after the jump")
    links.wait_tunnel("ipsec0", "up")
    check(links.tunnel("ipsec0")["went_down"] <= 1, lambda: links.tunnel("ipsec0"))


# Answers echo requests to 169.254.10.1 until the file is there; from then on it sends the first answer again and again.
REPLAY = """
import os, select, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
first = None
while True:
    asked = select.select([s], [], [], 0.05)[0]
    replay = os.path.exists(sys.argv[1])
    if asked:
        packet, (source, _) = s.recvfrom(2048)
        icmp = packet[(packet[0] & 15) * 4:]
        if not replay and icmp[0] == 8 and packet[16:20] == socket.inet_aton("169.254.10.1"):
            body = b"\\0\\0\\0\\0" + icmp[4:]
            total = sum(struct.unpack(f"!{len(body) // 2}H", body))
            total = (total & 0xffff) + (total >> 16)
            last = body[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + body[4:], source
            first = first or last
            s.sendto(last[0], (last[1], 0))
    if replay:
        for answer, to in {first, last}:
            s.sendto(answer, (to, 0))
"""


@case("a target that is dead stays down though its old answers are sent again and again")
def replayed(lab):
    links = Links(lab, probe=FAST)
    links.cloud.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    links.cloud.start("replay", sys.executable, "-c", REPLAY, "/run/dead")
    links.start()
    links.wait_probe("ipsec0", "up")
    answered = lambda: links.tunnel("ipsec0")["probe"]["answered"]
    wait_until(lambda: answered() >= 10, 10, "10 answers")
    links.cloud.write("/run/dead", "")
    links.wait_probe("ipsec0", "down", 5)
    counted = answered()
    holds_for(lambda: links.tunnel("ipsec0")["probe"]["state"] == "down", 2, lambda: links.tunnel("ipsec0"))
    check_equal(answered(), counted, "answers counted while only old ones came")


@case("a probe that a reload adds after a start without probes and devices works where only a raw socket can")
def added(lab):
    require(needs.root(), needs.namespaces())
    gateway, cloud = lab.namespace("gateway"), lab.namespace("cloud")
    lab.link(gateway, cloud, "ipsec0", "ipsec0", ["169.254.10.2/30"], ["169.254.10.1/30"])
    gateway.run("sysctl", "-qw", "net.ipv4.ping_group_range=1 0")
    gateway.run("mkdir", "-p", "/run/state")
    tunnel = {"mode": "link", "address": "169.254.10.2/30"}
    config = {"router": {"asn": 65001, "router_id": "192.0.2.1"}, "state_dir": "/run/state", "user": "nobody",
              "listen": {"enabled": False}, "tunnels": {"ipsec0": tunnel}}  # fmt: skip
    cli = lambda *words: gateway.run(needs.built("bgplite"), "-c", "/run/gw.yaml", *words, check=False)
    gateway.write("/run/gw.yaml", json.dumps(config))
    gateway.start("bgplite", needs.built("bgplite"), "run", "-c", "/run/gw.yaml")
    wait_until(lambda: cli("show", "version").returncode == 0, 10, "the daemon answers")
    tunnel["probe"] = {"target": "169.254.10.1", **FAST}
    gateway.write("/run/gw.yaml", json.dumps(config))
    cli("apply", "--yes")
    shown = lambda: json.loads(cli("show", "tunnels", "--json").stdout)["tunnels"][0]["probe"]
    wait_until(lambda: shown()["state"] == "up", 10, lambda: f"the probe is up: {shown()}")


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
