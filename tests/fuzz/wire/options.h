/// The first octet of a fuzzer's input chooses what was negotiated, so that one corpus reaches every form of a message.
#pragma once

#include <bgp/decode.h>

#include <cstdint>

namespace minibgp::fuzz {

inline DecodeOptions options_from(std::uint8_t bits) {
  DecodeOptions options;
  options.four_octet_as = (bits & 1U) == 0;
  options.peer_type = (bits & 2U) == 0 ? PeerType::ebgp : PeerType::ibgp;
  options.add_path = {(bits & 4U) != 0, (bits & 8U) != 0};
  options.extended_messages = (bits & 16U) != 0;
  options.accept_as_set = (bits & 32U) != 0;
  options.ipv4_over_ipv6_next_hop = (bits & 64U) == 0;
  options.families[1] = (bits & 128U) == 0;
  return options;
}

}  // namespace minibgp::fuzz
