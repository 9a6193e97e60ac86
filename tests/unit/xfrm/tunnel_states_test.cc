// Each situation with each event: the verdict is the one that docs/failover.md says, and none is suspect for ever.
// After a change of the rules:
//   MINIBGP_PRINT_STATES=1 build/release/tests/unit/xfrm/xfrm_test --gtest_filter='TunnelStates.*'
#include "tunnel_states.h"

#include <bgp/text.h>
#include <xfrm/verdict.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include <gtest/gtest.h>

namespace minibgp::xfrm::testing {
namespace {

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto first = text.find(begin);
  const auto last = text.find(end);
  if (first == std::string::npos || last == std::string::npos) return "no marks";
  return text.substr(first + begin.size(), last - first - begin.size());
}

TEST(TunnelStates, AreThoseOfTheDocument) {
  if (std::getenv("MINIBGP_PRINT_STATES")) std::cout << states_markdown();
  std::stringstream document;
  document << std::ifstream{MINIBGP_SOURCE_DIR "/docs/failover.md"}.rdbuf();
  EXPECT_EQ(between(document.str(), "<!-- tunnel states: begin -->\n", "<!-- tunnel states: end -->"),
            states_markdown());
}

TEST(TunnelStates, AreNeverSuspectForLong) {
  for (const Cell& cell : all_cells()) {
    SCOPED_TRACE(::testing::Message() << cell.situation << ", then " << cell.event);
    EXPECT_TRUE(cell.state != TunnelState::suspect || verdict_of(cell.reason).bound.count() > 0);
    // An answered probe is a proof that goes on.
    const bool proven = cell.event == "the probe is answered" || cell.situation == "the same, probe answered";
    EXPECT_TRUE(proven || cell.later != TunnelState::suspect);
  }
  for (const Verdict& verdict : kVerdicts) {
    EXPECT_EQ(verdict.state == TunnelState::suspect, verdict.bound.count() != 0) << to_text(verdict.reason);
    EXPECT_NE(verdict.afterwards, TunnelState::suspect) << to_text(verdict.reason);
  }
  for (std::size_t i = 0; i < kReasons; ++i) EXPECT_EQ(kVerdicts[i].reason, static_cast<Reason>(i));
}

}  // namespace
}  // namespace minibgp::xfrm::testing
