"""What a machine must have for a test. Each question answers None when it has it, else one sentence that says what is
missing and how to get it; tests hand that sentence to cases.Skip."""
import functools
import os
import pathlib
import shutil
import subprocess

PACKAGES = {
    "bird": "bird2",
    "/usr/lib/frr/bgpd": "frr",
    "gobgpd": "gobgpd",
    "gobgp": "gobgpd",
    "bgpd": "openbgpd",
    "exabgp": "exabgp",
    "promtool": "prometheus",
    "charon-systemd": "charon-systemd",
    "swanctl": "strongswan-swanctl",
    "tshark": "tshark",
    "qemu-system-x86_64": "qemu-system-x86",
    "nft": "nftables",
    "ping": "iputils-ping",
}


def vm(why):
    """The project's own virtual machine (tests/e2e/vm)."""
    return None if os.environ.get("MINIBGP_VM") == "1" else f"{why}: only in the VM"


def root():
    return None if os.geteuid() == 0 else "needs root; run it with sudo"


@functools.lru_cache
def namespaces():
    done = subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"this machine lets root make no network namespace: {done.stderr.strip()}"


def program(name):
    where = "/usr/sbin:/sbin:" + os.environ.get("PATH", "")
    if shutil.which(name, path=where):
        return None
    return f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}"


@functools.lru_cache
def xfrm_interfaces():
    done = subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "probe", "type", "xfrm", "dev", "lo", "if_id", "1"],
        capture_output=True,
        text=True,
    )
    return None if done.returncode == 0 else f"this kernel ({os.uname().release}) has no XFRM interfaces"


@functools.lru_cache
def next_hop_objects():
    done = subprocess.run(["unshare", "-n", "ip", "nexthop", "list"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"this kernel ({os.uname().release}) has no next-hop objects"


def first_missing(*answers):
    """The first sentence among the answers, or None."""
    return next((answer for answer in answers if answer), None)


REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def build_dir():
    """MINIBGP_BUILD, or build/release."""
    return pathlib.Path(os.environ.get("MINIBGP_BUILD", REPOSITORY / "build" / "release"))


@functools.lru_cache
def built(name):
    """The path of a program of ours in build_dir(). Raises FileNotFoundError with the command that builds it."""
    for folder, _, files in os.walk(build_dir()):
        if name in files and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    raise FileNotFoundError(
        f"{name} is not built in {build_dir()}; build it: cmake --build {build_dir()} --target {name}"
    )
