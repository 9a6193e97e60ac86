#include <tests/sim/gateway/charon.h>
#include <tests/sim/gateway/names.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <utility>

namespace bgplite::sim {
namespace {

using minibgp::Time;
using minibgp::xfrm::IkeReply;
using minibgp::xfrm::Reason;
using minibgp::xfrm::Sa;
using minibgp::xfrm::SaDirection;
using minibgp::xfrm::SaGone;
using minibgp::xfrm::SaKey;
using minibgp::xfrm::vici::Section;
namespace input = minibgp::xfrm::input;

std::string hex(std::uint32_t value) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08x", value);
  return text.data();
}
std::uint32_t if_id(std::size_t tunnel) { return static_cast<std::uint32_t>(tunnel + 1); }
std::uint32_t spi_in(std::uint32_t child) { return child * 2; }
std::uint32_t spi_out(std::uint32_t child) { return child * 2 + 1; }

}  // namespace

ModelCharon::ModelCharon(std::function<void(const minibgp::xfrm::Input&)> tell,
                         std::function<void(std::size_t)> changed)
    : tell_(std::move(tell)), changed_(std::move(changed)) {}

// Life

void ModelCharon::start() { running_ = true; }

void ModelCharon::crash() {
  running_ = false;
  connections_.clear();
  keys_.clear();
  ikes_.clear();
}

void ModelCharon::tick(Time now) {
  for (std::size_t i = 0; i < pairs_.size();) {
    // Both ends delete what they rekeyed.
    pairs_[i].until <= now ? remove_pair(pairs_[i].id) : static_cast<void>(++i);
  }
  if (!running_) return;
  std::vector<std::uint32_t> over;
  for (Ike& ike : ikes_) {
    const bool answers = tunnels[ike.tunnel].reachable && tunnels[ike.tunnel].uplink;
    if (ike.established && answers && ike.peer_has) ike.heard = now;
    if (ike.established || !answers) {
      if (now - ike.heard >= kPatience) over.push_back(ike.id);
    } else if (now < tunnels[ike.tunnel].refused_until) {
      log(ike, "received NO_PROPOSAL_CHOSEN notify error");
      over.push_back(ike.id);
    } else {
      ike.established = true;
      ike.heard = now;
      add_child(ike);
    }
  }
  for (const std::uint32_t id : over) end(id, Event::told);
}

// Requests

IkeReply ModelCharon::answer(const minibgp::xfrm::vici::IkeRequest& request, Time now) {
  IkeReply reply;
  const Section& message = request.message;
  if (request.name == "version") reply.message.add("version", "5.9.8");
  if (request.name == "get-conns")
    reply.message.add_list("conns", std::vector<std::string>(connections_.begin(), connections_.end()));
  if (request.name == "get-shared")
    reply.message.add_list("keys", std::vector<std::string>(keys_.begin(), keys_.end()));
  if (request.name == "load-conn") {
    const std::string& name = message.entries().front().name;
    connections_.insert(name);
    forms_.resize(tunnels.size());
    for (std::size_t i = 0; i < tunnels.size(); ++i)
      if (name == connection_name(i)) forms_[i] = message;
  }
  if (request.name == "unload-conn") connections_.erase(std::string{message.value("name")});
  if (request.name == "load-shared") keys_.insert(std::string{message.value("id")});
  if (request.name == "unload-shared") keys_.erase(std::string{message.value("id")});
  if (request.name == "list-sas")
    for (const Ike& ike : ikes_) reply.streamed.push_back(list(ike));
  if (request.name == "initiate")
    for (std::size_t i = 0; i < tunnels.size(); ++i)
      if (message.value("ike") == connection_name(i) && connections_.contains(connection_name(i))) initiate(i, now);
  if (request.name == "terminate") terminate(message);
  reply.message.add("success", "yes");
  return reply;
}

/// As charon does: a child for an IKE_SA of an equal configuration, or else a new IKE_SA.
void ModelCharon::initiate(std::size_t tunnel, Time now) {
  const Tunnel& at = tunnels[tunnel];
  if (passes(tunnel) && has_known_pair(tunnel) && std::max(at.works_since, at.doubted_until) + kSeen < now) ++needless_;
  for (Ike& ike : ikes_) {
    if (ike.tunnel != tunnel || !ike.established || ike.form != forms_[tunnel]) continue;
    // The peer answers with a new child, or, where it has forgotten the IKE_SA, not at all.
    if (ike.peer_has && works(tunnel, now)) add_child(ike);
    return;
  }
  for (const Ike& ike : ikes_)
    if (ike.tunnel == tunnel && !ike.established) return;
  ikes_.push_back({next_id_++, tunnel, forms_[tunnel], {}, false, true, now});
}

void ModelCharon::terminate(const Section& message) {
  const auto ike_id = message.number("ike-id");
  const auto child_id = message.number("child-id");
  std::vector<std::uint32_t> over;
  for (Ike& ike : ikes_) {
    if (child_id && std::find(ike.children.begin(), ike.children.end(), *child_id) != ike.children.end())
      return end_child(ike, static_cast<std::uint32_t>(*child_id), Event::told);
    if (ike_id == ike.id || message.value("ike") == connection_name(ike.tunnel)) over.push_back(ike.id);
  }
  for (const std::uint32_t id : over) end(id, Event::told);
}

// SAs

bool ModelCharon::works(std::size_t tunnel, Time now) const {
  return tunnels[tunnel].reachable && tunnels[tunnel].uplink && tunnels[tunnel].refused_until <= now;
}

void ModelCharon::add_child(Ike& ike) {
  const std::uint32_t id = next_id_++;
  const Pair& pair = pairs_.emplace_back(Pair{id, ike.tunnel, true, minibgp::kNever});
  ike.children.push_back(id);
  const std::size_t tunnel = ike.tunnel;
  tell_(sa(pair, SaDirection::inbound));
  tell_(sa(pair, SaDirection::outbound));
  event("child-updown", list(ike).add("up", "yes"));
  changed_(tunnel);
}

void ModelCharon::end_child(Ike& ike, std::uint32_t id, Event how) {
  Section message = Section{}.add_section(
      connection_name(ike.tunnel),
      view(ike).add_section("child-sas", Section{}.add_section("c-" + std::to_string(id), child(ike.tunnel, id))));
  std::erase(ike.children, id);
  remove_pair(id);
  if (how == Event::told) event("child-updown", message);
}

void ModelCharon::end(std::uint32_t id, Event how) {
  const auto found = std::find_if(ikes_.begin(), ikes_.end(), [&](const Ike& it) { return it.id == id; });
  if (found == ikes_.end()) return;
  Ike ike = std::move(*found);
  ikes_.erase(found);
  for (const std::uint32_t one : std::vector{ike.children}) end_child(ike, one, how);
  if (how == Event::told) event("ike-updown", Section{}.add_section(connection_name(ike.tunnel), view(ike)));
}

void ModelCharon::remove_pair(std::uint32_t id) {
  const auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const Pair& it) { return it.id == id; });
  if (found == pairs_.end()) return;
  const Pair pair = *found;
  pairs_.erase(found);
  tell_(SaGone{sa(pair, SaDirection::inbound).key, Reason::sa_deleted});
  tell_(SaGone{sa(pair, SaDirection::outbound).key, Reason::sa_deleted});
  changed_(pair.tunnel);
}

void ModelCharon::rekey(std::size_t tunnel, Event how, Time now) {
  for (Ike& ike : ikes_) {
    if (ike.tunnel != tunnel || !ike.established || !ike.peer_has || ike.children.empty() || !works(tunnel, now))
      continue;
    const std::uint32_t old = ike.children.back();
    const std::uint32_t id = next_id_++;
    for (Pair& pair : pairs_)
      if (pair.id == old) pair.until = now + kOverlap;
    const Pair& pair = pairs_.emplace_back(Pair{id, tunnel, true, minibgp::kNever});
    ike.children.back() = id;
    tell_(sa(pair, SaDirection::inbound));
    tell_(sa(pair, SaDirection::outbound));
    if (how == Event::told)
      event("child-rekey",
            Section{}.add_section(
                connection_name(tunnel),
                view(ike).add_section(
                    "child-sas",
                    Section{}.add_section(
                        "c-" + std::to_string(old),
                        Section{}.add_section("old", child(tunnel, old)).add_section("new", child(tunnel, id))))));
    return changed_(tunnel);
  }
}

/// Where charon does not know an SA, its deletion reaches nothing.
void ModelCharon::delete_by_peer(std::size_t tunnel, Event how) {
  for (Pair& pair : pairs_)
    if (pair.tunnel == tunnel) pair.peer_has = false;
  for (const std::uint32_t id : ids(tunnel)) end(id, how);
  changed_(tunnel);
}

void ModelCharon::forget(std::size_t tunnel) {
  for (Pair& pair : pairs_)
    if (pair.tunnel == tunnel) pair.peer_has = false;
  for (Ike& ike : ikes_)
    if (ike.tunnel == tunnel && ike.established) ike.peer_has = false;
  changed_(tunnel);
}

void ModelCharon::repeat(std::size_t tunnel, bool ours) {
  for (const Ike& ike : ikes_) {
    if (ike.tunnel != tunnel || !ike.established) continue;
    return log(ike, ours ? "retransmit 1 of request with message ID 7"
                         : "received retransmit of request with ID 7, retransmitting response");
  }
}

// The kernel

Sa ModelCharon::sa(const Pair& pair, SaDirection direction) const {
  const Tunnel& tunnel = tunnels[pair.tunnel];
  const bool in = direction == SaDirection::inbound;
  Sa made;
  made.key = {in ? tunnel.local : tunnel.remote, in ? spi_in(pair.id) : spi_out(pair.id), 50};
  made.source = in ? tunnel.remote : tunnel.local;
  made.if_id = if_id(pair.tunnel);
  made.added_s = pair.id;
  return made;
}

void ModelCharon::dump_sas() const {
  for (const Pair& pair : pairs_) {
    tell_(sa(pair, SaDirection::inbound));
    tell_(sa(pair, SaDirection::outbound));
  }
}

void ModelCharon::delete_sa(const SaKey& key) {
  for (const Pair& pair : pairs_)
    if (spi_in(pair.id) == key.spi || spi_out(pair.id) == key.spi) return remove_pair(pair.id);
}

// charon's words

void ModelCharon::event(std::string_view name, const Section& message) const {
  if (running_) tell_(input::CharonEvent{name, message});
}
void ModelCharon::log(const Ike& ike, std::string_view text) const {
  event("log", Section{}.add("group", "IKE").add("ikesa-name", connection_name(ike.tunnel)).add("msg", text));
}

Section ModelCharon::child(std::size_t tunnel, std::uint32_t id) const {
  return Section{}
      .add("name", tunnel_name(tunnel))
      .add("uniqueid", std::to_string(id))
      .add("state", "INSTALLED")
      .add("spi-in", hex(spi_in(id)))
      .add("spi-out", hex(spi_out(id)))
      .add("if-id-in", hex(if_id(tunnel)));
}
Section ModelCharon::view(const Ike& ike) const {
  return Section{}.add("uniqueid", std::to_string(ike.id)).add("state", ike.established ? "ESTABLISHED" : "CONNECTING");
}
Section ModelCharon::list(const Ike& ike) const {
  Section children;
  for (const std::uint32_t id : ike.children) children.add_section("c-" + std::to_string(id), child(ike.tunnel, id));
  return Section{}.add_section(connection_name(ike.tunnel), view(ike).add_section("child-sas", std::move(children)));
}

// What there is

std::vector<std::uint32_t> ModelCharon::ids(std::size_t tunnel) const {
  std::vector<std::uint32_t> all;
  for (const Ike& ike : ikes_)
    if (ike.tunnel == tunnel && ike.established) all.push_back(ike.id);
  return all;
}
bool ModelCharon::has_ike(std::size_t tunnel) const { return !ids(tunnel).empty(); }
bool ModelCharon::passes(std::size_t tunnel) const {
  // Packets go out on the newest.
  const Pair* newest = nullptr;
  for (const Pair& pair : pairs_)
    if (pair.tunnel == tunnel && (newest == nullptr || pair.id > newest->id)) newest = &pair;
  return newest != nullptr && newest->peer_has && tunnels[tunnel].reachable && tunnels[tunnel].uplink;
}
bool ModelCharon::has_pair(std::size_t tunnel) const {
  return std::any_of(pairs_.begin(), pairs_.end(),
                     [&](const Pair& pair) { return pair.tunnel == tunnel && pair.peer_has; });
}
bool ModelCharon::has_known_pair(std::size_t tunnel) const {
  return std::any_of(ikes_.begin(), ikes_.end(), [&](const Ike& ike) {
    return ike.tunnel == tunnel && std::any_of(pairs_.begin(), pairs_.end(), [&](const Pair& pair) {
             return pair.peer_has && std::find(ike.children.begin(), ike.children.end(), pair.id) != ike.children.end();
           });
  });
}
bool ModelCharon::knows_pair(std::size_t tunnel) const {
  return std::any_of(ikes_.begin(), ikes_.end(),
                     [&](const Ike& ike) { return ike.tunnel == tunnel && !ike.children.empty(); });
}
std::size_t ModelCharon::pairs(std::size_t tunnel) const {
  return static_cast<std::size_t>(
      std::count_if(pairs_.begin(), pairs_.end(), [&](const Pair& pair) { return pair.tunnel == tunnel; }));
}
std::size_t ModelCharon::ikes(std::size_t tunnel) const {
  return static_cast<std::size_t>(
      std::count_if(ikes_.begin(), ikes_.end(), [&](const Ike& ike) { return ike.tunnel == tunnel; }));
}

}  // namespace bgplite::sim
