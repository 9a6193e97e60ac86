#include <fib/netlink/table_locks.h>

#include <algorithm>
#include <string>
#include <vector>

namespace minibgp::netlink {
namespace {

/// Other programs may use it to stay away.
std::string lock_name(std::uint32_t table, std::uint8_t protocol) {
  return "minibgp/routes/table " + std::to_string(table) + " protocol " + std::to_string(protocol);
}

}  // namespace

Result<void, std::error_code> TableLocks::take(std::uint32_t table, std::uint8_t protocol) {
  // An empty entry is left where it cannot be taken; keep_only() removes it.
  auto& lock = locks_[{table, protocol}];
  if (lock) return {};
  auto taken = OwnerLock::take(io_, lock_name(table, protocol));
  if (!taken) return unexpected(taken.error());
  lock = std::move(*taken);
  return {};
}

Result<void, std::error_code> TableLocks::take_own() {
  const fib::FibOptions& options = forwarder_.options();
  if (options.enabled)
    if (auto owned = take(options.table, options.protocol); !owned) return owned;
  std::vector<fib::OwnedTable> former = options.former;
  // A former table that another process has is not ours any more.
  std::erase_if(former, [this](const fib::OwnedTable& one) {
    return fib::is_reserved_table(one.table) || !take(one.table, one.protocol);
  });
  forwarder_.set_former(former);
  // Asked later, when a policy first names a table.
  forwarder_.set_claim([this](std::uint32_t table) { return take(table, forwarder_.options().protocol).has_value(); });
  return {};
}

void TableLocks::keep_only(std::span<const fib::OwnedTable> owned) {
  std::erase_if(locks_, [&](const auto& item) {
    return std::none_of(owned.begin(), owned.end(), [&](const fib::OwnedTable& one) {
      return item.first == std::pair{one.table, one.protocol};
    });
  });
}

}  // namespace minibgp::netlink
