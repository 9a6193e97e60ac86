/// OwnerLock: at most one process in a network namespace owns a thing: the routes of a table and protocol, the
/// connections of a charon. Two owners would undo each other's work for ever.
///
/// The lock is a Unix socket with an abstract name. Such names belong to the network namespace, as routes do; they need
/// no directory that both owners can write to, and they go with the process, however it ends. A second owner asks the
/// socket who holds it. (A file under /run would have to be writable for every user a daemon may run as, and would be
/// shared between namespaces.) Any local user could hold a name; the message says who does.
#pragma once

#include <bgp/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace minibgp::netlink {

/// Compares equal to std::errc::address_in_use; its value is the process that holds the lock (0: not known), and
/// message() says so.
[[nodiscard]] std::error_code owned_by(int pid);

/// "process 4711 (bgplite)", as far as /proc tells.
[[nodiscard]] std::string process_text(int pid);
/// Who has a netlink port: the first socket of a process has its process id, the others have numbers above all of them.
[[nodiscard]] std::string port_text(std::uint32_t port_id);

class OwnerLock {
 public:
  /// `name` is at most 100 octets long. Errors: owned_by(); otherwise the kernel's.
  [[nodiscard]] static Result<std::unique_ptr<OwnerLock>, std::error_code> take(boost::asio::io_context& io,
                                                                                std::string_view name);
  OwnerLock(boost::asio::io_context& io, int fd);
  ~OwnerLock() = default;
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

 private:
  void answer();

  std::shared_ptr<boost::asio::posix::stream_descriptor> socket_;
};

}  // namespace minibgp::netlink
