/// Listeners: where peers may connect to us, as `listen` of the configuration says.
#pragma once

#include <apps/bgplite/config/config.h>
#include <bgp/result.h>
#include <bgp/speaker.h>

#include <string>

namespace bgplite {

/// The error is a sentence with what to do.
[[nodiscard]] minibgp::Result<void, std::string> open_listeners(minibgp::Speaker& speaker, const ListenConfig& config);

}  // namespace bgplite
