/// Helpers of the read-only copies for "show".
#pragma once

#include <bgp/peer.h>
#include <bgp/snapshots.h>
#include <bgp/types.h>

namespace minibgp::speaker {

/// Whether a prefix is what the filter asks for; Match::lookup counts as shorter (who asks picks the longest).
[[nodiscard]] bool matches(const RouteFilter& filter, const Prefix& prefix);

/// The order of "show": by family, address, length.
[[nodiscard]] bool shown_before(const Prefix& a, const Prefix& b);

/// total += more, field by field.
void add_counters(Counters& total, const Counters& more);

}  // namespace minibgp::speaker
