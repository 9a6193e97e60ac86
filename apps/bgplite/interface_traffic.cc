#include <apps/bgplite/interface_traffic.h>

#include <fstream>

namespace bgplite {

std::optional<TrafficCounters> read_traffic(const std::string& interface) {
  const auto counter = [&](const char* name, std::uint64_t& into) {
    std::ifstream in{"/sys/class/net/" + interface + "/statistics/" + name};
    return static_cast<bool>(in >> into);
  };
  TrafficCounters counters;
  // An interface that is gone has no such files.
  if (!counter("rx_packets", counters.in) || !counter("tx_packets", counters.out)) return std::nullopt;
  return counters;
}

}  // namespace bgplite
