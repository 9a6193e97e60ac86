#!/usr/bin/env python3
# kind: default
# where: vm
# seconds: 1500
"""bgplite doctor on a real system: nothing is wrong when nothing is wrong, faults planted in the kernel, the firewall,
charon and the files are named, alone and in pairs, and --fix mends what it may."""
import contextlib
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cases import case, check, check_equal, main
from ipsec_lab import tunnels
from netlab import wait_until
from scenario import PATIENCE, Scenario


def findings(s, *words):
    """{check: [finding, ...]} that doctor tells, and its answer as a whole."""
    done = s.onprem.run(s.daemon_path, "-c", s.config_path, "doctor", "--json", *words, check=False, timeout=300)
    answer = json.loads(done.stdout)
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
# What the cloud's swanctl.conf says instead, and what doctor calls it.
DIFFERENCES = {
    "psk-mismatch": ('secret = "', 'secret = "not-'),
    "ike-proposal": ("  proposals = aes128-sha1-modp1024", "  proposals = aes256-sha256-modp2048"),
    "esp-proposal": ("esp_proposals = aes128-sha1-modp1024", "esp_proposals = aes256-sha256-modp2048"),
    "selectors-bgp": ("_ts = 0.0.0.0/0", "_ts = 10.0.0.0/8"),
}
PAIRS = [("forwarding", "firewall-ike"), ("rp-filter", "psk-file"), ("table-220", "firewall-esp"),
         ("forwarding", "table-220"), ("firewall-nat-t", "psk-file")]


def begin(lab):
    s = Scenario(lab, "doctor", tunnels(2)[:1])
    s.start()
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
        check_equal(found, {}, "findings after --fix")
        check_equal(len(answer["fixed"]), 2, "repairs")


@case("each difference from the cloud is named; a charon that died too")
def negotiation(lab):
    s = begin(lab)
    right = s.ipsec.cloud_config
    for name, (text, other) in DIFFERENCES.items():
        check(text in right(), f"the cloud's configuration has no '{text}'")
        s.ipsec.cloud_config = lambda: right().replace(text, other)
        s.ipsec.load_cloud()
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
        wait_until(lambda: name in findings(s)[0], PATIENCE, lambda: f"{name}; there is {findings(s)[0]}")
        s.ipsec.cloud_config = right
        s.ipsec.load_cloud()
        s.ipsec.swanctl(s.cloud, "--terminate", "--ike", "vco1", check=False)
        wait_until(lambda: name not in findings(s)[0] and s.ipsec.installed(), PATIENCE, f"{name} mended")
    s.ipsec.charons["onprem"].kill()
    check("charon" in findings(s)[0], "a dead charon is not named")


if __name__ == "__main__":
    main()
