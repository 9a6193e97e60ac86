#!/usr/bin/env python3
# kind: default
# seconds: 120
"""An apply that nobody confirms is taken back, whatever dies meanwhile: the daemon, the command line in the middle of
its question or right after it, the control socket; whatever is asked meanwhile, and though the disk is full. And a
confirmation that came in time outlives all of them."""
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
from cases import case, check, check_equal, main, measured, require  # noqa: E402
from netlab import wait_until  # noqa: E402

OLD, NEW = "10.1.0.0/16", "10.8.0.0/16"
FILE, SOCKET = "/run/bgplite.yaml", "/run/bgplite/control.sock"


class One:
    """A daemon that announces one network; `announced()` is what it announces now."""

    def __init__(self, lab, disk=None, name="a"):
        require(needs.root(), needs.namespaces())
        self.ns = lab.namespace(name)
        self.binary = needs.built("bgplite")
        self.ns.run("mkdir", "-p", "/run/bgplite/state")
        if disk:
            self.ns.run("mount", "-t", "tmpfs", "-o", f"size={disk}", "t", "/run/bgplite/state")
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


@case("SIGHUP while a change waits for its confirmation changes nothing, ends nothing, and says so")
def reloaded(lab):
    one = One(lab)
    one.apply(NEW, "--confirm", "3s")
    for network in (NEW, "10.9.0.0/16"):
        before = one.process.log().count("reload refused")
        one.write(network)
        one.process.send_signal(signal.SIGHUP)
        wait_until(lambda: one.process.log().count("reload refused") > before, 10, "the reload is refused")
    check("'bgplite confirm' or 'bgplite rollback' first" in one.process.log(), lambda: one.process.log())
    check_equal(one.announced(), [NEW], "what runs meanwhile")
    wait_until(lambda: one.announced() == [OLD], 10, "it rolls back all the same")
    one.write(NEW)
    one.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "taken back or never confirmed" in one.process.log(), 10, "the same files are refused")
    check_equal(one.announced(), [OLD], "after a reload of what was taken back")


@case("a full state_dir refuses apply, confirm and reload with the reason; kill -9 then starts what was applied last")
def full_disk(lab):
    one = One(lab, disk="64k")
    one.apply(NEW)
    one.ns.run("sh", "-c", "cat /dev/zero > /run/bgplite/state/fill; true")
    for words in (("apply", "--yes"), ("apply", "--yes", "--confirm", "60s")):
        one.write("10.9.0.0/16")
        done = one.cli(*words, check=False)
        check(done.returncode == 3 and "No space left on device: nothing was changed" in done.stderr,
              lambda: f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        check_equal(one.announced(), [NEW], f"after {words}")
    one.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload refused: cannot write" in one.process.log(), 10, "the reload is refused")
    one.write(NEW)
    one.ns.run("rm", "/run/bgplite/state/fill")
    one.apply("10.9.0.0/16", "--confirm", "60s")
    one.process.kill()
    one.start()
    check_equal(one.announced(), [NEW], "what was good before the crash, not the one before that")


@case("a file that is not UTF-8 is kept octet for octet: a death before the confirmation takes it back")
def octets(lab):
    one = One(lab)
    one.apply(NEW)
    one.ns.run("sh", "-c", rf"printf '\n# caf\351 \377\n' >> {FILE}")
    one.cli("apply", "--yes", "--confirm", "60s")
    one.process.kill()
    one.start()
    check("never confirmed" in one.process.log(), lambda: one.process.log())


@case("a rollback takes back the files that sets name")
def sets(lab):
    one = One(lab)
    value = json.loads(one.ns.run("cat", FILE).stdout)
    value |= {"prefix_sets": {"theirs": {"file": "set.txt"}},
              "policies": {"in": [{"match": {"prefix": "theirs"}, "accept": True}]},
              "peers": {"192.0.2.9": {"asn": 65009, "import": "in", "export": "in", "enabled": False}}}  # fmt: skip
    one.ns.write("/run/set.txt", "10.40.0.0/16\n")
    one.ns.write(FILE, json.dumps(value))
    one.cli("apply", "--yes")
    one.ns.write("/run/set.txt", "10.41.0.0/16\n")
    check_equal(len(json.loads(one.cli("plan", "--json").stdout)["steps"]), 2, "steps of the other set")
    one.cli("apply", "--yes", "--confirm", "1s")
    check_equal(json.loads(one.cli("plan", "--json").stdout)["steps"], [], "steps once it runs")
    wait_until(lambda: "rolling back" in one.process.log(), 10, "it rolls back")
    wait_until(lambda: len(json.loads(one.cli("plan", "--json").stdout)["steps"]) == 2, 10, "the file differs again")


@case("plan and apply of a file that the daemon does not read are refused")
def another_file(lab):
    one = One(lab)
    one.ns.run("cp", FILE, "/run/other.yaml")
    for verb in ("plan", "apply"):
        done = one.ns.run(one.binary, "-c", "/run/other.yaml", "--socket", SOCKET, verb, "--yes", check=False)
        check(done.returncode == 2 and f"reads {FILE}, not /run/other.yaml" in done.stderr,
              lambda: f"{verb}: {done.returncode}: {done.stdout}{done.stderr}")
    one.ns.run("ln", "-s", FILE, "/run/link.yaml")
    one.ns.run(one.binary, "-c", "/run/link.yaml", "--socket", SOCKET, "plan")


# What the reference says that each of these costs a peer.
COSTS = [("name", "another", "live"), ("timers", {"send_hold": "500s"}, "live"),
         ("timers", {"connect_retry": "7s"}, "live"),
         ("import_limit", {"max": 100}, "live"), ("export_limit", {"max": 100}, "live"),
         ("session_on_tunnel_down", "close", "live"), ("prepend", 1, "refresh"),
         ("families", ["ipv4", "ipv6"], "reset"), ("enabled", False, "reset")]  # fmt: skip


@case("what plan says that a change costs a session is what apply costs it, and what ends one wants --yes")
def costs(lab):
    require(needs.root(), needs.namespaces())
    binary = needs.built("bgplite")
    spaces = [lab.namespace("a"), lab.namespace("b")]
    lab.link(*spaces, "link0", "link0", ["198.51.100.1/24"], ["198.51.100.2/24"])
    configs = []
    for i, space in enumerate(spaces):
        there = {"asn": 65002 - i, "accept_all": True, "timers": {"connect_retry": "1s"}}
        configs.append({"router": {"asn": 65001 + i, "router_id": f"192.0.2.{i + 1}"}, "fib": {"enabled": False},
                        "networks": [f"10.{i}.0.0/16"], "state_dir": "/run/bgplite/state",
                        "peers": {f"198.51.100.{2 - i}": there}})  # fmt: skip
        space.run("mkdir", "-p", "/run/bgplite/state")
        space.write(FILE, json.dumps(configs[i]))
        space.start("bgplite", binary, "run", "-c", FILE)
    ours, peer = spaces[0], configs[0]["peers"]["198.51.100.2"]
    cli = lambda *words: ours.run(binary, "-c", FILE, *words, check=False, input="")
    shown = lambda: json.loads(cli("show", "peers", "--json").stdout)["peers"][0]
    answers = lambda: "peers" in cli("show", "peers", "--json").stdout
    wait_until(lambda: answers() and shown()["state"] == "Established", 20, "it is up")
    steps = lambda: json.loads(cli("plan", "--json").stdout)["steps"]
    for key, value, effect in COSTS:
        peer[key] = value
        ours.write(FILE, json.dumps(configs[0]))
        check_equal([step["effect"] for step in steps()], [effect], f"plan: {key}")
        ups = shown()["established"]
        done = cli("apply")
        check_equal(done.returncode, 1 if effect == "reset" else 0, f"apply of {key} without --yes: {done.stdout}")
        check_equal((shown()["state"], shown()["established"]), ("Established", ups), f"the session after {key}")
        if effect == "reset":
            cli("apply", "--yes")
            again = lambda: shown()["enabled"] is False if key == "enabled" else shown()["established"] == ups + 1
            state = "Idle" if key == "enabled" else "Established"
            wait_until(lambda: again() and shown()["state"] == state, 20, shown)
        check_equal(steps(), [], f"plan after apply: {key}")


@case("a YAML of aliases that would fill the memory is refused at once, and the daemon goes on meanwhile")
def bomb(lab):
    one = One(lab)
    lines = ["router: { asn: 65001, router_id: 192.0.2.1 }", "any:", "  - &a0 { community: 65001:1 }"]
    lines += [f"  - &a{i} {{ any: [{', '.join([f'*a{i - 1}'] * 10)}] }}" for i in range(1, 31)]
    one.ns.write(FILE, "\n".join(lines + ["policies: { p: [ { match: *a30, accept: true } ] }"]) + "\n")
    began = time.monotonic()
    done = one.ns.run("timeout", "5", one.binary, "check", FILE, check=False)
    check(done.returncode == 2 and "aliases count as often as they are used" in done.stdout, lambda: done.stdout)
    check_equal(one.cli("plan", check=False).returncode, 2, "plan")
    check(time.monotonic() - began < 5, f"{time.monotonic() - began:.1f} s")
    check_equal(one.announced(), [OLD], "what runs")


@case("kill at each system call of the store of an apply --confirm: the next start runs the old or the new file")
def each_call(lab):
    require(needs.program("strace"))
    # In a thread of its own, each on the new file; then fsync of the directory. Until the rename is done the next start
    # finds the old store, which knows nothing of the change, and runs what the file says.
    fresh = "/run/bgplite/state/configuration.new"
    points = [(call, ["-P", fresh], 1, NEW) for call in ("openat", "write", "fsync", "close", "rename")]
    points.append(("fsync", [], 2, OLD))
    for call, path, when, runs in points:
        one = One(lab, name=f"{call}{when}")
        pid = one.process.pid
        one.ns.start("strace", "strace", "-f", "-qq", "-o", "/dev/null", *path, "-p", pid, "-e", f"trace={call}", "-e",
                     f"inject={call}:signal=KILL:when={when}")  # fmt: skip
        wait_until(lambda: "TracerPid:\t0" not in open(f"/proc/{pid}/status").read(), 10, "strace is attached")
        one.write(NEW)
        one.cli("apply", "--yes", "--confirm", "60s", check=False)
        wait_until(lambda: not one.process.running(), 10, f"it is killed at {call} {when}")
        one.start()
        place = "of the new file" if path else "of the directory, after the rename"
        which = "new" if runs == NEW else "old"
        measured("apply --confirm: kill -9", f"at {call} {place}", f"the next start runs the {which} file")
        check_equal(one.announced(), [runs], f"after a death at {call} {when}")


@case("a set of 400 000 prefixes is read beside the loop: other commands are answered meanwhile")
def large_set(lab):
    one = One(lab)
    value = json.loads(one.ns.run("cat", FILE).stdout)
    value |= {"prefix_sets": {"theirs": {"file": "set.txt"}},
              "policies": {"in": [{"match": {"prefix": "theirs"}, "accept": True}]}}  # fmt: skip
    lines = (f"{20 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24" for i in range(400_000))
    one.ns.write("/run/set.txt", "\n".join(lines) + "\n")
    one.ns.write(FILE, json.dumps(value))
    apply = one.ns.start("apply", one.binary, "--socket", SOCKET, "apply", "--yes")
    answered, slowest = 0, 0.0
    while apply.running():
        began = time.monotonic()
        one.ns.run(one.binary, "--socket", SOCKET, "show", "version")
        answered, slowest = answered + 1, max(slowest, time.monotonic() - began)
    print(f"    {answered} commands answered meanwhile, the slowest after {slowest * 1000:.0f} ms")
    check_equal(apply.wait(1), 0, "status of apply")
    check(answered >= 5, f"{answered} commands were answered while the set was read twice")


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
