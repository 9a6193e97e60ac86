#include <apps/bgplite/listeners.h>
#include <bgp/text.h>

#include <system_error>
#include <utility>
#include <vector>

namespace bgplite {

minibgp::Result<void, std::string> open_listeners(minibgp::Speaker& speaker, const ListenConfig& config) {
  minibgp::ListenOptions options;
  options.port = config.port;
  std::vector<minibgp::IpAddress> addresses = config.addresses;
  // No address stands for all of them.
  if (addresses.empty()) addresses.emplace_back();
  for (const minibgp::IpAddress& address : addresses) {
    options.address = address;
    const auto listening = speaker.listen(options);
    if (listening) continue;
    std::string text = "cannot listen on " + (address.is_set() ? to_text(address) + " " : std::string{}) + "port " +
                       std::to_string(options.port) + ": " + listening.error().message();
    if (listening.error() == std::errc::permission_denied) text += " (needs CAP_NET_BIND_SERVICE)";
    if (listening.error() == std::errc::address_in_use)
      text += " (another BGP daemon runs here: ss -ltnp sport = :179)";
    return minibgp::unexpected(std::move(text));
  }
  return {};
}

}  // namespace bgplite
