#include <apps/bgplite/config/document.h>
#include <apps/bgplite/config/keys.h>
#include <apps/bgplite/config/reader.h>
#include <bgp/version.h>

#include <chrono>
#include <string_view>

namespace bgplite {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  // Behind what was put in: the replacement may contain what is looked for.
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// "duration 1s..120s", "integer 0..10", "keep, remove".
std::string type_of(const Key& key) {
  switch (key.type) {
    case Type::flag:
      return "true or false";
    case Type::integer:
      return "number " + std::to_string(key.min) + ".." + std::to_string(key.max);
    case Type::duration:
      return "time " + to_text(std::chrono::milliseconds{key.min}) + ".." + to_text(std::chrono::milliseconds{key.max});
    case Type::choice:
      return replaced(key.choices, "|", ", ");
    case Type::text:
      return "text";
    case Type::path:
      return "path";
    case Type::name:
      return "name";
    case Type::asn:
      return "AS number";
    case Type::router_id:
      return "identifier, like an IPv4 address";
    case Type::address:
      return "IP address";
    case Type::interface_address:
      return "address/length, or a list";
    case Type::prefix:
      return "prefix";
    case Type::socket_address:
      return "address:port, or path";
    case Type::community:
      return "community, or a list";
    case Type::large_community:
      return "large community, or a list";
    case Type::mapping:
      return "mapping";
    case Type::addresses:
      return "IP address, or a list";
    case Type::texts:
      return "text, or a list";
    case Type::policy:
      return "policy name, or terms";
    case Type::families:
      return "list";
    case Type::networks:
      return "list";
    case Type::ways:
      return "way, or a list";
  }
  return {};
}

const char* meaning(Effect effect) {
  switch (effect) {
    case Effect::live:
      return "at once; nothing is interrupted";
    case Effect::refresh:
      return "at once; the peer's routes are judged again, its session stays";
    case Effect::reset:
      return "the peer's session is opened anew";
    case Effect::tunnel:
      return "that tunnel is set up anew, the others stay";
    case Effect::restart:
      return "with the next start of the daemon";
    case Effect::leave:
      break;  // No key has it.
  }
  return "";
}

constexpr const char* kShortEffects[] = {"live", "refresh", "reset", "tunnel", "restart"};

constexpr std::string_view kMarkdownHead = R"(# The configuration file

<!-- Made by `bgplite document configuration` from the table in apps/bgplite/config/schema*.cc. Do not edit. -->

One YAML file says everything: who we are, the tunnels, the peers, what is announced, what the host must have.
`bgplite check FILE` reads it and reports every mistake at once, with line, column and a hint; `bgplite plan` says what
a change would do to the running daemon; `bgplite apply --confirm 60s` does it and takes it back unless it is confirmed.

Times are written with a unit: `500ms`, `10s`, `5m`, `2h`, `1d`; a bare number is seconds. Prefixes have no bits set
beyond their length. An unknown key is an error, so a typing mistake never goes unnoticed.

The column *change* says what `bgplite apply` does when the key has changed:

)";

std::string anchor(const SectionDoc& section) { return section.path.empty() ? "top level" : section.path; }

/// What troff would take for a request or an escape.
std::string troff(std::string text) {
  text = replaced(std::move(text), "\\", "\\e");
  // An unescaped minus is a hyphen in the output, which cannot be pasted into a shell.
  text = replaced(std::move(text), "-", "\\-");
  text = replaced(std::move(text), "`", "");
  // A request at the beginning of a line.
  if (!text.empty() && (text[0] == '.' || text[0] == '\'')) text.insert(0, "\\&");
  return text;
}

}  // namespace

std::string configuration_markdown() {
  std::string out{kMarkdownHead};
  for (const Effect effect : {Effect::live, Effect::refresh, Effect::reset, Effect::tunnel, Effect::restart})
    out += "- **" + std::string{kShortEffects[static_cast<std::size_t>(effect)]} + "**: " + meaning(effect) + ".\n";
  for (const SectionDoc& section : sections()) {
    out += "\n## " + anchor(section) + "\n\n";
    if (!section.doc.empty()) out += section.doc + "\n\n";
    out += "| key | type | default | change | meaning |\n| --- | --- | --- | --- | --- |\n";
    for (const Key& key : section.keys)
      out += "| `" + std::string{key.name} + "` | " + replaced(type_of(key), "|", "\\|") + " | " + key.fallback +
             " | " + kShortEffects[static_cast<std::size_t>(key.effect)] + " | " + replaced(key.doc, "|", "\\|") +
             " |\n";
  }
  return out;
}

std::string configuration_man_page() {
  std::string out = ".\\\" Made by 'bgplite document man' from the table of keys. Do not edit.\n";
  out += ".TH BGPLITE.YAML 5 \"\" \"bgplite " + std::string{minibgp::kVersionText} + "\" \"bgplite\"\n";
  out += ".SH NAME\nbgplite.yaml \\- configuration of the bgplite router\n.SH DESCRIPTION\n";
  out +=
      "One YAML file says everything. Times are written with a unit: 500ms, 10s, 5m, 2h, 1d; a bare number is seconds. "
      "An "
      "unknown key is an error.\n.PP\nIn brackets: the type, the default, and what a change does when it is applied:\n";
  for (const Effect effect : {Effect::live, Effect::refresh, Effect::reset, Effect::tunnel, Effect::restart})
    out += ".TP\n.I " + std::string{kShortEffects[static_cast<std::size_t>(effect)]} + "\n" + troff(meaning(effect)) +
           "\n";
  for (const SectionDoc& section : sections()) {
    out += ".SH \"" + troff(anchor(section)) + "\"\n";
    if (!section.doc.empty()) out += troff(section.doc) + "\n";
    for (const Key& key : section.keys) {
      const std::string fallback =
          std::string{key.fallback}.empty() ? "no default" : "default " + std::string{key.fallback};
      out += ".TP\n.B " + troff(key.name) + "\n" + troff(key.doc) + "\n[" + troff(type_of(key)) + "; " +
             troff(fallback) + "; " + kShortEffects[static_cast<std::size_t>(key.effect)] + "]\n";
    }
  }
  out += ".SH SEE ALSO\n.BR bgplite (8)\n";
  return out;
}

}  // namespace bgplite
