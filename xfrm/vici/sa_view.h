/// SaView: charon's IKE_SAs and CHILD_SAs as it describes them in list-sas and in its events, as values. Pure.
#pragma once

#include <bgp/types.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/vici/packet.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace minibgp::xfrm::vici {

struct IkeView {
  std::uint32_t id = 0;
  std::string connection;
  std::string state;  ///< "ESTABLISHED", "CONNECTING", ...
  std::string local_host, remote_host;
  std::vector<ChildSa> children;
  /// charon is at work on it: it is being negotiated, or a child of it is.
  bool in_progress = false;
};

/// From list-sa, ike-updown and child-updown: {NAME {uniqueid, ..., child-sas {NAME-ID {...}}}}; other entries ignored.
[[nodiscard]] std::vector<IkeView> read_ikes(const Section& event);

/// The CHILD_SAs among those of one connection that a finished rekey should have ended: beside a newer INSTALLED one,
/// they are REKEYED or DELETED, or INSTALLED with the same name and selectors. charon forgets one when its deletion
/// falls into a rekey of the IKE_SA ("CHILD_SA {2} not found for delete"); two stay when both ends rekey at once.
/// Unique ids.
[[nodiscard]] std::set<std::uint32_t> superseded_children(const std::vector<const ChildSa*>& children);

struct ChildRekey {
  std::uint32_t old_id = 0;
  ChildSa successor;
};
/// From child-rekey: {NAME {child-sas {NAME-ID {old {...}, new {...}}}}}.
[[nodiscard]] std::vector<ChildRekey> read_child_rekeys(const Section& event);

/// From ike-rekey: {NAME {old {uniqueid}, new {uniqueid}}}; pairs of old and new.
[[nodiscard]] std::vector<std::pair<std::uint32_t, std::uint32_t>> read_ike_rekeys(const Section& event);

}  // namespace minibgp::xfrm::vici
