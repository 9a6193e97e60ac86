#include <apps/bgplite/background.h>

#include <csignal>
#include <system_error>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace bgplite {

Background::~Background() {
  // Set before the wait: what the thread has posted must not run after this.
  *alive_ = false;
  if (thread_.joinable()) thread_.join();
}

void Background::run(std::function<void()> job, std::function<void()> done) {
  // The guard keeps the loop waiting until `done` is posted.
  auto guard = boost::asio::make_work_guard(io_);
  // Signals are the loop's: the thread inherits that none is delivered to it.
  sigset_t all{};
  sigset_t before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // Runs on the loop. The object may be gone by then, but `alive` is shared.
  const auto finish = [this, alive = alive_, done = std::move(done)] {
    if (!*alive) return;
    // The thread has posted this as its last act, so the wait is short.
    if (thread_.joinable()) thread_.join();
    done();
  };
  const auto kept = std::make_shared<std::function<void()>>(std::move(job));
  const auto work = [kept] {
    (*kept)();
    // What the job holds is freed here, in the thread: that may take as long as the job.
    *kept = nullptr;
  };
  try {
    thread_ = std::thread{[this, guard, work, finish]() mutable {
      work();
      boost::asio::post(io_, std::move(finish));
    }};
  } catch (const std::system_error&) {
    // No more threads are allowed: late is better than never.
    work();
    boost::asio::post(io_, finish);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace bgplite
