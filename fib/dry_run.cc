#include <bgp/text.h>
#include <fib/dry_run.h>

namespace minibgp::fib {
namespace {

std::string number(NextHopId id) { return std::to_string(static_cast<std::uint32_t>(id)); }

std::string ways(const Forwarding& forwarding, const InterfaceName& name) {
  if (forwarding.next_hop != kNoNextHopId) return " nhid " + number(forwarding.next_hop);
  if (forwarding.vias.size() == 1) return " " + to_text(forwarding.vias[0], name);
  std::string text;
  for (const Via& via : forwarding.vias) text += " nexthop " + to_text(via, name);
  return text;
}

}  // namespace

std::string to_text(const Via& via, const InterfaceName& name) {
  std::string text;
  if (via.gateway.is_set()) text = "via " + minibgp::to_text(via.gateway) + " ";
  const std::string_view interface = name(via.interface);
  text += "dev " + (interface.empty() ? "#" + std::to_string(static_cast<std::uint32_t>(via.interface))
                                      : std::string(interface));
  if (via.onlink) text += " onlink";
  if (via.weight != 1) text += " weight " + std::to_string(via.weight);
  return text;
}

std::string to_text(const RouteOp& op, std::uint8_t protocol, const InterfaceName& name) {
  static constexpr std::string_view kVerbs[] = {"add", "replace", "del"};
  std::string text =
      // In the order of RouteOp::Kind.
      "route " + std::string(kVerbs[static_cast<std::size_t>(op.kind)]) + " " + minibgp::to_text(op.key.prefix);
  if (op.forwarding != nullptr) {
    text += ways(*op.forwarding, name);
    if (op.forwarding->preferred_source.is_set()) text += " src " + minibgp::to_text(op.forwarding->preferred_source);
  }
  text += " metric " + std::to_string(op.key.metric) + " proto " +
          std::to_string(op.former_protocol != 0 ? op.former_protocol : protocol);
  if (op.key.table != kMainTable) text += " table " + std::to_string(op.key.table);
  return text;
}

std::string to_text(const NextHopOp& op, const InterfaceName& name) {
  const KernelNextHop& next_hop = op.next_hop;
  if (op.kind == NextHopOp::Kind::remove) return "nexthop del id " + number(next_hop.id);
  std::string text = "nexthop replace id " + number(next_hop.id);
  if (next_hop.entries.empty()) {
    text += " " + to_text(next_hop.via, name);
  } else {
    text += " group ";
    for (const GroupEntry& entry : next_hop.entries) {
      if (text.back() != ' ') text += '/';
      text += number(entry.id);
      if (entry.weight != 1) text += "," + std::to_string(entry.weight);
    }
  }
  return text + " proto " + std::to_string(next_hop.protocol);
}

}  // namespace minibgp::fib
