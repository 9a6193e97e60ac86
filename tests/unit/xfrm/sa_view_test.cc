#include <xfrm/vici/sa_view.h>

#include <gtest/gtest.h>

namespace minibgp::xfrm::vici {
namespace {

Section child(std::string_view id, std::string_view state) {
  return Section{}
      .add("name", "ipsec0")
      .add("uniqueid", id)
      .add("state", state)
      .add("spi-in", "c1234567")
      .add("spi-out", "0000002a")
      .add("if-id-in", "0000002a");
}

TEST(SaView, ReadsAListedIkeSa) {
  const auto ikes =
      read_ikes(Section{}
                    .add("up", "yes")
                    .add_section("bgplite-ipsec0",
                                 Section{}
                                     .add("uniqueid", "7")
                                     .add("state", "ESTABLISHED")
                                     .add("remote-host", "203.0.113.151")
                                     .add_section("child-sas", Section{}
                                                                   .add_section("ipsec0-3", child("3", "INSTALLED"))
                                                                   .add_section("ipsec0-2", child("2", "REKEYED")))));
  ASSERT_EQ(ikes.size(), 1U);
  EXPECT_EQ(ikes[0].id, 7U);
  EXPECT_EQ(ikes[0].connection, "bgplite-ipsec0");
  EXPECT_EQ(ikes[0].remote_host, "203.0.113.151");
  EXPECT_FALSE(ikes[0].in_progress);
  ASSERT_EQ(ikes[0].children.size(), 2U);
  EXPECT_EQ(ikes[0].children[0], (ChildSa{3, 7, "bgplite-ipsec0", "ipsec0", 42, 0xc1234567, 0x2a, true, {}, {}}));
  EXPECT_FALSE(ikes[0].children[1].usable);
}

TEST(SaView, KnowsWhenCharonIsAtWork) {
  const auto in_progress = [](Section ike) {
    return read_ikes(Section{}.add_section("c", std::move(ike))).front().in_progress;
  };
  EXPECT_TRUE(in_progress(Section{}.add("state", "CONNECTING")));
  EXPECT_TRUE(in_progress(Section{}.add("state", "ESTABLISHED").add_list("tasks-active", {"CHILD_CREATE"})));
  EXPECT_TRUE(in_progress(Section{}.add("state", "ESTABLISHED").add_list("tasks-queued", {"QUICK_MODE"})));
  EXPECT_FALSE(in_progress(Section{}.add("state", "ESTABLISHED").add_list("tasks-active", {"IKE_DPD"})));
}

TEST(SaView, ChildrenBesideTheirSuccessorAreSuperseded) {
  const auto superseded = [](std::initializer_list<std::array<std::string, 3>> rows) {
    Section all;
    for (const auto& [id, state, remote] : rows)
      all.add_section(
          "c-" + id,
          Section{}.add("uniqueid", id).add("name", "c").add("state", state).add_list("remote-ts", {remote}));
    const auto ikes = read_ikes(Section{}.add_section("c", Section{}.add_section("child-sas", std::move(all))));
    std::vector<const ChildSa*> children;
    for (const ChildSa& child : ikes.front().children) children.push_back(&child);
    return superseded_children(children);
  };
  using Ids = std::set<std::uint32_t>;
  const std::string any = "0.0.0.0/0";
  EXPECT_EQ(superseded({{"2", "DELETED", any}, {"17", "INSTALLED", any}}), Ids{2});
  EXPECT_EQ(superseded({{"2", "REKEYED", any}, {"17", "INSTALLED", any}}), Ids{2});
  EXPECT_EQ(superseded({{"2", "INSTALLED", any}, {"17", "INSTALLED", any}, {"9", "INSTALLED", any}}), (Ids{2, 9}));
  // Nothing newer carries traffic.
  EXPECT_EQ(superseded({{"2", "DELETED", any}, {"1", "INSTALLED", any}}), Ids{});
  EXPECT_EQ(superseded({{"2", "INSTALLED", any}, {"3", "DELETED", any}}), Ids{});
  // charon is at work.
  EXPECT_EQ(superseded({{"2", "DELETING", any}, {"3", "INSTALLED", any}}), Ids{});
  EXPECT_EQ(superseded({{"2", "REKEYING", any}, {"3", "INSTALLED", any}}), Ids{});
  EXPECT_EQ(superseded({{"2", "INSTALLED", any}, {"3", "REKEYING", any}}), Ids{});
  // A child of its own: other selectors.
  EXPECT_EQ(superseded({{"2", "INSTALLED", "10.0.0.0/8"}, {"3", "INSTALLED", any}}), Ids{});
}

TEST(SaView, ReadsRekeys) {
  const auto rekeys = read_child_rekeys(Section{}.add_section(
      "c", Section{}
               .add("uniqueid", "7")
               .add_section("child-sas",
                            Section{}.add_section("ipsec0", Section{}
                                                                .add_section("old", child("2", "REKEYED"))
                                                                .add_section("new", child("3", "INSTALLED"))))));
  ASSERT_EQ(rekeys.size(), 1U);
  EXPECT_EQ(rekeys[0].old_id, 2U);
  EXPECT_EQ(rekeys[0].successor.id, 3U);
  EXPECT_EQ(rekeys[0].successor.ike_id, 7U);
  const auto ikes = read_ike_rekeys(Section{}.add_section(
      "c",
      Section{}.add_section("old", Section{}.add("uniqueid", "7")).add_section("new", Section{}.add("uniqueid", "8"))));
  ASSERT_EQ(ikes.size(), 1U);
  EXPECT_EQ(ikes[0], (std::pair{7U, 8U}));
}

TEST(SaView, StrangeEventsAreEmpty) {
  EXPECT_TRUE(read_ikes(Section{}).empty());
  EXPECT_TRUE(
      read_child_rekeys(Section{}.add_section("c", Section{}.add_section("child-sas", Section{}.add_section("x", {}))))
          .empty());
  EXPECT_TRUE(read_ike_rekeys(Section{}.add_section("c", {})).empty());
}

}  // namespace
}  // namespace minibgp::xfrm::vici
