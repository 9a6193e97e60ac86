#include <apps/bgplite/config/policy_cases.h>
#include <apps/bgplite/config/policy_reader.h>
#include <apps/bgplite/config/policy_yaml.h>
#include <apps/bgplite/config/yaml_text.h>

#include <algorithm>

namespace bgplite {
namespace {

class CasesReader {
 public:
  CasesReader(PolicyReader& reader, PolicyTests& into, Diagnostics& diagnostics)
      : reader_(reader), into_(into), diagnostics_(diagnostics) {}

  void list(const YAML::Node& node, const PolicyCase& given, unsigned depth = 0) {
    constexpr unsigned kGroupDepthMax = 8;
    if (!node.IsSequence()) return reader_.error(node, "tests must be a list of cases and groups");
    // Bounded, because the reader follows the nesting of the file by recursion.
    if (depth > kGroupDepthMax) return reader_.error(node, "groups nest too deeply");
    for (const YAML::Node& one : node) {
      if (one.IsMap() && one["cases"].IsDefined()) {
        group(one, given, depth);
      } else {
        single(one, given);
      }
    }
  }

  void route(const YAML::Node& node, PolicyRoute& into) {
    reader_.entries(node, "route fields", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
      std::vector<std::string> values;
      if (value.IsNull()) {
        values = {"none"};
      } else if (value.IsScalar() || value.IsSequence()) {
        reader_.each_scalar(value, "text", [&](const std::string& text, const YAML::Node&) { values.push_back(text); });
      } else {
        return reader_.error(value, name + " must be text or a list");
      }
      if (const auto wrong = set_route_field(into, name, values))
        reader_.error(wrong->starts_with("unknown") ? key : value, *wrong, did_you_mean(name, route_field_names()));
    });
  }

 private:
  void group(const YAML::Node& node, const PolicyCase& given, unsigned depth) {
    PolicyCase shared = given;
    YAML::Node cases;
    reader_.entries(
        node, "group, given and cases", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
          if (name == "group") {
            const std::string text = reader_.scalar(value, "a name").value_or("");
            // Groups within groups have all of their names.
            shared.group += (shared.group.empty() ? "" : " / ") + text;
          } else if (name == "given") {
            what_is_given(value, shared);
          } else if (name == "cases") {
            cases = value;
          } else {
            reader_.error(key, "unknown key '" + name + "'", did_you_mean(name, {"group", "given", "cases"}));
          }
        });
    list(cases, shared, depth + 1);
  }

  void what_is_given(const YAML::Node& node, PolicyCase& shared) {
    reader_.entries(node, "policy, peer, direction, route and expect",
                    [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
                      if (!key_of_case(name, value, shared)) unknown(key, name);
                    });
  }

  void single(const YAML::Node& node, const PolicyCase& given) {
    PolicyCase made = given;
    made.place = reader_.place(node);
    reader_.entries(node, "name, policy or peer and direction, route, expect",
                    [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
                      if (name == "name") {
                        made.name = reader_.scalar(value, "a name").value_or("");
                      } else if (!key_of_case(name, value, made)) {
                        unknown(key, name);
                      }
                    });
    if (!node.IsMap()) return;
    if (!made.route.prefix) reader_.error(node, "the case has no prefix", "route: { prefix: 192.168.10.0/24 }");
    // Exactly one of the two: a case without either, or with both, says nothing.
    if (made.policy.empty() == made.peer.empty())
      reader_.error(node, made.peer.empty() ? "the case names neither a policy nor a peer" : "both a policy and a peer",
                    "policy: NAME, or peer: NAME with direction: import or export");
    can_be_compared(node, made);
    if (made.name.empty()) made.name = "case " + std::to_string(into_.cases.size() + 1);
    into_.cases.push_back(std::move(made));
  }

  void unknown(const YAML::Node& key, const std::string& name) {
    reader_.error(
        key, "unknown key '" + name + "'",
        did_you_mean(name, {"name", "policy", "peer", "direction", "route", "expect", "group", "given", "cases"}));
  }

  bool key_of_case(const std::string& name, const YAML::Node& value, PolicyCase& into) {
    if (name == "policy") {
      into.policy = reader_.scalar(value, "a policy's name").value_or("");
      // The inner one replaces what the groups around have given.
      into.peer.clear();
    } else if (name == "peer") {
      into.peer = reader_.scalar(value, "a peer's name").value_or("");
      into.policy.clear();
    } else if (name == "direction") {
      const auto text = reader_.scalar(value, "import or export");
      if (text && *text != "import" && *text != "export")
        reader_.error(value, "'" + *text + "' is neither import nor export");
      into.direction = text == "export" ? minibgp::Direction::export_ : minibgp::Direction::import;
    } else if (name == "route") {
      route(value, into.route);
    } else if (name == "expect") {
      expect(value, into.expect);
    } else {
      return false;
    }
    return true;
  }

  void action(const YAML::Node& node, PolicyCase::Expect& into) {
    const auto text = reader_.scalar(node, "accept or reject");
    if (text && *text != "accept" && *text != "reject")
      return reader_.error(node, "'" + *text + "' is neither accept nor reject",
                           did_you_mean(*text, {"accept", "reject"}));
    if (text) into.accept = *text == "accept";
  }

  void expect(const YAML::Node& node, PolicyCase::Expect& into) {
    if (node.IsScalar()) return action(node, into);
    PolicyCase::Expect own;
    reader_.entries(node, "action, term, set and unchanged",
                    [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
                      if (name == "action") {
                        action(value, own);
                      } else if (name == "term") {
                        own.term = reader_.scalar(value, "a term's name");
                      } else if (name == "set") {
                        expected_values(value, own);
                      } else if (name == "unchanged") {
                        unchanged(value, own);
                      } else {
                        reader_.error(key, "unknown key '" + name + "'",
                                      did_you_mean(name, {"action", "term", "set", "unchanged"}));
                      }
                    });
    if (own.accept) into.accept = own.accept;
    if (own.term) into.term = own.term;
    if (own.all_unchanged) into.all_unchanged = own.all_unchanged;
    for (PolicyCase::Attribute& attribute : own.attributes) {
      // What the case says of an attribute takes the place of what is given.
      std::erase_if(into.attributes, [&](const auto& given) { return given.name == attribute.name; });
      into.attributes.push_back(std::move(attribute));
    }
  }

  /// After all of `given` and the case itself: is anything expected, and does it go together?
  void can_be_compared(const YAML::Node& node, const PolicyCase& test) {
    const PolicyCase::Expect& expect = test.expect;
    if (!expect.accept && !expect.term && !expect.of_attributes())
      reader_.error(node, "the case expects nothing",
                    "expect: accept, or reject, or { action: accept, term: NAME, set: {...} }");
    if (expect.accept.value_or(true)) return;
    const auto refuse = [&](const Place& place, const std::string& what) {
      diagnostics_.error(place, what + " cannot be compared: a case expects that this route is rejected",
                         "leave it out, or expect accept");
    };
    for (const PolicyCase::Attribute& attribute : expect.attributes)
      refuse(attribute.place, "'" + attribute.name + "'");
    if (expect.all_unchanged) refuse(*expect.all_unchanged, "'unchanged'");
  }

  /// One attribute of `set` or `unchanged`; an error where this `expect` names it already, under whichever of its
  /// names.
  void expected(PolicyCase::Attribute attribute, const YAML::Node& at, const std::string& written,
                PolicyCase::Expect& into) {
    const bool twice = std::any_of(into.attributes.begin(), into.attributes.end(),
                                   [&](const auto& other) { return other.name == attribute.name; });
    if (twice) return reader_.error(at, "'" + written + "' is expected twice", "set or unchanged, once");
    attribute.place = reader_.place(at);
    into.attributes.push_back(std::move(attribute));
  }

  void expected_values(const YAML::Node& node, PolicyCase::Expect& into) {
    if (node.IsMap() && node.size() == 0) return reader_.error(node, "'set' names no attribute");
    reader_.entries(node, "attributes", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
      std::vector<std::string> values;
      reader_.each_scalar(value, "text", [&](const std::string& text, const YAML::Node&) { values.push_back(text); });
      std::string error;
      const auto text = expected_text(name, values, error);
      if (!text) return reader_.error(key, error, did_you_mean(name, route_field_names()));
      expected({std::string(*attribute_name(name)), *text, {}}, key, name, into);
    });
  }

  void unchanged(const YAML::Node& node, PolicyCase::Expect& into) {
    if (node.IsSequence() && node.size() == 0) return reader_.error(node, "'unchanged' names no attribute");
    reader_.each_scalar(node, "an attribute or true", [&](const std::string& name, const YAML::Node& at) {
      if (name == "true") {
        into.all_unchanged = reader_.place(at);
      } else if (const auto known = attribute_name(name)) {
        expected({std::string(*known), std::nullopt, {}}, at, name, into);
      } else {
        reader_.error(at, "'" + name + "' is no attribute", did_you_mean(name, route_field_names()));
      }
    });
  }

  PolicyReader& reader_;
  PolicyTests& into_;
  Diagnostics& diagnostics_;
};

/// The one document of a text; what is wrong with it goes to `diagnostics`.
std::optional<YAML::Node> parse(const std::string& text, const std::string& file, Diagnostics& diagnostics) {
  // Tests may be generated; the limit is above that of a configuration.
  YamlText read = read_yaml(text, {.values = 2'000'000});
  if (read.mistake) {
    read.mistake->file = file;
    diagnostics.add(std::move(*read.mistake));
  }
  return std::move(read.root);
}

}  // namespace

PolicyTests read_policy_tests(const std::string& path, Diagnostics& diagnostics) {
  PolicyTests tests;
  tests.file = path;
  tests.config = path;
  std::string why;
  const auto text = read_set_file(path, why);
  if (!text) {
    diagnostics.error({path, 0, 0}, "cannot read '" + path + "': " + why);
    return tests;
  }
  const auto root = parse(*text, path, diagnostics);
  if (!root) return tests;
  PolicyReader reader(path, 0, diagnostics);
  if (!root->IsMap()) {
    reader.error(*root, "must be a mapping with 'tests'");
    return tests;
  }
  // Tests in the configuration itself need no path to it.
  if (const YAML::Node config = (*root)["config"])
    tests.config = beside(path, reader.scalar(config, "a path").value_or(path));
  CasesReader cases(reader, tests, diagnostics);
  bool any = false;
  // A configuration names its tests policy_tests, so that no other section has their key.
  for (const char* key : {"tests", "policy_tests"}) {
    const YAML::Node list = (*root)[key];
    if (!list.IsDefined()) continue;
    any = true;
    cases.list(list, {});
  }
  if (!any)
    reader.error(*root, "no tests in this file", "tests: [ { name: ..., policy: ..., route: {...}, expect: accept } ]");
  if (const YAML::Node list = (*root)["equivalent_mutants"])
    reader.each_scalar(list, "a mutant's text", [&](const std::string& mutant, const YAML::Node& at) {
      tests.equivalent_mutants.emplace_back(mutant, reader.place(at));
    });
  // A file of its own has no other keys; a configuration has its own reader.
  if (tests.config != path)
    for (const auto& pair : *root)
      if (const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
          key != "config" && key != "tests" && key != "policy_tests" && key != "equivalent_mutants")
        reader.error(pair.first, "unknown key '" + key + "'",
                     did_you_mean(key, {"config", "tests", "equivalent_mutants"}));
  return tests;
}

std::optional<PolicyRoute> read_policy_route(const std::string& text, const std::string& called,
                                             Diagnostics& diagnostics) {
  const auto root = parse(text, called, diagnostics);
  if (!root) return std::nullopt;
  PolicyReader reader(called, 0, diagnostics);
  PolicyTests unused;
  PolicyRoute route;
  CasesReader(reader, unused, diagnostics).route(*root, route);
  if (diagnostics.has_errors()) return std::nullopt;
  if (!route.prefix) {
    reader.error(*root, "the route has no prefix", "{ prefix: 192.168.10.0/24, as_path: 65535 }");
    return std::nullopt;
  }
  return route;
}

}  // namespace bgplite
