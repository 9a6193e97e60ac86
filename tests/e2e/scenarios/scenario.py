"""One scenario of the strongSwan document, end to end: the on-premises side is strongSwan and bgplite with one YAML
file, the cloud side strongSwan and FRR (or another bgplite, or static routes). Every scenario answers the same five
questions, and prints them as one row (scenario_table.py); a script ends with the table of its rows, tests/run.sh with
that of all.
"""
import contextlib
import json

import cases
import needs
import scenario_table
from cases import check, require
from ipsec_lab import KEY, PAYLOAD, VPC_NET, VSWITCHES, IpsecLab
from loss import Loss
from netlab import wait_until
from peers import Bgplite, Frr, Neighbor, Router

CLOUD_AS, OUR_AS = 65535, 65530
LAN = "172.16.20.0/24"
PATIENCE = 120  # Seconds for what takes a second on metal: the machine under the VM may be busy.


class OnPremises(Bgplite):
    """bgplite with a configuration of its own, not a Router's. It runs as the packaged unit runs it: as a user of its
    own, with three capabilities and no way to more."""

    user = IpsecLab.USER

    def __init__(self, namespace, value):
        super().__init__(namespace, Router(OUR_AS, "172.16.20.80", []))
        self.value = value

    def config(self):
        return json.dumps(self.value, indent=1) + "\n"

    def start(self):
        path = self.write("bgplite.yaml", self.config())
        for directory in ("/run/bgplite", self.value["state_dir"]):
            self.ns.run("mkdir", "-p", directory)
            self.ns.run("chown", "-R", f"{self.user}:{self.user}", directory)
        capabilities = "-all,+net_admin,+net_bind_service,+net_raw"
        self.processes = [self.ns.start(
            "bgplite", "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--no-new-privs",
            f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", f"--bounding-set={capabilities}",
            needs.built("bgplite"), "run", "--config", path)]


class Scenario:
    def __init__(self, lab, name, tunnels, nat=True, bgp=True, cloud=Frr):
        require(needs.root(), needs.xfrm_interfaces(), needs.program("charon-systemd"), needs.program("tcpdump"),
                Bgplite.missing(), cloud.missing() if bgp else None)
        self.name, self.bgp, self.cloud_kind = name, bgp, cloud
        self.answers, self.faults = set(), {}
        if name[0].isdigit():
            _scenarios.append(self)
        self.ipsec = IpsecLab(lab, tunnels, nat)
        self.tunnels = tunnels
        self.onprem, self.cloud, self.client, self.vpc = (
            self.ipsec.onprem, self.ipsec.cloud, self.ipsec.client, self.ipsec.vpc)
        self.daemon = None

    # --- configuration ----------------------------------------------------------------------------------------------
    def config(self, **extra):
        """The YAML file. `extra` replaces top-level keys."""
        value = {
            "router": {"asn": OUR_AS, "router_id": "172.16.20.80", "maximum_paths": 32},
            "state_dir": "/run/bgplite-state",
            "tunnels": {},
            "host": {"forwarding": "manage", "rp_filter": "manage", "mss_clamp": "manage", "firewall": "check"},
        }
        if self.bgp:
            value["networks"] = [LAN]
            value["policies"] = {
                "from-vpc": [{"match": {"prefix": f"{VPC_NET} le 24"}, "accept": True}],
                "to-vpc": [{"match": {"own_prefix": True}, "accept": True}],
            }
        for t in self.tunnels:
            tunnel = {
                "underlay": {"device": t.device, "gateway": t.gateway},
                "if_id": t.if_id,
                "ike": {
                    "version": t.version,
                    "local": {"address": t.local, "id": t.egress},
                    "remote": {"address": t.remote},
                    "psk_file": str(self.ipsec.key_file(t)),
                    "proposals": t.proposals,
                    "esp_proposals": t.esp_proposals,
                    "encap": self.ipsec.nat,
                },
            }
            if t.local_ts != ("0.0.0.0/0",):
                tunnel["ike"]["local_ts"], tunnel["ike"]["remote_ts"] = list(t.local_ts), list(t.remote_ts)
            else:
                tunnel["address"] = f"{t.inner_local}/30"
            if self.bgp:
                tunnel["peer"] = {
                    "address": t.inner_remote, "asn": CLOUD_AS, "import": "from-vpc", "export": "to-vpc",
                    "timers": {"keepalive": "10s", "hold": "30s"},
                }
            value["tunnels"][t.name] = tunnel
        value.update(extra)
        return value

    def policy_config(self, **extra):
        """The same in mode: policy, and as in the document a route that leads the traffic to the uplink, where the
        policies catch it."""
        value = self.config(**extra)
        for tunnel in value["tunnels"].values():
            tunnel["mode"] = "policy"
            del tunnel["if_id"]
        first = self.tunnels[0]
        self.onprem.ip("route", "add", VPC_NET, "via", first.gateway, "dev", first.device)
        return value

    # --- the steps --------------------------------------------------------------------------------------------------
    def start(self, config=None):
        self.start_ends()
        self.start_ours(config)

    def start_ends(self):
        """All but bgplite."""
        self.ipsec.start_capture()
        self.ipsec.start_cloud()
        self.ipsec.start_charon(self.onprem)
        if self.bgp:
            neighbors = [Neighbor(t.inner_local, OUR_AS, keepalive=10, hold=30) for t in self.tunnels]
            self.speaker = self.cloud_kind(self.cloud, Router(CLOUD_AS, "169.254.10.1", neighbors, maximum_paths=32))
            self.speaker.announce({f"192.168.{n}.0/24" for n in VSWITCHES})
            self.speaker.start()

    def start_ours(self, config=None):
        self.daemon = self.make_daemon(config or self.config())
        self.daemon.start()

    def make_daemon(self, value):
        return OnPremises(self.onprem, value)

    def log(self):
        """What the daemon has logged."""
        return self.daemon.processes[0].log()

    def wait_sas(self, count=None):
        wanted = count or len(self.tunnels)
        wait_until(lambda: len(self.ipsec.installed()) == wanted, PATIENCE,
                   lambda: f"{wanted} SAs; there are {self.ipsec.child_sas(self.onprem)}")
        self.answers.add("SAs up")

    def wait_routes(self, devices=None):
        """All VPC prefixes in the kernel, over these devices (all tunnels unless told)."""
        wanted = frozenset(devices or [t.name for t in self.tunnels])
        prefixes = [f"192.168.{n}.0/24" for n in VSWITCHES] if self.bgp else [VPC_NET]

        def there():
            routes = self.onprem.routes()
            return all(p in routes and routes[p][0].devices == wanted for p in prefixes)

        wait_until(there, PATIENCE, lambda: f"routes over {sorted(wanted)}; there are {self.onprem.routes()}")
        if self.bgp:
            wait_until(lambda: LAN in self.cloud.routes(), PATIENCE, "our network at the cloud")
        self.answers.add("sessions or routes up")

    def wait_both_ways(self):
        for here, there in (("172.16.20.10", "192.168.10.11"), ("172.16.20.10", "192.168.50.11")):
            self.ipsec.wait_ping(self.client, there, PATIENCE)
            self.ipsec.wait_ping(self.vpc, here, PATIENCE)
        # A payload that would be seen if it went in the clear.
        marker = PAYLOAD.encode().hex()
        self.client.run("ping", "-n", "-q", "-c", "3", "-i", "0.2", "-p", marker, "192.168.10.11", check=False)
        self.answers.add("both directions")

    def traffic(self, rate=40, flows=4):
        return Loss(self.client, self.vpc, "172.16.20.10", [f"192.168.{n}.11" for n in VSWITCHES[:flows]], rate=rate,
                    flows=flows, warm_up=60)

    @contextlib.contextmanager
    def survives(self, fault):
        self.faults[fault] = False
        yield
        self.faults[fault] = True

    def finish(self):
        """The wire, the key, the row."""
        seen, offences = self.ipsec.clear_packets()
        check(seen > 20, f"only {seen} packets were captured: the capture did not work")
        check(not offences, lambda: f"in the clear: {offences[:5]}")
        log = self.log()
        shown = self.daemon.cli("show", "tunnels", "--json", check=False).stdout
        check(KEY not in log and KEY not in shown, "the key is in the log or in show")
        self.answers.add("nothing in the clear")
        complete = self.answers == set(scenario_table.QUESTIONS) and self.faults and all(self.faults.values())
        check(complete, lambda: f"an answer is missing: {self.row()}")

    def row(self):
        return scenario_table.line(self.name, self.answers, self.faults)


_scenarios = []


def main():
    """cases.main(), and whatever became of them the rows and their table."""
    try:
        cases.main()
    finally:
        rows = "\n".join(s.row() for s in _scenarios)
        if rows:
            print(f"{rows}\n\n{scenario_table.table(scenario_table.read(rows))}", flush=True)
