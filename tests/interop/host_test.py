#!/usr/bin/env python3
# kind: default
# seconds: 90
"""The host's managed settings: set without tunnels too, kept although others change them, and untouched by a start that
fails. And doctor, which finds what keeps a BGP-only host from working, and breaks nothing."""
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402

FILE, STATE = "/run/bgplite.yaml", "/run/bgplite/state"
FORWARDING, CHAIN = "/proc/sys/net/ipv4/ip_forward", ("inet", "filter", "input")


class One:
    def __init__(self, lab, **extra):
        require(needs.root(), needs.namespaces(), needs.program("nft"))
        self.ns = lab.namespace("a")
        self.binary = needs.built("bgplite")
        self.ns.run("mkdir", "-p", STATE)
        self.ns.sysctl(net__ipv4__ip_forward=0)
        self.config = {"router": {"asn": 65001, "router_id": "192.0.2.1"}, "state_dir": STATE, "listen": {"port": 1179},
                       "fib": {"audit_interval": "1s"}, **extra}  # fmt: skip
        self.write()

    def write(self):
        self.ns.write(FILE, json.dumps(self.config))

    def start(self):
        self.process = self.ns.start("bgplite", self.binary, "run", "-c", FILE)
        wait_until(lambda: self.cli("show", "version", check=False).returncode == 0, 10, "the daemon answers")

    def cli(self, *words, check=True):
        return self.ns.run(self.binary, "-c", FILE, *words, check=check)

    def forwards(self):
        return self.ns.run("cat", FORWARDING).stdout.strip() == "1"

    def rules(self):
        """How many rules of ours are in the operator's chain, and whether the MSS clamp is there."""
        listed = self.ns.run("nft", "list", "chain", *CHAIN, check=False).stdout
        clamp = self.ns.run("nft", "list", "table", "inet", "bgplite", check=False).stdout
        return listed.count('comment "bgplite"'), clamp.count("maxseg size set")

    def make_chain(self):
        chain = "chain input { type filter hook input priority 0; };"
        self.ns.run("nft", "-f", "-", input=f"table inet filter {{ {chain} }}\n")


def tunnel(lab):
    managed = {"forwarding": "manage", "mss_clamp": "manage",
               "firewall": {"care": "manage", "chain": "inet filter input"}}  # fmt: skip
    one = One(lab, host=managed, tunnels={"far": {"mode": "link", "interface": "far", "mtu": 1400}})
    one.make_chain()
    return one


@case("forwarding is managed on a host without tunnels, and set again when others turn it off")
def bgp_only(lab):
    one = One(lab, host={"forwarding": "manage"})
    one.start()
    wait_until(one.forwards, 10, "forwarding is on")
    one.ns.sysctl(net__ipv4__ip_forward=0)
    wait_until(one.forwards, 10, "forwarding is on again, by the audit")
    check(one.process.log().count("host: set net/ipv4/ip_forward to 1 (was 0)") == 2, lambda: one.process.log())


@case("nft flush ruleset: the clamp and the rules are there again by the audit, by SIGHUP and by apply, once each")
def flushed(lab):
    one = tunnel(lab)
    one.start()
    wait_until(lambda: one.rules() == (2, 8), 10, "rules and clamp")

    def flush_and(repair):
        one.ns.run("nft", "flush", "ruleset")
        one.make_chain()
        repair()
        wait_until(lambda: one.rules() == (2, 8), 10, "rules and clamp are back")

    flush_and(lambda: None)
    one.config["fib"]["audit_interval"] = "1h"
    one.write()
    one.cli("apply", "--yes")
    wait_until(lambda: one.rules() == (2, 8), 10, "rules and clamp")
    flush_and(lambda: one.process.send_signal(signal.SIGHUP))
    flush_and(lambda: one.cli("apply", "--yes"))
    check("was changed by others" in one.process.log(), lambda: one.process.log())


@case("kill -9 and a start leave no rule twice, also when the file that remembers the chain is gone")
def killed(lab):
    one = tunnel(lab)
    one.config["user"] = "nobody"
    one.write()
    for forget in (False, True, True):
        one.start()
        wait_until(lambda: one.rules() == (2, 8), 10, "rules and clamp")
        wait_until(lambda: one.ns.run("test", "-e", f"{STATE}/host", check=False).returncode == 0, 10, "it is noted")
        check_equal(one.ns.run("stat", "-c", "%U", f"{STATE}/host").stdout.strip(), "nobody", "whose file it is")
        one.process.kill()
        if forget:
            one.ns.run("rm", f"{STATE}/host")
        else:
            one.ns.run("chown", "0:0", f"{STATE}/host")  # As a run as root left it.


@case("a start that fails changes nothing of the host")
def failed(lab):
    one = tunnel(lab)
    before = one.ns.run("nft", "list", "ruleset").stdout
    busy = one.ns.start("busy", sys.executable, "-c", "import socket, time\ns = socket.socket(socket.AF_INET6)\n"
                        "s.bind(('::', 1179)); s.listen(); time.sleep(60)")  # fmt: skip
    wait_until(lambda: "1179" in one.ns.run("ss", "-ltn").stdout, 10, "the port is busy")
    one.process = one.ns.start("bgplite", one.binary, "run", "-c", FILE)
    check_equal(one.process.wait(10), 3, "exit status")
    check("cannot listen on port 1179" in one.process.log(), lambda: one.process.log())
    check_equal((one.forwards(), one.ns.run("nft", "list", "ruleset").stdout), (False, before), "the host")
    busy.kill()


@case("doctor on a BGP-only host: sessions with their reasons, forwarding; it counts the checks that apply")
def doctor(lab):
    one = One(lab, peers={"192.0.2.9": {"asn": 65009, "accept_all": True}})
    answer = json.loads(one.cli("doctor", "--json", check=False).stdout)
    check("daemon" in {finding["check"] for finding in answer["findings"]}, lambda: answer)
    one.start()
    done = one.cli("doctor", "--json", check=False)
    answer = json.loads(done.stdout)
    found = {finding["check"]: finding for finding in answer["findings"]}
    check_equal((done.returncode, set(found)), (1, {"session", "forwarding"}), "doctor's answer")
    check("no route" in found["session"]["why"] and found["session"]["subject"] == "192.0.2.9", lambda: found)
    check(answer["checks"] <= 10, f"{answer['checks']} checks of a host without tunnels")
    one.ns.dummy("lan", "192.0.2.1/24")
    one.cli("doctor", "--fix", check=False)
    check(one.forwards(), "--fix turns forwarding on")
    answer = json.loads(one.cli("doctor", "--json", check=False).stdout)
    check_equal([finding["check"] for finding in answer["findings"]], ["session"], "what is left")


@case("doctor --fix changes neither mode nor owner of a key; its remedy lets the daemon's user read it")
def keys(lab):
    ike = {"remote": {"address": "203.0.113.9"}, "psk_file": "/run/psk"}
    one = One(lab, user="nobody", tunnels={"t": {"if_id": 42, "ike": ike}})
    stat = lambda: one.ns.run("stat", "-c", "%U %a", "/run/psk").stdout.strip()
    readable = lambda: one.ns.run("setpriv", "--reuid", "nobody", "--clear-groups", "test", "-r", "/run/psk",
                                  check=False).returncode == 0  # fmt: skip

    def finding(*words):
        answer = json.loads(one.cli("doctor", "--json", *words, check=False).stdout)
        return next((f for f in answer["findings"] if f["check"] == "psk-file"), None)

    for mode in ("600", "644"):
        one.ns.run("sh", "-c", f"rm -f /run/psk; echo secret > /run/psk; chmod {mode} /run/psk")
        before = stat()
        found = finding("--fix")
        check(found is not None, f"no finding with mode {mode} of root")
        check_equal(stat(), before, "owner and mode after --fix")
        one.ns.run("sh", "-c", found["remedy"].split("  (")[0])
        check(readable(), f"after {found['remedy']}")
        check_equal(finding(), None, "after the remedy")
    one.ns.run("rm", "/run/psk")
    one.ns.run("sh", "-c", finding()["remedy"].split("  (")[0], input="secret\n")
    check(readable() and finding() is None, "after the remedy for a key that was not there")


@case("the commands for keys that init prints make keys that the daemon's user can read")
def init(lab):
    one = One(lab)
    one.cli("init", "aws-tgw", "--output", "/run/made.yaml")
    made = one.ns.run("cat", "/run/made.yaml").stdout
    commands = [line.lstrip("# ") for line in made.splitlines() if line.startswith("#") and "/dev/stdin" in line]
    check(commands, lambda: f"no command for a key: {made}")
    for command in commands:
        one.ns.run("sh", "-c", command.replace("-o bgplite", "-o nobody"), input="secret\n")
        path = command.split()[-1]
        one.ns.run("setpriv", "--reuid", "nobody", "--clear-groups", "test", "-r", path)


@case("a tunnel of mode policy that takes everything to everywhere is named by check and by doctor")
def everything(lab):
    ike = {"remote": {"address": "203.0.113.9"}, "psk_file": "/run/psk"}
    all_of_it = {"local_ts": "0.0.0.0/0", "remote_ts": "0.0.0.0/0"}
    one = One(lab, tunnels={"t": {"mode": "policy", "ike": {**ike, **all_of_it}}})
    one.ns.run("sh", "-c", "umask 077; echo secret > /run/psk")
    named = lambda: [f["subject"] for f in json.loads(one.cli("doctor", "--json", check=False).stdout)["findings"]
                     if f["check"] == "everything"]  # fmt: skip
    checked = lambda: "takes everything to everywhere" in one.cli("check", FILE, check=False).stdout
    for everywhere in ({}, {"remote_ts": ["10.9.0.0/16", "0.0.0.0/0"]}, {"local_ts": ["0.0.0.0/1", "128.0.0.0/1"]}):
        one.config["tunnels"]["t"]["ike"] = {**ike, **all_of_it, **everywhere}
        one.write()
        check((checked(), named()) == (True, ["t"]), lambda: f"{everywhere}: check, doctor: {checked()}, {named()}")
    one.config["tunnels"]["t"]["ike"] = {**ike, "local_ts": "172.16.20.0/24", "remote_ts": "0.0.0.0/0"}
    one.write()
    check((checked(), named()) == (False, []), lambda: f"a LAN to everywhere: {checked()}, {named()}")


@case("doctor names a masquerade that takes a tunnel's packets, and routes in table 220; --fix leaves both alone")
def others(lab):
    one = tunnel(lab)
    one.config["tunnels"]["t"] = {"if_id": 42, "ike": {"remote": {"address": "203.0.113.9"}, "psk_file": "/run/psk"}}
    one.write()
    one.make_chain()
    one.ns.dummy("far", "198.51.100.1/24")
    chain = "chain post { type nat hook postrouting priority 100; masquerade; };"
    one.ns.run("nft", "-f", "-", input=f"table ip nat {{ {chain} }}\n")
    one.ns.run("ip", "route", "add", "10.0.0.0/8", "dev", "far", "table", "220")
    one.ns.run("ip", "rule", "add", "priority", "220", "lookup", "220")
    state = lambda: [one.ns.run(*words).stdout for words in (("nft", "list", "table", "ip", "nat"), ("ip", "rule"),
                                                             ("ip", "route", "show", "table", "220"))]  # fmt: skip

    def findings(*words):
        answer = json.loads(one.cli("doctor", "--json", *words, check=False).stdout)
        return {(f["check"], f["subject"]): f for f in answer["findings"] if f["check"] in ("masquerade", "table-220")}

    before = state()
    check_equal(set(findings("--fix")), {("masquerade", "far"), ("masquerade", "t"), ("table-220", "")}, "findings")
    check_equal(state(), before, "what --fix changed")
    for subject in ("far", "t"):
        one.ns.run("sh", "-c", findings()["masquerade", subject]["remedy"])
    check_equal(set(findings()), {("table-220", "")}, "after the remedies of the masquerade")
    one.config["tunnels"]["t"].update(mode="policy")
    del one.config["tunnels"]["t"]["if_id"]
    one.config["tunnels"]["t"]["ike"].update(local_ts="172.16.0.0/12", remote_ts="10.0.0.0/8")
    one.write()
    check_equal((findings("--fix"), state()[1:]), ({}, before[1:]), "where a tunnel of mode policy uses table 220")


if __name__ == "__main__":
    main()
