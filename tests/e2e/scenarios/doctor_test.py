#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 2400
"""bgplite doctor on a real system: nothing is wrong when nothing is wrong, faults planted in the kernel, the firewall,
charon, the network and the files are named, alone and in pairs, and --fix repairs what it may. What no running system
can have (an old kernel, an old strongSwan) is planted in tests/unit/apps/host/doctor_test.cc."""
import contextlib
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import needs
from cases import case, check, check_equal, main, require
from ipsec_lab import tunnels
from netlab import wait_until
from scenario import PATIENCE, Scenario


# A dead peer is noticed within the hold time: on a healthy system somebody has seen to that.
RETRANSMISSION = "retransmit_timeout = 2.0\nretransmit_base = 1.4\nretransmit_tries = 3\n"


def doctor(s, config, *words):
    # It reads the file that charon reads.
    return s.onprem.run("env", f"STRONGSWAN_CONF={s.onprem.dir}/strongswan.conf", s.daemon_path, "-c", config, "doctor",
                        *words, check=False, timeout=300)


def findings(s, *words, config=None):
    """{check: [finding, ...]} that doctor tells, and its answer as a whole."""
    answer = json.loads(doctor(s, config or s.config_path, "--json", *words).stdout)
    found = {}
    for finding in answer["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found, answer


def drop(s, rule, hook):
    s.onprem.run("nft", f"add table inet filter; "
                        f"add chain inet filter {hook} {{ type filter hook {hook} priority 0; }}; "
                        f"add rule inet filter {hook} {rule} drop")


@contextlib.contextmanager
def sysctl(s, path, value):
    before = s.onprem.run("cat", f"/proc/sys/{path}").stdout.strip()
    s.onprem.write(f"/proc/sys/{path}", value)
    try:
        yield
    finally:
        s.onprem.write(f"/proc/sys/{path}", before)


@contextlib.contextmanager
def firewall(s, rule, hook="input"):
    drop(s, rule, hook)
    try:
        yield
    finally:
        s.onprem.run("nft", "delete", "table", "inet", "filter")


@contextlib.contextmanager
def open_key(s):
    path = s.ipsec.key_file(s.tunnels[0])
    os.chmod(path, 0o644)
    try:
        yield
    finally:
        os.chmod(path, 0o600)


@contextlib.contextmanager
def leftovers(s):
    # The rule that leads to the table is charon's own.
    s.onprem.run("ip", "route", "add", "10.99.0.0/16", "via", "172.16.20.253", "table", "220")
    try:
        yield
    finally:
        s.onprem.run("ip", "route", "flush", "table", "220")


@contextlib.contextmanager
def no_clamp(s):
    table = s.onprem.run("nft", "list", "table", "inet", "bgplite").stdout
    s.onprem.run("nft", "delete", "table", "inet", "bgplite")
    try:
        yield
    finally:
        s.onprem.run("nft", "-f", "-", input=table)


@contextlib.contextmanager
def moved_socket(s, in_its_place):
    """charon's socket is elsewhere; what runs already keeps its connections."""
    s.onprem.run("mv", "/run/charon.vici", "/run/elsewhere")
    s.onprem.run("sh", "-c", in_its_place)
    try:
        yield
    finally:
        s.onprem.run("mv", "-f", "/run/elsewhere", "/run/charon.vici")


DEAF = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/charon.vici\")'"


@contextlib.contextmanager
def other_settings(s):
    path = s.onprem.dir / "strongswan.conf"
    before = path.read_text()
    path.write_text(before.replace(RETRANSMISSION, ""))
    try:
        yield
    finally:
        path.write_text(before)


@contextlib.contextmanager
def on_the_way(s, *rules):
    """The internet drops what `rules` match."""
    for rule in rules:
        s.ipsec.internet.run("nft", "add", "rule", "ip", "cut", "transit", *rule.split(), "drop")
    try:
        yield
    finally:
        s.ipsec.mend()


@contextlib.contextmanager
def new_sa(s, inner):
    """`inner`, and then the peer ends the SA, so that a new one has to be negotiated through it."""
    with inner:
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", "--force", check=False)
        s.ipsec.swanctl(s.onprem, "--terminate", "--ike", "bgplite-ipsec0", "--force", check=False)
        yield


@contextlib.contextmanager
def device_down(s):
    s.onprem.down("eth0")
    try:
        yield
    finally:
        s.onprem.up("eth0")


@contextlib.contextmanager
def looped_route(s):
    s.onprem.ip("route", "replace", f"{s.tunnels[0].remote}/32", "dev", "ipsec0")
    try:
        yield
    finally:
        s.onprem.ip("route", "del", f"{s.tunnels[0].remote}/32", "dev", "ipsec0")


@contextlib.contextmanager
def rising_mismatch(s):
    """Plain packets where a policy wants encrypted ones."""
    words = "src 172.16.20.10/32 dst 172.16.20.80/32 proto icmp dir in".split()
    s.onprem.run("ip", "xfrm", "policy", "add", *words, "tmpl", "proto", "esp", "mode", "tunnel")
    pings = s.client.start("pings", "ping", "-n", "-q", "-i", "0.1", "172.16.20.80")
    try:
        yield
    finally:
        pings.stop()
        s.onprem.run("ip", "xfrm", "policy", "delete", *words)


@contextlib.contextmanager
def other_timers(s):
    def set_timers(keepalive, hold):
        s.speaker.vtysh("configure terminal", "router bgp 65535", f"neighbor 169.254.10.2 timers {keepalive} {hold}",
                        "end", "clear bgp 169.254.10.2")
    set_timers(30, 90)
    try:
        yield
    finally:
        set_timers(10, 30)


FAULTS = {
    "forwarding": lambda s: sysctl(s, "net/ipv4/ip_forward", "0"),
    "rp-filter": lambda s: sysctl(s, "net/ipv4/conf/ipsec0/rp_filter", "1"),
    "firewall-ike": lambda s: firewall(s, "udp dport 500"),
    "firewall-nat-t": lambda s: firewall(s, "udp dport 4500"),
    "firewall-esp": lambda s: firewall(s, "meta l4proto esp"),
    "firewall-forward": lambda s: firewall(s, "counter", "forward"),
    "psk-file": open_key,
    "table-220": leftovers,
    "mss": no_clamp,
}
# What the cloud's swanctl.conf says instead, what doctor calls it, and what its remedy speaks of.
DIFFERENCES = [
    ("psk-mismatch", 'secret = "', 'secret = "not-', "psk_file"),
    ("psk-mismatch", "id = 203.0.113.202\n", "id = 192.0.2.99\n", "ike.local.id"),
    ("ike-proposal", "  proposals = aes128-sha1-modp1024", "  proposals = aes256-sha256-modp2048", "ike.proposals"),
    ("ike-proposal", "version = 2", "version = 1", "ike.version"),
    ("esp-proposal", "esp_proposals = aes128-sha1-modp1024", "esp_proposals = aes256-sha256-modp2048",
     "ike.esp_proposals"),
    ("selectors-bgp", "_ts = 0.0.0.0/0", "_ts = 10.0.0.0/8", "/30 to both"),
]
# Those that take traffic away: BGP may notice too, so other findings may stand beside. What the finding must say.
OUTAGES = {
    "peer-silent": (lambda s: new_sa(s, on_the_way(s, f"ip daddr {s.tunnels[0].remote}")), "remote.address"),
    # What comes over UDP 4500 and does not begin with IKE's marker is ESP.
    "no-inbound": (lambda s: new_sa(s, on_the_way(s, f"ip saddr {s.tunnels[0].remote} udp sport 4500 @th,64,32 != 0")),
                   "ESP and UDP 4500"),
    "path-mtu": (lambda s: on_the_way(s, "meta length > 1200"), "tunnels.ipsec0.mtu: "),
    "route": (device_down, "bring eth0 up"),
    "route-loop": (looped_route, "underlay"),
    "xfrm-stat": (rising_mismatch, "follow: inbound"),
    "timers": (other_timers, "hold: 90s"),
}
PAIRS = [("forwarding", "firewall-ike"), ("rp-filter", "psk-file"), ("table-220", "firewall-esp"),
         ("forwarding", "table-220"), ("firewall-nat-t", "psk-file")]


def begin(lab, **changes):
    s = Scenario(lab, "doctor", tunnels(2, **changes)[:1])
    s.ipsec.charon_settings = RETRANSMISSION
    # The daemon keeps what it manages: what is planted must stay until doctor has looked.
    s.start(s.config(fib={"audit_interval": "1h"}))
    s.daemon_path = s.daemon.processes[0].popen.args[s.daemon.processes[0].popen.args.index("run") - 1]
    s.config_path = s.daemon.processes[0].popen.args[-1]
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    return s


@case("healthy: silence; each fault planted in the host, five pairs, --fix")
def host(lab):
    s = begin(lab)
    found, _ = findings(s)
    check_equal(found, {}, "findings on a healthy system")
    for name, plant in FAULTS.items():
        with plant(s):
            found, _ = findings(s)
            check_equal(set(found), {name}, f"findings with {name} planted")
            check(found[name][0]["remedy"], "a remedy is missing")
    for one, other in PAIRS:
        with FAULTS[one](s), FAULTS[other](s):
            found, _ = findings(s)
            check_equal(set(found), {one, other}, "findings with a pair planted")

    with sysctl(s, "net/ipv4/ip_forward", "0"), open_key(s):
        found, answer = findings(s, "--fix")
        check_equal(set(found), {"psk-file"}, "findings after --fix: who may read a key is not for it to change")
        check_equal(len(answer["fixed"]), 1, "repairs")


def wait_named(s, name, words):
    """The finding `name`, whose remedy says `words`."""
    def named():
        found = findings(s)[0].get(name, [])
        return any(words in finding["remedy"] for finding in found)
    wait_until(named, PATIENCE, lambda: f"{name} with '{words}'; there is {findings(s)[0]}")


def wait_healthy(s):
    wait_until(lambda: not findings(s)[0], PATIENCE, lambda: f"no finding; there is {findings(s)[0]}")


def differ(s, name, text, other, words):
    """The cloud says `other` instead of `text`."""
    right = s.ipsec.cloud_config
    check(text in right(), f"the cloud's configuration has no '{text}'")
    s.ipsec.cloud_config = lambda: right().replace(text, other)
    s.ipsec.load_cloud()
    s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
    wait_named(s, name, words)
    s.ipsec.cloud_config = right
    s.ipsec.load_cloud()
    s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
    wait_until(lambda: name not in findings(s)[0] and s.ipsec.installed(), PATIENCE, f"{name} mended")


@case("each difference from the cloud is named; a charon that died too")
def negotiation(lab):
    s = begin(lab)
    for name, text, other, words in DIFFERENCES:
        differ(s, name, text, other, words)
    s.ipsec.charons["onprem"].kill()
    check("charon" in findings(s)[0], "a dead charon is not named")


@case("outages on the way, in the routes and at the peer are named, and their end too", full=True)
def outages(lab):
    s = begin(lab)
    for name, (plant, words) in OUTAGES.items():
        with plant(s):
            wait_named(s, name, words)
        wait_healthy(s)
    # Last, because it is remembered for minutes.
    for _ in range(5):
        before = s.ipsec.spis(s.onprem)
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1")
        wait_until(lambda: len(s.ipsec.spis(s.onprem) - before) == 2, PATIENCE, "a new SA")
    wait_named(s, "flapping", "dpd_delay: 30s")


@case("IKEv1: the peer has another identity", full=True)
def identity(lab):
    s = begin(lab, version=1)
    check_equal(set(findings(s)[0]), {"detection"}, "IKEv1 without dpd_timeout: findings")
    remote = s.tunnels[0].remote
    differ(s, "id-mismatch", f"id = {remote}\n                    }}\n                    remote",
           "id = other.example\n                    }\n                    remote", "ike.remote.id")


@case("charon's socket, charon's settings, the configuration and the clock", full=True)
def settings(lab):
    s = begin(lab)
    with moved_socket(s, "true"):
        found, _ = findings(s)
        check_equal(set(found), {"charon"}, "findings without the socket")
        check("systemctl enable --now strongswan" in found["charon"][0]["remedy"], f"remedy: {found}")
    with moved_socket(s, DEAF):
        found, _ = findings(s)
        check_equal(set(found), {"charon"}, "findings with a socket that nobody serves")
        check("refused" in found["charon"][0]["what"], f"what: {found}")
    with other_settings(s):
        found, _ = findings(s)
        check_equal(set(found), {"detection"}, "findings with charon's own retransmission")
        check("retransmit_tries" in found["detection"][0]["remedy"], f"remedy: {found}")
    variant = s.onprem.dir / "variant.yaml"
    value = s.config()
    value["tunnels"]["ipsec0"]["ike"]["local"]["auth"] = "pubkey"
    variant.write_text(json.dumps(value))
    check("clock" in findings(s, config=variant)[0], "a clock that nobody sets is not named, with certificates")
    value = s.config()
    value["tunnels"]["twin"] = {**value["tunnels"]["ipsec0"], "peer": {**value["tunnels"]["ipsec0"]["peer"]}}
    value["tunnels"]["twin"]["peer"]["address"] = "169.254.10.3"
    variant.write_text(json.dumps(value))
    done = doctor(s, variant)
    check_equal(done.returncode, 2, "status with duplicates")
    for words in ("if_id 42 is also that of tunnel ipsec0", "each tunnel needs a network of its own"):
        check(words in done.stderr, f"'{words}' is not said: {done.stderr}")


@case("verify-connectivity: what answers, over which tunnel, and what a test of failover must not be", full=True)
def verify(lab):
    s = begin(lab)
    ask = lambda where: s.onprem.run(s.daemon_path, "verify-connectivity", where, check=False)
    reached = ask("192.168.10.11")
    check_equal(reached.returncode, 0, f"status: {reached.stdout}{reached.stderr}")
    for words in ("dev ipsec0", "tunnel ipsec0: up", "192.168.10.11 answers", "until the next IKE_AUTH"):
        check(words in reached.stdout, f"'{words}' is not said: {reached.stdout}")
    s.vpc.down("eth0")
    silent = ask("192.168.50.11")
    check_equal(silent.returncode, 1, "status where nobody answers")
    check("does not answer" in silent.stdout, silent.stdout)


@case("what `host:` manages is set, and put back at the end as it was", full=True)
def managed(lab):
    s = Scenario(lab, "host", tunnels(2)[:1])
    s.onprem.run("nft", "-f", "-", input="""
        table inet filter {
            chain input {
                type filter hook input priority 0; policy drop;
                iifname "lo" accept
                iifname "ipsec*" accept
                meta l4proto icmp accept
            }
        }""")
    switches = ("ipv4/ip_forward", "ipv4/conf/default/rp_filter", "ipv4/fib_multipath_hash_policy",
                "ipv4/ping_group_range")
    look = lambda: {path: s.onprem.run("cat", f"/proc/sys/net/{path}").stdout.split() for path in switches}
    rules = lambda: s.onprem.run("nft", "list", "ruleset").stdout
    s.onprem.sysctl(net__ipv4__ip_forward=0)
    before, rules_before = look(), rules()
    manage = {key: "manage" for key in ("forwarding", "rp_filter", "mss_clamp", "multipath_hash", "ping_group_range")}
    manage["firewall"] = {"care": "manage", "chain": "inet filter input"}
    s.start(s.config(host=manage, on_exit="remove"))
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()
    check_equal(look(), {switches[0]: ["1"], switches[1]: ["2"], switches[2]: ["1"], switches[3]: ["0", "2147483647"]},
                "managed settings")
    for words in ("maxseg", 'udp dport { 500, 4500 } accept comment "bgplite"', 'esp accept comment "bgplite"'):
        check(words in rules(), f"'{words}' is not in the ruleset: {rules()}")
    s.daemon.stop()
    check_equal(look(), before, "settings after the end")
    check_equal(rules(), rules_before, "rules after the end")


@case("modules that are missing", full=True)
def modules(lab):
    s = Scenario(lab, "modules", tunnels(2)[:1])
    require(needs.vm("takes modules out of the kernel"))
    s.daemon_path, s.config_path = needs.built("bgplite"), s.onprem.dir / "bgplite.yaml"
    s.config_path.write_text(json.dumps(s.config()))
    s.onprem.run("sh", "-c", "mkdir /run/empty; mount --bind /run/empty /lib/modules; modprobe -r xfrm_interface esp4; "
                             "rmmod xfrm_interface esp4; true")
    found, _ = findings(s)
    remedies = {finding["remedy"].split("  ")[0] for finding in found.get("module", [])}
    check_equal(remedies, {"modprobe xfrm_interface", "modprobe esp4"}, "remedies for modules")


if __name__ == "__main__":
    main()
