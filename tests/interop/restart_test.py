#!/usr/bin/env python3
# kind: default
# seconds: 600
"""bgplite is killed and started again while hosts talk through it: what is lost, and which kernel routes are touched.

The document's two tunnels on plain links, FRR or BIRD as the cloud; 1000 numbered packets a second in each direction.
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import pairs
from cases import case, check, check_equal, main, measured
from loss import Loss
from netlab import RouteMonitor, holds_for, wait_until
from pairs import OURS, VPC_HOSTS
from peers import Bird, Frr
from routes import VPC, check_learned, learned

BOTH_WAYS = {("169.254.10.1", "ipsec0", 1), ("169.254.20.1", "ipsec1", 1)}


def scenario(lab, peer, **router):
    gateway, cloud, ours, theirs = pairs.document(lab, peer, **router)
    client, vpc = pairs.hosts(lab, gateway, cloud)
    check_learned(gateway, VPC, BOTH_WAYS, OURS)
    back = {("169.254.10.2", "ipsec0", 1), ("169.254.20.2", "ipsec1", 1)}
    check_learned(cloud, pairs.ON_PREMISES, back, peer.kernel_protocol)
    return gateway, cloud, ours, theirs, Loss(client, vpc, "172.16.20.10", VPC_HOSTS, rate=1000, flows=10)


class NotHelping(Frr):
    """Forgets a peer's routes with its session, as a cloud without graceful restart does."""

    def config(self):
        lines = [line for line in super().config().splitlines() if "graceful-restart" not in line]
        lines.insert(lines.index(f"router bgp {self.router.asn}") + 1, " bgp graceful-restart-disable")
        return "\n".join(lines) + "\n"


def restart_under_traffic(lab, peer, how, helped=True):
    gateway, cloud, ours, theirs, traffic = scenario(lab, peer)
    monitor = RouteMonitor(gateway, OURS)
    with traffic.watch((gateway, "ipsec0"), (gateway, "ipsec1"), (cloud, "ipsec0"), (cloud, "ipsec1")):
        before = learned(gateway, 4, OURS)
        how(ours)
        check_equal(learned(gateway, 4, OURS), before, "kernel routes while bgplite is away")
        ours.start()
        for n in (10, 20):
            ours.wait_established(f"169.254.{n}.1", 60)
        # End-of-RIB and whatever bgplite would do wrongly after it.
        holds_for(lambda: learned(gateway, 4, OURS) == before, 3, "kernel routes after the restart are those before it")
    forth, back = traffic.report.forth, traffic.report.back
    print(f"    {peer.__name__}: forth {forth.sent} sent, {forth.lost} lost; back {back.sent} sent, {back.lost} lost")
    print(f"    paths: {traffic.paths_used()}")
    check(all(count > 100 for count in traffic.paths_used().values()), f"a path was idle: {traffic.paths_used()}")
    check_equal(forth.lost, 0, "packets lost on the way out")
    if helped:
        check_equal(back.lost, 0, "packets lost on the way back")
    else:
        print(f"    {peer.__name__}: the longest gap on the way back is {back.longest_gap_s:.2f} s")
        # Sessions are back in a moment, so that the peer may find no time to forget our routes.
        for address in ("169.254.10.1", "169.254.20.1"):
            agreed = ours.json("show", "peers", address)["peers"][0]["capabilities"]
            check_equal(agreed["graceful_restart"], False, "the peer helps")
    check_equal(monitor.seen(), [], "notifications about routes that did not change")


def delete_routes(gateway):
    """What `ip route flush` does; iproute2 6.1 cannot flush routes with next-hop objects (it repeats both forms)."""
    gateway.batch(*(f"route del {prefix} proto {OURS}" for prefix in gateway.routes(4, OURS)))


for peer in (Frr, Bird):

    @case(f"{peer.__name__} helps (graceful restart): kill -9 and restart lose nothing and touch no route")
    def killed(lab, peer=peer):
        restart_under_traffic(lab, peer, lambda ours: ours.kill())

    @case(f"{peer.__name__} helps (graceful restart): an orderly stop and start lose nothing and touch no route")
    def stopped(lab, peer=peer):
        restart_under_traffic(lab, peer, lambda ours: ours.stop())


@case("a peer that does not help: kill -9 and restart lose nothing on the way out and touch no route")
def not_helped(lab):
    restart_under_traffic(lab, NotHelping, lambda ours: ours.kill(), helped=False)


class BirdNotHelping(Bird):
    """BIRD 2 without graceful restart."""

    def config(self):
        return super().config().replace("graceful restart aware;", "graceful restart off;")


for peer in (NotHelping, BirdNotHelping):

    @case(f"{peer.__name__}, beside a peer that is unreachable: a restart announces our networks at once")
    def beside_unreachable(lab, peer=peer):
        unreachable = {"peers": {"169.254.77.1": {"asn": 65535, "accept_all": True}}}
        gateway, cloud, ours, theirs, traffic = scenario(lab, peer, extra=unreachable)
        on_premises = lambda: learned(cloud, 4, peer.kernel_protocol)
        before = on_premises()
        with traffic:
            ours.kill()
            # Before the new start: what the kernel has of the old session is gone.
            wait_until(lambda: not on_premises(), 10, "the peer forgets our routes")
            ours.start()
            for n in (10, 20):
                theirs.wait_established(f"169.254.{n}.2", 60)
            up = time.monotonic()
            wait_until(lambda: on_premises() == before, 60, "the peer has our networks again")
            after = time.monotonic() - up
            holds_for(lambda: on_premises() == before, 1, "and keeps them")
        back = traffic.report.back
        measured(f"restart beside an unreachable peer, {peer.__name__}",
                 f"{after:.2f} s from Established to our routes", f"{back.longest_gap_s:.2f} s without return traffic")
        check(after < 1, f"our networks came {after:.2f} s after the sessions")


@case("nobody repairs: with bgplite stopped by SIGSTOP deleted routes show as loss; running, it puts them back")
def repair(lab):
    gateway, cloud, ours, theirs, traffic = scenario(lab, Frr)
    before = learned(gateway, 4, OURS)
    with traffic:
        ours.pause()
        delete_routes(gateway)
        holds_for(lambda: not gateway.routes(4, OURS), 1, "no route while nobody repairs")
        ours.resume()
        wait_until(lambda: learned(gateway, 4, OURS) == before, 5, "the routes are back")
    check(traffic.report.forth.lost >= 900, f"a second without routes shows in the count: {traffic.report.forth}")
    with Loss(lab["client"], lab["vpc"], "172.16.20.10", VPC_HOSTS, rate=1000, flows=10) as again:
        delete_routes(gateway)
        wait_until(lambda: learned(gateway, 4, OURS) == before, 1, "repaired within a second")
    check(again.report.forth.lost < 900, f"repair makes it short: {again.report.forth}")


if __name__ == "__main__":
    main()
