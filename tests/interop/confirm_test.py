#!/usr/bin/env python3
# kind: default
# seconds: 120
"""An apply that nobody confirms is taken back, whatever dies meanwhile: the daemon, the command line in the middle of
its question or right after it, the control socket. And a confirmation that came in time outlives all of them."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402

OLD, NEW = "10.1.0.0/16", "10.8.0.0/16"
FILE, SOCKET = "/run/bgplite.yaml", "/run/bgplite/control.sock"


class One:
    """A daemon that announces one network; `announced()` is what it announces now."""

    def __init__(self, lab):
        require(needs.root(), needs.namespaces())
        self.ns = lab.namespace("a")
        self.binary = needs.built("bgplite")
        self.ns.run("mkdir", "-p", "/run/bgplite/state")
        self.write(OLD)
        self.start()

    def write(self, network):
        value = {"router": {"asn": 65001, "router_id": "192.0.2.1"}, "networks": [network], "fib": {"enabled": False},
                 "listen": {"enabled": False}, "state_dir": "/run/bgplite/state"}  # fmt: skip
        self.ns.write(FILE, json.dumps(value))

    def start(self):
        self.process = self.ns.start("bgplite", self.binary, "run", "-c", FILE)
        wait_until(self.announced, 10, "the daemon answers")

    def cli(self, *words, check=True):
        return self.ns.run(self.binary, "-c", FILE, *words, check=check)

    def announced(self):
        done = self.cli("show", "routes", "--json", check=False)
        return done.returncode == 0 and [route["prefix"] for route in json.loads(done.stdout)["routes"]]

    def apply(self, network, *words):
        self.write(network)
        self.cli("apply", "--yes", *words)


@case("kill -9 of the command line at any moment: what it had applied rolls back, what it had not is not there")
def killed_cli(lab):
    one = One(lab)
    one.write(NEW)

    def settled():
        log = one.process.log()
        return one.announced() == [OLD] and log.count("applied until confirmed") == log.count("rolling back")

    # From before it asks until after it was answered.
    for delay in (0, 1, 2, 4, 6, 8, 10, 1000):
        command = one.ns.start("cli", one.binary, "-c", FILE, "apply", "--yes", "--confirm", "1s")
        try:
            wait_until(lambda: not command.running(), delay / 1000, "")
        except Exception:
            command.kill()
        wait_until(settled, 10, "the old configuration holds, or is back")
        check(one.process.running(), "the daemon lives")
    # The last one was not killed before it was answered, so that at least once there was something to take back.
    applied, taken_back = (one.process.log().count(text) for text in ("applied until confirmed", "rolling back"))
    check(applied >= 1 and applied == taken_back, f"{applied} were applied, {taken_back} taken back")


@case("kill -9 of the daemon: unconfirmed it starts with the last good configuration, confirmed with the new one")
def killed_daemon(lab):
    one = One(lab)
    one.apply(NEW, "--confirm", "60s")
    check_equal(one.announced(), [NEW], "applied")
    one.process.kill()
    one.start()
    check_equal(one.announced(), [OLD], "after a death without a confirmation")
    check("never confirmed" in one.process.log(), lambda: one.process.log())
    one.process.kill()
    one.start()
    check_equal(one.announced(), [OLD], "and after another one")
    one.cli("apply", "--yes", "--confirm", "60s")
    one.cli("confirm")
    one.process.kill()
    one.start()
    check_equal(one.announced(), [NEW], "after a death with a confirmation")
    check_equal(one.cli("confirm", check=False).returncode, 1, "nothing waits to be confirmed")


@case("the control socket is taken away: the rollback comes all the same, and kill -9 after it starts the old one")
def socket_gone(lab):
    one = One(lab)
    one.apply(NEW, "--confirm", "1s")
    one.ns.run("rm", SOCKET)
    check_equal(one.cli("confirm", check=False).returncode, 3, "nobody can be asked")
    wait_until(lambda: "rolling back" in one.process.log(), 10, "it rolls back by itself")
    one.process.kill()
    one.start()
    check_equal(one.announced(), [OLD], "what runs after a start")


@case("rollback takes an apply back at once, and the user's file is never written")
def rolled_back(lab):
    one = One(lab)
    one.apply(NEW, "--confirm", "60s")
    text = one.ns.run("cat", FILE).stdout
    one.cli("rollback", "--yes")
    check_equal(one.announced(), [OLD], "rolled back")
    check_equal(one.ns.run("cat", FILE).stdout, text, "the file")
    one.cli("apply", "--yes")
    check_equal(one.announced(), [NEW], "an apply without --confirm is the operator's word")


if __name__ == "__main__":
    main()
