#include <bgp/wire/message.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <array>

namespace minibgp::wire {
namespace {

constexpr std::size_t kMaxShutdownText = 255;  // RFC 9003 s.2.

struct CodeName {
  std::uint8_t code;
  std::uint8_t subcode;  ///< 0: the name of the code itself.
  std::string_view name;
};

// IANA "BGP Error (Notification) Codes" and their subcodes.
constexpr std::array kNames = {
    CodeName{1, 0, "Message Header Error"},
    CodeName{1, 1, "Connection Not Synchronized"},
    CodeName{1, 2, "Bad Message Length"},
    CodeName{1, 3, "Bad Message Type"},
    CodeName{2, 0, "OPEN Message Error"},
    CodeName{2, 1, "Unsupported Version Number"},
    CodeName{2, 2, "Bad Peer AS"},
    CodeName{2, 3, "Bad BGP Identifier"},
    CodeName{2, 4, "Unsupported Optional Parameter"},
    CodeName{2, 6, "Unacceptable Hold Time"},
    CodeName{2, 7, "Unsupported Capability"},
    CodeName{2, 11, "Role Mismatch"},
    CodeName{3, 0, "UPDATE Message Error"},
    CodeName{3, 1, "Malformed Attribute List"},
    CodeName{3, 2, "Unrecognized Well-known Attribute"},
    CodeName{3, 3, "Missing Well-known Attribute"},
    CodeName{3, 4, "Attribute Flags Error"},
    CodeName{3, 5, "Attribute Length Error"},
    CodeName{3, 6, "Invalid ORIGIN Attribute"},
    CodeName{3, 8, "Invalid NEXT_HOP Attribute"},
    CodeName{3, 9, "Optional Attribute Error"},
    CodeName{3, 10, "Invalid Network Field"},
    CodeName{3, 11, "Malformed AS_PATH"},
    CodeName{4, 0, "Hold Timer Expired"},
    CodeName{5, 0, "Finite State Machine Error"},
    CodeName{5, 1, "Unexpected Message in OpenSent"},
    CodeName{5, 2, "Unexpected Message in OpenConfirm"},
    CodeName{5, 3, "Unexpected Message in Established"},
    CodeName{6, 0, "Cease"},
    CodeName{6, 1, "Maximum Number of Prefixes Reached"},
    CodeName{6, 2, "Administrative Shutdown"},
    CodeName{6, 3, "Peer De-configured"},
    CodeName{6, 4, "Administrative Reset"},
    CodeName{6, 5, "Connection Rejected"},
    CodeName{6, 6, "Other Configuration Change"},
    CodeName{6, 7, "Connection Collision Resolution"},
    CodeName{6, 8, "Out of Resources"},
    CodeName{6, 9, "Hard Reset"},
    CodeName{6, 10, "BFD Down"},
    CodeName{7, 0, "ROUTE-REFRESH Message Error"},
    CodeName{7, 1, "Invalid Message Length"},
    CodeName{8, 0, "Send Hold Timer Expired"},
};

std::string_view name_of(std::uint8_t code, std::uint8_t subcode) {
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [code, subcode](const CodeName& name) {
    return name.code == code && name.subcode == subcode;
  });
  return found == kNames.end() ? std::string_view{} : found->name;
}

/// Octets of the well-formed UTF-8 character at the front of `text` (RFC 3629 s.4), or 0.
std::size_t utf8_character(std::string_view text) {
  const auto octet = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = octet(0);
  // Lead octets C0 and C1 would be overlong, and those from F5 on lie beyond U+10FFFF.
  const std::size_t size = first < 0x80                    ? 1
                           : first >= 0xC2 && first < 0xE0 ? 2
                           : (first & 0xF0U) == 0xE0       ? 3
                           : first >= 0xF0 && first < 0xF5 ? 4
                                                           : 0;
  if (size == 0 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((octet(i) & 0xC0U) != 0x80) return 0;
  // Overlong forms, UTF-16 surrogates, beyond U+10FFFF.
  if (first == 0xE0 && octet(1) < 0xA0) return 0;
  if (first == 0xED && octet(1) > 0x9F) return 0;
  if (first == 0xF0 && octet(1) < 0x90) return 0;
  if (first == 0xF4 && octet(1) > 0x8F) return 0;
  return size;
}

/// "\x1b" for everything that is no printable character: a peer must not write to the operator's terminal.
std::string escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    // 0: no valid character, so one octet is escaped.
    std::size_t size = utf8_character(text);
    // C0 and C1 controls (U+0080..U+009F are C2 80..9F), DEL, and the backslash itself.
    const bool control =
        first < 0x20 || first == 0x7F || (size == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
    if (size != 0 && !control && first != '\\') {
      out += text.substr(0, size);
    } else {
      size = std::max<std::size_t>(size, 1);
      for (const char octet : text.substr(0, size)) {
        out += "\\x";
        out.push_back(kDigits[static_cast<unsigned char>(octet) >> 4U]);
        out.push_back(kDigits[static_cast<unsigned char>(octet) & 0xFU]);
      }
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace

MessageError decode_notification(Bytes body) {
  MessageError error;
  // Code 0: not even the code is there, and nothing is assigned to it.
  if (body.size() < 2) return error;
  error.code = body[0];
  error.subcode = body[1];
  error.data.assign(body.begin() + 2, body.end());
  return error;
}

void encode_notification(const MessageError& error, std::vector<std::uint8_t>& out) {
  const std::size_t begin = begin_message(MessageType::notification, out);
  out.push_back(error.code);
  out.push_back(error.subcode);
  // Quoted attributes may be long; a NOTIFICATION that does not fit the peer's limit would be one more error.
  const std::size_t room = kMaxMessage - kHeaderSize - 2;
  const auto size = static_cast<std::ptrdiff_t>(std::min(error.data.size(), room));
  out.insert(out.end(), error.data.begin(), error.data.begin() + size);
  end_message(begin, out);
}

MessageError cease(std::uint8_t subcode, std::string_view text) {
  MessageError error{notify::kCease, subcode, {}};
  std::size_t size = 0;
  // Cut between characters: half of one would not be UTF-8.
  while (size < text.size()) {
    const std::size_t character = std::max<std::size_t>(utf8_character(text.substr(size)), 1);
    if (size + character > kMaxShutdownText) break;
    size += character;
  }
  if (size == 0) return error;
  // One octet of length, then the text.
  error.data.resize(1 + size);
  error.data[0] = static_cast<std::uint8_t>(size);
  std::copy_n(text.begin(), size, error.data.begin() + 1);
  return error;
}

std::string shutdown_text(const MessageError& error) {
  // A Hard Reset wraps the NOTIFICATION it stands for (RFC 8538 s.3.1).
  if (error.code == notify::kCease && error.subcode == notify::kHardReset && error.data.size() >= 2)
    return shutdown_text(decode_notification(error.data));
  const bool may_speak =
      error.code == notify::kCease && (error.subcode == notify::kAdminShutdown || error.subcode == notify::kAdminReset);
  if (!may_speak || error.data.empty()) return {};
  // A length beyond the message is the peer's bug (RFC 9003 s.4: log it); what is there is still worth reading.
  const std::size_t size = std::min<std::size_t>(error.data[0], error.data.size() - 1);
  return escaped({reinterpret_cast<const char*>(error.data.data()) + 1, size});
}

std::string to_text(const MessageError& error) {
  std::string out{name_of(error.code, 0)};
  if (out.empty()) out = "code " + std::to_string(error.code);
  if (error.subcode == 0) return out;
  const std::string_view subcode = name_of(error.code, error.subcode);
  out += " / ";
  out += subcode.empty() ? "subcode " + std::to_string(error.subcode) : std::string{subcode};
  return out;
}

}  // namespace minibgp::wire
