#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/peer_key.h>

#include <string>

namespace bgplite {

std::optional<minibgp::Secret> key_on_disk(const Gateway& gateway, minibgp::PeerId peer, Logging& log) {
  const PeerConfig* config = gateway.peer_config(peer);
  if (config == nullptr || config->md5_file.empty()) return std::nullopt;
  std::string why;
  if (const auto text = host_files_and_keys().key(config->md5_file, why)) return minibgp::Secret{*text};
  log.error(minibgp::LogArea::config, "peer " + gateway.peers().name_of(peer) + ": " + why + ": the key in use stays");
  return std::nullopt;
}

}  // namespace bgplite
