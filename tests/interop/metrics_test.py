#!/usr/bin/env python3
# kind: default
# seconds: 120
"""Debian's Prometheus scrapes bgplite, under its own names and frr_exporter's; the alert rules do what they say, and
they and the Grafana dashboard ask for nothing that is not served."""
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs  # noqa: E402
import pairs  # noqa: E402
from cases import case, check, check_equal, main, require  # noqa: E402
from netlab import wait_until  # noqa: E402
from peers import Bird  # noqa: E402

DASHBOARD = needs.REPOSITORY / "apps/bgplite/dist/grafana/bgplite.json"
RULES = needs.REPOSITORY / "apps/bgplite/dist/prometheus"
# What Grafana's dashboard for frr_exporter reads of BGP, with its labels.
FRR_LABELS = {"vrf", "afi", "safi", "local_as", "peer", "peer_as"}
FRR_NAMES = {
    "frr_bgp_peer_state",
    "frr_bgp_peer_uptime_seconds",
    "frr_bgp_peer_message_received_total",
    "frr_bgp_peer_message_sent_total",
    "frr_bgp_peer_prefixes_received_count_total",
    "frr_bgp_peer_prefixes_accepted_count_total",
    "frr_bgp_peer_prefixes_advertised_count_total",
    "frr_bgp_peer_prefixes_filtered_count_total",
    "frr_bgp_rib_count_total",
    "frr_bgp_rib_memory_bytes",
    "frr_bgp_peers_count_total",
}


def expressions(dashboard):
    """What the dashboard asks Prometheus for, with Grafana's variables as they are for everything."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [one["expr"] for one in dashboard["annotations"]["list"]]
    return [expr.replace("$instance", ".*").replace("$__rate_interval", "1m") for expr in found]


@case("the alert rules' tests pass")
def rules(lab):
    require(needs.program("promtool"))
    for words in (("check", "rules", "bgplite.rules.yaml"), ("test", "rules", "bgplite.rules_test.yaml")):
        done = subprocess.run(["promtool", *words], cwd=RULES, capture_output=True, text=True)
        check(done.returncode == 0, lambda: done.stdout + done.stderr)
    # Each rule fires once in the tests, and is looked at where something else of its kind stays silent.
    alerts = re.findall(r"- alert: (\w+)", (RULES / "bgplite.rules.yaml").read_text())
    tests = (RULES / "bgplite.rules_test.yaml").read_text()
    fires = re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels", tests)
    check_equal(sorted(fires), sorted(alerts), "alerts that fire in the tests")
    for block in tests.split("  - interval:")[1:]:
        check(block.count("series: '") >= 2, f"no series beside the one that fires:{block}")


@case("Prometheus scrapes both kinds of names; every series that an alert or the dashboard asks for is there")
def scraped(lab):
    require(needs.program("prometheus"))
    # A tunnel that is watched only, so that there are series of tunnels.
    extra = {"metrics": {"listen": "127.0.0.1:9342", "names": "both"}, "ipsec": {"manage_interfaces": False},
             "tunnels": {"spare": {"if_id": 42}}}  # fmt: skip
    a, _, ours, theirs = pairs.pair(lab, Bird, extra=extra)
    theirs.announce({"10.7.0.0/16"})
    a.write("/run/prometheus.yaml", json.dumps({
        "global": {"scrape_interval": "1s"},
        "rule_files": [str(RULES / "bgplite.rules.yaml")],
        "scrape_configs": [{"job_name": "bgplite", "static_configs": [{"targets": ["127.0.0.1:9342"]}]}],
    }))  # fmt: skip
    a.start("prometheus", "prometheus", "--config.file=/run/prometheus.yaml", "--storage.tsdb.path=/run/prometheus",
            "--web.listen-address=127.0.0.1:9090", "--log.level=error")  # fmt: skip

    def query(text):
        """[(labels, value)]; nothing while Prometheus starts."""
        url = "http://127.0.0.1:9090/api/v1/query?query=" + urllib.parse.quote(text)
        code = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"
        done = a.run("python3", "-c", code, url, check=False)
        if done.returncode:
            return []  # Not there yet, or no expression.
        return [(row["metric"], float(row["value"][1])) for row in json.loads(done.stdout)["data"]["result"]]

    wait_until(lambda: [v for _, v in query("bgplite_peer_prefixes_accepted")] == [1.0], 30, "a scrape with the route")
    check_equal([value for _, value in query('up{job="bgplite"}')], [1.0], "up")
    check_equal([value for _, value in query("frr_bgp_peer_state")], [1.0], "frr_exporter's state: established")
    for name in sorted(FRR_NAMES):
        rows = query(name)
        check(rows, f"{name} is not there")
        if "_peer_" in name:
            check(FRR_LABELS <= rows[0][0].keys(), f"{name} has the labels {sorted(rows[0][0])}")
    asked = set(re.findall(r"\bbgplite_\w+", (RULES / "bgplite.rules.yaml").read_text()))
    check(len(asked) >= 4, f"the rules ask for {asked}")
    # What the tunnel here does not have: it is not probed.
    for name in sorted(name for name in asked if not name.startswith("bgplite_probe_")):
        check(query(name), f"{name}, which an alert asks for, is not there")
    dashboard = expressions(json.loads(DASHBOARD.read_text()))
    names = set(re.findall(r"\bbgplite_\w+", " ".join(dashboard)))
    check(len(names) >= 15, f"the dashboard asks for {names}")
    for name in sorted(names | {"bgplite_info"}):
        check(query(name), f"{name}, which the dashboard asks for, is not there")
    # Each has a value, but for those that show nothing as long as nothing happens. increase() needs two scrapes.
    for expr in dashboard:
        if "> 0" not in expr:
            wait_until(lambda: query(expr), 10, f"the dashboard's {expr} has a value")


if __name__ == "__main__":
    main()
