/// RouteWriter: the thread that waits for the kernel while it works on routes. The kernel works a batch off inside
/// sendmsg(), and now and then one route costs it far more than its share: when its tree of IPv4 routes grows it waits
/// for a grace period of RCU (fib_trie.c, `fib_sync_mem`), 30 to 130 ms in the middle of a message, measured at 100 000
/// routes. Keepalives, echo probes and failovers must not wait for that, and decoding goes on meanwhile.
///
///   loop: submit(batch)  ->  thread: sendmsg(), answers  ->  loop: on_written, then take()
///
/// Batches are worked off in order. Nothing of the project is read or written by the thread but the batches' bytes and
/// the socket it was given. Routes only: next-hop objects, which failovers are made of, are sent by the loop itself.
#pragma once

#include <fib/kernel_port.h>
#include <fib/netlink/socket.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace minibgp::netlink {

/// What came of one batch of requests with consecutive sequence numbers.
struct Transaction {
  std::vector<fib::OpError> errors;  ///< By place in the batch; whatever is not listed was done.
  bool complete = true;              ///< False: an answer was lost, and what was done is unknown.
  std::error_code failure;           ///< Set: the socket is of no use any more.
};
/// Sends `requests`, the last of which asks for an answer, and reads the answers to `count` numbers from `first` on.
[[nodiscard]] Transaction transact(Socket& socket, Bytes requests, std::uint32_t first, std::size_t count);

/// One batch on its way.
struct RouteBatch {
  std::vector<fib::RouteOp> ops;
  std::vector<std::uint8_t> requests;
  std::uint32_t first = 0;  ///< Sequence number of the first request.
  Transaction result;       ///< Once taken back.
};

/// Threads:  submit(), take() and the destructor on the loop's; `on_written` is called there, never within submit(),
///           and may call each of the three.
/// Lifetime: nothing is called after destruction, which waits for the batch the kernel works on (the rest is not sent).
///           The thread begins with the first batch, when the program has given up the privileges it does not need.
/// Errors:   where the system has no thread to give, batches are worked off inside submit().
class RouteWriter {
 public:
  /// Batches that may wait: enough that the kernel always has work while the loop is busy elsewhere for some
  /// milliseconds, and few enough that a change of mind is not far behind.
  static constexpr std::size_t kBatchesMax = 8;

  RouteWriter(boost::asio::io_context& io, std::shared_ptr<Socket> socket, std::function<void()> on_written);
  ~RouteWriter();
  RouteWriter(const RouteWriter&) = delete;
  RouteWriter& operator=(const RouteWriter&) = delete;

  [[nodiscard]] bool has_room() const { return on_their_way_ < kBatchesMax; }
  [[nodiscard]] bool quiet() const { return on_their_way_ == 0; }
  void submit(RouteBatch batch);
  /// Batches that were worked off since the last call, in order.
  [[nodiscard]] std::deque<RouteBatch> take();

 private:
  /// What both threads touch.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<RouteBatch> waiting, written;
    bool over = false;
  };
  static void work(Shared& shared, Socket& socket, const std::function<void()>& tell);
  bool begin();

  boost::asio::io_context& io_;
  std::shared_ptr<Socket> socket_;
  std::shared_ptr<std::function<void()>> on_written_;
  Shared shared_;
  std::thread thread_;
  bool without_thread_ = false;
  std::size_t on_their_way_ = 0;
};

}  // namespace minibgp::netlink
