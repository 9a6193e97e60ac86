#include <fib/netlink/kernel.h>
#include <fib/netlink/link_watch.h>
#include <fib/netlink/owner_lock.h>
#include <fib/netlink/route_codec.h>

#include <array>
#include <cerrno>
#include <utility>

#include <linux/rtnetlink.h>

namespace minibgp::netlink {
namespace {

/// One sendmsg holds at most this: well below the send buffer every kernel gives (208 KiB).
constexpr std::size_t kBatchBytesMax = 64U << 10U;

}  // namespace

Kernel::Kernel(boost::asio::io_context& io, fib::Forwarder& forwarder, Handlers handlers)
    : io_(io), forwarder_(forwarder), handlers_(std::move(handlers)) {
  forwarder.set_port_name(port_text);
}

Kernel::~Kernel() {
  // Before the sockets: its thread uses one of them.
  close();
  routes_.reset();
  if (route_socket_) route_socket_->close();
}

void Kernel::close() {
  closed_ = true;
  waiting_.clear();
  // Not that of the routes: a thread may be using it.
  for (const auto& socket : {next_hops_, dumps_, watch_})
    if (socket) socket->close();
}

Result<void, std::error_code> Kernel::open() {
  for (auto* socket : {&next_hops_, &route_socket_, &dumps_, &watch_}) {
    auto opened = Socket::open(io_, {});
    if (!opened) return unexpected(opened.error());
    *socket = std::move(*opened);
  }
  routes_ = std::make_unique<RouteWriter>(io_, route_socket_, [this] { on_routes_written(); });
  // Our own changes come back as answers; as notifications they would be looked at a second time.
  const std::array own_ports = {next_hops_->port_id(), route_socket_->port_id()};
  if (const auto ignoring = watch_->ignore_ports(own_ports); !ignoring) return unexpected(ignoring.error());
  // Never the neighbor groups: a flood of ARP would drown the routes.
  for (const unsigned group :
       {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE}) {
    if (const auto joined = watch_->join(group); !joined) return unexpected(joined.error());
  }
  (void)watch_->join(RTNLGRP_NEXTHOP);  // Before 5.3 there is none, and nothing to hear.
  watch_->on_readable([this] { on_watch_readable(); });
  dumps_->on_readable([this] { on_dump_readable(); });
  return {};
}

void Kernel::fail(std::error_code error) {
  // A copy: the handler may destroy us.
  const auto on_failed = handlers_.on_failed;
  on_failed(error);
}

// --- Commands ------------------------------------------------------------------------------------------------------

void Kernel::send(std::span<const fib::NextHopOp> batch) {
  writer_.clear();
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::uint32_t sequence = next_hops_->next_sequence();
    if (i == 0) first = sequence;
    append_next_hop(writer_, batch[i], sequence);
  }
  // Only failures are answered, but for the last: its answer says that the kernel has worked on all.
  writer_.add_flags(NLM_F_ACK);
  // Answered within the call: next hops are few, and routes wait for them.
  const Transaction result = transact(*next_hops_, writer_.bytes(), first, batch.size());
  forwarder_.on_answers(batch, result.errors, handlers_.now());
  if (result.failure) return fail(result.failure);
  if (!result.complete) tell(fib::Overrun{});  // What was done is unknown: the tables tell.
}

void Kernel::send(std::span<const fib::RouteOp> batch) {
  while (!batch.empty()) {
    writer_.clear();
    // A batch may be longer than what one sendmsg() takes.
    RouteBatch part;
    std::size_t count = 0;
    for (; count < batch.size() && writer_.size() < kBatchBytesMax; ++count) {
      const std::uint32_t sequence = route_socket_->next_sequence();
      if (count == 0) part.first = sequence;
      // `part.ops` below is a copy, because the thread works on it after this call.
      append_route(writer_, batch[count], forwarder_.options().protocol, sequence);
    }
    writer_.add_flags(NLM_F_ACK);
    part.ops.assign(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(count));
    part.requests.assign(writer_.bytes().begin(), writer_.bytes().end());
    routes_->submit(std::move(part));
    batch = batch.subspan(count);
  }
}

void Kernel::on_routes_written() {
  // Answers are given in the order in which the batches were sent.
  if (closed_) return;
  for (const RouteBatch& batch : routes_->take()) {
    forwarder_.on_answers(batch.ops, batch.result.errors, handlers_.now());
    if (batch.result.failure) return fail(batch.result.failure);
    if (!batch.result.complete) tell(fib::Overrun{});
  }
  handlers_.on_input();
}

// --- Dumps ---------------------------------------------------------------------------------------------------------

fib::DumpPart Kernel::part_of(Table table) {
  switch (table) {
    case Table::links:
    case Table::addresses:
      return fib::DumpPart::links;
    case Table::next_hops:
      return fib::DumpPart::next_hops;
    case Table::routes_v4:
    case Table::routes_v6:
      break;
  }
  return fib::DumpPart::routes;
}

void Kernel::dump(const fib::DumpRequest& what) {
  const bool running = !waiting_.empty();
  // Links before addresses: what an address means depends on its link.
  if (what.links) waiting_.insert(waiting_.end(), {Table::links, Table::addresses});
  if (what.next_hops) waiting_.push_back(Table::next_hops);
  if (what.routes) waiting_.insert(waiting_.end(), {Table::routes_v4, Table::routes_v6});
  // A dump that runs goes on; its end begins the next.
  if (running || waiting_.empty()) return;
  tell(fib::DumpBegins{part_of(waiting_.front())});
  part_complete_ = true;
  request_next();
}

void Kernel::request_next() {
  MessageWriter request;
  dump_sequence_ = dumps_->next_sequence();
  switch (waiting_.front()) {
    case Table::links:
      append_link_dump(request, dump_sequence_);
      break;
    case Table::addresses:
      append_address_dump(request, dump_sequence_);
      break;
    case Table::next_hops:
      append_next_hop_dump(request, dump_sequence_);
      break;
    case Table::routes_v4:
      append_route_dump(request, Family::ipv4, dump_sequence_);
      break;
    case Table::routes_v6:
      append_route_dump(request, Family::ipv6, dump_sequence_);
      break;
  }
  if (const auto sent = dumps_->send(request.bytes()); !sent) fail(sent.error());
}

void Kernel::on_dump_readable() {
  const Time until = handlers_.now() + kTurnSlice;
  while (!closed_) {
    const Received received = dumps_->receive();
    switch (received.kind) {
      case Received::Kind::nothing:
        return;
      case Received::Kind::failed:
        fail(received.error);
        return;
      case Received::Kind::overrun:
        // The kernel goes on with the dump; what was lost is not known.
        part_complete_ = false;
        break;
      case Received::Kind::datagram:
        on_dump_datagram(received.bytes);
    }
    if (handlers_.now() >= until) return;
  }
}

void Kernel::on_dump_datagram(Bytes datagram) {
  MessageReader messages(datagram);
  while (const auto message = messages.next()) {
    // An answer to a dump that was given up.
    if (waiting_.empty() || message->sequence != dump_sequence_) continue;
    // The table changed while it was read.
    if ((message->flags & NLM_F_DUMP_INTR) != 0) part_complete_ = false;
    if (const auto answer = parse_answer(*message)) {
      finish_table(answer->error);
    } else {
      hear(*message, fib::Heard::dumped);
    }
  }
}

void Kernel::finish_table(int error) {
  const Table table = waiting_.front();
  if (error != 0) {
    // Before 5.3 the kernel does not know the question.
    if (table == Table::next_hops && (error == EOPNOTSUPP || error == EINVAL)) {
      tell(fib::NoNextHopObjects{});
    } else if (table == Table::routes_v6 && (error == EOPNOTSUPP || error == EAFNOSUPPORT)) {
      // A kernel without IPv6 has no IPv6 routes.
    } else {
      part_complete_ = false;
    }
  }
  waiting_.pop_front();
  // Links and addresses are one part, as are routes of both families: they are complete or not together.
  const bool part_ends = waiting_.empty() || part_of(waiting_.front()) != part_of(table);
  if (part_ends) {
    tell(fib::DumpEnded{part_of(table), part_complete_});
    part_complete_ = true;
    if (!waiting_.empty()) tell(fib::DumpBegins{part_of(waiting_.front())});
  }
  if (!waiting_.empty()) request_next();
  if (part_ends) handlers_.on_input();
}

// --- Notifications -------------------------------------------------------------------------------------------------

void Kernel::on_watch_readable() {
  const Time until = handlers_.now() + kTurnSlice;
  bool heard = false;
  for (bool more = true; more && handlers_.now() < until;) {
    const Received received = watch_->receive();
    switch (received.kind) {
      case Received::Kind::nothing:
        more = false;
        break;
      case Received::Kind::failed:
        fail(received.error);
        return;
      case Received::Kind::overrun:
        // Some notifications are lost. The Forwarder asks for dumps.
        tell(fib::Overrun{});
        heard = true;
        break;
      case Received::Kind::datagram:
        MessageReader messages(received.bytes);
        while (const auto message = messages.next()) hear(*message, fib::Heard::notified);
        heard = true;
    }
  }
  if (heard) handlers_.on_input();
}

void Kernel::hear(const Message& message, fib::Heard heard) {
  switch (message.type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      if (auto route = parse_route(message.payload)) {
        if (heard == fib::Heard::notified) {
          // Only a notification says how the route was placed.
          route->port_id = message.port_id;
          if ((message.flags & NLM_F_APPEND) != 0) route->placement = fib::Placement::appended;
          if ((message.flags & NLM_F_REPLACE) != 0) route->placement = fib::Placement::replaced;
        }
        message.type == RTM_NEWROUTE ? forwarder_.on_route(*route, heard) : forwarder_.on_route_gone(*route);
      }
      break;
    case RTM_NEWNEXTHOP:
      if (const auto next_hop = parse_next_hop(message.payload)) tell(*next_hop);
      break;
    case RTM_DELNEXTHOP:
      if (const auto next_hop = parse_next_hop(message.payload)) tell(fib::NextHopGone{next_hop->id});
      break;
    default:
      if (auto event = parse_link_event(message)) std::visit([this](auto& what) { tell(std::move(what)); }, *event);
  }
}

}  // namespace minibgp::netlink
