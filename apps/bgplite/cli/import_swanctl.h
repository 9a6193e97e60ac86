/// swanctl.conf -> the `tunnels` section: one tunnel for each connection and its child. What is not carried over is
/// listed with its line and the reason. Keys are never part of the result: it names the files they have to go to. Pure.
#pragma once

#include <apps/bgplite/cli/import.h>
#include <bgp/result.h>

#include <string>
#include <string_view>

namespace bgplite::cli {

/// The error is "LINE: what is wrong".
[[nodiscard]] minibgp::Result<Imported, std::string> import_swanctl(std::string_view swanctl_conf);

}  // namespace bgplite::cli
