#include <apps/bgplite/cli/check_machine.h>
#include <apps/bgplite/config/reader.h>
#include <bgp/text.h>
#include <xfrm/vici/key_file.h>

#include <algorithm>
#include <cstring>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <pwd.h>

namespace bgplite::cli {
namespace {

std::set<minibgp::IpAddress> own_addresses() {
  std::set<minibgp::IpAddress> own;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return own;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    // An interface that has no address.
    if (one->ifa_addr == nullptr) continue;
    minibgp::IpAddress address;
    if (one->ifa_addr->sa_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, one->ifa_addr, sizeof in);
      // The kernel has it in network order.
      address = minibgp::IpAddress::v4(ntohl(in.sin_addr.s_addr));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 in{};
      std::memcpy(&in, one->ifa_addr, sizeof in);
      address.family = minibgp::Family::ipv6;
      std::memcpy(address.octets.data(), &in.sin6_addr, sizeof in.sin6_addr);
    }
    // Every interface has link-local addresses of its own, which say nothing about the machine.
    if (address.is_set() && !address.is_link_local_v6()) own.insert(address);
  }
  ::freeifaddrs(all);
  return own;
}

std::optional<std::string> psk_problem(const std::string& path) {
  // As the daemon reads it: with the same rules for mode and owner.
  minibgp::xfrm::vici::KeyFiles files;
  auto text = files.read(path);
  if (!text) return text.error();
  const bool empty = text->substr(0, text->find('\n')).empty();
  // The key is not needed any more.
  std::fill(text->begin(), text->end(), '\0');
  return empty ? std::optional{"the key " + path + " holds nothing"} : std::nullopt;
}

}  // namespace

Machine this_machine() {
  return {[](const std::string& user) { return ::getpwnam(user.c_str()) != nullptr; }, psk_problem, own_addresses()};
}

void check_machine(Loaded& loaded, const Machine& machine) {
  if (loaded.diagnostics.has_errors()) return;  // Half a configuration says nothing of the machine.
  const Config& config = loaded.config;
  const auto error = [&](const std::string& path, std::string text, std::string hint = {}) {
    loaded.diagnostics.error(loaded.places->of(path), std::move(text), std::move(hint));
  };
  if (!config.user.empty() && !machine.has_user(config.user))
    error("user", "user '" + config.user + "' does not exist", "useradd --system " + config.user);
  for (const auto& [name, tunnel] : config.tunnels) {
    const auto& ike = tunnel.options.ike;
    // A name without a slash is a systemd credential, which only the daemon gets.
    if (!ike || ike->psk_file.empty() || ike->psk_file.front() != '/') continue;
    if (ike->local_auth != "psk" && ike->remote_auth != "psk") continue;
    if (const auto problem = machine.key_problem(ike->psk_file)) error("tunnels." + name + ".ike.psk_file", *problem);
  }
  for (const auto& [key, peer] : config.peers)
    // A session with ourselves can never come up.
    if (machine.addresses.count(peer.options.address) != 0)
      error(loaded.peer_paths.count(key) != 0 ? loaded.peer_paths.at(key) : "peers",
            "peer " + key + " is this machine itself: one of its interfaces has the address");
  // Without addresses getifaddrs() has failed, and nothing can be said.
  const bool listens = config.listen.enabled && !machine.addresses.empty();
  for (const minibgp::IpAddress& address : config.listen.addresses)
    if (listens && !address.is_link_local_v6() && machine.addresses.count(address) == 0)
      loaded.diagnostics.warning(loaded.places->of("listen.addresses"),
                                 "no interface has the address " + to_text(address) + " now",
                                 "a start fails until one has it");
  loaded.diagnostics.sort();
}

}  // namespace bgplite::cli
