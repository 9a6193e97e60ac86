#!/usr/bin/env python3
# kind: default
# seconds: 300
# sanitized: no
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
    (folder / "frr.conf").write_text(blocks(needs.REPOSITORY / "docs/migration.md", "text")[0])
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


@case("the commands and options of bgplite that the documents name are there")
def named(lab):
    require(Bgplite.missing())
    program, helps = needs.built("bgplite"), {}
    help_of = lambda *words: subprocess.run([program, *words, "--help"], capture_output=True, text=True)
    known = set(re.findall(r"^  show ([a-z]+)|(?<=[|] )([a-z]+)", help_of("show").stdout, re.M))
    known = {word for pair in known for word in pair if word} | {"ip", "bgp", "summary"}
    bad, seen = [], 0
    for document in DOCUMENTS:
        typed = re.findall(r"`bgplite ([a-z][^`]*)`|^(?:\$ )?bgplite ([a-z].*)$", document.read_text(), re.M)
        for words in (re.split(r" {3,}| [|>] ", a or b)[0].split() for a, b in typed):
            verb, where = words[0].rstrip(".,:"), f"{document.name}: bgplite {' '.join(words)}"
            below = words[1:2] if verb in ("policy", "host", "import") else []
            help_text = helps.setdefault((verb, *below), help_of(verb, *below))
            options = [word.split("=")[0] for word in words if re.match(r"--[a-z]", word)]
            wrong = [o for o in options if o not in help_text.stdout + help_of().stdout]
            if verb == "show" and len(words) > 1 and words[1] not in known and not words[1].startswith("-"):
                wrong.append(words[1])
            if help_text.returncode or wrong or f"bgplite {' '.join([verb, *below])} " not in help_text.stdout:
                bad.append(f"{where}: {wrong or verb}")
            seen += 1
    check(seen > 50, f"only {seen} commands were found")
    check_equal(bad, [], "commands that are not there")


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


@case("the documents are all in the index, with their titles")
def index(lab):
    readme = (needs.REPOSITORY / "docs/README.md").read_text()
    listed = {file: title for title, file in re.findall(r"^- \[(.*)\]\((.*\.md)\)$", readme, re.M)}
    have = {d.name: d.read_text().split("\n", 1)[0].removeprefix("# ") for d in DOCUMENTS if d.name != "README.md"}
    check_equal(listed, have, "docs/README.md")


if __name__ == "__main__":
    main()
