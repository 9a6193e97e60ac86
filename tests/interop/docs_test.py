#!/usr/bin/env python3
# kind: default
# seconds: 300
"""What docs/*.md tells people to type works: `console` blocks are transcripts of bgplite and print what they show, `sh`
blocks run. (Blocks of C++ and CMake are compiled by library_test.py, which has the installed library.) A block says its
language, so that none is passed over."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import Skip, case, check, check_equal, main, require
from netlab import wait_until
from peers import Bgplite, Router

DOCUMENTS = sorted((needs.REPOSITORY / "docs").glob("*.md"))
# Languages that are only read, each with who looks after it: yaml by the policy's and the configuration's own tests.
KNOWN = {"cpp", "sh", "console", "cmake", "yaml", "text"}
EXAMPLES = needs.REPOSITORY / "apps/bgplite/dist/examples/policy"


def blocks(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(), re.S | re.M)


def transcript(block):
    """[(command, what it prints)]"""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.M)
    check(parts[0] == "", f"a transcript begins with a command: {block}")
    return list(zip(parts[1::2], parts[2::2]))


@case("every block of the documents says what it is")
def languages(lab):
    for document in DOCUMENTS:
        fences = re.findall(r"^```(.*)$", document.read_text(), re.M)
        unknown = [language for language in fences[::2] if language not in KNOWN]
        check_equal(unknown, [], f"unknown languages in {document.name}")
        check_equal(set(fences[1::2]) - {""}, set(), f"fences that do not close in {document.name}")


@case("transcripts print what the documents show, beside a running daemon where they ask it")
def transcripts(lab):
    require(Bgplite.missing(), needs.root(), needs.namespaces())
    ours = lab.namespace("ours")
    daemon = Bgplite(ours, Router(65530, "10.9.0.2", [], kernel=False))
    daemon.announced = {"172.16.20.0/24"}
    daemon.start()
    wait_until(lambda: daemon.cli("show", "routes", "--json", check=False).returncode == 0, 10, "the daemon answers")
    folder = daemon.dir / "typed"
    folder.mkdir()
    for file in EXAMPLES.iterdir():
        shutil.copy(file, folder)
    shutil.copy(EXAMPLES / "vpc.yaml", folder / "vpc-new.yaml")
    path = f"{pathlib.Path(needs.built('bgplite')).parent}:{os.environ['PATH']}"
    ran = 0
    for document in DOCUMENTS:
        for block in blocks(document, "console"):
            for command, shown in transcript(block):
                done = ours.run("env", f"PATH={path}", "sh", "-c", f"cd {folder} && {command}", check=False)
                if shown:
                    check_equal(done.stdout, shown, f"{document.name}: {command}")
                else:
                    check(done.returncode == 0, lambda: f"{document.name}: {command}: {done.stdout}{done.stderr}")
                ran += 1
    check(ran >= 4, f"only {ran} commands were found")


@case("the commands of sh blocks run")
def commands(lab):
    cache = needs.build_dir() / "CMakeCache.txt"
    if "MINIBGP_LIBRARY:BOOL=ON" not in (cache.read_text() if cache.exists() else ""):
        raise Skip(f"{needs.build_dir()} is configured without -DMINIBGP_LIBRARY=ON")
    ran = 0
    with tempfile.TemporaryDirectory() as folder:
        for document in DOCUMENTS:
            for block in blocks(document, "sh"):
                for command in block.splitlines():
                    # What is configured goes to a folder of its own; what is built and installed from there is the
                    # build at hand, which has the same sources; and it is installed below that folder.
                    build = f"{folder}/build" if " -B build " in command else str(needs.build_dir())
                    typed = re.sub(r"(-B|--build|--install) build\b", rf"\1 {build}", command.removeprefix("sudo "))
                    done = subprocess.run(
                        typed, shell=True, cwd=needs.REPOSITORY, env={**os.environ, "DESTDIR": folder},
                        capture_output=True, text=True
                    )  # fmt: skip
                    check(done.returncode == 0, lambda: f"{document.name}: {typed}\n{done.stdout}{done.stderr}")
                    ran += 1
        headers = list(pathlib.Path(folder).rglob("include/minibgp/bgp/speaker.h"))
        check(ran >= 3 and len(headers) == 1, f"{ran} commands ran, {len(headers)} headers were installed")


if __name__ == "__main__":
    main()
