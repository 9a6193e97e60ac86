#include <bgp/net/driver.h>
#include <bgp/text.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>
#include <sys/socket.h>

namespace minibgp::net {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

[[nodiscard]] std::error_code last_error() { return {errno, std::system_category()}; }
[[nodiscard]] bool would_block() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

Driver::Driver(asio::io_context& io, const SpeakerOptions& options, Observer& observer, LogSink* log)
    : io_(io),
      observer_(observer),
      log_(log),
      engine_(options, log, now()),
      timer_(io),
      read_buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kReadOctets)) {}

// --- The pump ------------------------------------------------------------------------------------------------------

void Driver::input(Input input) {
  if (observing_) {
    // The callback reads views into the engine, which any input would invalidate.
    deferred_.push_back(std::move(input));
    return;
  }
  give(input);
  schedule();
}

void Driver::give(const Input& input) {
  // The options with the key are gone after the input, so the listeners forget it before.
  if (const auto* removed = std::get_if<input::RemovePeer>(&input))
    update_md5(engine_.options_of(removed->peer), nullptr);
  engine_.input(input, now());
}

/// A turn soon: inputs of one turn of the caller's loop are worked on together.
void Driver::schedule() {
  if (turn_posted_ || !open_) return;
  turn_posted_ = true;
  asio::post(io_, [self = shared_from_this()] {
    self->turn_posted_ = false;
    self->turn();
  });
}

void Driver::turn() {
  if (!open_) return;
  const Time at = now();
  if (engine_.next_deadline() <= at) engine_.on_time(at);
  after_linger(at);
  if (at >= next_addresses_ && !connections_.empty()) read_addresses(at);
  for (const auto& listener : listeners_)
    // A listener that ran out of descriptors pauses; its accept is armed again when the pause is over.
    if (listener->resume_at() <= at) listener->start(shared_from_this());
  pump();
}

/// Drains the engine, then does what came up meanwhile, until neither has anything left.
void Driver::pump() {
  // An observer that calls Speaker gets here again; the loop further down picks up what it asked for.
  if (pumping_) return;
  const auto self = shared_from_this();  // An observer may destroy the Speaker.
  pumping_ = true;
  for (;;) {
    while (const auto output = engine_.poll()) {
      carry_out(*output);
      if (!open_) break;
    }
    if (!open_) break;
    // Failed dials are reported only when poll() has nothing left: an input in between would invalidate the outputs.
    if (!failed_.empty()) {
      const auto [id, error] = failed_.back();
      failed_.pop_back();
      engine_.on_closed(id, error, now());
    } else if (!deferred_.empty()) {
      // Taken out first: the callbacks that follow from these inputs may defer more.
      for (const Input& input : std::exchange(deferred_, {})) give(input);
    } else {
      break;
    }
  }
  pumping_ = false;
  if (!open_) return;

  // Unordered removal: the last entry takes the place of the one that is read again, so `i` stays.
  for (std::size_t i = 0; i < paused_.size();) {
    Connection* connection = find(paused_[i]);
    const bool open = connection != nullptr && connection->phase == Connection::Phase::open;
    if (open && !engine_.wants_bytes(paused_[i])) {
      ++i;
      continue;
    }
    if (open) wait_read(paused_[i], *connection);
    paused_[i] = paused_.back();
    paused_.pop_back();
  }
  // Posted, not called: it may destroy the Speaker.
  if (on_stopped_ && connections_.empty()) asio::post(io_, std::exchange(on_stopped_, nullptr));
  arm();
}

void Driver::carry_out(const Output& output) {
  const auto observe = [this](auto call) {
    observing_ = true;
    call();
    observing_ = false;
  };
  std::visit(Overloaded{
                 [&](const Dial& dial) { start_dial(dial); },
                 [&](const Write& write) {
                   if (Connection* connection = find(write.conn)) write_some(write.conn, *connection);
                 },
                 [&](const Close& closing) { close(closing); },
                 [&](const PeerChanged& changed) { observe([&] { observer_.on_peer_changed(changed); }); },
                 [&](const EndOfRib& end) { observe([&] { observer_.on_end_of_rib(end); }); },
                 [&](const NextHopInterest& hop) { observe([&] { observer_.on_next_hop_interest(hop); }); },
                 [&](const BestChanged& best) { observe([&] { observer_.on_best_changed(best.changes); }); },
                 [&](const RestartComplete&) { observe([&] { observer_.on_restart_complete(); }); },
             },
             output);
}

/// One timer. It is not moved to later times, as nearly every message would: it fires early and finds nothing to do.
void Driver::arm() {
  Time deadline = std::min(engine_.next_deadline(), next_linger_);
  if (!connections_.empty()) deadline = std::min(deadline, next_addresses_);
  for (const auto& listener : listeners_) deadline = std::min(deadline, listener->resume_at());
  if (deadline == kNever) return;
  // Work is left over from this turn. A posted turn lets other handlers of the loop run in between.
  if (deadline <= now()) return schedule();
  if (armed_for_ <= deadline) return;
  armed_for_ = deadline;
  // Setting a new time cancels the earlier wait, whose handler then ends with operation_aborted.
  timer_.expires_at(std::chrono::steady_clock::time_point{
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(deadline.time_since_epoch())});
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->open_) return;
    const Duration late = now() - std::exchange(self->armed_for_, kNever);
    // The process was stopped or starved: what the peers sent meanwhile is read before hold timers are looked at.
    if (late > kVeryLate) self->read_all_once();
    self->turn();
  });
}

// --- Connections ---------------------------------------------------------------------------------------------------

Connection* Driver::find(ConnId id) {
  const auto at = connections_.find(id);
  return at == connections_.end() ? nullptr : at->second.get();
}

/// Destroying the descriptor cancels its operations and closes the socket.
void Driver::forget(ConnId id) { connections_.erase(id); }

void Driver::lost(ConnId id, std::error_code reason) {
  forget(id);
  engine_.on_closed(id, reason, now());
}

PeerType Driver::type_of(const PeerOptions& peer) const {
  // As negotiation decides it: the local AS of the peer, where it has one, stands for ours.
  return peer.remote_as == peer.local_as.value_or(engine_.options().asn) ? PeerType::ibgp : PeerType::ebgp;
}

void Driver::start_dial(const Dial& dial) {
  const PeerOptions* peer = engine_.options_of(dial.peer);
  if (peer == nullptr) return;
  Socket socket;
  if (const auto error = open_for_dial(*peer, type_of(*peer), socket)) {
    // Not reported here: this runs within poll(), where the engine takes no input.
    failed_.emplace_back(dial.conn, error);
    return;
  }
  const SocketAddress to = to_socket_address(peer->address, peer->port, peer->device);
  if (::connect(socket.fd(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
    failed_.emplace_back(dial.conn, last_error());
    return;
  }
  auto connection = std::make_unique<Connection>(io_, std::move(socket), Connection::Phase::dialing);
  wait_write(dial.conn, *connection);
  connections_.emplace(dial.conn, std::move(connection));
}

void Driver::finish_dial(ConnId id, Connection& connection) {
  int error = 0;
  socklen_t size = sizeof error;
  const int fd = connection.descriptor.native_handle();
  // The result of a non-blocking connect(). A socket that is not connected also has no peer address to show.
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  const auto local = local_endpoint(fd);
  if (error != 0 || !local) return lost(id, {error != 0 ? error : ENOTCONN, std::system_category()});
  connection.phase = Connection::Phase::open;
  wait_read(id, connection);
  engine_.on_connected(id, local->address, now());
  read_addresses_of(id, connection, read_interface_addresses());
}

void Driver::read_addresses(Time at) {
  next_addresses_ = at + kReadAddressesEvery;
  const std::vector<InterfaceAddress> all = read_interface_addresses();
  for (const auto& [id, connection] : connections_)
    if (connection->phase == Connection::Phase::open) read_addresses_of(id, *connection, all);
}

/// Before the session is up, so that its first routes are sent with the right next hops.
void Driver::read_addresses_of(ConnId id, Connection& connection, std::span<const InterfaceAddress> all) {
  const auto local = local_endpoint(connection.descriptor.native_handle());
  const auto peer = remote_endpoint(connection.descriptor.native_handle());
  if (local && peer) engine_.set_link_addresses(id, link_addresses(all, *local, peer->address), now());
}

void Driver::on_connection(Socket socket, const Endpoint& from, const std::string& device) {
  if (!open_ || on_stopped_) return;
  if (take_connection(socket, from, device)) return;
  log(LogLevel::debug, "refused a connection from " + to_text(from.address) + ": no peer that waits for it");
  close_with_reset(socket.release());
}

/// Whether the engine wanted it; then `socket` is the driver's.
bool Driver::take_connection(Socket& socket, const Endpoint& from, const std::string& device) {
  const auto to = local_endpoint(socket.fd());
  if (!to) return false;
  const auto id = engine_.on_accepted(from.address, to->address, from.device.empty() ? device : from.device, now());
  if (!id) return false;
  schedule();
  const auto peer_id = engine_.peer_of(*id);
  const PeerOptions* peer = peer_id ? engine_.options_of(*peer_id) : nullptr;
  if (peer != nullptr) {
    // The engine knows the connection by now, so the error must reach it as the end of this connection.
    if (const auto error = prepare_accepted(socket.fd(), *peer, type_of(*peer))) {
      failed_.emplace_back(*id, error);
      return true;
    }
  }
  auto connection = std::make_unique<Connection>(io_, std::move(socket), Connection::Phase::open);
  wait_read(*id, *connection);
  read_addresses_of(*id, *connection, read_interface_addresses());
  connections_.emplace(*id, std::move(connection));
  return true;
}

// --- Reading and writing -------------------------------------------------------------------------------------------

void Driver::wait_read(ConnId id, Connection& connection) {
  // One wait of a kind at a time: Asio would queue a second one and call both handlers.
  if (connection.waiting_to_read) return;
  connection.waiting_to_read = true;
  connection.descriptor.async_wait(Descriptor::wait_read,
                                   [self = shared_from_this(), id](const boost::system::error_code& error) {
                                     if (error != asio::error::operation_aborted) self->on_readable(id);
                                   });
}

void Driver::wait_write(ConnId id, Connection& connection) {
  if (connection.waiting_to_write) return;
  connection.waiting_to_write = true;
  connection.descriptor.async_wait(Descriptor::wait_write,
                                   [self = shared_from_this(), id](const boost::system::error_code& error) {
                                     if (error != asio::error::operation_aborted) self->on_writable(id);
                                   });
}

void Driver::on_readable(ConnId id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->waiting_to_read = false;
  if (connection->phase == Connection::Phase::open) {
    read_some(id, *connection);
  } else {
    // A connection that is flushed or drained belongs to the driver alone; its octets are discarded.
    drain(id, *connection);
  }
  pump();
}

void Driver::on_writable(ConnId id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->waiting_to_write = false;
  switch (connection->phase) {
    case Connection::Phase::dialing:
      finish_dial(id, *connection);
      break;
    case Connection::Phase::open:
      write_some(id, *connection);
      break;
    case Connection::Phase::flushing:
      flush(id, *connection);
      break;
    case Connection::Phase::draining:
      break;
  }
  pump();
}

/// One recv() only. The engine reads the bytes in place and read_buffer_ is shared, so the caller pumps before anything
/// else is read. The connection stays in paused_ until the engine has used the bytes up.
void Driver::read_some(ConnId id, Connection& connection) {
  const ssize_t count = ::recv(connection.descriptor.native_handle(), read_buffer_.get(), kReadOctets, MSG_DONTWAIT);
  if (count > 0) {
    engine_.on_received(id, Bytes{read_buffer_.get(), static_cast<std::size_t>(count)}, now());
    paused_.push_back(id);  // pump() goes on reading it when the engine wants more.
  } else if (count < 0 && would_block()) {
    wait_read(id, connection);
  } else {
    const std::error_code read_error = count < 0 ? last_error() : std::error_code{};
    // A failed write is the cause, the end of reading only its consequence.
    lost(id, connection.write_error ? connection.write_error : read_error);
  }
}

/// Everybody's pending bytes before anybody's deadline: being late must not look like the peer being silent.
void Driver::read_all_once() {
  std::vector<ConnId> waiting;
  for (const auto& [id, connection] : connections_)
    if (connection->phase == Connection::Phase::open && connection->waiting_to_read) waiting.push_back(id);
  for (const ConnId id : waiting) {
    if (Connection* connection = find(id)) read_some(id, *connection);
    pump();
  }
}

void Driver::write_some(ConnId id, Connection& connection) {
  if (connection.phase != Connection::Phase::open || connection.waiting_to_write || connection.write_error) return;
  for (std::size_t written = 0; written < kWritePerTurn;) {
    const Bytes bytes = engine_.outgoing(id);
    if (bytes.empty()) return;
    const ssize_t count =
        ::send(connection.descriptor.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
      if (!would_block()) {
        connection.write_error = last_error();  // Reading will end as well, after what the peer said last.
        return;
      }
      break;
    }
    engine_.on_sent(id, static_cast<std::size_t>(count), now());
    written += static_cast<std::size_t>(count);
  }
  // Also when the limit of a turn was reached: the socket is writable at once, and other connections come first.
  wait_write(id, connection);
}

// --- Closing -------------------------------------------------------------------------------------------------------

void Driver::close(const Close& closing) {
  Connection* connection = find(closing.conn);
  if (connection == nullptr) return;
  if (closing.how == Close::How::at_once || connection->phase != Connection::Phase::open) return forget(closing.conn);
  // The engine forgets the session after this output, so what it still wants to send is copied here.
  for (Bytes bytes = engine_.outgoing(closing.conn); !bytes.empty(); bytes = engine_.outgoing(closing.conn)) {
    connection->last_words.insert(connection->last_words.end(), bytes.begin(), bytes.end());
    engine_.on_sent(closing.conn, bytes.size(), now());
  }
  connection->phase = Connection::Phase::flushing;
  linger(*connection);
  flush(closing.conn, *connection);
}

void Driver::flush(ConnId id, Connection& connection) {
  const int fd = connection.descriptor.native_handle();
  while (connection.last_words_sent < connection.last_words.size()) {
    const ssize_t count =
        ::send(fd, connection.last_words.data() + connection.last_words_sent,
               connection.last_words.size() - connection.last_words_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return would_block() ? wait_write(id, connection) : forget(id);
    connection.last_words_sent += static_cast<std::size_t>(count);
  }
  // A close() with unread octets in the receive buffer sends a reset, which may destroy the NOTIFICATION at the peer.
  // So the sending side ends first and the rest is read and discarded until the peer closes, at most for kLinger.
  ::shutdown(fd, SHUT_WR);
  connection.phase = Connection::Phase::draining;
  wait_read(id, connection);
}

void Driver::drain(ConnId id, Connection& connection) {
  const ssize_t count = ::recv(connection.descriptor.native_handle(), read_buffer_.get(), kReadOctets, MSG_DONTWAIT);
  if (count > 0 || (count < 0 && would_block())) return wait_read(id, connection);
  // A flush that was cut short ends here, too: the peer is gone.
  forget(id);
}

void Driver::linger(Connection& connection) {
  connection.linger_until = now() + kLinger;
  next_linger_ = std::min(next_linger_, connection.linger_until);
}

void Driver::after_linger(Time at) {
  if (at < next_linger_) return;
  std::erase_if(connections_, [at](const auto& entry) { return entry.second->linger_until <= at; });
  next_linger_ = kNever;
  for (const auto& [id, connection] : connections_) next_linger_ = std::min(next_linger_, connection->linger_until);
}

// --- For Speaker ---------------------------------------------------------------------------------------------------

std::error_code Driver::listen(const ListenOptions& options) {
  if (options.address.is_set()) return listen_on(options);
  ListenOptions any = options;
  // Two sockets instead of a dual-stack one: a host may lack IPv6.
  any.address = IpAddress::v4(0);
  if (const auto error = listen_on(any)) return error;
  any.address = IpAddress::v6({});
  const auto error = listen_on(any);
  if (!error || error == std::errc::address_family_not_supported) return {};  // A host without IPv6 is fine.
  // The IPv4 listener, which was the last to be added: on an error nothing is listening.
  listeners_.pop_back();
  return error;
}

std::error_code Driver::listen_on(const ListenOptions& options) {
  Socket socket;
  if (const auto error = open_listener({options.address, options.port, options.device}, socket)) return error;
  // Peers may be added before the speaker listens, and update_md5() reached no listener then.
  for (const PeerStatus& status : engine_.peers()) {
    const PeerOptions* peer = engine_.options_of(status.id);
    if (peer == nullptr || peer->md5_key.empty() || peer->address.family != options.address.family) continue;
    if (const auto error = set_listener_md5(socket.fd(), peer->address, peer->md5_key.view())) return error;
  }
  const auto on_connection = [this, device = options.device](Socket accepted, const Endpoint& from) {
    this->on_connection(std::move(accepted), from, device);
  };
  listeners_.push_back(
      std::make_unique<Listener>(io_, std::move(socket), options.address.family, options.device, on_connection));
  listeners_.back()->start(shared_from_this());
  return {};
}

std::error_code Driver::adopt(int fd) {
  const auto from = remote_endpoint(fd);
  if (!from) return last_error();
  Socket socket{fd};
  if (take_connection(socket, *from, {})) return {};
  static_cast<void>(socket.release());  // Still the caller's.
  return std::make_error_code(std::errc::address_not_available);
}

void Driver::update_md5(const PeerOptions* before, const PeerOptions* after) {
  const auto set = [this](const IpAddress& peer, std::string_view key) {
    for (const auto& listener : listeners_) {
      if (listener->family() != peer.family) continue;
      if (const auto error = set_listener_md5(listener->fd(), peer, key); error && !key.empty())
        log(LogLevel::error, "peer " + to_text(peer) + ": no TCP-MD5 key on the listening socket: " + error.message());
    }
  };
  const bool had = before != nullptr && !before->md5_key.empty();
  const bool has = after != nullptr && !after->md5_key.empty();
  // A key belongs to an address: where that changes the old address loses it.
  if (had && (!has || before->address != after->address)) set(before->address, {});
  if (has) set(after->address, after->md5_key.view());
}

void Driver::stop(Engine::Stop how, std::string_view reason, std::function<void()> done) {
  // A set on_stopped_ is also the mark that we are stopping: no connection is accepted any more.
  on_stopped_ = done ? std::move(done) : [] {};
  listeners_.clear();
  engine_.stop(how, reason, now());
  for (const auto& [id, connection] : connections_) linger(*connection);  // Whatever happens, it ends then.
  schedule();
}

void Driver::shutdown() {
  if (!open_) return;
  listeners_.clear();
  // What the socket buffers take at once is sent. What remains is lost with the connections below: the destructor does
  // not wait.
  engine_.stop(Engine::Stop::cease, {}, now());
  while (const auto output = engine_.poll()) {
    if (const auto* closing = std::get_if<Close>(&*output)) close(*closing);
  }
  open_ = false;
  connections_.clear();
  deferred_.clear();
  timer_.cancel();
}

void Driver::log(LogLevel level, const std::string& line) {
  if (log_ != nullptr && log_->wants(level, LogArea::session)) log_->write(level, LogArea::session, line);
}

}  // namespace minibgp::net
