#include <apps/bgplite/cli/message_json.h>
#include <bgp/text.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
using namespace minibgp;

constexpr std::array<std::string_view, kFamilies> kFamilyNames = {"ipv4", "ipv6"};
constexpr std::array<std::string_view, 3> kRefreshNames = {"request", "begin", "end"};

// --- Values to JSON -------------------------------------------------------------------------------------------------

template <typename Values>
Json texts(const Values& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(minibgp::to_text(value));
  return list;
}

Json families(const std::array<bool, kFamilies>& which) {
  Json list = Json::array();
  for (std::size_t i = 0; i < kFamilies; ++i)
    if (which[i]) list.push_back(kFamilyNames[i]);
  return list;
}

Json prefixes(const std::vector<Nlri>& list) {
  Json json = Json::array();
  for (const Nlri& nlri : list) {
    // A path without an identifier as text, as in most sessions; else both.
    if (nlri.path_id == 0)
      json.push_back(to_text(nlri.prefix));
    else
      json.push_back({{"prefix", to_text(nlri.prefix)}, {"path_id", nlri.path_id}});
  }
  return json;
}

Json to_json(const Capabilities& c) {
  Json json{{"multiprotocol", families(c.multiprotocol)}};
  if (c.route_refresh) json["route_refresh"] = true;
  if (c.enhanced_refresh) json["enhanced_refresh"] = true;
  if (c.extended_messages) json["extended_messages"] = true;
  if (c.four_octet_as) json["four_octet_as"] = static_cast<std::uint32_t>(*c.four_octet_as);
  if (c.graceful_restart) {
    json["graceful_restart"] = {{"restarting", c.graceful_restart->restarting},
                                {"notification", c.graceful_restart->notification},
                                {"restart_time_s", c.graceful_restart->restart_time_s},
                                {"families", families(c.graceful_restart->families)},
                                {"forwarding_preserved", families(c.graceful_restart->forwarding_preserved)}};
  }
  for (std::size_t i = 0; i < kFamilies; ++i)
    if (c.add_path[i] != 0) json["add_path"][std::string{kFamilyNames[i]}] = c.add_path[i];
  if (c.ipv4_over_ipv6_next_hop) json["ipv4_over_ipv6_next_hop"] = true;
  if (c.role != Role::none) json["role"] = to_text(c.role);
  if (c.role_conflict) json["role_conflict"] = true;
  for (const RawCapability& raw : c.unknown)
    json["other"].push_back({{"code", raw.code}, {"name", capability_text(raw.code)}, {"value", hex_text(raw.value)}});
  return json;
}

struct JsonWriter {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const KeepaliveMessage&) const { return Json::object(); }
  Json operator()(const OpenMessage& open) const {
    return {{"version", open.version},
            {"asn", static_cast<std::uint32_t>(open.asn)},
            {"asn_field", open.asn_field},
            {"hold_time_s", open.hold_time_s},
            {"router_id", to_text(open.router_id)},
            {"capabilities", to_json(open.capabilities)}};
  }
  Json operator()(const UpdateMessage& update) const {
    Json json = Json::object();
    if (update.end_of_rib) json["end_of_rib"] = kFamilyNames[static_cast<std::size_t>(*update.end_of_rib)];
    if (!update.withdrawn.empty()) json["withdrawn"] = prefixes(update.withdrawn);
    const bool announces = !update.announced.empty() || !update.mp_announced.empty();
    // Of a message that only withdraws there are none, and the default ones would say something.
    if (announces || update.attributes != PathAttributes{}) json["attributes"] = cli::to_json(update.attributes);
    if (!update.announced.empty()) json["announced"] = prefixes(update.announced);
    if (!update.mp_announced.empty()) {
      json["mp_next_hop"] = to_text(update.mp_next_hop.address);
      if (update.mp_next_hop.link_local.is_set())
        json["mp_next_hop_link_local"] = to_text(update.mp_next_hop.link_local);
      json["mp_announced"] = prefixes(update.mp_announced);
    }
    return json;
  }
  Json operator()(const NotificationMessage& notification) const {
    Json json{{"code", notification.code},
              {"subcode", notification.subcode},
              {"text", to_text(notification)},
              {"data", hex_text(notification.data)}};
    const std::string communication = shutdown_communication(notification);
    if (!communication.empty()) json["shutdown_communication"] = communication;
    return json;
  }
  Json operator()(const RefreshMessage& refresh) const {
    const auto kind = static_cast<std::size_t>(refresh.kind);
    // Null: a family that this implementation does not carry.
    return {{"family", refresh.family ? Json(kFamilyNames[static_cast<std::size_t>(*refresh.family)]) : Json(nullptr)},
            {"kind", kind < kRefreshNames.size() ? kRefreshNames[kind] : "unknown"}};
  }
};

// --- JSON to values -------------------------------------------------------------------------------------------------

/// Reads members of one object; the first thing that is wrong is kept, with the name of its member.
class Reader {
 public:
  Reader(const Json& object, std::string& error) : object_(object), error_(error) {
    // Without an object every later question finds nothing.
    if (!object.is_object()) fail("an object", "message");
  }

  template <typename Number>
  void number(const char* key, Number& into) {
    const Json* value = find(key);
    if (value == nullptr) return;
    // With its maximum: a number that is too large must not wrap.
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > std::numeric_limits<Number>::max())
      return fail("a number of its size", key);
    into = value->get<Number>();
  }
  template <typename Number>
  void number(const char* key, std::optional<Number>& into) {
    if (find(key) != nullptr) number(key, into.emplace());
  }
  /// Enumerations over numbers: Asn.
  template <typename Enum>
  void id(const char* key, Enum& into) {
    auto raw = static_cast<std::underlying_type_t<Enum>>(into);
    number(key, raw);
    into = Enum{raw};
  }
  void flag(const char* key, bool& into) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return fail("true or false", key);
    into = value->get<bool>();
  }
  template <typename T, typename Parse>
  void text(const char* key, T& into, Parse parse) {
    if (const Json* value = find(key)) one(key, *value, into, parse);
  }
  template <typename T, typename Parse>
  void list(const char* key, std::vector<T>& into, Parse parse) {
    const Json* values = find(key);
    if (values == nullptr) return;
    if (!values->is_array()) return fail("a list", key);
    // An entry that cannot be read stays in the list; the error makes the whole unusable.
    for (const Json& value : *values) one(key, value, into.emplace_back(), parse);
  }
  /// The members of a nested object, or of each object of a list.
  template <typename Read>
  void each(const char* key, Read read) {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (value->is_object()) return read(Reader{*value, error_});
    if (!value->is_array()) return fail("an object or a list of them", key);
    for (const Json& element : *value) read(Reader{element, error_});
  }
  void families(const char* key, std::array<bool, kFamilies>& into) {
    std::vector<Family> list_of;
    list(key, list_of, family);
    for (const Family one_of : list_of) into[static_cast<std::size_t>(one_of)] = true;
  }
  void prefixes(const char* key, std::vector<Nlri>& into) {
    const Json* values = find(key);
    if (values == nullptr) return;
    if (!values->is_array()) return fail("a list of prefixes", key);
    for (const Json& value : *values) {
      Nlri& nlri = into.emplace_back();
      if (value.is_object()) {
        Reader entry{value, error_};
        entry.text("prefix", nlri.prefix, to_prefix);
        entry.number("path_id", nlri.path_id);
      } else {
        one(key, value, nlri.prefix, to_prefix);
      }
    }
  }
  void fail(const char* wanted, const char* key) {
    // Only the first, because others may follow from it.
    if (error_.empty()) error_ = std::string{"'"} + key + "' must be " + wanted;
  }

  static std::optional<Family> family(std::string_view name) {
    for (std::size_t i = 0; i < kFamilies; ++i)
      if (name == kFamilyNames[i]) return static_cast<Family>(i);
    return std::nullopt;
  }
  static std::optional<std::vector<std::uint8_t>> octets(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::vector<std::uint8_t> out;
    if (text.size() % 2 != 0) return std::nullopt;
    // Small letters only, as they are written here.
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const std::size_t high = kDigits.find(text[i]), low = kDigits.find(text[i + 1]);
      if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
      out.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    return out;
  }

 private:
  static std::optional<Prefix> to_prefix(std::string_view text) { return parse_prefix(text); }

  const Json* find(const char* key) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  template <typename T, typename Parse>
  void one(const char* key, const Json& value, T& into, Parse parse_text) {
    if (!value.is_string()) return fail("text", key);
    auto parsed = parse_text(std::string_view{value.get_ref<const std::string&>()});
    if (!parsed) return fail(("a valid value, not '" + value.get<std::string>() + "'").c_str(), key);
    into = std::move(*parsed);
  }

  const Json& object_;
  std::string& error_;
};

std::optional<Origin> parse_origin(std::string_view text) {
  for (const Origin origin : {Origin::igp, Origin::egp, Origin::incomplete})
    if (text == to_text(origin)) return origin;
  return std::nullopt;
}

std::optional<Role> parse_role(std::string_view text) {
  // In the order of the enum, of which `peer` is the last.
  for (int i = 0; i <= static_cast<int>(Role::peer); ++i)
    if (text == to_text(static_cast<Role>(i))) return static_cast<Role>(i);
  return std::nullopt;
}

std::optional<PeerType> parse_peer_type(std::string_view text) {
  for (const PeerType type : {PeerType::ebgp, PeerType::ibgp})
    if (text == (type == PeerType::ebgp ? "ebgp" : "ibgp")) return type;
  return std::nullopt;
}

std::optional<RefreshKind> parse_refresh(std::string_view text) {
  const auto* found = std::find(kRefreshNames.begin(), kRefreshNames.end(), text);
  if (found == kRefreshNames.end()) return std::nullopt;
  return static_cast<RefreshKind>(found - kRefreshNames.begin());
}

template <typename T>
void canonical(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

PathAttributes read_attributes(Reader reader) {
  PathAttributes out;
  reader.text("origin", out.origin, parse_origin);
  reader.text("as_path", out.as_path, parse_as_path);
  reader.text("next_hop", out.next_hop.address, parse_address);
  reader.number("med", out.med);
  reader.number("local_pref", out.local_pref);
  reader.flag("atomic_aggregate", out.atomic_aggregate);
  reader.each("aggregator", [&out](Reader aggregator) {
    Aggregator& into = out.aggregator.emplace();
    aggregator.id("asn", into.asn);
    aggregator.text("router_id", into.router_id, parse_router_id);
  });
  reader.list("communities", out.communities, parse_community);
  reader.list("extended_communities", out.extended_communities, parse_extended_community);
  reader.list("large_communities", out.large_communities, parse_large_community);
  canonical(out.communities);
  canonical(out.extended_communities);
  canonical(out.large_communities);
  reader.text("originator_id", out.originator_id, parse_router_id);
  reader.list("cluster_list", out.cluster_list, parse_router_id);
  std::optional<std::uint32_t> customer;
  reader.number("otc", customer);
  if (customer) out.only_to_customer = Asn{*customer};
  reader.each("unknown", [&out](Reader entry) {
    UnknownAttribute& into = out.unknown.emplace_back();
    entry.number("type", into.type);
    entry.number("flags", into.flags);
    entry.text("value", into.value, Reader::octets);
  });
  // As the decoder leaves them, so that both compare as equal.
  std::sort(out.unknown.begin(), out.unknown.end());
  return out;
}

Capabilities read_capabilities(Reader reader) {
  Capabilities out;
  reader.families("multiprotocol", out.multiprotocol);
  // Not written, because it follows.
  out.any_multiprotocol = out.multiprotocol[0] || out.multiprotocol[1];
  reader.flag("route_refresh", out.route_refresh);
  reader.flag("enhanced_refresh", out.enhanced_refresh);
  reader.flag("extended_messages", out.extended_messages);
  std::optional<std::uint32_t> asn;
  reader.number("four_octet_as", asn);
  if (asn) out.four_octet_as = Asn{*asn};
  reader.each("graceful_restart", [&out](Reader restart) {
    GracefulRestartCapability& into = out.graceful_restart.emplace();
    restart.flag("restarting", into.restarting);
    restart.flag("notification", into.notification);
    restart.number("restart_time_s", into.restart_time_s);
    restart.families("families", into.families);
    restart.families("forwarding_preserved", into.forwarding_preserved);
  });
  reader.each("add_path", [&out](Reader directions) {
    directions.number("ipv4", out.add_path[0]);
    directions.number("ipv6", out.add_path[1]);
  });
  reader.flag("ipv4_over_ipv6_next_hop", out.ipv4_over_ipv6_next_hop);
  reader.text("role", out.role, parse_role);
  reader.each("other", [&out](Reader entry) {
    RawCapability& into = out.unknown.emplace_back();
    entry.number("code", into.code);
    entry.text("value", into.value, Reader::octets);
  });
  return out;
}

MessageValue read_open(Reader reader) {
  OpenMessage out;
  reader.number("version", out.version);
  reader.id("asn", out.asn);
  reader.number("asn_field", out.asn_field);
  reader.number("hold_time_s", out.hold_time_s);
  reader.text("router_id", out.router_id, parse_router_id);
  reader.each("capabilities", [&out](Reader capabilities) { out.capabilities = read_capabilities(capabilities); });
  return out;
}

MessageValue read_update(Reader reader) {
  UpdateMessage out;
  reader.text("end_of_rib", out.end_of_rib, Reader::family);
  reader.prefixes("withdrawn", out.withdrawn);
  reader.each("attributes", [&out](Reader attributes) { out.attributes = read_attributes(attributes); });
  reader.prefixes("announced", out.announced);
  reader.text("mp_next_hop", out.mp_next_hop.address, parse_address);
  reader.text("mp_next_hop_link_local", out.mp_next_hop.link_local, parse_address);
  reader.prefixes("mp_announced", out.mp_announced);
  return out;
}

MessageValue read_notification(Reader reader) {
  NotificationMessage out;
  reader.number("code", out.code);
  reader.number("subcode", out.subcode);
  reader.text("data", out.data, Reader::octets);
  return out;
}

MessageValue read_keepalive(Reader) { return KeepaliveMessage{}; }

MessageValue read_refresh(Reader reader) {
  RefreshMessage out;
  reader.text("family", out.family, Reader::family);
  reader.text("kind", out.kind, parse_refresh);
  return out;
}

struct TypeReader {
  std::string_view type;
  MessageValue (*read)(Reader);
};
constexpr TypeReader kTypes[] = {{"OPEN", read_open},
                                 {"UPDATE", read_update},
                                 {"NOTIFICATION", read_notification},
                                 {"KEEPALIVE", read_keepalive},
                                 {"ROUTE-REFRESH", read_refresh}};

}  // namespace

nlohmann::ordered_json to_json(const PathAttributes& attributes) {
  Json json{{"origin", to_text(attributes.origin)}, {"as_path", to_text(attributes.as_path)}};
  if (attributes.next_hop.address.is_set()) json["next_hop"] = to_text(attributes.next_hop.address);
  if (attributes.next_hop.link_local.is_set()) json["next_hop_link_local"] = to_text(attributes.next_hop.link_local);
  if (attributes.med) json["med"] = *attributes.med;
  if (attributes.local_pref) json["local_pref"] = *attributes.local_pref;
  if (attributes.atomic_aggregate) json["atomic_aggregate"] = true;
  if (attributes.aggregator)
    json["aggregator"] = {{"asn", static_cast<std::uint32_t>(attributes.aggregator->asn)},
                          {"router_id", to_text(attributes.aggregator->router_id)}};
  if (!attributes.communities.empty()) json["communities"] = texts(attributes.communities);
  if (!attributes.extended_communities.empty()) json["extended_communities"] = texts(attributes.extended_communities);
  if (!attributes.large_communities.empty()) json["large_communities"] = texts(attributes.large_communities);
  if (attributes.originator_id) json["originator_id"] = to_text(*attributes.originator_id);
  if (!attributes.cluster_list.empty()) json["cluster_list"] = texts(attributes.cluster_list);
  if (attributes.only_to_customer) json["otc"] = static_cast<std::uint32_t>(*attributes.only_to_customer);
  for (const UnknownAttribute& one : attributes.unknown)
    json["unknown"].push_back({{"type", one.type}, {"flags", one.flags}, {"value", hex_text(one.value)}});
  return json;
}

nlohmann::ordered_json to_json(const DecodedMessage& decoded) {
  Json json{{"type", decoded.type},
            {"length", decoded.octets},
            {"verdict", minibgp::to_text(decoded.verdict)},
            {"message", std::visit(JsonWriter{}, decoded.value)}};
  // The NOTIFICATION that such a message is answered with.
  if (decoded.notification.code != 0) json["answer"] = JsonWriter{}(decoded.notification);
  for (const Finding& finding : decoded.findings) {
    Json one{{"offset", finding.offset}, {"cost", minibgp::to_text(finding.cost)}, {"what", finding.what}};
    if (finding.attribute != 0) one["attribute"] = finding.attribute;
    if (finding.code != 0) one["code"] = finding.code, one["subcode"] = finding.subcode;
    json["findings"].push_back(std::move(one));
  }
  for (const AttributeOnWire& attribute : decoded.attributes)
    json["attributes_on_wire"].push_back({{"offset", attribute.offset},
                                          {"flags", attribute.flags},
                                          {"type", attribute.type},
                                          {"name", attribute.name},
                                          {"octets", attribute.value.size()}});
  return json;
}

MessageValue message_from_json(const nlohmann::ordered_json& json, std::string& error) {
  error.clear();
  if (!json.is_object() || !json.contains("type") || !json["type"].is_string()) {
    error = "'type' must be OPEN, UPDATE, NOTIFICATION, KEEPALIVE or ROUTE-REFRESH";
    return {};
  }
  // A KEEPALIVE needs no members.
  const Json nothing = Json::object();
  const auto& type = json["type"].get_ref<const std::string&>();
  for (const TypeReader& known : kTypes) {
    if (type != known.type) continue;
    MessageValue value = known.read(Reader{json.contains("message") ? json["message"] : nothing, error});
    // A value that was read in part is not given to anybody.
    return error.empty() ? std::move(value) : MessageValue{};
  }
  error = "'type' must be OPEN, UPDATE, NOTIFICATION, KEEPALIVE or ROUTE-REFRESH, not '" + type + "'";
  return {};
}

DecideInput path_from_json(const nlohmann::ordered_json& json, std::string& error) {
  error.clear();
  DecideInput path;
  if (!json.is_object()) return error = "not an object", path;
  constexpr std::string_view kKeys[] = {"attributes", "weight", "peer_type",         "peer", "router_id", "path_id",
                                        "igp_cost",   "usable", "default_local_pref"};
  // A key with a typing error would be ignored, and the decision be another one.
  for (const auto& item : json.items())
    if (std::find(std::begin(kKeys), std::end(kKeys), item.key()) == std::end(kKeys))
      return error = "unknown key '" + item.key() + "'", path;
  Reader reader{json, error};
  reader.each("attributes", [&path](Reader attributes) { path.attributes = read_attributes(attributes); });
  reader.number("weight", path.attributes.local.weight);
  reader.text("peer_type", path.peer_type, parse_peer_type);
  reader.text("peer", path.peer_address, parse_address);
  reader.text("router_id", path.peer_router_id, parse_router_id);
  reader.number("path_id", path.path_id);
  reader.number("igp_cost", path.igp_cost);
  reader.flag("usable", path.usable);
  reader.number("default_local_pref", path.default_local_pref);
  return path;
}

std::string hex_text(Bytes octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(octets.size() * 2);
  for (const std::uint8_t octet : octets) {
    text.push_back(kDigits[octet >> 4U]);
    text.push_back(kDigits[octet & 0xFU]);
  }
  return text;
}

}  // namespace bgplite::cli
