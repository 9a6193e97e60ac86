"""bgplite and one other daemon: the cases that every peer must pass, and the labs they run in."""
import itertools

from cases import case, check, check_equal, require
from netlab import LabError, wait_until
from peers import Bgplite, Neighbor, Router, Unsupported
from routes import VPC, check_learned, prefixes

OURS = 155  # rtm_protocol of bgplite's routes (fib/fib.h).
ON_PREMISES = ["172.16.20.0/24", "172.16.21.0/24"]
ADDRESSES = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}


def pair(
    lab,
    peer,
    family=4,
    internal=False,
    passive=True,
    hold=30,
    keepalive=10,
    extra=None,
    neighbor=None,
    their_as=None,
    start=True,
    **router,
):
    """Two namespaces a and b on one link; bgplite in a, `peer` in b; started, Established. `passive`: bgplite waits for
    the other side to dial, or the other way round. `neighbor`: more of how the peer knows us. Returns (a, b, ours,
    theirs)."""
    require(Bgplite.missing(), peer.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", ["192.0.2.1/24", "2001:db8::1/64"], ["192.0.2.2/24", "2001:db8::2/64"])
    local, remote = ADDRESSES[family]
    their_as = 65530 if internal else their_as or 65535
    timers = dict(hold=hold, keepalive=keepalive, connect_retry=2)
    ours = Bgplite(
        a,
        Router(65530, "192.0.2.1", [Neighbor(remote, their_as, local=local, passive=passive, **timers)], **router),
        extra=extra,
    )
    theirs = peer(
        b,
        Router(
            their_as,
            "192.0.2.2",
            [Neighbor(local, 65530, local=remote, passive=not passive, **timers, **(neighbor or {}))],
            **router,
        ),
    )
    if start:
        # First who listens: who finds nobody there dials again after half a minute or more.
        for side in (ours, theirs) if passive else (theirs, ours):
            side.start()
            if side is ours and passive:
                wait_until(lambda: ":179" in a.run("ss", "-Hltn").stdout, 30, "bgplite listens")
        theirs.wait_established(local)
        ours.wait_established(remote)
    return a, b, ours, theirs


def document(lab, peer=None, join=None, extra=None, hold=30, **router):
    """The document's addresses: gateway and cloud joined by ipsec0 and ipsec1 (plain links here), VPC prefixes behind
    the cloud, on-premises ones behind the gateway; bgplite and FRR, timers 10 30, ECMP. `join`: Lab.link, or as it;
    `extra`: more of bgplite's configuration."""
    from peers import Frr

    peer = peer or Frr
    require(Bgplite.missing(), peer.missing())
    gateway, cloud = lab.namespace("gateway", forward=True), lab.namespace("cloud", forward=True)
    join = join or lab.link
    join(gateway, cloud, "ipsec0", "ipsec0", ["169.254.10.2/30"], ["169.254.10.1/30"])
    join(gateway, cloud, "ipsec1", "ipsec1", ["169.254.20.2/30"], ["169.254.20.1/30"])
    for space in (gateway, cloud):
        space.sysctl(net__ipv4__fib_multipath_hash_policy=1)
    router = {"maximum_paths": 32, **router}
    timers = dict(hold=hold, keepalive=hold // 3)
    ours = Bgplite(
        gateway,
        Router(65530, "169.254.10.2", [Neighbor(f"169.254.{n}.1", 65535, **timers) for n in (10, 20)], **router),
        extra=extra,
    )
    theirs = peer(
        cloud, Router(65535, "169.254.10.1", [Neighbor(f"169.254.{n}.2", 65530, **timers) for n in (10, 20)], **router)
    )
    ours.announce(ON_PREMISES)
    theirs.announce(VPC)
    theirs.start()
    ours.start()
    for n in (10, 20):
        ours.wait_established(f"169.254.{n}.1")
    return gateway, cloud, ours, theirs


def hosts(lab, gateway, cloud):
    """A client behind the gateway and VPC hosts behind the cloud of document(). Returns (client, vpc)."""
    client, vpc = lab.namespace("client"), lab.namespace("vpc")
    lab.link(client, gateway, "eth0", "lan0", ["172.16.20.10/24"], ["172.16.20.80/24"])
    client.ip("route", "add", "default", "via", "172.16.20.80")
    lab.link(vpc, cloud, "eth0", "vsw0", ["192.168.10.11/24"], ["192.168.10.1/24"])
    for n in (20, 30, 40, 50):
        cloud.address("vsw0", f"192.168.{n}.1/24")
        vpc.address("eth0", f"192.168.{n}.11/24")
    vpc.ip("route", "add", "default", "via", "192.168.10.1")
    return client, vpc


VPC_HOSTS = [f"192.168.{n}.11" for n in (10, 20, 30, 40, 50)]


def hop(address):
    """The one next hop of a pair: (gateway, device, weight)."""
    return {(address, "up0", 1)}


def check_peer_learned(theirs, namespace, announced, address, seconds=20):
    """What we announced is what the peer has, by value: in its kernel, or in its own table where it has no kernel."""
    if theirs.kernel_protocol is not None:
        check_learned(namespace, announced, hop(address), theirs.kernel_protocol, seconds)
        return
    wanted = set(announced)
    try:
        wait_until(lambda: theirs.learned(address) == wanted, seconds, "")
    except LabError:
        check_equal(theirs.learned(address), wanted, f"what {type(theirs).__name__} learned after {seconds} s")


def register(peer, many=10000, default_rows=8):
    """Registers the common cases for a peer. The first `default_rows` combinations of family, AS and who dials run by
    default, the others with --full; so do hold timer and NOTIFICATION cases unless all combinations are default."""
    name = peer.__name__
    everything = default_rows == 8
    combinations = itertools.product((4, 6), (False, True), (True, False))
    for number, (family, internal, passive) in enumerate(combinations):
        kind = "iBGP" if internal else "eBGP"
        side = "we listen" if passive else "we dial"

        @case(
            f"{name}: IPv{family} {kind}, {side}: 5 and {many} routes each way, refreshed, withdrawn",
            full=number >= default_rows,
        )
        def routes(lab, family=family, internal=internal, passive=passive):
            a, b, ours, theirs = pair(lab, peer, family, internal, passive)
            local, remote = ADDRESSES[family]
            few, more = prefixes(5, family, 0), prefixes(5, family, 1)
            all_theirs, all_ours = few + prefixes(many, family, 2), more + prefixes(many, family, 4)
            theirs.announce(few)
            ours.announce(more)
            check_learned(a, few, hop(remote), OURS)
            check_peer_learned(theirs, b, more, local)
            theirs.announce(all_theirs)
            ours.announce(all_ours)
            check_learned(a, all_theirs, hop(remote), OURS, 40)
            check_peer_learned(theirs, b, all_ours, local, 60)
            # A refresh says everything again and must change nothing; that it was asked for shows in the counters.
            before = counters(ours, remote)
            ours.refresh(remote)
            wait_until(lambda: counters(ours, remote)["refreshes_sent"] > before["refreshes_sent"], 15, "refresh sent")
            if peer.answers_refresh:
                wait_until(
                    lambda: counters(ours, remote)["updates_received"] > before["updates_received"],
                    15,
                    f"{name} answers our ROUTE-REFRESH with its routes",
                )
            try:
                theirs.refresh(local)
                wait_until(
                    lambda: counters(ours, remote)["refreshes_received"] > before["refreshes_received"],
                    15,
                    f"{name}'s ROUTE-REFRESH arrived",
                )
            except Unsupported:
                pass
            check_learned(a, all_theirs, hop(remote), OURS)
            theirs.withdraw(all_theirs[5:])
            ours.withdraw(all_ours[5:])
            check_learned(a, few, hop(remote), OURS, 40)
            check_peer_learned(theirs, b, more, local, 40)
            theirs.withdraw(few)
            wait_until(lambda: not a.routes(family, OURS), 20, "the last routes are withdrawn")

    @case(f"{name}: it falls silent: the hold timer ends the session, its routes leave the kernel", full=not everything)
    def silent(lab):
        a, b, ours, theirs = pair(lab, peer, hold=3, keepalive=1)
        theirs.announce(prefixes(5, 4))
        check_learned(a, prefixes(5, 4), hop("192.0.2.2"), OURS)
        theirs.pause()
        wait_until(lambda: not a.routes(4, OURS), 8, "routes of the silent peer are gone")
        check(not ours.established("192.0.2.2"), "the session is still up")
        theirs.resume()
        check_learned(a, prefixes(5, 4), hop("192.0.2.2"), OURS, 60)

    @case(f"{name}: we fall silent: its hold timer ends the session, it forgets our routes", full=not everything)
    def we_are_silent(lab):
        # Without graceful restart: a helper keeps the routes of a peer whose hold timer ended, as it should.
        off = {"peers": {"192.0.2.2": {"graceful_restart": "off"}}}
        a, b, ours, theirs = pair(lab, peer, hold=3, keepalive=1, extra=off)
        ours.announce(prefixes(5, 4))
        check_peer_learned(theirs, b, prefixes(5, 4), "192.0.2.1")
        ours.pause()
        theirs.wait_down("192.0.2.1", 8)
        check_peer_learned(theirs, b, [], "192.0.2.1")
        ours.resume()
        check_peer_learned(theirs, b, prefixes(5, 4), "192.0.2.1", 60)

    @case(f"{name}: NOTIFICATION both ways: the session comes back with its routes", full=not everything)
    def notification(lab):
        a, b, ours, theirs = pair(lab, peer)
        theirs.announce(prefixes(5, 4))
        ours.announce(prefixes(5, 4, 1))
        check_learned(a, prefixes(5, 4), hop("192.0.2.2"), OURS)
        for side, address in ((theirs, "192.0.2.1"), (ours, "192.0.2.2")):
            before = counters(ours, "192.0.2.2")
            try:
                side.reset(address)
            except Unsupported:
                continue
            key = "notifications_received" if side is theirs else "notifications_sent"
            wait_until(lambda: counters(ours, "192.0.2.2")[key] > before[key], 10, f"{key} counted")
            check_learned(a, prefixes(5, 4), hop("192.0.2.2"), OURS, 60)
            check_peer_learned(theirs, b, prefixes(5, 4, 1), "192.0.2.1", 60)


def counters(ours, address):
    """bgplite's message counters for a peer."""
    rows = ours.json("show", "peers")["peers"]
    return next(row["messages"] for row in rows if row["peer"] == address)
