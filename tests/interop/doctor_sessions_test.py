#!/usr/bin/env python3
# kind: default
# seconds: 240
"""Faults of BGP sessions, planted one by one: bgplite doctor names each once, and its remedy works."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, main  # noqa: E402
from planted import MD5, OURS, THEIRS, Fault, System, applied, remote, shell, walk  # noqa: E402


def peer(**changes):
    return {"peers": {THEIRS: System.peer(**changes)}}


def block(s):
    """What a firewall at the peer does."""
    rules = "; ".join(f"add rule inet f i tcp {side} 179 drop" for side in ("dport", "sport"))
    s.far.run("nft", f"add table inet f; add chain inet f i {{ type filter hook input priority 0; }}; {rules}")
    s.cli("reset", THEIRS, "--yes")


def unblock(s):
    s.far.run("nft", "delete", "table", "inet", "f")


def both_providers(s):
    s.remote(role="provider")
    s.apply(**peer(role="provider"))


def no_roles(s):
    s.remote(role=None)
    s.apply()


def no_local_address(s):
    s.remote(passive=True)  # Else its connection to another address of ours is taken.
    s.apply(**peer(local_address="192.0.2.9"))


def local_address_again(s):
    s.remote(passive=False)
    s.apply()


def other_secret(s):
    s.remote(password="other")
    s.cli("reset", THEIRS, "--yes")


FAULTS = [
    Fault("the peer has another AS number", "session", "peers.192.0.2.2.asn", applied(**peer(asn=65009)), applied()),
    Fault("the peer expects another AS number of us", "session", "local_asn", remote(asn=65009), remote(asn=65001)),
    Fault("the peer's daemon does not run", "session", "start it",
          lambda s: s.bird.processes[0].stop(), lambda s: s.bird.start()),
    Fault("the peer's firewall drops everything", "session", "behind a firewall", block, unblock),
    Fault("the peer has another TCP-MD5 key", "session", f"compare the key in {MD5}", other_secret,
          remote(password="secret")),
    Fault("GTSM on our side alone", "session", "ttl_security: 0", applied(**peer(ttl_security=1)), applied()),
    Fault("both sides call themselves the provider", "session", "192.0.2.2.role", both_providers, no_roles),
    Fault("the import limit is met", "session", "import_limit", applied(**peer(import_limit={"max": 1})), applied()),
    Fault("the export limit is met", "withheld", "export_limit", applied(**peer(export_limit={"max": 1})), applied()),
    Fault("the peer accepts fewer routes", "session", "raise its limit", remote(maximum_prefixes=1),
          lambda s: (s.remote(maximum_prefixes=None), s.bird.birdc("enable", "n0", check=False))),
    Fault("our local address is gone", "session", "ip address add 192.0.2.9", no_local_address, local_address_again),
    Fault("no route to the peer", "session", "no route to it", shell("ip address del 192.0.2.1/24 dev up0"),
          shell("ip address add 192.0.2.1/24 dev up0")),
    # With a TCP-MD5 key its kernel drops what we send; without one it would refuse the connection.
    Fault("the peer has no neighbor with our address", "session", "not know us", remote(address="192.0.2.77"),
          remote(address=OURS)),
]


@case("thirteen faults of a session, each named once; its remedy makes doctor silent")
def sessions(lab):
    walk(lab, FAULTS)


if __name__ == "__main__":
    main()
