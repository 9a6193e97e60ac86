/// check: what a configuration means as a whole: things that are missing, contradict each other, or work but probably
/// not as meant. Pure: it looks at nothing but the Config.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/reader.h>

#include <map>
#include <string>

namespace bgplite {

/// `peer_paths`: key of Config::peers -> path of its mapping in `places`. All findings are added to `diagnostics`.
void check(const Config& config, const std::map<std::string, std::string>& peer_paths, const Places& places,
           Diagnostics& diagnostics);

/// The tunnel's selectors are every address of a family on both sides, in one piece or in several.
[[nodiscard]] bool takes_everything(const minibgp::xfrm::TunnelOptions& tunnel);

}  // namespace bgplite
