/// World: whole speakers on virtual time, joined by links that delay, split, lose and cut byte streams. A minute of BGP
/// costs microseconds, nothing sleeps, and a Seed replays a run exactly.
///
///   World world{Seed{1}};
///   Node& a = world.add_node({.as = 65001});
///   Node& b = world.add_node({.as = 65002});
///   Link& link = world.connect(a, b, {.latency = 20ms});
///   b.announce("203.0.113.0/24");
///   world.run_until_quiet();
///   link.blackhole();                   // TCP stays open; nothing arrives any more.
///   world.run_for(a.hold_time(b) + 1s);
///
/// A Node is an Engine with a table of what it reported as best (what a FIB would hold). Your own daemon takes part by
/// its Observer: Node::set_observer(). TCP is modelled as far as BGP can tell: connection refused, SYNs lost and
/// repeated, bytes in order in arbitrary pieces, a bounded window, FIN, RST, and a peer that is silently gone.
#pragma once

#include <bgp/engine.h>
#include <bgp/observer.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <testing/random.h>

namespace minibgp::testing {

class World;
class Node;
class Link;
struct Stream;
/// One speaker of the world.
struct NodeOptions {
  std::uint32_t as = 0;         ///< Required.
  std::string name = {};        ///< For messages; "n1", "n2", ... when empty.
  std::uint32_t router_id = 0;  ///< 0: 10.255.0.1, .2, ... in order of adding.
  std::uint8_t maximum_paths = 1;
  Multipath multipath = Multipath::neighbor_as;
  NextHopTracking next_hop_tracking = NextHopTracking::assume_usable;
  bool listens = true;  ///< false: connections to it are refused.
  /// Its peers are added by whoever runs it, with Node::add_peer(): the node of a daemon that has a configuration.
  bool own_peers = false;
  std::function<void(SpeakerOptions&)> speaker = {};  ///< Changes of what start() makes of the options above.
};
/// A link and the two peers on it.
struct LinkOptions {
  Duration latency = std::chrono::milliseconds{1};
  Duration jitter{};                  ///< Up to this much more, per piece of a stream; order is kept.
  std::size_t window_octets = 65536;  ///< In flight and unread, per direction.
  /// Changes of the defaults (PeerOptions', with every route accepted both ways) at the left (first), right or both
  /// nodes.
  std::function<void(PeerOptions&)> left = {}, right = {}, both = {};
};

/// Fails the n-th I/O step (dial, connect, accept, read or write) of the whole world, counted from 0.
struct FaultAt {
  std::optional<std::size_t> io_step;
};

/// The best paths of a prefix, as last reported.
using BestPaths = std::vector<BestPath>;

/// One speaker.
class Node {
 public:
  [[nodiscard]] const std::string& name() const { return options_.name; }  ///< As given, or made from its number.
  [[nodiscard]] Asn as() const { return Asn{options_.as}; }                ///< Its AS.
  [[nodiscard]] RouterId router_id() const { return RouterId{options_.router_id}; }  ///< Its router id.
  /// Valid until kill() or crash().
  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] const Engine& engine() const { return *engine_; }       ///< For its show calls.
  [[nodiscard]] bool is_running() const { return engine_ != nullptr; }  ///< False after kill() and crash().
  /// Runs whatever inputs were given to engine() directly.
  void pump();

  /// Of a node with NodeOptions::own_peers: the peer at the other end of the link that has `options.address`.
  [[nodiscard]] Result<PeerId, ApiError> add_peer(const PeerOptions& options);

  /// Kept over restarts.
  void announce(std::string_view prefix, const PathAttributes& attributes = {});
  void announce(const Prefix& prefix, const PathAttributes& attributes = {});  ///< Kept over restarts.
  void withdraw(std::string_view prefix);                                      ///< No effect if not announced.
  void withdraw(const Prefix& prefix);                                         ///< No effect if not announced.
  [[nodiscard]] const std::map<Prefix, PathAttributes>& announcements() const { return announcements_; }

  [[nodiscard]] PeerId peer(const Node& other) const;        ///< Its id for the neighbor.
  [[nodiscard]] PeerStatus status(const Node& other) const;  ///< The session with a neighbor.
  [[nodiscard]] PeerState peer_state(const Node& other) const { return status(other).state; }  ///< The session's state.
  [[nodiscard]] bool established(const Node& other) const;                                     ///< The session is up.
  /// Negotiated; 0 while there is no session.
  [[nodiscard]] Duration hold_time(const Node& other) const;

  /// What the speaker reported as best. Survives kill() and crash(), as routes in a kernel do.
  [[nodiscard]] const std::map<Prefix, BestPaths>& table() const { return table_; }
  [[nodiscard]] bool has(std::string_view prefix) const;  ///< The prefix has a best path.
  /// Empty when there is none.
  [[nodiscard]] BestPaths best(std::string_view prefix) const;
  /// The best path's attributes after import policy; none when the best is not a peer's.
  [[nodiscard]] std::optional<PathAttributes> best_attributes(const Prefix& prefix) const;
  /// Peers whose End-of-RIB was reported, over all lives.
  [[nodiscard]] std::size_t end_of_ribs() const { return end_of_ribs_; }
  [[nodiscard]] bool restart_completed() const { return restart_completed_; }  ///< Since the last start().

  /// Hears what the speaker tells; null: nobody. Outlives the node or is reset.
  void set_observer(Observer* observer) { observer_ = observer; }

  /// Stops in order: Cease, or silence for those who keep our routes.
  void stop(Engine::Stop how = Engine::Stop::cease, std::string_view reason = {});
  /// The process dies; the host closes its connections.
  void kill();
  /// The host dies: nobody is told anything.
  void crash();
  /// A new life after stop(), kill() or crash(). Routes reported before are forgotten unless `preserved`.
  enum class Forwarding : std::uint8_t { lost, preserved };
  void start(Forwarding forwarding = Forwarding::lost);  ///< A new process.
  /// A slow reader: bytes stay in the socket until resume_reading().
  void pause_reading() { reading_ = false; }
  void resume_reading();  ///< Ends pause_reading().

 private:
  friend class World;
  friend class Link;
  struct Neighbor {
    Link* link = nullptr;
    Node* other = nullptr;
    PeerOptions options;
    PeerId id{};
  };
  Node(World& world, NodeOptions options) : world_(world), options_(std::move(options)) {}
  void observe(const Output& output);
  [[nodiscard]] const Neighbor& neighbor(const Node& other) const;

  World& world_;
  NodeOptions options_;
  std::unique_ptr<Engine> engine_;
  std::uint32_t life_ = 0;
  bool host_up_ = true;
  bool reading_ = true;
  bool pumping_ = false;
  std::vector<Neighbor> neighbors_;
  std::map<ConnId, std::shared_ptr<Stream>> streams_;  ///< This life's connections.
  std::map<Prefix, PathAttributes> announcements_;
  std::map<Prefix, BestPaths> table_;
  std::size_t end_of_ribs_ = 0;
  bool restart_completed_ = false;
  std::set<Prefix> unconfirmed_;  ///< Of the table: left by the life before.
  Observer* observer_ = nullptr;
};

/// A path between two nodes with an address on each.
class Link {
 public:
  /// Packets vanish; both ends believe in their connections.
  void blackhole() { passes_ = false; }
  /// Packets pass again; TCP repeats what was lost.
  void heal();
  /// Both ends see their connections reset.
  void reset();
  /// The end points' own word that the path is down or up (a tunnel's state): Engine::set_transport_usable().
  void set_usable(bool usable);
  /// Somebody with the left node's address connects to the right one, beside whatever exists, and says nothing.
  void connect_silently() { connect_silently(*left_); }
  void connect_silently(Node& from);                     ///< The same with the address of either.
  void close_silent();                                   ///< Whoever connect_silently() let in closes.
  [[nodiscard]] bool passes() const { return passes_; }  ///< False from blackhole() to heal().
  [[nodiscard]] IpAddress address_of(const Node& node) const { return &node == left_ ? left_address_ : right_address_; }
  /// Both families: fd00::A.B.C.D beside the IPv4 address A.B.C.D.
  [[nodiscard]] LinkAddresses addresses_of(const Node& node) const;
  [[nodiscard]] Node& left() { return *left_; }    ///< The first of connect()'s nodes.
  [[nodiscard]] Node& right() { return *right_; }  ///< The second of them.

 private:
  friend class World;
  friend class Node;
  World* world_ = nullptr;
  Node* left_ = nullptr;
  Node* right_ = nullptr;
  IpAddress left_address_, right_address_;
  LinkOptions options_;
  bool passes_ = true;
};
/// Speakers, links and one clock that only moves when asked.
class World {
 public:
  explicit World(Seed seed, FaultAt fault = {});  ///< The seed draws all that is random.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// References live as long as the world.
  Node& add_node(const NodeOptions& options);
  /// Makes the two nodes peers of each other over a new link.
  Link& connect(Node& left, Node& right, const LinkOptions& options = {});

  [[nodiscard]] Time now() const { return now_; }  ///< The virtual time.
  void run_for(Duration duration);                 ///< Everything that happens until then.
  /// Until `done` holds; false when `limit` passed before.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::minutes{10});
  /// Until every session that can be up is, and nothing but KEEPALIVEs was exchanged for a while; false after `limit`.
  bool run_until_quiet(Duration limit = std::chrono::minutes{10});
  /// The clock jumps while nobody runs (a suspended machine): bytes wait in the sockets, deadlines pass.
  void jump(Duration duration);
  /// At a time of the future, or after it at once.
  void at(Time when, std::function<void()> act);
  /// Looked at after every event.
  void check_always(std::function<void()> check) { checks_.push_back(std::move(check)); }

  [[nodiscard]] Random& random() { return random_; }  ///< For tests that draw, too.
  /// The steps so far, and whether the fault was injected.
  [[nodiscard]] std::size_t io_steps() const { return io_steps_; }
  [[nodiscard]] bool hit() const { return fault_.io_step && io_steps_ > *fault_.io_step; }  ///< It came to that.
  /// Connections that exist at either end.
  [[nodiscard]] std::size_t open_sockets() const;
  [[nodiscard]] const std::deque<std::unique_ptr<Node>>& nodes() const { return nodes_; }  ///< In order of creation.
  [[nodiscard]] const std::deque<std::unique_ptr<Link>>& links() const { return links_; }  ///< In order of creation.
  /// One line for every message that was delivered, with time, sender, receiver and type: to compare two runs.
  void record(std::function<void(std::string_view line)> sink) { record_ = std::move(sink); }
  /// Every piece of a stream as a speaker reads it.
  void tap(std::function<void(const Node& from, const Node& to, Bytes)> sink) { tap_ = std::move(sink); }

 private:
  friend class Node;
  friend class Link;
  struct Event {
    Time when;
    std::uint64_t order;
    std::function<void()> act;
  };
  bool step(Time limit);
  [[nodiscard]] Time next_time() const;
  [[nodiscard]] bool fails();
  [[nodiscard]] bool sessions_settled() const;
  void note_activity() { last_activity_ = now_; }
  void turn_everybody();
  void run_checks();

  void dial(Node& from, ConnId conn, PeerId peer);
  void send_syn(const std::shared_ptr<Stream>& stream);
  void repeat_syn(const std::shared_ptr<Stream>& stream);
  void accept(const std::shared_ptr<Stream>& stream);
  void connected(const std::shared_ptr<Stream>& stream);
  void write(Node& from, ConnId conn);
  void close(Node& from, const Close& closing);
  void push(const std::shared_ptr<Stream>& stream, int side, Bytes bytes, bool fin);
  void retransmit(const Link& link);
  void deliver(const std::shared_ptr<Stream>& stream, int side);
  void read(const std::shared_ptr<Stream>& stream, int side);
  void read_pending(Node& node);
  void end(const std::shared_ptr<Stream>& stream, int side, std::error_code reason);
  void send_reset(const std::shared_ptr<Stream>& stream, int side);
  void break_stream(const std::shared_ptr<Stream>& stream, int side);
  void end_life(Node& node, bool closes);
  [[nodiscard]] std::vector<std::shared_ptr<Stream>> streams_of(const Link& link) const;

  Random random_;
  FaultAt fault_;
  Time now_{};
  std::uint64_t order_ = 0;
  std::size_t io_steps_ = 0;
  Time last_activity_{};
  std::vector<Event> events_;  ///< A heap.
  std::deque<std::unique_ptr<Node>> nodes_;
  std::deque<std::unique_ptr<Link>> links_;
  std::vector<std::weak_ptr<Stream>> streams_;
  std::vector<std::function<void()>> checks_;
  std::function<void(std::string_view)> record_;
  std::function<void(const Node&, const Node&, Bytes)> tap_;
};

}  // namespace minibgp::testing
