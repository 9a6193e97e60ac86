/// What `check` says of the machine that it runs on.
#include <apps/bgplite/cli/check_machine.h>
#include <bgp/text.h>

#include <string>

#include <gtest/gtest.h>

namespace bgplite::cli {
namespace {

std::string said(const std::string& text, const Machine& machine) {
  Loaded loaded = load_config("a.yaml", {[&](const std::string&, std::string&) { return std::optional{text}; },
                                         [](const std::string&) { return std::vector<std::string>{}; }});
  EXPECT_EQ(loaded.diagnostics.to_text(), "");
  check_machine(loaded, machine);
  return loaded.diagnostics.to_text();
}

const std::string kText =
    "router: { asn: 65530, router_id: 192.0.2.1 }\n"
    "user: router\n"
    "listen: { addresses: [192.0.2.1, 192.0.2.8] }\n"
    "peers:\n"
    "  192.0.2.2: { asn: 65001, accept_all: true }\n"
    "  192.0.2.3: { asn: 65001, accept_all: true }\n"
    "tunnels:\n"
    "  t0: { if_id: 42, ike: { psk_file: /there, remote: { address: 203.0.113.1 } } }\n"
    "  t1: { if_id: 43, ike: { psk_file: /gone, remote: { address: 203.0.113.2 } } }\n"
    "  t2: { if_id: 44, ike: { psk_file: credential, remote: { address: 203.0.113.3 } } }\n";

Machine machine(bool right) {
  return {[=](const std::string&) { return right; },
          [=](const std::string& path) -> std::optional<std::string> {
            if (right || path == "/there") return std::nullopt;
            return "cannot read the key " + path + ": No such file or directory";
          },
          {*minibgp::parse_address("192.0.2.1"), *minibgp::parse_address(right ? "192.0.2.8" : "192.0.2.3")}};
}

TEST(CheckMachine, SaysNothingWhereAStartFindsAll) { EXPECT_EQ(said(kText, machine(true)), ""); }

TEST(CheckMachine, NamesWhatAStartWouldMissWithItsPlace) {
  EXPECT_EQ(said(kText, machine(false)),
            "a.yaml:2:1: error: user 'router' does not exist (useradd --system router)\n"
            "a.yaml:3:11: warning: no interface has the address 192.0.2.8 now (a start fails until one has it)\n"
            "a.yaml:6:3: error: peer 192.0.2.3 is this machine itself: one of its interfaces has the address\n"
            "a.yaml:9:27: error: cannot read the key /gone: No such file or directory\n");
}

TEST(CheckMachine, OnAMachineWhoseAddressesAreNotKnownNothingIsSaidOfThem) {
  Machine blind = machine(false);
  blind.has_user = [](const std::string&) { return true; };
  blind.addresses.clear();
  EXPECT_EQ(said(kText, blind), "a.yaml:9:27: error: cannot read the key /gone: No such file or directory\n");
}

TEST(CheckMachine, ThisOneKnowsItself) {
  const Machine here = this_machine();
  EXPECT_TRUE(here.has_user("root"));
  EXPECT_FALSE(here.has_user("no-such-user-here"));
  EXPECT_EQ(here.addresses.count(*minibgp::parse_address("127.0.0.1")), 1U);
  EXPECT_TRUE(here.key_problem("/nonexistent/key"));
}

}  // namespace
}  // namespace bgplite::cli
