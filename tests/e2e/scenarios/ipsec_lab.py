"""The dual-tunnel scenario with two real strongSwans and a real kernel, in namespaces of one machine (the VM).

    client 172.16.20.10 --+-- br0 internet wan1 203.0.113.202 ---- 203.0.113.151 eth0 cloud vsw -- vpc
    onprem eth0 172.16.20.80 -+   (NAT)                                          eth1       192.168.10-50.11
    onprem eth1 172.16.21.248 --- lan1     wan2 198.51.100.127 --- 198.51.100.87

`client` and `vpc` are the hosts at the ends, `onprem` is the device under test, `internet` both its LAN gateways and
the 1:1 NAT, `cloud` plays the VPN gateway: strongSwan (its configuration is swanctl's, so none of our code is on that
side) and FRR. The wire between the gateways is captured in `internet`, and clear_packets() says what on it was not
IKE, ESP or ARP.

Not here: bgplite's configuration (scenarios write their own YAML).
"""
import dataclasses
import json
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
from netlab import LabError, wait_until

KEY = "Correct-Horse-7f3a"  # Looked for in logs and dumps: it may appear nowhere.
PAYLOAD = "marker-in-clear!"  # As long as ping's pattern may be: 16 octets.
ONPREM_NET, VPC_NET = "172.16.0.0/16", "192.168.0.0/16"
VSWITCHES = (10, 20, 30, 40, 50)
PROPOSAL = "aes128-sha1-modp1024"


@dataclasses.dataclass
class Tunnel:
    """One tunnel as both ends see it. number is 1 or 2."""

    number: int
    device: str = ""  # Of the on-premises underlay.
    local: str = ""
    gateway: str = ""
    egress: str = ""  # The address the cloud sees.
    remote: str = ""
    version: int = 2
    proposals: str = PROPOSAL
    esp_proposals: str = PROPOSAL
    local_ts: tuple = ("0.0.0.0/0",)
    remote_ts: tuple = ("0.0.0.0/0",)
    route_based: bool = True  # Of the cloud: an XFRM interface; else policies.
    key: str = KEY

    @property
    def name(self):
        return f"ipsec{self.number - 1}"

    @property
    def if_id(self):
        return 41 + self.number

    @property
    def inner_local(self):
        return f"169.254.{self.number}0.2"

    @property
    def inner_remote(self):
        return f"169.254.{self.number}0.1"


def tunnels(egresses=2, nat=True, **changes):
    """Two tunnels over two or one egress."""
    first = Tunnel(1, "eth0", "172.16.20.80", "172.16.20.253", "203.0.113.202", "203.0.113.151", **changes)
    if egresses == 2:
        second = Tunnel(2, "eth1", "172.16.21.248", "172.16.21.253", "198.51.100.127", "198.51.100.87", **changes)
    else:
        second = Tunnel(2, "eth0", "172.16.20.80", "172.16.20.253", "203.0.113.202", "198.51.100.87", **changes)
    if not nat:
        for tunnel, local in ((first, "203.0.113.80"), (second, "198.51.100.80")):
            tunnel.local = tunnel.egress = local
            tunnel.gateway = local.rsplit(".", 1)[0] + ".151" if tunnel is first else "198.51.100.87"
    return [first, second]


class IpsecLab:
    USER = 64990  # Who bgplite runs as.

    def __init__(self, lab, tunnels, nat=True):
        self.lab, self.tunnels, self.nat = lab, tunnels, nat
        for name in ("client", "internet", "vpc"):
            setattr(self, name, lab.namespace(name, forward=name == "internet"))
        self.onprem = lab.namespace("onprem")
        self.cloud = lab.namespace("cloud", forward=True)
        self._wire()
        self.charon_settings = ""  # Lines of strongswan.conf.
        self._capture = None
        self.charons = {}

    # --- the network ------------------------------------------------------------------------------------------------
    def _wire(self):
        lab, internet = self.lab, self.internet
        lab.link(self.client, internet, "eth0", "p-client", ["172.16.20.10/24"])
        lab.link(self.onprem, internet, "eth0", "p-onprem", ["172.16.20.80/24"])
        lab.link(self.onprem, internet, "eth1", "lan1", ["172.16.21.248/24"], ["172.16.21.253/24"])
        lab.link(self.cloud, internet, "eth0", "wan1", ["203.0.113.151/24"], ["203.0.113.202/24"])
        lab.link(self.cloud, internet, "eth1", "wan2", ["198.51.100.87/24"], ["198.51.100.127/24"])
        lab.link(self.vpc, self.cloud, "eth0", "vsw", [f"192.168.{n}.11/24" for n in VSWITCHES],
                 [f"192.168.{n}.1/24" for n in VSWITCHES])
        internet.batch(
            "link add br0 type bridge", "link set p-client master br0 up", "link set p-onprem master br0 up",
            "link set br0 up", "address add 172.16.20.253/24 dev br0",
        )
        self.client.batch("route add default via 172.16.20.80")
        self.vpc.batch("route add default via 192.168.10.1")
        # Forwarding over one interface would make the kernel tell the client to go to the other gateway directly.
        self.onprem.run("sysctl", "-qw", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
        if self.nat:
            internet.run("nft", "-f", "-", input="""
                table ip nat {
                    chain post { type nat hook postrouting priority 100;
                        oifname "wan*" ip saddr 172.16.20.80 snat to 203.0.113.202
                        oifname "wan*" ip saddr 172.16.21.248 snat to 198.51.100.127
                    }
                    chain pre { type nat hook prerouting priority -100;
                        ip daddr 203.0.113.202 udp dport { 500, 4500 } dnat to 172.16.20.80
                        ip daddr 198.51.100.127 udp dport { 500, 4500 } dnat to 172.16.21.248
                    }
                }""")
        internet.run("nft", "add table ip cut; add chain ip cut transit { type filter hook forward priority 0; }")

    def cut(self, tunnel):
        """Silently drops everything between the gateways of one tunnel, in both directions."""
        remote = self.tunnels[tunnel - 1].remote
        self.internet.run("nft", "add", "rule", "ip", "cut", "transit", "ip", "daddr", remote, "drop")
        self.internet.run("nft", "add", "rule", "ip", "cut", "transit", "ip", "saddr", remote, "drop")

    def mend(self):
        self.internet.run("nft", "flush", "chain", "ip", "cut", "transit")

    # --- charon -----------------------------------------------------------------------------------------------------
    def start_charon(self, space):
        config = space.dir / "strongswan.conf"
        config.write_text(f"""
            charon {{
                {self.charon_settings}
                load_modular = yes
                plugins {{ include /etc/strongswan.d/charon/*.conf }}
                filelog {{ log {{
                    path = {space.dir}/charon-file.log
                    time_format = %s
                    flush_line = yes
                    ike_name = yes
                    default = 1
                }} }}
            }}""")
        space.run("rm", "-f", "/run/charon.vici")
        daemon = space.start("charon", "env", f"STRONGSWAN_CONF={config}", "charon-systemd")
        self.charons[space.name] = daemon
        wait_until(lambda: space.run("test", "-S", "/run/charon.vici", check=False).returncode == 0 or not
                   daemon.running(), 120, "charon's socket")
        if not daemon.running():
            raise LabError(f"charon of {space.name} ended: {daemon.log()[-400:]}")
        space.run("chgrp", str(self.USER), "/run/charon.vici")  # As the package's unit does, with an ACL.
        return daemon

    def swanctl(self, space, *words, check=True):
        return space.run("swanctl", *words, check=check).stdout

    def cloud_config(self):
        """swanctl.conf of the cloud: the responder of each tunnel."""
        connections, secrets = [], []
        for t in self.tunnels:
            interface = f"if_id_in = {t.if_id}\nif_id_out = {t.if_id}" if t.route_based else ""
            connections.append(f"""
                vco{t.number} {{
                    version = {t.version}
                    local_addrs = {t.remote}
                    remote_addrs = {t.egress}
                    proposals = {t.proposals}
                    dpd_delay = 10
                    mobike = no
                    encap = {'yes' if self.nat else 'no'}
                    local {{
                        auth = psk
                        id = {t.remote}
                    }}
                    remote {{
                        auth = psk
                        id = {t.egress}
                    }}
                    children {{ vco_child{t.number} {{
                        local_ts = {','.join(t.remote_ts)}
                        remote_ts = {','.join(t.local_ts)}
                        esp_proposals = {t.esp_proposals}
                        dpd_action = clear
                        {interface}
                    }} }}
                }}""")
            secrets.append(f"""ike-{t.number} {{
                    id-1 = {t.remote}
                    id-2 = {t.egress}
                    secret = "{t.key}"
                }}""")
        return f"connections {{ {''.join(connections)} }}\nsecrets {{ {''.join(secrets)} }}\n"

    def own_connection(self, tunnel, name, *child):
        """A connection of swanctl.conf as a user writes it for one tunnel, on our side; `child`: more lines of it."""
        more = "\n".join(child)
        return f"""
            {name} {{
                version = 2
                local_addrs = {tunnel.local}
                remote_addrs = {tunnel.remote}
                proposals = {tunnel.proposals}
                encap = yes
                local {{
                    auth = psk
                    id = {tunnel.egress}
                }}
                remote {{
                    auth = psk
                    id = {tunnel.remote}
                }}
                children {{ {name}-child {{
                    local_ts = 0.0.0.0/0
                    remote_ts = 0.0.0.0/0
                    esp_proposals = {tunnel.esp_proposals}
                    if_id_in = {tunnel.if_id}
                    if_id_out = {tunnel.if_id}
                    {more}
                }} }}
            }}"""

    def start_cloud(self):
        lines = []
        for t in self.tunnels:
            if t.route_based:
                lines += [f"link add {t.name} type xfrm dev eth{t.number - 1} if_id {t.if_id}",
                          f"link set {t.name} mtu 1400 up", f"address add {t.inner_remote}/30 dev {t.name}"]
        if lines:
            self.cloud.batch(*lines)
        self.start_charon(self.cloud)
        self.load_cloud()

    def load_cloud(self):
        path = self.cloud.dir / "swanctl.conf"
        path.write_text(self.cloud_config())
        path.chmod(0o600)
        self.swanctl(self.cloud, "--load-all", "--file", path)

    def key_file(self, tunnel):
        path = self.onprem.dir / f"{tunnel.name}.psk"
        path.write_text(tunnel.key + "\n")
        path.chmod(0o600)
        shutil.chown(path, self.USER, self.USER)
        return path

    # --- what is there ----------------------------------------------------------------------------------------------
    def child_sas(self, space):
        """{connection: [state, ...]} of the CHILD_SAs charon has."""
        found, name = {}, None
        for line in self.swanctl(space, "--list-sas", check=False).splitlines():
            if line and not line.startswith(" "):
                name = line.split(":")[0]
            elif line.startswith("  ") and not line.startswith("   ") and ", reqid " in line:
                found.setdefault(name, []).append(line.split(",")[2].strip())
        return found

    def installed(self, space=None):
        """Connections with an installed CHILD_SA."""
        return {n for n, states in self.child_sas(space or self.onprem).items() if "INSTALLED" in states}

    def spis(self, space, if_id=None):
        """SPIs of the kernel's SAs, larval ones left out; of one tunnel, or of all."""
        found = set()
        for block in re.split(r"^(?=src )", space.ip("xfrm", "state"), flags=re.M):
            spi = re.search(r"spi (0x[0-9a-f]+)", block)
            keyed = re.search(r"^\s+(enc|aead) ", block, flags=re.M)
            of = re.search(r"if_id (0x[0-9a-f]+)", block)
            if spi and keyed and (if_id is None or (of and int(of[1], 16) == if_id)):
                found.add(spi[1])
        return found

    def link(self, name, space=None):
        """`ip -d -j link show NAME`, or None."""
        done = (space or self.onprem).run("ip", "-d", "-j", "link", "show", "dev", name, check=False)
        return json.loads(done.stdout)[0] if done.returncode == 0 else None

    def addresses(self, name, space=None):
        done = (space or self.onprem).run("ip", "-j", "address", "show", "dev", name, check=False)
        if done.returncode:
            return set()
        return {f"{a['local']}/{a['prefixlen']}" for a in json.loads(done.stdout)[0]["addr_info"]
                if a["family"] == "inet" or a.get("scope") != "link"}

    def ping(self, space, target, count=1, seconds=5, source=None):
        words = ["ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-w", str(seconds)]
        if source:
            words += ["-I", source]
        return space.run(*words, target, check=False).returncode == 0

    def wait_ping(self, space, target, seconds=30):
        wait_until(lambda: self.ping(space, target, seconds=1), seconds,
                   f"echo from {space.name} to {target} is not answered")

    # --- the wire ---------------------------------------------------------------------------------------------------
    def start_capture(self):
        """Everything between the gateways, on the wire of the internet's two WAN sides; and the echoes at the client,
        where the marker must be seen, or nobody sent it."""
        self._capture = [self._tcpdump(self.internet, device) for device in ("wan1", "wan2")]
        self._control = self._tcpdump(self.client, "eth0", "icmp")
        for path, process in (*self._capture, self._control):
            wait_until(lambda p=process: "listening on" in p.log(), 60, lambda p=process: "tcpdump: " + p.log())

    def _tcpdump(self, space, device, *expression):
        path = self.lab.dir / f"{space.name}-{device}.pcap"
        return path, space.start(f"capture-{device}", "tcpdump", "-U", "-n", "-s", "0", "-i", device, "-w", path,
                                 "--immediate-mode", "-Z", "root", *expression)

    def clear_packets(self):
        """Packets on the wire that are none of IKE, ESP, ESP in UDP, ARP or ND, or that have an inner address, and
        whether the payload marker or the key can be read anywhere. Ends the capture. Returns (packets seen, list of
        offences)."""
        seen, offences = 0, []
        inner = f"net {VPC_NET} or net {ONPREM_NET} or net 169.254.0.0/16"
        # While charon is away the kernel refuses its ports: such an ICMP message quotes what came in, encrypted.
        refusal = "(icmp[icmptype] = icmp-unreach and icmp[17] = 17 and (icmp[30:2] = 500 or icmp[30:2] = 4500))"
        allowed = f"icmp6 or esp or udp port 500 or udp port 4500 or {refusal}"
        expression = f"not arp and (({inner}) or not ({allowed}))"
        for path, process in self._capture or []:
            process.stop()
            total = self.internet.run("tcpdump", "-n", "-r", path, check=False).stdout.splitlines()
            seen += len(total)
            offences += self.internet.run("tcpdump", "-n", "-r", path, expression, check=False).stdout.splitlines()
            raw = path.read_bytes()
            for what in (PAYLOAD.encode(), KEY.encode()):
                if what in raw:
                    offences.append(f"{what.decode()} can be read in {path.name}")
        if self._capture:
            path, process = self._control
            process.stop()
            if PAYLOAD.encode() not in path.read_bytes():
                offences.append(f"the marker is not even in {path.name}: nothing was looked for")
        self._capture = None
        return seen, offences
