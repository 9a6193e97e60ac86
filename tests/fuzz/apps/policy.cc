// Policies: read from YAML, compiled, and asked about a few routes. The quick answer and the explained one agree.
#include <apps/bgplite/config/policy_yaml.h>
#include <bgp/text.h>

#include <cstdlib>

namespace {

minibgp::PathAttributes attributes_of(int number) {
  using namespace minibgp;
  PathAttributes attributes;
  attributes.next_hop.address = IpAddress::v4(0xC0000201);
  attributes.as_path = *parse_as_path(number == 0 ? "" : number == 1 ? "65001" : "65001 65002 {3,4} 5");
  if (number > 0) attributes.med = 7;
  if (number > 1) attributes.communities = {*parse_community("65001:9"), *parse_community("no-export")};
  if (number > 1) attributes.large_communities = {*parse_large_community("65001:2:3")};
  return attributes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bgplite;
  YAML::Node root;
  try {
    root = YAML::Load(std::string{reinterpret_cast<const char*>(data), size});
  } catch (const YAML::Exception&) {
    return 0;  // load_config() says so; see yaml.cc.
  }
  Diagnostics diagnostics;
  const auto nothing = [](const std::string&, std::string& error) -> std::optional<std::string> {
    error = "no such file";
    return std::nullopt;
  };
  const PolicySources sources = read_policy_sources({{"p.yaml", root}}, {}, diagnostics, nothing);
  const auto policies = compile_policy_sources(sources, {}, diagnostics);
  static_cast<void>(diagnostics.to_text());
  for (const auto& [name, definition] : policies) {
    for (int i = 0; i < 3; ++i) {
      const minibgp::PathAttributes given = attributes_of(i);
      minibgp::PolicyContext context;
      context.prefix = *minibgp::parse_prefix(i == 0 ? "0.0.0.0/0" : i == 1 ? "10.0.0.0/8" : "2001:db8::/48");
      context.direction = i == 0 ? minibgp::Direction::export_ : minibgp::Direction::import;
      context.peer = "cloud-1", context.peer_address = "192.0.2.9", context.tunnel = "ipsec0";
      context.local_as = minibgp::Asn{65001}, context.peer_as = minibgp::Asn{65002};
      const minibgp::Judgement judged = definition.compiled->judge(given, context);
      const minibgp::PolicyTrace traced = definition.compiled->trace(given, context);
      if (judged.accepted != traced.accepted) std::abort();
      if (!judged.accepted) continue;
      minibgp::PathAttributes edited = given;
      definition.compiled->apply(judged.outcome, context, edited);
      if (!(edited == traced.result)) std::abort();
    }
  }
  return 0;
}
