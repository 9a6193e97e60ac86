// Forwarder: what each input means, the program's and the kernel's.
#include <fib/forwarder.h>

#include <utility>

namespace minibgp::fib {

struct Forwarder::On {
  Forwarder& my;

  void operator()(const input::SetOptions& in) const {
    FibOptions options = in.options;
    if (options.table != my.options_.table && !my.injector_.use_table(options.table)) {
      my.log_.write(LogLevel::error, "table " + std::to_string(options.table) +
                                         " is not taken: another process owns the routes of protocol " +
                                         std::to_string(my.options_.protocol) + " there; routes stay in table " +
                                         std::to_string(my.options_.table));
      options.table = my.options_.table;
    }
    my.options_.table = options.table;
    my.options_.allow = options.allow;
    my.options_.metric = options.metric;
    my.options_.preferred_source = options.preferred_source;
    my.options_.on_exit = options.on_exit;
    my.options_.adopt_timeout = options.adopt_timeout;
    my.options_.audit_interval = options.audit_interval;
    my.ownership_.set_table(options.table);
    my.dumps_.set_audit_interval(options.audit_interval);
    my.injector_.set_allowed(options.allow);
    my.injector_.set_options({options.table, options.metric, options.preferred_source});
    mark(Stage::guard);
    mark(Stage::next_hops, my.map_.set_resolve_via_default(options.resolve_via_default));
  }

  // What is desired
  void operator()(const input::BestChanged& in) const {
    // A disabled Fib only takes out what earlier runs have left.
    if (my.options_.enabled) my.injector_.on_best_changed(in.changes);
  }
  void operator()(const input::SetStaticRoutes& in) const {
    if (my.options_.enabled) my.injector_.set_static_routes(in.routes);
  }
  void operator()(const input::SetRoute& in) const {
    if (my.options_.enabled) my.injector_.set_route(in.key, in.vias);
  }
  void operator()(const input::RemoveRoute& in) const { my.injector_.remove_route(in.key); }

  // What holds
  void operator()(const input::SetPeer& in) const {
    const bool changed = my.map_.set_peer(in.peer, in.binding);
    mark(Stage::next_hops, changed);
    mark(Stage::guard, changed);  // It looks after the peer's address.
  }
  void operator()(const input::RemovePeer& in) const {
    mark(Stage::next_hops, my.map_.remove_peer(in.peer));
    mark(Stage::guard);
  }
  void operator()(const input::SetPeerUsable& in) const {
    mark(Stage::next_hops, my.map_.set_peer_usable(in.peer, in.usable));
  }
  void operator()(const input::SetInterfaceUsable& in) const {
    mark(Stage::guard, !my.map_.is_tunnel(in.interface));  // It judges static routes through it.
    mark(Stage::next_hops, my.map_.set_interface_usable(in.interface, in.usable, in.reason));
  }
  void operator()(const input::SetInterfaceSuspect& in) const {
    mark(Stage::next_hops, my.map_.set_interface_suspect(in.interface, in.suspect));
  }
  void operator()(const input::ForgetInterface& in) const {
    mark(Stage::next_hops, my.map_.forget_interface(in.interface));
  }
  void operator()(const input::SetUnderlayEndpoints& in) const { my.injector_.set_underlay_endpoints(in.endpoints); }
  void operator()(const input::SetOwnNetworks& in) const { my.injector_.set_own_networks(in.networks); }

  // Questions
  void operator()(const input::WatchNextHop& in) const { my.watches_.watch(in.peer, in.next_hop); }
  void operator()(const input::UnwatchNextHop& in) const { my.watches_.unwatch(in.peer, in.next_hop); }
  void operator()(const input::WatchNetwork& in) const {
    my.watches_.watch(in.prefix, in.watch);
    mark(Stage::guard);
  }
  void operator()(const input::UnwatchNetwork& in) const { my.watches_.unwatch(in.prefix, in.watch); }
  void operator()(const input::Verify&) const { my.dumps_.ask_for_comparison(); }

  // Life
  void operator()(const input::FinishAdoption&) const { my.finish_adoption(); }
  void operator()(const input::Stop&) const {
    if (my.options_.on_exit == FibOptions::OnExit::keep) return my.ending_.finish();
    my.ending_.remove();
    // Removing goes on over several turns; Stopped is handed out when the kernel has nothing left.
    my.remove_everything();
  }

  void mark(Stage stage, bool due = true) const { my.stages_.mark(stage, due); }
};

struct Forwarder::OnKernel {
  Forwarder& my;

  void operator()(const LinkEvent& in) const {
    const bool changed = in.gone ? my.map_.on_link_gone(in.link.index) : my.map_.on_link(in.link);
    on_link_or_address(changed);
    // The kernel drops routes and next-hop objects with a link, and not always says so.
    if ((changed || in.gone) && my.dumps_.ready()) my.dumps_.ask_for_forwarding();
  }
  void operator()(const AddressEvent& in) const {
    const bool changed = in.gone ? my.map_.on_address_gone(in.address) : my.map_.on_address(in.address);
    on_link_or_address(changed);
    mark(Stage::sets, changed);   // The preferred source may be another one.
    mark(Stage::guard, changed);  // It looks after the networks we are in.
    // Routes with the address as their source, or with a gateway in its network, went without a word.
    if (changed && in.gone && my.dumps_.ready()) my.dumps_.ask_for_forwarding();
  }
  void operator()(const KernelNextHop& in) const { my.groups_.on_kernel_next_hop(in); }
  void operator()(const NextHopGone& in) const { my.groups_.on_kernel_gone(in.id); }
  void operator()(const Overrun&) const {
    ++my.counters_.overruns;
    my.log_.write(LogLevel::warning, "the kernel had to drop notifications: reading its tables again");
    my.dumps_.ask_for_everything();
  }
  void operator()(const NoNextHopObjects&) const {
    if (!my.injector_.kernel_has_objects()) return;
    if (my.injector_.uses_objects())
      my.log_.write(LogLevel::info, "this kernel has no next-hop objects: each route carries its next hops itself");
    my.injector_.give_up_groups();
  }
  void operator()(const DumpBegins& in) const {
    switch (in.part) {
      case DumpPart::links:
        return my.map_.begin_dump();
      case DumpPart::next_hops:
        return my.groups_.begin_dump();
      case DumpPart::routes:
        return my.route_news_.begin_dump();
    }
  }
  void operator()(const DumpEnded& in) const {
    ++my.counters_.dumps;
    switch (in.part) {
      case DumpPart::links:
        if (in.complete) on_link_or_address(my.map_.end_dump());
        // Addresses of the first dump concern sources and networks, even where nothing has changed.
        mark(Stage::sets);
        mark(Stage::guard);
        break;
      case DumpPart::next_hops:
        if (in.complete) my.groups_.end_dump();
        break;
      case DumpPart::routes:
        on_routes_read(in.complete);
    }
    const bool first = !my.dumps_.ready();
    my.dumps_.end(in.part, in.complete, my.now_);
    // All parts of the first dump are complete.
    if (first && my.dumps_.ready()) my.begin_to_write();
  }

  void on_routes_read(bool complete) const {
    my.route_news_.end_dump(complete, my.now_);
    if (complete) {
      mark(Stage::guard, my.injector_.claim_again());  // Routes that were held back for that are evaluated again.
      my.forget_clean_tables();
      if (my.dumps_.take_comparison()) my.comparison_ = my.report().compare();
    }
    // Also where the dump was not complete: the retry does not depend on it.
    my.reconciler_.rescan();  // What was given up on gets its retry with each comparison.
  }
  void on_link_or_address(bool changed) const {
    mark(Stage::next_hops, changed);
    mark(Stage::parked, changed);
  }
  void mark(Stage stage, bool due = true) const { my.stages_.mark(stage, due); }
};

void Forwarder::input(const Input& input, Time now) {
  see(now);
  std::visit(On{*this}, input);
}

void Forwarder::input(const KernelNews& news, Time now) {
  see(now);
  std::visit(OnKernel{*this}, news);
}

}  // namespace minibgp::fib
