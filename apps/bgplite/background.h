/// Background: work that takes too long for the daemon's loop (reading a configuration, waiting for a disk), one job at
/// a time in a thread of its own. A job touches nothing that the loop uses.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include <boost/asio/io_context.hpp>

namespace bgplite {

class Background {
 public:
  /// `io` outlives it.
  explicit Background(boost::asio::io_context& io) : io_(io), alive_(std::make_shared<bool>(true)) {}
  /// Waits for the job that runs; its `done` is not called then.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Runs `job` in the thread, then `done` on the loop. Only when no other job runs. What `job` holds is freed in the
  /// thread unless others hold it, too: to free a large table takes as long as to make it.
  void run(std::function<void()> job, std::function<void()> done);

 private:
  boost::asio::io_context& io_;
  std::shared_ptr<bool> alive_;
  std::thread thread_;
};

}  // namespace bgplite
