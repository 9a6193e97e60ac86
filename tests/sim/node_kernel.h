/// NodeKernel: the kernel under a node of a World: fib::Forwarder over a FakeKernel, fed with what the node reports as
/// best, and telling the node which next hops are usable, as bgplite's daemon joins the two. The kernel is of IPv4: the
/// next hops of IPv6 prefixes, which are IPv4-mapped here, count as usable and are not installed.
#pragma once

#include <bgp/observer.h>
#include <fib/forwarder.h>
#include <tests/support/fake_kernel.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <testing/world.h>

namespace minibgp::testing {

class NodeKernel final : public Observer {
 public:
  NodeKernel(Node& node, std::uint64_t seed) : node_(node), seed_(seed) { node.set_observer(this); }
  ~NodeKernel() override { node_.set_observer(nullptr); }

  void add_link(const Link& link, Node& other) {
    ways_.push_back({&other, link.address_of(node_), link.address_of(other)});
  }
  /// The node began to run. lost: on a fresh kernel.
  void begin(Node::Forwarding forwarding, Time now) {
    now_ = std::max(now_, now);
    if (!kernel_ || forwarding == Node::Forwarding::lost) {
      kernel_.emplace(seed_++);
      for (std::size_t i = 0; i < ways_.size(); ++i) {
        kernel_->add_link(index_of(i), name_of(i));
        kernel_->add_address(address_of(i));
      }
    }
    kernel_->forget_conversation();
    fib::FibOptions options;
    options.audit_interval = Duration::zero();  // What is told has to be enough.
    forwarder_ = std::make_unique<fib::Forwarder>(options, nullptr, now_);
    kernel_->attach(*forwarder_);
    for (const Way& way : ways_)
      forwarder_->input(fib::input::SetPeer{node_.peer(*way.other), {way.gateway, "", true}}, now_);
    busy_ = true;
  }
  /// The program is gone; the kernel is still there.
  void end() {
    forwarder_.reset();
    mapped_.clear();
    changed_.clear();
  }

  // What the world does to it.
  void set_link(std::size_t number, bool up) {
    if (!kernel_) return;
    const std::size_t i = number % ways_.size();
    kernel_->set_link(index_of(i), up);
    busy_ = true;
  }
  void set_tunnel(std::size_t number, bool usable) {
    if (!forwarder_) return;
    forwarder_->input(fib::input::SetInterfaceUsable{name_of(number % ways_.size()), usable, ""}, now_);
    busy_ = true;
  }
  void set_refusals(unsigned refuse_one_in, unsigned lose_one_in) {
    if (!kernel_) return;
    kernel_->refuse_one_in = refuse_one_in;
    kernel_->lose_one_in = lose_one_in;
  }
  void vandalize(std::size_t number) {
    if (!kernel_ || !forwarder_ || kernel_->routes().empty()) return;
    auto route = kernel_->routes().begin();
    std::advance(route, static_cast<std::ptrdiff_t>(number % kernel_->routes().size()));
    kernel_->remove_by_user(fib::RouteKey{route->first});
    busy_ = true;
  }

  /// A turn of its loop, if there is something to do.
  void turn(Time now) {
    now_ = std::max(now_, now);
    if (!forwarder_ || !node_.is_running()) return;
    if (!busy_ && forwarder_->next_deadline() > now_) return;
    work();
    busy_ = kernel_->deliver(now_) || forwarder_->has_work();
    if (kernel_->deliver(now_)) busy_ = true;
    pass_on(now);
  }
  /// Everything is repaired, nothing is refused any more, and every deadline of the forwarder passes.
  void come_to_rest(Time now) {
    now_ = std::max(now_, now);
    set_refusals(0, 0);
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      set_link(i, true);
      set_tunnel(i, true);
    }
    for (int turns = 0; turns < 5000; ++turns) {
      work();
      while (kernel_->deliver(now_)) work();
      pass_on(now);
      const Time next = forwarder_->next_deadline();
      if (forwarder_->idle() && next == kNever) return;
      if (next != kNever) now_ = std::max(now_, next);
    }
    ADD_FAILURE() << node_.name() << ": the kernel does not come to rest";
  }

  /// The kernel has what the node reported as best, and nothing else.
  void check() {
    std::map<Prefix, std::vector<fib::Via>> wanted, have;
    for (const auto& [prefix, paths] : node_.table()) {
      if (prefix.family != Family::ipv4) continue;
      std::vector<fib::Via>& vias = wanted[prefix];
      for (const BestPath& path : paths) {
        const auto index = way_to(path.next_hop.address);
        ASSERT_TRUE(index) << node_.name();
        vias.push_back({path.next_hop.address, index_of(*index), path.weight, false});
      }
      fib::normalize(vias);
    }
    for (const auto& [key, route] : kernel_->routes()) have[key.prefix] = kernel_->ways(route);
    EXPECT_EQ(have, wanted) << node_.name() << ": its kernel differs from its best paths";
    if (have.empty()) {
      EXPECT_TRUE(kernel_->objects().empty()) << node_.name() << " leaks next-hop objects";
    }
  }

  /// The speaker said something since it was asked last.
  [[nodiscard]] bool touched() const { return touched_; }
  void forget_touched() { touched_ = false; }

  // --- Observer
  void on_peer_changed(const PeerChanged&) override { touched_ = true; }
  void on_best_changed(std::span<const BestChange> changes) override {
    touched_ = true;
    if (!forwarder_) return;
    std::vector<BestChange> ours;
    for (const BestChange& change : changes)
      if (change.prefix.family == Family::ipv4) ours.push_back(change);
    forwarder_->input(fib::input::BestChanged{ours}, now_);
    busy_ = true;
  }
  void on_next_hop_interest(const NextHopInterest& interest) override {
    if (!forwarder_) return;
    busy_ = true;
    if (interest.next_hop.family == Family::ipv6) {
      if (interest.wanted) mapped_.push_back(interest);
    } else if (interest.wanted) {
      forwarder_->input(fib::input::WatchNextHop{interest.peer, interest.next_hop}, now_);
    } else {
      forwarder_->input(fib::input::UnwatchNextHop{interest.peer, interest.next_hop}, now_);
    }
  }
  void on_restart_complete() override {
    if (!forwarder_) return;
    forwarder_->input(fib::input::FinishAdoption{}, now_);
    busy_ = true;
  }

 private:
  struct Way {
    Node* other;
    IpAddress local, gateway;
  };
  static fib::IfIndex index_of(std::size_t i) { return fib::IfIndex{static_cast<unsigned>(i + 1)}; }
  static std::string name_of(std::size_t i) { return "tun" + std::to_string(i); }
  [[nodiscard]] fib::AddressInfo address_of(std::size_t i) const {
    return {index_of(i), ways_[i].local, ways_[i].local, 30, false};
  }
  [[nodiscard]] std::optional<std::size_t> way_to(const IpAddress& gateway) const {
    for (std::size_t i = 0; i < ways_.size(); ++i)
      if (ways_[i].gateway == gateway) return i;
    return std::nullopt;
  }
  void work() {
    forwarder_->on_time(now_);
    while (const auto output = forwarder_->poll()) {
      if (const auto* objects = std::get_if<fib::NextHopBatch>(&*output)) kernel_->send(objects->ops);
      if (const auto* routes = std::get_if<fib::RouteBatch>(&*output)) kernel_->send(routes->ops);
      if (const auto* request = std::get_if<fib::DumpRequest>(&*output)) kernel_->dump(*request);
      if (const auto* changed = std::get_if<fib::NextHopsChanged>(&*output))
        changed_.insert(changed_.end(), changed->states.begin(), changed->states.end());
    }
  }
  void pass_on(Time now) {
    bool told = false;
    for (const fib::NextHopState& state : std::exchange(changed_, {})) {
      node_.engine().set_next_hop(state.peer, state.next_hop, state.usable, state.cost, now);
      told = true;
    }
    for (const NextHopInterest& interest : std::exchange(mapped_, {})) {
      node_.engine().set_next_hop(interest.peer, interest.next_hop, true, 0, now);
      told = true;
    }
    if (!told) return;
    touched_ = true;
    node_.pump();
  }

  Node& node_;
  std::uint64_t seed_;
  Time now_{};
  std::optional<FakeKernel> kernel_;
  std::unique_ptr<fib::Forwarder> forwarder_;
  std::vector<Way> ways_;
  std::vector<NextHopInterest> mapped_;
  std::vector<fib::NextHopState> changed_;  ///< Not passed on yet.
  bool busy_ = false;
  bool touched_ = false;
};

}  // namespace minibgp::testing
