#!/usr/bin/env python3
# kind: default
# sanitized: no
"""The Debian packages hold what they should, owned and permitted as Debian wants it, and need no more and no less than
their control files say. (What they do when installed: tests/e2e/scenarios/package_test.py.)"""
import atexit
import functools
import gzip
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
import packages
from cases import case, check, check_equal, main, require
from packages import contents, fields, run

VERSION = re.search(r"VERSION (\S+)", (needs.REPOSITORY / "CMakeLists.txt").read_text().split("project(", 1)[1])[1]
RELEASE = f"{VERSION}-1"  # Debian's revision.
LIBRARY = f"libminibgp{'.'.join(VERSION.split('.')[:2])}"
LIBRARIES = ("libminibgp", "libminibgp_fib", "libminibgp_xfrm", "libminibgp_testing")
DAEMON_FILES = [
    "/usr/sbin/bgplite",
    "/usr/lib/systemd/system/bgplite.service",
    "/usr/lib/systemd/system/strongswan.service.d/bgplite.conf",
    "/usr/lib/sysusers.d/bgplite.conf",
    "/usr/lib/tmpfiles.d/bgplite.conf",
    "/usr/share/bash-completion/completions/bgplite",
    "/usr/share/man/man8/bgplite.8.gz",
    "/usr/share/man/man5/bgplite.yaml.5.gz",
    "/usr/share/doc/bgplite/examples/dual-egress-bgp.yaml",
    "/usr/share/doc/bgplite/examples/prometheus/bgplite.rules.yaml",
    "/usr/share/doc/bgplite/operations.md",
]


def folder():
    """One for all cases of this run."""
    if not hasattr(folder, "path"):
        folder.path = pathlib.Path(tempfile.mkdtemp(prefix="minibgp-packages-"))
        atexit.register(shutil.rmtree, folder.path, ignore_errors=True)
    return folder.path


@functools.lru_cache
def debs():
    needs.built("bgplite")
    run("cmake", "--build", needs.build_dir(), "--target", "bgplite", "libraries")
    return packages.make(folder() / "out")


@functools.lru_cache
def unpacked(name):
    root = folder() / "root" / name
    root.parent.mkdir(exist_ok=True)
    run("dpkg-deb", "--raw-extract", debs()[name], root)
    return root


def elf_files(name):
    for path in sorted(p for p in unpacked(name).rglob("*") if p.is_file() and not p.is_symlink()):
        with open(path, "rb") as file:
            if file.read(4) == b"\x7fELF":
                yield path


def dependencies(text):
    """{package: version it is tied to or None}; of alternatives, the first."""
    found = {}
    for one in filter(None, text.split(", ")):
        match = re.match(r"([\w.+-]+)(?: \(([^)]*)\))?", one)
        found[match[1]] = match[2]
    return found


@case("three packages, with this version, this machine's architecture and all that a control file has")
def control(lab):
    require(packages.missing())
    check_equal(set(debs()), {"bgplite", LIBRARY, "libminibgp-dev"}, "packages")
    architecture = run("dpkg", "--print-architecture").strip()
    for name, deb in debs().items():
        said = fields(deb)
        check_equal((said["Package"], said["Version"], said["Architecture"]), (name, RELEASE, architecture), deb.name)
        check_equal(deb.name, f"{name}_{RELEASE}_{architecture}.deb", "the file's name")
        wanted = {"Maintainer", "Section", "Priority", "Installed-Size", "Description"}
        check(wanted <= set(said), f"{name} lacks {sorted(wanted - set(said))}")
        synopsis = said["Description"]
        check(len(synopsis) <= 80 and not synopsis.startswith(("A ", "The ")), f"{name}: {synopsis}")
        check(name != "libminibgp-dev" or f"{LIBRARY} (= {RELEASE})" in said["Depends"], said.get("Depends"))


@case("files lie where Debian has them, are root's, and nobody else may write them; nothing lies in /etc")
def files(lab):
    require(packages.missing())
    for name, deb in debs().items():
        for path, (mode, owner, target) in contents(deb).items():
            check_equal(owner, "root/root", f"{name}: owner of {path}")
            program = path.startswith("/usr/sbin/") and path != "/usr/sbin/"
            wanted = {"d": "drwxr-xr-x", "l": "lrwxrwxrwx"}.get(mode[0], "-rwxr-xr-x" if program else "-rw-r--r--")
            check_equal(mode, wanted, f"{name}: mode of {path}")
            inside = ("/usr/lib/", "/usr/sbin/", "/usr/share/", "/usr/include/")
            check(path in ("/", "/usr/") or path.startswith(inside), f"{name}: {path}")
        for file in ("copyright", "changelog.gz", "changelog.Debian.gz"):
            check(f"/usr/share/doc/{name}/{file}" in contents(deb), f"{name} has no {file}")
    have = contents(debs()["bgplite"])
    check_equal(sorted(set(DAEMON_FILES) - set(have)), [], "bgplite lacks")


@case("the library's package has the SONAMEs, -dev what is needed to compile")
def library_files(lab):
    require(packages.missing())
    have, dev = contents(debs()[LIBRARY]), contents(debs()["libminibgp-dev"])
    folders = {path.rsplit("/", 1)[0] for path in have if ".so" in path}
    check(len(folders) == 1, f"libraries lie in {folders}")
    where = folders.pop()
    check_equal(where, f"/usr/lib/{run('dpkg-architecture', '-qDEB_HOST_MULTIARCH').strip()}", "the libraries' folder")
    so_version = ".".join(VERSION.split(".")[:2])
    for library in LIBRARIES:
        check_equal(have[f"{where}/{library}.so.{so_version}"][2], f"{library}.so.{VERSION}", f"{library}: its SONAME")
        check(f"{where}/{library}.so.{VERSION}" in have, f"no {library}.so.{VERSION}")
        check_equal(dev[f"{where}/{library}.so"][2], f"{library}.so.{so_version}", f"{library}: what ld finds")
        check(f"{where}/{library}.a" in dev, f"no {library}.a")
        check(f"{where}/pkgconfig/{library.removeprefix('lib')}.pc" in dev, f"no .pc of {library}")
    check("/usr/include/minibgp/bgp/speaker.h" in dev, "no header")
    check(f"{where}/cmake/minibgp/minibgpConfig.cmake" in dev, "no CMake package")
    twice = {p for p in set(have) & set(dev) if not p.endswith("/")}
    check_equal(twice, set(), "files in both packages")
    shlibs = (unpacked(LIBRARY) / "DEBIAN/shlibs").read_text()
    for library in LIBRARIES:
        check(re.search(rf"^{library} {re.escape(so_version)} {re.escape(LIBRARY)} \(>= ", shlibs, re.M), shlibs)


@case("each shared library that a program needs is in a package it depends on; no path of the build is left in it")
def shared_libraries(lab):
    require(packages.missing(), needs.program("readelf"))
    wanted = {}  # (package, library): program
    for name in debs():
        own = {p.name for p in unpacked(name).rglob("*.so*")}
        for path in elf_files(name):
            dynamic = run("readelf", "-dW", path)
            check("RPATH" not in dynamic and "RUNPATH" not in dynamic, f"{path.name} has a path to libraries in it")
            check(".symtab" not in run("readelf", "-SW", path), f"{path.name} is not stripped")
            needs_libraries = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) - own
            wanted |= {(name, library): path.name for library in needs_libraries}
    check(len(wanted) > 5, f"programs need only {wanted}")
    listing = re.findall(r"^(\S+?):\S* \S*/(\S+)$", run("dpkg", "-S", *{needed for _, needed in wanted}), re.M)
    for (name, needed), program in wanted.items():
        owners = {owner for owner, file in listing if file == needed}
        owners |= set(dependencies(run("dpkg-query", "-W", "-f=${Provides}", *owners)))
        depends = dependencies(fields(debs()[name]).get("Depends", ""))
        check(owners & set(depends), f"{program} needs {needed} of {owners}, not in {sorted(depends)}")
    for library in ("libyaml-cpp0.7", "libcap-ng0", "libseccomp2", "libc6"):
        tied = dependencies(fields(debs()["bgplite"])["Depends"])
        check(library in tied and tied[library], f"no version of {library}: {tied}")


@case("manual pages and changelogs are compressed and whole; checksums are those of the files")
def sums(lab):
    require(packages.missing())
    for name in debs():
        root = unpacked(name)
        changelog = gzip.decompress((root / f"usr/share/doc/{name}/changelog.Debian.gz").read_bytes()).decode()
        check(changelog.startswith(f"{name} ({RELEASE}) "), changelog)
        for path in (p for p in root.rglob("*.gz") if p.name != "changelog.Debian.gz"):
            source = {"bgplite.8.gz": "apps/bgplite/dist/man/bgplite.8", "changelog.gz": "CHANGELOG.md",
                      "bgplite.yaml.5.gz": "apps/bgplite/dist/man/bgplite.yaml.5"}[path.name]
            check_equal(gzip.decompress(path.read_bytes()), (needs.REPOSITORY / source).read_bytes(), path.name)
        listed = dict(reversed(line.split("  ", 1)) for line in (root / "DEBIAN/md5sums").read_text().splitlines())
        have = {p.relative_to(root).as_posix(): hashlib.md5(p.read_bytes()).hexdigest()
                for p in root.rglob("*") if p.is_file() and not p.is_symlink() and "DEBIAN" not in p.parts}
        check_equal(listed, have, f"md5sums of {name}")


@case("maintainer scripts stop at errors, parse, and are the daemon's, and ldconfig's the library's")
def scripts(lab):
    require(packages.missing())
    for name in debs():
        there = {p.name for p in (unpacked(name) / "DEBIAN").iterdir()} & {"preinst", "postinst", "prerm", "postrm"}
        wanted = {"bgplite": {"postinst", "prerm", "postrm"}, LIBRARY: {"postinst", "postrm"}}
        check_equal(there, wanted.get(name, set()), f"scripts of {name}")
        check(not (unpacked(name) / "DEBIAN/conffiles").exists(), f"{name} has conffiles but nothing in /etc")
    check("ldconfig" in (unpacked(LIBRARY) / "DEBIAN/triggers").read_text(), "ldconfig does not run")
    for script in ("postinst", "prerm", "postrm"):
        path = unpacked("bgplite") / "DEBIAN" / script
        check_equal(path.stat().st_mode & 0o777, 0o755, f"mode of {script}")
        text = path.read_text()
        check(text.startswith("#!/bin/sh\n") and "\nset -e\n" in text, f"{script} goes on after errors")
        run("sh", "-n", path)
        check("update-rc.d" not in text and "rm -rf /etc" not in text, f"{script} does too much")


@case("the units and the user's and directories' lines of the package are ones that systemd takes")
def units(lab):
    require(packages.missing(), needs.program("systemd-analyze"))
    root = unpacked("bgplite")
    (root / "etc").mkdir()
    done = subprocess.run(["systemd-sysusers", f"--root={root}", "bgplite.conf"], capture_output=True, text=True)
    check(done.returncode == 0 and "bgplite" in (root / "etc/passwd").read_text(), done.stderr)
    done = subprocess.run(["systemd-tmpfiles", "--create", f"--root={root}", "bgplite.conf"], capture_output=True,
                          text=True)
    check(done.returncode == 0, done.stderr)
    check_equal((root / "etc/bgplite/psk").stat().st_mode & 0o777, 0o750, "mode of /etc/bgplite/psk")
    shutil.rmtree(root / "etc")
    unit = root / "usr/lib/systemd/system/bgplite.service"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    # bgplite is not installed on this machine.
    bad = [line for line in done.stderr.splitlines() if "bgplite.service" in line and "/usr/sbin/bgplite" not in line]
    check_equal(bad, [], "what systemd says of the unit")


if __name__ == "__main__":
    main()
