#include <bgp/base/assert.h>
#include <bgp/policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <testing/stream.h>
#include <testing/world.h>

namespace minibgp::testing {
namespace {

using namespace std::chrono_literals;

/// Nothing but KEEPALIVEs for so long means quiet.
constexpr Duration kQuiet = 5s;
/// As Linux: 1, 2, 4 ... s between SYNs, six repetitions.
constexpr unsigned kSynRepetitions = 6;
/// After a heal, TCP's retransmission timer fires within about this.
constexpr Duration kRetransmit = 200ms;
constexpr std::size_t kReadOctets = 16384;
/// A speaker that always wants to run "now" is broken.
constexpr int kTurnsMax = 10'000'000;

[[nodiscard]] std::error_code error(std::errc code) { return std::make_error_code(code); }

[[nodiscard]] Prefix to_prefix(std::string_view text) {
  const auto prefix = parse_prefix(text);
  BGP_ASSERT(prefix.has_value());
  return *prefix;
}

struct LaterFirst {
  template <typename Event>
  bool operator()(const Event& a, const Event& b) const {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }
};

}  // namespace

// --- Node ----------------------------------------------------------------------------------------------------------

void Node::pump() {
  if (engine_ == nullptr || pumping_) return;
  pumping_ = true;
  while (engine_ != nullptr) {
    const auto output = engine_->poll();
    if (!output) break;
    if (const auto* dial = std::get_if<Dial>(&*output)) {
      world_.dial(*this, dial->conn, dial->peer);
    } else if (const auto* write = std::get_if<Write>(&*output)) {
      world_.write(*this, write->conn);
    } else if (const auto* closing = std::get_if<Close>(&*output)) {
      world_.close(*this, *closing);
    } else {
      observe(*output);
    }
  }
  pumping_ = false;
}

void Node::observe(const Output& output) {
  world_.note_activity();
  if (const auto* changed = std::get_if<PeerChanged>(&output)) {
    if (observer_ != nullptr) observer_->on_peer_changed(*changed);
  } else if (const auto* end = std::get_if<EndOfRib>(&output)) {
    ++end_of_ribs_;
    if (observer_ != nullptr) observer_->on_end_of_rib(*end);
  } else if (const auto* hop = std::get_if<NextHopInterest>(&output)) {
    if (observer_ != nullptr) observer_->on_next_hop_interest(*hop);
  } else if (const auto* best = std::get_if<BestChanged>(&output)) {
    for (const BestChange& change : best->changes) {
      unconfirmed_.erase(change.prefix);
      if (change.paths.empty()) {
        table_.erase(change.prefix);
      } else {
        table_[change.prefix].assign(change.paths.begin(), change.paths.end());
      }
    }
    if (observer_ != nullptr) observer_->on_best_changed(best->changes);
  } else if (std::holds_alternative<RestartComplete>(output)) {
    restart_completed_ = true;
    for (const Prefix& prefix : std::exchange(unconfirmed_, {})) table_.erase(prefix);
    if (observer_ != nullptr) observer_->on_restart_complete();
  }
}

void Node::announce(std::string_view prefix, const PathAttributes& attributes) {
  announce(to_prefix(prefix), attributes);
}
void Node::announce(const Prefix& prefix, const PathAttributes& attributes) {
  announcements_[prefix] = attributes;
  if (engine_ == nullptr) return;
  engine_->announce(prefix, attributes, world_.now());
  pump();
}
void Node::withdraw(std::string_view prefix) { withdraw(to_prefix(prefix)); }
void Node::withdraw(const Prefix& given) {
  const Prefix prefix = given;  // May be one of announcements().
  announcements_.erase(prefix);
  if (engine_ == nullptr) return;
  engine_->withdraw(prefix, world_.now());
  pump();
}

Result<PeerId, ApiError> Node::add_peer(const PeerOptions& options) {
  const auto added = engine_->add_peer(options, world_.now());
  if (!added) return added;
  for (Neighbor& neighbor : neighbors_)
    if (neighbor.options.address == options.address) neighbor.id = *added;
  return added;
}

const Node::Neighbor& Node::neighbor(const Node& other) const {
  for (const Neighbor& neighbor : neighbors_)
    if (neighbor.other == &other) return neighbor;
  base::assertion_failed("the nodes are not connected", __FILE__, __LINE__);
}

PeerId Node::peer(const Node& other) const { return neighbor(other).id; }

PeerStatus Node::status(const Node& other) const {
  if (engine_ == nullptr) return {};
  return engine_->peer(peer(other)).value_or(PeerStatus{});
}

bool Node::established(const Node& other) const { return peer_state(other) == PeerState::established; }

Duration Node::hold_time(const Node& other) const { return std::chrono::seconds{status(other).hold_s}; }

bool Node::has(std::string_view prefix) const { return table_.contains(to_prefix(prefix)); }

BestPaths Node::best(std::string_view prefix) const {
  const auto found = table_.find(to_prefix(prefix));
  return found == table_.end() ? BestPaths{} : found->second;
}

std::optional<PathAttributes> Node::best_attributes(const Prefix& prefix) const {
  RouteFilter exactly;
  exactly.prefix = prefix;
  for (const PathSnapshot& path : engine_->routes(exactly))
    if (path.best) return path.accepted;
  return std::nullopt;
}

void Node::resume_reading() {
  reading_ = true;
  world_.read_pending(*this);
}

void Node::stop(Engine::Stop how, std::string_view reason) {
  if (engine_ == nullptr) return;
  engine_->stop(how, reason, world_.now());
  pump();
  world_.end_life(*this, true);
}
void Node::kill() { world_.end_life(*this, true); }
void Node::crash() {
  host_up_ = false;
  world_.end_life(*this, false);
}

void Node::start(Forwarding forwarding) {
  BGP_ASSERT(engine_ == nullptr);
  host_up_ = true;
  reading_ = true;
  restart_completed_ = false;
  unconfirmed_.clear();
  if (forwarding == Forwarding::lost) {
    table_.clear();
  } else {
    for (const auto& [prefix, paths] : table_) unconfirmed_.insert(prefix);
  }
  SpeakerOptions speaker;
  speaker.asn = as();
  speaker.router_id = router_id();
  speaker.maximum_paths = options_.maximum_paths;
  speaker.multipath = options_.multipath;
  speaker.next_hop_tracking = options_.next_hop_tracking;
  speaker.seed = world_.random().next();
  speaker.forwarding_preserved = forwarding == Forwarding::preserved && life_ > 0;
  if (options_.speaker) options_.speaker(speaker);
  ++life_;
  engine_ = std::make_unique<Engine>(speaker, nullptr, world_.now());
  for (const auto& [prefix, attributes] : announcements_) engine_->announce(prefix, attributes, world_.now());
  for (Neighbor& neighbor : neighbors_) {
    neighbor.id = kLocalPeer;
    if (!options_.own_peers) {
      const auto added = engine_->add_peer(neighbor.options, world_.now());
      BGP_ASSERT(added.has_value());
      neighbor.id = *added;
    }
    world_.retransmit(*neighbor.link);
  }
  pump();
}

// --- Link ----------------------------------------------------------------------------------------------------------

void Link::heal() {
  if (!std::exchange(passes_, true)) world_->retransmit(*this);
}

void Link::reset() {
  for (const auto& stream : world_->streams_of(*this)) {
    world_->end(stream, 0, error(std::errc::connection_reset));
    world_->end(stream, 1, error(std::errc::connection_reset));
  }
}

void Link::set_usable(bool usable) {
  for (Node* node : {left_, right_}) {
    if (!node->is_running()) continue;
    node->engine_->set_transport_usable(node->peer(node == left_ ? *right_ : *left_), usable, world_->now());
    node->pump();
  }
}

void Link::connect_silently(Node& from) {
  auto stream = std::make_shared<Stream>();
  stream->link = this;
  stream->ends[0].node = &from;
  stream->ends[0].open = true;
  stream->ends[1].node = &from == left_ ? right_ : left_;
  world_->streams_.push_back(stream);
  world_->send_syn(stream);
}

void Link::close_silent() {
  for (const auto& stream : world_->streams_of(*this)) {
    if (stream->ends[0].conn || !std::exchange(stream->ends[0].open, false)) continue;
    world_->push(stream, 0, {}, true);
  }
}

// --- World: time ---------------------------------------------------------------------------------------------------

World::World(Seed seed, FaultAt fault) : random_(seed), fault_(fault) {}
World::~World() = default;

Node& World::add_node(const NodeOptions& options) {
  BGP_ASSERT(options.as != 0);
  NodeOptions complete = options;
  const auto number = static_cast<std::uint32_t>(nodes_.size() + 1);
  if (complete.name.empty()) complete.name = "n" + std::to_string(number);
  if (complete.router_id == 0) complete.router_id = 0x0AFF0000U + number;
  nodes_.push_back(std::unique_ptr<Node>(new Node(*this, complete)));
  nodes_.back()->start();
  return *nodes_.back();
}

LinkAddresses Link::addresses_of(const Node& node) const {
  LinkAddresses addresses;
  addresses.ipv4 = address_of(node);
  addresses.ipv6 = IpAddress::v6({0xFD});
  std::copy_n(addresses.ipv4.octets.begin(), 4, addresses.ipv6.octets.begin() + 12);
  return addresses;
}

Link& World::connect(Node& left, Node& right, const LinkOptions& options) {
  links_.push_back(std::make_unique<Link>());
  Link& link = *links_.back();
  const auto number = static_cast<std::uint32_t>(links_.size());
  link.world_ = this;
  link.left_ = &left;
  link.right_ = &right;
  link.left_address_ = IpAddress::v4(0x0A000000U + (number << 2U) + 1U);
  link.right_address_ = IpAddress::v4(0x0A000000U + (number << 2U) + 2U);
  link.options_ = options;
  for (Node* node : {&left, &right}) {
    Node& other = node == &left ? right : left;
    PeerOptions peer;
    peer.address = link.address_of(other);
    peer.local_address = link.address_of(*node);
    peer.remote_as = other.as();
    peer.name = other.name();
    peer.import_policy = Policy::accept_all();
    peer.export_policy = Policy::accept_all();
    if (options.both) options.both(peer);
    const auto& own = node == &left ? options.left : options.right;
    if (own) own(peer);
    node->neighbors_.push_back({&link, &other, peer, kLocalPeer});
    if (node->options_.own_peers) continue;
    const auto added = node->engine_->add_peer(peer, now_);
    BGP_ASSERT(added.has_value());
    node->neighbors_.back().id = *added;
  }
  left.pump();
  right.pump();
  return link;
}

void World::at(Time when, std::function<void()> act) {
  events_.push_back({std::max(when, now_), order_++, std::move(act)});
  std::push_heap(events_.begin(), events_.end(), LaterFirst{});
}

Time World::next_time() const {
  Time next = events_.empty() ? kNever : events_.front().when;
  for (const auto& node : nodes_)
    if (node->engine_ != nullptr) next = std::min(next, node->engine_->next_deadline());
  return next;
}

/// One event, and the deadlines of its moment; false when nothing happens up to `limit`.
bool World::step(Time limit) {
  const Time next = next_time();
  if (next > limit) return false;
  now_ = std::max(now_, next);
  if (!events_.empty() && events_.front().when <= now_) {
    std::pop_heap(events_.begin(), events_.end(), LaterFirst{});
    const Event event = std::move(events_.back());
    events_.pop_back();
    event.act();
  } else {
    turn_everybody();
  }
  run_checks();
  return true;
}

void World::turn_everybody() {
  for (const auto& node : nodes_) {
    for (int turns = 0; node->engine_ != nullptr && node->engine_->next_deadline() <= now_; ++turns) {
      BGP_ASSERT(turns < kTurnsMax);
      node->engine_->on_time(now_);
      node->pump();
      read_pending(*node);
    }
  }
}

void World::run_checks() {
  for (const auto& check : checks_) check();
}

void World::run_for(Duration duration) {
  const Time end = now_ + duration;
  while (step(end)) {
  }
  now_ = std::max(now_, end);
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  while (!done()) {
    if (now_ >= end) return false;
    const Time pause = std::min(end, now_ + 1s);
    if (!step(pause)) now_ = pause;
  }
  return true;
}

bool World::run_until_quiet(Duration limit) {
  note_activity();
  return run_until([this] { return now_ - last_activity_ >= kQuiet && sessions_settled(); }, limit);
}

void World::jump(Duration duration) { now_ += duration; }

bool World::sessions_settled() const {
  for (const auto& link : links_) {
    if (!link->passes_ || !link->left_->is_running() || !link->right_->is_running()) continue;
    const PeerStatus left = link->left_->status(*link->right_);
    const PeerStatus right = link->right_->status(*link->left_);
    if (!left.enabled || !right.enabled) continue;
    if (left.state != PeerState::established || right.state != PeerState::established) return false;
  }
  return true;
}

bool World::fails() { return io_steps_++ == fault_.io_step; }

std::size_t World::open_sockets() const {
  std::size_t open = 0;
  for (const auto& node : nodes_) open += node->streams_.size();
  return open;
}

// --- World: TCP ----------------------------------------------------------------------------------------------------

std::vector<std::shared_ptr<Stream>> World::streams_of(const Link& link) const {
  std::vector<std::shared_ptr<Stream>> found;
  for (const auto& weak : streams_)
    if (auto stream = weak.lock(); stream != nullptr && stream->link == &link) found.push_back(std::move(stream));
  return found;
}

void World::dial(Node& from, ConnId conn, PeerId peer) {
  for (const Node::Neighbor& neighbor : from.neighbors_) {
    if (neighbor.id != peer) continue;
    auto stream = std::make_shared<Stream>();
    stream->link = neighbor.link;
    stream->ends[0] = {&from, conn, true, false};
    stream->ends[1].node = neighbor.other;
    from.streams_[conn] = stream;
    std::erase_if(streams_, [](const auto& weak) { return weak.expired(); });
    streams_.push_back(stream);
    if (fails()) {
      at(now_, [this, stream] { end(stream, 0, error(std::errc::network_unreachable)); });
    } else {
      send_syn(stream);
    }
    return;
  }
  base::assertion_failed("a dial to an unknown peer", __FILE__, __LINE__);
}

void World::send_syn(const std::shared_ptr<Stream>& stream) {
  if (!stream->ends[0].open) return;
  ++stream->syns;
  at(now_ + stream->link->options_.latency, [this, stream] { accept(stream); });
}

void World::repeat_syn(const std::shared_ptr<Stream>& stream) {
  const Time next = now_ + std::chrono::seconds{1LL << (stream->syns - 1)};
  if (stream->syns > kSynRepetitions) {
    at(next, [this, stream] { end(stream, 0, error(std::errc::timed_out)); });
  } else {
    at(next, [this, stream] { send_syn(stream); });
  }
}

/// The SYN arrives. The dialer hears of it after the way back.
void World::accept(const std::shared_ptr<Stream>& stream) {
  Link& link = *stream->link;
  Node& dialer = *stream->ends[0].node;
  Node& acceptor = *stream->ends[1].node;
  if (!stream->ends[0].open) return;
  if (!link.passes_ || !acceptor.host_up_) return repeat_syn(stream);
  const Time answered = now_ + link.options_.latency;
  if (acceptor.engine_ == nullptr || !acceptor.options_.listens || fails()) {
    at(answered, [this, stream] { end(stream, 0, error(std::errc::connection_refused)); });
    return;
  }
  const auto conn = acceptor.engine_->on_accepted(link.address_of(dialer), link.address_of(acceptor), {}, now_);
  at(answered, [this, stream] { connected(stream); });
  if (!conn) {
    // The kernel had accepted before the speaker could refuse.
    at(answered, [this, stream] { end(stream, 0, error(std::errc::connection_reset)); });
  } else {
    acceptor.engine_->set_link_addresses(*conn, link.addresses_of(acceptor), now_);
    stream->ends[1].conn = conn;
    stream->ends[1].open = true;
    acceptor.streams_[*conn] = stream;
  }
  acceptor.pump();
}

void World::connected(const std::shared_ptr<Stream>& stream) {
  Stream::End& dialer = stream->ends[0];
  if (!dialer.open) return send_reset(stream, 1);
  if (!dialer.conn) return;
  if (fails()) return break_stream(stream, 0);
  dialer.node->engine_->on_connected(*dialer.conn, stream->link->address_of(*dialer.node), now_);
  dialer.node->engine_->set_link_addresses(*dialer.conn, stream->link->addresses_of(*dialer.node), now_);
  dialer.node->pump();
}

void World::write(Node& from, ConnId conn) {
  const auto found = from.streams_.find(conn);
  if (found == from.streams_.end()) return;
  const std::shared_ptr<Stream> stream = found->second;
  const int side = stream->ends[0].node == &from && stream->ends[0].conn == conn ? 0 : 1;
  Stream::Pipe& pipe = stream->pipes[static_cast<std::size_t>(side)];
  const std::size_t window = stream->link->options_.window_octets;
  bool counted = false;
  while (pipe.in_window < window) {
    const Bytes bytes = from.engine_->outgoing(conn);
    if (bytes.empty()) return;
    if (!std::exchange(counted, true) && fails()) {
      at(now_, [this, stream, side] { break_stream(stream, side); });
      return;
    }
    // Pieces of any size: nearly always a whole buffer, sometimes a few octets.
    std::size_t size = std::min(bytes.size(), window - pipe.in_window);
    if (random_.one_in(4)) size = 1 + random_.below(size);
    push(stream, side, bytes.first(size), false);
    from.engine_->on_sent(conn, size, now_);
  }
}

void World::push(const std::shared_ptr<Stream>& stream, int side, Bytes bytes, bool fin) {
  Stream::Pipe& pipe = stream->pipes[static_cast<std::size_t>(side)];
  const LinkOptions& options = stream->link->options_;
  pipe.last_arrival = std::max(pipe.last_arrival, now_ + options.latency + random_.up_to(options.jitter));
  pipe.flying.push_back({pipe.last_arrival, {bytes.begin(), bytes.end()}, fin});
  pipe.in_window += bytes.size();
  at(pipe.last_arrival, [this, stream, side] { deliver(stream, side); });
}

/// What was lost on the link or at a host that was down arrives after all.
void World::retransmit(const Link& link) {
  for (const auto& stream : streams_of(link)) {
    for (int side = 0; side < 2; ++side) {
      if (stream->pipes[static_cast<std::size_t>(side)].flying.empty()) continue;
      at(now_ + random_.up_to(kRetransmit), [this, stream, side] { deliver(stream, side); });
    }
  }
}

/// What `side` sent reaches the other end's host.
void World::deliver(const std::shared_ptr<Stream>& stream, int side) {
  Stream::Pipe& pipe = stream->pipes[static_cast<std::size_t>(side)];
  Stream::End& to = stream->ends[static_cast<std::size_t>(1 - side)];
  while (!pipe.flying.empty() && pipe.flying.front().arrives <= now_) {
    if (!stream->link->passes_ || !to.node->host_up_) return;  // Unacknowledged; repeated after a heal.
    const Stream::Segment segment = std::move(pipe.flying.front());
    pipe.flying.pop_front();
    if (to.draining) continue;
    if (!to.open) return send_reset(stream, side);
    pipe.unread.insert(pipe.unread.end(), segment.bytes.begin(), segment.bytes.end());
    pipe.fin = pipe.fin || segment.fin;
  }
  read(stream, 1 - side);
}

/// The speaker of `side` reads what its host has for it.
void World::read(const std::shared_ptr<Stream>& stream, int side) {
  Stream::End& reader = stream->ends[static_cast<std::size_t>(side)];
  Stream::Pipe& pipe = stream->pipes[static_cast<std::size_t>(1 - side)];
  while (reader.open && reader.conn && reader.node->reading_) {
    if (pipe.unread.empty()) {
      if (pipe.fin) end(stream, side, {});
      return;
    }
    if (!reader.node->engine_->wants_bytes(*reader.conn)) return;
    if (fails()) return break_stream(stream, side);
    const std::size_t size = std::min(pipe.unread.size(), kReadOctets);
    const auto cut = pipe.unread.begin() + static_cast<std::ptrdiff_t>(size);
    const std::vector<std::uint8_t> bytes(pipe.unread.begin(), cut);
    pipe.unread.erase(pipe.unread.begin(), cut);
    pipe.in_window -= size;
    const Node& writer = *stream->ends[static_cast<std::size_t>(1 - side)].node;
    if (tap_) tap_(writer, *reader.node, bytes);
    pipe.watch.feed(bytes, [&](std::uint8_t type) {
      constexpr std::uint8_t keepalive = 4;
      if (type != keepalive) note_activity();
      if (!record_) return;
      record_(std::to_string(now_.time_since_epoch().count()) + " " + writer.name() + " > " + reader.node->name() +
              " type " + std::to_string(type));
    });
    reader.node->engine_->on_received(*reader.conn, bytes, now_);
    reader.node->pump();
    // The acknowledgement opens the window.
    const int other = 1 - side;
    at(now_ + stream->link->options_.latency, [this, stream, other] {
      const Stream::End& sender = stream->ends[static_cast<std::size_t>(other)];
      if (!sender.open || !sender.conn || sender.node->engine_ == nullptr) return;
      write(*sender.node, *sender.conn);
      sender.node->pump();
    });
  }
}

void World::read_pending(Node& node) {
  const auto streams = node.streams_;
  for (const auto& [conn, stream] : streams) {
    if (!node.streams_.contains(conn)) continue;
    read(stream, stream->ends[0].node == &node && stream->ends[0].conn == conn ? 0 : 1);
  }
}

void World::close(Node& from, const Close& closing) {
  const auto found = from.streams_.find(closing.conn);
  if (found == from.streams_.end()) return;
  const std::shared_ptr<Stream> stream = found->second;
  const int side = stream->ends[0].node == &from && stream->ends[0].conn == closing.conn ? 0 : 1;
  if (closing.how == Close::How::flush) {
    for (Bytes bytes = from.engine_->outgoing(closing.conn); !bytes.empty();
         bytes = from.engine_->outgoing(closing.conn)) {
      push(stream, side, bytes, false);
      from.engine_->on_sent(closing.conn, bytes.size(), now_);
    }
  }
  Stream::End& own = stream->ends[static_cast<std::size_t>(side)];
  own.open = false;
  own.draining = true;
  from.streams_.erase(closing.conn);
  if (stream->ends[static_cast<std::size_t>(1 - side)].open) push(stream, side, {}, true);
}

/// The speaker of `side` learns that its connection is gone.
void World::end(const std::shared_ptr<Stream>& stream, int side, std::error_code reason) {
  Stream::End& own = stream->ends[static_cast<std::size_t>(side)];
  if (!own.open) return;
  own.open = false;
  if (!reason) {  // The other side closed; the host closes in answer.
    own.draining = true;
    push(stream, side, {}, true);
  }
  if (!own.conn) return;
  own.node->streams_.erase(*own.conn);
  own.node->engine_->on_closed(*own.conn, reason, now_);
  own.node->pump();
}

/// The host at the other end knows no such connection: `side` hears of that, if it can.
void World::send_reset(const std::shared_ptr<Stream>& stream, int side) {
  at(now_ + stream->link->options_.latency, [this, stream, side] {
    if (stream->link->passes_) end(stream, side, error(std::errc::connection_reset));
  });
}

/// An injected fault: `side` sees its connection break, and the other is told.
void World::break_stream(const std::shared_ptr<Stream>& stream, int side) {
  end(stream, side, error(std::errc::connection_reset));
  send_reset(stream, 1 - side);
}

void World::end_life(Node& node, bool closes) {
  if (node.engine_ == nullptr) return;
  note_activity();
  for (const auto& [conn, stream] : std::exchange(node.streams_, {})) {
    const int side = stream->ends[0].node == &node && stream->ends[0].conn == conn ? 0 : 1;
    stream->ends[static_cast<std::size_t>(side)].open = false;
    if (closes) push(stream, side, {}, true);
  }
  node.engine_.reset();
}

}  // namespace minibgp::testing
