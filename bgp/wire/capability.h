/// Capabilities (RFC 5492): each one's bytes and back, and its name.
#pragma once

#include <bgp/types.h>
#include <bgp/wire/open.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace minibgp::wire {

/// Reads one capability into `out`. False: its value does not have the form its RFC gives it.
[[nodiscard]] bool decode_capability(std::uint8_t code, Bytes value, Capabilities& out);

/// Appends every capability that is set, each as code, length, value.
void encode_capabilities(const Capabilities& capabilities, std::vector<std::uint8_t>& out);

/// "graceful restart"; empty when we have no name for the code. Static storage.
[[nodiscard]] std::string_view capability_name(std::uint8_t code);

}  // namespace minibgp::wire
