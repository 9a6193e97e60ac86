"""bgplite as its package installs it, under a real systemd, in the document's network without IPsec: two links named
ipsec0 and ipsec1 between `gateway` and FRR's `cloud`, a host behind each.

Units of the machine's systemd run in the namespace `gateway` by a drop-in; everything else is the package's.
"""
import json
import pathlib
import subprocess

import needs
import packages
import pairs
from cases import require
from netlab import LabError
from peers import Frr, Neighbor, Router
from routes import VPC

CONFIG = pathlib.Path("/etc/bgplite/bgplite.yaml")
PATIENCE = 120  # Seconds for what takes a second on metal: the machine under the VM may be busy.


def host(*argv, check=True, timeout=300):
    """Runs a command beside systemd, outside the lab's namespaces."""
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=timeout)
    if check and done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done


def enter_namespace(space, *units):
    """These units run in the lab's namespace."""
    network = pathlib.Path(f"/run/netns/{space.name}")
    network.parent.mkdir(exist_ok=True)
    network.touch()
    host("mount", "--bind", f"/proc/{space.holder.pid}/ns/net", network)
    for unit in units:
        folder = pathlib.Path(f"/etc/systemd/system/{unit}.service.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lab.conf").write_text(f"[Service]\nNetworkNamespacePath={network}\n")
    host("systemctl", "daemon-reload")


def network(lab):
    """(gateway, cloud, FRR that was started), nothing of ours."""
    require(needs.vm("changes /etc and /usr"), packages.missing(), Frr.missing())
    # Images for containers forbid that packages start daemons.
    pathlib.Path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)
    gateway, cloud = lab.namespace("gateway", forward=True), lab.namespace("cloud", forward=True)
    for number, name in ((10, "ipsec0"), (20, "ipsec1")):
        lab.link(gateway, cloud, name, name, [f"169.254.{number}.2/30"], [f"169.254.{number}.1/30"])
    for space in (gateway, cloud):
        space.sysctl(net__ipv4__fib_multipath_hash_policy=1)
    neighbors = [Neighbor(f"169.254.{n}.2", 65530, hold=30, keepalive=10) for n in (10, 20)]
    frr = Frr(cloud, Router(65535, "169.254.10.1", neighbors, maximum_paths=32))
    frr.announce(VPC)
    frr.start()
    pairs.hosts(lab, gateway, cloud)
    enter_namespace(gateway, "bgplite")
    return gateway, cloud, frr


def make_package(folder):
    """The daemon's .deb. Compressed lightly: the VM is slow."""
    return packages.make(folder, "CPACK_COMPONENTS_ALL=daemon", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")["bgplite"]


def established():
    """The daemon answers, and all its sessions are up."""
    done = host("bgplite", "show", "peers", "--json", check=False)
    return done.returncode == 0 and all(p["state"] == "Established" for p in json.loads(done.stdout)["peers"])


def property_of(name, unit="bgplite"):
    return host("systemctl", "show", unit, "--value", "-p", name).stdout.strip()
