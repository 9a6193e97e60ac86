/// TableLocks: which (table, protocol) this process owns, by one OwnerLock each: two processes that write the same
/// routes would undo each other's for ever.
#pragma once

#include <bgp/result.h>
#include <fib/forwarder.h>
#include <fib/netlink/owner_lock.h>
#include <fib/route.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include <boost/asio/io_context.hpp>

namespace minibgp::netlink {

class TableLocks {
 public:
  /// `forwarder` outlives it.
  TableLocks(boost::asio::io_context& io, fib::Forwarder& forwarder) : io_(io), forwarder_(forwarder) {}

  /// This run's table, and those of earlier runs that no process owns now: what is in the others is not ours any more.
  /// The forwarder learns of both, and asks for the table of later options. Errors: owned_by(); otherwise the kernel's.
  [[nodiscard]] Result<void, std::error_code> take_own();
  /// Those not listed may be taken by others.
  void keep_only(std::span<const fib::OwnedTable> owned);

 private:
  [[nodiscard]] Result<void, std::error_code> take(std::uint32_t table, std::uint8_t protocol);

  boost::asio::io_context& io_;
  fib::Forwarder& forwarder_;
  std::map<std::pair<std::uint32_t, std::uint8_t>, std::unique_ptr<OwnerLock>> locks_;
};

}  // namespace minibgp::netlink
