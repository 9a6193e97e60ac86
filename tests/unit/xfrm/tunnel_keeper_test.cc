#include <xfrm/tunnel_keeper.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ends.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const std::array kRemotes{IpAddress::v4(0xCB007197), IpAddress::v4(0xC6336457)};
constexpr std::uint32_t kDevice = 2;

class Keys final : public KeySource {
 public:
  std::optional<std::uint64_t> stamp(const std::string&) override { return 1; }
  Result<std::string, std::string> read(const std::string&) override { return "secret\n"; }
};

TunnelOptions tunnel(std::size_t number, Mode mode = Mode::interface) {
  TunnelOptions it;
  it.name = "ipsec" + std::to_string(number);
  it.mode = mode;
  it.if_id = mode == Mode::interface ? static_cast<std::uint32_t>(42 + number) : 0;
  if (mode == Mode::interface)
    it.addresses = {{IpAddress::v4(0xA9FE0A02 + 4 * static_cast<std::uint32_t>(number)), 30}};
  IkeOptions& ike = it.ike.emplace();
  ike.local_addresses = {"172.16.20.80"};
  ike.remote_addresses = {number == 0 ? "203.0.113.151" : "198.51.100.87"};
  ike.psk_file = "/psk";
  ike.local_ts = {"10.1.0.0/16"};
  ike.remote_ts = {"10.2.0.0/16"};
  return it;
}

/// A kernel and a charon that do at once what the keeper asks for, as far as they are allowed to, and a record of it.
class Host {
 public:
  explicit Host(const TunnelsOptions& options) : keeper(options, keys_) {
    links[kDevice] = Link{kDevice, "eth0", "", "", 0, 0, 0, 1500, true, false};
  }

  void start() {
    in(input::LinkDumpBegins{});
    for (const auto& [index, link] : links) in(link);
    in(AddressSeen{kDevice, {kLocal, 24}, false});
    in(input::LinkDumpEnded{});
    in(input::SaDumpBegins{});
    in(input::SaDumpEnded{});
    in(input::Started{});
    settle();
  }
  void in(const Input& input) { keeper.input(input, now); }

  /// All effects and their answers until nothing is left to do at this time.
  void settle() {
    for (int i = 0; i < 1000; ++i) {
      if (auto effect = keeper.poll()) {
        std::visit([this](auto& what) { perform(what); }, *effect);
      } else if (!answers_.empty()) {
        const auto answer = std::move(answers_.front());
        answers_.pop_front();
        answer();
      } else {
        return;
      }
    }
    FAIL() << "the keeper does not come to rest";
  }
  /// Deadline by deadline, as a rim would; how many there were.
  std::size_t pass(Duration time) {
    const Time end = now + time;
    std::size_t turns = 0;
    for (; keeper.next_deadline() <= end; ++turns) {
      if (turns == 10'000) {
        ADD_FAILURE() << "the keeper's deadlines do not move on";
        break;
      }
      now = std::max(now, keeper.next_deadline());
      in(input::TimePassed{});
      settle();
    }
    now = end;
    return turns;
  }

  static ChildSa child(std::uint32_t id) {
    ChildSa it;
    it.id = id;
    it.spi_in = 0x100 + 2 * id;
    it.spi_out = 0x101 + 2 * id;
    return it;
  }
  Sa sa(std::size_t tunnel, std::uint32_t id, bool inbound) const {
    const ChildSa pair = child(id);
    Sa it;
    it.key = {inbound ? kLocal : kRemotes[tunnel], inbound ? pair.spi_in : pair.spi_out, 50};
    it.source = inbound ? kRemotes[tunnel] : kLocal;
    it.if_id = if_id_of(tunnel);
    it.reqid = static_cast<std::uint32_t>(tunnel + 1);
    it.added_s = 1000 + id;
    return it;
  }
  /// charon and the kernel have a pair from now on, as after a negotiation.
  void negotiate(std::size_t tunnel, std::uint32_t id) {
    in(sa(tunnel, id, true));
    in(sa(tunnel, id, false));
    children[tunnel].insert(id);
    in(input::CharonEvent{"child-updown", list(tunnel).add("up", "yes")});
    settle();
  }
  void lose(std::size_t tunnel, std::uint32_t id) {
    children[tunnel].erase(id);
    in(SaGone{sa(tunnel, id, true).key, Reason::sa_deleted});
    in(SaGone{sa(tunnel, id, false).key, Reason::sa_deleted});
  }
  vici::Section list(std::size_t tunnel) const {
    vici::Section all;
    for (const std::uint32_t id : children.at(tunnel))
      all.add_section("c-" + std::to_string(id), vici::Section{}
                                                     .add("uniqueid", std::to_string(id))
                                                     .add("state", "INSTALLED")
                                                     .add("spi-in", hex(child(id).spi_in))
                                                     .add("spi-out", hex(child(id).spi_out))
                                                     .add("if-id-in", hex(if_id_of(tunnel))));
    return vici::Section{}.add_section("bgplite-ipsec" + std::to_string(tunnel),
                                       vici::Section{}
                                           .add("uniqueid", std::to_string(tunnel + 1))
                                           .add("state", "ESTABLISHED")
                                           .add("remote-host", tunnel == 0 ? "203.0.113.151" : "198.51.100.87")
                                           .add_section("child-sas", std::move(all)));
  }
  const Link* named(std::string_view name) const {
    for (const auto& [index, link] : links)
      if (link.name == name) return &link;
    return nullptr;
  }
  std::vector<std::string> take_done() { return std::exchange(done, {}); }

  TunnelKeeper keeper;
  Time now{1h};
  std::map<std::uint32_t, Link> links;
  std::map<std::size_t, std::set<std::uint32_t>> children;
  std::set<std::string> connections;
  std::map<SaKey, std::uint64_t> packets;
  std::vector<std::string> done;  ///< What was carried out, in order.
  int refusal = 0;                ///< What the kernel answers instead of taking a step.
  bool charon_answers = true, kernel_answers = true, stopped = false, by_policy = false;
  /// Called for each tunnel that changed, as an observer who calls back in.
  std::function<void(const effect::TunnelChanged&)> on_changed;

 private:
  [[nodiscard]] std::uint32_t if_id_of(std::size_t tunnel) const {
    return by_policy ? 0 : static_cast<std::uint32_t>(42 + tunnel);
  }
  static std::string hex(std::uint32_t value) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", value);
    return text;
  }

  void perform(const effect::ConnectToCharon&) {
    done.push_back("connect");
    if (charon_answers) answers_.push_back([this] { in(input::CharonConnected{}); });
  }
  void perform(const effect::AskCharon& it) {
    done.push_back("ask " + it.request.name);
    if (!charon_answers) return;
    IkeReply reply;
    reply.message.add("success", "yes");
    const vici::Section& message = it.request.message;
    if (it.request.name == "version") reply.message.add("version", "5.9.8");
    if (it.request.name == "get-conns") reply.message.add_list("conns", {connections.begin(), connections.end()});
    if (it.request.name == "get-shared") reply.message.add_list("keys", {connections.begin(), connections.end()});
    if (it.request.name == "load-conn") connections.insert(message.entries().front().name);
    if (it.request.name == "unload-conn") connections.erase(std::string{message.value("name")});
    if (it.request.name == "list-sas")
      for (const auto& [number, ids] : children)
        if (!ids.empty()) reply.streamed.push_back(list(number));
    answers_.push_back([this, reply = std::move(reply)] { in(input::CharonReplied{reply}); });
  }
  void perform(const effect::TakeStep& it) {
    const int error = refusal;
    if (error != 0) {
      done.push_back("refused");
    } else if (const auto* made = std::get_if<CreateLink>(&it.step)) {
      done.push_back("make " + made->name);
      const auto index = static_cast<std::uint32_t>(10 + links.size());
      links[index] = Link{index, made->name, "xfrm", "", made->if_id, made->underlying, 0, made->mtu, false, false};
      in(links[index]);
    } else if (const auto* gone = std::get_if<DeleteLink>(&it.step)) {
      done.push_back("remove " + links.at(gone->index).name);
      links.erase(gone->index);
      in(LinkGone{gone->index});
    } else if (const auto* change = std::get_if<ChangeLink>(&it.step)) {
      Link& link = links.at(change->index);
      done.push_back("change " + link.name);
      if (change->mtu) link.mtu = *change->mtu;
      if (change->mark) link.alias = kOurAlias;
      if (change->set_up) link.up = true;
      in(link);
    } else if (const auto* address = std::get_if<ChangeAddress>(&it.step)) {
      done.push_back("address " + links.at(address->index).name);
      in(AddressSeen{address->index, address->address, !address->add});
    } else {
      done.push_back("route");
    }
    if (kernel_answers) answers_.push_back([this, id = it.id, error] { in(input::StepAnswered{id, error}); });
  }
  void perform(const effect::LookUp& it) {
    answers_.push_back([this, endpoint = it.endpoint] {
      in(input::RouteAnswered{endpoint, RouteFound{Prefix::of(endpoint, 24), {}, kDevice, 2}});
    });
  }
  void perform(const effect::ReadCounters& it) {
    for (const Sa& sa : it.sas) answers_.push_back([this, key = sa.key] { in(SaCounters{key, packets[key], 0}); });
  }
  void perform(const effect::ReadOwnRoutes&) {
    answers_.push_back([this] { in(input::OwnRoutesRead{}); });
  }
  void perform(const effect::RetryDumps&) { ++retried; }
  void perform(const effect::DeleteSa& it) {
    done.push_back("delete SA");
    answers_.push_back([this, key = it.sa] { in(SaGone{key, Reason::sa_deleted}); });
  }
  void perform(const effect::RedirectPolicies& it) { done.push_back("policies through " + it.tunnel); }
  void perform(const effect::TunnelChanged& it) {
    done.push_back(it.tunnel + " " + std::string{to_text(it.change.state)});
    if (on_changed) on_changed(it);
  }
  void perform(const effect::FollowChanged& it) { done.push_back(it.group + " uses " + it.tunnel); }
  void perform(const effect::WriteLog& it) { log.push_back(it.line); }
  void perform(const effect::Stopped&) { stopped = true; }

  Keys keys_;
  std::deque<std::function<void()>> answers_;

 public:
  std::vector<std::string> log;
  std::size_t retried = 0;
};

TunnelsOptions options(TunnelsOptions::OnExit on_exit = TunnelsOptions::OnExit::remove) {
  TunnelsOptions it;
  it.on_exit = on_exit;
  it.damping.enabled = false;
  return it;
}

void set(Host& host, const std::vector<TunnelOptions>& tunnels, const std::vector<FollowGroup>& follow = {}) {
  host.in(input::SetTunnels{tunnels, follow});
}

/// Two tunnels that carry traffic.
class Running : public ::testing::Test {
 protected:
  Running() {
    set(host_, {tunnel(0), tunnel(1)});
    host_.start();
    host_.negotiate(0, 1);
    host_.negotiate(1, 2);
    host_.take_done();
  }
  Host host_{options()};
};

TEST(TunnelKeeper, DoesNothingBeforeTheKernelIsRead) {
  Host host{options()};
  set(host, {tunnel(0)});
  EXPECT_FALSE(host.keeper.poll());
  EXPECT_EQ(host.keeper.next_deadline(), kNever);
  EXPECT_EQ(host.keeper.ike_link(), IkeLink::unused);
  EXPECT_TRUE(host.keeper.has_ipsec_tunnels());
}

TEST(TunnelKeeper, MakesTheInterfaceLoadsTheConnectionAndSaysWhenItCarriesTraffic) {
  Host host{options()};
  set(host, {tunnel(0)});
  host.start();
  ASSERT_NE(host.named("ipsec0"), nullptr);
  EXPECT_EQ(host.named("ipsec0")->alias, kOurAlias);
  EXPECT_THAT(host.connections, ElementsAre("bgplite-ipsec0"));
  EXPECT_THAT(host.done, Contains("ask initiate"));
  EXPECT_EQ(host.keeper.ike_link(), IkeLink::connected);
  EXPECT_EQ(host.keeper.ike_version(), "5.9.8");
  EXPECT_FALSE(host.keeper.usable("ipsec0"));

  host.take_done();
  host.negotiate(0, 1);
  EXPECT_THAT(host.done, Contains("ipsec0 up"));
  const auto status = host.keeper.status("ipsec0");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->interface, "ipsec0");
  EXPECT_EQ(status->state, TunnelState::up);
  EXPECT_TRUE(status->connection_loaded);
  EXPECT_EQ(host.keeper.status().size(), 1U);
  EXPECT_FALSE(host.keeper.status("ipsec9"));
}

TEST(TunnelKeeper, WithoutIpsecTunnelsLeavesCharonAlone) {
  Host host{options()};
  TunnelOptions link = tunnel(0, Mode::link);
  link.ike.reset();
  set(host, {link});
  host.start();
  host.pass(10s);
  EXPECT_THAT(host.done, Not(Contains("connect")));
  EXPECT_EQ(host.keeper.ike_link(), IkeLink::unused);
  set(host, {link, tunnel(1)});
  host.settle();
  set(host, {tunnel(1)});
  host.settle();
  EXPECT_EQ(std::count(host.done.begin(), host.done.end(), "connect"), 1) << "once, with the first of them";
}

TEST(TunnelKeeper, AsksCharonForWhatAnEarlierRunLeft) {
  TunnelsOptions of_earlier_run = options();
  of_earlier_run.former_if_ids = {77};
  Host host{of_earlier_run};
  host.charon_answers = false;
  host.start();
  EXPECT_THAT(host.done, Contains("connect"));
  EXPECT_THAT(host.keeper.owned_if_ids(), ElementsAre(77U)) << "until charon has said that nothing is left";
  host.charon_answers = true;
  host.in(input::CharonConnected{});
  host.settle();
  EXPECT_THAT(host.keeper.owned_if_ids(), IsEmpty());
}

TEST(TunnelKeeper, OnlyWatchesTheKernelWhereItDoesNotManageInterfaces) {
  TunnelsOptions watching = options();
  watching.manage_interfaces = false;
  Host host{watching};
  set(host, {tunnel(0)});
  host.start();
  EXPECT_EQ(host.named("ipsec0"), nullptr);
  host.in(input::Stop{});
  host.settle();
  EXPECT_TRUE(host.stopped);
}

TEST_F(Running, ARekeyIsNoChange) {
  host_.negotiate(0, 3);
  host_.lose(0, 1);
  host_.settle();
  EXPECT_THAT(host_.take_done(), Not(Contains(HasSubstr("ipsec0 "))));
  EXPECT_TRUE(host_.keeper.usable("ipsec0"));
}

TEST_F(Running, ALostTunnelIsReportedBeforeTheKernelOrCharonAreAskedForAnything) {
  host_.now += 10s;  // Everything periodic is due as well.
  host_.lose(0, 1);
  host_.settle();
  const std::vector<std::string> done = host_.take_done();
  ASSERT_THAT(done, Not(IsEmpty()));
  EXPECT_EQ(done.front(), "ipsec0 down");
  EXPECT_TRUE(host_.keeper.usable("ipsec1"));
}

TEST_F(Running, FactsAreGatheredUntilItIsPolled) {
  host_.lose(0, 1);
  host_.in(host_.sa(0, 5, true));
  host_.in(host_.sa(0, 5, false));
  host_.settle();
  EXPECT_THAT(host_.take_done(), Not(Contains(HasSubstr("ipsec0 ")))) << "a pair was there before anything was decided";
}

TEST_F(Running, AnInputWhileAChangeIsCarriedOutCausesATurnOfItsOwn) {
  host_.on_changed = [&](const effect::TunnelChanged& it) {
    if (it.tunnel == "ipsec0") host_.in(input::Probed{"ipsec1", ProbeResult::lost});
  };
  host_.lose(0, 1);
  host_.settle();
  const std::vector<std::string> done = host_.take_done();
  const auto first = std::find(done.begin(), done.end(), "ipsec0 down");
  EXPECT_NE(std::find(first, done.end(), "ipsec1 down"), done.end());
}

TEST_F(Running, TheChangesOfATurnSurviveAConfigurationThatAnObserverSets) {
  host_.on_changed = [&](const effect::TunnelChanged& it) {
    if (it.tunnel == "ipsec0") set(host_, {tunnel(1)});
  };
  host_.lose(0, 1);
  host_.lose(1, 2);
  host_.settle();
  EXPECT_THAT(host_.take_done(), Contains("ipsec1 down"));
  EXPECT_FALSE(host_.keeper.status("ipsec0"));
}

TEST_F(Running, DeletesAnSaThatCharonNoLongerKnowsBesideOneThatItKnows) {
  host_.in(host_.sa(0, 0, true));  // Older than the pair that charon knows.
  host_.in(host_.sa(0, 0, false));
  host_.settle();
  host_.pass(20s);
  EXPECT_THAT(host_.done, Contains("delete SA"));
  EXPECT_THAT(host_.log, Contains(HasSubstr("that charon no longer knows is deleted")));
  EXPECT_TRUE(host_.keeper.usable("ipsec0"));
}

TEST_F(Running, TheDirectionOfAnSaFollowsFromTheAddressesOfThisHost) {
  EXPECT_EQ(host_.keeper.status("ipsec0")->inbound_sas, 1U);
  EXPECT_EQ(host_.keeper.status("ipsec0")->outbound_sas, 1U);
}

TEST_F(Running, ComesToRestAndLooksNowAndThen) {
  host_.pass(1min);
  host_.take_done();
  const std::size_t turns = host_.pass(1min);
  EXPECT_LE(turns, 200U) << "every 0.5 s counters, every 2 s charon";
  EXPECT_GE(turns, 100U);
  EXPECT_THAT(host_.take_done(), Not(Contains("ask initiate")));
  EXPECT_GE(host_.retried, 50U);
}

TEST_F(Running, ACarrierThatGoesTakesTheTunnelsAlong) {
  Link device = host_.links.at(kDevice);
  device.carrier = false;
  host_.in(device);
  host_.settle();
  EXPECT_EQ(host_.keeper.status("ipsec0")->reason, Reason::underlay_no_carrier);
  EXPECT_FALSE(host_.keeper.usable("ipsec1"));
}

TEST_F(Running, WithoutAnAnswerOfCharonTheTunnelsBecomeSuspect) {
  host_.charon_answers = false;
  host_.in(input::CharonGone{});
  host_.settle();
  EXPECT_EQ(host_.keeper.ike_link(), IkeLink::connecting);
  host_.pass(TunnelTable::kConfirmGrace + 1s);
  EXPECT_EQ(host_.keeper.status("ipsec0")->reason, Reason::charon_silent);
}

TEST(TunnelKeeper, KeepsEverythingAtAnEndThatKeeps) {
  Host host{options(TunnelsOptions::OnExit::keep)};
  set(host, {tunnel(0)});
  host.start();
  host.take_done();
  host.lose(0, 1);  // Not even what is due is carried out.
  host.in(input::Stop{});
  host.settle();
  EXPECT_TRUE(host.stopped);
  EXPECT_THAT(host.take_done(), IsEmpty());
  EXPECT_NE(host.named("ipsec0"), nullptr);
  EXPECT_EQ(host.keeper.next_deadline(), kNever);
}

TEST_F(Running, AnEndThatRemovesAsksCharonFirstAndThenTakesTheInterfacesAway) {
  host_.in(input::Stop{});
  host_.settle();
  EXPECT_TRUE(host_.stopped);
  EXPECT_THAT(host_.connections, IsEmpty());
  EXPECT_EQ(host_.named("ipsec0"), nullptr);
  EXPECT_EQ(host_.named("ipsec1"), nullptr);
  const std::vector<std::string> done = host_.take_done();
  const auto removed = std::find(done.begin(), done.end(), "remove ipsec0");
  EXPECT_EQ(std::find_if(removed, done.end(), [](const std::string& it) { return it.starts_with("ask "); }),
            done.end());
}

TEST(TunnelKeeper, AnEndDoesWhatTheConfigurationSaysByThen) {
  Host host{options(TunnelsOptions::OnExit::keep)};
  set(host, {tunnel(0)});
  host.start();
  ASSERT_NE(host.named("ipsec0"), nullptr);
  host.in(input::Stop{TunnelsOptions::OnExit::remove});
  host.settle();
  EXPECT_TRUE(host.stopped);
  EXPECT_EQ(host.named("ipsec0"), nullptr);
  EXPECT_THAT(host.connections, IsEmpty());
}

TEST_F(Running, AnEndWaitsForASilentCharonForItsPatienceOnly) {
  host_.charon_answers = false;
  host_.in(input::Stop{});
  host_.settle();
  host_.pass(TunnelKeeper::kCharonPatience - 1s);
  EXPECT_FALSE(host_.stopped);
  EXPECT_NE(host_.named("ipsec0"), nullptr) << "the peer's answers to charon still come through it";
  host_.pass(1s);
  EXPECT_TRUE(host_.stopped);
  EXPECT_EQ(host_.named("ipsec0"), nullptr);
  EXPECT_THAT(host_.log, Contains(HasSubstr("charon did not take our connections out within 8 s")));
}

TEST_F(Running, AnEndWaitsForASilentKernelForItsPatienceOnly) {
  host_.kernel_answers = false;
  host_.in(input::Stop{});
  host_.settle();
  EXPECT_FALSE(host_.stopped);
  host_.pass(TunnelKeeper::kKernelPatience);
  EXPECT_TRUE(host_.stopped);
}

TEST_F(Running, AnEndAsksABusyKernelAgain) {
  host_.refusal = EBUSY;
  host_.in(input::Stop{});
  host_.settle();
  EXPECT_FALSE(host_.stopped);
  host_.refusal = 0;
  host_.pass(TunnelKeeper::kBusyPause);
  EXPECT_TRUE(host_.stopped);
  EXPECT_EQ(host_.named("ipsec0"), nullptr);
  EXPECT_EQ(host_.named("ipsec1"), nullptr);
}

TEST_F(Running, AnEndAsksAKernelThatStaysBusyForItsPatienceOnlyAndNotAllTheTime) {
  host_.refusal = ENOBUFS;
  host_.in(input::Stop{});
  host_.settle();
  host_.take_done();
  for (Duration passed{}; passed < TunnelKeeper::kKernelPatience; passed += TunnelKeeper::kBusyPause)
    host_.pass(TunnelKeeper::kBusyPause);
  EXPECT_TRUE(host_.stopped);
  EXPECT_LE(host_.take_done().size(), 4U * (TunnelKeeper::kKernelPatience / TunnelKeeper::kBusyPause));
}

TEST_F(Running, AnEndDoesNotAskAgainForWhatMayNotBeDone) {
  host_.refusal = EPERM;
  host_.in(input::Stop{});
  host_.settle();
  EXPECT_TRUE(host_.stopped);
}

TEST_F(Running, NothingIsHandedOutAfterTheEnd) {
  host_.in(input::Stop{});
  host_.settle();
  host_.take_done();
  host_.in(host_.sa(0, 9, true));
  host_.in(input::TimePassed{});
  EXPECT_FALSE(host_.keeper.poll());
}

TEST(TunnelKeeper, FollowsTheTunnelOnWhichThePeerSendsAndLeadsThePoliciesThere) {
  Host host{options()};
  host.by_policy = true;
  set(host, {tunnel(0, Mode::policy), tunnel(1, Mode::policy)});
  host.start();
  host.negotiate(0, 1);
  host.negotiate(1, 2);
  const std::string group = "policies of ipsec0";
  EXPECT_EQ(host.keeper.followed(group), "ipsec0");
  EXPECT_THAT(host.done, Contains(group + " uses ipsec0"));
  host.take_done();
  for (int i = 0; i < 10; ++i) {
    host.packets[host.sa(1, 2, true).key] += 100;
    host.pass(1s);
  }
  EXPECT_EQ(host.keeper.followed(group), "ipsec1");
  EXPECT_THAT(host.done, Contains(group + " uses ipsec1"));
  EXPECT_THAT(host.log, Contains("group " + group + ": sending through ipsec1: inbound traffic moved"));
  host.take_done();
  host.in(input::CharonEvent{"child-rekey", {}});
  EXPECT_THAT((host.settle(), host.take_done()), Contains("policies through ipsec1"))
      << "a renewal has installed charon's own";
  host.lose(1, 2);
  host.settle();
  EXPECT_EQ(host.keeper.followed(group), "ipsec0");
}

TEST(TunnelKeeper, KnowsTheEndpointsThatNoRouteOfOursMaySwallow) {
  Host host{options()};
  set(host, {tunnel(0), tunnel(1)});
  EXPECT_THAT(host.keeper.underlay_endpoints(), ::testing::UnorderedElementsAre(kRemotes[0], kRemotes[1]));
}

}  // namespace
}  // namespace minibgp::xfrm
