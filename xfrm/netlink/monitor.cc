#include <xfrm/netlink/monitor.h>

#include <cerrno>
#include <string>
#include <utility>

#include <linux/rtnetlink.h>

namespace minibgp::xfrm {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

/// Messages worked on in one turn of the loop, so that a storm of SAs does not starve BGP's timers.
constexpr int kDatagramsPerTurn = 32;

}  // namespace

Monitor::Monitor(boost::asio::io_context& io, const RouteOwner& owner, KernelEvents& events, LogSink* log)
    : io_(io), owner_(owner), events_(events), log_(log) {}

Monitor::~Monitor() { close(); }

Result<void, std::error_code> Monitor::start(Xfrm needed) {
  // Messages about SAs carry keys: the socket wipes its buffer.
  auto xfrm = netlink::Socket::open(io_, {.protocol = NETLINK_XFRM, .secret = true});
  if (!xfrm && !(needed == Xfrm::if_there && xfrm.error() == std::errc::protocol_not_supported))
    return unexpected(xfrm.error());
  auto links = netlink::Socket::open(io_, {.protocol = NETLINK_ROUTE});
  if (!links) return unexpected(links.error());
  if (xfrm)
    for (const unsigned group : {XFRMNLGRP_SA, XFRMNLGRP_EXPIRE})
      // Joined before the first dump: nothing that happens in between is missed.
      if (auto joined = (*xfrm)->join(group); !joined) return joined;
  for (const unsigned group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NEIGH})
    if (auto joined = (*links)->join(group); !joined) return joined;
  if (xfrm) xfrm_ = std::move(*xfrm);
  links_ = std::move(*links);
  if (xfrm_) xfrm_->on_readable([this] { read_xfrm(); });
  links_->on_readable([this] { read_links(); });
  // Links first: the direction of an SA is seen from the addresses of this host.
  dump_links();
  dump_sas();
  return {};
}

void Monitor::resume() {
  if (sa_dump_again_ && sa_dump_ == 0 && policy_dump_ == 0) dump_sas();
  if (link_dump_ == LinkDump::none) dump_what_waits();
}

void Monitor::close() {
  if (xfrm_) xfrm_->close();
  if (links_) links_->close();
  xfrm_.reset();
  links_.reset();
}

void Monitor::dump_sas() {
  if (!xfrm_) {
    // A kernel without XFRM has no SAs, which is an answer as well.
    events_.on_kernel(input::SaDumpBegins{});
    return events_.on_kernel(input::SaDumpEnded{});
  }
  // The kernel runs one dump for each socket; a second one would be refused (EBUSY).
  if (sa_dump_ != 0 || policy_dump_ != 0) {
    sa_dump_again_ = true;
    return;
  }
  sa_dump_again_ = false;
  sa_dump_ = xfrm_->next_sequence();
  events_.on_kernel(input::SaDumpBegins{});
  writer_.clear();
  request_sa_dump(writer_, sa_dump_);
  send_xfrm();
}

void Monitor::dump_links() {
  if (link_dump_ != LinkDump::none) {
    link_dump_again_ = true;
    return;
  }
  link_dump_again_ = false;
  // Links, then their addresses: two dumps, of which the second follows the end of the first.
  events_.on_kernel(input::LinkDumpBegins{});
  go_on(LinkDump::links);
}

void Monitor::read_own_routes() {
  route_dump_again_ = true;
  if (link_dump_ == LinkDump::none) dump_what_waits();
}

void Monitor::dump_what_waits() {
  if (link_dump_again_) return dump_links();
  if (!std::exchange(route_dump_again_, false)) return;
  // What was read before the dump has to be repeated is thrown away.
  own_routes_.clear();
  go_on(LinkDump::routes_v4);
}

void Monitor::go_on(LinkDump dump) {
  link_dump_ = dump;
  link_dump_sequence_ = links_->next_sequence();
  writer_.clear();
  switch (dump) {
    case LinkDump::none:
      return;
    case LinkDump::links:
      request_link_dump(writer_, link_dump_sequence_);
      break;
    case LinkDump::addresses:
      request_address_dump(writer_, link_dump_sequence_);
      break;
    case LinkDump::routes_v4:
    case LinkDump::routes_v6:
      request_route_dump(writer_, link_dump_sequence_, dump == LinkDump::routes_v4 ? Family::ipv4 : Family::ipv6,
                         owner_);
      break;
  }
  send_links();
}

void Monitor::send_xfrm() {
  if (const auto sent = xfrm_->send(writer_.bytes()); !sent && log_ && log_->wants(LogLevel::error, LogArea::tunnel))
    log_->write(LogLevel::error, LogArea::tunnel, "xfrm netlink: cannot send: " + sent.error().message());
}

void Monitor::send_links() {
  if (const auto sent = links_->send(writer_.bytes()); !sent && log_ && log_->wants(LogLevel::error, LogArea::tunnel))
    log_->write(LogLevel::error, LogArea::tunnel, "route netlink: cannot send: " + sent.error().message());
}

void Monitor::read_xfrm() {
  const auto socket = xfrm_;  // An event may close us.
  for (int i = 0; i < kDatagramsPerTurn && xfrm_; ++i) {
    const netlink::Received got = socket->receive();
    if (got.kind == netlink::Received::Kind::nothing) break;
    // The kernel dropped messages (ENOBUFS): what they said is in a new dump.
    if (got.kind == netlink::Received::Kind::overrun) {
      ++overruns_;
      dump_sas();
      continue;
    }
    if (got.kind == netlink::Received::Kind::failed) break;
    netlink::MessageReader reader(got.bytes);
    while (const auto message = reader.next()) handle_xfrm(*message);
  }
  // One settling for all that was read: an SA that is replaced is not seen as gone in between.
  if (xfrm_) events_.on_batch_ended();
}

void Monitor::handle_xfrm(const netlink::Message& message) {
  // The table changed while it was dumped, so something may be missing: the dump is repeated.
  if ((message.flags & NLM_F_DUMP_INTR) != 0 && message.sequence == sa_dump_) sa_dump_again_ = true;
  if (const auto answer = netlink::parse_answer(message)) {
    if (answer->sequence == sa_dump_) {
      sa_dump_ = 0;
      if (answer->error != 0) sa_dump_again_ = true;
      // After an error not at once: resume() tries again.
      if (sa_dump_again_) return answer->error == 0 ? dump_sas() : void();
      events_.on_kernel(input::SaDumpEnded{});
    } else if (answer->sequence == policy_dump_) {
      policy_dump_ = 0;
      if (const auto done = std::exchange(policies_done_, nullptr)) done(std::exchange(policies_, {}));
      if (sa_dump_again_) dump_sas();
    }
    return;
  }
  const auto event = decode_xfrm(message);
  if (!event) return;
  std::visit(Overloaded{
                 [&](const PolicySeen& policy) {
                   // A notification about a policy has no sequence of ours, and is not asked for here.
                   if (message.sequence == policy_dump_ && policy_dump_ != 0) policies_.push_back(policy);
                 },
                 [&](const auto& seen) { events_.on_kernel(seen); },
             },
             *event);
}

void Monitor::read_links() {
  const auto socket = links_;
  for (int i = 0; i < kDatagramsPerTurn && links_; ++i) {
    const netlink::Received got = socket->receive();
    if (got.kind == netlink::Received::Kind::nothing) break;
    if (got.kind == netlink::Received::Kind::overrun) {
      ++overruns_;
      // Answers to steps may be lost, too.
      fail_outstanding();
      dump_links();
      continue;
    }
    if (got.kind == netlink::Received::Kind::failed) break;
    netlink::MessageReader reader(got.bytes);
    while (const auto message = reader.next()) handle_link(*message);
  }
  if (links_) events_.on_batch_ended();
}

/// Answers may have been among what was lost: whoever waits for one tries again.
void Monitor::fail_outstanding() {
  for (const auto& [sequence, id] : std::exchange(steps_, {})) events_.on_kernel(input::StepAnswered{id, EAGAIN});
  look_ups_.clear();
}

void Monitor::answer_link_dump(const netlink::Answer& answer) {
  const LinkDump ended = std::exchange(link_dump_, LinkDump::none);
  const bool of_routes = ended == LinkDump::routes_v4 || ended == LinkDump::routes_v6;
  if (answer.error != 0) {
    (of_routes ? route_dump_again_ : link_dump_again_) = true;  // Not at once: resume() tries again.
    return;
  }
  if (ended == LinkDump::links) return go_on(LinkDump::addresses);
  if (ended == LinkDump::routes_v4) return go_on(LinkDump::routes_v6);
  if (of_routes) {
    if (!route_dump_again_) events_.on_kernel(input::OwnRoutesRead{std::exchange(own_routes_, {})});
  } else if (!link_dump_again_) {
    events_.on_kernel(input::LinkDumpEnded{});
  }
  if (link_dump_ == LinkDump::none) dump_what_waits();
}

void Monitor::answer_link(const netlink::Answer& answer) {
  if (answer.sequence == link_dump_sequence_ && link_dump_ != LinkDump::none) return answer_link_dump(answer);
  if (const auto step = steps_.find(answer.sequence); step != steps_.end()) {
    const std::uint64_t id = step->second;
    steps_.erase(step);
    return events_.on_kernel(input::StepAnswered{id, answer.error});
  }
  if (const auto look_up = look_ups_.find(answer.sequence); look_up != look_ups_.end()) {
    const IpAddress endpoint = look_up->second;
    look_ups_.erase(look_up);
    events_.on_kernel(input::RouteAnswered{
        endpoint, std::nullopt});  // ENETUNREACH and its like; a found route is no answer but a route.
  }
}

void Monitor::handle_link(const netlink::Message& message) {
  const bool of_routes = link_dump_ == LinkDump::routes_v4 || link_dump_ == LinkDump::routes_v6;
  if ((message.flags & NLM_F_DUMP_INTR) != 0 && link_dump_ != LinkDump::none)
    (of_routes ? route_dump_again_ : link_dump_again_) = true;
  if (const auto answer = netlink::parse_answer(message)) return answer_link(*answer);
  // Routes of the dump are not notifications: they are collected until its end.
  if (of_routes && message.sequence == link_dump_sequence_) {
    if (const auto route = decode_own_route(message, owner_)) own_routes_.push_back(*route);
    return;
  }
  const auto event = decode_link(message);
  if (!event) return;
  std::visit(
      Overloaded{
          // A route message belongs to a look-up by its sequence; there is no group for routes here.
          [&](const RouteFound& route) {
            const auto look_up = look_ups_.find(message.sequence);
            if (look_up == look_ups_.end()) return;
            const IpAddress endpoint = look_up->second;
            look_ups_.erase(look_up);
            events_.on_kernel(input::RouteAnswered{endpoint, route.reachable ? std::optional{route} : std::nullopt});
          },
          [&](const auto& seen) { events_.on_kernel(seen); },
      },
      *event);
}

void Monitor::execute(std::uint64_t id, const LinkStep& step) {
  const std::uint32_t sequence = links_->next_sequence();
  // Before it is sent: the answer is matched by its sequence.
  steps_[sequence] = id;
  writer_.clear();
  request_step(writer_, sequence, step, owner_);
  send_links();
}

void Monitor::look_up(const IpAddress& endpoint) {
  const std::uint32_t sequence = links_->next_sequence();
  look_ups_[sequence] = endpoint;
  writer_.clear();
  request_route(writer_, sequence, endpoint);
  send_links();
}

void Monitor::read_counters(std::span<const Sa> sas) {
  if (sas.empty()) return;
  writer_.clear();
  // One datagram for all of them; each is answered by itself.
  for (const Sa& sa : sas) request_counters(writer_, xfrm_->next_sequence(), sa.key);
  send_xfrm();
}

void Monitor::delete_sa(const SaKey& key) {
  writer_.clear();
  request_sa_deletion(writer_, xfrm_->next_sequence(), key);
  send_xfrm();
}

void Monitor::read_policies(std::function<void(std::vector<PolicySeen>)> done) {
  if (!xfrm_ || policy_dump_ != 0 || sa_dump_ != 0) return done({});  // One dump at a time; the caller asks again.
  policies_.clear();
  policies_done_ = std::move(done);
  policy_dump_ = xfrm_->next_sequence();
  writer_.clear();
  request_policy_dump(writer_, policy_dump_);
  send_xfrm();
}

void Monitor::write_policies(std::span<const PolicySeen> policies) {
  writer_.clear();
  for (const PolicySeen& policy : policies) update_policy(writer_, xfrm_->next_sequence(), policy);
  if (!writer_.empty()) send_xfrm();
}

}  // namespace minibgp::xfrm
