// What a change of options costs, and what is wrong with options: pure functions of the values.
#include <bgp/engine.h>
#include <bgp/policy.h>

#include <set>
#include <string_view>

#include <gtest/gtest.h>
#include <testing/values.h>

namespace minibgp {
namespace {

using namespace testing::literals;

const SpeakerOptions kSpeaker{.asn = Asn{65000}, .router_id = RouterId{1}};

PeerOptions peer(Asn asn) {
  PeerOptions options;
  options.address = "192.0.2.1"_ip;
  options.remote_as = asn;
  return options;
}

TEST(CostOfChange, PoliciesThatMeanTheSameAreTheSame) {
  const PeerOptions none = peer(Asn{65001});
  PeerOptions refuses = none;
  refuses.import_policy = Policy::reject_all();
  EXPECT_EQ(cost_of_change(none, refuses, kSpeaker), ChangeCost::none) << "RFC 8212";
  PeerOptions takes = none;
  takes.import_policy = Policy::accept_all();
  EXPECT_EQ(cost_of_change(none, takes, kSpeaker), ChangeCost::refresh);
  const PeerOptions internal = peer(Asn{65000});
  PeerOptions internal_takes = internal;
  internal_takes.export_policy = Policy::accept_all();
  EXPECT_EQ(cost_of_change(internal, internal_takes, kSpeaker), ChangeCost::none);
}

TEST(CostOfChange, OfSeveralIsThatOfTheDearest) {
  const PeerOptions before = peer(Asn{65001});
  PeerOptions after = before;
  after.name = "other";
  EXPECT_EQ(cost_of_change(before, after, kSpeaker), ChangeCost::live);
  after.prepend = 1;
  EXPECT_EQ(cost_of_change(before, after, kSpeaker), ChangeCost::refresh);
  after.ttl = 2;
  EXPECT_EQ(cost_of_change(before, after, kSpeaker), ChangeCost::reset);
}

TEST(CostOfChange, OfTheSpeakersOptions) {
  SpeakerOptions after = kSpeaker;
  after.cluster_id = after.router_id;
  EXPECT_EQ(cost_of_change(kSpeaker, after), ChangeCost::none) << "it is the router id where none is given";
  after.cluster_id = RouterId{7};
  EXPECT_EQ(cost_of_change(kSpeaker, after), ChangeCost::refresh);
  after = kSpeaker;
  after.maximum_paths = 4;
  EXPECT_EQ(cost_of_change(kSpeaker, after), ChangeCost::live);
  after.router_id = RouterId{2};
  EXPECT_EQ(cost_of_change(kSpeaker, after), ChangeCost::reset);
}

TEST(ApiErrors, EachHasATextOfItsOwn) {
  std::set<std::string_view> texts;
  for (const ApiError error :
       {ApiError::bad_address, ApiError::bad_asn, ApiError::bad_router_id, ApiError::bad_timer, ApiError::bad_paths,
        ApiError::no_family, ApiError::bad_ttl, ApiError::bad_weight, ApiError::bad_limit, ApiError::bad_md5_key,
        ApiError::duplicate_peer, ApiError::too_many_peers, ApiError::unknown_peer, ApiError::session_is_up}) {
    EXPECT_FALSE(to_text(error).empty());
    EXPECT_TRUE(texts.insert(to_text(error)).second) << to_text(error);
  }
}

}  // namespace
}  // namespace minibgp
