#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/config/schema.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace bgplite {
namespace {

using minibgp::PathAttributes;
using minibgp::Prefix;

struct Announcement {
  Prefix prefix;
  PathAttributes attributes;
};

template <typename Value, typename Parse>
void read_values(const In& in, std::vector<Value>& into, Parse parse, const char* wanted) {
  std::vector<std::string> texts;
  in.texts(texts);
  for (const std::string& text : texts) {
    const auto read = parse(text);
    read ? into.push_back(*read) : in.wrong(in.node, wanted);
  }
  // In order and each once, as everywhere in attributes.
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

const Fields<Announcement>& announcement_fields() {
  static const Fields<Announcement> fields{
      {value("prefix", Type::prefix, "required", Effect::live, "What is announced."),
       [](const In& in, Announcement& to) { in.prefix(to.prefix); }},
      {integer("med", "", 0, 4294967295, Effect::live, "MED of the announcement."),
       [](const In& in, Announcement& to) { in.number(to.attributes.med); }},
      {integer("local_pref", "", 0, 4294967295, Effect::live, "LOCAL_PREF toward iBGP peers."),
       [](const In& in, Announcement& to) { in.number(to.attributes.local_pref); }},
      {value("next_hop", Type::address, "ourselves", Effect::live, "Next hop."),
       [](const In& in, Announcement& to) { in.address(to.attributes.next_hop.address); }},
      {value("as_path", Type::text, "", Effect::live, "AS path behind our own AS."),
       [](const In& in, Announcement& to) {
         std::string text;
         in.text(text);
         const auto path = minibgp::parse_as_path(text);
         path ? void(to.attributes.as_path = *path) : in.wrong(in.node, "an AS path");
       }},
      {value("communities", Type::community, "", Effect::live, "Communities."),
       [](const In& in, Announcement& to) {
         read_values(in, to.attributes.communities, minibgp::parse_community, "communities like 65001:100");
       }},
      {value("large_communities", Type::large_community, "", Effect::live, "Large communities."),
       [](const In& in, Announcement& to) {
         read_values(in, to.attributes.large_communities, minibgp::parse_large_community,
                     "large communities like 65001:1:2");
       }},
  };
  return fields;
}

const Fields<bool>& peer_saved_fields() {
  static const Fields<bool> fields{
      {flag("enabled", "as the configuration says", Effect::reset, "Whether the peer is in operation."),
       [](const In& in, bool& to) { in.flag(to); }},
  };
  return fields;
}

void read_announcements(const In& in, Config& config) {
  if (in.node.IsNull()) return;
  if (!in.node.IsSequence()) return in.wrong(in.node, "a list");
  for (const auto& item : in.node) {
    // An announcement with a mistake is left out as a whole: announcing a part of it would be worse.
    const std::size_t mistakes = in.reader.diagnostics().all().size();
    Announcement one;
    in.reader.mapping(item, announcement_fields(), one);
    if (item.IsMap() && !item["prefix"]) in.reader.error(item, "an announcement needs a 'prefix'");
    if (in.reader.diagnostics().all().size() != mistakes) continue;
    config.saved.announcements[one.prefix] = std::move(one.attributes);
  }
}

void read_saved_peers(const In& in, Config& config) {
  in.reader.entries(in.node, [&](const std::string& key, const YAML::Node& at, const YAML::Node& node) {
    const auto peer = config.peers.find(key);
    if (peer == config.peers.end())
      return in.reader.warning(at, "no peer '" + key + "' any more", "what was saved for it means nothing");
    bool& enabled = peer->second.options.enabled;
    // What the configuration says is kept beside it, to know when the change is none any more.
    Saved::Peer saved{enabled, enabled};
    in.reader.mapping(node, peer_saved_fields(), saved.enabled);
    enabled = saved.enabled;
    config.saved.peers[key] = saved;
  });
}

const Fields<Config>& saved_fields() {
  static const Fields<Config> fields{
      {value("announce", Type::networks, "", Effect::live, "What `bgplite announce --save` announced: a list."),
       read_announcements},
      {value("peers", Type::mapping, "", Effect::reset,
             "Peers that `bgplite enable --save` or `disable --save` changed."),
       read_saved_peers},
  };
  return fields;
}

template <typename Value>
void add_list(nlohmann::ordered_json& into, const char* key, const std::vector<Value>& values) {
  for (const Value& one : values) into[key].push_back(minibgp::to_text(one));
}

}  // namespace

std::string saved_file(const std::string& state_dir) { return state_dir + "/runtime.yaml"; }

void read_saved(Reader& reader, const YAML::Node& root, Config& config) {
  reader.mapping(root, saved_fields(), config);
}

std::string to_yaml(const Saved& saved) {
  std::string text =
      "# Written by bgplite: what was changed by command with --save. It is read after the configuration, which it\n"
      "# changes. Take a line out and say 'bgplite apply' to forget it.\n";
  if (!saved.announcements.empty()) text += "announce:\n";
  for (const auto& [prefix, attributes] : saved.announcements) {
    nlohmann::ordered_json one{{"prefix", to_text(prefix)}};
    if (attributes.med) one["med"] = *attributes.med;
    if (attributes.local_pref) one["local_pref"] = *attributes.local_pref;
    if (attributes.next_hop.address.is_set()) one["next_hop"] = to_text(attributes.next_hop.address);
    if (const std::string path = to_text(attributes.as_path); !path.empty()) one["as_path"] = path;
    add_list(one, "communities", attributes.communities);
    add_list(one, "large_communities", attributes.large_communities);
    text += "  - " + one.dump() + "\n";  // JSON is YAML.
  }
  if (!saved.peers.empty()) text += "peers:\n";
  for (const auto& [key, peer] : saved.peers)
    // A quoted string of JSON is one of YAML as well; keys of link-local peers have a '%'.
    text += "  " + nlohmann::json(key).dump() + ": { enabled: " + (peer.enabled ? "true" : "false") + " }\n";
  return text;
}

Saved with_peer(const Config& config, const std::string& key, bool enabled) {
  Saved saved = config.saved;
  const auto present = saved.peers.find(key);
  const auto peer = config.peers.find(key);
  if (present == saved.peers.end() && peer == config.peers.end()) return saved;  // It was removed.
  const bool in_file = present != saved.peers.end() ? present->second.in_file
                                                    : peer != config.peers.end() && peer->second.options.enabled;
  // The same as the configuration says: nothing has to be remembered.
  if (enabled == in_file) {
    saved.peers.erase(key);
  } else {
    saved.peers[key] = {enabled, in_file};
  }
  return saved;
}

void describe_saved(std::vector<SectionDoc>& into) {
  into.push_back(describe("runtime.yaml",
                          "A file of its own in `state_dir`, written by commands with `--save` and read after all "
                          "others. Your own files are never written.",
                          saved_fields()));
  into.push_back(describe("runtime.yaml: announce", "Each item of the list.", announcement_fields()));
  into.push_back(describe("runtime.yaml: peers.ADDRESS", "", peer_saved_fields()));
}

}  // namespace bgplite
