"""The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can check. Each rule is a function of a Tree that
yields Finding(file, line, text), where the text says what to do instead. RULES lists them in order of the report."""
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

Finding = collections.namedtuple("Finding", "file line text")

CODE = ("bgp", "fib", "xfrm", "apps")
LIBRARY = ("bgp", "fib", "xfrm")


class Tree:
    """The checked files below a root: path relative to the root -> text."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = {}
        for top in (*CODE, "tests", "docs", "third_party", "."):
            for path in self._walk(top):
                if (
                    path.suffix in (".h", ".cc", ".cmake", ".py", ".sh", ".md", ".yaml")
                    or path.name == "CMakeLists.txt"
                ):
                    self.files[path.relative_to(self.root).as_posix()] = path.read_text(errors="replace")

    def _walk(self, top):
        if top == ".":
            yield from (p for p in self.root.iterdir() if p.is_file())
            return
        for folder, folders, names in os.walk(self.root / top):
            folders[:] = [f for f in folders if not f.startswith((".", "build", "corpus", "__pycache__"))]
            yield from (pathlib.Path(folder) / n for n in names)

    def sources(self, *tops, suffixes=(".h", ".cc")):
        return [p for p in sorted(self.files) if p.split("/")[0] in tops and p.endswith(suffixes)]

    @functools.lru_cache(maxsize=None)
    def code(self, path):
        """The text with comments and the contents of strings blanked; lines stay where they are."""
        return _blank(self.files[path])


def _blank(text):
    pattern = re.compile(
        r'R"(\w*)\((?:.|\n)*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*(?:.|\n)*?\*/'
    )

    def blank(match):
        found = match.group()
        if found.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]

    # An #include "x" must stay readable.
    kept = [line if line.lstrip().startswith("#include") else None for line in text.split("\n")]
    blanked = pattern.sub(blank, text).split("\n")
    return "\n".join(k if k is not None else b for k, b in zip(kept, blanked))


# --- the include table ----------------------------------------------------------------------------------------------

STANDARD = set(
    """algorithm any array atomic bit bitset cassert cctype cerrno charconv chrono cinttypes climits cmath compare
concepts condition_variable csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime deque exception
filesystem fstream functional future initializer_list iomanip ios iosfwd iostream istream iterator limits list
locale map memory mutex new numbers numeric optional ostream queue random ranges regex set shared_mutex
source_location span sstream stack stdexcept string string_view system_error thread tuple type_traits typeinfo
unordered_map unordered_set utility variant vector version""".split()
)
# Of the standard library, what brings input and output, threads or a clock's value is for rims.
NOT_PURE = {
    "atomic",
    "condition_variable",
    "csignal",
    "cstdio",
    "ctime",
    "filesystem",
    "fstream",
    "future",
    "iostream",
    "mutex",
    "random",
    "regex",
    "shared_mutex",
    "thread",
    "cassert",
    "exception",
    "stdexcept",
}
PURE_STANDARD = STANDARD - NOT_PURE

Row = collections.namedtuple("Row", "folder may libraries pure")
# The table of ARCHITECTURE.md, "Who may include whom", row by row. `may`: patterns of our own headers; every folder may
# include itself. The first row whose folder holds the file applies.
VALUES = r"bgp/[a-z_0-9]+\.h"
BASE = r"bgp/base/"
TABLE = [
    Row(r"bgp/base/assert\.", [VALUES], ["cstdio"], True),
    Row(r"bgp/base/", [VALUES], [], True),
    Row(r"bgp/wire/", [VALUES, r"bgp/base/"], [], True),
    Row(r"bgp/policy/", [VALUES, r"bgp/base/"], [], True),
    Row(r"bgp/rib/", [VALUES, r"bgp/base/"], [], True),
    Row(r"bgp/session/", [VALUES, r"bgp/base/", r"bgp/wire/"], [], True),
    Row(r"bgp/speaker/", [VALUES, r"bgp/(base|wire|policy|rib|session)/"], [], True),
    Row(r"bgp/net/", [VALUES, r"bgp/speaker/"], ["asio", "system"], False),
    Row(r"bgp/speaker\.h", [VALUES], ["boost/asio/io_context.hpp"], True),
    Row(r"bgp/[^/]+$", [VALUES], [], True),
    Row(r"fib/fib\.h", [VALUES, BASE], ["boost/asio/io_context.hpp"], True),
    Row(r"fib/netlink/", [VALUES, BASE, r"fib/[a-z_0-9]+\.h"], ["asio", "system"], False),
    Row(r"fib/net/", [VALUES, BASE, r"fib/[a-z_0-9]+\.h", r"fib/liveness/"], ["asio", "system"], False),
    Row(r"fib/", [VALUES, BASE], [], True),
    Row(r"xfrm/tunnels\.h", [VALUES, BASE], ["boost/asio/io_context.hpp"], True),
    # The face of both rims of xfrm.
    Row(
        r"xfrm/netlink/tunnels\.cc",
        [VALUES, BASE, r"xfrm/([a-z_0-9]+\.h|netlink/|vici/)", r"fib/netlink/(socket|message)\.h"],
        ["asio", "system"],
        False,
    ),
    Row(
        r"xfrm/netlink/",
        [VALUES, BASE, r"xfrm/[a-z_0-9]+\.h", r"fib/netlink/(socket|message)\.h"],
        ["asio", "system"],
        False,
    ),
    Row(r"xfrm/vici/", [VALUES, BASE, r"xfrm/[a-z_0-9]+\.h"], ["asio", "system"], False),
    Row(r"xfrm/", [VALUES, BASE], [], True),
    # As programs outside the project are: they see what is installed, and each other's headers by name.
    Row(
        r"apps/examples/",
        [VALUES, r"fib/(fib|route)\.h", r"xfrm/tunnels?\.h"],
        ["asio", "system", r"[a-z_]+\.h", r"testing/", r"g(test|mock)/"],
        False,
    ),
    Row(
        r"apps/",
        [VALUES, r"fib/([a-z_0-9]+\.h|netlink/|net/|liveness/)", r"xfrm/([a-z_0-9]+\.h|netlink/|vici/)"],
        ["asio", "system", "apps"],
        False,
    ),
]
LIBRARIES = {
    "asio": r"boost/asio|boost/asio\.hpp|boost/system/",
    "system": r"(sys|linux|net|netinet|arpa|asm)/.*\.h|(dirent|dlfcn|errno|link|malloc|fcntl|grp|poll|pwd|sched|signal|"
    r"string|stdlib|syslog|termios|time|unistd|ifaddrs|netdb|fnmatch|glob)\.h",
    "apps": r"boost/(beast|asio|system|core|optional)|yaml-cpp/|spdlog/|fmt/|CLI/|nlohmann/|cap-ng\.h|seccomp\.h|"
    r"zlib\.h|bzlib\.h",
}
# A facade joins a core to a rim; only its own rim and the programs include it. A core that did would depend on what
# depends on it: what it needs of one is a value, and values have headers of their own. The programs have cores, too.
CORES = re.compile(r"(bgp|fib|xfrm)/|apps/bgplite/(gateway|config)/")
FACADES = {
    "bgp/engine.h": r"bgp/(speaker\.h|net/|speaker/engine\.cc)",
    "bgp/speaker.h": r"bgp/net/",
    "fib/fib.h": r"fib/netlink/fib\.cc",
    "xfrm/tunnels.h": r"xfrm/netlink/",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def includes(tree):
    """The include table holds, literally."""
    for path in tree.sources(*CODE):
        row = next((r for r in TABLE if re.match(r.folder, path)), None)
        if row is None:
            yield Finding(
                path, 1, "belongs to no row of the include table: add the folder to ARCHITECTURE.md and to TABLE"
            )
            continue
        own_folder = os.path.dirname(path) + "/"
        for match in INCLUDE.finditer(tree.code(path)):
            line = tree.files[path].count("\n", 0, match.start(1)) + 1
            bracket, header = match.groups()
            top = header.split("/")[0]
            if header in FACADES and CORES.match(path) and not re.match(FACADES[header], path):
                yield Finding(path, line, f"<{header}> is a facade: include the header of the value that is needed")
            if bracket == '"' and row.folder != r"apps/examples/":
                yield Finding(path, line, f"include <{header}> from the root of the tree, as users of the library do")
            elif top in CODE:
                if header.startswith(own_folder) or any(re.match(p, header) for p in row.may):
                    continue
                if row.folder == "apps/" and header.startswith("apps/"):
                    continue
                allowed = ", ".join(row.may) or "nothing of ours"
                yield Finding(path, line, f"<{header}>: {row.folder} may include only itself and {allowed}")
            elif header == "tl/expected.hpp":
                if path != "bgp/result.h":
                    yield Finding(path, line, "include <bgp/result.h>: it is the only file that names tl::expected")
            elif header in STANDARD:
                if row.pure and header in NOT_PURE and header not in row.libraries:
                    yield Finding(
                        path, line, f"<{header}> has no place in a pure folder: no I/O, clocks, threads, exceptions"
                    )
            elif not any(re.match(LIBRARIES.get(name, name), header) for name in row.libraries):
                known = ", ".join(row.libraries) or "the standard library"
                yield Finding(path, line, f"<{header}>: {row.folder} may use {known} only")


# --- banned words ---------------------------------------------------------------------------------------------------

Ban = collections.namedtuple("Ban", "pattern where instead allowed")
PURE_FILES = [r.folder for r in TABLE if r.pure]
RIM = r"bgp/net/|fib/net/|fib/netlink/|xfrm/netlink/|xfrm/vici/|apps/"
# Allowed: files that exist to be the one place for it.
BANS = [
    Ban(
        r"\b(steady|system|high_resolution)_clock::now\b|\b(clock_gettime|gettimeofday|std::time)\s*\(",
        LIBRARY,
        "take `Time now` as an argument; the rim asks bgp/net/clock.h",
        # The drivers of fib/ and xfrm/ may not include bgp/net/: each has its one function now().
        r"bgp/net/clock\.h|fib/netlink/clock\.h|fib/net/echo\.cc|xfrm/netlink/tunnels\.cc",
    ),
    Ban(
        r"\b(s?rand|random|drand48)\s*\(|\brandom_device\b|\bmt19937",
        LIBRARY,
        "draw from a generator seeded through the options (SpeakerOptions::seed)",
        None,
    ),
    Ban(
        r"\b(sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(",
        CODE,
        "wait for an event or a deadline, never for luck",
        r"apps/bgplite/cli/(ask|maintenance)\.cc",  # The pause is what the user asked for: --watch, drain, drill.
    ),
    Ban(
        r"\bstd::(cout|cerr|clog)\b|\b(printf|fprintf|puts|putchar)\s*\(",
        LIBRARY,
        "hand the line to a LogSink (bgp/log.h)",
        r"bgp/base/assert\.(h|cc)",
    ),
    Ban(
        r"\b(std::)?(thread|jthread|mutex|condition_variable|async)\b\s*[<({]|\bstd::atomic\b",
        LIBRARY,
        "one thread runs everything but the wait for the kernel (ARCHITECTURE.md, Ownership and threads)",
        r"fib/netlink/route_writer\.(h|cc)",
    ),
    Ban(r"(?<![\w.>])(system|popen)\s*\(", LIBRARY, "speak netlink; programs are run by apps/bgplite/host only", None),
    Ban(r"(?<!static_)\bassert\s*\(", CODE, "BGP_ASSERT (bgp/base/assert.h), which stays on in release builds", None),
    Ban(r"\b(tl|std)::(expected|unexpected)\b", CODE, "Result and unexpected of bgp/result.h", r"bgp/result\.h"),
    Ban(
        r"\b(throw|try|catch)\b|\bdynamic_cast\b|\btypeid\b",
        PURE_FILES,
        "return a Result: pure folders have no exceptions " "and no RTTI",
        None,
    ),
    Ban(
        r"\basio::",
        PURE_FILES,
        "put it into a rim (bgp/net, fib/net, fib/netlink, xfrm/netlink, xfrm/vici, apps)",
        r"(bgp/speaker|fib/fib|xfrm/tunnels)\.h",
    ),
    Ban(
        r"\bnew\s+[A-Z]|\bdelete\s+[a-z]|\b(malloc|calloc|realloc|free)\s*\(",
        LIBRARY,
        "own by value or std::unique_ptr (std::make_unique)",
        r"bgp/base/|bgp/rib/|bgp/session/send_queue",
    ),
    Ban(r"\bstd::format\b|\bviews::", CODE, "the toolchain lacks it (clang 14, libstdc++ 12)", None),
    Ban(r"\bco_(await|return|yield)\b", CODE, "callbacks: clang 14 with Boost 1.74 has no awaitable", None),
    Ban(r"\bNOLINT\b(?!.*:)", CODE, "say after a colon why the check is wrong here", None),
]


def banned_words(tree):
    """No banned call stands outside the one place that may have it."""
    for ban in BANS:
        pattern = re.compile(ban.pattern)
        for path in tree.sources(*CODE):
            inside = (
                any(re.match(p, path) and not re.match(RIM, path) for p in ban.where)
                if ban.where is PURE_FILES
                else path.split("/")[0] in ban.where
            )
            if not inside or (ban.allowed and re.match(ban.allowed, path)):
                continue
            for number, line in enumerate(tree.code(path).split("\n"), 1):
                found = pattern.search(line)
                if found and not line.lstrip().startswith("#include"):
                    yield Finding(path, number, f"{found.group().strip()}: {ban.instead}")


def tests_do_not_wait(tree):
    """Tests below interop have no real clock and no sleep."""
    pattern = re.compile(r"\b(sleep_for|sleep_until|usleep|sleep|steady_clock::now|system_clock::now)\b\s*\(")
    for path in tree.sources("tests"):
        if path.startswith(("tests/unit/", "tests/property/", "tests/sim/", "tests/replay/", "tests/support/")):
            for number, line in enumerate(tree.code(path).split("\n"), 1):
                if pattern.search(line):
                    yield Finding(
                        path, number, "time is a variable here: use the World's clock (tests/support/world.h)"
                    )


def tests_do_not_give_up(tree):
    """No disabled test, and none that is skipped without a reason."""
    for path in tree.sources("tests"):
        for number, line in enumerate(tree.code(path).split("\n"), 1):
            if re.search(r"\bDISABLED_\w+", line):
                yield Finding(path, number, "a disabled test is no test: mend it or take it out")
            if re.search(r"GTEST_SKIP\(\)\s*;", line):
                yield Finding(path, number, "GTEST_SKIP() << what this machine lacks")


# --- form -----------------------------------------------------------------------------------------------------------


def headers_open_well(tree):
    """A header begins with what it is for and has #pragma once."""
    for path in tree.sources(*CODE, suffixes=(".h",)):
        text = tree.files[path]
        if "#pragma once" not in text:
            yield Finding(path, 1, "no #pragma once")
        if not text.startswith("//"):
            yield Finding(path, 1, "the file does not open with what it is for")
    for path in tree.sources(*CODE, suffixes=(".cc",)):
        if not tree.files[path].startswith(("//", "/*")) and not os.path.exists(tree.root / (path[:-3] + ".h")):
            yield Finding(path, 1, "no header of that name says what the file is for: the file must")


def opening_comments_are_true(tree):
    """The comment that opens a file names only files, functions and members that exist."""
    words = set()
    for path in tree.sources(*CODE, "tests"):
        words.update(re.findall(r"\w+", tree.code(path)))
    names = {os.path.basename(path) for path in tree.files}
    for path in tree.sources(*CODE):
        for number, line in enumerate(tree.files[path].split("\n"), 1):
            if not line.startswith("//"):
                break
            for file in re.findall(r"[\w/]*\b\w+\.(?:h|cc|py|sh|md)\b", line):
                if os.path.basename(file) not in names:
                    yield Finding(path, number, f"there is no file {file}")
            for found in re.finditer(r"\b(?:([A-Z]\w+)::)?(\w+)(\(\))?", line):
                scope, name, call = found.groups()
                if (scope or call) and not {name, scope or name} <= words:
                    yield Finding(path, number, f"there is no {found.group()}")


def lines_fit(tree):
    """Lines have at most 120 columns; no tabs, no trailing blanks."""
    for path in tree.sources(*CODE, "tests", suffixes=(".h", ".cc", ".py", ".sh")):
        for number, line in enumerate(tree.files[path].split("\n"), 1):
            if len(line) > 120 and "http" not in line:
                yield Finding(path, number, f"{len(line)} columns; 120 is the limit")
            if line.endswith((" ", "\t")):
                yield Finding(path, number, "trailing blanks")
            if "\t" in line and path.endswith((".h", ".cc", ".py")):
                yield Finding(path, number, "a tab; indent with spaces")


FUNCTION_LINES = 70


def functions_fit(tree):
    """No function has more than 70 lines. A table of rows is no function: it stands for itself."""
    for path in tree.sources(*CODE):
        for first, last in functions(tree.code(path)):
            if last - first >= FUNCTION_LINES:
                yield Finding(path, first, f"a function of {last - first + 1} lines: split it, or make it a table")


def functions(code):
    """The first and the last line of each function body; lambdas and local types belong to the function around."""
    # Braces of an initializer follow a name directly; those of a body follow a blank.
    code = re.sub(r"(?<=[\w>])\{[^{}]*\}", lambda found: re.sub(r"[^\n]", " ", found.group()), code)
    spans = []
    start, line, seen, inside, parentheses, first = 0, 1, 0, 0, 0, 0
    for found in re.finditer(r"[(){};]", code):
        at, sign = found.start(), found.group()
        line, seen = line + code.count("\n", seen, at), at
        if inside:
            inside += {"{": 1, "}": -1}.get(sign, 0)
            if not inside:
                spans.append((first, line))
                start = at + 1
            continue
        parentheses += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "}" or (sign == ";" and not parentheses):
            start = at + 1
        if sign != "{":
            continue
        head = re.sub(r"^\s*#.*$", "", code[start:at], flags=re.M)
        declares = re.match(r"\s*(template\s*<.*?>\s*)?(namespace|class|struct|enum|union|extern)\b", head, re.S)
        if "(" in head and not parentheses and not declares and not head.rstrip().endswith("="):
            inside, first = 1, line - head.lstrip().count("\n")
        else:
            start = at + 1
    return spans


def no_loose_ends(tree):
    """A TODO names an issue."""
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))")
    for path in tree.sources(*CODE, "tests"):
        if path.startswith("tests/tidy/"):
            continue
        for number, line in enumerate(tree.files[path].split("\n"), 1):
            if pattern.search(line):
                yield Finding(path, number, "finish it, or name the issue: TODO(#12)")


def assertions_name_their_guard(tree):
    """Beside each BGP_ASSERT stands what keeps a peer's bytes, numbers and timing from reaching it"""
    for path in tree.sources(*CODE):
        if path == "bgp/base/assert.h":
            continue
        lines = tree.files[path].split("\n")
        for number, line in enumerate(tree.code(path).split("\n"), 1):
            if "BGP_ASSERT(" not in line:
                continue
            if "//" not in lines[number - 1] and not lines[number - 2].lstrip().startswith("//"):
                yield Finding(path, number, "say in a comment which check makes this unreachable, or answer instead")


def results_are_not_dropped(tree):
    """A function that returns Result is [[nodiscard]]: an alias cannot carry it."""
    declaration = re.compile(r"^\s*(?:virtual |static |constexpr |inline |explicit )*(?:minibgp::)?Result<.*>\s+\w+\(")
    for path in tree.sources(*CODE, suffixes=(".h",)):
        lines = tree.code(path).split("\n")
        for number, line in enumerate(lines, 1):
            if declaration.match(line) and "[[nodiscard]]" not in line and "[[nodiscard]]" not in lines[number - 2]:
                yield Finding(path, number, "[[nodiscard]]: its answer matters")


def names_are_unique(tree):
    """Within bgp, fib and xfrm no two files share a base name, so that a file can be named in conversation."""
    for top in LIBRARY:
        folders = collections.defaultdict(dict)
        for path in tree.sources(top):
            stem = os.path.splitext(os.path.basename(path))[0]
            # A public header (bgp/speaker.h) and the file behind it (bgp/net/speaker.cc) are one noun.
            if os.path.dirname(path) != top:
                folders[stem].setdefault(os.path.dirname(path), path)
        for stem, places in folders.items():
            for path in list(places.values())[1:]:
                yield Finding(path, 1, f"{next(iter(places))}/{stem}.* has the same base name")


def sources_are_built(tree):
    """Every source file is named in a CMake file."""
    cmake = {p: t for p, t in tree.files.items() if p.endswith(".cmake") or p.endswith("CMakeLists.txt")}
    for path in tree.sources(*CODE, "tests", suffixes=(".cc",)):
        named = False
        for list_path, text in cmake.items():
            named |= f"${{PROJECT_SOURCE_DIR}}/{path}" in text
            # sources.cmake is included from the CMakeLists.txt above it, so paths are relative to either.
            folder = os.path.dirname(list_path)
            for base in {folder, os.path.dirname(folder)}:
                if path.startswith(base + "/" if base else ""):
                    relative = path[len(base) + 1 :] if base else path
                    named |= re.search(rf"(?<![\w.]){re.escape(relative)}(?!\w)", text) is not None
                    stem = re.escape(os.path.splitext(relative)[0])
                    named |= re.search(rf"foreach\([^)]*\b{stem}\b[^)]*\)", text) is not None
            if named:
                break
        if not named:
            yield Finding(path, 1, "no CMake file lists it: it is not built")


def scripts_are_found(tree):
    """Test scripts say their kind and can be run."""
    for path in tree.sources("tests", suffixes=("_test.py", "_test.sh")):
        head = "\n".join(tree.files[path].split("\n")[:15])
        if not re.search(r"^# kind: (default|full)$", head, re.M):
            yield Finding(path, 1, "no line '# kind: default' or '# kind: full' within the first 15")
        if not os.access(tree.root / path, os.X_OK):
            yield Finding(path, 1, "not executable: chmod +x")


# --- documents ------------------------------------------------------------------------------------------------------


def version_is_one(tree):
    """CMake, bgp/version.h and CHANGELOG.md name the same version."""
    found = re.search(r"project\(minibgp VERSION (\d+\.\d+\.\d+)", tree.files.get("CMakeLists.txt", ""))
    if not found:
        yield Finding("CMakeLists.txt", 1, "no project(minibgp VERSION x.y.z)")
        return
    version = found.group(1)
    header = tree.files.get("bgp/version.h", "")
    if f'"{version}"' not in header:
        yield Finding("bgp/version.h", 1, f"does not say \"{version}\", which CMakeLists.txt does")
    change = re.search(r"^## \[?(\d+\.\d+\.\d+)", tree.files.get("CHANGELOG.md", ""), re.M)
    if not change or change.group(1) != version:
        yield Finding("CHANGELOG.md", 1, f"its newest numbered section is not {version}")


def _anchors(text):
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M):
        anchors.add(re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-"))
    return anchors


def links_resolve(tree):
    """A relative link in a document leads to a file, and to a heading of it."""
    for path, text in tree.files.items():
        if not path.endswith(".md"):
            continue
        prose = re.sub(r"```.*?```", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
        for match in re.finditer(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
            target = match.group(1)
            line = prose.count("\n", 0, match.start()) + 1
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            full = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not (tree.root / full).exists():
                yield Finding(path, line, f"{target}: there is no {full}")
            elif anchor and full in tree.files and anchor not in _anchors(tree.files[full]):
                yield Finding(path, line, f"{target}: {full} has no such heading")


HANDBOOK = "docs/operations.md"
TEXT = re.compile(r'"((?:\\.|[^"\\\n])*)"')
# What hands a line to the log; the text is among the arguments. keeper.cc and host.cc gather lines first.
LOGS = re.compile(
    r"\b(?:(?:write_)?log\((?=(?:minibgp::)?LogLevel::|\s*xfrm::usable)|log_?\.(?:info|warning|error)\(|"
    r"log_->write\(|(?<=log_)\.push_back\(|(?<=\bproblems)\.push_back\()"
)
# Lines whose text is made elsewhere, by the argument that holds it, and the words of the handbook that describe them.
MADE_ELSEWHERE = {
    "line": "",  # Handed on: an argument of the function around.
    "text": "",
    "problem": "",
    "to_text(one)": "`FILE:LINE:COLUMN: warning: ...`",
    "note": "`applied until confirmed: 'bgplite confirm' within N s`",
    "start_->note": "was applied and never confirmed",
    "opened.error()": "`cannot open the kernel's IPsec socket: CAUSE`",
    "filtered.error()": "`system calls are not filtered: CAUSE`",
    "step.text": "one step of a reload",
    "warning": "charon has not loaded",
    "*line": "no session: CAUSE",  # Or refusal_to_log() of bgp/speaker/peering.cc.
}
# Functions whose words an operator reads as a cause: (file, type).
CAUSES = [("bgp/text.cc", "DownReason"), ("xfrm/tunnel.cc", "Reason"), ("xfrm/tunnel.cc", "IkeFailure")]


def handbook_explains_all(tree):
    """docs/operations.md explains each log line, metric and cause of a failure, and names no metric that is gone."""
    handbook = tree.files.get(HANDBOOK, "")
    untold = f"is not in {HANDBOOK}: say there what it means and what to do"
    for path in tree.sources("bgp", "fib", "xfrm", "apps", suffixes=".cc"):
        if path.startswith(("apps/examples/", "apps/bgplite/cli/")) and path != "apps/bgplite/cli/run.cc":
            continue  # Commands print.
        text = tree.files[path].replace("'\"'", "' '")
        for match in LOGS.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            arguments = _arguments(text, match.end())
            words = TEXT.findall(arguments)
            if not words:
                last = arguments.rsplit(", ", 1)[-1].strip()
                if last not in MADE_ELSEWHERE:
                    yield Finding(path, line, f"logs {last}: say in MADE_ELSEWHERE how {HANDBOOK} tells of it")
                words = [MADE_ELSEWHERE.get(last, "")]
            for word in (w.replace('\\"', '"').strip(" :;(),.") for w in words):
                if len(word) > 3 and word not in handbook:
                    yield Finding(path, line, f"'{word}' {untold}")
    metric = r"(?:bgplite|frr)_[a-z_]*[a-z]"
    metrics = {}
    for path in tree.sources("apps", suffixes=".cc"):
        if path.startswith("apps/bgplite/metrics/"):
            words = TEXT.findall(tree.files[path].replace("'\"'", "' '"))
            metrics |= {word: path for word in words if re.fullmatch(metric, word)}
    told = set(re.findall(f"`({metric})`", handbook))
    for name in sorted(set(metrics) - told):
        yield Finding(metrics[name], 1, f"{name} {untold}")
    for name in sorted(told - set(metrics)):
        yield Finding(HANDBOOK, 1, f"there is no metric {name}")
    for path, kind in CAUSES:
        body = tree.files.get(path, "").partition(f"to_text({kind} ")[2].partition("\n}\n")[0]
        for cause in re.findall(r'return "(.*)";', body):
            if cause not in ("none", "?", "unknown", "ready") and f"`{cause}`" not in handbook:
                yield Finding(path, 1, f"'{cause}' {untold}")


def _arguments(text, start):
    """The text from `start` to the parenthesis that closes the call."""
    end, depth = start, 1
    while depth and end < len(text):
        literal = TEXT.match(text, end)
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end = literal.end() if literal else end + 1
    return text[start : end - 1]


PATH = re.compile(r"(?<![\w/.])((?:bgp|fib|xfrm|apps|tests)/[\w/]+\.(?:cc|h|py|sh))\b")


def architecture_is_true(tree):
    """Files that ARCHITECTURE.md names exist; a journey's step names a function that its file has."""
    text = tree.files.get("ARCHITECTURE.md")
    if text is None:
        yield Finding("ARCHITECTURE.md", 1, "is missing")
        return
    for number, line in enumerate(text.split("\n"), 1):
        for path in PATH.findall(line):
            if path not in tree.files:
                yield Finding("ARCHITECTURE.md", number, f"there is no {path}")
        # " 5  bgp/wire/update.cc     decode_update   into a reused value"
        step = re.match(r"\s*\d+\s+((?:bgp|fib|xfrm|apps)/\S+\.(?:cc|h))\s+(?:[\w.]*\.)?(\w+)", line)
        if step and step.group(1) in tree.files:
            file, function = step.groups()
            both = tree.code(file) + tree.code(file[:-3] + ".h" if file[:-3] + ".h" in tree.files else file)
            if not re.search(rf"\b{function}\b", both):
                yield Finding("ARCHITECTURE.md", number, f"{file} has no {function}")


def include_table_is_documented(tree):
    """The table in ARCHITECTURE.md has a row for each folder that TABLE has."""
    text = tree.files.get("ARCHITECTURE.md", "")
    section = text.partition("## Who may include whom")[2].partition("\n## ")[0]
    for folder in (
        "bgp/*.h",
        "bgp/base",
        "bgp/wire",
        "bgp/policy",
        "bgp/rib",
        "bgp/session",
        "bgp/speaker",
        "bgp/net",
        "fib/",
        "xfrm/",
        "fib/netlink",
        "fib/net",
        "xfrm/netlink",
        "xfrm/vici",
        "apps",
    ):
        if f"`{folder}`" not in section:
            yield Finding("ARCHITECTURE.md", 1, f"'Who may include whom' has no row for `{folder}`")


# --- compiling ------------------------------------------------------------------------------------------------------


def headers_stand_alone(tree):
    """Each header compiles by itself, included twice."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    flags = subprocess.run(["pkg-config", "--cflags", "libnl-3.0", "libnl-route-3.0"], capture_output=True, text=True)
    base = [
        compiler,
        "-std=c++20",
        "-fsyntax-only",
        "-x",
        "c++",
        "-I",
        str(tree.root),
        "-DBOOST_ERROR_CODE_HEADER_ONLY",
        *flags.stdout.split(),
        "-",
    ]

    def compile_one(path):
        done = subprocess.run(base, input=f"#include <{path}>\n#include <{path}>\n", text=True, capture_output=True)
        error = next((line for line in done.stderr.split("\n") if "error:" in line), done.stderr[:200])
        return None if done.returncode == 0 else Finding(path, 1, f"does not compile by itself: {error}")

    # What was proven stays proven while neither the header nor a header of ours that it reaches has changed.
    cache = tree.root / "build" / "tidy-headers.json"
    try:
        proven = set(json.loads(cache.read_text()))
    except (OSError, ValueError):
        proven = set()
    keys = {path: _closure_hash(tree, path) for path in tree.sources(*CODE, suffixes=(".h",))}
    todo = [path for path, key in keys.items() if key not in proven]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        findings = [finding for finding in pool.map(compile_one, todo) if finding]
    broken = {finding.file for finding in findings}
    if cache.parent.is_dir():
        cache.write_text(json.dumps(sorted(key for path, key in keys.items() if path not in broken)))
    yield from findings


def _closure_hash(tree, path):
    """A hash of a header's text and of all headers of ours that it includes, directly or not."""
    seen, todo = {path}, [path]
    for current in todo:
        for _, header in INCLUDE.findall(tree.files[current]):
            if header in tree.files and header not in seen:
                seen.add(header)
                todo.append(header)
    digest = hashlib.sha256()
    for current in sorted(seen):
        digest.update(current.encode() + b"\0" + tree.files[current].encode())
    return digest.hexdigest()


RULES = [
    includes,
    banned_words,
    tests_do_not_wait,
    tests_do_not_give_up,
    headers_open_well,
    opening_comments_are_true,
    lines_fit,
    functions_fit,
    no_loose_ends,
    assertions_name_their_guard,
    results_are_not_dropped,
    names_are_unique,
    sources_are_built,
    scripts_are_found,
    version_is_one,
    links_resolve,
    handbook_explains_all,
    architecture_is_true,
    include_table_is_documented,
    headers_stand_alone,
]
