#!/usr/bin/env python3
# kind: default
# seconds: 5400
"""bgplite beside FRR, BIRD, GoBGP, OpenBGPD and ExaBGP, feature by feature, against the table committed as matrix.txt.

One row by default (`attributes`), every cell with --full. Each session is captured; with --full tshark reads what we
sent.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, check, check_equal, main, require
from netlab import wait_until
from pairs import ADDRESSES, OURS, check_learned, check_peer_learned, counters, hop, pair
from peers import ATTRIBUTES, PEERS, Bgplite, Exabgp, Gobgp, Neighbor, Router, Unsupported, merged
from routes import prefixes

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_ROW = "attributes"
A, B = ADDRESSES[4]
FEW, MORE = prefixes(5, 4, 0), prefixes(5, 4, 1)
FEATURES = collections.OrderedDict()  # name: function(lab, peer class)
CAPTURES = pathlib.Path(os.environ.get("MINIBGP_CAPTURES") or tempfile.mkdtemp(prefix="minibgp-captures-"))
SEEN = {}  # (feature, peer): what the run says


class Defect(Exception):
    """The peer does not do what its manual says."""


def feature(name):
    def register(function):
        FEATURES[name] = function
        return function

    return register


def capture(lab, space):
    """Captures BGP on the link of `space` from now on."""
    path = CAPTURES / f"{lab.name}.pcap"
    words = ["-i", "up0", "-U", "--immediate-mode", "-s", "0", "-w", path, "-Z", "root", "tcp port 179"]
    process = space.start("tcpdump", "tcpdump", *words)
    wait_until(lambda: "listening on" in process.log(), 15, "tcpdump listens")
    return path


def joined(lab, peer, **options):
    """pair(), with a capture that has everything from the first SYN on."""
    a, b, ours, theirs = pair(lab, peer, start=False, **options)
    path = capture(lab, a)
    passive = options.get("passive", True)
    for side in (ours, theirs) if passive else (theirs, ours):
        side.start()
        if side is ours:
            wait_answers(ours)  # Some peers wait two minutes after a refused connection.
    local, remote = ADDRESSES[options.get("family", 4)]
    theirs.wait_established(local)
    ours.wait_established(remote)
    return a, b, ours, theirs, path


def wait_answers(ours):
    wait_until(lambda: ours.cli("show", "peers", check=False).returncode == 0, 30, "bgplite answers")


def of_peer(**keys):
    """Configuration of ours for the one peer."""
    return {"peers": {B: keys}}


def peer_row(ours, address=B):
    return next(row for row in ours.json("show", "peers", address)["peers"] if row["peer"] == address)


def register_sessions():
    for family in (4, 6):
        for internal in (False, True):
            for passive in (True, False):
                kind, side = "ibgp" if internal else "ebgp", "listen" if passive else "dial"

                @feature(f"ipv{family}-{kind}-we-{side}")
                def session(lab, peer, family=family, internal=internal, passive=passive):
                    a, b, ours, theirs, _ = joined(lab, peer, family=family, internal=internal, passive=passive)
                    local, remote = ADDRESSES[family]
                    few, more = prefixes(5, family, 0), prefixes(5, family, 1)
                    theirs.announce(few)
                    ours.announce(more)
                    check_learned(a, few, hop(remote), OURS)
                    check_peer_learned(theirs, b, more, local)
                    theirs.withdraw(few[1:])
                    ours.withdraw(more[1:])
                    check_learned(a, few[:1], hop(remote), OURS)
                    check_peer_learned(theirs, b, more[:1], local)


register_sessions()


@feature("attributes")
def attributes(lab, peer):
    """1000 routes each way, with every attribute that can be set, then withdrawn."""
    given = {
        "origin": "incomplete",
        "med": 88,
        "prepend": "own x2",
        "add_community": "65530:11",
        "add_large_community": "65530:12:13",
        "add_extended_community": "rt:65530:14",
    }
    policies = {"all": [{"accept": True}], "given": [{"then": given, "accept": True}]}
    extra = merged(of_peer(**{"import": "all", "export": "given", "accept_all": False}), {"policies": policies})
    a, b, ours, theirs, _ = joined(lab, peer, extra=extra, attributes=True)
    # GoBGP's command line announces a prefix per process.
    count = 100 if peer is Gobgp and "--full" not in sys.argv else 1000
    all_theirs, all_ours = prefixes(count, 4, 0), prefixes(count, 4, 1)
    ours.announce(all_ours)
    theirs.announce(all_theirs)
    check_learned(a, all_theirs, hop(B), OURS, 120)
    check_peer_learned(theirs, b, all_ours, A, 60)
    wanted = {key: value for key, value in ATTRIBUTES.items() if key not in theirs.cannot_set}
    if "as_path" in wanted:
        wanted["as_path"] = f"65535 {wanted['as_path']}"
    seen = {}
    for route in ours.json("show", "routes")["routes"]:
        for path in route["paths"]:
            if path["peer"] == B:
                seen[route["prefix"]] = {key: path.get(key) for key in wanted}
    check_equal(seen, {prefix: wanted for prefix in all_theirs}, f"attributes from {peer.__name__}")
    text = theirs.shows(all_ours[50], A)
    for word in ("88", "65530:11", "65530:12:13", "65530:14", "incomplete|ncomplete|Origin:\\?|[^0-9]\\?"):
        check(re.search(word, text), f"{peer.__name__} has no {word} in {text}")
    theirs.withdraw(all_theirs)
    ours.withdraw(all_ours)
    wait_until(lambda: not a.routes(4, OURS), 120, "everything is withdrawn")
    check_peer_learned(theirs, b, [], A, 60)


@feature("refresh-ours")
def refresh_ours(lab, peer):
    a, b, ours, theirs, _ = joined(lab, peer)
    theirs.announce(FEW)
    check_learned(a, FEW, hop(B), OURS)
    before = counters(ours, B)
    ours.refresh(B)
    wait_until(lambda: counters(ours, B)["refreshes_sent"] > before["refreshes_sent"], 15, "refresh sent")
    answered = lambda: counters(ours, B)["updates_received"] > before["updates_received"]
    if not peer.answers_refresh:
        wait_until(lambda: "not negotiated" in theirs.processes[0].log() or answered(), 15, "an answer or its refusal")
        check(ours.established(B), "the session is kept")
        check(not answered(), f"{peer.__name__} answers now: matrix.txt is to say so")
        raise Defect
    wait_until(answered, 15, "its routes again")
    check_learned(a, FEW, hop(B), OURS)


@feature("refresh-theirs")
def refresh_theirs(lab, peer):
    a, b, ours, theirs, _ = joined(lab, peer)
    ours.announce(FEW)
    check_peer_learned(theirs, b, FEW, A)
    before = counters(ours, B)
    theirs.refresh(A)
    wait_until(lambda: counters(ours, B)["refreshes_received"] > before["refreshes_received"], 15, "refresh received")
    wait_until(lambda: counters(ours, B)["updates_sent"] > before["updates_sent"], 15, "our routes again")
    check_peer_learned(theirs, b, FEW, A)


@feature("gr-peer-restarts")
def peer_restarts(lab, peer):
    if peer.cannot_restart:
        raise Unsupported
    a, b, ours, theirs, _ = joined(lab, peer, graceful_restart=True)
    theirs.announce(FEW)
    check_learned(a, FEW, hop(B), OURS)
    wait_until(lambda: peer_row(ours)["end_of_rib"]["received"] == ["ipv4"], 60, "its End-of-RIB")
    theirs.kill()
    wait_until(lambda: peer_row(ours)["stale"], 10, "its routes are kept, stale")
    check_learned(a, FEW, hop(B), OURS, 1)
    theirs.start()
    ours.wait_established(B, 60)
    wait_until(lambda: not peer_row(ours)["stale"], 60, "and refreshed after its End-of-RIB")
    check_learned(a, FEW, hop(B), OURS)


@feature("gr-we-restart")
def we_restart(lab, peer):
    if peer.cannot_help:
        raise Unsupported
    # We dial: some peers wait long after a fall.
    a, b, ours, theirs, _ = joined(lab, peer, graceful_restart=True, passive=False)
    ours.announce(FEW)
    theirs.announce(MORE)
    check_peer_learned(theirs, b, FEW, A)
    check_learned(a, MORE, hop(B), OURS)
    wait_until(lambda: peer_row(ours)["end_of_rib"]["sent"] == ["ipv4"], 30, "our End-of-RIB")
    ours.kill()
    theirs.wait_down(A, 20)
    check(theirs.keeps(FEW, A), f"{peer.__name__} keeps our routes")
    check_learned(a, MORE, hop(B), OURS, 1)
    ours.start()
    ours.wait_established(B, 60)
    check_peer_learned(theirs, b, FEW, A)
    check_learned(a, MORE, hop(B), OURS, 60)


@feature("add-path")
def add_path(lab, peer):
    """The peer learned a prefix from two others and tells us both."""
    require(Bgplite.missing(), peer.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", [f"{A}/24"], [f"{B}/24"])
    sources = []
    for n in (1, 2):
        space = lab.namespace(f"s{n}")
        lab.link(space, b, "up0", f"s{n}", [f"198.51.100.{4 * n + 1}/30"], [f"198.51.100.{4 * n + 2}/30"])
        me, them = f"198.51.100.{4 * n + 1}", f"198.51.100.{4 * n + 2}"
        neighbors = [Neighbor(them, 65535, local=me, hold=30, keepalive=10)]
        source = Bgplite(space, Router(65000 + n, f"10.0.0.{n}", neighbors))
        sources.append((source, Neighbor(me, 65000 + n, local=them)))
    ours = Bgplite(
        a,
        Router(65530, A, [Neighbor(B, 65535, local=A, passive=True, hold=30, keepalive=10)]),
        extra=of_peer(add_path=True),
    )
    neighbors = [Neighbor(A, 65530, local=B, hold=30, keepalive=10, connect_retry=2, add_path=True)]
    alone = peer is Exabgp  # It says what it is told: both paths itself.
    if not alone:
        for _, neighbor in sources:
            neighbor.hold, neighbor.keepalive, neighbor.passive = 30, 10, True
            neighbors.append(neighbor)
    theirs = peer(b, Router(65535, B, neighbors, transit=True))
    capture(lab, a)
    ours.start()
    wait_answers(ours)
    theirs.start()
    ours.wait_established(B)
    if alone:
        theirs.tell(
            *(f"announce route 10.77.0.0/16 path-information 0.0.0.{n} next-hop self as-path [ 65535 6500{n} ]"
              for n in (1, 2))
        )
    else:
        for source, _ in sources:
            source.announce(["10.77.0.0/16"])
            source.start()
            source.wait_established(source.router.neighbors[0].address)

    def paths():
        for route in ours.json("show", "routes")["routes"]:
            if route["prefix"] == "10.77.0.0/16":
                return sorted(path["as_path"] for path in route["paths"])
        return []

    try:
        wait_until(lambda: paths() == ["65535 65001", "65535 65002"], 30, "")
    except Exception:
        check_equal(paths(), ["65535 65001", "65535 65002"], "paths of the prefix")


def packets(path, expression):
    done = subprocess.run(["tcpdump", "-v", "-n", "-r", path, expression], capture_output=True, text=True, check=True)
    return re.sub(r"\n\s+", " ", done.stdout).splitlines()


@feature("md5")
def md5(lab, peer):
    key = lab.dir / "md5"
    key.write_text("nobody-guesses-this")
    key.chmod(0o600)
    extra = of_peer(md5_file=str(key))
    a, b, ours, theirs, path = joined(lab, peer, extra=extra, neighbor={"password": key.read_text()})
    theirs.announce(FEW)
    check_learned(a, FEW, hop(B), OURS)
    for host in (A, B):
        seen = packets(path, f"src {host} and tcp[tcpflags] & tcp-rst == 0")
        check(len(seen) >= 4, f"{len(seen)} segments of {host} were captured")
        check_equal([line for line in seen if "md5" not in line], [], f"segments of {host} without a signature")


@feature("gtsm")
def gtsm(lab, peer):
    a, b, ours, theirs, path = joined(lab, peer, extra=of_peer(ttl_security=1), neighbor={"ttl_security": True})
    theirs.announce(FEW)
    check_learned(a, FEW, hop(B), OURS)
    # The kernel's own answers (SYN-ACK before accept, RST) have the host's TTL with some peers: data is what counts.
    for host in (A, B):
        seen = packets(path, f"src {host} and tcp[tcpflags] & tcp-push != 0")
        check(len(seen) >= 2, f"{len(seen)} segments of {host} were captured")
        check_equal([line for line in seen if "ttl 255" not in line], [], f"data of {host} with a lower TTL")


@feature("two-octet-as")
def two_octet(lab, peer):
    """A number beyond 2 octets in our path reaches a peer without the capability as AS_TRANS."""
    policies = {"all": [{"accept": True}], "wide": [{"then": {"prepend": 4200000001}, "accept": True}]}
    extra = merged(of_peer(**{"import": "all", "export": "wide", "accept_all": False}), {"policies": policies})
    a, b, ours, theirs, _ = joined(
        # Not 65535: BIRD calls itself AS_TRANS then.
        lab, peer, extra=extra, their_as=64999, neighbor={"four_octet": False}
    )
    check_equal(peer_row(ours)["capabilities"]["four_octet_as"], False, "four_octet_as agreed")
    theirs.announce(FEW)
    ours.announce(MORE)
    check_learned(a, FEW, hop(B), OURS)
    check_peer_learned(theirs, b, MORE, A)
    check(re.search("23456|4200000001|64086.59905", theirs.shows(MORE[0], A)), "the wide AS is in its path")


@feature("roles")
def roles(lab, peer):
    provider = of_peer(role="provider", role_strict=True)
    a, b, ours, theirs, _ = joined(lab, peer, extra=provider, neighbor={"role": "customer"})
    theirs.announce(FEW)
    ours.announce(MORE)
    check_learned(a, FEW, hop(B), OURS)
    check_peer_learned(theirs, b, MORE, A)
    ours.extra = merged(ours.extra, of_peer(role="peer"))
    ours.reload(ours.announced)
    wait_until(lambda: last_down(ours)[:2] == (2, 11), 100, "roles that do not go together: Role Mismatch")
    check(not ours.established(B), "and no session")


def last_down(ours):
    down = peer_row(ours).get("last_down") or {}
    return down.get("code"), down.get("subcode"), down.get("reason")


@feature("maximum-prefix-ours")
def limit_ours(lab, peer):
    a, b, ours, theirs, _ = joined(lab, peer, extra=of_peer(import_limit={"max": 7}))
    theirs.announce(FEW)
    check_learned(a, FEW, hop(B), OURS)
    theirs.announce(prefixes(9, 4, 2))
    wait_until(lambda: not ours.established(B) and counters(ours, B)["notifications_sent"] == 1, 20, "Cease is sent")
    # Maximum Number of Prefixes; inside a Hard Reset where the peer would keep the routes otherwise (RFC 8538).
    check(last_down(ours)[:2] in ((6, 1), (6, 9)), f"why the session ended: {last_down(ours)}")
    theirs.wait_down(A, 20)
    wait_until(lambda: not a.routes(4, OURS), 20, "its routes are gone")


@feature("maximum-prefix-theirs")
def limit_theirs(lab, peer):
    off = of_peer(graceful_restart="off")
    a, b, ours, theirs, _ = joined(lab, peer, extra=off, neighbor={"maximum_prefixes": 7})
    ours.announce(FEW)
    check_peer_learned(theirs, b, FEW, A)
    ours.announce(prefixes(9, 4, 2))
    wait_until(lambda: counters(ours, B)["notifications_received"] >= 1, 30, "its Cease is received")
    check_equal(last_down(ours)[:2], (6, 1), "why the session ended")


def after_reset(lab, peer, by_us):
    a, b, ours, theirs, _ = joined(lab, peer)
    theirs.announce(FEW)
    ours.announce(MORE)
    check_learned(a, FEW, hop(B), OURS)
    key = "notifications_sent" if by_us else "notifications_received"
    before = counters(ours, B)[key]
    if by_us:
        ours.reset(B)
    else:
        theirs.reset(A)
    wait_until(lambda: counters(ours, B)[key] > before, 15, f"{key} counted")
    check_learned(a, FEW, hop(B), OURS, 60)
    check_peer_learned(theirs, b, MORE, A, 60)
    check(ours.established(B), "the session is back")


@feature("notification-ours")
def notification_ours(lab, peer):
    after_reset(lab, peer, by_us=True)


@feature("notification-theirs")
def notification_theirs(lab, peer):
    after_reset(lab, peer, by_us=False)


@feature("collision-200")
def collision(lab, peer, count=200):
    """200 pairs of addresses over a wire that lets SYNs pass only two at a time, one from each side (collider.py)."""
    require(Bgplite.missing(), peer.missing())
    a, b, wire = lab.namespace("a"), lab.namespace("b"), lab.namespace("wire")
    mine, yours = [f"10.99.0.{n}" for n in range(1, count + 1)], [f"10.99.1.{n}" for n in range(1, count + 1)]
    lab.link(a, wire, "up0", "left", [f"{x}/16" for x in mine])
    lab.link(b, wire, "up0", "right", [f"{x}/16" for x in yours])
    collider = wire.start("collider", sys.executable, HERE.parent / "lib" / "collider.py", "left", "right")
    wait_until(lambda: "ready" in collider.log(), 10, "the wire is ready")
    timers = dict(hold=90, keepalive=30, connect_retry=5)
    ours = Bgplite(a, Router(65530, "10.99.0.1", [Neighbor(y, 65535, local=x, **timers) for x, y in zip(mine, yours)]))
    theirs = peer(b, Router(65535, "10.99.1.1", [Neighbor(x, 65530, local=y, **timers) for x, y in zip(mine, yours)]))
    theirs.listens = True
    capture(lab, a)
    ours.start()
    wait_answers(ours)
    theirs.start()
    rows = lambda: ours.json("show", "peers")["peers"]
    up = lambda: sum(row["state"] == "Established" for row in rows())
    sockets = lambda space: len(
        space.run("ss", "-Htn", "state", "established", "( dport = :179 or sport = :179 )").stdout.splitlines()
    )
    seen = lambda: (up(), sockets(a), sockets(b))
    wait_until(lambda: seen() == (count,) * 3, 240, lambda: f"{count} sessions, each with one connection, not {seen()}")
    theirs.announce(FEW)
    check_learned(a, FEW, {(yours[0], "up0", 1)}, OURS, 60)
    check_equal(seen(), (count,) * 3, "sessions, and connections on both sides")
    collider.popen.terminate()
    wait_until(lambda: "met" in collider.log(), 10, "the wire's count")
    met = int(re.search(r"(\d+) pairs met", collider.log())[1])
    fell = sum(row["dropped"] for row in rows())
    print(f"    {peer.__name__}: SYNs met {met} times, {count} sessions are up, {fell} fell on the way", flush=True)
    check(met >= count, "not every session began with two connections")


@feature("hold-timer-theirs")
def silent_peer(lab, peer):
    a, b, ours, theirs, _ = joined(lab, peer, hold=3, keepalive=1)
    theirs.announce(FEW)
    check_learned(a, FEW, hop(B), OURS)
    theirs.pause()
    wait_until(lambda: not ours.established(B), 10, "the silent peer is dropped")
    check_equal(last_down(ours)[0], 4, "by the hold timer")
    wait_until(lambda: not a.routes(4, OURS), 10, "its routes are gone")
    theirs.resume()
    check_learned(a, FEW, hop(B), OURS, 60)


@feature("hold-timer-ours")
def silent_we(lab, peer):
    a, b, ours, theirs, _ = joined(lab, peer, hold=3, keepalive=1, extra=of_peer(graceful_restart="off"))
    ours.announce(FEW)
    check_peer_learned(theirs, b, FEW, A)
    ours.pause()
    theirs.wait_down(A, 15)
    check_peer_learned(theirs, b, [], A)
    ours.resume()
    check_peer_learned(theirs, b, FEW, A, 60)


# --- The table --------------------------------------------------------------------------------------------------------
def committed():
    """{feature: {peer: what is expected}}, in the file's order."""
    rows = [line.split() for line in (HERE / "matrix.txt").read_text().splitlines() if line and line[0] != "#"]
    return collections.OrderedDict((row[0], dict(zip(rows[0][1:], row[1:]))) for row in rows[1:])


EXPECTED = committed()


@case("matrix.txt and the features of this script are the same")
def complete(lab):
    check_equal(list(EXPECTED), list(FEATURES), "features of matrix.txt")
    for name, row in EXPECTED.items():
        check_equal(set(row), set(PEERS) - {"bgplite"}, f"peers of {name}")
        check(set(row.values()) <= {"pass", "n.a.", "defect"}, f"{name}: {row}")


for name in EXPECTED:
    for who, wanted in EXPECTED[name].items():

        @case(f"{who}: {name}: {wanted}", full=name != DEFAULT_ROW)
        def cell(lab, name=name, who=who, wanted=wanted):
            SEEN[name, who] = "FAIL"
            try:
                FEATURES[name](lab, PEERS[who])
                SEEN[name, who] = "pass"
            except Unsupported:
                SEEN[name, who] = "n.a."
            except Defect:
                SEEN[name, who] = "defect"
            check_equal(SEEN[name, who], wanted, f"{who} {name}")


def print_table():
    peers = [who for who in PEERS if who != "bgplite"]
    print("\n" + f"{'':24}" + "".join(f"{who:10}" for who in peers))
    for name, row in EXPECTED.items():
        if any((name, who) in SEEN for who in peers):
            print(f"{name:24}" + "".join(f"{SEEN.get((name, who), '-'):10}" for who in peers))
    ran = len(SEEN)
    same = sum(seen == EXPECTED[name][who] for (name, who), seen in SEEN.items())
    print(f"{same} of {ran} cells are as committed in tests/interop/matrix.txt", flush=True)


@case("tshark finds no malformed message among those we sent", full=True)
def malformed(lab):
    require(None if shutil.which("tshark") else "tshark is missing: apt-get install tshark")
    captures = sorted(CAPTURES.glob("*.pcap"))
    require(None if captures else "nothing was captured: run the cells, too")
    ours = f"bgp && (ip.src == {A} || ipv6.src == {ADDRESSES[6][0]} || ip.src == 10.99.0.0/24)"
    messages = bad = 0
    for path in captures:
        fields = ["tshark", "-n", "-r", path, "-Y", ours, "-T", "fields", "-e", "bgp.type", "-e", "_ws.malformed"]
        done = subprocess.run(fields, capture_output=True, text=True, check=True, env={**os.environ, "HOME": "/tmp"})
        for line in done.stdout.splitlines():
            types, _, wrong = line.partition("\t")
            messages += len(types.split(","))
            if wrong:
                bad += 1
                print(f"    {path.name}: {line}")
    print(f"    tshark: {messages} messages of ours in {len(captures)} captures, {bad} malformed", flush=True)
    check(messages > 0, "no message of ours was captured")
    check_equal(bad, 0, "malformed messages")


if __name__ == "__main__":
    try:
        main()
    finally:
        if "--list" not in sys.argv:
            print_table()
        if "MINIBGP_CAPTURES" not in os.environ:
            shutil.rmtree(CAPTURES, ignore_errors=True)
