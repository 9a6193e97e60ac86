#include <apps/bgplite/control/commands.h>
#include <bgp/text.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace bgplite::control {
namespace {

/// What a command is about, for the log: " 10.0.0.0/8", " 192.0.2.1". Keys are not given in arguments.
std::string object_of(const Request& request) {
  constexpr std::size_t kTextMax = 64;
  std::string text;
  for (const auto& [name, value] : request.arguments.items())
    if (value.is_string()) text += " " + value.get<std::string>().substr(0, kTextMax);
  return text;
}

}  // namespace

Commands::Commands(Context context) : context_(context) {
  // The order of the tables does not matter: no verb is in two of them.
  for (const auto& part : {show_commands(), explain_commands(), doing_commands()})
    table_.insert(table_.end(), part.begin(), part.end());
}

Commands::~Commands() {
  // Both refer to us.
  context_.daemon.on_event = nullptr;
  context_.log.tap = nullptr;
}

void Commands::handle(const Request& request, const Reply& reply) {
  // Not a row of the table: it is answered by lines without end.
  if (request.verb == "monitor") return begin_stream(request, reply);
  const auto command =
      std::find_if(table_.begin(), table_.end(), [&](const Command& row) { return row.verb == request.verb; });
  if (command == table_.end()) return reply.error("unknown verb '" + request.verb.substr(0, 64) + "'");
  if (command->access == Access::change && !request.may_change)
    // 3: no permission, as for a socket that cannot be opened.
    return reply.error("user " + std::to_string(request.user) + " may only read: join the group '" +
                           context_.daemon.config().control.group + "'",
                       3);
  if (command->access == Access::change)
    context_.log.info(minibgp::LogArea::control,
                      "user " + std::to_string(request.user) + ": " + request.verb + object_of(request));
  command->run(context_, request, reply);
}

void Commands::begin_stream(const Request& request, const Reply& reply) {
  if (!reply.stream()) return reply.error("too many monitors are running", 3);
  streams_.push_back(reply);
  listen();
  reply.line({{"event", "start"}, {"version", 1}, {"routes", flag_argument(request, "routes")}});
}

/// Events are made only while somebody listens.
void Commands::listen() {
  // Also those that ended without a line being written to them.
  const auto gone = [](const Reply& stream) { return !stream.open(); };
  streams_.erase(std::remove_if(streams_.begin(), streams_.end(), gone), streams_.end());
  if (streams_.empty()) {
    context_.daemon.on_event = nullptr;
    context_.log.tap = nullptr;
    return;
  }
  context_.daemon.on_event = [this](std::string_view kind, const std::vector<Daemon::Fact>& facts) {
    Json event{{"event", kind}};
    for (const auto& [name, fact] : facts)
      std::visit([&, key = std::string{name}](const auto& value) { event[key] = value; }, fact);
    tell(std::move(event));
  };
  context_.log.tap = [this](minibgp::LogLevel level, minibgp::LogArea area, std::string_view line) {
    tell({{"event", "log"}, {"level", bgplite::to_text(level)}, {"area", bgplite::to_text(area)}, {"text", line}});
  };
}

void Commands::tell(Json event) {
  event["time_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  bool gone = false;
  // A copy: writing may find a client gone, which changes the list.
  for (const Reply& stream : std::vector{streams_}) {
    stream.line(event);
    gone = gone || !stream.open();
  }
  if (gone) listen();
}

std::string text_argument(const Request& request, const char* name) {
  const auto found = request.arguments.find(name);
  return found != request.arguments.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool flag_argument(const Request& request, const char* name) {
  const auto found = request.arguments.find(name);
  return found != request.arguments.end() && found->is_boolean() && found->get<bool>();
}

std::size_t number_argument(const Request& request, const char* name, std::size_t fallback) {
  // Negative numbers and texts give the fallback.
  const auto found = request.arguments.find(name);
  return found != request.arguments.end() && found->is_number_unsigned() ? found->get<std::size_t>() : fallback;
}

std::optional<minibgp::PeerId> peer_argument(Context& context, const Request& request, const Reply& reply) {
  const std::string name = text_argument(request, "peer");
  if (name.empty()) return reply.error("which peer?"), std::nullopt;
  const auto peer = context.daemon.find_peer(name);
  // Cut, because the text is the client's.
  if (!peer) reply.error("no peer '" + name.substr(0, 64) + "': bgplite show peers lists them", 1);
  return peer;
}

std::optional<minibgp::Prefix> prefix_argument(const Request& request, const Reply& reply) {
  // 192.0.2.1/24 is meant as its network here; the configuration would refuse it.
  const std::string text = text_argument(request, "prefix");
  if (const auto prefix = minibgp::parse_prefix(text, minibgp::HostBits::mask)) return prefix;
  if (const auto address = minibgp::parse_address(text))
    return minibgp::Prefix::of(*address, minibgp::address_bits(address->family));
  reply.error("'" + text.substr(0, 64) + "' is not a prefix");
  return std::nullopt;
}

std::string peer_name(const Daemon& daemon, minibgp::PeerId peer) {
  if (peer == minibgp::kLocalPeer) return "local";
  const PeerConfig* config = daemon.gateway().peer_config(peer);
  if (config != nullptr && !config->options.name.empty()) return config->options.name;
  // The address, with %device when link-local.
  if (const std::string* key = daemon.gateway().peers().key_of(peer)) return *key;
  // A peer that was removed from the configuration and has not ended yet.
  const auto status = daemon.speaker().engine().peer(peer);
  return status ? minibgp::to_text(status->address) : "removed";
}

}  // namespace bgplite::control
