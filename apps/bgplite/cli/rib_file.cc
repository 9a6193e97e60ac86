#include <apps/bgplite/cli/rib_file.h>
#include <apps/bgplite/json_text.h>
#include <bgp/decode.h>
#include <bgp/mrt.h>
#include <bgp/text.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using nlohmann::json;
using Use = std::function<void(const PolicyRoute&)>;

constexpr std::size_t kProblemsMax = 20;

void problem(RibSummary& summary, std::string text) {
  ++summary.broken;
  ++summary.skipped;
  if (summary.problems.size() < kProblemsMax) summary.problems.push_back(std::move(text));
}

/// MRT begins with a time and then a type from a short list (RFC 6396 s.4).
bool looks_like_mrt(const std::vector<std::uint8_t>& file) {
  // The header has 12 octets.
  if (file.size() < 12) return false;
  const auto type = static_cast<unsigned>(file[4] << 8U | file[5]);
  return type == 11 || type == 12 || type == 13 || type == 16 || type == 17;
}

/// Names of peers are looked up once per address, not once per route.
void set_peer(PolicyRoute& route, const minibgp::MrtPeer& peer, minibgp::MrtPeer& last) {
  // `last` says whose name stands in the route.
  if (route.peer && last == peer) return;
  last = peer;
  route.peer = minibgp::to_text(peer.address);
  route.peer_as = peer.asn;
}

void announced(const minibgp::UpdateMessage& update, PolicyRoute& route, const Use& use, RibSummary& summary) {
  route.attributes = update.attributes;
  for (const minibgp::Nlri& nlri : update.announced) {
    route.prefix = nlri.prefix;
    ++summary.routes;
    use(route);
  }
  // IPv4 stands in the message itself with the attribute's next hop; what MP_REACH_NLRI announces has its own.
  route.attributes.next_hop = update.mp_next_hop;
  for (const minibgp::Nlri& nlri : update.mp_announced) {
    route.prefix = nlri.prefix;
    ++summary.routes;
    use(route);
  }
  // A table of routes is what counts; withdrawals are not looked at.
  summary.skipped += update.withdrawn.size();
}

void read_mrt(const std::vector<std::uint8_t>& file, const Use& use, RibSummary& summary) {
  minibgp::MrtReader reader{file};
  minibgp::MrtRecord record;
  minibgp::MrtPeer last_peer;
  PolicyRoute route;
  route.prefix = minibgp::Prefix{};
  while (reader.next(record)) {
    switch (record.kind) {
      case minibgp::MrtRecord::Kind::route:
        if (record.problem != nullptr) {
          problem(summary, "offset " + std::to_string(record.offset) + ": " + record.problem);
          break;
        }
        set_peer(route, record.peer, last_peer);
        route.prefix = record.prefix;
        // The record's memory and the route's go back and forth, so that neither allocates again.
        std::swap(route.attributes, record.attributes);
        ++summary.routes;
        use(route);
        std::swap(route.attributes, record.attributes);
        break;
      case minibgp::MrtRecord::Kind::message: {
        minibgp::DecodeOptions options;
        options.four_octet_as = record.four_octet_as;
        // The record's type says whether there are path identifiers (RFC 8050).
        options.add_path.fill(record.add_path);
        options.extended_messages = true;
        // Archives are old: AS_SETs were common (RFC 9774 has deprecated them).
        options.accept_as_set = true;
        const minibgp::DecodedMessage message = minibgp::decode_message(record.message, options);
        const auto* update = std::get_if<minibgp::UpdateMessage>(&message.value);
        if (update == nullptr) break;
        // A peer would take its routes away, so they were not in its table.
        if (message.verdict >= minibgp::MessageVerdict::treat_as_withdraw) {
          problem(summary, "offset " + std::to_string(record.offset) + ": UPDATE with errors");
          break;
        }
        set_peer(route, record.peer, last_peer);
        announced(*update, route, use, summary);
        break;
      }
      case minibgp::MrtRecord::Kind::peer_table:
      case minibgp::MrtRecord::Kind::state_change:
        break;
      case minibgp::MrtRecord::Kind::skipped:
        problem(summary, "offset " + std::to_string(record.offset) + ": " +
                             (record.problem != nullptr ? record.problem : "not a route"));
        break;
    }
  }
  if (!reader.error()) return;
  problem(summary, "offset " + std::to_string(reader.error()->offset) + ": " + reader.error()->text);
  summary.incomplete.emplace_back("the file cannot be read to its end");
}

std::vector<std::string> texts_of(const json& value) {
  std::vector<std::string> texts;
  const auto add = [&](const json& one) { texts.push_back(one.is_string() ? one.get<std::string>() : one.dump()); };
  if (value.is_array()) {
    for (const json& one : value) add(one);
  } else if (!value.is_null()) {
    add(value);
  }
  return texts;
}

/// JSON as `show routes` prints it, or parts of it.
class JsonTable {
 public:
  JsonTable(RibUse wanted, const Use& use, RibSummary& summary) : wanted_(wanted), use_(use), summary_(summary) {}

  void read(const json& node) {
    if (node.is_array()) {
      for (const json& one : node) read(one);
    } else if (node.is_object() && node.contains("prefix") && node["prefix"].is_string()) {
      const std::string prefix = node["prefix"];
      if (node.contains("paths") && node["paths"].is_array()) {
        for (const json& one : node["paths"]) path(one, prefix);
      } else {
        path(node, prefix);
      }
    } else if (node.is_object() && node.contains("routes")) {
      whole(node);
      read(node["routes"]);
    } else {
      problem(summary_, "an entry that is no route");
    }
  }

 private:
  void whole(const json& table) {
    if (table.contains("complete") && table["complete"] == false)
      summary_.incomplete.push_back("\"complete\": false: the dump was cut; take it with --limit 0");
    const std::string shown = table.contains("shown") && table["shown"].is_string() ? table["shown"] : "";
    if (shown.empty()) return;
    if (wanted_ == RibUse::as_received && shown != "received")
      summary_.incomplete.push_back("these are the " + shown +
                                    " routes, import policies see the received ones: show routes in PEER");
    if (wanted_ == RibUse::as_selected && shown != "accepted")
      summary_.incomplete.push_back("these are the " + shown +
                                    " routes, export policies see the accepted ones: show routes");
  }

  /// One path; keys that are not a route's (rule, age) are passed over.
  void path(const json& path, const std::string& prefix) {
    const bool known = path.contains("best") && path["best"].is_boolean();
    if (wanted_ == RibUse::as_selected && known && !path["best"]) {
      ++summary_.skipped;
      return;
    }
    PolicyRoute route;
    std::optional<std::string> wrong = set_route_field(route, "prefix", {prefix});
    // What policy has changed stands beside what was received.
    const bool edited = wanted_ == RibUse::as_received && path.contains("received") && path["received"].is_object();
    if (edited && path.contains("peer")) wrong = set_route_field(route, "peer", texts_of(path["peer"]));
    for (const auto& [name, value] : (edited ? path["received"] : path).items()) {
      if (wrong || value.is_object()) continue;
      if (auto error = set_route_field(route, name, texts_of(value)); error && !error->starts_with("unknown"))
        wrong = error;
    }
    if (wrong) return problem(summary_, prefix + ": " + *wrong);
    ++summary_.routes;
    use_(route);
  }

  RibUse wanted_;
  const Use& use_;
  RibSummary& summary_;
};

void read_line(std::string_view line, std::size_t number, const Use& use, RibSummary& summary) {
  PolicyRoute route;
  std::optional<std::string> wrong;
  for (std::size_t at = 0; at < line.size() && !wrong;) {
    const std::size_t begin = line.find_first_not_of(" \t\r", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    at = end;
    const std::size_t equals = word.find('=');
    // The first word without '=' is the prefix.
    if (equals == std::string_view::npos) {
      wrong = route.prefix ? std::optional{"'" + std::string(word) + "' is no field=value"}
                           : set_route_field(route, "prefix", {std::string(word)});
      continue;
    }
    std::vector<std::string> values(1);
    for (const char c : word.substr(equals + 1)) {
      // Members of an AS_SET have commas of their own.
      const bool inside_set =
          values.back().find('{') != std::string::npos && values.back().find('}') == std::string::npos;
      if (c == ',' && !inside_set) {
        values.emplace_back();
      } else {
        values.back() += c;
      }
    }
    wrong = set_route_field(route, word.substr(0, equals), values);
  }
  if (!wrong && !route.prefix) return;
  if (wrong) return problem(summary, "line " + std::to_string(number) + ": " + *wrong);
  ++summary.routes;
  use(route);
}

void read_text(std::string_view text, const Use& use, RibSummary& summary) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    read_line(line.substr(0, line.find('#')), number, use, summary);
  }
}

}  // namespace

bool each_route(const std::vector<std::uint8_t>& file, RibUse wanted, const Use& use, RibSummary& summary,
                std::string& error) {
  if (looks_like_mrt(file)) {
    summary.format = RibFormat::mrt;
    read_mrt(file, use, summary);
    return true;
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) {
    summary.format = RibFormat::json;
    JsonProblem wrong{};
    const auto root = parse_json<json>(text, wrong);
    if (!root) return error = wrong == JsonProblem::too_deep ? "nested too deeply" : "not valid JSON", false;
    // Its recursion is bounded with the depth.
    JsonTable(wanted, use, summary).read(*root);
    return true;
  }
  // Text has no octet 0.
  if (text.find('\0') != std::string_view::npos) return error = "neither MRT, JSON nor a list of routes", false;
  summary.format = RibFormat::text;
  read_text(text, use, summary);
  return true;
}

}  // namespace bgplite::cli
