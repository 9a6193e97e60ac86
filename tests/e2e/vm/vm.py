#!/usr/bin/env python3
"""Runs one command as root on Debian's stock kernel under software emulation (QEMU, TCG: no KVM needed).

    tests/e2e/vm/vm.py [--out DIR] [--timeout S] -- COMMAND...

The guest's files are this machine's: / comes in read-only over 9p below a throw-away tmpfs overlay, so whatever is
installed or built here runs there unchanged, at the same path, and can break nothing. --out DIR is /out ($OUT) in the
guest, writable. The guest has no network but lo: make namespaces (tests/lib/netlab.py). Process 1 is guest.sh, not
systemd; with --systemd the command runs beside a real systemd (systemd.sh).

Output of COMMAND comes out on stdout. Exit status: COMMAND's; 124 after the time limit; 125 when the VM itself failed,
with the last lines of its console. Boot takes about 12 s; code runs some twenty times slower than outside, timers in
real time.

The kernel is what linux-image-amd64 depends on now: downloaded by apt-get download, unpacked into
${XDG_CACHE_HOME:-~/.cache}/minibgp-vm (400 MB), never installed. Without a network the newest cached one is taken.
"""
import argparse
import gzip
import lzma
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "cpio": "cpio",
    "modprobe": "kmod",
    "depmod": "kmod",
    "busybox": "busybox-static",
}
MODULES = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class VmError(Exception):
    """The VM could not be had; the text says what is missing and what to run."""


def require_tools():
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool, path=PATH)})
    if missing:
        raise VmError(f"needs {' '.join(missing)}: apt-get install --no-install-recommends {' '.join(missing)}")
    busybox = shutil.which("busybox", path=PATH)
    if subprocess.run(["ldd", busybox], capture_output=True).returncode == 0:
        raise VmError("busybox is not a static one: apt-get install --no-install-recommends busybox-static")
    return busybox


# --- the kernel -------------------------------------------------------------------------------------------------------
def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "minibgp-vm"


def wanted_version():
    """The version that linux-image-amd64 depends on, or None when apt does not know it."""
    shown = subprocess.run(["apt-cache", "show", "linux-image-amd64"], capture_output=True, text=True).stdout
    versions = re.findall(r"^Depends:.*?linux-image-(\d[^ ,]*)", shown, re.M)
    return max(versions, key=_version_key) if versions else None


def _version_key(version):
    return [int(part) if part.isdigit() else 0 for part in re.split(r"[.\-]", version)]


def kernel(version=None):
    """The folder of an unpacked kernel package and its version; downloads it when the cache lacks it."""
    version = version or wanted_version()
    if version:
        try:
            return _unpacked(version), version
        except (VmError, subprocess.CalledProcessError) as error:
            reason = str(error)
    else:
        reason = "apt does not know linux-image-amd64 (apt-get update?)"
    cached = [d.parent.name for d in cache_dir().glob("*/complete")]
    if not cached:
        raise VmError(f"no kernel for the VM: {reason}")
    newest = max(cached, key=_version_key)
    print(f"vm: {reason}; using the cached kernel {newest}", file=sys.stderr)
    return cache_dir() / newest, newest


def _unpacked(version):
    folder = cache_dir() / version
    if (folder / "complete").exists():
        return folder
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="unpack-") as temporary:
        os.chmod(temporary, 0o755)
        got = subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", f"linux-image-{version}"],
            cwd=temporary,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        packages = list(pathlib.Path(temporary).glob("*.deb"))
        if not packages:
            raise VmError(f"apt-get download linux-image-{version}: {got.stderr.strip().splitlines()[-1:]}")
        root = pathlib.Path(temporary) / "root"
        subprocess.run(["dpkg", "-x", packages[0], root], check=True)
        subprocess.run(["depmod", "-b", root, version], check=True, env={"PATH": PATH})
        (root / "complete").touch()
        # Another run may have been faster; both have the same files.
        if not folder.exists():
            os.rename(root, folder)
    return folder


# --- the initial file system ------------------------------------------------------------------------------------------
def initrd(folder, version, busybox, temporary):
    """A cpio archive with busybox and the modules that reach the root file system."""
    tree = temporary / "initrd"
    for name in ("bin", "lib", "proc", "sys", "dev", "mnt"):
        (tree / name).mkdir(parents=True)
    shown = subprocess.run(
        ["modprobe", "-d", folder, "-S", version, "-aD", *MODULES],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": PATH},
    ).stdout
    inserts, seen = [], set()
    for line in shown.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "insmod" or words[1] in seen:
            continue
        seen.add(words[1])
        source = pathlib.Path(words[1])
        opener = {".xz": lzma.open, ".gz": gzip.open}.get(source.suffix, open)
        name = source.name.removesuffix(".xz").removesuffix(".gz")
        with opener(source, "rb") as module:
            (tree / "lib" / name).write_bytes(module.read())
        inserts.append(f"$b insmod /lib/{name}")
    shutil.copy(busybox, tree / "bin" / "busybox")
    init = (HERE / "init.sh").read_text().replace("@INSMOD@", "\n".join(inserts))
    (tree / "init").write_text(init)
    (tree / "init").chmod(0o755)
    names = subprocess.run(["find", "."], cwd=tree, capture_output=True, text=True, check=True).stdout
    archive = temporary / "initrd.cpio"
    with open(archive, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=tree, input=names.encode(), stdout=out, check=True)
    return archive


# --- running ----------------------------------------------------------------------------------------------------------
def boot(command, out=None, timeout=600, memory_mb=1024, cpus=2, version=None, systemd=False, console=False):
    """Runs `command` (a list) in a fresh guest; returns its exit status. See the top of the file."""
    busybox = require_tools()
    folder, version = kernel(version)
    with tempfile.TemporaryDirectory(prefix="minibgp-vm-") as name:
        temporary = pathlib.Path(name)
        control = temporary / "control"
        control.mkdir()
        shares = [_share("/", "root", readonly=True), _share(control, "control")]
        if out:
            pathlib.Path(out).mkdir(parents=True, exist_ok=True)
            shares.append(_share(pathlib.Path(out).resolve(), "out"))
        if systemd:
            command = ["bash", str(HERE / "systemd.sh"), *command]
        passed = {k: v for k, v in os.environ.items() if k.startswith("MINIBGP_") and k != "MINIBGP_VM"}
        passed.update(PATH=PATH, HOME="/root", LANG="C.UTF-8", TERM="dumb", CI=os.environ.get("CI", "true"))
        settings = {
            "VM_MODULES": folder / "lib" / "modules" / version,
            "VM_VERSION": version,
            "VM_DIRECTORY": os.getcwd(),
            "VM_SHARE_OUT": "1" if out else "",
            "VM_COMMAND": shlex.join(map(str, command)),
            "VM_SCRIPT": HERE / "guest.sh",
        }
        lines = [f"export {k}={shlex.quote(str(v))}" for k, v in passed.items()]
        lines += [f"{k}={shlex.quote(str(v))}" for k, v in settings.items()]
        (control / "settings").write_text("\n".join(lines) + "\n")
        # Nobody writes to the guest's port, and it must never see the end of its input: QEMU would close the port.
        stdin, keep = os.pipe()
        log = temporary / "console"
        argv = [
            "qemu-system-x86_64",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            str(cpus),
            "-m",
            str(memory_mb),
        ]
        argv += [
            "-kernel",
            folder / "boot" / f"vmlinuz-{version}",
            "-initrd",
            initrd(folder, version, busybox, temporary),
        ]
        # no_timer_check: on a busy machine the emulated timer looks dead to the kernel's boot-time test, which panics.
        argv += ["-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on no_timer_check"]
        for share in shares:
            argv += ["-virtfs", share]
        argv += ["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-nic", "none", "-monitor", "none"]
        argv += ["-serial", f"file:{log}", "-device", "virtio-serial-pci"]
        argv += ["-chardev", "stdio,id=out,signal=off", "-device", "virtserialport,chardev=out,name=out"]
        qemu = subprocess.Popen(list(map(str, argv)), stdin=stdin, env={**os.environ, "PATH": PATH})
        try:
            qemu.wait(timeout)
        except subprocess.TimeoutExpired:
            print(f"vm: stopped after {timeout} s", file=sys.stderr)
            return 124
        finally:
            if qemu.poll() is None:
                qemu.kill()
                qemu.wait()
            os.close(stdin)
            os.close(keep)
            text = log.read_text(errors="replace") if log.exists() else ""
            if console:
                print(text, file=sys.stderr)
        status = control / "status"
        if status.exists() and status.read_text().strip():
            return int(status.read_text())
        tail = "\n".join(text.splitlines()[-25:])
        raise VmError(f"the guest ended without a result (qemu: {qemu.returncode}); its console:\n{tail}")


def _share(path, tag, readonly=False):
    if "," in str(path):
        raise VmError(f"QEMU takes no comma in a path: {path}")
    flags = ",readonly=on" if readonly else ""
    return f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap{flags}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", metavar="DIR", help="shared with the guest as /out")
    arguments.add_argument("--timeout", type=float, default=600, metavar="S")
    arguments.add_argument("--memory", type=int, default=1024, metavar="MB")
    arguments.add_argument("--cpus", type=int, default=min(2, os.cpu_count() or 1))
    arguments.add_argument("--kernel", metavar="VERSION", help="for example 6.1.0-50-amd64")
    arguments.add_argument("--systemd", action="store_true", help="with a real systemd as the command's init")
    arguments.add_argument("--console", action="store_true", help="show the kernel's console at the end")
    arguments.add_argument("command", nargs=argparse.REMAINDER)
    options = arguments.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        arguments.error("no command")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))  # So that the finally clauses run.
    try:
        status = boot(
            command,
            options.out,
            options.timeout,
            options.memory,
            options.cpus,
            options.kernel,
            options.systemd,
            options.console,
        )
    except VmError as error:
        print(f"vm: {error}", file=sys.stderr)
        status = 125
    sys.exit(status)


if __name__ == "__main__":
    main()
