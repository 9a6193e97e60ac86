/// The TCP key of a peer, as its file holds it now: it may have been replaced since the configuration was read.
#pragma once

#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/logging.h>

#include <optional>

namespace bgplite {

/// As inputs carry it. Empty: the peer has no key file, or the file cannot be read, which is logged.
[[nodiscard]] std::optional<minibgp::Secret> key_on_disk(const Gateway& gateway, minibgp::PeerId peer, Logging& log);

}  // namespace bgplite
