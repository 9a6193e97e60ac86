#include <tests/unit/xfrm/freed_memory.h>
#include <xfrm/vici/keeper.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::xfrm::vici {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Keys final : public KeySource {
 public:
  std::optional<std::uint64_t> stamp(const std::string& path) override {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional{std::hash<std::string>{}(found->second)};
  }
  Result<std::string, std::string> read(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return unexpected("cannot read the key " + path);
    return found->second;
  }
  std::map<std::string, std::string> files{{"/psk/ipsec0", "one\n"}, {"/psk/ipsec1", "two\n"}};
};

/// As much of charon as the keeper sees.
class Charon {
 public:
  IkeReply answer(const IkeRequest& request) {
    asked.push_back(request.name);
    IkeReply reply;
    if (request.name == "version") reply.message.add("version", "5.9.8");
    if (request.name == "get-conns") reply.message.add_list("conns", {connections.begin(), connections.end()});
    if (request.name == "get-shared") {
      std::vector<std::string> names;
      for (const auto& [name, key] : keys) names.push_back(name);
      reply.message.add_list("keys", names);
    }
    if (request.name == "load-conn") {
      form[request.message.entries().front().name] = request.message.entries().front().section.value("over_time");
      if (refuse_conns) {
        reply.message.add("success", "no").add("errmsg", "invalid value for: proposals");
        return reply;
      }
      connections.insert(request.message.entries().front().name);
    }
    if (request.name == "load-shared") keys[std::string{request.message.value("id")}] = request.message.value("data");
    if (request.name == "unload-conn") connections.erase(std::string{request.message.value("name")});
    if (request.name == "unload-shared") keys.erase(std::string{request.message.value("id")});
    if (request.name == "initiate") {
      initiated.emplace_back(request.message.value("ike"));
      forms_initiated[initiated.back()].push_back(form[initiated.back()]);
      if (peer_accepts) up.insert(initiated.back());
      if (!peer_accepts && peer_silent) negotiating[initiated.back()] = ++last_id;
    }
    if (request.name == "terminate" && request.message.entries().front().name == "ike-id") {
      ended.emplace_back(request.message.value("ike-id"));
      std::erase_if(negotiating, [&](const auto& it) { return std::to_string(it.second) == ended.back(); });
      std::erase_if(more, [&](const auto& it) { return std::to_string(it.second) == ended.back(); });
      std::erase_if(childless, [&](const auto& it) { return std::to_string(it.second) == ended.back(); });
    } else if (request.name == "terminate" && request.message.entries().front().name == "child-id") {
      ended_children.emplace_back(request.message.value("child-id"));
      if (obeys) left_over.clear();
    } else if (request.name == "terminate") {
      forced = forced && request.message.value("force") == "yes";
      terminated.emplace_back(request.message.value("ike"));
      up.erase(terminated.back());
    }
    if (request.name == "list-sas") {
      for (const std::string& name : up)
        if (!checked_out.contains(name)) reply.streamed.push_back(ike(name, 1, left_over));
      for (const auto& [name, id] : childless)
        reply.streamed.push_back(
            Section{}.add_section(name, Section{}.add("uniqueid", std::to_string(id)).add("state", "ESTABLISHED")));
      for (const auto& [name, id] : more) reply.streamed.push_back(ike(name, id));
      for (const auto& [name, id] : negotiating)
        reply.streamed.push_back(
            Section{}.add_section(name, Section{}.add("uniqueid", std::to_string(id)).add("state", "CONNECTING")));
    }
    reply.message.add("success", "yes");
    return reply;
  }
  /// `left_over`: the state of an older child of it.
  static Section ike(const std::string& name, std::uint32_t id, const std::string& left_over = {}) {
    Section child, children;
    if (!left_over.empty())
      children.add_section("c-0",
                           Section{}.add("uniqueid", "1").add("state", left_over).add_list("remote-ts", {"0.0.0.0/0"}));
    child.add("uniqueid", std::to_string(id + 1)).add("state", "INSTALLED").add("if-id-in", if_ids[name]);
    child.add_list("remote-ts", {"0.0.0.0/0"});
    return Section{}.add_section(name, Section{}
                                           .add("uniqueid", std::to_string(id))
                                           .add("state", "ESTABLISHED")
                                           .add("remote-host", "203.0.113.151")
                                           .add_section("child-sas", children.add_section("c-1", std::move(child))));
  }
  static inline std::map<std::string, std::string> if_ids;
  std::set<std::string> connections, up;
  std::set<std::string> checked_out;                 ///< Left out of the list.
  std::multimap<std::string, std::uint32_t> more;    ///< Further IKE_SAs with a child.
  std::map<std::string, std::uint32_t> childless;    ///< Established IKE_SAs without one.
  std::string left_over;                             ///< See ike().
  std::map<std::string, std::uint32_t> negotiating;  ///< IKE_SAs whose peer says nothing.
  std::map<std::string, std::string> keys, form;
  std::map<std::string, std::vector<std::string>> forms_initiated;  ///< The form loaded at each attempt.
  std::vector<std::string> asked, initiated, terminated, ended, ended_children;
  bool obeys = true;
  bool forced = true;  ///< Each end by name: the way to the peer may be gone.
  bool peer_accepts = true, refuse_conns = false, peer_silent = false;
  std::uint32_t last_id = 100;
};

TunnelOptions tunnel(const std::string& name) {
  TunnelOptions it;
  it.name = name;
  it.if_id = name == "ipsec0" ? 42 : 43;
  IkeOptions& ike = it.ike.emplace();
  ike.remote_addresses = {name == "ipsec0" ? "203.0.113.151" : "198.51.100.87"};
  ike.psk_file = "/psk/" + name;
  return it;
}

class Keeper : public ::testing::Test {
 protected:
  Keeper() {
    keeper_.set_tunnels(tunnels_, now_);
    keeper_.connected(now_);
  }
  /// Everything that is due now.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      const auto request = keeper_.next_request(now_);
      if (!request) return;
      keeper_.replied(charon_.answer(*request), now_);
    }
    FAIL() << "the keeper does not come to rest";
  }
  void pass(Duration time) {
    now_ += time;
    charon_.asked.clear();
    charon_.initiated.clear();
    charon_.terminated.clear();
    charon_.ended.clear();
    settle();
  }
  /// Both tunnels are up, and packets pass.
  void settle_with_traffic() {
    settle();
    keeper_.set_need("ipsec0", Need::nothing, now_);
    keeper_.set_need("ipsec1", Need::nothing, now_);
    pass(2s);
  }
  /// In steps; the IKE_SAs that were ended meanwhile.
  std::vector<std::string> ended_within(Duration time) {
    std::vector<std::string> ended;
    for (Duration passed{}; passed < time; passed += 1s) {
      pass(1s);
      ended.insert(ended.end(), charon_.ended.begin(), charon_.ended.end());
    }
    return ended;
  }
  std::size_t initiates_within(Duration time) {
    std::size_t count = 0;
    for (Duration passed{}; passed < time; passed += 100ms) {
      pass(100ms);
      count += charon_.initiated.size();
    }
    return count;
  }
  Keys keys_;
  Charon charon_;
  std::vector<TunnelOptions> tunnels_{tunnel("ipsec0"), tunnel("ipsec1")};
  IkeKeeper keeper_{keys_, 2s};
  Time now_{1h};
};

TEST_F(Keeper, LoadsAndInitiatesWhatIsMissing) {
  settle();
  EXPECT_THAT(charon_.connections, ElementsAre("bgplite-ipsec0", "bgplite-ipsec1"));
  EXPECT_EQ(charon_.keys.at("bgplite-ipsec0"), "one");
  EXPECT_EQ(charon_.keys.at("bgplite-ipsec1"), "two");
  EXPECT_THAT(charon_.initiated, ElementsAre("bgplite-ipsec0", "bgplite-ipsec1"));
  EXPECT_EQ(keeper_.version(), "5.9.8");
  EXPECT_TRUE(keeper_.view("ipsec0").loaded);
}

TEST_F(Keeper, IsIdempotent) {
  settle();
  for (int i = 0; i < 10; ++i) {
    pass(2s);
    EXPECT_THAT(charon_.asked, ElementsAre("get-conns", "get-shared", "list-sas"));
  }
  EXPECT_EQ(keeper_.next_deadline(), now_ + 2s);
}

TEST_F(Keeper, LoadsAgainWhatSomebodyUnloadedAndLeavesTheSasAlone) {
  settle();
  charon_.connections.erase("bgplite-ipsec1");
  charon_.keys.clear();
  pass(2s);
  EXPECT_TRUE(charon_.connections.contains("bgplite-ipsec1"));
  EXPECT_EQ(charon_.keys.size(), 2U);
  EXPECT_THAT(charon_.initiated, IsEmpty());
  EXPECT_THAT(keeper_.take_log(), Contains(HasSubstr("ipsec1: another program unloaded its connection")));
}

TEST_F(Keeper, UnloadsWhatIsOursAndGoneButNothingElse) {
  charon_.connections = {"bgplite-old", "mine"};
  charon_.keys = {{"bgplite-old", "k"}, {"ike-mine", "k"}};
  charon_.up = {"bgplite-old", "mine"};
  settle();
  EXPECT_THAT(charon_.terminated, ElementsAre("bgplite-old"));
  EXPECT_THAT(charon_.connections, ElementsAre("bgplite-ipsec0", "bgplite-ipsec1", "mine"));
  EXPECT_TRUE(charon_.keys.contains("ike-mine"));
  EXPECT_FALSE(charon_.keys.contains("bgplite-old"));
}

TEST_F(Keeper, ATunnelThatIsConfiguredNoMoreLosesItsSasAndTheOtherKeepsThem) {
  settle();
  tunnels_.erase(tunnels_.begin());
  keeper_.set_tunnels(tunnels_, now_);
  pass(0s);
  EXPECT_THAT(charon_.connections, ElementsAre("bgplite-ipsec1"));
  EXPECT_THAT(charon_.up, ElementsAre("bgplite-ipsec1"));
}

TEST_F(Keeper, AnIkeSaOfOursWithoutConnectionAndTunnelIsEnded) {
  charon_.up = {"bgplite-old", "mine"};
  settle();
  EXPECT_THAT(charon_.terminated, ElementsAre("bgplite-old"));
  EXPECT_FALSE(keeper_.has_no_former());
  pass(3s);
  EXPECT_TRUE(keeper_.has_no_former());
  EXPECT_TRUE(charon_.up.contains("mine"));
}

TEST_F(Keeper, WithoutTunnelsWhatIsLeftOfThemIsRemoved) {
  keeper_.set_tunnels({}, now_);
  charon_.connections = {"bgplite-ipsec0", "mine"};
  charon_.keys = {{"bgplite-ipsec0", "k"}};
  charon_.up = {"bgplite-ipsec0"};
  settle();
  EXPECT_THAT(charon_.connections, ElementsAre("mine"));
  EXPECT_THAT(charon_.keys, IsEmpty());
  EXPECT_THAT(charon_.up, IsEmpty());
}

TEST_F(Keeper, AChangeOfOneTunnelTouchesNoOther) {
  settle();
  tunnels_[0].ike->encap = true;
  keeper_.set_tunnels(tunnels_, now_);
  pass(0s);
  EXPECT_EQ(std::count(charon_.asked.begin(), charon_.asked.end(), "load-conn"), 1);
  EXPECT_THAT(charon_.terminated, ElementsAre("bgplite-ipsec0"));
  EXPECT_TRUE(charon_.forced);
  EXPECT_THAT(charon_.initiated, ElementsAre("bgplite-ipsec0"));
  EXPECT_THAT(charon_.asked, Not(Contains("load-shared")));
}

TEST_F(Keeper, TriesAgainWithGrowingPatience) {
  charon_.peer_accepts = false;
  settle();
  keeper_.symptom({Symptom::Kind::final_failure, IkeFailure::authentication, "bgplite-ipsec0",
                   "received AUTHENTICATION_FAILED notify error"},
                  now_);
  EXPECT_EQ(keeper_.view("ipsec0").failure, IkeFailure::authentication);
  int tries = 0;
  for (int second = 0; second < 300; ++second) {
    pass(1s);
    tries += static_cast<int>(charon_.initiated.size());
  }
  EXPECT_GT(tries, 2 * 8);
  EXPECT_LT(tries, 2 * 20);
  charon_.peer_accepts = true;
  for (int second = 0; second <= 34; ++second) pass(1s);
  EXPECT_EQ(charon_.up.size(), 2U);
  EXPECT_EQ(keeper_.view("ipsec0").failure, IkeFailure::none);
}

TEST_F(Keeper, AnUnansweredRequestIsAFailureOnlyWhileNothingIsUp) {
  const Symptom silent{Symptom::Kind::silent, IkeFailure::peer_silent, "bgplite-ipsec0", "retransmit 1 of request"};
  settle();
  pass(2s);
  keeper_.symptom(silent, now_);
  EXPECT_EQ(keeper_.view("ipsec0").failure, IkeFailure::none) << "one lost packet of a tunnel that is up";
  charon_.up.clear();
  charon_.peer_accepts = false;
  pass(2s);
  keeper_.symptom(silent, now_);
  EXPECT_EQ(keeper_.view("ipsec0").failure, IkeFailure::peer_silent);
  keeper_.symptom({Symptom::Kind::final_failure, IkeFailure::authentication, "bgplite-ipsec0", "AUTH_FAILED"}, now_);
  EXPECT_EQ(keeper_.view("ipsec0").failure, IkeFailure::authentication) << "it answered after all, and refused";
  keeper_.symptom(silent, now_);
  EXPECT_EQ(keeper_.view("ipsec0").failure, IkeFailure::authentication) << "the first cause stays";
}

TEST_F(Keeper, ANewKeyIsLoadedAndTriedAtOnce) {
  charon_.peer_accepts = false;
  settle();
  for (int i = 0; i < 60; ++i) pass(1s);
  keys_.files["/psk/ipsec0"] = "mended\n";
  charon_.peer_accepts = true;
  pass(2s);
  EXPECT_EQ(charon_.keys.at("bgplite-ipsec0"), "mended");
  EXPECT_THAT(charon_.initiated, Contains("bgplite-ipsec0"));
}

TEST_F(Keeper, AMissingKeyIsAProblemOfThatTunnelOnly) {
  keys_.files.erase("/psk/ipsec0");
  settle();
  EXPECT_THAT(keeper_.view("ipsec0").problem, HasSubstr("cannot read the key /psk/ipsec0"));
  EXPECT_EQ(keeper_.view("ipsec1").problem, "");
  EXPECT_TRUE(charon_.up.contains("bgplite-ipsec1"));
}

TEST_F(Keeper, AKeyThatCannotBeUsedIsLoggedOnce) {
  for (const char* text : {"0xabc\n", "\n", "0sA\n"}) {
    keys_.files["/psk/ipsec0"] = text;
    pass(2s);
    EXPECT_THAT(keeper_.take_log(), Contains("tunnel ipsec0: " + keeper_.view("ipsec0").problem)) << text;
    pass(2s);
    EXPECT_THAT(keeper_.take_log(), IsEmpty()) << text;
  }
}

TEST_F(Keeper, AKeyThatIsNotSentLeavesNoCopyInFreedMemory) {
  const std::string key(64, 'K');
  keys_.files["/psk/ipsec0"] = key + "\n";
  const testing::FreedMemory freed{key};
  // Up to the request before the key's: that is planned, and then charon is gone.
  while (charon_.asked.empty() || charon_.asked.back() != "get-shared") {
    const auto request = keeper_.next_request(now_);
    ASSERT_TRUE(request);
    keeper_.replied(charon_.answer(*request), now_);
  }
  keeper_.disconnected();
  EXPECT_EQ(freed.blocks(), 0U);
}

TEST_F(Keeper, ARefusedConnectionSaysWhy) {
  charon_.refuse_conns = true;
  settle();
  EXPECT_THAT(keeper_.view("ipsec0").problem, HasSubstr("invalid value for: proposals"));
  EXPECT_THAT(charon_.initiated, IsEmpty());
  charon_.refuse_conns = false;
  pass(2s);
  EXPECT_EQ(charon_.up.size(), 2U);
}

TEST_F(Keeper, ANewCharonGetsEverythingAgain) {
  settle();
  keeper_.disconnected();
  EXPECT_FALSE(keeper_.next_request(now_).has_value());
  EXPECT_EQ(keeper_.next_deadline(), kNever);
  charon_ = Charon{};
  keeper_.connected(now_);
  settle();
  EXPECT_EQ(charon_.connections.size(), 2U);
  EXPECT_EQ(charon_.keys.size(), 2U);
  EXPECT_EQ(charon_.up.size(), 2U);
}

TEST_F(Keeper, OperatorsRequestsDoNotEndARound) {
  for (int step = 0; step < 12; ++step) {
    charon_ = Charon{};
    keeper_.disconnected();
    keeper_.connected(now_);
    for (int i = 0; i < step; ++i)
      if (const auto request = keeper_.next_request(now_)) keeper_.replied(charon_.answer(*request), now_);
    const auto under_way = keeper_.next_request(now_);
    keeper_.terminate("ipsec0", now_);
    if (under_way) keeper_.replied(charon_.answer(*under_way), now_);
    settle();
    EXPECT_THAT(charon_.terminated, ElementsAre("bgplite-ipsec0"));
    pass(2s);
    pass(IkeKeeper::kLookAgain);
    EXPECT_EQ(charon_.up.size(), 2U) << "it comes back, interrupted at step " << step;
  }
}

// `list-sas noblock` leaves out an IKE_SA that charon works on, and each rekey event asks for a list at once.
TEST_F(Keeper, InitiatesNothingBesideATunnelThatOneListLeavesOut) {
  settle();
  for (const auto need : {std::optional<Need>{}, std::optional{Need::nothing}}) {
    if (need) keeper_.set_need("ipsec0", *need, now_);
    for (int rekey = 0; rekey < 15; ++rekey) {
      charon_.checked_out = {"bgplite-ipsec0"};
      keeper_.look_again(now_);
      pass(IkeKeeper::kLookAgain);
      EXPECT_THAT(charon_.initiated, IsEmpty());
      charon_.checked_out.clear();
      pass(2s);
      EXPECT_THAT(charon_.initiated, IsEmpty());
    }
  }
  // However long it is left out while the kernel has its SAs.
  charon_.checked_out = {"bgplite-ipsec0"};
  EXPECT_EQ(initiates_within(60s), 0U);
  keeper_.set_need("ipsec0", Need::sas, now_);
  EXPECT_GE(initiates_within(1s), 1U) << "the kernel has none, and many lists had none";
}

TEST_F(Keeper, ATunnelThatIsGoneFromKernelAndListsIsInitiatedWithinASecond) {
  settle();
  keeper_.set_need("ipsec0", Need::nothing, now_);
  pass(2s);
  charon_.up.erase("bgplite-ipsec0");
  keeper_.set_need("ipsec0", Need::sas, now_);
  EXPECT_EQ(initiates_within(1s), 1U);
  EXPECT_TRUE(charon_.up.contains("bgplite-ipsec0"));
}

TEST_F(Keeper, AnIkeSaTooManyIsEndedAfterTwoLists) {
  settle();
  charon_.more = {{"bgplite-ipsec0", 5}, {"bgplite-ipsec0", 9}, {"others", 4}};
  pass(2s);
  EXPECT_THAT(charon_.ended, IsEmpty()) << "a rekey shows two for a moment";
  pass(IkeKeeper::kLookAgain);
  EXPECT_THAT(charon_.ended, ElementsAre("1", "5")) << "the newest stays";
  EXPECT_THAT(charon_.initiated, IsEmpty());
  EXPECT_TRUE(charon_.more.contains("others"));
}

TEST_F(Keeper, AChildThatARekeyLeftBehindIsEndedOnceTheOverlapIsOver) {
  settle();
  for (const char* state : {"DELETED", "REKEYED", "INSTALLED"}) {
    charon_.ended_children.clear();
    charon_.left_over = state;
    EXPECT_THAT(ended_within(IkeKeeper::kRekeyOverlap - 2s), IsEmpty());
    EXPECT_THAT(charon_.ended_children, IsEmpty()) << state;
    EXPECT_THAT(ended_within(8s), IsEmpty());
    // Of both tunnels.
    EXPECT_THAT(charon_.ended_children, ElementsAre("1", "1")) << state;
    EXPECT_EQ(initiates_within(IkeKeeper::kRekeyOverlap * 3), 0U) << state;
    EXPECT_EQ(charon_.ended_children.size(), 2U) << state;
  }
}

TEST_F(Keeper, WithIkeV1AChildBesideItsSuccessorStays) {
  tunnels_[0].ike->version = 1;
  keeper_.set_tunnels(tunnels_, now_);
  settle();
  charon_.left_over = "REKEYED";
  EXPECT_THAT(ended_within(IkeKeeper::kRekeyOverlap * 3), IsEmpty());
  EXPECT_THAT(charon_.ended_children, ElementsAre("1")) << "of the second tunnel, which speaks IKEv2";
}

TEST_F(Keeper, AChildThatCharonDoesNotEndIsNotAskedForAllTheTime) {
  settle();
  charon_.left_over = "DELETED";
  charon_.obeys = false;
  EXPECT_THAT(ended_within(IkeKeeper::kRekeyOverlap * 10), IsEmpty());
  EXPECT_LE(charon_.ended_children.size(), 2U * 10U);
  EXPECT_GE(charon_.ended_children.size(), 2U * 8U);
}

TEST_F(Keeper, AnIkeSaWithoutAChildBesideOneThatCarriesIsEndedOnceTheOverlapIsOver) {
  settle();
  charon_.childless["bgplite-ipsec0"] = 9;
  EXPECT_THAT(ended_within(IkeKeeper::kRekeyOverlap - 2s), IsEmpty());
  EXPECT_THAT(ended_within(8s), ElementsAre("9"));
  EXPECT_EQ(initiates_within(IkeKeeper::kRekeyOverlap * 3), 0U);
}

TEST_F(Keeper, WhereNothingPassesANewIkeSaIsMadeBesideTheOldOne) {
  settle_with_traffic();
  const std::string before = charon_.form.at("bgplite-ipsec0");
  keeper_.set_need("ipsec0", Need::new_sas, now_);
  EXPECT_EQ(initiates_within(IkeKeeper::kFirstRenewal - 200ms), 0U);
  EXPECT_EQ(initiates_within(3s), 1U);
  EXPECT_NE(charon_.form.at("bgplite-ipsec0"), before) << "or charon takes the IKE_SA it has";
  EXPECT_TRUE(charon_.up.contains("bgplite-ipsec0")) << "the old one lives on meanwhile";
  EXPECT_THAT(charon_.terminated, IsEmpty());
  const std::size_t tries = initiates_within(10min);
  EXPECT_GT(tries, 8U);
  EXPECT_LT(tries, 20U) << "with growing pauses";
  keeper_.set_need("ipsec0", Need::nothing, now_);
  EXPECT_EQ(initiates_within(1min), 0U);
  EXPECT_THAT(charon_.asked, Not(Contains("load-conn")));
}

/// Or charon adds the child to the dead IKE_SA, and is at work on that one until it gives the peer up, after 165 s.
TEST_F(Keeper, NoAttemptBesideADeadIkeSaHasItsForm) {
  settle_with_traffic();
  const std::string dead = charon_.form.at("bgplite-ipsec0");
  std::vector<std::string>& tried = charon_.forms_initiated["bgplite-ipsec0"];
  tried.clear();
  charon_.peer_accepts = false;
  keeper_.set_need("ipsec0", Need::new_sas, now_);
  EXPECT_GT(initiates_within(5min), 4U);
  EXPECT_THAT(tried, Not(Contains(dead)));

  // The peer takes one, and drops what comes: that one is dead, too.
  const std::string second = tried.back();
  charon_.up.erase("bgplite-ipsec0");
  charon_.more = {{"bgplite-ipsec0", 40}};
  tried.clear();
  EXPECT_GT(initiates_within(5min), 3U);
  EXPECT_THAT(tried, Not(Contains(second)));
}

TEST_F(Keeper, SasThatTheKernelLostAreMadeAnew) {
  settle();
  keeper_.set_need("ipsec0", Need::nothing, now_);
  pass(2s);
  keeper_.set_need("ipsec0", Need::sas, now_);  // Flushed; charon still lists the child.
  EXPECT_EQ(initiates_within(4s), 0U) << "its events may trail";
  EXPECT_EQ(initiates_within(4s), 1U);
}

TEST_F(Keeper, ANegotiationThatDoesNotEndIsBegunAnew) {
  charon_.peer_accepts = false;
  charon_.peer_silent = true;
  settle();
  ASSERT_EQ(charon_.negotiating.size(), 2U);
  EXPECT_EQ(initiates_within(IkeKeeper::kNegotiation - 1s), 0U);
  EXPECT_GE(initiates_within(5s), 2U);
  EXPECT_EQ(charon_.negotiating.size(), 2U) << "never two for one tunnel";
}

TEST_F(Keeper, AForeignConnectionOnOurTunnelIsNamed) {
  Charon::if_ids = {{"vco1", "2a"}, {"bgplite-ipsec0", "2a"}};
  settle();
  charon_.more = {{"vco1", 7}};
  pass(2s);
  EXPECT_THAT(keeper_.warnings(),
              ElementsAre(HasSubstr("connection vco1, which is not ours, has the tunnel's if_id 42")));
  EXPECT_THAT(keeper_.take_log(), Contains(HasSubstr("vco1, which is not ours")));
  pass(30s);
  EXPECT_THAT(keeper_.take_log(), Not(Contains(HasSubstr("vco1")))) << "once, while it is there";
  Charon::if_ids.clear();
  pass(2s);
  EXPECT_THAT(keeper_.warnings(), ElementsAre(HasSubstr("leads to the same peer 203.0.113.151 without an if_id")));
  charon_.more.clear();
  pass(2s);
  EXPECT_THAT(keeper_.warnings(), IsEmpty());
}

TEST_F(Keeper, StartsNothingThatIsNotAskedTo) {
  tunnels_[0].ike->start_action = "trap";
  keeper_.set_tunnels(tunnels_, now_);
  settle();
  EXPECT_THAT(charon_.initiated, ElementsAre("bgplite-ipsec1"));
  keeper_.initiate("ipsec0", now_);
  pass(0s);
  EXPECT_THAT(charon_.initiated, ElementsAre("bgplite-ipsec0"));
}

TEST_F(Keeper, AWatchedTunnelIsNeverConfigured) {
  tunnels_[0].ike.reset();
  tunnels_[0].watch_connection = "vco1";
  keeper_.set_tunnels(tunnels_, now_);
  settle();
  EXPECT_THAT(charon_.connections, ElementsAre("bgplite-ipsec1"));
}

TEST_F(Keeper, UnloadsAllAtTheEnd) {
  settle();
  keeper_.unload_all();
  settle();
  EXPECT_THAT(charon_.connections, IsEmpty());
  EXPECT_THAT(charon_.keys, IsEmpty());
  EXPECT_THAT(charon_.up, IsEmpty());
  EXPECT_TRUE(keeper_.unloaded());
  EXPECT_EQ(keeper_.next_deadline(), kNever) << "nothing is due any more";
}

TEST_F(Keeper, UnloadsFromTheCharonThatComesBackWhenOneIsLostMeanwhile) {
  settle();
  keeper_.unload_all();
  ASSERT_TRUE(keeper_.next_request(now_));
  keeper_.disconnected();
  EXPECT_FALSE(keeper_.unloaded());
  keeper_.connected(now_);
  settle();
  EXPECT_THAT(charon_.connections, IsEmpty());
  EXPECT_THAT(charon_.up, IsEmpty());
  EXPECT_TRUE(keeper_.unloaded());
}

TEST_F(Keeper, UnloadsFromACharonItIsOnlyJustConnectingTo) {
  settle();
  IkeKeeper next{keys_, 5s};
  next.set_tunnels(tunnels_, now_);
  next.unload_all();
  EXPECT_FALSE(next.unloaded());
  next.connected(now_);
  EXPECT_EQ(next.next_request(now_)->name, "unload-conn");
}

TEST_F(Keeper, HasNothingToUnloadFromACharonThatIsNotThere) {
  settle();
  keeper_.disconnected();  // Lost,
  keeper_.disconnected();  // and no connection any more.
  keeper_.unload_all();
  EXPECT_TRUE(keeper_.unloaded());
}

}  // namespace
}  // namespace minibgp::xfrm::vici
