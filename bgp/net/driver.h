/// Asio <-> Engine: read, write, dial, close, one timer, pump(). No BGP in this folder: bytes and time go in, and what
/// the engine asks for is done.
///
/// Asio only tells when a descriptor is ready and when time has come; the system calls are made here, so that all
/// connections share one read buffer and no operation ever holds memory of a connection that is gone: handlers carry
/// the ConnId, which is never used twice.
#pragma once

#include <bgp/engine.h>
#include <bgp/net/clock.h>
#include <bgp/net/link_addresses.h>
#include <bgp/net/listener.h>
#include <bgp/net/socket_options.h>
#include <bgp/speaker.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace minibgp::net {

/// One read: large enough that system calls cost nothing beside decoding, small enough for the second-level cache.
inline constexpr std::size_t kReadOctets = 256 * 1024;
/// Written to one peer before others get their turn.
inline constexpr std::size_t kWritePerTurn = 1024 * 1024;
/// How long a NOTIFICATION may take to leave, and the peer to close in answer.
inline constexpr Duration kLinger = std::chrono::seconds{1};
/// Addresses of interfaces are read again this often: one that comes or goes changes what can be announced, and nothing
/// tells us of it here.
inline constexpr Duration kReadAddressesEvery = std::chrono::seconds{30};
/// A timer this late means we were stopped or starved: what waits in the sockets is read before deadlines count.
inline constexpr Duration kVeryLate = std::chrono::milliseconds{500};

struct Connection {
  enum class Phase : std::uint8_t {
    dialing,   ///< connect() has not answered yet.
    open,      ///< The engine's.
    flushing,  ///< The engine is done with it; `last_words` are still to be sent.
    draining,  ///< Sent; waiting for the peer to close, so that our close() does not destroy them (a reset would).
  };
  Connection(boost::asio::io_context& io, Socket socket, Phase initial)
      : descriptor(io, socket.release()), phase(initial) {}

  boost::asio::posix::stream_descriptor descriptor;
  Phase phase;
  bool waiting_to_read = false, waiting_to_write = false;
  std::error_code write_error;  ///< Kept until reading ends, too: the peer's reason may still be readable.
  std::vector<std::uint8_t> last_words;
  std::size_t last_words_sent = 0;
  Time linger_until = kNever;
};

class Driver : public std::enable_shared_from_this<Driver> {
 public:
  Driver(boost::asio::io_context& io, const SpeakerOptions& options, Observer& observer, LogSink* log);

  /// Ends every session with a Cease, waits for nothing, and goes silent. Idempotent.
  void shutdown();
  [[nodiscard]] std::error_code listen(const ListenOptions& options);
  [[nodiscard]] std::error_code adopt(int fd);
  /// `done` is posted to the loop when the last connection is closed, and may destroy the owner of the driver.
  void stop(Engine::Stop how, std::string_view reason, std::function<void()> done);

  /// Gives the engine an input. From within an Observer callback it waits until that returned, because the callback's
  /// arguments are views into the engine.
  void input(Input input);
  /// The same for inputs whose answer the caller needs now; they leave those views valid (add_peer, update_peer).
  template <typename Act>
  auto ask(Act&& act) {
    schedule();
    return act(engine_, now());
  }
  [[nodiscard]] const Engine& engine() const { return engine_; }

  /// Brings the listeners' MD5 keys in line with what `peer` is configured for; `before`: its options until now.
  void update_md5(const PeerOptions* before, const PeerOptions* after);

 private:
  [[nodiscard]] std::error_code listen_on(const ListenOptions& options);
  using Connections = std::unordered_map<ConnId, std::unique_ptr<Connection>>;

  void give(const Input& input);
  void schedule();
  void turn();
  void pump();
  void carry_out(const Output& output);
  void arm();
  void linger(Connection& connection);
  void after_linger(Time at);
  void read_addresses(Time at);
  void read_addresses_of(ConnId id, Connection& connection, std::span<const InterfaceAddress> all);

  void start_dial(const Dial& dial);
  void finish_dial(ConnId id, Connection& connection);
  void on_connection(Socket socket, const Endpoint& from, const std::string& device);
  [[nodiscard]] bool take_connection(Socket& socket, const Endpoint& from, const std::string& device);
  void wait_read(ConnId id, Connection& connection);
  void wait_write(ConnId id, Connection& connection);
  void on_readable(ConnId id);
  void on_writable(ConnId id);
  void read_some(ConnId id, Connection& connection);
  void read_all_once();
  void write_some(ConnId id, Connection& connection);
  void close(const Close& closing);
  void flush(ConnId id, Connection& connection);
  void drain(ConnId id, Connection& connection);
  void lost(ConnId id, std::error_code reason);
  void forget(ConnId id);
  [[nodiscard]] Connection* find(ConnId id);
  [[nodiscard]] PeerType type_of(const PeerOptions& peer) const;
  void log(LogLevel level, const std::string& line);

  boost::asio::io_context& io_;
  Observer& observer_;
  LogSink* log_;
  Engine engine_;
  boost::asio::steady_timer timer_;
  Time armed_for_ = kNever;
  Time next_linger_ = kNever;
  Time next_addresses_ = Time{};
  bool turn_posted_ = false;
  bool pumping_ = false;
  bool observing_ = false;
  bool open_ = true;
  Connections connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<ConnId> paused_;  ///< Not read, because the engine still has messages of theirs.
  std::vector<std::pair<ConnId, std::error_code>> failed_;  ///< To be told to the engine once it was polled empty.
  std::vector<Input> deferred_;                             ///< Inputs that came from within a callback.
  std::function<void()> on_stopped_;
  std::unique_ptr<std::uint8_t[]> read_buffer_;
};

}  // namespace minibgp::net
