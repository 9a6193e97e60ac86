#include <bgp/text.h>
#include <fib/event_log.h>
#include <fib/kernel_answer.h>

#include <cstring>

namespace minibgp::fib {

std::string EventLog::port_text(std::uint32_t port_id) const {
  if (port_id == 0) return "the kernel";
  return port_name_ ? port_name_(port_id) : "netlink port " + std::to_string(port_id);
}

bool EventLog::wants(LogLevel level) const { return sink_ != nullptr && sink_->wants(level, LogArea::fib); }

void EventLog::write(LogLevel level, std::string_view line) const {
  if (wants(level)) sink_->write(level, LogArea::fib, line);
}

void EventLog::write(LineBudget& budget, LogLevel level, std::string_view line, Time now) {
  if (budget.take(now)) write(level, line);
}

void EventLog::repaired(const RouteKey& key, std::string_view what, const Intrusion& by, Time now) {
  if (!wants(LogLevel::info)) return;  // Who a port is costs a look into /proc.
  write(repairs_, LogLevel::info,
        "route " + to_text(key) + " " + std::string(what) +
            (by.port_id != 0 ? " by " + port_text(by.port_id) : std::string{}) + ": repaired",
        now);
}

void EventLog::missing(std::size_t count, Time now) {
  write(repairs_, LogLevel::info, std::to_string(count) + " routes of ours were missing: repaired", now);
}

void EventLog::ahead(const RouteKey& key, const std::string& what, Time now) {
  if (!wants(LogLevel::warning)) return;
  write(ahead_, LogLevel::warning,
        "route " + to_text(key) + ": " + what +
            " in front of ours: packets follow that one until it goes ('ip route show " + to_text(key.prefix) + "')",
        now);
}

void EventLog::contests(std::span<const Contest> contests, Time now) {
  for (const Contest& contest : contests) {
    const std::string how =
        contest.last.removed ? "removed" : "changed to protocol " + std::to_string(contest.last.protocol);
    write(contests_, LogLevel::warning,
          "route " + to_text(contest.key) + " was " + how + " by " + port_text(contest.last.port_id) + " again after " +
              std::to_string(contest.repairs) + " repairs: the next one is in " +
              std::to_string(contest.wait / std::chrono::seconds{1}) +
              " s; end that program, or give one of the two another fib.table",
          now);
  }
}

void EventLog::held(const Injector::HeldNews& news, Time now) {
  for (const auto& [prefix, why] : news.some)
    write(held_, LogLevel::warning,
          "route " + to_text(prefix) + " is not installed: " + std::string(to_text(why.refusal)) +
              (why.detail.empty() ? "" : " (" + why.detail + ")"),
          now);
  // Those beyond the first few are counted only.
  if (news.count > news.some.size()) held_.miss(news.count - news.some.size());
}

void EventLog::refused(std::span<const RouteOp> batch, std::span<const OpError> errors) {
  // One line for a batch and not again until calm(): a kernel that refuses all would fill the log.
  const OpError& first = errors.front();
  if (refusal_written_ || kernel_answer(batch[first.index].kind, first.error) == Answer::done) return;
  refusal_written_ = true;
  write(LogLevel::warning, "the kernel refuses route " + to_text(batch[first.index].key) + ": " +
                               std::strerror(first.error) + (first.text.empty() ? "" : " (" + first.text + ")") +
                               (errors.size() > 1 ? ", and " + std::to_string(errors.size() - 1) + " more" : ""));
}

void EventLog::refused(const NextHopOp& op, const OpError& error) const {
  write(LogLevel::debug, "next-hop object " + std::to_string(static_cast<std::uint32_t>(op.next_hop.id)) +
                             ": the kernel says " + std::strerror(error.error) +
                             (error.text.empty() ? "" : " (" + error.text + ")"));
}

void EventLog::summarize(Time now) {
  if (const auto missed = repairs_.take_missed(now); missed != 0)
    write(LogLevel::info, std::to_string(missed) + " more routes of ours were changed and repaired");
  if (const auto missed = held_.take_missed(now); missed != 0)
    write(LogLevel::warning, std::to_string(missed) + " more routes are not installed: 'bgplite show fib' tells each");
  if (const auto missed = contests_.take_missed(now); missed != 0)
    write(LogLevel::warning, std::to_string(missed) + " more repairs wait because another program undoes them");
  if (const auto missed = ahead_.take_missed(now); missed != 0)
    write(LogLevel::warning, std::to_string(missed) + " more routes were put in front of ours");
}

}  // namespace minibgp::fib
