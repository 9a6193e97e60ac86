/// Refreshes: what a peer's ROUTE-REFRESH messages mean (RFC 2918, RFC 7313): our table is advertised to it again, or
/// it advertises its own again, between BoRR and EoRR, and what is not announced meanwhile goes. The state is the
/// peer's (Peering::refreshing, refresh_epoch) and the table's epochs; paths are removed by the sweeper.
///
/// Not here: the refreshes that we ask for.
#pragma once

#include <bgp/rib/table.h>
#include <bgp/speaker/export.h>
#include <bgp/speaker/peering.h>
#include <bgp/speaker/sweep.h>
#include <bgp/types.h>
#include <bgp/wire/refresh.h>

#include <cstdint>

namespace minibgp::speaker {

class Refreshes {
 public:
  /// All outlive it.
  Refreshes(rib::Table& table, Exporter& exporter, Sweeper& sweeper)
      : table_(table), exporter_(exporter), sweeper_(sweeper) {}

  enum class Outcome : std::uint8_t {
    done,
    ignored_early,  ///< Begun before End-of-RIB; said once for each session.
  };
  /// Of the peer's established session.
  [[nodiscard]] Outcome on_message(Peering& peering, const wire::Refresh& refresh, Time now);

 private:
  [[nodiscard]] Outcome begin(Peering& peering, Family family);

  rib::Table& table_;
  Exporter& exporter_;
  Sweeper& sweeper_;
};

}  // namespace minibgp::speaker
