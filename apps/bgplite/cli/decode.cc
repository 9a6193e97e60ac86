#include <apps/bgplite/cli/capture_file.h>
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/decode.h>
#include <apps/bgplite/cli/message_json.h>
#include <apps/bgplite/json_text.h>
#include <bgp/mrt.h>
#include <bgp/text.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
using minibgp::Bytes;
using minibgp::DecodedMessage;
using minibgp::DecodeOptions;
using minibgp::PeerType;

constexpr std::size_t kHeader = 19, kMarker = 16;
constexpr std::uint8_t kHeaderError = 1;  // NOTIFICATION code.

DecodeOptions options_of(const DecodeVerb& verb) {
  DecodeOptions options;
  // 4 octets and eBGP where nothing is said: what most sessions are.
  options.four_octet_as = verb.four_octet_as.value_or(true);
  options.peer_type = verb.peer_type.value_or(PeerType::ebgp);
  options.extended_messages = verb.extended_messages;
  for (const std::string& family : verb.add_path) options.add_path[family == "ipv6" ? 1 : 0] = true;
  return options;
}

void print(Json head, const DecodedMessage& decoded, std::ostream& out) {
  // replace: text of a peer (a shutdown communication) need not be UTF-8.
  head.update(to_json(decoded));
  out << head.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

/// Octets in, whole messages out. After a wrong header it goes on at the next marker.
class MessageStream {
 public:
  using Take = std::function<void(const DecodedMessage&)>;

  void feed(Bytes octets, const std::function<DecodeOptions()>& options, const Take& take) {
    buffer_.insert(buffer_.end(), octets.begin(), octets.end());
    // After a gap the next message begins at a marker; what is in front of it is the rest of a lost one.
    std::size_t at = behind_gap_ ? marker(buffer_, 0) : 0;
    // A marker, or too little left to tell: then the search goes on with the next octets.
    if (buffer_.size() - at >= kMarker) behind_gap_ = false;
    while (buffer_.size() - at >= kHeader) {
      const Bytes left = Bytes{buffer_}.subspan(at);
      // Asked for each message: an OPEN changes how those behind it are read.
      DecodedMessage decoded = minibgp::decode_message(left, options());
      // The message is not complete yet.
      if (decoded.octets == 0) break;
      // The length in a wrong header means nothing, so the next marker is looked for.
      if (decoded.notification.code == kHeaderError) decoded.octets = marker(left, 1);
      take(decoded);
      at += decoded.octets;
    }
    // Once for all messages of this call: erasing at the front costs what is behind.
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  /// What did not become a message.
  [[nodiscard]] std::size_t left() const { return buffer_.size(); }
  /// Octets are missing here: the message that was begun is lost, and the next one begins at a marker.
  void on_gap() {
    buffer_.clear();
    behind_gap_ = true;
  }

 private:
  /// Where a marker begins, at `from` or later. None: where the tail begins that may become one.
  static std::size_t marker(Bytes octets, std::size_t from) {
    const auto begin = octets.begin() + static_cast<std::ptrdiff_t>(from);
    const auto found = std::search_n(begin, octets.end(), kMarker, std::uint8_t{0xFF});
    if (found != octets.end()) return static_cast<std::size_t>(found - octets.begin());
    std::size_t tail = octets.size();
    // Octets 0xFF at the end may be the begin of a marker.
    while (tail > from && octets[tail - 1] == 0xFF) --tail;
    return tail;
  }

  std::vector<std::uint8_t> buffer_;
  bool behind_gap_ = false;
};

Exit cut(const DecodeVerb& verb, const std::string& what) { return fail(Exit::bad_input, verb.file + ": " + what); }

// --- Hex and raw octets ---------------------------------------------------------------------------------------------

Exit decode_octets(const DecodeVerb& verb, Bytes octets, std::ostream& out) {
  MessageStream stream;
  stream.feed(
      octets, [&verb] { return options_of(verb); },
      [&out](const DecodedMessage& decoded) { print(Json::object(), decoded, out); });
  if (stream.left() == 0) return Exit::ok;
  return cut(verb, "the last message is cut: " + std::to_string(stream.left()) + " octets of it");
}

/// White space, colons, and the rest of a line behind '#' are no digits.
std::optional<std::vector<std::uint8_t>> octets_of_hex(Bytes text, std::string& error) {
  std::vector<std::uint8_t> octets;
  bool comment = false, half = false;
  std::size_t line = 1;
  for (const std::uint8_t c : text) {
    // Before the check for comments: a line's end is white space, too.
    if (c == '\n') comment = false, ++line;
    if (c == '#') comment = true;
    if (comment || c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == ':') continue;
    const bool upper = c >= 'A' && c <= 'F', lower = c >= 'a' && c <= 'f';
    if (!upper && !lower && (c < '0' || c > '9')) {
      error = "line " + std::to_string(line) + ": not a hex digit, and the file is no capture and no MRT archive";
      return std::nullopt;
    }
    const int digit = upper ? c - 'A' + 10 : lower ? c - 'a' + 10 : c - '0';
    if (half)
      octets.back() = static_cast<std::uint8_t>(octets.back() * 16 + digit);
    else
      octets.push_back(static_cast<std::uint8_t>(digit));
    half = !half;
  }
  if (half) {
    error = "line " + std::to_string(line) + ": half an octet at the end";
    return std::nullopt;
  }
  return octets;
}

// --- Captures -------------------------------------------------------------------------------------------------------

/// From the lower to the higher end of a connection, or back.
enum class Way : std::uint8_t { forth, back };

/// Both directions of one connection, and what their OPENs said.
class CapturedSession {
 public:
  struct Direction {
    MessageStream stream;
    std::optional<minibgp::OpenMessage> open;
  };
  Direction& direction(Way way) { return directions_[static_cast<std::size_t>(way)]; }

  /// How to read what goes `way`: what both announced, unless the command line knows better.
  DecodeOptions options(const DecodeVerb& verb, Way way) {
    DecodeOptions options = options_of(verb);
    // Until both OPENs were seen the command line's options hold.
    const auto& sender = direction(way).open;
    const auto& receiver = direction(way == Way::forth ? Way::back : Way::forth).open;
    if (!sender || !receiver) return options;
    const auto& says = sender->capabilities;
    const auto& takes = receiver->capabilities;
    if (!verb.four_octet_as) options.four_octet_as = says.four_octet_as && takes.four_octet_as;
    // The AS of the OPEN, or of its capability for AS numbers with four octets.
    if (!verb.peer_type) options.peer_type = sender->asn == receiver->asn ? PeerType::ibgp : PeerType::ebgp;
    options.extended_messages |= says.extended_messages && takes.extended_messages;
    for (std::size_t i = 0; i < minibgp::kFamilies; ++i)
      // RFC 7911 s.4: the sender can send (2), and the receiver can receive (1).
      options.add_path[i] |= (says.add_path[i] & 2U) != 0 && (takes.add_path[i] & 1U) != 0;
    return options;
  }

 private:
  std::array<Direction, 2> directions_;
};

Exit decode_capture(const DecodeVerb& verb, Bytes file, std::ostream& out) {
  constexpr std::uint16_t kBgpPort = 179;
  std::map<FlowKey, CapturedSession> sessions;
  // Of both directions one key is the smaller, which names the session.
  const auto way = [](const FlowKey& key) { return key < reversed(key) ? Way::forth : Way::back; };
  const auto session_of = [&](const FlowKey& key) -> CapturedSession& {
    return sessions[way(key) == Way::forth ? key : reversed(key)];
  };
  CaptureSink sink;
  // A new connection on the same ports: its OPEN comes anew.
  sink.begin = [&](const FlowKey& key) { session_of(key).direction(way(key)) = {}; };
  sink.gap = [&](const FlowKey& key) { session_of(key).direction(way(key)).stream.on_gap(); };
  std::size_t bgp_octets = 0;
  sink.octets = [&](const FlowKey& key, Bytes octets, std::uint64_t time_us) {
    // Other connections were put together as well, but hold no BGP.
    if (key.source_port != kBgpPort && key.destination_port != kBgpPort) return;
    bgp_octets += octets.size();
    CapturedSession& session = session_of(key);
    CapturedSession::Direction& direction = session.direction(way(key));
    const Json head{{"time", static_cast<double>(time_us) / 1e6},
                    {"from", end_text(key.source, key.source_port)},
                    {"to", end_text(key.destination, key.destination_port)}};
    direction.stream.feed(
        octets, [&] { return session.options(verb, way(key)); },
        [&](const DecodedMessage& decoded) {
          if (const auto* open = std::get_if<minibgp::OpenMessage>(&decoded.value)) direction.open = *open;
          print(head, decoded, out);
        });
  };
  std::vector<std::string> missing;
  const auto error = read_capture(file, sink, missing);
  for (auto& [key, session] : sessions) {
    for (const FlowKey& flow : {key, reversed(key)}) {
      const std::size_t left = session.direction(way(flow)).stream.left();
      if (left == 0) continue;
      missing.push_back(end_text(flow.source, flow.source_port) + ": " + std::to_string(left) +
                        " octets of a message that the capture does not complete");
    }
  }
  // Otherwise an empty answer would look like one.
  if (bgp_octets == 0 && !error)
    missing.push_back("no BGP in this capture: it holds no TCP segment with data from or to port 179");
  for (const std::string& line : missing) std::cerr << "bgplite: " << verb.file << ": " << line << '\n';
  if (error) return cut(verb, *error);
  return missing.empty() ? Exit::ok : Exit::bad_input;
}

// --- MRT ------------------------------------------------------------------------------------------------------------

/// A record's type is one of the few that exist, and its length fits. Every capture and every text fails this.
bool is_mrt(Bytes file) {
  if (file.size() < 12) return false;
  // 12 TABLE_DUMP, 13 TABLE_DUMP_V2, 16 BGP4MP, 17 BGP4MP_ET (RFC 6396 s.4).
  const unsigned type = file[4] * 256U + file[5];
  return type == 12 || type == 13 || type == 16 || type == 17;
}

Json head_of(const minibgp::MrtRecord& record) {
  Json head{{"time", record.time_s + static_cast<double>(record.time_us) / 1e6}, {"offset", record.offset}};
  // These have no peer.
  if (record.kind == minibgp::MrtRecord::Kind::skipped || record.kind == minibgp::MrtRecord::Kind::peer_table)
    return head;
  head["peer"] = minibgp::to_text(record.peer.address);
  head["peer_as"] = static_cast<std::uint32_t>(record.peer.asn);
  return head;
}

void print_record(const DecodeVerb& verb, const minibgp::MrtReader& reader, const minibgp::MrtRecord& record,
                  std::ostream& out) {
  using Kind = minibgp::MrtRecord::Kind;
  Json json = head_of(record);
  switch (record.kind) {
    case Kind::peer_table:
      json["type"] = "PEER-TABLE";
      json["peers"] = reader.peers().size();
      break;
    case Kind::route:
      json["type"] = "ROUTE";
      json["prefix"] = minibgp::to_text(record.prefix);
      if (record.path_id != 0) json["path_id"] = record.path_id;
      json["originated"] = record.originated_s;
      json["attributes"] = to_json(record.attributes);
      break;
    case Kind::message: {
      DecodeOptions options = options_of(verb);
      options.four_octet_as = verb.four_octet_as.value_or(record.four_octet_as);
      // The record has no word about it, and a message that is longer can be nothing else.
      options.extended_messages = true;
      if (record.add_path) options.add_path = {true, true};
      if (!verb.peer_type && record.peer.asn == record.local.asn) options.peer_type = PeerType::ibgp;
      return print(json, minibgp::decode_message(record.message, options), out);
    }
    case Kind::state_change:
      json["type"] = "STATE-CHANGE";
      json["from"] = minibgp::to_text(record.from);
      json["to"] = minibgp::to_text(record.to);
      break;
    case Kind::skipped:
      json["type"] = "SKIPPED";
      break;
  }
  if (record.problem != nullptr) json["problem"] = record.problem;
  out << json.dump() << '\n';
}

Exit decode_mrt(const DecodeVerb& verb, Bytes file, std::ostream& out) {
  minibgp::MrtReader reader{file};
  for (minibgp::MrtRecord record; reader.next(record);) print_record(verb, reader, record, out);
  if (!reader.error()) return Exit::ok;
  return cut(verb, "offset " + std::to_string(reader.error()->offset) + ": " + reader.error()->text);
}

// --- Both verbs -----------------------------------------------------------------------------------------------------

std::string recognized(Bytes file) {
  if (is_capture(file)) return "pcap";
  if (file.size() >= kMarker && std::all_of(file.begin(), file.begin() + kMarker, [](auto c) { return c == 0xFF; }))
    return "raw";
  return is_mrt(file) ? "mrt" : "hex";
}

/// The JSON values of `text`: one list, one object, or one object a line.
bool read_values(const std::string& text, std::vector<Json>& values, std::string& error) {
  // One value may have many lines; only what is no such text is read line by line.
  JsonProblem wrong{};
  if (auto whole = parse_json<Json>(text, wrong)) {
    if (whole->is_array())
      values.assign(whole->begin(), whole->end());
    else
      values.push_back(*std::move(whole));
    return true;
  }
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto value = parse_json<Json>(line, wrong);
    if (!value) {
      error = "line " + std::to_string(number) + (wrong == JsonProblem::too_deep ? " nests too deeply" : " is no JSON");
      return false;
    }
    values.push_back(*std::move(value));
  }
  return true;
}

void add_session_options(CLI::App& app, const std::shared_ptr<DecodeVerb>& verb) {
  app.add_flag_callback(
      "--asn4", [verb] { verb->four_octet_as = true; }, "AS numbers have 4 octets");
  app.add_flag_callback(
      "--no-asn4", [verb] { verb->four_octet_as = false; }, "AS numbers have 2 octets");
  app.add_option("--add-path", verb->add_path, "Prefixes of FAMILY have path identifiers")
      ->type_name("FAMILY")
      ->check(CLI::IsMember({"ipv4", "ipv6"}));
  app.add_option_function<std::string>(
         "--peer-type",
         [verb](const std::string& type) { verb->peer_type = type == "ibgp" ? PeerType::ibgp : PeerType::ebgp; },
         "Who sent them: ebgp or ibgp")
      ->check(CLI::IsMember({"ebgp", "ibgp"}));
  app.add_flag("--extended-messages", verb->extended_messages, "Up to 65535 octets (RFC 8654)");
}

}  // namespace

Exit run_decode(const DecodeVerb& verb, std::ostream& out) {
  std::string error;
  const auto file = read_whole_file(verb.file, error);
  if (!file) return fail(Exit::io, error);
  const std::string format = verb.format == "auto" ? recognized(*file) : verb.format;
  if (format == "pcap") return is_capture(*file) ? decode_capture(verb, *file, out) : cut(verb, "no capture");
  if (format == "mrt") return decode_mrt(verb, *file, out);
  if (format == "raw") return decode_octets(verb, *file, out);
  const auto octets = octets_of_hex(*file, error);
  return octets ? decode_octets(verb, *octets, out) : cut(verb, error);
}

Exit run_encode(const DecodeVerb& verb, std::ostream& out) {
  std::string error;
  const auto file = read_whole_file(verb.file, error);
  if (!file) return fail(Exit::io, error);
  std::vector<Json> values;
  if (!read_values({file->begin(), file->end()}, values, error)) return cut(verb, error);
  std::size_t number = 0;
  for (const Json& json : values) {
    ++number;
    // In the words that decode prints, so that both can be put behind each other.
    const minibgp::MessageValue value = message_from_json(json, error);
    if (!error.empty()) return cut(verb, "message " + std::to_string(number) + ": " + error);
    const auto octets = minibgp::encode_message(value, options_of(verb));
    if (!octets)
      return cut(verb, "message " + std::to_string(number) + ": " + std::string{minibgp::to_text(octets.error())});
    out << hex_text(*octets) << '\n';
  }
  return Exit::ok;
}

void add_decode(Verbs& verbs) {
  auto options = std::make_shared<DecodeVerb>();
  CLI::App& decode = verbs.add("decode", "Decode BGP messages to one JSON object each, with the verdict of RFC 7606");
  decode
      .add_option("FILE", options->file,
                  "Hex text, pcap, pcapng or MRT (gzip and bzip2 are undone); - is standard input")
      ->required();
  decode.add_option("--format", options->format, "auto, hex, raw, pcap (pcapng too) or mrt")
      ->check(CLI::IsMember({"auto", "hex", "raw", "pcap", "mrt"}));
  add_session_options(decode, options);
  verbs.action(decode, [options] { return run_decode(*options, std::cout); });

  auto encoding = std::make_shared<DecodeVerb>();
  CLI::App& encode = verbs.add("encode", "Encode messages from the JSON that decode prints to hex, one a line");
  encode.add_option("FILE", encoding->file, "JSON; - is standard input")->required();
  add_session_options(encode, encoding);
  verbs.action(encode, [encoding] { return run_encode(*encoding, std::cout); });
}

}  // namespace bgplite::cli
