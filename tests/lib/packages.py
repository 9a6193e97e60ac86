"""The Debian packages of the build at hand, made by cpack.

    debs = packages.make(folder)                     # {"bgplite": path, ...}
    packages.later(debs["bgplite"], "0.2.0")         # the same files under a later version
"""
import pathlib
import re
import shutil
import subprocess

import needs


def missing():
    """What keeps this machine from making packages, or None."""
    cache = needs.build_dir() / "CMakeCache.txt"
    text = cache.read_text() if cache.exists() else ""
    if not all(f"{option}:BOOL=ON" in text for option in ("MINIBGP_LIBRARY", "MINIBGP_BUILD_APPS")):
        return f"{needs.build_dir()} is not configured with MINIBGP_LIBRARY and MINIBGP_BUILD_APPS"
    return needs.first_missing(needs.program("dpkg-deb"), needs.program("dpkg-shlibdeps"), needs.program("cpack"))


def run(*words, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def make(folder, *settings):
    """{package name: path of its .deb}, made below `folder`. settings: of cpack, "NAME=VALUE"."""
    words = [word for setting in settings for word in ("-D", setting)]
    run("cpack", "--config", needs.build_dir() / "CPackConfig.cmake", "-B", folder, *words)
    return {path.name.split("_")[0]: path for path in sorted(pathlib.Path(folder).glob("*.deb"))}


def later(deb, version):
    """The same package under another version; its path."""
    tree, made = deb.with_suffix(".tree"), deb.with_name(f"{deb.name.split('_')[0]}_{version}.deb")
    run("dpkg-deb", "--raw-extract", deb, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.M))
    run("dpkg-deb", "-Znone", "--build", "--root-owner-group", tree, made)
    shutil.rmtree(tree)
    return made


def fields(deb):
    """The control file as a dict."""
    return dict(re.findall(r"^([A-Z][\w-]*): (.*)$", run("dpkg-deb", "--field", deb), re.M))


def contents(deb):
    """{path without the leading dot: (mode as ls shows it, owner/group, target of a symbolic link or None)}"""
    found = {}
    for line in run("dpkg-deb", "--contents", deb).splitlines():
        mode, owner, _, _, _, name = line.split(None, 5)
        name, _, target = name.partition(" -> ")
        found[name.removeprefix(".")] = (mode, owner, target or None)
    return found
