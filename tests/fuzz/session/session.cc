// A session over time: bytes, timers, a socket that takes some of what waits, stops, in every order. The input is a
// program; each of its steps is one octet and, for some, operands.
#include <bgp/session/session.h>
#include <bgp/wire/message.h>
#include <bgp/wire/open.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace {

using namespace minibgp;
using session::Session;

/// Hands out the input, and zeros behind its end.
struct Program {
  Bytes left;
  std::uint8_t octet() {
    if (left.empty()) return 0;
    const std::uint8_t first = left.front();
    left = left.subspan(1);
    return first;
  }
  Bytes octets(std::size_t count) {
    const Bytes taken = left.first(std::min(count, left.size()));
    left = left.subspan(taken.size());
    return taken;
  }
};

void require(bool condition) {
  if (!condition) std::abort();
}

struct Run {
  PeerOptions options;
  Time now{std::chrono::seconds{1'000}};
  std::vector<std::uint8_t> sent;
  bool down = false;

  void poll(Session& session) {
    while (const auto event = session.poll(now)) {
      require(!down);  // Nothing follows Down.
      if (std::holds_alternative<session::Down>(*event)) down = true;
      if (std::holds_alternative<session::UpdateReceived>(*event)) require(session.state() == PeerState::established);
    }
    session.keep_unread();
    if (down) require(session.next_deadline() == kNever);
  }
  void take(Session& session, std::size_t count) {
    const Bytes waiting = session.outgoing();
    const Bytes taken = waiting.first(std::min(count, waiting.size()));
    sent.insert(sent.end(), taken.begin(), taken.end());
    session.on_sent(taken.size(), now);
  }
  /// Everything that went out is whole messages, the last perhaps cut.
  void check_sent() const {
    for (std::size_t at = 0; sent.size() - at >= wire::kHeaderSize;) {
      const std::size_t length = std::size_t{sent[at + 16]} << 8U | sent[at + 17];
      require(std::all_of(sent.begin() + static_cast<std::ptrdiff_t>(at),
                          sent.begin() + static_cast<std::ptrdiff_t>(at + 16), [](auto one) { return one == 0xFF; }));
      require(length >= wire::kHeaderSize);
      if (length > sent.size() - at) return;
      at += length;
    }
  }
};

std::vector<std::uint8_t> message(std::uint8_t type, Bytes body) {
  std::vector<std::uint8_t> octets(16, 0xFF);
  const std::size_t length = wire::kHeaderSize + body.size();
  octets.push_back(static_cast<std::uint8_t>(length >> 8U));
  octets.push_back(static_cast<std::uint8_t>(length & 0xFFU));
  octets.push_back(type);
  octets.insert(octets.end(), body.begin(), body.end());
  return octets;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program program{{data, size}};
  Run run;
  run.options.address = IpAddress::v4(0xC0000202);
  run.options.remote_as = Asn{65002};
  const std::uint8_t kind = program.octet();
  const session::LocalIdentity self{Asn{65001}, RouterId{1}, (kind & 2U) != 0};
  const auto side = (kind & 1U) != 0 ? Session::Side::dialed : Session::Side::accepted;
  if ((kind & 4U) != 0) run.options.remote_as = self.asn;
  Session session{ConnId{7}, side, run.options, self, kind, run.now};
  PeerOptions theirs = run.options;
  theirs.remote_as = self.asn;
  std::vector<std::uint8_t> bytes;
  while (!program.left.empty()) {
    const std::uint8_t step = program.octet();
    bytes.clear();
    switch (step % 12U) {
      case 0: {
        const Bytes raw = program.octets(program.octet());
        bytes.assign(raw.begin(), raw.end());
        break;
      }
      case 1:
        wire::encode_open(session::make_open(theirs, {run.options.remote_as, RouterId{2}}), bytes);
        break;
      case 2:
        wire::encode_keepalive(bytes);
        break;
      case 3: {
        const std::uint8_t type = program.octet();
        bytes = message(type, program.octets(program.octet()));
        break;
      }
      case 4:
        if (session.next_deadline() != kNever) run.now = std::max(run.now, session.next_deadline());
        session.on_time(run.now);
        require(session.next_deadline() > run.now || run.down || session.has_pending());
        break;
      case 5:
        run.now += std::chrono::milliseconds{program.octet() * 100};
        session.on_time(run.now);
        break;
      case 6:
        run.take(session, program.octet() * 16U);
        break;
      case 7:
        session.on_connected(run.now);
        break;
      case 8:
        session.on_closed((step & 0x40U) != 0 ? std::make_error_code(std::errc::timed_out) : std::error_code{},
                          run.now);
        break;
      case 9:
        session.stop({6, program.octet(), {}}, DownReason::admin_down, run.now);
        break;
      case 10:
        session.send_refresh(Family::ipv4, wire::RefreshKind::request, run.now);
        break;
      case 11:
        session.send(message(2, program.octets(program.octet())), run.now);
        break;
    }
    // In pieces, as TCP may deliver them.
    const std::size_t piece = (step & 0x80U) != 0 ? 7 : bytes.size();
    for (Bytes rest{bytes}; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
      session.on_received(rest.first(std::min(piece, rest.size())), run.now);
      run.poll(session);
    }
    run.poll(session);
  }
  run.take(session, session.queued_octets());
  run.check_sent();
  return 0;
}
