/// What the kernel's answer to an operation means for us: the one place that says so of an errno.
#pragma once

#include <fib/kernel_port.h>

#include <cerrno>
#include <cstdint>

namespace minibgp::fib {

enum class Answer : std::uint8_t {
  done,
  missing,   ///< Nothing there to replace: the kernel dropped it behind our back. Add it.
  occupied,  ///< Not there by our knowledge, yet it is: read the table again, then wait for its owner to take it away.
  park,      ///< Wait for a link, an address, a next hop or another program's route to change.
  back_off,  ///< Ask again, later and later: kBackOffFirst to kBackOffMax.
  resync,    ///< Our picture of the kernel is wrong: read its table again, then ask again.
  give_up,   ///< Report; ask again only when the desire or the kernel changes, or with the next audit.
};

[[nodiscard]] constexpr Answer kernel_answer(RouteOp::Kind kind, int error) {
  switch (error) {
    case 0:
      return Answer::done;
    case ESRCH:
    case ENOENT:
      return kind == RouteOp::Kind::remove ? Answer::done : Answer::missing;
    case EEXIST:
      return Answer::occupied;
    case ENETUNREACH:  // The gateway's network went,
    case EHOSTUNREACH:
    case ENODEV:  // or the link,
    case ENETDOWN:
      return Answer::park;
    case EINVAL:  // or the next-hop object, or the preferred source: the event that took it is on its way to us.
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
    case EINTR:
      return Answer::back_off;
    case ENOBUFS:
      return Answer::resync;  // We lost messages.
    default:
      return Answer::give_up;  // EPERM, EOPNOTSUPP, ...: asking again does not help.
  }
}

/// The first and the longest delay of Answer::back_off.
inline constexpr Duration kBackOffFirst = std::chrono::milliseconds{50};
inline constexpr Duration kBackOffMax = std::chrono::seconds{5};

}  // namespace minibgp::fib
