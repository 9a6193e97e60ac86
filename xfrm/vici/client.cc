#include <bgp/base/assert.h>
#include <xfrm/vici/client.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace minibgp::xfrm::vici {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Stream = asio::local::stream_protocol;

/// Events worth hearing. A charon that does not know one says so, and does without.
constexpr std::array<std::string_view, 7> kEvents = {"ike-updown", "child-updown", "child-rekey", "ike-rekey",
                                                     "ike-update", "alert",        "log"};
/// Commands that answer with a stream of events of this name first.
constexpr std::string_view kStreamed = "list-sa";

/// A short packet without a message, which always fits a frame.
Frame registration(std::string_view event) {
  auto frame = encode_packet({PacketType::event_register, std::string{event}, {}});
  BGP_ASSERT(frame.has_value());  // Names of events are ours: kEvents and kStreamed.
  return std::move(*frame);
}

/// One stream of packets. Ends with on_closed exactly once, unless closed by us.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  using OnPacket = std::function<void(Packet)>;
  using OnClosed = std::function<void(std::string)>;

  explicit Channel(asio::io_context& io) : socket_(io) {}

  void open(const std::string& path, std::function<void()> on_open, OnPacket on_packet, OnClosed on_closed) {
    on_packet_ = std::move(on_packet);
    on_closed_ = std::move(on_closed);
    // The constructor of the endpoint would throw.
    if (path.size() >= sizeof(sockaddr_un::sun_path)) return fail("the socket's path is too long");
    // Never blocks: with a full backlog connect() fails with EAGAIN, and we come back later.
    socket_.async_connect(Stream::endpoint(path),
                          [self = shared_from_this(), done = std::move(on_open)](const error_code& error) {
                            if (self->closed_) return;
                            if (error) return self->fail(error.message());
                            self->read();
                            done();
                          });
  }

  void send(Frame frame) {
    // Asio allows one write at a time; the others wait in order.
    const bool idle = outgoing_.empty();
    outgoing_.push_back(std::move(frame));
    if (idle) write();
  }

  void close() {
    closed_ = true;
    on_packet_ = nullptr;
    on_closed_ = nullptr;
    // The handlers may hold the last references to their owners.
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void write() {
    asio::async_write(socket_, asio::buffer(outgoing_.front()),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        self->outgoing_.pop_front();
                        if (self->closed_) return;
                        if (error) return self->fail(error.message());
                        if (!self->outgoing_.empty()) self->write();
                      });
  }

  void read() {
    socket_.async_read_some(
        asio::buffer(incoming_), [self = shared_from_this()](const error_code& error, std::size_t count) {
          if (self->closed_) return;
          if (error) return self->fail(error == asio::error::eof ? "charon closed the connection" : error.message());
          self->on_bytes(Bytes{self->incoming_.data(), count});
          if (!self->closed_) self->read();
        });
  }

  void on_bytes(Bytes bytes) {
    framer_.feed(bytes);
    // A handler may close the channel in the middle of what was read.
    while (!closed_) {
      const auto frame = framer_.next();
      if (!frame) return fail(std::string{to_text(frame.error())});
      if (!*frame) return;
      // The frame is a view into the framer and is used up before the next turn.
      auto packet = decode_packet(**frame);
      if (!packet) return fail(std::string{"not VICI: "} + std::string{to_text(packet.error())});
      const auto handler = on_packet_;  // A copy: it may close us.
      handler(std::move(*packet));
    }
  }

  void fail(std::string why) {
    if (closed_) return;
    // Moved out first: close() drops the handlers, and on_closed_ is to be called once.
    const auto handler = std::move(on_closed_);
    close();
    if (handler) handler(std::move(why));
  }

  Stream::socket socket_;
  Framer framer_;
  std::array<std::uint8_t, 16384> incoming_{};
  std::deque<Frame> outgoing_;
  OnPacket on_packet_;
  OnClosed on_closed_;
  bool closed_ = false;
};

}  // namespace

class Client::Impl : public std::enable_shared_from_this<Client::Impl> {
 public:
  Impl(asio::io_context& io, ClientOptions options, ClientEvents& events, LogSink* log)
      : io_(io), options_(std::move(options)), events_(events), log_(log), deadline_(io), retry_(io) {}

  void start() {
    stopped_ = false;
    // start() after stop() begins with the shortest wait again.
    wait_ = options_.reconnect_first;
    connect();
  }

  void stop() {
    stopped_ = true;
    deadline_.cancel();
    retry_.cancel();
    close_channels();
    connected_ = false;
    lose_requests();
  }

  void request(std::string name, Section message, std::function<void(IkeReply)> done) {
    if (!connected_) {
      asio::post(io_, [done = std::move(done)] { done({IkeReply::Outcome::lost, {}, {}}); });
      return;
    }
    // One request is under way at a time. The others wait, since charon answers in order.
    auto frame = encode_packet({PacketType::cmd_request, name, std::move(message)});
    queue_.push_back({std::move(name), std::move(frame), std::move(done), {}});
    if (queue_.size() == 1) send_next();
  }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] bool refused() const {
    return !connected_ && last_why_ == error_code{asio::error::connection_refused}.message();
  }

 private:
  struct Pending {
    std::string name;
    Result<Frame, PacketError> frame;
    std::function<void(IkeReply)> done;
    std::vector<Section> streamed;
  };

  void connect() {
    if (stopped_) return;
    // Events are registered one after the other, each after the answer to the last.
    to_register_.assign(kEvents.begin(), kEvents.end());
    commands_registered_ = events_registered_ = false;
    // Two connections: events of the second must not stand between a command and its answer.
    commands_ = std::make_shared<Channel>(io_);
    channel_ = std::make_shared<Channel>(io_);
    arm_deadline("no answer while connecting");
    const auto closed = [weak = weak_from_this()](std::string why) {
      if (const auto self = weak.lock()) self->lost(why);
    };
    commands_->open(
        // list-sa is registered on the connection of the commands: charon sends its events there.
        options_.socket, [this] { commands_->send(registration(kStreamed)); },
        [weak = weak_from_this()](Packet packet) {
          if (const auto self = weak.lock()) self->on_command_packet(std::move(packet));
        },
        closed);
    channel_->open(
        options_.socket, [this] { register_next(); },
        [weak = weak_from_this()](Packet packet) {
          if (const auto self = weak.lock()) self->on_event_packet(std::move(packet));
        },
        closed);
  }

  void register_next() {
    // Both connections must be ready; which one is last does not matter.
    if (to_register_.empty()) {
      events_registered_ = true;
      return established();
    }
    channel_->send(registration(to_register_.front()));
  }

  void established() {
    if (connected_ || !events_registered_ || !commands_registered_) return;
    deadline_.cancel();
    // A timer that fired in this turn of the loop has an old number now.
    ++deadline_number_;
    connected_ = true;
    wait_ = options_.reconnect_first;
    events_.on_ike_connected();
  }

  void on_event_packet(Packet packet) {
    switch (packet.type) {
      // A charon that does not know the event answers as well, and does without.
      case PacketType::event_confirm:
      case PacketType::event_unknown:
        if (to_register_.empty()) return lost("unexpected answer on the event connection");
        to_register_.pop_front();
        return register_next();
      case PacketType::event:
        return events_.on_ike_event(packet.name, packet.message);
      default:
        return lost("unexpected packet on the event connection");
    }
  }

  void on_command_packet(Packet packet) {
    if (!commands_registered_) {
      if (packet.type != PacketType::event_confirm && packet.type != PacketType::event_unknown)
        return lost("unexpected answer to a registration");
      commands_registered_ = true;
      return established();
    }
    if (packet.type == PacketType::event) {
      // Of somebody else's list-sas: charon sends it to whoever registered.
      if (!queue_.empty()) queue_.front().streamed.push_back(std::move(packet.message));
      return;
    }
    if (queue_.empty() || (packet.type != PacketType::cmd_response && packet.type != PacketType::cmd_unknown))
      return lost("unexpected packet on the command connection");
    deadline_.cancel();
    ++deadline_number_;
    answer_first(
        {packet.type == PacketType::cmd_response ? IkeReply::Outcome::answered : IkeReply::Outcome::unknown_command,
         std::move(packet.message), std::move(queue_.front().streamed)});
  }

  void answer_first(IkeReply reply) {
    const auto done = std::move(queue_.front().done);
    queue_.pop_front();
    // Before the callback, which may make another request.
    if (!queue_.empty()) send_next();
    done(std::move(reply));
  }

  void send_next() {
    Pending& next = queue_.front();
    if (next.frame) {
      arm_deadline("no answer to " + next.name);
      return commands_->send(std::move(*next.frame));
    }
    // charon cannot be asked: the answer is ours, and comes from the loop, as charon's would.
    asio::post(io_, [weak = weak_from_this(), why = next.frame.error()] {
      const auto self = weak.lock();
      if (!self || self->queue_.empty() || self->queue_.front().frame) return;
      self->answer_first({IkeReply::Outcome::answered, Section{}.add("success", "no").add("errmsg", to_text(why)), {}});
    });
  }

  void arm_deadline(std::string what) {
    const std::uint64_t number = ++deadline_number_;
    deadline_.expires_after(options_.timeout);
    deadline_.async_wait([weak = weak_from_this(), number, what = std::move(what)](const error_code& error) {
      const auto self = weak.lock();
      // A timer that had fired already cannot be cancelled: the number tells it is old.
      if (error || !self || number != self->deadline_number_) return;
      self->lost(what + " for " + std::to_string(self->options_.timeout.count()) + " ms");
    });
  }

  void close_channels() {
    if (commands_) commands_->close();
    if (channel_) channel_->close();
  }

  void lose_requests() {
    const auto self = shared_from_this();  // An answer may destroy the Client.
    // One after the other: what is called may stop us, which answers the others at once.
    while (!queue_.empty()) {
      const auto done = std::move(queue_.front().done);
      queue_.pop_front();
      done({IkeReply::Outcome::lost, {}, {}});
    }
  }

  void lost(const std::string& why) {
    if (stopped_) return;
    close_channels();
    deadline_.cancel();
    ++deadline_number_;
    // Before the requests are lost: their owners ask connected().
    const bool was = std::exchange(connected_, false);
    const auto channel = channel_;
    lose_requests();
    // An answer may have stopped us. If it started us again as well, there are other channels now.
    if (stopped_ || channel_ != channel) return;
    // The same reason is logged once, not at each attempt.
    if (log_ && (was || why != last_why_) && log_->wants(LogLevel::warning, LogArea::tunnel))
      log_->write(LogLevel::warning, LogArea::tunnel, "charon at " + options_.socket + ": " + why + "; trying again");
    last_why_ = why;
    events_.on_ike_disconnected(why);
    // It may have stopped us.
    if (stopped_) return;
    // The wait doubles until a connection is complete.
    retry_.expires_after(wait_);
    wait_ = std::min(wait_ * 2, options_.reconnect_last);
    retry_.async_wait([weak = weak_from_this()](const error_code& error) {
      if (const auto self = weak.lock(); self && !error) self->connect();
    });
  }

  asio::io_context& io_;
  ClientOptions options_;
  ClientEvents& events_;
  LogSink* log_;
  asio::steady_timer deadline_, retry_;
  std::uint64_t deadline_number_ = 0;
  std::chrono::milliseconds wait_{};
  std::shared_ptr<Channel> commands_, channel_;
  std::deque<std::string_view> to_register_;
  bool commands_registered_ = false, events_registered_ = false;
  bool connected_ = false, stopped_ = true;
  std::deque<Pending> queue_;
  std::string last_why_;
};

Client::Client(asio::io_context& io, ClientOptions options, ClientEvents& events, LogSink* log)
    : impl_(std::make_shared<Impl>(io, std::move(options), events, log)) {}
Client::~Client() { impl_->stop(); }
void Client::start() { impl_->start(); }
void Client::stop() { impl_->stop(); }
bool Client::connected() const { return impl_->connected(); }
bool Client::refused() const { return impl_->refused(); }
void Client::request(std::string name, Section message, std::function<void(IkeReply)> done) {
  impl_->request(std::move(name), std::move(message), std::move(done));
}

}  // namespace minibgp::xfrm::vici
