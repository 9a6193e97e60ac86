/// Policies and their sets, from YAML. Keys at the root of a document: policies, prefix_sets, asn_sets, community_sets,
/// extended_community_sets, large_community_sets, next_hop_sets. The language: docs/policy.md. All mistakes at once,
/// each with file, line and column.
#pragma once

#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/policy_sources.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace bgplite {

/// One parsed document and the file it came from.
struct PolicyDocument {
  std::string file;
  YAML::Node root;
};

/// What `path` means where `file` names it: relative to the folder of `file`.
[[nodiscard]] std::string beside(const std::string& file, const std::string& path);

/// Files that sets name (`file:`, `bgpq4:`), relative to the document's directory.
using ReadSetFile = std::function<std::optional<std::string>(const std::string& path, std::string& error)>;
/// The host's. One of more than 512 MiB is refused.
[[nodiscard]] std::optional<std::string> read_set_file(const std::string& path, std::string& error);

/// Policies that are written where they are attached: name -> file and terms. The names are such that nobody can write.
using InlinePolicies = std::map<std::string, std::pair<std::string, YAML::Node>>;

[[nodiscard]] PolicySources read_policy_sources(const std::vector<PolicyDocument>& documents,
                                                const InlinePolicies& in_place, Diagnostics& diagnostics,
                                                const ReadSetFile& read = read_set_file);

}  // namespace bgplite
