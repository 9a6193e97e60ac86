#include <fib/netlink/message.h>
#include <fib/netlink/route_writer.h>

#include <csignal>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>

namespace minibgp::netlink {
namespace {

/// Signals are the loop's business: a thread begun while this lives gets none.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Transaction transact(Socket& socket, Bytes requests, std::uint32_t first, std::size_t count) {
  Transaction result;
  if (const auto sent = socket.send(requests); !sent) {
    // Nothing was sent, so nothing was done: each request has failed.
    for (std::size_t i = 0; i < count; ++i) result.errors.push_back({i, sent.error().value(), {}});
    return result;
  }
  for (;;) {
    const Received received = socket.receive();
    // The kernel answers within sendto(). An empty socket therefore means that answers were lost.
    if (received.kind != Received::Kind::datagram) {
      result.complete = false;
      result.failure = received.error;
      return result;
    }
    MessageReader messages(received.bytes);
    while (const auto message = messages.next()) {
      const auto answer = parse_answer(*message);
      if (!answer) continue;
      const std::size_t index = answer->sequence - first;
      if (index >= count) continue;  // Of a batch before, which was given up on.
      if (answer->error != 0) result.errors.push_back({index, answer->error, std::string(answer->text)});
      // The last request is answered in any case and ends the transaction.
      if (index + 1 == count) return result;
    }
  }
}

RouteWriter::RouteWriter(boost::asio::io_context& io, std::shared_ptr<Socket> socket, std::function<void()> on_written)
    : io_(io),
      socket_(std::move(socket)),
      on_written_(std::make_shared<std::function<void()>>(std::move(on_written))) {}

RouteWriter::~RouteWriter() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.over = true;
  }
  shared_.changed.notify_one();
  // The thread ends after the batch at hand.
  thread_.join();
}

bool RouteWriter::begin() {
  if (thread_.joinable()) return true;
  if (without_thread_) return false;
  const NoSignals guard;
  try {
    // The loop may run what was posted after we are gone: the post holds the handler weakly.
    thread_ = std::thread([this, tell = [this, weak = std::weak_ptr(on_written_)] {
      boost::asio::post(io_, [weak] {
        if (const auto on_written = weak.lock()) (*on_written)();
      });
    }] { work(shared_, *socket_, tell); });
  } catch (const std::system_error&) {
    // No thread (a limit of processes): batches are written by the loop itself.
    without_thread_ = true;
  }
  return !without_thread_;
}

void RouteWriter::submit(RouteBatch batch) {
  ++on_their_way_;
  if (!begin()) {
    batch.result = transact(*socket_, batch.requests, batch.first, batch.ops.size());
    // No lock: without a thread it is not shared.
    shared_.written.push_back(std::move(batch));
    boost::asio::post(io_, [weak = std::weak_ptr(on_written_)] {
      if (const auto on_written = weak.lock()) (*on_written)();
    });
    return;
  }
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.waiting.push_back(std::move(batch));
  }
  shared_.changed.notify_one();
}

std::deque<RouteBatch> RouteWriter::take() {
  std::deque<RouteBatch> written;
  {
    const std::lock_guard lock(shared_.mutex);
    written.swap(shared_.written);
  }
  // Counts batches, sent and not taken; room() follows from it.
  on_their_way_ -= written.size();
  return written;
}

void RouteWriter::work(Shared& shared, Socket& socket, const std::function<void()>& tell) {
  std::unique_lock lock(shared.mutex);
  for (;;) {
    // The predicate covers wake-ups without a reason, and batches that came before the wait.
    shared.changed.wait(lock, [&shared] { return shared.over || !shared.waiting.empty(); });
    if (shared.over) return;
    RouteBatch batch = std::move(shared.waiting.front());
    shared.waiting.pop_front();
    // The kernel may take long; the loop must be able to submit meanwhile.
    lock.unlock();
    batch.result = transact(socket, batch.requests, batch.first, batch.ops.size());
    lock.lock();
    shared.written.push_back(std::move(batch));
    if (shared.written.size() != 1) continue;  // The loop was told already, and has not come yet.
    lock.unlock();
    tell();
    lock.lock();
  }
}

}  // namespace minibgp::netlink
