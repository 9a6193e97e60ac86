#!/usr/bin/env python3
# kind: default
# seconds: 240
"""Faults of files and of the daemon, planted one by one: keys, state_dir, what is not applied or confirmed, a port that
is taken. bgplite doctor names each once, and its remedy works."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from cases import case, check_equal, main  # noqa: E402
from netlab import wait_until  # noqa: E402
from planted import FILE, MD5, STATE, Fault, applied, shell, walk, written  # noqa: E402


def busy(s):
    """Another program has our port when we start."""
    s.process.stop()
    s.other = s.ns.start("other", sys.executable, "-c", "import socket, time\ns = socket.socket(socket.AF_INET6)\n"
                         "s.bind(('::', 179)); s.listen(); time.sleep(99)")  # fmt: skip
    wait_until(lambda: ":179" in s.ns.run("ss", "-ltn").stdout, 10, "the port is busy")


def not_busy(s):
    s.other.kill()
    s.start()


def trial(s):
    s.write(networks=["172.16.20.0/24"])
    check_equal(s.cli("apply", "--yes", "--confirm", "60s").returncode, 0, "apply --confirm")


FAULTS = [
    Fault("the key is missing", "psk-file", "is not there", shell(f"rm {MD5}")),
    Fault("others can read the key", "psk-file", "can be read or written by others", shell(f"chmod 644 {MD5}")),
    Fault("the key is root's", "psk-file", "cannot read the key", shell(f"chown root {MD5}")),
    Fault("the daemon cannot read its file", "config-files", FILE, shell(f"chown root:root {FILE}; chmod 600 {FILE}")),
    Fault("state_dir is root's", "state-dir", "cannot be written by user nobody", shell(f"chown root {STATE}")),
    Fault("state_dir is gone", "state-dir", "is not there", shell(f"mv {STATE} {STATE}.away"), None,
          shell(f"rm -r {STATE}; mv {STATE}.away {STATE}")),
    Fault("state_dir is full", "state-dir", "free space",
          shell(f"mount -t tmpfs -o size=4k,mode=777 t {STATE}; cat /dev/zero > {STATE}/fill; test -s {STATE}/fill"),
          shell(f"rm {STATE}/fill"), shell(f"umount {STATE}")),
    Fault("the file on disk differs from what runs", "unapplied", "172.16.22.0/24",
          written(networks=["172.16.20.0/24", "172.16.21.0/24", "172.16.22.0/24"]),
          lambda s: check_equal(s.cli("apply", "--yes").returncode, 0, "apply"), applied()),
    Fault("an apply waits for its confirmation", "unconfirmed", "bgplite confirm", trial,
          lambda s: s.cli("confirm"), applied()),
    Fault("the file has a mistake", "config", "unknown key", written(netwerks=[]), written()),
    Fault("the daemon died", "daemon", "bgplite run", lambda s: s.process.kill(), lambda s: s.start()),
    Fault("another process has our port", "daemon", "port 179", busy, not_busy),
]


@case("twelve faults of files and of the daemon, each named once; its remedy makes doctor silent")
def files(lab):
    walk(lab, FAULTS)


if __name__ == "__main__":
    main()
