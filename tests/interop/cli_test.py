#!/usr/bin/env python3
# kind: default
# seconds: 240
"""The command line as people use it: on a terminal (a pty) and without one. What it asks before traffic is lost, what
`init` asks, what `--save` keeps through kill -9, and that every view says what docs/json.md says, in 80 columns."""
import json
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
import pairs  # noqa: E402
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402
from peers import Bird  # noqa: E402

FILE, STATE = "/run/bgplite.yaml", "/run/bgplite/state"
PEER = "192.0.2.9"
SECRETS = ("Hush-psk-secret", "Hush-md5-secret")


class Terminal:
    """A command with a terminal for all three of its streams."""

    def __init__(self, ns, *argv):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(ns.enter(argv), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.text = ""

    def wait_for(self, text, seconds=10):
        """Reads until `text` was printed."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            check(self._read(deadline), lambda: f"waited for {text!r}, there is {self.text!r}")
        self.text = self.text[self.text.index(text) + len(text) :]

    def say(self, line):
        os.write(self.master, (line + "\n").encode())

    def end(self, seconds=20):
        """(exit code, what was printed since the last wait_for)."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        code = self.process.wait(max(0.1, deadline - time.monotonic()))
        os.close(self.master)
        return code, self.text

    def _read(self, deadline):
        """False: it has ended, or the time is over."""
        if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self.master, 4096)
        except OSError:  # The other side is gone.
            data = b""
        self.text += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


class One:
    """A daemon with a peer that does not answer."""

    def __init__(self, lab, start=True, **more):
        require(needs.root(), needs.namespaces())
        self.ns = lab.namespace("a")
        self.binary = needs.built("bgplite")
        self.ns.run("mkdir", "-p", STATE)
        self.write(**more)
        if start:
            self.start()

    def write(self, networks=("10.1.0.0/16",), peer=None, **more):
        value = {"router": {"asn": 65001, "router_id": "192.0.2.1"}, "networks": list(networks), "state_dir": STATE,
                 "fib": {"enabled": False}, "listen": {"enabled": False},
                 "peers": {PEER: {"asn": 65009, "accept_all": True, **(peer or {})}}, **more}  # fmt: skip
        self.ns.write(FILE, json.dumps(value))

    def start(self):
        self.process = self.ns.start("bgplite", self.binary, "run", "-c", FILE)
        wait_until(lambda: self.announced() is not None, 10, "the daemon answers")

    def restart(self):
        self.process.kill()
        self.start()

    def cli(self, *words, check=True):
        return self.ns.run(self.binary, "-c", FILE, *words, check=check)

    def json(self, *words):
        return json.loads(self.cli(*words, "--json").stdout)

    def on_terminal(self, *words):
        return Terminal(self.ns, "env", "TERM=xterm", self.binary, "-c", FILE, *words)

    def announced(self):
        done = self.cli("show", "routes", "--json", check=False)
        return [r["prefix"] for r in json.loads(done.stdout)["routes"]] if done.returncode == 0 else None

    def enabled(self):
        return self.json("show", "peers")["peers"][0]["enabled"]


@case("what loses traffic says so and asks on a terminal; without one it wants --yes; no is no")
def asks(lab):
    one = One(lab)
    one.cli("announce", "10.9.0.0/16")

    def refused(words, loss, still):
        done = one.cli(*words, check=False)
        check_equal(done.returncode, 1, f"{words} without a terminal")
        check("say --yes if that is meant" in done.stderr and loss in done.stderr, lambda: done.stderr)
        for answer in ("n", "", "yess"):
            terminal = one.on_terminal(*words)
            terminal.wait_for(loss)
            terminal.wait_for("Go on? [y/N] ")
            terminal.say(answer)
            check_equal(terminal.end()[0], 1, f"{words} with the answer {answer!r}")
        check(still(), f"{words} was refused and changed something")

    def agreed(words, loss, done):
        terminal = one.on_terminal(*words)
        terminal.wait_for(loss)
        terminal.wait_for("Go on? [y/N] ")
        terminal.say("y")
        code, text = terminal.end()
        check_equal(code, 0, f"{words} with y: {text}")
        check(done(), f"{words} was agreed to and changed nothing")

    words, loss = ("withdraw", "10.9.0.0/16"), "loses the traffic to it"
    refused(words, loss, lambda: "10.9.0.0/16" in one.announced())
    agreed(words, loss, lambda: "10.9.0.0/16" not in one.announced())
    words, loss = ("disable", PEER, "maintenance"), "ends its session and loses its routes"
    refused(words, loss, one.enabled)
    agreed(words, loss, lambda: not one.enabled())
    one.cli("enable", PEER)  # Loses nothing: not asked.
    check(one.enabled(), "enabled")
    resets = lambda: one.process.log().count("peer.reset")  # noqa: E731
    words, loss = ("reset", PEER), "ends its session"
    refused(words, loss, lambda: resets() == 0)
    agreed(words, loss, lambda: resets() == 1)
    one.cli("reset", PEER, "--yes")
    check_equal(resets(), 2, "--yes does not ask")
    one.cli("refresh", PEER)
    # A hold time that differs resets the session: apply, and its rollback.
    hold = lambda: one.json("show", "peers")["peers"][0]["configured"]["hold_s"]  # noqa: E731
    one.write(peer={"timers": {"hold": "30s", "keepalive": "10s"}})
    loss = "interrupt sessions or tunnels"
    refused(("apply",), loss, lambda: hold() == 90)
    agreed(("apply",), loss, lambda: hold() == 30)
    refused(("rollback",), loss, lambda: hold() == 30)
    agreed(("rollback",), loss, lambda: hold() == 90)
    # What interrupts nothing is not asked for; what withdraws is.
    one.write(networks=["10.1.0.0/16", "10.2.0.0/16"])
    one.cli("apply")
    one.write(networks=["10.1.0.0/16"])
    refused(("apply",), "or withdraw routes", lambda: "10.2.0.0/16" in one.announced())
    shown = one.cli("apply", "--yes").stdout
    check_equal(shown.count("10.2.0.0/16"), 1, f"the plan is shown once: {shown}")


@case("init asks on a terminal, takes the example for an empty line, asks again after a wrong one, overwrites nothing")
def init(lab):
    one = One(lab, start=False)
    made = "/run/made.yaml"
    terminal = Terminal(one.ns, one.binary, "init", "--output", made)
    terminal.wait_for("Which of these [alibaba-dual-bgp]: ")
    terminal.say("gcp-ha")
    terminal.wait_for("Our AS number [65530]: ")
    terminal.say("none")
    terminal.wait_for("'none' is not an AS number")
    terminal.wait_for("Our AS number [65530]: ")
    terminal.say("65010")
    for _ in range(20):  # The other questions.
        terminal.wait_for("]: ")
        terminal.say("")
    code, text = terminal.end()
    check_equal(code, 0, f"init: {text}")
    check("asn: 65010" in one.ns.run("cat", made).stdout, lambda: one.ns.run("cat", made).stdout)
    one.ns.run(one.binary, "check", "--strict", "--elsewhere", made)
    again = one.ns.run(one.binary, "init", "gcp-ha", "--output", made, check=False)
    check_equal((again.returncode, again.stdout), (2, ""), "a file that exists")
    check("exists already" in again.stderr, lambda: again.stderr)
    # Without a terminal nothing is asked: what is missing is the example.
    one.ns.run(one.binary, "init", "oci", "--output", "/run/oci.yaml")
    # The end of input is no answer.
    terminal = Terminal(one.ns, one.binary, "init", "azure", "--output", "/run/azure.yaml")
    terminal.wait_for("]: ")
    os.write(terminal.master, b"\x04")
    code, text = terminal.end()
    check(code == 2 and "nothing was written" in text, lambda: f"{code}: {text}")
    check_equal(one.ns.run("test", "-e", "/run/azure.yaml", check=False).returncode, 1, "the file")


@case("--save outlives kill -9; without it a change ends with the daemon; the user's file stays as it is")
def saved(lab):
    one = One(lab)
    before = one.ns.run("cat", FILE).stdout
    one.cli("announce", "10.8.0.0/16")
    one.cli("announce", "10.9.0.0/16", "--med", "5", "--community", "65001:7", "--save")
    one.cli("disable", PEER, "--yes", "--save")
    check_equal(one.json("plan")["steps"], [], "what is saved is no difference")
    one.restart()
    check_equal(one.announced(), ["10.1.0.0/16", "10.9.0.0/16"], "announced after kill -9")
    path = one.json("show", "routes", "10.9.0.0/16")["routes"][0]["paths"][0]
    check_equal((path["med"], path["communities"]), (5, ["65001:7"]), "its attributes")
    check(not one.enabled(), "the peer is disabled after kill -9")
    check_equal(one.json("show", "config")["saved"],
                {"announcements": ["10.9.0.0/16"], "peers": {PEER: "disabled"}}, "show config")  # fmt: skip
    check("runtime.yaml" in one.json("show", "config")["files"][-1], "runtime.yaml is read last")
    one.cli("check", FILE)
    check("back after a restart" in one.cli("withdraw", "10.9.0.0/16", "--yes").stdout, "withdrawn for now only")
    one.restart()
    check_equal(one.announced(), ["10.1.0.0/16", "10.9.0.0/16"], "what was withdrawn without --save is back")
    one.cli("withdraw", "10.9.0.0/16", "--yes", "--save")
    one.cli("enable", PEER, "--save")
    one.restart()
    check_equal((one.announced(), one.enabled()), (["10.1.0.0/16"], True), "forgotten for good")
    check_equal(one.json("show", "config")["saved"], {"announcements": [], "peers": {}}, "nothing is saved any more")
    check_equal(one.ns.run("cat", FILE).stdout, before, "the user's file")


@case("kill -9 in the middle of saving leaves the old or the new file, never half of one")
def killed(lab):
    one = One(lab)
    done = []
    script = "i=0; while :; do i=$((i+1)); %s -c %s announce 10.50.$((i%%256)).0/24 --save >/dev/null || exit; done"
    for wait in range(5):
        writer = one.ns.start("writer", "sh", "-c", script % (one.binary, FILE))
        count = len(done) + wait + 1
        wait_until(lambda: len(one.announced() or []) > count, 20, "some are saved")
        one.process.kill()
        writer.wait(20)
        checked = one.cli("check", "--strict", FILE, check=False)
        check_equal(checked.returncode, 0, f"runtime.yaml after a death: {checked.stdout}")
        one.start()
        announced = one.announced()
        check(len(announced) > count, "what was saved is announced again")
        done = announced[1:]


@case("a directory that cannot be written: --save says so and changes nothing, commands without it work")
def unwritable(lab):
    one = One(lab, state_dir="/proc/1/no-such-place")
    done = one.cli("announce", "10.9.0.0/16", "--save", check=False)
    check_equal(done.returncode, 3, "exit code")
    check("cannot write /proc/1/no-such-place/runtime.yaml: " in done.stderr, lambda: done.stderr)
    check("nothing was changed" in done.stderr, lambda: done.stderr)
    done = one.cli("disable", PEER, "--yes", "--save", check=False)
    check_equal((done.returncode, one.enabled(), one.announced()), (3, True, ["10.1.0.0/16"]), "nothing was changed")
    one.cli("announce", "10.9.0.0/16")
    check_equal(one.announced(), ["10.1.0.0/16", "10.9.0.0/16"], "without --save")


def keys_of(value):
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


@case("every view is there as text of 80 columns and as JSON whose keys docs/json.md describes; none tells a secret")
def views(lab):
    keys = {"psk": SECRETS[0], "md5": SECRETS[1]}
    extra = {
        "policies": {"in": [{"match": {"prefix": ["10.66.0.0/16"]}, "reject": True}, {"accept": True}]},
        "ipsec": {"manage_interfaces": False},
        "tunnels": {"spare": {"if_id": 42, "ike": {"psk_file": "/run/psk", "remote": {"address": "203.0.113.9"},
                                                   "start_action": "none"}}},
        "peers": {"192.0.2.2": {"accept_all": False, "import": "in", "export": "in"},
                  PEER: {"asn": 65009, "accept_all": True, "md5_file": "/run/md5", "passive": True}},
    }  # fmt: skip
    a, _, ours, theirs = pairs.pair(lab, Bird, extra=extra, start=False)
    for name, secret in keys.items():
        a.write(f"/run/{name}", secret + "\n")
        a.run("chmod", "600", f"/run/{name}")
    ours.start()
    theirs.start()
    theirs.announce({"10.7.0.0/16", "10.66.0.0/16"})
    wait_until(lambda: ours.established("192.0.2.2"), 20, "Established")
    ours.cli("announce", "10.9.0.0/16", "--community", "65530:1")

    def prefixes(*words):
        return {route["prefix"] for route in ours.json(*words)["routes"]}

    wait_until(lambda: "10.7.0.0/16" in prefixes("show", "routes"), 10, "the route is there")
    check_equal(prefixes("show", "routes", "filtered", "192.0.2.2"), {"10.66.0.0/16"}, "filtered")
    check_equal(prefixes("show", "routes", "in", "192.0.2.2"), {"10.7.0.0/16", "10.66.0.0/16"}, "in")
    check("10.9.0.0/16" in prefixes("show", "routes", "out", "192.0.2.2"), "out")
    check_equal(prefixes("show", "routes", "10.0.0.0/8", "longer"), {"10.7.0.0/16", "10.9.0.0/16"}, "longer")
    check_equal(prefixes("show", "routes", "10.7.1.0/24", "shorter"), {"10.7.0.0/16"}, "shorter")
    check_equal(prefixes("show", "routes", "10.7.1.1"), {"10.7.0.0/16"}, "an address")
    documented = set(re.findall(r"`([a-z0-9_]+)`", (needs.REPOSITORY / "docs/json.md").read_text()))
    shown = ""
    for words in (
        "show summary", "show peers", "show peers 192.0.2.2", "show routes", "show routes 10.7.0.0/16",
        "show routes 10.0.0.0/8 longer", "show routes 10.7.1.0/24 shorter", "show routes in 192.0.2.2",
        "show routes out 192.0.2.2", "show routes filtered 192.0.2.2", "show fib", "show tunnels", "show policy",
        "show config", "show version", "show memory", "explain 10.7.0.0/16", "verify", "plan",
        "show log", "log",
    ):  # fmt: skip
        text = a.run(needs.built("bgplite"), *words.split(), env={**os.environ, "COLUMNS": "80"}).stdout
        # The file lies where an operator's would. Diagnostics are FILE:LINE:COLUMN: TEXT, for editors as for people.
        lines = text.replace(str(ours.dir), "/etc/bgplite").splitlines()
        lines = [line for line in lines if not re.match(r"\S+:\d+:\d+: ", line)]
        # What follows the name of a peer or tunnel below a table is a sentence, of any length.
        wide = [line for line in lines if len(line) > 80 and not re.match(r"\S+: ", line)]
        check(not wide, lambda: f"{words} is wider than 80 columns: {wide}")
        check("\033" not in text, f"{words} has color without a terminal")
        answer = ours.json(*words.split())
        data = {"show config": ["peers"], "log": ["session", "rib", "policy", "fib", "tunnel", "config", "control"],
                "show log": ["session", "rib", "policy", "fib", "tunnel", "config", "control"]}  # fmt: skip
        unknown = keys_of(answer) - documented - set(data.get(words, ())) - {PEER}
        check(not unknown, lambda: f"docs/json.md does not describe {sorted(unknown)} of {words}")
        shown += text + json.dumps(answer)
    for words in ("show ip bgp", "show ip bgp summary", "show ip bgp summary json", "show bgp neighbors 192.0.2.2 json",
                  "show ip bgp json", "show bgp summary json"):  # fmt: skip
        text = ours.cli(*words.split()).stdout
        if words.endswith("json"):
            json.loads(text)
        shown += text
    for secret in SECRETS:
        check(secret not in shown + ours.processes[0].log(), f"{secret} was told")
    check_equal(ours.cli("show", "nonsense", check=False).returncode, 2, "an unknown view")
    check("192.0.2.9: " in ours.cli("show", "summary").stdout, "why a peer has no session")
    full = a.run("sh", "-c", f"{needs.built('bgplite')} show summary > /dev/full", check=False)
    check_equal(full.returncode, 3, "what cannot be printed")
    check("standard output" in full.stderr, full.stderr)
    for words, said in (
        (["show", "summary", "--jsn"], "bgplite show: '--jsn' is not expected (did you mean '--json'?); see bgplite"),
        (["reset"], "bgplite reset: PEER is required; see bgplite reset --help"),
        (["--nosuch"], "bgplite: '--nosuch' is not expected; see bgplite --help"),
        ([], "bgplite: a verb is missing; see bgplite --help"),
    ):
        done = ours.cli(*words, check=False)
        check_equal(done.returncode, 2, f"{words}")
        check(done.stderr.startswith(said), f"{words}: {done.stderr}")
    # --watch: again and again, until it is stopped.
    for words in (("show", "summary"), ("show", "log"), ("explain", "10.7.0.0/16"), ("verify",)):
        name = "watch-" + words[-1].replace("/", "-")
        watch = a.start(name, needs.built("bgplite"), *words, "--watch", "0.1", "--json")
        wait_until(lambda: watch.log().count("\n}\n") >= 2 or not watch.running(), 10, f"{words} twice")
        check(watch.running(), lambda: f"{words} --watch ended: {watch.log()}")
        watch.kill()


@case("levels of the log change at run time, by area, until they are set back")
def levels(lab):
    one = One(lab, log={"level": "warning", "areas": {"fib": "error"}})
    area = lambda: one.json("log")["levels"]  # noqa: E731
    check_equal((area()["session"], area()["fib"]), ("warning", "error"), "as configured")
    one.cli("log", "debug", "session")
    one.cli("log", "info", "control")
    check_equal((area()["session"], area()["control"], area()["fib"]), ("debug", "info", "error"), "one by one")
    one.cli("refresh", PEER)
    check("peer.refresh" in one.process.log(), "the area control is heard now")
    one.cli("log", "configured")
    check_equal((area()["session"], area()["control"], area()["fib"]), ("warning", "warning", "error"), "set back")
    quiet = one.process.log().count("peer.refresh")
    one.cli("refresh", PEER)
    check_equal(one.process.log().count("peer.refresh"), quiet, "and quiet again")
    for words in (("log", "loud"), ("log", "debug", "sesion")):
        check_equal(one.cli(*words, check=False).returncode, 2, f"{words}")


if __name__ == "__main__":
    main()
