#!/usr/bin/env python3
# kind: full
# where: systemd
# seconds: 1500
"""A first day with bgplite, as a new user types it, under a real systemd: the package, `init`, three mistakes, the
start, a change that nobody confirms, one that somebody does, and a move from FRR. What is typed and answered becomes
docs/first-day.md, which must still say the same but for numbers: the new one is left in $OUT.
"""
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import needs
from cases import case, check, check_equal, main
from installed import CONFIG, PATIENCE, established, host, make_package, network
from netlab import wait_until
from pairs import OURS
from routes import VPC, learned

DOCUMENT = needs.REPOSITORY / "docs/first-day.md"
ONE_WAY, BOTH_WAYS = ("169.254.10.1",), ("169.254.10.1", "169.254.20.1")
# The strongSwan document's FRR block.
FRR = """\
frr version 8.4
frr defaults traditional
route-map allow-all permit 1
exit

router bgp 65530
 bgp router-id 169.254.10.2
 neighbor 169.254.10.1 remote-as 65535
 neighbor 169.254.10.1 timers 10 30
 neighbor 169.254.20.1 remote-as 65535
 neighbor 169.254.20.1 timers 10 30

 address-family ipv4 unicast
  network 172.16.20.0/24
  network 172.16.21.0/24
  neighbor 169.254.10.1 soft-reconfiguration inbound
  neighbor 169.254.10.1 route-map allow-all in
  neighbor 169.254.10.1 route-map allow-all out
  neighbor 169.254.20.1 soft-reconfiguration inbound
  neighbor 169.254.20.1 route-map allow-all in
  neighbor 169.254.20.1 route-map allow-all out
  maximum-paths 32
 exit-address-family
exit
"""


# Of dpkg.
NOISE = re.compile(r"\(Reading database|Processing triggers")


class Day:
    """Types commands as root beside systemd and keeps what is seen as a document."""

    def __init__(self, folder):
        self.folder, self.text = folder, []

    def say(self, text):
        self.text.append(text.strip() + "\n")

    def type(self, *commands, status=0):
        """Runs commands, one transcript; the last must end with `status`, the others with 0. Returns what it said."""
        lines = []
        for command in commands:
            done = host("sh", "-c", f"cd {self.folder} && ({command}) 2>&1", check=False)
            wanted = status if command is commands[-1] else 0
            check(done.returncode == wanted, lambda: f"{command}: status {done.returncode}: {done.stdout}")
            said = "\n".join(line for line in done.stdout.splitlines() if not NOISE.match(line)).rstrip()
            lines += [f"$ {command}"] + ([said] if said else [])
            print(lines[-2] if said else lines[-1], flush=True)
        self.text.append("```text\n" + "\n".join(lines) + "\n```\n")
        return said

    def document(self):
        return "\n".join(self.text)


def substance(text):
    """The document without what differs from day to day: times, numbers that are no address, columns' widths."""
    words = re.sub(r"\b(?:\d+[dhm] )*\d+s\b", "TIME", text).split()
    address = re.compile(r"\d+\.\d+\.\d+\.\d+")
    return [word if address.search(word) else re.sub(r"\d+", "N", word) for word in words if set(word) - set("-")]


def routes_are(gateway, peers):
    wanted = {prefix: set(peers) for prefix in VPC}
    have = lambda: {prefix: {hop[0] for hop in hops} for prefix, hops in learned(gateway, 4, OURS).items()}
    wait_until(lambda: have() == wanted, PATIENCE, lambda: f"routes through {peers}; there are {have()}")


def install(day, package):
    day.say(f"""# A first day

Typed by `tests/e2e/scenarios/first_day_test.py` on Debian 12 with systemd, which fails when this page is not what it
sees. The cloud is FRR with AS 65535 on two links, 169.254.10.1 and 169.254.20.1, as in strongSwan's guide; root types.

## Install

Nothing starts yet: there is no configuration.""")
    (pathlib.Path(day.folder) / package.name).write_bytes(package.read_bytes())
    day.type(f"dpkg -i {package.name}", "systemctl is-active bgplite", status=3)
    day.say("""## A first configuration

`init` asks on a terminal; here everything is told. `bgplite init` alone lists what it can write: for each cloud, with
its tunnels. Each file passes `check` even if every answer is left at its example. `--elsewhere`: the keys are not on
this machine.""")
    day.type("bgplite init alibaba-dual-bgp --output two-tunnels.yaml", "bgplite check --elsewhere two-tunnels.yaml")
    day.say("The two links of today have no IPsec:")
    day.type(f"bgplite init bgp-only --asn 65530 --router-id 172.16.20.80 --networks 172.16.20.0/24,172.16.21.0/24 "
             f"--peer 169.254.10.1 --peer-asn 65535 --accept 192.168.0.0/16 --output {CONFIG}", f"cat {CONFIG}")


def mistakes(day):
    day.say("""## Three mistakes

A prefix with bits below its length, a policy that is misspelt, a key that does not exist: `check` finds all of them at
once, and the exit code is 2.""")
    day.type(f"cp {CONFIG} draft.yaml",
             r"sed -i 's|172.16.20.0/24|172.16.20.1/24|; s/: from-peer$/: from-pear/; s/hold:/holdtime:/' draft.yaml",
             "bgplite check draft.yaml", status=2)  # fmt: skip
    said = day.text[-1]
    for word in ("172.16.20.1/24", "from-pear", "holdtime"):
        check(re.search(rf"draft\.yaml:\d+:\d+: error: .*{re.escape(word)}", said), f"no message about {word}: {said}")


def start(day, gateway):
    day.say("## Start, and look")
    day.type(f"bgplite check {CONFIG}", "systemctl start bgplite", "systemctl is-active bgplite")
    routes_are(gateway, ONE_WAY)
    wait_until(established, PATIENCE, "the session")
    day.type("bgplite show summary", "bgplite show routes", "bgplite explain 192.168.10.0/24", "bgplite verify")


def change(day, gateway):
    day.say("""## A change, and nobody confirms it

The second link becomes a second peer. `plan` says what would happen; `apply --confirm` does it and takes it back by
itself unless somebody says that all is well, so it is no harm if it cuts off the hand that typed it.""")
    day.type(f"sed -i 's/^peers:/&\\n  169.254.20.1: {{ asn: 65535, import: from-peer, export: to-peer }}/' {CONFIG}",
             "bgplite plan", "bgplite apply --confirm 60s")  # fmt: skip
    routes_are(gateway, BOTH_WAYS)
    day.type("bgplite show summary")
    day.say("A minute later, without `bgplite confirm`:")
    routes_are(gateway, ONE_WAY)
    day.type("bgplite show summary", "journalctl -u bgplite -o cat | grep -i 'roll'")
    check("not confirmed in time" in day.text[-1], f"the journal does not say why: {day.text[-1]}")
    day.say("## The same change, confirmed")
    day.type("bgplite apply --confirm 60s", "bgplite confirm")
    routes_are(gateway, BOTH_WAYS)
    day.type("bgplite show fib")


def move(day, gateway):
    day.say("""## A move from FRR

The guide's FRR configuration, in `frr.conf`, becomes ours; `plan` compares it with what runs.""")
    (pathlib.Path(day.folder) / "frr.conf").write_text(FRR)
    day.type("cat frr.conf", "bgplite import frr frr.conf | tee imported.yaml", "bgplite check imported.yaml",
             f"cp imported.yaml {CONFIG}", "bgplite plan", "bgplite apply --yes")  # fmt: skip
    routes_are(gateway, BOTH_WAYS)
    wait_until(established, PATIENCE, "the sessions")
    day.type("bgplite show peers", "bgplite verify")
    day.say("""As in FRR, an imported network is announced only while the host has a route to it: here there is none to
172.16.21.0/24.""")
    day.type("bgplite explain 172.16.21.0/24", status=1)
    day.say("More about that way: [migration](migration.md). What each log line means: [operations](operations.md).")


@case("a first day, from the package to a move from FRR, is the one that docs/first-day.md tells")
def first_day(lab):
    gateway, cloud, frr = network(lab)
    package = make_package(lab.dir / "packages")
    folder = lab.dir / "root"
    folder.mkdir()
    day = Day(folder)
    try:
        install(day, package)
        mistakes(day)
        start(day, gateway)
        change(day, gateway)
        move(day, gateway)
    except Exception:
        print(host("journalctl", "-u", "bgplite", "--no-pager", "-o", "cat", check=False).stdout[-4000:], flush=True)
        raise
    finally:
        pathlib.Path(os.environ.get("OUT", "/tmp"), "first-day.md").write_text(day.document())
        host("systemctl", "stop", "bgplite", check=False)
    told = substance(DOCUMENT.read_text()) if DOCUMENT.exists() else []
    seen = substance(day.document())
    first = next((i for i, (a, b) in enumerate(zip(told, seen)) if a != b), min(len(told), len(seen)))
    around = slice(max(0, first - 6), first + 6)
    check(told == seen, f"docs/first-day.md says '{' '.join(told[around])}' where it was '{' '.join(seen[around])}'; "
                        "the new one is first-day.md in the folder of the VM's output")  # fmt: skip


if __name__ == "__main__":
    main()
