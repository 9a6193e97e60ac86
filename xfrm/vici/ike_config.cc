#include <bgp/text.h>
#include <xfrm/vici/ike_config.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

namespace minibgp::xfrm::vici {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    // Empty parts are left out: "a,,b" is two.
    const auto end = std::min(text.find(separator), text.size());
    if (const auto part = trim(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string seconds(std::chrono::seconds time) { return std::to_string(time.count()) + "s"; }

void add_unless_empty(Section& section, std::string_view name, const std::string& value) {
  if (!value.empty()) section.add(name, value);
}
void add_unless_empty(Section& section, std::string_view name, std::vector<std::string> items) {
  if (!items.empty()) section.add_list(name, std::move(items));
}
void add_unless_zero(Section& section, std::string_view name, std::chrono::seconds time) {
  if (time.count() != 0) section.add(name, seconds(time));
}

std::string if_id_text(std::uint32_t if_id) { return std::to_string(if_id); }

/// Everything, of each family the tunnel has an address of.
std::vector<std::string> default_selectors(const TunnelOptions& tunnel) {
  std::vector<std::string> selectors{"0.0.0.0/0"};
  const bool has_v6 = std::any_of(tunnel.addresses.begin(), tunnel.addresses.end(),
                                  [](const InterfaceAddress& it) { return it.address.family == Family::ipv6; });
  // Only where the tunnel has such an address: a peer that does not know IPv6 would refuse both.
  if (has_v6) selectors.emplace_back("::/0");
  return selectors;
}

Section child_message(const TunnelOptions& tunnel, const IkeOptions& ike) {
  Section child;
  const bool everything = tunnel.mode == Mode::interface;
  // In mode policy the selectors are the configuration's; check() sees that there are some.
  add_unless_empty(child, "local_ts", ike.local_ts.empty() && everything ? default_selectors(tunnel) : ike.local_ts);
  add_unless_empty(child, "remote_ts", ike.remote_ts.empty() && everything ? default_selectors(tunnel) : ike.remote_ts);
  child.add("mode", "tunnel");
  add_unless_empty(child, "esp_proposals", split(ike.esp_proposals, ','));
  add_unless_zero(child, "rekey_time", ike.child_rekey_time);
  add_unless_zero(child, "life_time", ike.child_life_time);
  // With charon's own "start", a foreign `swanctl --load-all` that unloads the connection also closes its SA. The
  // keeper starts it instead.
  child.add("start_action", ike.start_action == "start" ? "none" : ike.start_action);
  add_unless_empty(child, "dpd_action", ike.dpd_action);
  add_unless_empty(child, "close_action", ike.close_action);
  if (ike.priority != 0) child.add("priority", std::to_string(ike.priority));
  if (ike.replay_window != 0) child.add("replay_window", std::to_string(ike.replay_window));
  if (tunnel.mode == Mode::interface) {
    child.add("if_id_in", if_id_text(tunnel.if_id));
    child.add("if_id_out", if_id_text(tunnel.if_id));
  }
  // Last: what the operator writes as charon's own options stands.
  for (const auto& [name, value] : ike.child_extra) child.add(name, value);
  return child;
}

std::optional<std::string> from_hex(std::string_view digits) {
  const auto nibble = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(digits.size() / 2);  // Growing would leave copies of the key behind.
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = nibble(digits[i]);
    const int low = nibble(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  // Four characters are three octets; one character alone is less than an octet.
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size());  // Growing would leave copies of the key behind.
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>((bits >> count) & 0xFFU));
    }
  }
  return out;
}

/// What may follow a keyword. Anything else makes another keyword of it (ecp256bp, sha256_96, aes128gmac).
enum class Ending : std::uint8_t { none, key_length, tag_length };

/// A keyword of a proposal and what charon must have loaded for it.
struct Algorithm {
  std::string_view keyword;
  std::string_view section;  ///< Of get-algorithms.
  std::string_view name;     ///< There.
  std::string_view plugins;  ///< That implement it.
  Ending ending = Ending::none;
};

constexpr std::array kAlgorithms = {
    Algorithm{"chacha20poly1305", "aead", "CHACHA20_POLY1305", "chapoly or openssl"},
    Algorithm{"aes128gcm", "aead", "AES_GCM_16", "gcm, openssl or aesni", Ending::tag_length},
    Algorithm{"aes192gcm", "aead", "AES_GCM_16", "gcm, openssl or aesni", Ending::tag_length},
    Algorithm{"aes256gcm", "aead", "AES_GCM_16", "gcm, openssl or aesni", Ending::tag_length},
    Algorithm{"aes128ccm", "aead", "AES_CCM_16", "ccm or aesni", Ending::tag_length},
    Algorithm{"aes192ccm", "aead", "AES_CCM_16", "ccm or aesni", Ending::tag_length},
    Algorithm{"aes256ccm", "aead", "AES_CCM_16", "ccm or aesni", Ending::tag_length},
    Algorithm{"aes128ctr", "encryption", "AES_CTR", "ctr, gcrypt or openssl"},
    Algorithm{"aes192ctr", "encryption", "AES_CTR", "ctr, gcrypt or openssl"},
    Algorithm{"aes256ctr", "encryption", "AES_CTR", "ctr, gcrypt or openssl"},
    Algorithm{"aesxcbc", "integrity", "AES_XCBC_96", "xcbc"},
    Algorithm{"aescmac", "integrity", "AES_CMAC_96", "cmac"},
    Algorithm{"aes", "encryption", "AES_CBC", "aes or openssl", Ending::key_length},
    Algorithm{"3des", "encryption", "3DES_CBC", "des or openssl"},
    Algorithm{"camellia", "encryption", "CAMELLIA_CBC", "gcrypt or openssl", Ending::key_length},
    Algorithm{"md5", "integrity", "HMAC_MD5_96", "md5 with hmac, or openssl"},
    Algorithm{"sha1", "integrity", "HMAC_SHA1_96", "sha1 with hmac, or openssl"},
    Algorithm{"sha256", "integrity", "HMAC_SHA2_256_128", "sha2 with hmac, or openssl"},
    Algorithm{"sha2_256", "integrity", "HMAC_SHA2_256_128", "sha2 with hmac, or openssl"},
    Algorithm{"sha384", "integrity", "HMAC_SHA2_384_192", "sha2 with hmac, or openssl"},
    Algorithm{"sha2_384", "integrity", "HMAC_SHA2_384_192", "sha2 with hmac, or openssl"},
    Algorithm{"sha512", "integrity", "HMAC_SHA2_512_256", "sha2 with hmac, or openssl"},
    Algorithm{"sha2_512", "integrity", "HMAC_SHA2_512_256", "sha2 with hmac, or openssl"},
    Algorithm{"sha", "integrity", "HMAC_SHA1_96", "sha1 with hmac, or openssl"},
    Algorithm{"prfsha1", "prf", "PRF_HMAC_SHA1", "sha1 with hmac, or openssl"},
    Algorithm{"prfsha256", "prf", "PRF_HMAC_SHA2_256", "sha2 with hmac, or openssl"},
    Algorithm{"prfsha384", "prf", "PRF_HMAC_SHA2_384", "sha2 with hmac, or openssl"},
    Algorithm{"prfsha512", "prf", "PRF_HMAC_SHA2_512", "sha2 with hmac, or openssl"},
    Algorithm{"modp1024s160", "ke", "MODP_1024_160", "gmp or gcrypt"},
    Algorithm{"modp2048s224", "ke", "MODP_2048_224", "gmp or gcrypt"},
    Algorithm{"modp2048s256", "ke", "MODP_2048_256", "gmp or gcrypt"},
    Algorithm{"modp768", "ke", "MODP_768", "gmp, gcrypt or openssl"},
    Algorithm{"modp1024", "ke", "MODP_1024", "gmp, gcrypt or openssl"},
    Algorithm{"modp1536", "ke", "MODP_1536", "gmp, gcrypt or openssl"},
    Algorithm{"modp2048", "ke", "MODP_2048", "gmp, gcrypt or openssl"},
    Algorithm{"modp3072", "ke", "MODP_3072", "gmp, gcrypt or openssl"},
    Algorithm{"modp4096", "ke", "MODP_4096", "gmp, gcrypt or openssl"},
    Algorithm{"modp6144", "ke", "MODP_6144", "gmp, gcrypt or openssl"},
    Algorithm{"modp8192", "ke", "MODP_8192", "gmp, gcrypt or openssl"},
    Algorithm{"ecp192", "ke", "ECP_192", "openssl"},
    Algorithm{"ecp224", "ke", "ECP_224", "openssl"},
    Algorithm{"ecp256", "ke", "ECP_256", "openssl"},
    Algorithm{"ecp384", "ke", "ECP_384", "openssl"},
    Algorithm{"ecp521", "ke", "ECP_521", "openssl"},
    Algorithm{"x25519", "ke", "CURVE_25519", "curve25519 or openssl"},
    Algorithm{"curve25519", "ke", "CURVE_25519", "curve25519 or openssl"},
    Algorithm{"x448", "ke", "CURVE_448", "openssl"},
};

bool may_end(Ending ending, std::string_view rest) {
  switch (ending) {
    case Ending::none:
      return rest.empty();
    case Ending::key_length:
      return rest.empty() || rest == "128" || rest == "192" || rest == "256";
    case Ending::tag_length:
      // In octets or bits. Shorter tags are algorithms of their own.
      return rest == "16" || rest == "128";
  }
  return false;
}

const Algorithm* find_algorithm(std::string_view token) {
  // A token without a row is not judged: there are more keywords than these.
  const auto found = std::find_if(kAlgorithms.begin(), kAlgorithms.end(), [&](const Algorithm& it) {
    return token.starts_with(it.keyword) && may_end(it.ending, token.substr(it.keyword.size()));
  });
  return found == kAlgorithms.end() ? nullptr : &*found;
}

bool has_algorithm(const Section& algorithms, const Algorithm& algorithm) {
  // Key exchange methods were called "dh" before strongSwan 6.
  const Section* section = algorithms.section(algorithm.section);
  if (!section && algorithm.section == "ke") section = algorithms.section("dh");
  if (!section) return false;
  const auto entries = section->entries();
  return std::any_of(entries.begin(), entries.end(), [&](const Entry& it) { return it.name == algorithm.name; });
}

/// What charon takes when it is given none: a tenth of the time to the next IKE_SA.
std::chrono::seconds over_time(const IkeOptions& ike) {
  constexpr std::chrono::seconds kCharonsRekeyTime = std::chrono::hours{4};
  if (ike.over_time.count() != 0) return ike.over_time;
  // charon uses the longer of the two.
  const std::chrono::seconds next = std::max(ike.rekey_time, ike.reauth_time);
  return (next.count() != 0 ? next : kCharonsRekeyTime) / 10;
}

}  // namespace

std::string connection_name(const TunnelOptions& tunnel) {
  return tunnel.ike ? std::string{kOurPrefix} + tunnel.name : tunnel.watch_connection;
}

std::vector<std::string> key_owners(const IkeOptions& ike) {
  std::vector<std::string> owners;
  const auto add = [&](const std::string& id, const std::vector<std::string>& addresses) {
    // An id stands for the peer whatever its address is.
    if (!id.empty()) {
      owners.push_back(id);
    } else {
      owners.insert(owners.end(), addresses.begin(), addresses.end());
    }
  };
  add(ike.local_id, ike.local_addresses);
  add(ike.remote_id, ike.remote_addresses);
  return owners;
}

Section load_conn_message(const TunnelOptions& tunnel, ConnectionForm form) {
  const IkeOptions& ike = *tunnel.ike;
  Section connection;
  connection.add("version", std::to_string(ike.version));
  add_unless_empty(connection, "local_addrs", ike.local_addresses);
  add_unless_empty(connection, "remote_addrs", ike.remote_addresses);
  add_unless_empty(connection, "proposals", split(ike.proposals, ','));
  connection.add("encap", ike.encap ? "yes" : "no");
  connection.add("mobike", ike.mobike ? "yes" : "no");
  add_unless_zero(connection, "dpd_delay", ike.dpd_delay);
  add_unless_zero(connection, "dpd_timeout", ike.dpd_timeout);
  connection.add("keyingtries", std::to_string(ike.keyingtries));
  add_unless_empty(connection, "unique", ike.unique);
  add_unless_zero(connection, "rekey_time", ike.rekey_time);
  add_unless_zero(connection, "reauth_time", ike.reauth_time);
  // The form is a second more for each: a difference that makes charon see another connection, and nothing else.
  add_unless_zero(connection, "over_time", form == 0 ? ike.over_time : over_time(ike) + std::chrono::seconds{form});
  for (const auto& [name, value] : ike.extra) connection.add(name, value);

  Section local;
  local.add("auth", ike.local_auth);
  add_unless_empty(local, "id", ike.local_id);
  for (std::size_t i = 0; i < ike.certificates.size(); ++i)
    local.add_section("cert" + std::to_string(i), Section{}.add("file", ike.certificates[i]));
  connection.add_section("local", std::move(local));

  Section remote;
  remote.add("auth", ike.remote_auth);
  // Without an id charon takes whoever has the key.
  // An address is what such a peer sends as its identity by default.
  const bool address = ike.remote_addresses.size() == 1 && parse_address(ike.remote_addresses.front());
  add_unless_empty(remote, "id", ike.remote_id.empty() && address ? ike.remote_addresses.front() : ike.remote_id);
  connection.add_section("remote", std::move(remote));

  connection.add_section("children", Section{}.add_section(tunnel.name, child_message(tunnel, ike)));
  return Section{}.add_section(connection_name(tunnel), std::move(connection));
}

Section load_shared_message(const TunnelOptions& tunnel, std::string_view key) {
  Section message;
  message.add("id", connection_name(tunnel));
  message.add("type", "IKE");
  message.add("data", key);
  message.add_list("owners", key_owners(*tunnel.ike));
  return message;
}

std::string_view to_text(KeyError error) {
  switch (error) {
    case KeyError::empty:
      return "the file holds no key";
    case KeyError::bad_hex:
      return "what follows 0x is not hexadecimal";
    case KeyError::bad_base64:
      return "what follows 0s is not base64";
  }
  return "?";
}

Result<std::string, KeyError> parse_key(std::string_view file_text) {
  // Only the first line: editors put a newline at the end, and a key has none inside.
  std::string_view line = file_text.substr(0, std::min(file_text.find('\n'), file_text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return unexpected(KeyError::empty);
  if (line.starts_with("0x")) {
    auto key = from_hex(line.substr(2));
    if (!key || key->empty()) return unexpected(KeyError::bad_hex);
    // Moved: a copy of the key would not be wiped.
    return std::move(*key);
  }
  if (line.starts_with("0s")) {
    auto key = from_base64(line.substr(2));
    if (!key || key->empty()) return unexpected(KeyError::bad_base64);
    return std::move(*key);
  }
  return std::string{line};
}

std::vector<Complaint> check(const TunnelOptions& tunnel) {
  std::vector<Complaint> complaints;
  const auto error = [&](std::string_view key, std::string text, std::string_view hint = {}) {
    complaints.push_back({Complaint::Weight::error, key, std::move(text), hint});
  };
  const auto missing = [&](std::string_view key, std::string text, std::string_view hint = {}) {
    error(key, std::move(text), hint);
    complaints.back().missing = true;
  };
  const auto warning = [&](std::string_view key, std::string text, std::string_view hint = {}) {
    complaints.push_back({Complaint::Weight::warning, key, std::move(text), hint});
  };
  const std::string name = "tunnel " + tunnel.name;
  if (!tunnel.ike) {
    if (tunnel.mode == Mode::policy && tunnel.watch_connection.empty())
      error("connection", name + " has mode policy and no 'ike': it needs charon's name of its connection");
    return complaints;
  }
  const IkeOptions& ike = *tunnel.ike;

  if (ike.version != 1 && ike.version != 2) error("ike.version", "the IKE version is 1 or 2");
  if (ike.remote_addresses.empty()) missing("ike.remote.address", name + " needs 'remote: { address: ... }'");
  if (ike.version == 1 && (ike.local_ts.size() > 1 || ike.remote_ts.size() > 1))
    error("ike.local_ts", "IKEv1 negotiates one CIDR block on each side", "version: 2");
  if (tunnel.mode == Mode::policy) {
    if (ike.local_ts.empty()) missing("ike.local_ts", name + " has mode policy and needs 'local_ts'");
    if (ike.remote_ts.empty()) missing("ike.remote_ts", name + " has mode policy and needs 'remote_ts'");
  }
  if ((ike.local_auth == "psk" || ike.remote_auth == "psk") && ike.psk_file.empty())
    missing("ike.psk_file", name + " needs a 'psk_file'", "or auth: pubkey on both sides");
  if (ike.child_life_time.count() != 0 && ike.child_rekey_time >= ike.child_life_time)
    error("ike.child.rekey_time", "child.rekey_time " + seconds(ike.child_rekey_time) +
                                      " is not before child.life_time " + seconds(ike.child_life_time));
  if (const auto frame = encode_packet({PacketType::cmd_request, "load-conn", load_conn_message(tunnel)}); !frame)
    error("ike", name + " does not fit a message to charon: " + std::string{to_text(frame.error())});
  if (ike.mobike) {
    if (ike.version == 1) {
      error("ike.mobike", "MOBIKE needs IKE version 2");
    } else {
      warning("ike.mobike", "MOBIKE lets a peer with two addresses move this tunnel onto the other one's address");
    }
  }
  // charon's own rekey_time of a child.
  constexpr std::chrono::seconds kChildRekeyTime{3600};
  if (ike.child_rekey_time.count() == 0 && ike.child_life_time.count() != 0 && ike.child_life_time <= kChildRekeyTime)
    warning("ike.child.life_time",
            "child.life_time " + seconds(ike.child_life_time) + " without child.rekey_time, which is " +
                seconds(kChildRekeyTime) + " then: the SA ends before we renew it",
            "child: { rekey_time: ... }, at most nine tenths of life_time");
  if (ike.dpd_delay.count() == 0)
    warning("ike.dpd_delay", "without dpd_delay charon never notices that the peer is gone");
  if (ike.keyingtries != 0)
    warning("ike.keyingtries", "charon gives up after " + std::to_string(ike.keyingtries) + " tries of an outage",
            "keyingtries: 0");
  return complaints;
}

std::vector<std::string> missing_algorithms(const IkeOptions& ike, const Section& algorithms) {
  std::vector<std::string> sentences;
  // ESP is done by the kernel: of its proposals only the key exchange is charon's.
  const auto examine = [&](const std::string& proposals, std::string_view what, bool key_exchange_only) {
    for (const std::string& proposal : split(proposals, ',')) {
      const std::vector<std::string> tokens = split(proposal, '-');
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const Algorithm* needed = find_algorithm(tokens[i]);
        if (!needed || (key_exchange_only && needed->section != "ke") || has_algorithm(algorithms, *needed)) continue;
        std::string sentence{what};
        sentence += " " + proposal + ": charon has not loaded " + std::string{needed->name} + " (plugin " +
                    std::string{needed->plugins} + ")";
        if (std::find(sentences.begin(), sentences.end(), sentence) == sentences.end()) sentences.push_back(sentence);
      }
    }
  };
  examine(ike.proposals, "proposal", false);
  examine(ike.esp_proposals, "ESP proposal", true);
  return sentences;
}

std::chrono::milliseconds give_up_after(const Retransmission& retransmission) {
  double total_s = 0;
  double wait_s = retransmission.timeout_s;
  // One wait after each packet, the first one included, before charon gives up.
  for (unsigned i = 0; i <= retransmission.tries; ++i, wait_s *= retransmission.base) total_s += wait_s;
  return std::chrono::milliseconds{std::llround(total_s * 1000.0)};
}

std::chrono::milliseconds worst_detection(const IkeOptions& ike, const Retransmission& retransmission) {
  // IKEv1 has a timeout of its own (150 s unless set) that replaces the retransmissions.
  if (ike.version == 1) {
    constexpr std::chrono::seconds kIkev1Timeout{150};
    return ike.dpd_timeout.count() != 0 ? ike.dpd_timeout : kIkev1Timeout;
  }
  return ike.dpd_delay + give_up_after(retransmission);
}

}  // namespace minibgp::xfrm::vici
