#!/usr/bin/env python3
# kind: default
# seconds: 180
"""The same policy file in the running daemon and offline: FRR sends routes; for each, `show routes in` and
`policy eval` give the same verdict and the same attributes, and both the one written here."""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import Skip, case, check, check_equal, main, require
from netlab import wait_until
from peers import Bgplite, Frr, Neighbor, Router

OURS, THEIRS = "192.0.2.1", "192.0.2.2"

POLICIES = {
    "networks": ["172.16.20.0/24"],
    "prefix_sets": {"vpc": ["192.168.0.0/16 le 24"], "never": ["0.0.0.0/0", "169.254.0.0/16 le 32"]},
    "policies": {
        "from-cloud": [
            {"name": "never", "match": {"prefix": "never"}, "reject": "true"},
            {"name": "own", "match": {"own_prefix": "true"}, "reject": "true"},
            {"name": "transit", "match": {"as_path": "_174_"}, "reject": "true"},
            {"name": "mark", "match": {"community": "65535:*"}, "then": {"add_community": "65530:9"}, "next": "true"},
            {"name": "dear", "match": {"prefix": "vpc", "med": "100.."}, "then": {"local_pref": "50", "med": "+5"},
             "accept": "true"},
            {"name": "vpc", "match": {"prefix": "vpc"}, "then": {"local_pref": "200", "prepend": "leftmost x2"},
             "accept": "true"},
        ]  # fmt: skip
    },
}

# Prefix -> FRR's set lines, and what must become of it: None is refused.
ROUTES = {
    "192.168.10.0/24": ([], {"local_pref": "200", "as_path": "65535 65535 65535", "community": "none"}),
    "192.168.11.0/24": (["set metric 100"], {"local_pref": "50", "med": "105", "as_path": "65535"}),
    "192.168.12.0/24": (["set metric 99"], {"local_pref": "200", "med": "99"}),
    "192.168.13.0/24": (["set community 65535:1"], {"local_pref": "200", "community": "65530:9 65535:1"}),
    "192.168.14.0/24": (["set community 65534:1"], {"local_pref": "200", "community": "65534:1"}),
    "192.168.15.0/24": (["set as-path prepend 174"], None),
    "192.168.16.0/24": (["set as-path prepend 1740"], {"local_pref": "200", "as_path": "65535 65535 65535 1740"}),
    "192.168.17.0/24": (["set origin incomplete"], {"local_pref": "200", "origin": "incomplete"}),
    "192.168.18.0/25": ([], None),
    "192.168.0.0/16": ([], {"local_pref": "200"}),
    "192.168.0.0/15": ([], None),
    "10.0.0.0/8": (["set community 65535:1"], None),
    "172.16.20.0/24": ([], None),
    "172.16.20.128/25": ([], None),
    "169.254.7.0/24": ([], None),
    "0.0.0.0/0": ([], None),
}


class FrrSender(Frr):
    def config(self):
        text = super().config()
        maps = ""
        for i, (prefix, (lines, _)) in enumerate(ROUTES.items()):
            maps += f"route-map r{i} permit 10\n" + "".join(f" {line}\n" for line in lines)
            # as-path can be set on the way out only.
            maps += "exit\n"
            text = text.replace(f"  network {prefix}\n", f"  network {prefix} route-map r{i}\n")
        return maps + text


class BgpliteAt(Bgplite):
    """Another program than the build's."""

    def __init__(self, program, *arguments):
        super().__init__(*arguments)
        self.program = program

    def start(self):
        self.ns.run("mkdir", "-p", "/run/bgplite")
        path = self.write("bgplite.yaml", self.config())
        self.processes = [self.ns.start("bgplite", self.program, "run", "--config", path)]

    def cli(self, *words, check=True):
        return self.ns.run(self.program, *words, check=check)


def answers(lab, program):
    """What `program` makes of each route that FRR sends, as daemon and offline: prefix -> (attributes or None if it is
    refused, the same of policy eval)."""
    require(Bgplite.missing(), Frr.missing())
    a, b = lab.namespace("a"), lab.namespace("b")
    lab.link(a, b, "up0", "up0", [f"{OURS}/24"], [f"{THEIRS}/24"])
    timers = dict(hold=30, keepalive=10)
    peer = {"accept_all": "false", "import": "from-cloud", "export": [{"reject": "true"}]}
    cloud = Neighbor(THEIRS, 65535, local=OURS, passive=True, **timers)
    configured = {**POLICIES, "peers": {THEIRS: peer}}
    ours = BgpliteAt(program, a, Router(65530, OURS, [cloud], kernel=False), configured)
    theirs = FrrSender(b, Router(65535, THEIRS, [Neighbor(OURS, 65530, local=THEIRS, **timers)], kernel=False))
    theirs.announced = set(ROUTES)
    ours.start()
    theirs.start()
    theirs.wait_established(OURS)

    def received():
        routes = ours.json("show", "routes", "in", THEIRS)["routes"]
        return {route["prefix"]: route["paths"][0] for route in routes}

    wait_until(lambda: len(received()) == len(ROUTES), 30, "all routes are received")
    accepted = {route["prefix"]: route["paths"][0] for route in ours.json("show", "routes")["routes"]}
    config = str(ours.dir / "bgplite.yaml")
    found = {}
    for prefix, path in received().items():
        arrived = {**path, "prefix": prefix}
        for own in ("best", "multipath", "accepted", "usable", "stale", "rule", "peer", "received", "path_id"):
            arrived.pop(own, None)
        done = ours.cli("policy", "eval", "-c", config, "--peer", THEIRS, "--json", "--route", json.dumps(arrived))
        offline = json.loads(done.stdout)
        found[prefix] = (
            daemon_texts(accepted[prefix]) if path["accepted"] else None,
            offline["attributes"] if offline["action"] == "accept" else None,
        )
    return found


def differs(texts, wanted):
    """Whether a verdict is another one than ROUTES says."""
    if texts is None or wanted is None:
        return texts is not wanted
    return any(texts[name] != text for name, text in wanted.items())


@case("the daemon and policy eval agree on every route that FRR sends")
def same_verdicts(lab):
    for prefix, (daemon, offline) in answers(lab, needs.built("bgplite")).items():
        wanted = ROUTES[prefix][1]
        check(not differs(daemon, wanted), lambda: f"the daemon on {prefix}: {daemon}, not {wanted}")
        check(not differs(offline, wanted), lambda: f"policy eval on {prefix}: {offline}, not {wanted}")
        for name, text in (daemon or {}).items():
            check_equal(offline[name], text, f"{name} of {prefix}, daemon against offline")


def with_bug(right, wrong, folder):
    """bgplite with one change in the evaluator: what includes that header is compiled again and linked with the rest of
    the build."""
    build = needs.build_dir()
    source = needs.REPOSITORY / "bgp/policy/match.h"
    database = build / "compile_commands.json"
    if not database.exists() or not (build / "build.ninja").exists():
        raise Skip(f"{build} is not a build by Ninja with compile_commands.json")
    text = source.read_text()
    check_equal(text.count(right), 1, f"places of {right!r} in {source.name}")
    (folder / "bgp/policy").mkdir(parents=True)
    (folder / "bgp/policy/match.h").write_text(text.replace(right, wrong))
    objects = []
    for name in ("match.cc", "program.cc"):
        entry = next(e for e in json.loads(database.read_text()) if e["file"].endswith(f"/bgp/policy/{name}"))
        words = shlex.split(entry["command"])
        objects.append(folder / f"{name}.o")
        words[words.index("-o") + 1] = str(objects[-1])
        # Before the others, so that the changed header hides the right one.
        words.insert(next(i for i, word in enumerate(words) if word.startswith("-")), f"-I{folder}")
        subprocess.run(words, cwd=build, check=True)
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands", "bgplite"], capture_output=True, text=True)
    link = commands.stdout.splitlines()[-1]
    check(" -o apps/bgplite " in link, lambda: f"the last command does not link bgplite: {link}")
    # Before the archives, so that theirs is not needed any more.
    link = link.replace(" -o apps/bgplite ", f" {' '.join(map(str, objects))} -o {folder / 'bgplite'} ")
    subprocess.run(link, shell=True, cwd=build, check=True)
    return folder / "bgplite"


@case("a bug planted in the evaluator shows in the daemon and offline alike")
def planted_bug(lab):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        program = with_bug("*value >= condition.x", "*value > condition.x", pathlib.Path(folder))
        found = answers(lab, program)
    # The lower end of a range is lost: MED 100 is not in 100.. any more.
    wrong = {prefix for prefix, verdicts in found.items() if any(differs(v, ROUTES[prefix][1]) for v in verdicts)}
    check_equal(wrong, {"192.168.11.0/24"}, "routes with another verdict than the policy says")
    daemon, offline = found["192.168.11.0/24"]
    check_equal(daemon["local_pref"], "200", "the daemon with the bug")
    check_equal(offline["local_pref"], "200", "policy eval with the bug")


def daemon_texts(path):
    """What `show routes --json` says of an accepted path, in the words of policy eval."""
    words = lambda name: " ".join(path.get(name, [])) or "none"
    return {
        "local_pref": str(path.get("local_pref", "none")),
        "med": str(path.get("med", "none")),
        "origin": path["origin"],
        "as_path": path["as_path"] or "none",
        "next_hop": path["next_hop"],
        "community": words("communities"),
    }


if __name__ == "__main__":
    main()
