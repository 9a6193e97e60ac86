#!/usr/bin/env python3
# kind: default
# seconds: 900
# sanitized: no
"""Programs outside the tree use the installed library: by find_package and by pkg-config, static and shared, with g++
and clang++, as C++20 and C++23, under our warnings; each then learns a table from BIRD. The build must be configured
with MINIBGP_LIBRARY=ON (the release preset is)."""
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import needs
from cases import Skip, case, check, check_equal, main, require
from peers import Bird, Neighbor, Router

PREFIXES = {"192.168.10.0/24", "192.168.20.0/24"}
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
SIZE_LIMIT = 768 * 1024
LIBRARIES = ("minibgp", "minibgp_fib", "minibgp_xfrm", "minibgp_testing")

# One program that uses all four libraries: World, a Fib that only prints, a tunnel's value, and a session with BIRD.
PROGRAM = r"""
#include <bgp/speaker.h>
#include <bgp/text.h>
#include <bgp/version.h>
#include <fib/fib.h>
#include <testing/values.h>
#include <testing/world.h>
#include <xfrm/tunnels.h>

#include <boost/asio/io_context.hpp>
#include <iostream>

struct Learner : minibgp::Observer {
  explicit Learner(boost::asio::io_context& context) : io(context) {}
  void on_best_changed(std::span<const minibgp::BestChange> changes) override {
    for (const auto& change : changes) std::cout << "learned " << to_text(change.prefix) << '\n';
  }
  void on_end_of_rib(const minibgp::EndOfRib&) override { io.stop(); }
  boost::asio::io_context& io;
};

int main() {
  using namespace minibgp::testing::literals;
  minibgp::testing::World world{minibgp::testing::Seed{1}};
  auto& a = world.add_node({.as = 65001});
  auto& b = world.add_node({.as = 65002});
  world.connect(a, b);
  b.announce("203.0.113.0/24"_prefix);
  if (!world.run_until_quiet() || !a.has("203.0.113.0/24")) return 1;

  boost::asio::io_context io;
  minibgp::fib::FibObserver nobody;
  minibgp::fib::FibOptions fib_options;
  fib_options.dry_run = [](std::string_view) {};
  const minibgp::fib::Fib fib(io, fib_options, nobody);
  std::cout << "tunnel " << to_text(minibgp::xfrm::TunnelState::down) << ", version " << minibgp::kVersionText << '\n';

  minibgp::SpeakerOptions options;
  options.asn = minibgp::Asn{65002};
  options.router_id = minibgp::RouterId{0x0A090002};
  minibgp::PeerOptions peer;
  peer.address = "10.9.0.1"_ip;
  peer.remote_as = minibgp::Asn{65001};
  peer.import_policy = minibgp::Policy::accept_all();
  Learner learner(io);
  minibgp::Speaker speaker(io, options, learner);
  if (!speaker.add_peer(peer)) return 1;
  io.run();
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES CXX)
find_package(minibgp CONFIG REQUIRED)
add_executable(consumer consumer.cc)
target_link_libraries(consumer PRIVATE minibgp::bgp minibgp::fib minibgp::xfrm minibgp::testing)
"""


def run(*words, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **options)
    check(done.returncode == 0, lambda: f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def installed(folder):
    """Installs the build's libraries below `folder`; the prefix."""
    prefix = folder / "prefix"
    if not prefix.exists():
        cache = needs.build_dir() / "CMakeCache.txt"
        if "MINIBGP_LIBRARY:BOOL=ON" not in (cache.read_text() if cache.exists() else ""):
            raise Skip(f"{needs.build_dir()} is configured without -DMINIBGP_LIBRARY=ON")
        run("cmake", "--build", needs.build_dir(), "--target", "libraries")
        for component in ("library", "development"):
            run("cmake", "--install", needs.build_dir(), "--prefix", prefix, "--component", component)
    return prefix


def build_by_cmake(folder, prefix, compiler, standard, kind):
    (folder / "CMakeLists.txt").write_text(CMAKE)
    run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={WARNINGS}", f"-DCMAKE_CXX_STANDARD={standard}",
        f"-Dminibgp_USE_STATIC={'ON' if kind == 'static' else 'OFF'}")  # fmt: skip
    run("cmake", "--build", folder / "build")
    return folder / "build" / "consumer"


def build_by_pkg_config(folder, prefix, compiler, standard, kind):
    found = next(prefix.rglob("minibgp.pc")).parent
    environment = {**os.environ, "PKG_CONFIG_PATH": str(found)}
    words = run("pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []), *LIBRARIES,
                env=environment).split()  # fmt: skip
    if kind == "static":  # Both kinds lie side by side: name the archives.
        words = [f"-l:lib{w[2:]}.a" if w[2:] in LIBRARIES else w for w in words]
    language = {20: "-std=c++20", 23: "-std=c++2b"}[standard]
    run(compiler, language, *WARNINGS.split(), folder / "consumer.cc", *words, "-o", folder / "consumer")
    return folder / "consumer"


BUILDS = {"find_package": build_by_cmake, "pkg-config": build_by_pkg_config}
_shared = {}


def folder_for_all():
    """One installation for all cases of this run."""
    if "folder" not in _shared:
        import atexit

        _shared["folder"] = pathlib.Path(tempfile.mkdtemp(prefix="minibgp-library-"))
        os.chmod(_shared["folder"], 0o755)
        atexit.register(shutil.rmtree, _shared["folder"], ignore_errors=True)
    return _shared["folder"]


def consumer(how, compiler, standard, kind):
    def test(lab):
        require(needs.root(), needs.namespaces(), Bird.missing())
        if not shutil.which(compiler):
            raise Skip(f"{compiler} is not installed")
        prefix = installed(folder_for_all())
        folder = folder_for_all() / f"{how}-{compiler}-{standard}-{kind}"
        folder.mkdir()
        (folder / "consumer.cc").write_text(PROGRAM)
        program = BUILDS[how](folder, prefix, compiler, standard, kind)
        library_path = str(next(prefix.rglob("libminibgp.so")).parent)
        linked = "libminibgp.so" in run("ldd", program, env={**os.environ, "LD_LIBRARY_PATH": library_path})
        check_equal(linked, kind == "shared", "the program needs libminibgp.so")

        ours, theirs = lab.namespace("ours"), lab.namespace("bird")
        lab.link(ours, theirs, "eth0", "eth0", ["10.9.0.2/24"], ["10.9.0.1/24"])
        bird = Bird(theirs, Router(65001, "10.9.0.1", [Neighbor("10.9.0.2", 65002, passive=True)]))
        bird.announce(sorted(PREFIXES))
        bird.start()
        done = ours.run("env", f"LD_LIBRARY_PATH={library_path}", program, timeout=20)
        seen = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("learned ")}
        check_equal(seen, PREFIXES, "prefixes learned from BIRD")
        check("tunnel down, version" in done.stdout, lambda: done.stdout)

    return test


for row in itertools.product(BUILDS, ("g++", "clang++"), (20, 23), ("shared", "static")):
    # Every value of every choice runs always; all pairs with --full.
    seldom = row not in {
        ("find_package", "g++", 20, "shared"),
        ("find_package", "clang++", 23, "static"),
        ("pkg-config", "g++", 23, "static"),
        ("pkg-config", "clang++", 20, "shared"),
    }
    case(f"a consumer by {row[0]}, {row[1]}, C++{row[2]}, {row[3]}", full=seldom)(consumer(*row))


@case("the shared library needs nothing but the C++ runtime, has a SONAME and shows only its API")
def shape(lab):
    library = next(installed(folder_for_all()).rglob("libminibgp.so")).resolve()
    dynamic = run("readelf", "-d", library)
    needed = {line.split("[")[1].split(".so")[0] for line in dynamic.splitlines() if "(NEEDED)" in line}
    runtime = {"libstdc++", "libm", "libgcc_s", "libc", "ld-linux-x86-64"}
    check(needed <= runtime, f"libminibgp.so needs {sorted(needed)}")
    check("Library soname: [libminibgp.so.0.1]" in dynamic, dynamic)
    names = run("nm", "-DC", "--defined-only", library).splitlines()
    inside = ("minibgp::wire::", "minibgp::session::", "minibgp::rib::", "minibgp::speaker::", "minibgp::net::")
    own = [name.split(" ", 2)[2] for name in names]
    leaked = [name for name in own if name.startswith(inside)]
    check_equal(leaked, [], "internal names that are visible")
    check(any(name.startswith("minibgp::Engine::poll") for name in own), "Engine::poll is not visible")


@case("each installed header compiles alone, and none brings libnl, yaml-cpp or spdlog")
def headers(lab):
    include = installed(folder_for_all()) / "include" / "minibgp"
    for header in sorted(include.rglob("*.h")):
        name = header.relative_to(include)
        text = run("g++", "-std=c++20", *WARNINGS.split(), "-I", include, "-include", header, "-x", "c++", "-E",
                   "/dev/null")  # fmt: skip
        run("g++", "-std=c++20", *WARNINGS.split(), "-I", include, "-include", header, "-x", "c++", "-fsyntax-only",
            "/dev/null")  # fmt: skip
        for banned in ("netlink/", "yaml-cpp", "spdlog"):
            check(f'/{banned}' not in text, f"{name} includes {banned}")


@case("every C++ and CMake block of docs/*.md builds against the installed library")
def documents(lab):
    prefix = installed(folder_for_all())
    include = prefix / "include" / "minibgp"
    blocks = {}
    for document in sorted((needs.REPOSITORY / "docs").glob("*.md")):
        for language, block in re.findall(r"^```(cpp|cmake)\n(.*?)^```$", document.read_text(), re.S | re.M):
            blocks.setdefault((document.name, language), []).append(block)
    expected = {("library.md", "cpp"), ("library.md", "cmake"), ("testing-your-daemon.md", "cpp"), ("policy.md", "cpp")}
    check(expected <= set(blocks), lambda: f"documents without their examples: {expected - set(blocks)}")
    for (_, language), found in blocks.items():
        for block in found if language == "cpp" else []:
            run("g++", "-std=c++20", *WARNINGS.split(), "-I", include, "-x", "c++", "-fsyntax-only", "-", input=block)
    # The tutorial's first program, by the tutorial's CMake lines.
    folder = folder_for_all() / "tutorial"
    folder.mkdir()
    program = next(block for block in blocks["library.md", "cpp"] if "int main()" in block)
    (folder / "daemon.cc").write_text(program)
    head = "cmake_minimum_required(VERSION 3.20)\nproject(tutorial LANGUAGES CXX)\nadd_executable(daemon daemon.cc)\n"
    (folder / "CMakeLists.txt").write_text(head + "".join(blocks["library.md", "cmake"]))
    run("cmake", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", folder / "build")


@case("every part can be left out or built alone")
def parts(lab):
    for part in ("BENCH", "TESTS", "APPS"):
        chosen = [f"-DMINIBGP_BUILD_{name}={'ON' if name == part else 'OFF'}" for name in ("BENCH", "TESTS", "APPS")]
        with tempfile.TemporaryDirectory() as folder:
            run("cmake", "-S", needs.REPOSITORY, "-B", folder, "-DMINIBGP_LIBRARY=ON", *chosen)


@case("the library is small, and so is what including it costs")
def size(lab):
    prefix = installed(folder_for_all())
    library = next(prefix.rglob("libminibgp.so")).resolve()
    stripped = folder_for_all() / "stripped.so"
    run("strip", "-o", stripped, library)
    text, data, bss, total = run("size", stripped).splitlines()[1].split()[:4]
    include = prefix / "include" / "minibgp"
    costs = []
    for header in ("bgp/engine.h", "bgp/speaker.h"):
        command = ["g++", "-std=c++20", "-I", include, "-include", include / header, "-x", "c++", "/dev/null"]
        lines = len(run(*command, "-E", "-P").splitlines())
        started = time.monotonic()
        run(*command, "-fsyntax-only")
        costs.append(f"<{header}> {lines} lines, {time.monotonic() - started:.1f} s")
    print(f"   libminibgp.so, stripped: {stripped.stat().st_size} octets; text {text}, data {data}, bss {bss}")
    print("   a translation unit with " + "; with ".join(costs))
    check(stripped.stat().st_size <= SIZE_LIMIT, f"{stripped.stat().st_size} octets are more than {SIZE_LIMIT}")


if __name__ == "__main__":
    main()
