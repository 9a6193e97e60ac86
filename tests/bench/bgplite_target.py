"""bgplite as a target of the bench harness, which drives several BGP daemons through the same load:

    run.py --target-file tests/bench/bgplite_target.py --target bgplite,bird,frr --scenario a,b,c,d,f --runs 3 \\
        --out results.json

The binary is $BGPLITE, or the release build's. The configuration is the default one: Adj-RIB-In kept, everything
accepted and announced, as for the other targets. tests/bench/ratios.py prints the comparison.
"""
import json
import os
import pathlib
import subprocess

from targets import Target  # The harness's own module.

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    if "BGPLITE" in os.environ:
        return os.environ["BGPLITE"]
    found = [p for p in (ROOT / "build" / "release").rglob("bgplite") if p.is_file() and os.access(p, os.X_OK)]
    return str(found[0]) if found else "bgplite"


class Bgplite(Target):
    name = "bgplite"

    def __init__(self, **fib):
        self.binaries = [binary()]
        self.fib = fib

    def version(self):
        done = subprocess.run([binary(), "--version"], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    def files(self, spec, d):
        peers = {}
        for p in spec["peers"]:
            peer = {"asn": p["asn"], "local_address": p["local"], "accept_all": True, "passive": p["passive"]}
            if spec["hold"]:
                peer["timers"] = {"hold": f"{spec['hold']}s", "keepalive": f"{spec['keepalive']}s"}
            peers[p["addr"]] = peer
        config = {
            "router": {
                "asn": spec["asn"],
                "router_id": spec["router_id"],
                "maximum_paths": spec["ecmp"],
                # The peers' ASes differ: FRR's target says multipath-relax, and BIRD merges such paths anyway.
                "multipath": "relax",
            },
            "peers": peers,
            "fib": {"enabled": spec["fib"], **self.fib},
            "control": {"socket": f"{d}/control.sock"},
            "state_dir": d,
        }
        return {"bgplite.yaml": json.dumps(config, indent=1) + "\n"}  # JSON is YAML.

    def commands(self, spec, d):
        # Not binary(): this is inside the time that is measured, and a build tree takes 20 ms to walk.
        return [[self.binaries[0], "run", "-c", f"{d}/bgplite.yaml"]]


class BgpliteWithoutObjects(Bgplite):
    """Every route carries its next hops itself, as on kernels before 5.3."""

    name = "bgplite-multipath"


TARGETS = {"bgplite": Bgplite(), "bgplite-multipath": BgpliteWithoutObjects(next_hop_objects="off")}
