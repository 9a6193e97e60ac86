#!/usr/bin/env python3
# kind: default
"""The rules of tidy themselves: each finds the violation it exists for, in a small tree that has nothing else wrong."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rules

GOOD = {
    "CMakeLists.txt": "project(minibgp VERSION 1.2.3 LANGUAGES CXX)\nadd_library(a bgp/wire/a.cc)\n",
    "CHANGELOG.md": "# Changelog\n\n## 1.2.3\n",
    "bgp/version.h": '/// Version.\n#pragma once\ninline constexpr char kVersion[] = "1.2.3";\n',
    "bgp/types.h": "/// Values.\n#pragma once\n#include <cstdint>\n",
    "bgp/result.h": "/// Result.\n#pragma once\n#include <tl/expected.hpp>\n",
    "bgp/wire/a.h": "/// A.\n#pragma once\n#include <bgp/types.h>\n[[nodiscard]] Result<int, int> parse_a();\n",
    "bgp/wire/a.cc": "#include <bgp/wire/a.h>\nint shared_mutexes(); // std::cout is only a word here\n",
    "ARCHITECTURE.md": "See [types](bgp/types.h).\n\n```\n 1  bgp/wire/a.cc   shared_mutexes   text\n```\n",
}

# rule -> (file, content, text expected in the finding)
BROKEN = [
    ("includes", "bgp/wire/b.h", "/// B.\n#pragma once\n#include <bgp/rib/table.h>\n", "may include only"),
    ("includes", "bgp/rib/b.h", "/// B.\n#pragma once\n#include <boost/asio.hpp>\n", "standard library only"),
    ("includes", "fib/b.h", "/// B.\n#pragma once\n#include <netlink/netlink.h>\n", "standard library only"),
    ("includes", "fib/b.h", "/// B.\n#pragma once\n#include <xfrm/tunnel.h>\n", "may include only"),
    ("includes", "apps/b.h", "/// B.\n#pragma once\n#include <bgp/wire/a.h>\n", "may include only"),
    ("includes", "bgp/wire/b.h", '/// B.\n#pragma once\n#include "a.h"\n', "from the root"),
    ("includes", "bgp/wire/b.h", "/// B.\n#pragma once\n#include <thread>\n", "no place in a pure folder"),
    ("includes", "fib/b.h", "/// B.\n#pragma once\n#include <tl/expected.hpp>\n", "bgp/result.h"),
    ("includes", "fib/b.h", "/// B.\n#pragma once\n#include <fib/fib.h>\n", "is a facade"),
    ("includes", "bgp/rib/b.h", "/// B.\n#pragma once\n#include <bgp/engine.h>\n", "is a facade"),
    ("includes", "apps/bgplite/gateway/b.h", "/// B.\n#pragma once\n#include <xfrm/tunnels.h>\n", "is a facade"),
    ("banned_words", "bgp/net/b.cc", "auto t = std::chrono::steady_clock::now();\n", "Time now"),
    ("banned_words", "bgp/rib/b.cc", "int x = rand();\n", "seeded"),
    ("banned_words", "xfrm/vici/b.cc", "void f() { usleep(5); }\n", "deadline"),
    ("banned_words", "fib/b.cc", 'void f() { std::cout << "x"; }\n', "LogSink"),
    ("banned_words", "bgp/session/b.cc", "boost::asio::io_context* io;\n", "rim"),
    ("banned_words", "bgp/session/b.cc", "void f() { throw 1; }\n", "Result"),
    ("tests_do_not_wait", "tests/sim/b_test.cc", "void f() { sleep(1); }\n", "World"),
    ("tests_do_not_give_up", "tests/unit/b_test.cc", "TEST(A, DISABLED_B) {}\n", "disabled"),
    ("headers_open_well", "fib/b.h", "#include <cstdint>\n", "#pragma once"),
    ("opening_comments_are_true", "fib/b.h", "/// See gone.h.\n#pragma once\n", "there is no file gone.h"),
    ("opening_comments_are_true", "fib/b.h", "/// Calls gone().\n#pragma once\n", "there is no gone()"),
    ("opening_comments_are_true", "fib/b.h", "/// Of Alpha::gone.\n#pragma once\n", "there is no Alpha"),
    ("functions_fit", "fib/b.cc", "namespace a {\nint f() {\n" + "  g();\n" * 69 + "}\n}\n", "of 71 lines"),
    ("functions_fit", "fib/b.h", "struct A {\n  A() : a_{0} {\n" + "    g([] { h(); });\n" * 69 + "  }\n};\n", "of 71"),
    ("lines_fit", "fib/b.h", "// " + "x" * 120 + "\n", "columns"),
    ("no_loose_ends", "fib/b.h", "// TO" + "DO later\n", "issue"),
    ("assertions_name_their_guard", "fib/b.cc", "void f(int x) { BGP_ASSERT(x > 0); }\n", "unreachable"),
    ("results_are_not_dropped", "fib/b.h", "/// B.\n#pragma once\nResult<int, int> parse_b();\n", "nodiscard"),
    ("names_are_unique", "bgp/zone/a.h", "/// A.\n#pragma once\n", "same base name"),
    ("sources_are_built", "bgp/wire/b.cc", "int b;\n", "not built"),
    ("scripts_are_found", "tests/interop/b_test.py", "print()\n", "# kind"),
    ("version_is_one", "CHANGELOG.md", "# Changelog\n\n## 1.2.2\n", "1.2.3"),
    ("version_is_one", "bgp/version.h", '/// Version.\n#pragma once\nconstexpr char kVersion[] = "1.2.4";\n', "1.2.3"),
    ("links_resolve", "docs/b.md", "[gone](gone.md)\n", "there is no"),
    ("links_resolve", "docs/b.md", "[gone](../ARCHITECTURE.md#nowhere)\n", "heading"),
    ("handbook_explains_all", "fib/b.cc", 'void f() { log(LogLevel::info, s + " fell"); }\n', "'fell' is not in"),
    ("handbook_explains_all", "fib/b.cc", "void f() { log_.error(area, made(x)); }\n", "logs made(x)"),
    ("handbook_explains_all", "apps/bgplite/metrics/b.cc", 'f("bgplite_new_total");\n', "bgplite_new_total is not in"),
    ("handbook_explains_all", "docs/operations.md", "`bgplite_gone_total`\n", "there is no metric"),
    ("handbook_explains_all", "xfrm/tunnel.cc", 'x to_text(Reason r) {\n  return "lost";\n}\n', "'lost' is not in"),
    ("architecture_is_true", "ARCHITECTURE.md", "`bgp/wire/gone.cc`\n", "there is no"),
    ("architecture_is_true", "ARCHITECTURE.md", " 1  bgp/wire/a.cc   gone_function   text\n", "has no gone_function"),
    ("include_table_is_documented", "ARCHITECTURE.md", "# nothing\n", "has no row"),
    ("headers_stand_alone", "bgp/wire/b.h", "/// B.\n#pragma once\nstd::uint8_t x();\n", "by itself"),
]


def findings(rule, changes):
    with tempfile.TemporaryDirectory(prefix="minibgp-tidy-") as root:
        for path, text in {**GOOD, **changes}.items():
            full = pathlib.Path(root) / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text)
        return list(getattr(rules, rule)(rules.Tree(root)))


def main():
    failed = 0
    clean_rules = {rule for rule, *_ in BROKEN} - {"include_table_is_documented", "headers_stand_alone"}
    for rule in sorted(clean_rules):
        found = findings(rule, {})
        failed += bool(found)
        print(f"FAIL {rule} on a clean tree: {found[0]}" if found else f"ok {rule} is silent on a clean tree")
    for rule, path, text, words in BROKEN:
        found = findings(rule, {path: text})
        seen = any(f.file == path and words in f.text for f in found)
        failed += not seen
        first = text.strip().splitlines()[-1][:50]
        print(f"ok {rule} finds '{first}' in {path}" if seen else f"FAIL {rule} misses '{first}' in {path}: {found}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
