"""BGP daemons as peers, each described by the same value (Router) and driven by the same words.

    frr = Frr(namespace, Router(65535, "169.254.10.1", [Neighbor("169.254.10.2", 65530, hold=30, keepalive=10)]))
    frr.start(); frr.announce({"192.168.10.0/24"}); frr.wait_established("169.254.10.2", 20)

Daemons run in the foreground, in a namespace with its own /run, and end with it. What a class cannot do raises
Unsupported: a test turns it into "n.a." only where the daemon's manual lacks it.
"""
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess

import needs
from netlab import LabError, wait_until


class Unsupported(Exception):
    pass


@dataclasses.dataclass
class Neighbor:
    address: str
    asn: int
    local: str = None  # Address to speak from; None: the kernel's choice.
    passive: bool = False  # Waits for the other side to dial.
    hold: int = None  # Seconds; None: the daemon's default.
    keepalive: int = None
    connect_retry: int = None  # Seconds between attempts to dial; None: the daemon's default.
    families: tuple = None  # (4,), (6,) or both; None: the family of the address.
    password: str = None  # TCP-MD5 (RFC 2385).
    ttl_security: bool = False  # GTSM (RFC 5082).
    four_octet: bool = True  # False: the capability is not sent (RFC 6793).
    role: str = None  # provider, customer, peer, rs-server, rs-client (RFC 9234).
    maximum_prefixes: int = None
    add_path: bool = False  # Sends several paths of a prefix (RFC 7911).
    next_hop_self: bool = False
    device: str = None  # Of a link-local address.

    @property
    def family(self):
        return 6 if ":" in self.address else 4

    @property
    def all_families(self):
        return self.families or (self.family,)


@dataclasses.dataclass
class Router:
    asn: int
    router_id: str
    neighbors: list
    maximum_paths: int = 1
    kernel: bool = True  # Best paths go into the namespace's kernel.
    graceful_restart: bool = False  # Asks its peers to keep its routes when it restarts (RFC 4724).
    attributes: bool = False  # Announces with every attribute of ATTRIBUTES that it can set.
    transit: bool = False  # Announces what it learned, too.


# What Router.attributes gives every route, by the keys of `show routes --json`. A class names in `cannot_set` what its
# manual has no word for.
ATTRIBUTES = {
    "origin": "egp",
    "as_path": "65100 65101",  # Behind its own AS.
    "med": 77,
    "communities": ["65010:1", "65010:2"],
    "extended_communities": ["rt:65010:5"],
    "large_communities": ["65010:1:2"],
    "aggregator": {"asn": 65102, "router_id": "192.0.2.99"},
    "atomic_aggregate": True,
}


def merged(value, more):
    """`more` over `value`, mapping by mapping."""
    if not isinstance(value, dict) or not isinstance(more, dict):
        return more
    return {**value, **{key: merged(value.get(key), item) for key, item in more.items()}}


def family_of(prefix):
    return 6 if ":" in prefix else 4


def split(prefixes):
    """{4: [...], 6: [...]}, sorted."""
    return {f: sorted(p for p in prefixes if family_of(p) == f) for f in (4, 6)}


class Daemon:
    """One BGP daemon in one namespace. announced: the prefixes it originates now."""

    program = ""
    user = None
    answers_refresh = True
    cannot_set = ()
    cannot_restart = cannot_help = False  # The roles of graceful restart that its manual does not have.
    kernel_protocol = None  # rtm_protocol of its kernel routes; None: it has none, learned() tells instead.

    def __init__(self, namespace, router):
        self.ns, self.router = namespace, router
        self.announced = set()
        self.dir = namespace.dir / type(self).__name__.lower()
        self.dir.mkdir()
        self.processes = []

    @classmethod
    def missing(cls):
        """None, or the sentence that says what this machine lacks."""
        return needs.program(cls.program)

    @classmethod
    def version(cls):
        return "?"

    # --- to be told by each daemon ----------------------------------------------------------------------------------
    def start(self):
        raise NotImplementedError

    def reload(self, before):
        """Brings the running daemon to self.announced; `before` is what it announced until now."""
        raise NotImplementedError

    def established(self, address):
        raise NotImplementedError

    def refresh(self, address):
        """Asks the peer for its routes again (RFC 2918)."""
        raise Unsupported

    def reset(self, address):
        """Ends the session with a NOTIFICATION; it comes back by itself."""
        raise Unsupported

    def keeps(self, prefixes, address):
        """It still has these routes from a neighbor whose session is gone."""
        if self.kernel_protocol is not None:
            return set(prefixes) <= set(self.ns.routes(4, self.kernel_protocol))
        return set(prefixes) <= self.learned(address)

    def shows(self, prefix, address):
        """What it prints about a route from a neighbor, attributes included, without white space."""
        raise NotImplementedError

    # --- common -----------------------------------------------------------------------------------------------------
    def write(self, name, text):
        path = self.dir / name
        path.write_text(text)
        if self.user:
            shutil.chown(self.dir, self.user, self.user)
            shutil.chown(path, self.user, self.user)
        path.chmod(0o640 if self.user else 0o600)
        return path

    def announce(self, prefixes):
        self._change(self.announced | set(prefixes))

    def withdraw(self, prefixes):
        self._change(self.announced - set(prefixes))

    def _change(self, wanted):
        before, self.announced = self.announced, wanted
        if self.processes:
            self.reload(before)

    def _up(self, address):
        ended = [p.name for p in self.processes if not p.running()]
        if ended:
            raise LabError(f"{type(self).__name__} {self.ns.name}: {', '.join(ended)} ended by itself")
        return self.established(address)

    def wait_established(self, address, seconds=30):
        wait_until(
            lambda: self._up(address),
            seconds,
            lambda: f"{type(self).__name__} {self.ns.name}: session with {address} Established",
        )

    def wait_down(self, address, seconds):
        wait_until(
            lambda: not self.established(address),
            seconds,
            lambda: f"{type(self).__name__} {self.ns.name}: session with {address} down",
        )

    def pause(self):
        for process in self.processes:
            process.pause()

    def resume(self):
        for process in self.processes:
            process.resume()

    def kill(self):
        for process in reversed(self.processes):
            process.kill()
        self.processes = []

    def stop(self, seconds=10):
        for process in reversed(self.processes):
            process.stop(seconds)
        self.processes = []


class Frr(Daemon):
    """zebra and bgpd, configured as the strongSwan document shows (route-map allow-all and all)."""

    program = "/usr/lib/frr/bgpd"
    user = "frr"
    kernel_protocol = 186
    loads = 0

    @classmethod
    def version(cls):
        return _first_line(["/usr/lib/frr/bgpd", "--version"])

    def config(self):
        r = self.router
        out = [
            "frr defaults traditional",
            f"hostname {self.ns.name}",
            "log stdout informational",
            "route-map allow-all permit 1",
            "exit",
            "route-map attributes permit 1",
            " set origin egp",
            " set as-path prepend 65100 65101",
            " set metric 77",
            " set community 65010:1 65010:2",
            " set extcommunity rt 65010:5",
            " set large-community 65010:1:2",
            " set aggregator as 65102 192.0.2.99",
            " set atomic-aggregate",
            "exit",
            f"router bgp {r.asn}",
            f" bgp router-id {r.router_id}",
            " no bgp network import-check",
            " no bgp default ipv4-unicast",
        ]
        if r.graceful_restart:
            out += [" bgp graceful-restart", " bgp graceful-restart preserve-fw-state"]
        for n in r.neighbors:
            out.append(f" neighbor {n.address} remote-as {n.asn}")
            if n.device:
                out.append(f" neighbor {n.address} interface {n.device}")
            if n.hold is not None:
                out.append(f" neighbor {n.address} timers {n.keepalive} {n.hold}")
            if n.connect_retry:
                out.append(f" neighbor {n.address} timers connect {n.connect_retry}")
            if n.passive:
                out.append(f" neighbor {n.address} passive")
            if n.local:
                out.append(f" neighbor {n.address} update-source {n.local}")
            if n.password:
                out.append(f" neighbor {n.address} password {n.password}")
            if n.ttl_security:
                out.append(f" neighbor {n.address} ttl-security hops 1")
            if not n.four_octet:
                out.append(f" neighbor {n.address} dont-capability-negotiate")  # The only way: without any.
            if n.role:
                out.append(f" neighbor {n.address} local-role {n.role}")
        for family in (4, 6):
            out.append(f" address-family ipv{family} unicast")
            out += [f"  network {prefix}" for prefix in split(self.announced)[family]]
            for n in r.neighbors:
                if family in n.all_families:
                    out += [
                        f"  neighbor {n.address} activate",
                        f"  neighbor {n.address} soft-reconfiguration inbound",
                        f"  neighbor {n.address} route-map allow-all in",
                        f"  neighbor {n.address} route-map {'attributes' if r.attributes else 'allow-all'} out",
                    ]
                    if n.maximum_prefixes:
                        out.append(f"  neighbor {n.address} maximum-prefix {n.maximum_prefixes}")
                    if n.add_path:
                        out.append(f"  neighbor {n.address} addpath-tx-all-paths")
                    if n.next_hop_self:
                        out.append(f"  neighbor {n.address} next-hop-self")
            out += [
                f"  maximum-paths {r.maximum_paths}",
                f"  maximum-paths ibgp {r.maximum_paths}",
                " exit-address-family",
            ]
        return "\n".join(out + ["exit"]) + "\n"

    def start(self):
        self.ns.run("sh", "-c", "mkdir -p /run/frr && chown frr:frr /run/frr")
        zebra = self.write("zebra.conf", f"frr defaults traditional\nhostname {self.ns.name}\nlog stdout warnings\n")
        bgpd = self.write("bgpd.conf", self.config())
        self.processes = [
            self.ns.start(
                "zebra",
                "/usr/lib/frr/zebra",
                "-A",
                "127.0.0.1",
                "-P",
                "0",
                "-f",
                zebra,
                "-i",
                "/run/frr/zebra.pid",
                "-s",
                "90000000",
            )
        ]
        wait_until(
            lambda: self.ns.run("test", "-S", "/run/frr/zserv.api", check=False).returncode == 0, 90, "zebra's socket"
        )
        self.start_bgpd(bgpd)

    def start_bgpd(self, config=None):
        """bgpd alone, after kill_bgpd(); zebra has kept running."""
        config = config or self.write("bgpd.conf", self.config())
        argv = ["/usr/lib/frr/bgpd", "-A", "127.0.0.1", "-P", "0", "-f", config, "-i", "/run/frr/bgpd.pid"]
        if not self.router.kernel:
            argv.append("-n")
        self.processes.append(self.ns.start("bgpd", *argv))
        wait_until(lambda: self.vtysh("show version", check=False).returncode == 0, 90, "bgpd answers vtysh")

    def kill_bgpd(self):
        self.processes.pop().kill()

    def vtysh(self, *commands, check=True):
        return self.ns.run("vtysh", "-d", "bgpd", *(word for c in commands for word in ("-c", c)), check=check)

    def json(self, command):
        return json.loads(self.vtysh(command + " json").stdout or "{}")

    def reload(self, before):
        gone, new = split(before - self.announced), split(self.announced - before)
        lines = [f"router bgp {self.router.asn}"]
        for family in (4, 6):
            lines.append(f"address-family ipv{family} unicast")
            lines += [f"no network {p}" for p in gone[family]] + [f"network {p}" for p in new[family]]
            lines.append("exit-address-family")
        Frr.loads += 1
        path = self.write(f"change-{Frr.loads}.conf", "\n".join(lines) + "\n")
        self.ns.run("vtysh", "-d", "bgpd", "-f", path, timeout=120)

    def neighbor(self, address):
        return self.json(f"show bgp neighbors {address}").get(address, {})

    def established(self, address):
        done = self.vtysh(f"show bgp neighbors {address} json", check=False)
        try:
            return json.loads(done.stdout or "{}").get(address, {}).get("bgpState") == "Established"
        except ValueError:
            return False

    def refresh(self, address):
        # With soft-reconfiguration inbound "in" only replays the stored routes; the command without it asks the peer.
        family = 6 if ":" in address else 4
        self.vtysh(
            "configure terminal",
            f"router bgp {self.router.asn}",
            f"address-family ipv{family} unicast",
            f"no neighbor {address} soft-reconfiguration inbound",
        )
        self.vtysh(f"clear bgp ipv{family} {address} soft in" if family == 6 else f"clear ip bgp {address} soft in")

    def reset(self, address):
        self.vtysh(f"clear bgp {address}")

    def shows(self, prefix, address):
        return _dense(self.vtysh(f"show bgp ipv{family_of(prefix)} unicast {prefix}").stdout)


class Bird(Daemon):
    program = "bird"
    cannot_set = ("aggregator", "atomic_aggregate")
    kernel_protocol = 12

    @classmethod
    def version(cls):
        return _first_line(["bird", "--version"])

    def config(self):
        r = self.router
        out = [f"router id {r.router_id};", "log stderr all;", "protocol device { scan time 10; }"]
        if r.graceful_restart:
            out.append("graceful restart wait 30;")
        merge = f" merge paths on limit {r.maximum_paths};" if r.maximum_paths > 1 else ""
        for family in (4, 6):
            if r.kernel:
                out.append(
                    f"protocol kernel k{family} {{ scan time 60;{merge} "
                    + ("graceful restart on; persist; " if r.graceful_restart else "")
                    + f"ipv{family} {{ import none; export where source = RTS_BGP; }}; }}"
                )
            routes = " ".join(f"route {p} blackhole;" for p in split(self.announced)[family])
            out.append(f"protocol static s{family} {{ ipv{family}; {routes} }}")
        export = "where source = RTS_STATIC" if not r.transit else "all"
        if r.attributes:
            export = "filter given"
            out.append(
                "filter given { if source != RTS_STATIC then reject; bgp_origin = ORIGIN_EGP; bgp_med = 77; "
                "bgp_path.prepend(65101); bgp_path.prepend(65100); "
                "bgp_community.add((65010, 1)); bgp_community.add((65010, 2)); "
                "bgp_ext_community.add((rt, 65010, 5)); bgp_large_community.add((65010, 1, 2)); accept; }"
            )
        for i, n in enumerate(r.neighbors):
            device = f"%'{n.device}'" if n.device else ""
            words = [
                f"local {n.local} as {r.asn};" if n.local else f"local as {r.asn};",
                f"neighbor {n.address}{device} as {n.asn};",
                "direct;",
                "connect delay time 1;",
                "error wait time 1, 5;",
                "connect retry time 3;",
            ]
            if n.passive:
                words.append("passive on;")
            if n.hold is not None:
                words.append(f"hold time {n.hold}; keepalive time {n.keepalive};")
            if n.password:
                words.append(f'password "{n.password}";')
            if n.ttl_security:
                words.append("ttl security on;")
            if not n.four_octet:
                words.append("enable as4 off;")
            if n.role:
                words.append(f"local role {n.role.replace('rs-', 'rs_')};")
            words.append("graceful restart on;" if r.graceful_restart else "graceful restart aware;")
            for family in n.all_families:
                limit = f" import limit {n.maximum_prefixes} action disable;" if n.maximum_prefixes else ""
                paths = " add paths tx;" if n.add_path else ""
                self_hop = " next hop self;" if n.next_hop_self else ""
                words.append(
                    f"ipv{family} {{ import all; export {export};{limit}{paths}{self_hop} }};"
                )
            out.append(f"protocol bgp n{i} {{ {' '.join(words)} }}")
        return "\n".join(out) + "\n"

    def start(self):
        self.ns.run("mkdir", "-p", "/run/bird")
        path = self.write("bird.conf", self.config())
        self.processes = [
            self.ns.start(
                "bird",
                "bird",
                "-f",
                "-c",
                path,
                "-s",
                "/run/bird/bird.ctl",
                "-P",
                "/run/bird/bird.pid",
                *(["-R"] if self.router.graceful_restart else []),
            )
        ]
        wait_until(lambda: self.birdc("show status", check=False).returncode == 0, 15, "bird answers birdc")

    def birdc(self, *words, check=True):
        return self.ns.run("birdc", "-s", "/run/bird/bird.ctl", *words, check=check)

    def _name(self, address):
        return next(f"n{i}" for i, n in enumerate(self.router.neighbors) if n.address == address)

    def reload(self, before):
        self.write("bird.conf", self.config())
        done = self.birdc("configure").stdout
        if "Reconfig" not in done:
            raise LabError(f"birdc configure: {done}")

    def established(self, address):
        return "Established" in self.birdc("show", "protocols", self._name(address), check=False).stdout

    def refresh(self, address):
        self.birdc("reload", "in", self._name(address))

    def reset(self, address):
        self.birdc("restart", self._name(address))

    def shows(self, prefix, address):
        return _dense(self.birdc("show", "route", prefix, "protocol", self._name(address), "all").stdout)


class Gobgp(Daemon):
    """No kernel routes: its zebra client does not speak to FRR 8.4. The oracle for what it learned is its own table."""

    program = "gobgpd"
    # Its command line has no word for extended communities of unicast routes, nor for ATOMIC_AGGREGATE.
    cannot_set = ("extended_communities", "atomic_aggregate")

    @classmethod
    def version(cls):
        return _first_line(["gobgpd", "--version"])

    def config(self):
        r = self.router
        out = ["[global.config]", f"  as = {r.asn}", f"  router-id = \"{r.router_id}\"", "  port = 179"]
        for n in r.neighbors:
            out += [
                "[[neighbors]]",
                "  [neighbors.config]",
                f"    neighbor-address = \"{n.address}\"",
                f"    peer-as = {n.asn}",
            ]
            if not n.four_octet or n.role:
                raise Unsupported
            if n.password:
                out.append(f"    auth-password = \"{n.password}\"")
            out += ["  [neighbors.transport.config]", f"    passive-mode = {str(n.passive).lower()}"]
            if n.local:
                out.append(f"    local-address = \"{n.local}\"")
            if n.ttl_security:
                out += ["  [neighbors.ttl-security.config]", "    enabled = true", "    ttl-min = 255"]
            out += ["  [neighbors.timers.config]", "    connect-retry = 2.0", "    idle-hold-time-after-reset = 2.0"]
            if n.hold is not None:
                out += [f"    hold-time = {n.hold}.0", f"    keepalive-interval = {n.keepalive}.0"]
            if r.graceful_restart:
                out += ["  [neighbors.graceful-restart.config]", "    enabled = true", "    restart-time = 60"]
            for family in n.all_families:
                out += [
                    "  [[neighbors.afi-safis]]",
                    "    [neighbors.afi-safis.config]",
                    f"      afi-safi-name = \"ipv{family}-unicast\"",
                ]
                if r.graceful_restart:
                    out += ["    [neighbors.afi-safis.mp-graceful-restart.config]", "      enabled = true"]
                if n.maximum_prefixes:
                    out += [
                        "    [neighbors.afi-safis.prefix-limit.config]",
                        f"      max-prefixes = {n.maximum_prefixes}",
                    ]
                if n.add_path:
                    out += ["    [neighbors.afi-safis.add-paths.config]", "      send-max = 8"]
        return "\n".join(out) + "\n"

    def start(self):
        path = self.write("gobgp.toml", self.config())
        self.processes = [self.ns.start("gobgpd", "gobgpd", "-f", path, "-l", "info", "--log-plain")]
        wait_until(lambda: self.cli("global", check=False).returncode == 0, 15, "gobgpd answers gobgp")
        before, self.announced = set(), self.announced
        self.reload(before)

    def cli(self, *words, check=True):
        return self.ns.run("gobgp", *words, check=check, env={**os.environ, "HOME": "/"}, timeout=120)

    def reload(self, before):
        script = []
        for verb, prefixes in (("del", before - self.announced), ("add", self.announced - before)):
            for prefix in sorted(prefixes):
                words = f"gobgp global rib {verb} -a ipv{family_of(prefix)} {prefix}"
                if verb == "add" and self.router.attributes:
                    words += " origin egp aspath '65100 65101' med 77 community 65010:1,65010:2"
                    words += " large-community 65010:1:2 aggregator 65102:192.0.2.99"
                script.append(f"{words} || {words}")  # Its client gives up early on a busy machine.
        if script:
            self.ns.run("sh", "-es", input="\n".join(script) + "\n", timeout=300)

    def established(self, address):
        done = self.cli("neighbor", address, "-j", check=False)
        try:
            # SessionState 6 of its API is ESTABLISHED.
            return json.loads(done.stdout).get("state", {}).get("session_state") == 6
        except ValueError:
            return False

    def learned(self, address):
        """{prefix} received from a neighbor."""
        found = set()
        for family in (4, 6):
            done = self.cli("neighbor", address, "adj-in", "-a", f"ipv{family}", "-j", check=False).stdout
            try:
                found |= set(json.loads(done) or {}) - {"error"}
            except ValueError:
                pass
        return found

    def refresh(self, address):
        raise Unsupported  # "softresetin" judges its own Adj-RIB-In again; there is no command that asks the peer.

    def reset(self, address):
        self.cli("neighbor", address, "reset")

    def shows(self, prefix, address):
        return _dense(self.cli("global", "rib", "-a", f"ipv{family_of(prefix)}", prefix).stdout)


class Openbgpd(Daemon):
    """The portable version; it installs no kernel routes on Linux, so its own table is the oracle."""

    program = "bgpd"
    cannot_restart = True
    cannot_set = ("as_path", "aggregator", "atomic_aggregate")  # It prepends nobody's AS but its own.
    # 7.7 shows IPv4 unicast and route refresh as negotiated, and still answers every ROUTE-REFRESH, BIRD's too, with
    # "AID IPv4 unicast not negotiated" in its log.
    answers_refresh = False

    @classmethod
    def missing(cls):
        return needs.program("/usr/sbin/bgpd")

    @classmethod
    def version(cls):
        return _first_line(["/usr/sbin/bgpd", "-V"])

    def config(self):
        r = self.router
        out = [
            f"AS {r.asn}",
            f"router-id {r.router_id}",
            "fib-update no",
            "socket \"/run/openbgpd/bgpd.sock\"",
            "listen on 0.0.0.0",
            "listen on ::",
        ]
        out += [f"network {p}" for p in sorted(self.announced)]
        for n in r.neighbors:
            words = [f"remote-as {n.asn}"]
            for family in (4, 6):
                words.append(f"announce IPv{family} " + ("unicast" if family in n.all_families else "none"))
            if n.passive:
                words.append("passive")
            if n.local:
                words.append(f"local-address {n.local}")
            if n.hold is not None:
                words.append(f"holdtime {n.hold}")
            if n.password:
                words.append(f"tcp md5sig password \"{n.password}\"")
            if n.ttl_security:
                words.append("ttl-security yes")
            if not n.four_octet:
                words.append("announce as-4byte no")
            if n.role:
                words.append(f"announce policy {n.role.replace('rs-server', 'rs')}")
            if n.maximum_prefixes:
                words.append(f"max-prefix {n.maximum_prefixes}")
            if n.add_path:
                words.append("announce add-path send all")
            words.append("announce restart yes" if r.graceful_restart else "announce restart no")
            out.append(f"neighbor {n.address} {{\n  " + "\n  ".join(words) + "\n}")
        out += ["allow from any", "allow to any"]
        if r.attributes:
            out.append(
                "match to any set { origin egp metric 77 prepend-self 2 community 65010:1 community 65010:2 "
                "ext-community rt 65010:5 large-community 65010:1:2 }"
            )
        return "\n".join(out) + "\n"

    def start(self):
        self.ns.run("mkdir", "-p", "/run/openbgpd")
        path = self.write("bgpd.conf", self.config())
        self.processes = [self.ns.start("openbgpd", "/usr/sbin/bgpd", "-d", "-v", "-f", path)]
        wait_until(lambda: self.ctl("show", "summary", check=False).returncode == 0, 15, "bgpd answers bgpctl")

    def ctl(self, *words, check=True):
        return self.ns.run("bgpctl", "-s", "/run/openbgpd/bgpd.sock", *words, check=check)

    def reload(self, before):
        self.write("bgpd.conf", self.config())
        self.ctl("reload")

    def established(self, address):
        done = self.ctl("-j", "show", "neighbor", address, check=False)
        try:
            return json.loads(done.stdout)["neighbors"][0]["state"] == "Established"
        except (ValueError, KeyError, IndexError):
            return False

    def learned(self, address):
        done = json.loads(self.ctl("-j", "show", "rib", "in", "neighbor", address).stdout or "{}")
        return {row["prefix"] for row in done.get("rib", [])}

    def refresh(self, address):
        self.ctl("neighbor", address, "refresh")

    def reset(self, address):
        self.ctl("neighbor", address, "clear")

    def shows(self, prefix, address):
        return _dense(self.ctl("show", "rib", "detail", prefix).stdout)


class Exabgp(Daemon):
    """Announces what it is told through a pipe and prints what it hears; it has no table of its own."""

    program = "exabgp"
    cannot_help = True
    listens = False  # Also for neighbors it dials.

    @classmethod
    def version(cls):
        return _first_line(["exabgp", "--version"])

    def config(self):
        r = self.router
        feeder = self.dir / "feed"
        out = [
            f"process feed {{ run /bin/sh {feeder}; encoder text; }}",
            f"process heard {{ run /bin/sh {self.dir / 'heard'}; encoder json; }}",
        ]
        for i, n in enumerate(r.neighbors):
            families = " ".join(f"ipv{f} unicast;" for f in n.all_families)
            words = [
                f"router-id {r.router_id};",
                f"local-address {n.local};",
                f"local-as {r.asn};",
                f"peer-as {n.asn};",
                f"family {{ {families} }}",
                "capability { route-refresh enable; "
                + ("graceful-restart 60; " if r.graceful_restart else "")
                + ("" if n.four_octet else "asn4 disable; ")
                + ("add-path send; " if n.add_path else "")
                + "}",
                f"api feeding{i} {{ processes [ feed ]; }}",
                f"api hearing{i} {{ processes [ heard ]; neighbor-changes; "
                "receive { parsed; update; notification; } }",
            ]
            if n.role or n.maximum_prefixes:
                raise Unsupported
            if n.passive:
                words.append("passive true; listen 179;")
            if n.hold is not None:
                words.append(f"hold-time {n.hold};")
            if n.password:
                words.append(f"md5-password \"{n.password}\";")
            if n.ttl_security:
                words.append("outgoing-ttl 255; incoming-ttl 255;")
            out.append(f"neighbor {n.address} {{ {' '.join(words)} }}")
        return "\n".join(out) + "\n"

    def start(self):
        pipe, heard = self.dir / "pipe", self.dir / "heard.json"
        if not pipe.exists():
            os.mkfifo(pipe, 0o600)
        # The feeder holds the pipe open for reading and writing, so that it never sees its end.
        (self.dir / "feed").write_text(f"exec cat 0<> {pipe}\n")
        # Not exec: the shell keeps its standard output open, which ExaBGP takes for the helper being alive.
        (self.dir / "heard").write_text(f"cat > {heard}\n:\n")
        path = self.write("exabgp.conf", self.config())
        env = {
            **os.environ,
            "exabgp_daemon_user": "root",
            "exabgp_daemon_drop": "false",
            "exabgp_api_ack": "false",
            "exabgp_api_cli": "false",
            "exabgp_log_enable": "true",
            "exabgp_log_level": "WARNING",
            "exabgp_bgp_openwait": "60",
            "exabgp_tcp_bind": self._bind(),
        }
        self.processes = [self.ns.start("exabgp", "exabgp", path, env=env)]
        self.reload(set())

    def _bind(self):
        return " ".join(sorted({n.local for n in self.router.neighbors if n.passive or self.listens}))

    def reload(self, before):
        lines = [f"withdraw route {p} next-hop self" for p in sorted(before - self.announced)]
        more = ""
        if self.router.attributes:
            more = (
                f" origin egp as-path [ {self.router.asn} 65100 65101 ] med 77 community [ 65010:1 65010:2 ]"
                " extended-community [ target:65010:5 ] large-community [ 65010:1:2 ]"
                " aggregator ( 65102:192.0.2.99 ) atomic-aggregate"
            )
        lines += [f"announce route {p} next-hop self{more}" for p in sorted(self.announced - before)]
        if lines:
            self.tell(*lines)

    def tell(self, *lines):
        with open(self.dir / "pipe", "w") as pipe:
            pipe.write("\n".join(lines) + "\n")

    def refresh(self, address):
        self.tell(f"neighbor {address} announce route-refresh ipv{6 if ':' in address else 4} unicast")

    def reset(self, address):
        self.tell(f"neighbor {address} teardown 4")

    def shows(self, prefix, address):
        return _dense(" ".join(json.dumps(event) for event in self.heard() if prefix in json.dumps(event)))

    def heard(self):
        try:
            lines = (self.dir / "heard.json").read_text().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                return  # The last line is still being written.

    def established(self, address):
        state = None
        for event in self.heard():
            if event.get("type") == "state" and event["neighbor"]["address"]["peer"] == address:
                state = event["neighbor"]["state"]
        return state == "up"

    def learned(self, address):
        found = set()
        for event in self.heard():
            neighbor = event.get("neighbor", {})
            if neighbor.get("address", {}).get("peer") != address:
                continue
            if event["type"] == "state" and neighbor["state"] != "up":
                found = set()
            update = neighbor.get("message", {}).get("update", {}) if event["type"] == "update" else {}
            for by_next_hop in update.get("announce", {}).values():
                for routes in by_next_hop.values():
                    found |= {route["nlri"] for route in routes if "nlri" in route}
            for routes in update.get("withdraw", {}).values():
                found -= {route["nlri"] for route in routes if "nlri" in route}
        return found


class Bgplite(Daemon):
    """Ours. `extra` is merged into the configuration."""

    def __init__(self, namespace, router, extra=None, user=None):
        super().__init__(namespace, router)
        self.extra = extra or {}

    @classmethod
    def missing(cls):
        try:
            needs.built("bgplite")
        except FileNotFoundError as error:
            return str(error)
        return None

    def config(self):
        r = self.router
        peers = {}
        for n in r.neighbors:
            peer = {"asn": n.asn, "accept_all": True}
            if n.local:
                peer["local_address"] = n.local
            if n.passive:
                peer["passive"] = True
            if n.hold is not None:
                peer["timers"] = {"hold": f"{n.hold}s", "keepalive": f"{n.keepalive}s"}
            if n.families:
                peer["families"] = [f"ipv{f}" for f in n.families]
            peers[n.address + (f"%{n.device}" if n.device else "")] = peer
        value = {
            "router": {"asn": r.asn, "router_id": r.router_id, "maximum_paths": r.maximum_paths},
            "networks": sorted(self.announced),
            "peers": peers,
            "fib": {"enabled": r.kernel},
        }
        value = merged(value, self.extra)
        return json.dumps(value, indent=1) + "\n"  # JSON is YAML.

    def start(self):
        self.ns.run("mkdir", "-p", "/run/bgplite")
        path = self.write("bgplite.yaml", self.config())
        self.processes = [self.ns.start("bgplite", needs.built("bgplite"), "run", "--config", path)]

    def cli(self, *words, check=True):
        return self.ns.run(needs.built("bgplite"), *words, check=check)

    def json(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    def reload(self, before):
        self.write("bgplite.yaml", self.config())
        self.processes[0].popen.send_signal(signal.SIGHUP)

    def established(self, address):
        done = self.cli("show", "peers", "--json", check=False)
        if done.returncode:
            return False
        rows = json.loads(done.stdout)["peers"]
        return any(row["peer"] == address and row["state"] == "Established" for row in rows)

    def refresh(self, address):
        self.cli("refresh", address)

    def reset(self, address):
        self.cli("reset", address, "--yes")


PEERS = {"frr": Frr, "bird": Bird, "gobgp": Gobgp, "openbgpd": Openbgpd, "exabgp": Exabgp, "bgplite": Bgplite}


def _dense(text):
    """(65530, 12, 13) and [ 65530, 12, 13 ] as 65530:12:13."""
    return "".join(text.split()).replace(",", ":")


def _first_line(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "?"
