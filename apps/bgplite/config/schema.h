/// Schema: the tables of keys, one function per mapping of the file, and the drafts they fill.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/keys.h>

#include <map>
#include <optional>
#include <string>

namespace bgplite {

/// `defaults:`, what every peer and tunnel begins with.
struct Defaults {
  PeerConfig peer;
  minibgp::xfrm::IkeOptions ike;
  TunnelConfig tunnel;
};

/// The configuration while files are being read.
struct Draft {
  Config config;
  Defaults defaults;
  std::map<std::string, std::string> peer_paths;  ///< Key of Config::peers -> path of its mapping, for Places.
};

/// A tunnel with the peer that is written inside it.
struct TunnelDraft {
  TunnelConfig tunnel;
  const Defaults* defaults = nullptr;
  std::optional<PeerConfig> peer;
};

[[nodiscard]] const Fields<PeerConfig>& peer_fields();
[[nodiscard]] const Fields<TunnelDraft>& tunnel_fields();
[[nodiscard]] const Fields<minibgp::xfrm::IkeOptions>& ike_fields();
[[nodiscard]] const Fields<Draft>& root_fields();

/// The sections below one table, for the documentation.
void describe_peer(std::vector<SectionDoc>& into);
void describe_tunnel(std::vector<SectionDoc>& into);

/// Copies the rows of a table.
template <typename T>
SectionDoc describe(std::string path, std::string doc, const Fields<T>& fields) {
  SectionDoc section{std::move(path), std::move(doc), {}};
  for (const Field<T>& field : fields) section.keys.push_back(field.key);
  return section;
}

}  // namespace bgplite
