#include "tunnel_states.h"

#include <bgp/text.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/verdict.h>

#include <map>
#include <span>

#include "ends.h"

namespace minibgp::xfrm::testing {
namespace {

using namespace std::chrono_literals;

/// A tunnel of ours whose peer it is of no use without, and hands that change one thing each.
class Bench {
 public:
  Bench() {
    TunnelOptions tunnel;
    tunnel.name = "t";
    tunnel.if_id = 42;
    tunnel.ike.emplace().remote_addresses = {"203.0.113.151"};
    tunnel.carries = {IpAddress::v4(0xA9FE0A01)};
    table.set_tunnels(std::vector{tunnel});
    table.set_damping({.enabled = false});
    table.set_silence(20s);
    link(true);
    table.set_children({});
    pass(0s);
  }
  void pass(Duration time) {
    now += time;
    (void)table.settle(now);
  }
  void link(bool up) {
    const TunnelLink it{7, up, true};
    table.set_link("t", &it);
  }
  static ChildSa child(std::uint32_t id) {
    ChildSa it;
    it.id = id;
    it.ike_id = 100 + id;
    it.connection = "bgplite-t";
    it.if_id = 42;
    it.spi_in = 2 * id;
    it.spi_out = 2 * id + 1;
    return it;
  }
  static SaKey in(std::uint32_t id) { return {kLocal, 2 * id, 50}; }
  static SaKey out(std::uint32_t id) { return {kRemote, 2 * id + 1, 50}; }
  void pair(std::uint32_t id, bool in_udp = false) {
    table.sa_added({in(id), kRemote, 42, 1, SaDirection::inbound, 1000 + id, in_udp});
    table.sa_added({out(id), kLocal, 42, 1, SaDirection::outbound, 1000 + id, in_udp});
    newest = id;
  }
  void known_pair(std::uint32_t id, bool in_udp = false) {
    pair(id, in_udp);
    table.child_up(child(id));
    known.push_back(child(id));
  }
  /// One that charon made before it crashed.
  void orphans(std::uint32_t id) {
    pair(id);
    pass(0s);
    pass(TunnelTable::kConfirmGrace);
  }
  void list(const std::vector<ChildSa>& children) {
    table.set_children(children);
    pass(0s);
  }
  void packet_in() { table.set_counters(in(newest), 1, 100); }
  void packets_out() { table.set_counters(out(newest), 100, 10000); }

  TunnelTable table;
  Time now{1h};
  std::uint32_t newest = 0;
  std::vector<ChildSa> known;
};

struct Named {
  std::string_view name;
  void (*happens)(Bench&);
};

const std::vector<Named>& situations() {
  static const std::vector<Named> all = {
      {"no SAs", [](Bench&) {}},
      {"a pair that charon knows", [](Bench& it) { it.known_pair(1); }},
      {"the same, ESP in UDP", [](Bench& it) { it.known_pair(1, true); }},
      {"the same, probe answered",
       [](Bench& it) {
         it.known_pair(1);
         it.table.set_probe("t", ProbeResult::answered);
       }},
      {"two pairs that charon knows",
       [](Bench& it) {
         it.known_pair(1);
         it.known_pair(2);
       }},
      {"a pair that a new charon does not know", [](Bench& it) { it.orphans(1); }},
      {"such a pair, and a newer one that charon knows",
       [](Bench& it) {
         it.orphans(1);
         it.known_pair(2);
       }},
      {"a pair, and charon is silent",
       [](Bench& it) {
         it.known_pair(1);
         it.table.charon_gone();
         it.pass(0s);
         it.pass(TunnelTable::kConfirmGrace);
       }},
      {"a pair, and charon repeats a request",
       [](Bench& it) {
         it.known_pair(1);
         it.table.set_retransmitting("bgplite-t", true);
       }},
      {"a pair, and nothing comes back",
       [](Bench& it) {
         it.known_pair(1);
         it.pass(0s);
         it.packets_out();
         it.pass(20s);
       }},
      {"a pair, and the probe is lost",
       [](Bench& it) {
         it.known_pair(1);
         it.table.set_probe("t", ProbeResult::lost);
       }},
      {"a pair, and the cable is out",
       [](Bench& it) {
         it.known_pair(1);
         it.table.set_underlay("t", Reason::underlay_no_carrier);
       }},
  };
  return all;
}

void underlay(Bench& it, Reason reason) { it.table.set_underlay("t", reason); }

const std::vector<Named>& events() {
  static const std::vector<Named> all = {
      {"nothing happens", [](Bench&) {}},
      {"the newest SA deleted", [](Bench& it) { it.table.sa_gone(Bench::in(it.newest), Reason::sa_deleted); }},
      {"the newest SA expired", [](Bench& it) { it.table.sa_gone(Bench::out(it.newest), Reason::sa_expired); }},
      {"all SAs flushed", [](Bench& it) { it.table.sas_flushed(); }},
      {"a new pair, in the kernel alone so far", [](Bench& it) { it.pair(9); }},
      {"a new pair, and charon says so", [](Bench& it) { it.known_pair(9); }},
      {"a new pair with narrowed selectors",
       [](Bench& it) {
         it.pair(9);
         ChildSa child = Bench::child(9);
         child.remote_ts = {*parse_prefix("192.168.0.0/16")};
         it.table.child_up(child);
         it.known.push_back(child);
       }},
      {"charon: CHILD_SA down",
       [](Bench& it) {
         if (!it.known.empty()) it.table.child_down(it.known.back());
       }},
      {"charon: IKE_SA down",
       [](Bench& it) {
         if (!it.known.empty()) it.table.ike_down(it.known.back().ike_id);
       }},
      {"charon lists all it has", [](Bench& it) { it.list(it.known); }},
      {"one list without them", [](Bench& it) { it.list({}); }},
      {"two lists without them, and 10 s",
       [](Bench& it) {
         it.list({});
         it.pass(2s);
         it.list({});
         it.pass(TunnelTable::kConfirmGrace);
         it.pass(TunnelTable::kConfirmGrace);
       }},
      {"charon does not answer for 5 s",
       [](Bench& it) {
         it.table.charon_gone();
         it.pass(0s);
         it.pass(TunnelTable::kConfirmGrace);
       }},
      {"charon is not running", [](Bench& it) { it.table.charon_refuses(); }},
      {"charon repeats a request", [](Bench& it) { it.table.set_retransmitting("bgplite-t", true); }},
      {"the peer answers or asks", [](Bench& it) { it.table.set_retransmitting("bgplite-t", false); }},
      {"we send for 20 s, nothing comes in",
       [](Bench& it) {
         it.pass(0s);
         it.packets_out();
         it.pass(20s);
       }},
      {"a packet comes in", [](Bench& it) { it.packet_in(); }},
      {"the probe is lost", [](Bench& it) { it.table.set_probe("t", ProbeResult::lost); }},
      {"the probe is answered", [](Bench& it) { it.table.set_probe("t", ProbeResult::answered); }},
      {"the cable is out", [](Bench& it) { underlay(it, Reason::underlay_no_carrier); }},
      {"the local address goes", [](Bench& it) { underlay(it, Reason::local_address_missing); }},
      {"the route to the peer goes", [](Bench& it) { underlay(it, Reason::endpoint_unroutable); }},
      {"the gateway does not answer", [](Bench& it) { underlay(it, Reason::gateway_silent); }},
      {"the underlay is whole", [](Bench& it) { underlay(it, Reason::ready); }},
      {"the interface is set down", [](Bench& it) { it.link(false); }},
  };
  return all;
}

std::string verdict(TunnelState state, Reason reason) {
  const std::string text{to_text(state)};
  return reason == Reason::ready ? text : text + ": " + std::string{to_text(reason)};
}

}  // namespace

std::vector<Cell> all_cells() {
  std::vector<Cell> cells;
  for (const Named& situation : situations())
    for (const Named& event : events()) {
      Bench bench;
      situation.happens(bench);
      bench.pass(0s);
      event.happens(bench);
      bench.pass(0s);
      TunnelStatus now, later;
      bench.table.fill("t", now);
      for (int minute = 0; minute < 60; ++minute) bench.pass(1min);
      bench.table.fill("t", later);
      cells.push_back({situation.name, event.name, now.state, now.reason, later.state, later.reason});
    }
  return cells;
}

std::string states_markdown() {
  std::string text =
      "| reason | verdict | without proof for | then | why |\n"
      "| --- | --- | --- | --- | --- |\n";
  for (const Verdict& it : kVerdicts) {
    const bool bounded = it.bound.count() != 0;
    text += "| " + std::string{to_text(it.reason)} + " | " + std::string{to_text(it.state)} + " | " +
            (bounded ? std::to_string(it.bound.count()) + " s" : "") + " | " +
            (bounded ? std::string{to_text(it.afterwards)} : "") + " | " + std::string{it.why} + " |\n";
  }
  text +=
      "\nEach event in each situation. An hour on: no packet has come in, and neither the kernel nor charon has said\n"
      "anything.\n\n"
      "| event | where there was | verdict | an hour on |\n"
      "| --- | --- | --- | --- |\n";
  const std::vector<Cell> cells = all_cells();
  for (const Named& event : events()) {
    std::vector<std::pair<std::string, std::vector<std::string_view>>> rows;  // Verdicts, and the situations.
    for (const Cell& cell : cells) {
      if (cell.event != event.name) continue;
      const std::string key = verdict(cell.state, cell.reason) + " | " + verdict(cell.later, cell.later_reason);
      auto row = rows.begin();
      while (row != rows.end() && row->first != key) ++row;
      if (row == rows.end()) row = rows.insert(row, {key, {}});
      row->second.push_back(cell.situation);
    }
    for (const auto& [key, names] : rows) {
      std::string where = names.size() == situations().size() ? "anything" : "";
      if (where.empty())
        for (const std::string_view name : names) where += (where.empty() ? "" : "; ") + std::string{name};
      text += "| " + std::string{event.name} + " | " + where + " | " + key + " |\n";
    }
  }
  return text;
}

}  // namespace minibgp::xfrm::testing
