#include <bgp/text.h>
#include <xfrm/vici/sa_view.h>

#include <algorithm>

namespace minibgp::xfrm::vici {
namespace {

constexpr int kHex = 16;

std::uint32_t id_of(const Section& section) {
  return static_cast<std::uint32_t>(section.number("uniqueid").value_or(0));
}

/// States in which a CHILD_SA carries traffic. REKEYED and DELETING ones still receive for some seconds, but only
/// beside a successor, which then counts.
bool is_usable(std::string_view state) {
  return state.empty() || state == "INSTALLED" || state == "UPDATING" || state == "REKEYING";
}

bool is_at_rest(std::string_view state) {
  return state.empty() || state == "INSTALLED" || state == "REKEYED" || state == "DELETED";
}

/// Whether one of charon's tasks makes a CHILD_SA (IKEv2's and IKEv1's names).
bool makes_child(std::span<const std::string> tasks) {
  return std::any_of(tasks.begin(), tasks.end(),
                     [](const std::string& task) { return task == "CHILD_CREATE" || task == "QUICK_MODE"; });
}

/// Selectors that are plain prefixes; one with a protocol, ports or a range stands for no address.
std::vector<Prefix> read_selectors(const Section& section, std::string_view key) {
  std::vector<Prefix> selectors;
  for (const std::string& text : section.list(key))
    if (const auto prefix = parse_prefix(text)) selectors.push_back(*prefix);
  return selectors;
}

ChildSa read_child(const Section& section, std::uint32_t ike_id, std::string_view connection) {
  ChildSa child;
  child.id = id_of(section);
  child.ike_id = ike_id;
  child.connection = connection;
  child.name = section.value("name");
  // charon writes SPIs and if_ids in hexadecimal, without a prefix.
  child.if_id = static_cast<std::uint32_t>(section.number("if-id-in", kHex).value_or(0));
  child.spi_in = static_cast<std::uint32_t>(section.number("spi-in", kHex).value_or(0));
  child.spi_out = static_cast<std::uint32_t>(section.number("spi-out", kHex).value_or(0));
  // An absent state is a vici version that does not report it.
  child.usable = is_usable(section.value("state"));
  child.at_rest = is_at_rest(section.value("state"));
  child.local_ts = read_selectors(section, "local-ts");
  child.remote_ts = read_selectors(section, "remote-ts");
  return child;
}

}  // namespace

std::vector<IkeView> read_ikes(const Section& event) {
  std::vector<IkeView> ikes;
  for (const Entry& entry : event.entries()) {
    if (entry.kind != Entry::Kind::section) continue;
    IkeView ike;
    ike.id = id_of(entry.section);
    ike.connection = entry.name;
    ike.state = entry.section.value("state");
    // An IKE_SA that makes a CHILD_SA is busy, although it is established.
    ike.in_progress = ike.state == "CREATED" || ike.state == "CONNECTING" ||
                      makes_child(entry.section.list("tasks-active")) ||
                      makes_child(entry.section.list("tasks-queued"));
    ike.local_host = entry.section.value("local-host");
    ike.remote_host = entry.section.value("remote-host");
    if (const Section* children = entry.section.section("child-sas"))
      for (const Entry& child : children->entries())
        if (child.kind == Entry::Kind::section)
          ike.children.push_back(read_child(child.section, ike.id, ike.connection));
    ikes.push_back(std::move(ike));
  }
  return ikes;
}

std::set<std::uint32_t> superseded_children(const std::vector<const ChildSa*>& children) {
  std::set<std::uint32_t> superseded;
  for (const ChildSa* child : children)
    for (const ChildSa* newer : children) {
      // A higher id is younger: charon counts them.
      if (!child->at_rest || !newer->at_rest || !newer->usable || newer->id <= child->id) continue;
      const bool same =
          newer->name == child->name && newer->local_ts == child->local_ts && newer->remote_ts == child->remote_ts;
      // An old one that carries nothing is left behind whatever it was for; one that does, only if the new one replaces
      // it exactly.
      if (!child->usable || same) superseded.insert(child->id);
    }
  return superseded;
}

std::vector<ChildRekey> read_child_rekeys(const Section& event) {
  std::vector<ChildRekey> rekeys;
  for (const Entry& entry : event.entries()) {
    if (entry.kind != Entry::Kind::section) continue;
    const Section* children = entry.section.section("child-sas");
    if (!children) continue;
    // Of each child the event shows both.
    for (const Entry& child : children->entries()) {
      const Section* before = child.section.section("old");
      const Section* after = child.section.section("new");
      if (!before || !after) continue;
      rekeys.push_back({id_of(*before), read_child(*after, id_of(entry.section), entry.name)});
    }
  }
  return rekeys;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> read_ike_rekeys(const Section& event) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> rekeys;
  for (const Entry& entry : event.entries()) {
    if (entry.kind != Entry::Kind::section) continue;
    const Section* before = entry.section.section("old");
    const Section* after = entry.section.section("new");
    if (before && after) rekeys.emplace_back(id_of(*before), id_of(*after));
  }
  return rekeys;
}

}  // namespace minibgp::xfrm::vici
