/// `bgplite decode` and `bgplite encode`: BGP messages to JSON and back. The same functions the daemon reads its peers
/// with.
#pragma once

#include <apps/bgplite/cli/verbs.h>
#include <bgp/decode.h>

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace bgplite::cli {

/// What was not given is read off the input where it can be (the OPENs of a capture, the records of an MRT file), and
/// is otherwise the default of minibgp::DecodeOptions.
struct DecodeVerb {
  std::string file = "-";       ///< "-": standard input.
  std::string format = "auto";  ///< auto, hex, raw, pcap, mrt.
  std::optional<bool> four_octet_as = std::nullopt;
  std::vector<std::string> add_path = {};  ///< "ipv4", "ipv6".
  std::optional<minibgp::PeerType> peer_type = std::nullopt;
  bool extended_messages = false;
};

/// One JSON object a line to `out`. bad_input when the input is cut or of no known form: everything before was printed.
/// What is wrong with a message is part of its JSON and no failure of the verb.
Exit run_decode(const DecodeVerb& verb, std::ostream& out);

/// JSON objects as decode prints them (one a line, or one list) to hex, one message a line.
Exit run_encode(const DecodeVerb& verb, std::ostream& out);

}  // namespace bgplite::cli
