#include <xfrm/stat.h>

#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

TEST(XfrmStat, ReadsTheKernelsText) {
  const auto counters = parse_xfrm_stat(
      "XfrmInError             \t0\nXfrmInTmplMismatch      \t1234\nnonsense\nXfrmX \t12x\nXfrmOutNoStates\t7");
  EXPECT_EQ(counters.size(), 3U);
  EXPECT_EQ(counters.at("XfrmInTmplMismatch"), 1234U);
  EXPECT_EQ(counters.at("XfrmOutNoStates"), 7U);
  EXPECT_TRUE(parse_xfrm_stat("").empty());
}

TEST(XfrmStat, KnowsWhatTheCountersMean) {
  EXPECT_NE(xfrm_stat_meaning("XfrmInTmplMismatch").find("standby"), std::string_view::npos);
  EXPECT_EQ(xfrm_stat_meaning("XfrmInError"), "");
}

}  // namespace
}  // namespace minibgp::xfrm
