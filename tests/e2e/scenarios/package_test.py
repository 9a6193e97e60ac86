#!/usr/bin/env python3
# kind: full
# where: systemd
# seconds: 1500
"""The daemon's Debian package under a real systemd: installed, started, hung, upgraded under traffic, kept when a later
version refuses the configuration, removed, purged, installed again."""
import json
import os
import pathlib
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import packages
from cases import case, check, check_equal, main
from installed import CONFIG, PATIENCE, established, host, make_package, network, property_of
from loss import Loss
from netlab import RouteMonitor, holds_for, wait_until
from pairs import ON_PREMISES, OURS, VPC_HOSTS
from routes import VPC, check_learned

BOTH_WAYS = {("169.254.10.1", "ipsec0", 1), ("169.254.20.1", "ipsec1", 1)}
CONFIGURATION = {
    "router": {"asn": 65530, "router_id": "169.254.10.2", "maximum_paths": 32},
    "networks": ON_PREMISES,
    "peers": {f"169.254.{n}.1": {"asn": 65535, "accept_all": True, "timers": {"hold": "30s", "keepalive": "10s"}}
              for n in (10, 20)},
}  # fmt: skip


def mode_and_owner(path):
    status = pathlib.Path(path).stat()
    return f"{status.st_mode & 0o777:o}", pathlib.Path(path).owner(), pathlib.Path(path).group()


def install(lab, first):
    # Of a charon that was there before.
    socket.socket(socket.AF_UNIX).bind("/run/charon.vici")
    said = host("dpkg", "-i", first).stdout
    check("not started, there is no /etc/bgplite/bgplite.yaml yet" in said, f"dpkg said: {said}")
    check_equal(property_of("ActiveState"), "inactive", "the unit without a configuration")
    host("systemctl", "start", "bgplite")
    check_equal((property_of("ActiveState"), property_of("ConditionResult")), ("inactive", "no"), "started by hand")
    check_equal(host("systemctl", "is-enabled", "bgplite").stdout.strip(), "enabled", "at the next boot")
    check_equal(mode_and_owner("/etc/bgplite"), ("750", "root", "bgplite"), "/etc/bgplite")
    check_equal(mode_and_owner("/etc/bgplite/psk"), ("750", "root", "bgplite"), "/etc/bgplite/psk")
    check_equal(mode_and_owner("/run/charon.vici")[2], "bgplite", "group of charon's socket")
    pathlib.Path("/run/charon.vici").unlink()
    check_equal(host("dpkg", "--verify", "bgplite").stdout, "", "files that differ from the package's")


def hung(before, gateway):
    """The watchdog ends a daemon that does not answer; its routes stay; the unit starts it again."""
    pid = int(property_of("MainPID"))
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: property_of("MainPID") not in ("0", str(pid)) and established(), 90 + PATIENCE, "started again")
    check_equal(property_of("NRestarts"), "1", "restarts")
    check_equal(gateway.routes(4, OURS), before, "routes after the watchdog's restart")


def upgrade(lab, gateway, before, second):
    pid, monitor = property_of("MainPID"), RouteMonitor(gateway, OURS)
    traffic = Loss(lab["client"], lab["vpc"], "172.16.20.10", VPC_HOSTS, rate=50, flows=10, warm_up=60)
    with traffic.watch((gateway, "ipsec0"), (gateway, "ipsec1")):
        host("dpkg", "-i", second)
        check(property_of("MainPID") not in ("0", pid), "the old version still runs")
        wait_until(established, PATIENCE, "sessions after the upgrade")
        holds_for(lambda: gateway.routes(4, OURS) == before, 5, "routes after the upgrade are those before it")
    forth, back = traffic.report.forth, traffic.report.back
    print(f"note upgrade: lost {forth.lost} of {forth.sent} forth, {back.lost} of {back.sent} back")
    check(forth.sent > 100 and all(traffic.paths_used().values()), f"a path was idle: {traffic.paths_used()}")
    check_equal((forth.lost, back.lost), (0, 0), "packets lost during the upgrade")
    check_equal(monitor.seen(), [], "notifications about routes that did not change")
    check(not os.readlink(f"/proc/{property_of('MainPID')}/exe").endswith("(deleted)"), "an old program runs")


def refused(third):
    """A version that does not like the configuration does not take over."""
    pid, good = property_of("MainPID"), CONFIG.read_text()
    CONFIG.write_text(good.replace('"networks"', '"netwerks"'))
    done = host("dpkg", "-i", third)
    said = done.stderr
    check("refuses /etc/bgplite/bgplite.yaml" in said and "netwerks" in said, f"dpkg said: {said}")
    check_equal(property_of("MainPID"), pid, "the version before goes on running")
    check(established(), "its sessions are down")
    CONFIG.write_text(good)


def remove_and_purge(gateway, before):
    host("dpkg", "-r", "bgplite")
    check_equal(property_of("ActiveState"), "inactive", "the unit of a removed package")
    check_equal(gateway.routes(4, OURS), before, "routes that on_exit: keep keeps")
    check(pathlib.Path("/var/lib/bgplite/last-good.json").exists(), "removing took the state")
    host("dpkg", "-P", "bgplite")
    for path in ("/var/lib/bgplite", "/run/bgplite", "/etc/bgplite/psk"):
        check(not pathlib.Path(path).exists(), f"{path} outlived the purge")
    check(CONFIG.exists(), "the purge took the operator's configuration")
    folders = ("/usr/sbin", "/usr/lib/systemd", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "/usr/share/man/man8",
               "/usr/share/man/man5", "/usr/share/bash-completion", "/usr/share/doc/bgplite", "/etc", "/var/lib",
               "/run")
    left = host("find", *folders, "-name", "*bgplite*", check=False).stdout.split()
    mine = [p for p in left if not p.startswith(("/etc/bgplite", "/etc/systemd/system/bgplite.service.d"))]
    check_equal(mine, [], "files that outlived the purge")
    check("bgplite" not in host("dpkg-query", "-W", "-f", "${Package} ${Status}\n").stdout, "dpkg remembers it")


@case("installed, started, hung, upgraded under traffic, refused, removed, purged, installed again")
def life(lab):
    gateway, cloud, frr = network(lab)
    first = make_package(lab.dir / "packages")
    print("note the package is made", flush=True)
    try:
        install(lab, first)
        CONFIG.write_text(json.dumps(CONFIGURATION, indent=1) + "\n")
        host("systemctl", "start", "bgplite")
        check_equal((property_of("Type"), property_of("WatchdogUSec")), ("notify", "30s"), "how systemd watches it")
        check_learned(gateway, VPC, BOTH_WAYS, OURS, PATIENCE)
        wait_until(lambda: set(ON_PREMISES) <= set(cloud.routes()), PATIENCE, "our networks at the cloud")
        before = gateway.routes(4, OURS)
        hung(before, gateway)
        upgrade(lab, gateway, before, packages.later(first, "0.2.0"))
        refused(packages.later(first, "0.3.0"))
        remove_and_purge(gateway, before)
        # With a configuration there already, a new package starts, and takes over the routes that were left.
        host("dpkg", "-i", first)
        wait_until(established, PATIENCE, "started by its installation")
        check_learned(gateway, VPC, BOTH_WAYS, OURS, PATIENCE)
    except Exception:
        print(host("journalctl", "-u", "bgplite", "--no-pager", "-o", "cat", check=False).stdout[-4000:], flush=True)
        raise
    finally:
        host("systemctl", "stop", "bgplite", check=False)


if __name__ == "__main__":
    main()
