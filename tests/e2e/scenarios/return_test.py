#!/usr/bin/env python3
# kind: full
# where: vm
# seconds: 900
"""Return traffic through real tunnels: after a loss nobody announced it moves when the cloud hears our networks in
halves; a tunnel that goes on purpose is left first. A drill plays the failure without touching IPsec."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cases import case, check, check_equal, main
from ipsec_lab import tunnels
from netlab import wait_until
from scenario import LAN, PATIENCE, Scenario

HALVES = {"172.16.20.0/25", "172.16.20.128/25"}


@case("1 dual egress, BGP: ipsec0 down, then drilled, then removed by apply: what the return direction loses")
def return_direction(lab):
    s = Scenario(lab, "1 return direction", tunnels(2))
    config = s.config()
    for tunnel in config["tunnels"].values():
        tunnel["peer"]["return_path"] = {"longest": 25}
    s.start(config)
    s.wait_sas()
    s.wait_routes()
    s.wait_both_ways()

    def at_cloud():
        """{prefix of ours: devices} in the cloud's kernel."""
        return {prefix: rows[0].devices for prefix, rows in s.cloud.routes().items() if prefix in HALVES | {LAN}}

    cloud_devices = at_cloud()[LAN]
    check_equal(len(cloud_devices), 2, "ways back")
    with s.survives("ipsec0 down"):
        with s.traffic(rate=50, flows=5) as traffic:
            s.onprem.down("ipsec0")
            # Our keeper sets it up again; the halves were there in between, as the log says.
            wait_until(lambda: "halves of our networks announced" in s.log(), PATIENCE, "the halves are announced")
            s.wait_routes()
            wait_until(lambda: set(at_cloud()) == {LAN}, PATIENCE, "the halves are taken back")
        told("ipsec0 down", traffic)
        check(traffic.report.back.longest_gap_s < 5, "the return direction waited for the cloud's hold timer")
    with s.survives("a drill"):
        with s.traffic(rate=100, flows=5) as traffic:
            done = s.daemon.cli("drill", "ipsec0", "--for", "5s", "--yes", "--json", check=False)
        told("drill", traffic)
        report = json.loads(done.stdout)
        print(f"    {json.dumps(report)}", flush=True)
        check_equal(report["state"], "done", "state")
        check_equal((traffic.report.forth.lost, traffic.report.back.lost), (0, 0), "packets lost: it was a rehearsal")
        # Too little traffic here for a time; that it left shows in what still came this way.
        for way in ("in", "out"):
            stayed = report[way]["before_per_s"] * report["lasted_s"]
            check(report[way]["packets"] < stayed / 4, f"{way}: {report[way]['packets']} packets of about {stayed:.0f}")
        s.wait_routes()
        check_equal(s.log().count("session down"), 0, "sessions lost")
    with s.survives("a tunnel removed by apply"):
        with s.traffic(rate=50, flows=5) as traffic:
            del s.daemon.value["tunnels"]["ipsec0"]
            s.daemon.write("bgplite.yaml", s.daemon.config())
            s.daemon.cli("--config", s.daemon.dir / "bgplite.yaml", "apply", "--yes")
            s.wait_routes(devices=["ipsec1"])
            wait_until(lambda: len(s.ipsec.installed()) == 1, PATIENCE, "one tunnel left")
        told("tunnel removed", traffic)
        check(traffic.report.back.longest_gap_s < 5, "the cloud was told before the tunnel went")
    s.finish()


def told(what, traffic):
    for name, way in (("forth", traffic.report.forth), ("back", traffic.report.back)):
        print(f"    {what}: {name} {way.sent} sent, {way.lost} lost, longest gap {way.longest_gap_s:.2f} s", flush=True)


if __name__ == "__main__":
    main()
