#!/usr/bin/env python3
# kind: default
# where: here
# seconds: 900
# sanitized: no
"""The daemon under attack from strangers and from its own peers, one attack after the other: its memory stays bounded
and two well-behaved peers keep their sessions, with KEEPALIVEs on time. Prints a table. With --full each attack takes
longer and sends more."""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
from cases import case, check, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402

HOLD_MS = 3000
KEEPALIVE_MS = 1000
DAEMON = "198.51.100.1"
WITNESSES = ["198.51.100.11", "198.51.100.12"]
ATTACKERS = {mode: f"198.51.100.{21 + n}"
             for n, mode in enumerate(("drip", "deaf", "flap", "distinct", "spread", "storm"))}
STRANGERS, HALF_OPEN = "198.18.0.1", "198.19.0.1"
MIB = 1024


class Field:
    def __init__(self, lab):
        require(needs.root(), needs.namespaces())
        self.attacker = needs.built("attacker")
        self.a, self.x = lab.namespace("a"), lab.namespace("x")
        lab.link(self.a, self.x, "ax", "xa", [DAEMON + "/24"],
                 [address + "/24" for address in [*WITNESSES, *ATTACKERS.values()]])
        # Addresses nobody configured: of the first answers come back, of the second they vanish.
        self.a.ip("route", "add", "198.18.0.0/15", "via", WITNESSES[0])
        self.x.ip("route", "add", "local", "198.18.0.0/16", "dev", "lo")
        self.x.ip("route", "add", "blackhole", "198.19.0.0/16")
        self.x.sysctl(net__ipv4__ip_forward=0)
        for namespace in (self.a, self.x):
            namespace.sysctl(net__ipv4__conf__all__rp_filter=0)
        self.a.run("mkdir", "-p", "/run/bgplite/state")
        peers = {address: {"asn": 65000 + int(address.split(".")[3]), "passive": True, "local_address": DAEMON,
                           "timers": {"keepalive": "1s", "hold": "3s"},
                           **({} if address in WITNESSES else {"accept_all": True})}
                 for address in [*WITNESSES, *ATTACKERS.values()]}
        self.file = "/run/bgplite.yaml"
        self.a.write(self.file, json.dumps({
            "router": {"asn": 65001, "router_id": DAEMON}, "fib": {"enabled": False}, "peers": peers,
            "control": {"socket": "/run/bgplite/control.sock"}, "state_dir": "/run/bgplite/state",
            "log": {"level": "warning"}}))
        self.daemon = self.a.start("bgplite", needs.built("bgplite"), "run", "-c", self.file)
        wait_until(lambda: ":179" in self.a.run("ss", "-ltn").stdout, 15, "the daemon listens")

    def attack(self, name, mode, address, seconds, *count):
        return self.x.start(name, self.attacker, mode, address, DAEMON, str(seconds), *map(str, count))

    def resident(self):
        status = pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))

    def peer(self, address):
        shown = self.a.run(needs.built("bgplite"), "-c", self.file, "show", "peers", "--json").stdout
        return next(peer for peer in json.loads(shown)["peers"] if peer["peer"] == address)

    def established(self, address):
        return self.peer(address)["state"] == "Established"

    def updates(self, mode):
        return self.peer(ATTACKERS[mode])["messages"]["updates_received"]


def gaps(witness, begin, end):
    rows = [line.split() for line in witness.log().splitlines()]
    return [int(row[1]) for row in rows if len(row) == 2 and row[0].isdigit() and begin <= int(row[0]) <= end]


def run(lab, seconds, sets, wide):
    field = Field(lab)
    whole = seconds * (8 if wide else 6) + 60
    witnesses = [field.attack(f"witness-{n}", "witness", address, whole) for n, address in enumerate(WITNESSES)]
    for address in WITNESSES:
        wait_until(lambda address=address: field.established(address), 20, f"{address} is up")
    table = []

    def phase(name, length, *attacks):
        """attacks: (mode, address, count...). Waits for their end."""
        begin, peak = time.monotonic() * 1000, 0
        taken = {mode: field.updates(mode) for mode, *_ in attacks if mode in ATTACKERS}
        running = [field.attack(name.replace(" ", "-"), *attack[:2], length, *attack[2:])
                   for attack in attacks]
        deadline = time.monotonic() + length + 30
        while time.monotonic() < deadline and (time.monotonic() * 1000 < begin + length * 1000 or
                                               any(process.running() for process in running)):
            peak = max(peak, field.resident())
            time.sleep(0.1)
        check(field.daemon.running(), f"{name}: the daemon ended")
        load = " ".join(process.log().split("\n")[0] for process in running)
        number = load.split()[0] if load else ""
        for mode, before in taken.items():
            # All but what lay in the socket when the attacker left.
            heard = field.updates(mode) - before
            check(heard > int(number) * 0.8, f"{name}: {number} sent, {heard} taken")
        check(not attacks or number.isdigit(), f"{name}: the attacker said '{load}'")
        seen = [gap for witness in witnesses for gap in gaps(witness, begin, time.monotonic() * 1000)]
        table.append((name, load or "-", peak, max(seen, default=0), sorted(seen)[len(seen) // 2] if seen else 0))
        for witness in witnesses:
            check(witness.running() and "end" not in witness.log(), f"{name}: a witness lost its session")
        check(seen and max(seen) < HOLD_MS, f"{name}: {max(seen, default=0)} ms without a KEEPALIVE")
        return peak

    idle = phase("idle", max(3, seconds // 2))
    strangers = phase("strangers connect", seconds, ("connect", STRANGERS, 60000))
    half = phase("half-open", seconds, ("syn", HALF_OPEN, 1000))
    storm = phase("a peer connects", seconds, ("connect", ATTACKERS["storm"], 1))
    field.attack("drip", "drip", ATTACKERS["drip"], whole)
    field.attack("deaf", "deaf", ATTACKERS["deaf"], whole)
    wait_until(lambda: field.established(ATTACKERS["deaf"]), 20, "the deaf peer is up")
    flaps = phase("flaps", seconds, ("flap", ATTACKERS["flap"]))
    many = phase(f"{sets} sets, 10 000 prefixes", seconds * 2, ("distinct", ATTACKERS["distinct"], sets))
    if wide:
        phase(f"{sets} sets, as many prefixes", seconds * 2, ("spread", ATTACKERS["spread"], sets))
    after = phase("afterwards", max(3, seconds // 2))

    # One octet a second never makes a message: the hold timer ends it. Nobody waits for who never reads.
    for mode in ("drip", "deaf"):
        peer = field.peer(ATTACKERS[mode])
        print(f"    {mode}: {peer['state']}, ended {peer['dropped']} times", flush=True)
        check(peer["dropped"] >= 1, f"the session of '{mode}' was never ended")

    print(f"\n{'attack':28} {'load':36} {'RSS KiB':>8} {'keepalive gap ms: longest':>26} {'median':>7}")
    for name, load, peak, longest, median in table:
        print(f"{name:28} {load:36} {peak:8} {longest:26} {median:7}")
    print(f"KEEPALIVEs are due every {KEEPALIVE_MS * 3 // 4} to {KEEPALIVE_MS} ms; {time.strftime('%F')}\n", flush=True)
    for name, peak in (("strangers", strangers), ("half-open connections", half), ("a peer's connections", storm)):
        check(peak < idle + 4 * MIB, f"{name} cost memory: {peak} KiB, idle {idle}")
    check(flaps < idle + 32 * MIB, f"flaps of 1 000 prefixes: {flaps} KiB, idle {idle}")
    check(many < idle + 64 * MIB, f"10 000 prefixes: {many} KiB, idle {idle}")
    if not wide:
        check(after < idle + 64 * MIB, f"afterwards: {after} KiB, idle {idle}")


@case("strangers and hostile peers: memory bounded, the others' KEEPALIVEs on time")
def short(lab):
    run(lab, seconds=3, sets=100_000, wide=False)


@case("the same at length, with a million attribute sets", full=True)
def long(lab):
    run(lab, seconds=30, sets=1_000_000, wide=True)


if __name__ == "__main__":
    main()
