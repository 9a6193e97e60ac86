#!/usr/bin/env python3
# kind: default
# seconds: 240
"""The example programs against BIRD and the kernel, each as its own header comment says it is used. tunnel_watch needs
charon and runs in the VM (tests/e2e); here only its arguments are wrong."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import case, check, check_equal, main, require
from netlab import wait_until
from peers import Bird, Neighbor, Router

PREFIXES = ["192.168.10.0/24", "192.168.20.0/24", "203.0.113.0/24"]


def pair(lab, graceful=False, families=None):
    """A namespace `ours` for the example at 10.9.0.2, and BIRD (AS 65001) at 10.9.0.1 with PREFIXES."""
    require(needs.root(), needs.namespaces(), Bird.missing())
    ours, theirs = lab.namespace("ours"), lab.namespace("bird")
    lab.link(ours, theirs, "eth0", "eth0", ["10.9.0.2/24"], ["10.9.0.1/24"])
    neighbor = Neighbor("10.9.0.2", 65002, passive=True, families=families)
    bird = Bird(theirs, Router(65001, "10.9.0.1", [neighbor]))
    bird.announce(PREFIXES)
    bird.start()
    return ours, bird


def learned(bird):
    return set(bird.ns.routes(protocol="bird"))


@case("print_routes prints what BIRD announced and ends after End-of-RIB")
def print_routes(lab):
    ours, _ = pair(lab, families=(4, 6))
    done = ours.run(needs.built("print_routes"), "65002", "10.9.0.2", "10.9.0.1", "65001", timeout=20)
    seen = {line.split()[0]: line for line in done.stdout.splitlines() if "next hop" in line}
    check_equal(set(seen), set(PREFIXES), "prefixes printed")
    check(all("next hop 10.9.0.1 path 65001" in line for line in seen.values()), lambda: done.stdout)


@case("anycast_announcer follows its health check and drains before it exits")
def anycast_announcer(lab):
    ours, bird = pair(lab)
    healthy = "/run/healthy"
    ours.write(healthy, "yes")
    words = ["65002", "10.9.0.2", "10.9.0.1", "65001", "198.51.100.1/32", f"test -e {healthy}", "3"]
    example = ours.start("anycast", needs.built("anycast_announcer"), *words)
    wait_until(lambda: "198.51.100.1/32" in learned(bird), 15, "BIRD has the prefix")
    ours.run("rm", healthy)
    wait_until(lambda: "198.51.100.1/32" not in learned(bird), 5, "the prefix is withdrawn when the check fails")
    ours.run("touch", healthy)
    wait_until(lambda: "198.51.100.1/32" in learned(bird), 5, "the prefix comes back")
    example.send_signal(signal.SIGTERM)
    shown = ["show", "route", "all", "198.51.100.1/32"]
    wait_until(lambda: "(65535,0)" in bird.birdc(*shown, check=False).stdout, 2, "GRACEFUL_SHUTDOWN while draining")
    example.wait(10)
    wait_until(lambda: "198.51.100.1/32" not in learned(bird), 2, "the prefix is gone after the drain")


@case("epoll_speaker learns and announces without Asio")
def epoll_speaker(lab):
    ours, bird = pair(lab)
    words = ["65002", "10.9.0.2", "10.9.0.1", "65001", "198.51.100.0/24"]
    example = ours.start("epoll", needs.built("epoll_speaker"), *words)
    wait_until(lambda: "198.51.100.0/24" in learned(bird), 15, "BIRD has the prefix")
    wait_until(lambda: all(f"best {p}" in example.log() for p in PREFIXES), 5, "all prefixes are printed")
    bird.withdraw(PREFIXES[:1])
    wait_until(lambda: f"lost {PREFIXES[0]}" in example.log(), 5, "the withdrawal is printed")


@case("tunnel_watch refuses numbers that it cannot read")
def tunnel_watch_numbers(lab):
    require(needs.root(), needs.namespaces())
    ours = lab.namespace("ours")
    numbers = ["if_id=x", "if_id=", "if_id=4294967296", "mtu=1400x", "version=256"]
    for wrong in [*numbers, "address=10.0.0.1/x", "address=10.0.0.1/256"]:
        done = ours.run(needs.built("tunnel_watch"), "--tunnel", f"name=a,{wrong}", check=False)
        check_equal((done.returncode, done.stderr), (2, f"tunnel_watch: cannot read '{wrong}'\n"), wrong)


@case("route_injector keeps its routes through ip route del and takes them out at the end")
def route_injector(lab):
    require(needs.root(), needs.namespaces())
    ours = lab.namespace("ours")
    ours.dummy("d0", "10.1.0.1/24")
    ours.dummy("d1", "10.2.0.1/24")
    ours.ip("route", "add", "blackhole", "203.0.113.0/24", "table", "100")  # Someone else's, and the table exists.
    lines = ["add 192.168.10.0/24 10.1.0.254 d0", "add 192.168.20.0/24 10.1.0.254 d0 10.2.0.254 d1"]
    text = "\\n".join(lines)
    routes = ours.dir / "routes"
    words = ["sh", "-c", f"printf '{text}\\n' > {routes}; exec {needs.built('route_injector')} 100 < {routes}"]
    example = ours.start("injector", *words)
    wanted = {"192.168.10.0/24": {"10.1.0.254"}, "192.168.20.0/24": {"10.1.0.254", "10.2.0.254"}}

    def gateways():
        routes = ours.routes(table="100")
        return {prefix: set(routes[prefix][0].gateways) for prefix in wanted if prefix in routes}

    wait_until(lambda: gateways() == wanted, 5, "the routes are in the kernel")
    for prefix in wanted:  # Debian 12's iproute2 cannot flush routes with next-hop objects.
        ours.ip("route", "del", prefix, "table", "100")
    wait_until(lambda: gateways() == wanted, 3, "the routes are back after ip route del")
    example.send_signal(signal.SIGTERM)
    wait_until(lambda: not gateways(), 5, "the routes are taken out at the end")


@case("policy_check says what a policy does and why")
def policy_check(lab):
    ours = lab.namespace("ours")
    done = ours.run(needs.built("policy_check"), "192.168.10.0/24@ipsec0", "0.0.0.0/0", "10.0.0.0/8")
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    wanted = [
        "192.168.10.0/24 accepted by prefer-first",
        "0.0.0.0/0 rejected by no-default",
        "10.0.0.0/8 rejected by default",
    ]
    check_equal(lines, wanted, "verdicts")
    check("    set local_pref 200" in done.stdout, lambda: done.stdout)


if __name__ == "__main__":
    main()
