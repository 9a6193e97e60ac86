/// ForwardingTable: each distinct Forwarding once, counted, behind a 32-bit id. A million routes share a handful of
/// them, so a route is one id, and comparing two routes is mostly comparing two integers.
#pragma once

#include <bgp/base/slab.h>
#include <fib/kernel_port.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace minibgp::fib {

class ForwardingTable {
 public:
  ForwardingTable() { (void)entries_.insert(); }  // Id 0 is kNoForwarding.

  /// The id of `forwarding`, with one more reference held by the caller.
  [[nodiscard]] ForwardingId intern(const Forwarding& forwarding);
  void ref(ForwardingId id, std::uint32_t count = 1) {
    if (id != kNoForwarding) entries_[index(id)].references += count;
  }
  void unref(ForwardingId id) {
    if (id != kNoForwarding && --entries_[index(id)].references == 0) forget(id);
  }
  /// Valid while a reference is held; does not move.
  [[nodiscard]] const Forwarding& operator[](ForwardingId id) const { return entries_[index(id)].forwarding; }
  [[nodiscard]] std::uint32_t references(ForwardingId id) const { return entries_[index(id)].references; }
  [[nodiscard]] std::size_t size() const { return entries_.size() - 1; }
  [[nodiscard]] std::size_t octets() const { return entries_.octets(); }

  /// Next-hop objects that no Forwarding names any more since the last call: nobody needs them now.
  [[nodiscard]] std::vector<NextHopId> take_unused_next_hops();
  [[nodiscard]] bool has_unused_next_hops() const { return !unused_.empty(); }
  [[nodiscard]] bool names(NextHopId id) const { return by_next_hop_.contains(id); }
  /// References to Forwardings that name `id`.
  [[nodiscard]] std::size_t references_to(NextHopId id) const;

 private:
  struct Entry {
    Forwarding forwarding;
    std::uint32_t references = 0;
  };
  static std::uint32_t index(ForwardingId id) { return static_cast<std::uint32_t>(id); }
  void forget(ForwardingId id);

  base::Slab<Entry, 64> entries_;
  std::unordered_multimap<std::size_t, ForwardingId> by_hash_;
  std::unordered_multimap<NextHopId, ForwardingId> by_next_hop_;
  std::vector<NextHopId> unused_;
};

}  // namespace minibgp::fib
