// The VICI client against a scripted charon on a Unix socket: one that answers slowly, wrongly, never, or dies in the
// middle of an answer costs an answer, never the loop's time.
#include <xfrm/tunnel_table.h>
#include <xfrm/vici/client.h>
#include <xfrm/vici/symptoms.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace minibgp::xfrm::vici {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Stream = asio::local::stream_protocol;
/// Real time: a loop that waits is what this test looks for.
using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

/// A charon that registers every event (alerts only since 6.0.3) and then does as its script says with each command.
class FakeCharon {
 public:
  /// Gets the request; what it returns is written as it is. Empty: says nothing.
  using Script = std::function<Frame(const Packet&)>;

  FakeCharon(asio::io_context& io, std::string path, Script script)
      : acceptor_(io, Stream::endpoint(path)), script_(std::move(script)) {
    accept();
  }
  std::function<void()> after_answer;  ///< E.g. close_all().
  void close_all() {
    for (const auto& peer : peers_) {
      boost::system::error_code ignored;
      peer->socket.close(ignored);
    }
    peers_.clear();
  }
  void send_event(const Packet& packet) {
    for (const auto& peer : peers_) {
      boost::system::error_code ignored;
      asio::write(peer->socket, asio::buffer(*encode_packet(packet)), ignored);
    }
  }
  std::vector<std::string> commands;
  bool knows_alerts = false;

 private:
  struct Peer {
    explicit Peer(Stream::socket s) : socket(std::move(s)) {}
    Stream::socket socket;
    Framer framer;
    std::array<std::uint8_t, 4096> buffer{};
  };
  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, Stream::socket socket) {
      if (error) return;
      peers_.push_back(std::make_shared<Peer>(std::move(socket)));
      read(peers_.back());
      accept();
    });
  }
  void read(const std::shared_ptr<Peer>& peer) {
    peer->socket.async_read_some(asio::buffer(peer->buffer),
                                 [this, peer](const boost::system::error_code& error, std::size_t count) {
                                   if (error) return;
                                   peer->framer.feed(Bytes{peer->buffer.data(), count});
                                   for (auto frame = peer->framer.next(); frame && *frame; frame = peer->framer.next())
                                     handle(*peer, *decode_packet(**frame));
                                   if (peer->socket.is_open()) read(peer);
                                 });
  }
  void handle(Peer& peer, const Packet& packet) {
    boost::system::error_code ignored;
    if (packet.type == PacketType::event_register) {
      const bool unknown = packet.name == "alert" && !knows_alerts;
      const auto answer = unknown ? PacketType::event_unknown : PacketType::event_confirm;
      asio::write(peer.socket, asio::buffer(*encode_packet({answer, "", {}})), ignored);
      return;
    }
    commands.push_back(packet.name);
    asio::write(peer.socket, asio::buffer(script_(packet)), ignored);
    if (after_answer) after_answer();
  }

  Stream::acceptor acceptor_;
  Script script_;
  std::vector<std::shared_ptr<Peer>> peers_;
};

class Watched : public ::testing::Test, public ClientEvents {
 protected:
  Watched() {
    std::string name = (std::filesystem::temp_directory_path() / "vici-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    options_.socket = directory_ + "/charon.vici";
    options_.timeout = 200ms;
    options_.reconnect_first = 20ms;
    options_.reconnect_last = 40ms;
  }
  ~Watched() override { std::filesystem::remove_all(directory_); }

  ClientEvents& events() { return *this; }
  void start(FakeCharon::Script script) {
    charon_ = std::make_unique<FakeCharon>(io_, options_.socket, std::move(script));
    charon_->knows_alerts = newer_charon_;
    client_ = std::make_unique<Client>(io_, options_, events(), nullptr);
    client_->start();
    run_until([&] { return connected_ > 0; });
  }
  /// Runs the loop until `done`, and notes how long the longest single turn took.
  void run_until(const std::function<bool()>& done) {
    const auto limit = Clock::now() + 10s;
    while (!done()) {
      const auto before = Clock::now();
      ASSERT_LT(before, limit) << "it never happened";
      if (io_.poll_one() == 0) {
        asio::steady_timer pause(io_, 1ms);
        pause.async_wait([](const boost::system::error_code&) {});
        io_.run_one_for(2ms);
        continue;
      }
      longest_turn_ = std::max(longest_turn_, Clock::now() - before);
    }
  }
  void ask(const std::string& name) {
    client_->request(name, Section{}.add("data", "secret"), [this](IkeReply reply) { replies_.push_back(reply); });
  }

  void on_ike_connected() override { ++connected_; }
  void on_ike_disconnected(std::string_view why) override { lost_.emplace_back(why); }
  void on_ike_event(std::string_view name, const Section& message) override {
    events_.emplace_back(name);
    if (on_event_) on_event_(name, message);
  }

  asio::io_context io_;
  std::string directory_;
  ClientOptions options_;
  std::unique_ptr<FakeCharon> charon_;
  std::unique_ptr<Client> client_;
  bool newer_charon_ = false;
  std::function<void(std::string_view, const Section&)> on_event_;
  int connected_ = 0;
  std::vector<std::string> lost_, events_;
  std::vector<IkeReply> replies_;
  std::chrono::steady_clock::duration longest_turn_{};
};

Frame yes() { return *encode_packet({PacketType::cmd_response, "", Section{}.add("success", "yes")}); }

TEST_F(Watched, AnAlertOfANewerCharonMakesTheTunnelSuspectUntilItsPeerAnswers) {
  TunnelOptions tunnel;
  tunnel.name = "ipsec1";
  tunnel.if_id = 43;
  tunnel.ike.emplace();
  TunnelTable table;
  table.set_tunnels(std::vector{tunnel});
  const TunnelLink link{5, true, true};
  table.set_link("ipsec1", &link);
  const IpAddress ours = IpAddress::v4(0xAC101450), theirs = IpAddress::v4(0xCB007197);
  table.sa_added({{ours, 1, 50}, theirs, 43, 1, SaDirection::inbound});
  table.sa_added({{theirs, 2, 50}, ours, 43, 1, SaDirection::outbound});
  (void)table.settle(Time{});
  ASSERT_EQ(table.state("ipsec1"), TunnelState::up);

  on_event_ = [&](std::string_view name, const Section& message) {
    const auto symptom = name == "alert" ? read_alert_event(message) : std::nullopt;
    if (symptom) table.set_retransmitting(symptom->connection, symptom->kind == Symptom::Kind::silent);
    (void)table.settle(Time{});
  };
  const auto alert = [&](const char* type) {
    charon_->send_event(
        {PacketType::event, "alert",
         Section{}.add("type", type).add_section("ike-sa", Section{}.add_section("bgplite-ipsec1", {}))});
  };
  newer_charon_ = true;
  start([](const Packet&) { return yes(); });
  alert("retransmit-send");
  run_until([&] { return table.state("ipsec1") == TunnelState::suspect; });
  alert("retransmit-send-cleared");
  run_until([&] { return table.state("ipsec1") == TunnelState::up; });
}

TEST_F(Watched, AnswersInOrderWithStreamedEvents) {
  start([](const Packet& request) {
    Frame bytes;
    if (request.name == "list-sas")
      for (const char* name : {"a", "b"}) {
        const auto event = *encode_packet({PacketType::event, "list-sa", Section{}.add_section(name, {})});
        bytes.insert(bytes.end(), event.begin(), event.end());
      }
    const auto last = request.name == "nonsense" ? *encode_packet({PacketType::cmd_unknown, "", {}}) : yes();
    bytes.insert(bytes.end(), last.begin(), last.end());
    return bytes;
  });
  for (const char* name : {"version", "list-sas", "nonsense"}) ask(name);
  run_until([&] { return replies_.size() == 3; });
  EXPECT_TRUE(replies_[0].message.yes("success"));
  EXPECT_EQ(replies_[1].streamed.size(), 2U);
  EXPECT_EQ(replies_[2].outcome, IkeReply::Outcome::unknown_command);
  EXPECT_EQ(charon_->commands, (std::vector<std::string>{"version", "list-sas", "nonsense"}));
  charon_->send_event({PacketType::event, "child-updown", {}});
  run_until([&] { return !events_.empty(); });
  EXPECT_EQ(events_.front(), "child-updown");
}

struct Bad {
  const char* name;
  Frame (*answer)();
  bool dies;
  const char* why;
};
class BadCharon : public Watched, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadCharon, CostsTheAnswersAndNothingElse) {
  bool good = false;
  start([&good](const Packet&) { return good ? yes() : GetParam().answer(); });
  if (GetParam().dies) charon_->after_answer = [&] { charon_->close_all(); };
  ask("version");
  ask("get-conns");
  run_until([&] { return replies_.size() == 2; });
  EXPECT_EQ(replies_[0].outcome, IkeReply::Outcome::lost);
  EXPECT_EQ(replies_[1].outcome, IkeReply::Outcome::lost);
  ASSERT_FALSE(lost_.empty());
  EXPECT_THAT(lost_.front(), HasSubstr(GetParam().why));
  // And it comes back.
  good = true;
  charon_->after_answer = nullptr;
  run_until([&] { return connected_ > 1; });
  ask("version");
  run_until([&] { return replies_.size() == 3; });
  EXPECT_EQ(replies_[2].outcome, IkeReply::Outcome::answered);
  EXPECT_LT(longest_turn_, 50ms) << "BGP would have waited";
}

INSTANTIATE_TEST_SUITE_P(Ways, BadCharon,
                         ::testing::Values(Bad{"silent", [] { return Frame{}; }, false,
                                               "no answer to version for 200 ms"},
                                           Bad{"slow",
                                               [] {
                                                 return Frame{0, 0, 0, 9, 1};
                                               },
                                               false, "no answer to version"},
                                           Bad{"dies_mid_answer",
                                               [] {
                                                 return Frame{0, 0, 0, 9, 1};
                                               },
                                               true, "charon closed"},
                                           Bad{"dies_without_answer", [] { return Frame{}; }, true, "charon closed"},
                                           Bad{"not_vici", [] { return Frame{0, 0, 0, 2, 1, 99}; }, false, "not VICI"},
                                           Bad{"endless_frame",
                                               [] {
                                                 return Frame{0xFF, 0xFF, 0xFF, 0xFF};
                                               },
                                               false, "frame too long"},
                                           Bad{"answers_twice",
                                               [] {
                                                 auto bytes = *encode_packet({PacketType::event_confirm, "", {}});
                                                 return bytes;
                                               },
                                               false, "unexpected packet"}),
                         [](const auto& param) { return std::string{param.param.name}; });

TEST_F(Watched, WithoutACharonRequestsAreLostAndItKeepsTrying) {
  client_ = std::make_unique<Client>(io_, options_, events(), nullptr);
  client_->start();
  ask("version");
  run_until([&] { return replies_.size() == 1 && lost_.size() >= 3; });
  EXPECT_EQ(replies_[0].outcome, IkeReply::Outcome::lost);
  charon_ = std::make_unique<FakeCharon>(io_, options_.socket, [](const Packet&) { return yes(); });
  run_until([&] { return connected_ == 1; });
}

TEST_F(Watched, ARequestThatDoesNotFitAFrameIsRefusedInItsTurnAndCostsNoConnection) {
  start([](const Packet&) { return yes(); });
  ask("version");
  client_->request("load-conn", Section{}.add("extra", std::string(65536, 'x')),
                   [this](IkeReply reply) { replies_.push_back(std::move(reply)); });
  ask("get-conns");
  run_until([&] { return replies_.size() == 3; });
  EXPECT_TRUE(replies_[0].message.yes("success"));
  EXPECT_EQ(replies_[1].outcome, IkeReply::Outcome::answered);
  EXPECT_FALSE(replies_[1].message.yes("success"));
  EXPECT_EQ(replies_[1].message.value("errmsg"), "name or value too long (255 and 65535 octets)");
  EXPECT_TRUE(replies_[2].message.yes("success"));
  EXPECT_EQ(charon_->commands, (std::vector<std::string>{"version", "get-conns"}));
  EXPECT_TRUE(lost_.empty());
}

TEST_F(Watched, AnAnswerMayStopOrDestroyTheClient) {
  for (const bool destroy : {false, true}) {
    replies_.clear();
    lost_.clear();
    connected_ = 0;
    start([](const Packet&) { return Frame{}; });
    client_->request("version", {}, [&](IkeReply reply) {
      replies_.push_back(std::move(reply));
      destroy ? client_.reset() : client_->stop();
      EXPECT_EQ(replies_.size(), 2U) << "nothing follows the stop";
    });
    ask("get-conns");
    charon_->close_all();
    run_until([&] { return replies_.size() == 2; });
    io_.run_for(100ms);
    EXPECT_TRUE(lost_.empty()) << lost_.front();
    client_.reset();
    charon_.reset();
    std::filesystem::remove(options_.socket);
  }
}

TEST_F(Watched, AnAnswerMayStopTheClientAndStartItAgain) {
  start([](const Packet&) { return Frame{}; });
  client_->request("version", {}, [&](IkeReply) {
    client_->stop();
    client_->start();
  });
  charon_->close_all();
  run_until([&] { return connected_ == 2; });
  io_.run_for(100ms);
  EXPECT_EQ(connected_, 2);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(Watched, NothingIsCalledAfterStop) {
  start([](const Packet&) { return Frame{}; });
  ask("version");
  client_->stop();
  EXPECT_EQ(replies_.size(), 1U);
  const std::size_t before = lost_.size();
  client_.reset();
  charon_->close_all();
  io_.run_for(100ms);
  EXPECT_EQ(lost_.size(), before);
}

}  // namespace
}  // namespace minibgp::xfrm::vici
