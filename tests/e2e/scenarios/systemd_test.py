#!/usr/bin/env python3
# kind: full
# where: systemd
# seconds: 1200
"""Scenario 1 as it is installed: bgplite's unit with a user of its own, strongSwan's unit as Debian ships it (it runs
`swanctl --load-all` at each start) with our addition, one configuration file in /etc.
"""
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import needs
from cases import case, check, check_equal, require
from ipsec_lab import IpsecLab, tunnels
from installed import enter_namespace, host
from netlab import RouteMonitor, holds_for, wait_until
from pairs import OURS
from scenario import PATIENCE, OnPremises, Scenario, main

DIST = needs.REPOSITORY / "apps/bgplite/dist"
UNITS = pathlib.Path("/etc/systemd/system")


class Unit(OnPremises):
    """bgplite as systemd's unit runs it."""

    def start(self):
        for path, text in (("/etc/bgplite/bgplite.yaml", self.config()),):
            pathlib.Path(path).parent.mkdir(exist_ok=True)
            pathlib.Path(path).write_text(text)
        host("systemctl", "start", "bgplite")

    def cli(self, *words, check=True):
        return host(needs.built("bgplite"), *words, check=check)

    def journal(self):
        return host("journalctl", "-u", "bgplite", "--no-pager", "-o", "cat").stdout


class UnitLab(IpsecLab):
    """charon of the device is systemd's too; its socket is where it always is."""

    def start_charon(self, space):
        if space is not self.onprem:
            return super().start_charon(space)
        host("systemctl", "start", "strongswan")

    def swanctl(self, space, *words, check=True):
        if space is not self.onprem:
            return super().swanctl(space, *words, check=check)
        return host("swanctl", *words, check=check).stdout


class UnitScenario(Scenario):
    def __init__(self, lab, name, tunnels):
        super().__init__(lab, name, tunnels)
        self.ipsec.__class__ = UnitLab

    def install(self):
        """What a package does, and the names of the lab's namespace for both units."""
        shutil.copy(needs.built("bgplite"), "/usr/sbin/bgplite")
        shutil.copytree(DIST / "systemd", UNITS, dirs_exist_ok=True)
        host("systemd-sysusers", DIST / "systemd/bgplite.sysusers")
        enter_namespace(self.onprem, "bgplite", "strongswan")
        shutil.copy(DIST / "systemd/strongswan-bgplite.conf", UNITS / "strongswan.service.d/bgplite.conf")
        # Files, because a systemd in namespaces of its own cannot mount a place for credentials.
        keys = pathlib.Path("/etc/bgplite/psk")
        keys.mkdir(parents=True, exist_ok=True)
        for t in self.tunnels:
            host("install", "-m", "0400", "-o", "bgplite", self.ipsec.key_file(t), keys / t.name)
        host("systemctl", "daemon-reload")

    def config(self, **extra):
        value = super().config(**extra)
        del value["state_dir"]  # The unit's own.
        for name, tunnel in value["tunnels"].items():
            tunnel["ike"]["psk_file"] = f"/etc/bgplite/psk/{name}"
        return value

    def start(self, config=None):
        self.install()
        super().start(config)

    def make_daemon(self, value):
        return Unit(self.onprem, value)

    def log(self):
        return self.daemon.journal()


def restart_under_traffic(s):
    """The cloud's FRR helps (graceful restart): nothing is lost in either direction, no route is touched."""
    before = s.onprem.routes(4, OURS)
    monitor = RouteMonitor(s.onprem, OURS)
    with s.traffic(rate=50, flows=8).watch((s.onprem, "ipsec0"), (s.onprem, "ipsec1")) as traffic:
        host("systemctl", "restart", "bgplite")
        for t in s.tunnels:
            s.daemon.wait_established(t.inner_remote, PATIENCE)
        holds_for(lambda: s.onprem.routes(4, OURS) == before, 5, "routes after the restart are those before it")
    forth, back = traffic.report.forth, traffic.report.back
    print(f"note systemctl restart: lost {forth.lost} of {forth.sent} forth, {back.lost} of {back.sent} back")
    check(all(count > 20 for count in traffic.paths_used().values()), f"a path was idle: {traffic.paths_used()}")
    check_equal((forth.lost, back.lost), (0, 0), "packets lost")
    check_equal(monitor.seen(), [], "notifications about routes that did not change")


@case("1 under systemd, as its own user: units, credentials, kill -9, everything torn away and one start")
def units(lab):
    require(needs.vm("changes /etc and /usr"))
    s = UnitScenario(lab, "1 dual egress BGP, systemd", tunnels(2))
    s.start()
    try:
        s.wait_sas()
        s.wait_routes()
        s.wait_both_ways()
        shown = host("systemctl", "show", "bgplite", "-p", "MainPID", "-p", "ActiveState", "-p", "NRestarts").stdout
        fields = dict(line.split("=", 1) for line in shown.split())
        check_equal(fields["ActiveState"], "active", "the unit's state")
        status = pathlib.Path(f"/proc/{fields['MainPID']}/status").read_text()
        check("\nUid:\t0\t" not in status, "bgplite runs as root")
        check("system calls are not filtered" not in s.daemon.journal(), "the unit keeps the daemon's own filter away")
        said = host("journalctl", "-u", "bgplite", "BGPLITE_AREA=session", "-o", "json", "--no-pager").stdout
        ups = [one for one in map(json.loads, said.splitlines()) if one["MESSAGE"].endswith("session up")]
        check(len({one["BGPLITE_PEER"] for one in ups}) == 2, f"the journal's fields: {said[-2000:]}")
        check_equal({(one["PRIORITY"], one["SYSLOG_IDENTIFIER"]) for one in ups}, {("6", "bgplite")}, "other fields")
        check("1" == s.onprem.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip(), "forwarding is off")
        check("maxseg" in s.onprem.run("nft", "list", "ruleset").stdout, "the MSS is not clamped")
        with s.survives("systemctl restart under traffic"):
            restart_under_traffic(s)
        with s.survives("kill -9"):
            host("systemctl", "kill", "-s", "KILL", "bgplite")
            wait_until(lambda: host("systemctl", "show", "bgplite", "-p", "NRestarts", "--value").stdout.strip() == "1",
                       PATIENCE, "started again")
            s.wait_routes()
            s.wait_both_ways()
        with s.survives("SIGSTOP: the watchdog ends the hung process, systemd starts it again, no route is touched"):
            before, monitor = s.onprem.routes(4, OURS), RouteMonitor(s.onprem, OURS)
            # Nothing else ends a process that is stopped.
            host("systemctl", "kill", "-s", "STOP", "bgplite")
            wait_until(lambda: host("systemctl", "show", "bgplite", "-p", "NRestarts", "--value").stdout.strip() == "2",
                       PATIENCE, "started again")
            for t in s.tunnels:
                s.daemon.wait_established(t.inner_remote, PATIENCE)
            check_equal(s.onprem.routes(4, OURS), before, "routes after the restart")
            check_equal(monitor.seen(), [], "notifications about routes that did not change")
            s.wait_both_ways()
        with s.survives("strongSwan restarted, with its --load-all"):
            host("systemctl", "restart", "strongswan")
            s.wait_sas()
            s.wait_routes()
            s.wait_both_ways()
        with s.survives("a reboot"):
            host("systemctl", "stop", "bgplite", "strongswan")
            for t in s.tunnels:
                s.onprem.ip("link", "del", t.name)
            s.onprem.run("sh", "-c", "ip xfrm state flush; ip xfrm policy flush; ip nexthop flush proto 155; "
                                     "ip route flush proto 155; ip route flush proto 156; true")
            s.onprem.run("nft", "flush", "ruleset")
            s.onprem.sysctl(net__ipv4__ip_forward=0)
            shutil.rmtree("/run/bgplite", ignore_errors=True)
            host("systemctl", "start", "strongswan", "bgplite")
            s.wait_sas()
            s.wait_routes()
            s.wait_both_ways()
        s.finish()
    except Exception:
        print(s.daemon.journal()[-4000:], flush=True)
        print(host("journalctl", "-u", "strongswan", "--no-pager", "-o", "cat", check=False).stdout[-2000:], flush=True)
        raise
    finally:
        host("systemctl", "stop", "bgplite", "strongswan", check=False)


if __name__ == "__main__":
    main()
