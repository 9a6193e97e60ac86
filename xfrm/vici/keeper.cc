#include <bgp/text.h>
#include <xfrm/vici/foreign.h>
#include <xfrm/vici/ike_config.h>
#include <xfrm/vici/keeper.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace minibgp::xfrm::vici {
namespace {

/// Keeps the times of those that are seen again.
void note_since(std::map<std::uint32_t, Time>& since, const std::set<std::uint32_t>& seen, Time now) {
  std::erase_if(since, [&](const auto& it) { return !seen.contains(it.first); });
  for (const std::uint32_t id : seen) since.try_emplace(id, now);
}

bool ours(std::string_view name) { return name.starts_with(kOurPrefix); }

}  // namespace

IkeKeeper::Tunnel* IkeKeeper::find(std::string_view name) {
  const auto found =
      std::find_if(tunnels_.begin(), tunnels_.end(), [&](const Tunnel& it) { return it.options.name == name; });
  return found == tunnels_.end() ? nullptr : &*found;
}

const IkeKeeper::Tunnel* IkeKeeper::find(std::string_view name) const {
  const auto found =
      std::find_if(tunnels_.begin(), tunnels_.end(), [&](const Tunnel& it) { return it.options.name == name; });
  return found == tunnels_.end() ? nullptr : &*found;
}

IkeKeeper::Tunnel* IkeKeeper::find_connection(std::string_view connection) {
  // A tunnel without `ike` has no name of ours; an empty one must not match it.
  const auto found = std::find_if(tunnels_.begin(), tunnels_.end(), [&](const Tunnel& it) {
    return !connection.empty() && connection_name(it.options) == connection;
  });
  return found == tunnels_.end() ? nullptr : &*found;
}

void IkeKeeper::set_tunnels(std::span<const TunnelOptions> tunnels, Time now) {
  std::vector<Tunnel> next;
  for (const TunnelOptions& options : tunnels) {
    // By name: a tunnel keeps what is known of its SAs when other options of it change.
    Tunnel tunnel;
    if (Tunnel* old = find(options.name)) {
      tunnel = std::move(*old);
      // Other settings may succeed where the old ones failed: their backoff and their failure say nothing any more.
      if (tunnel.options.ike != options.ike) {
        tunnel.tries = 0;
        tunnel.next_try = Time{};
        tunnel.failure = IkeFailure::none;
        tunnel.failure_text.clear();
      }
    }
    tunnel.options = options;
    next.push_back(std::move(tunnel));
  }
  tunnels_ = std::move(next);
  if (algorithms_) note_warnings(*algorithms_);
  if (!connected_) return;
  next_round_ = now;
  // A round that is under way has passed the new tunnels by.
  round_again_ = step_ != Step::done;
}

void IkeKeeper::connected(Time now) {
  connected_ = asked_ = true;
  // It may be another charon, of another version, without anything of ours: nothing that the last one said still holds.
  todo_.clear();
  under_way_.reset();
  version_.clear();
  unwanted_.clear();
  listed_ = false;
  // The plugins of another charon may know other algorithms.
  algorithms_.reset();
  for (Tunnel& tunnel : tunnels_) {
    // Read again before anything is loaded: what charon still has is not sent twice.
    tunnel.present = tunnel.key_present = tunnel.up = tunnel.busy = tunnel.listed = false;
    tunnel.absent = tunnel.tries = 0;
    tunnel.next_try = Time{};
    tunnel.negotiating.clear();
    tunnel.superseded.clear();
    tunnel.empty.clear();
    tunnel.too_many.clear();
    tunnel.end_of_list.clear();
  }
  next_round_ = now;
  step_ = Step::done;
  if (unload_ != Unload::no) plan_unloads();
}

void IkeKeeper::disconnected() {
  // Not there at all, rather than lost on the way: nothing of ours lives in it.
  asked_ = connected_;
  if (!asked_ && unload_ != Unload::no) unload_ = Unload::done;
  connected_ = false;
  todo_.clear();
  under_way_.reset();
  snapshot_.reset();
  step_ = Step::done;
  next_round_ = kNever;
  for (Tunnel& tunnel : tunnels_) tunnel.present = tunnel.key_present = tunnel.up = tunnel.busy = false;
}

void IkeKeeper::add(Step step, std::string name, Section message, std::string tunnel) {
  todo_.push_back({{std::move(name), std::move(message)}, step, std::move(tunnel)});
}

void IkeKeeper::begin_round(Time now) {
  // Both are asked for anew while the round runs.
  round_again_ = round_soon_ = false;
  // Version and algorithms stay the same as long as charon does.
  enter(version_.empty() ? Step::version : Step::conns, now);
}

/// Plans one step of a round; a step with nothing to do leads on to the next.
void IkeKeeper::enter(Step step, Time now) {
  // Falls through steps with nothing to do, so that `todo_` has something or the round is over.
  for (;; step = static_cast<Step>(static_cast<std::uint8_t>(step) + 1)) {
    step_ = step;
    switch (step) {
      case Step::version:
        add(step, "version", {});
        break;
      case Step::algorithms:
        add(step, "get-algorithms", {});
        break;
      case Step::conns:
        add(step, "get-conns", {});
        break;
      case Step::shared:
        add(step, "get-shared", {});
        break;
      case Step::load:
        plan_loads();
        break;
      case Step::list:
        add(step, "list-sas", Section{}.add("noblock", "yes"));
        break;
      case Step::initiate:
        plan_initiates(now);
        break;
      case Step::done:
        // A round again at once, soon, or after the interval. What has happened meanwhile decides.
        next_round_ = now + (round_again_  ? Duration{}
                             : round_soon_ ? std::min<Duration>(kLookAgain, interval_)
                                           : interval_);
        return;
    }
    if (!todo_.empty()) return;
  }
}

std::optional<IkeRequest> IkeKeeper::next_request(Time now) {
  // One request at a time: vici answers in order, and an answer is read by what was asked.
  if (!connected_ || under_way_) return std::nullopt;
  if (todo_.empty() && step_ == Step::done && now >= next_round_ && unload_ == Unload::no) begin_round(now);
  if (todo_.empty()) return std::nullopt;
  under_way_ = std::move(todo_.front());
  todo_.pop_front();
  IkeRequest request = std::move(under_way_->request);
  under_way_->request = {request.name, {}};  // The answer is read by its name; the message may hold a key.
  return request;
}

Time IkeKeeper::next_deadline() const {
  if (!connected_ || under_way_) return kNever;
  if (!todo_.empty()) return Time{};                    // At once: charon answers one request before it gets the next.
  return unload_ == Unload::no ? next_round_ : kNever;  // At the end no round begins any more.
}

/// Logged once, not in each round.
void IkeKeeper::note_problem(Tunnel& tunnel, const std::string& problem) {
  if (tunnel.problem != problem) log_.push_back("tunnel " + tunnel.options.name + ": " + problem);
  tunnel.problem = problem;
}

void IkeKeeper::plan_key(Tunnel& tunnel) {
  const IkeOptions& ike = *tunnel.options.ike;
  if (ike.local_auth != "psk" && ike.remote_auth != "psk") return;
  // The stamp says whether the file changed; the key itself is not kept to be compared.
  const auto stamp = keys_.stamp(ike.psk_file);
  const auto owners = key_owners(ike);
  // Owners are part of the key in charon: another identity needs it loaded again.
  if (tunnel.key_present && stamp && stamp == tunnel.loaded_stamp && owners == tunnel.loaded_owners) return;
  auto text = keys_.read(ike.psk_file);
  if (!text) return note_problem(tunnel, text.error());
  auto key = parse_key(*text);
  // All copies of the text are overwritten as soon as the key was taken out.
  wipe(*text);
  if (!key) return note_problem(tunnel, ike.psk_file + ": " + std::string{to_text(key.error())});
  tunnel.problem.clear();
  // A new key is a reason to try again at once.
  if (stamp != tunnel.loaded_stamp) {
    tunnel.tries = 0;
    tunnel.next_try = Time{};
  }
  tunnel.loaded_stamp = stamp;
  tunnel.loaded_owners = owners;
  add(Step::load, "load-shared", load_shared_message(tunnel.options, *key), tunnel.options.name);
  wipe(*key);
}

void IkeKeeper::plan_loads() {
  // First what is not wanted any more, so that the peer cannot begin a new SA with it.
  // Connections of ours that no tunnel has: a former configuration, or a former run.
  for (const std::string& name : connections_)
    if (!find_connection(name)) add(Step::load, "unload-conn", Section{}.add("name", name));
  for (const std::string& name : keys_loaded_)
    if (!find_connection(name)) add(Step::load, "unload-shared", Section{}.add("id", name));
  for (Tunnel& tunnel : tunnels_) {
    if (!tunnel.options.ike) continue;
    plan_key(tunnel);
    // Without a form: compared is the configuration, which a renewal's form does not change.
    Section message = load_conn_message(tunnel.options);
    if (tunnel.present && message == tunnel.loaded_connection) continue;
    // SAs of the former configuration may be up; plan_initiates() ends them.
    tunnel.replaced = tunnel.present && !tunnel.loaded_connection.empty() && message != tunnel.loaded_connection;
    tunnel.loaded_connection = std::move(message);
    add(Step::load, "load-conn", load_conn_message(tunnel.options, tunnel.form), tunnel.options.name);
  }
}

/// Nothing of it is there, and no single list says so alone.
bool IkeKeeper::is_due(const Tunnel& tunnel, Time now) const {
  if (tunnel.up || tunnel.busy || tunnel.need == Need::nothing || now < tunnel.next_try) return false;
  // An IKE_SA that was listed and is not now may be one that charon works on.
  return !tunnel.listed || tunnel.absent != 1;
}

/// charon has SAs, but they pass nothing: the probes say so, or the kernel has none of them.
bool IkeKeeper::is_renewal_due(const Tunnel& tunnel, Time now) const {
  if (!tunnel.up || tunnel.busy || now < tunnel.next_renewal) return false;
  // A CHILD_SA is reported before the kernel has it.
  if (tunnel.need == Need::sas) return now - tunnel.need_since >= kKernelGrace;
  return tunnel.need == Need::new_sas;
}

void IkeKeeper::plan_initiate(Tunnel& tunnel) {
  add(Step::initiate, "initiate",
      // A timeout of -1: charon answers at once and does not wait for the result.
      Section{}.add("ike", connection_name(tunnel.options)).add("child", tunnel.options.name).add("timeout", "-1"),
      tunnel.options.name);
}

/// IKE_SAs beside a newer one, those whose negotiation does not end, and what rekeys left behind.
void IkeKeeper::plan_ends(Tunnel& tunnel, Time now) {
  std::set<std::uint32_t> ends = std::exchange(tunnel.end_of_list, {});
  if (!ends.empty())
    log_.push_back("tunnel " + tunnel.options.name + ": ending " + std::to_string(ends.size()) +
                   " IKE_SA beside a newer one");
  if (tunnel.need != Need::nothing)
    for (const auto& [id, since] : tunnel.negotiating)
      // Only while the tunnel is needed: otherwise it is nothing to us how long it takes.
      if (now - since >= kNegotiation) ends.insert(id);
  // An IKE_SA without a CHILD_SA beside one that carries traffic was left behind by a rekey.
  for (const auto& [id, since] : tunnel.empty)
    if (now - since >= kRekeyOverlap) ends.insert(id);
  for (const std::uint32_t id : ends) {
    tunnel.negotiating.erase(id);
    tunnel.empty.erase(id);
    add(Step::initiate, "terminate",
        // `force`: charon does not wait for the answer to its DELETE.
        Section{}.add("ike-id", std::to_string(id)).add("force", "yes").add("timeout", "-1"));
    round_soon_ = true;
  }
  std::erase_if(tunnel.superseded, [&](const auto& it) {
    if (now - it.second < kRekeyOverlap) return false;
    log_.push_back("tunnel " + tunnel.options.name + ": ending CHILD_SA {" + std::to_string(it.first) +
                   "} that a rekey left behind");
    // charon deletes the kernel's SAs with it, and has the peer do so.
    add(Step::initiate, "terminate", Section{}.add("child-id", std::to_string(it.first)).add("timeout", "-1"));
    return true;
  });
}

void IkeKeeper::plan_initiates(Time now) {
  // Their connections are unloaded: the peer has nothing left to begin a new SA with.
  // `ike` is a connection's name here, so all its IKE_SAs go.
  for (const std::string& name : unwanted_)
    add(Step::initiate, "terminate", Section{}.add("ike", name).add("force", "yes").add("timeout", "-1"));
  for (Tunnel& tunnel : tunnels_) {
    // Not loaded: charon would answer that it does not know the name.
    if (!tunnel.options.ike || !tunnel.present) continue;
    if (tunnel.replaced) {
      // The SAs of the old configuration go, and of this tunnel only; the next round brings it up again. The way to the
      // old endpoint may be gone: charon would repeat its DELETE for 165 s.
      tunnel.replaced = tunnel.listed = false;
      add(Step::initiate, "terminate",
          Section{}.add("ike", connection_name(tunnel.options)).add("force", "yes").add("timeout", "-1"));
      round_again_ = true;
      continue;
    }
    plan_ends(tunnel, now);
    // With any other start_action charon or the operator begins; we only clean up.
    if (tunnel.options.ike->start_action != "start") continue;
    if (is_due(tunnel, now)) {
      // The shift ends at 2^10, long after kLastRetry is reached, before it would overflow.
      const auto wait = std::min<Duration>(kFirstRetry * (1 << std::min(tunnel.tries, 10U)), kLastRetry);
      // Counted before the answer: a tunnel that stays down is tried less and less often.
      ++tunnel.tries;
      tunnel.next_try = now + wait;
      plan_initiate(tunnel);
    } else if (is_renewal_due(tunnel, now)) {
      const auto wait = std::min<Duration>(2 * kFirstRenewal * (1 << std::min(tunnel.renewals, 10U)), kLastRenewal);
      if (tunnel.renewals++ == 0)
        log_.push_back("tunnel " + tunnel.options.name + ": nothing passes: a new IKE_SA beside the old one");
      // The pause holds even if the new SA helps for a moment only.
      tunnel.next_renewal = now + wait;
      // Every IKE_SA there is was made with the configured form, or with one from an id smaller than its own. Theirs
      // are others than this one, unless 600 ids lie between.
      tunnel.form = 1 + tunnel.newest_ike % kConnectionForms;
      add(Step::initiate, "load-conn", load_conn_message(tunnel.options, tunnel.form), tunnel.options.name);
      plan_initiate(tunnel);
    }
  }
}

void IkeKeeper::note_load(const Todo& todo, const IkeReply& reply) {
  Tunnel* tunnel = find(todo.tunnel);
  if (!tunnel) return;
  const bool done = reply.message.yes("success");
  if (todo.request.name == "load-shared") tunnel->key_present = done;
  if (todo.request.name == "load-conn") {
    if (done && !tunnel->present) log_.push_back("tunnel " + todo.tunnel + ": connection loaded into charon");
    tunnel->present = done;
    if (!done) tunnel->loaded_connection = {};  // So that the next round loads it again.
  }
  // An initiate that fails is reported with its reason by symptom().
  if (todo.request.name == "initiate" || done) return;
  note_problem(*tunnel, "charon refuses " + todo.request.name + ": " + std::string{reply.message.value("errmsg")});
}

void IkeKeeper::note_warnings(const Section& algorithms) {
  warnings_.clear();
  for (const Tunnel& tunnel : tunnels_)
    if (tunnel.options.ike)
      for (const std::string& sentence : missing_algorithms(*tunnel.options.ike, algorithms))
        warnings_.push_back("tunnel " + tunnel.options.name + ": " + sentence);
}

/// The answers of version, get-algorithms, get-conns, get-shared and list-sas.
void IkeKeeper::judge_lists(const IkeReply& reply, Time now) {
  switch (under_way_->step) {
    case Step::version:
      version_ = reply.message.value("version");
      if (version_.empty()) version_ = "?";
      break;
    case Step::algorithms:
      algorithms_ = reply.message;
      note_warnings(*algorithms_);
      for (const std::string& warning : warnings_) log_.push_back(warning);
      break;
    case Step::conns:
      connections_.clear();
      for (const std::string& name : reply.message.list("conns"))
        if (ours(name)) connections_.insert(name);
      // Another program may unload what we have loaded (swanctl --load-all does), so each round compares.
      for (Tunnel& tunnel : tunnels_) {
        const bool was = tunnel.present;
        tunnel.present = tunnel.options.ike && connections_.contains(connection_name(tunnel.options));
        if (was && !tunnel.present)
          log_.push_back("tunnel " + tunnel.options.name +
                         ": another program unloaded its connection; loading it again");
      }
      break;
    case Step::shared:
      keys_loaded_.clear();
      for (const std::string& name : reply.message.list("keys"))
        if (ours(name)) keys_loaded_.insert(name);
      for (Tunnel& tunnel : tunnels_)
        tunnel.key_present = tunnel.options.ike && keys_loaded_.contains(connection_name(tunnel.options));
      break;
    case Step::list: {
      std::vector<IkeView> all;
      for (const Section& event : reply.streamed)
        for (IkeView& ike : read_ikes(event)) all.push_back(std::move(ike));
      judge_sas(std::move(all), now);
      break;
    }
    case Step::load:
    case Step::initiate:
    case Step::done:
      break;
  }
}

void IkeKeeper::judge_tunnel(Tunnel& tunnel, const std::vector<IkeView>& all, Time now) {
  tunnel.up = tunnel.busy = false;
  tunnel.newest_ike = 0;
  bool found = false;
  std::uint32_t newest = 0;
  std::set<std::uint32_t> carrying, negotiating, childless;
  std::vector<const ChildSa*> children;
  for (const IkeView& ike : all) {
    if (ike.connection != connection_name(tunnel.options)) continue;
    found = true;
    tunnel.newest_ike = std::max(tunnel.newest_ike, ike.id);
    tunnel.busy = tunnel.busy || ike.in_progress;
    const bool usable =
        std::any_of(ike.children.begin(), ike.children.end(), [](const ChildSa& child) { return child.usable; });
    for (const ChildSa& child : ike.children) children.push_back(&child);
    if (ike.children.empty() && ike.state == "CONNECTING") negotiating.insert(ike.id);
    if (ike.children.empty() && ike.state == "ESTABLISHED" && !ike.in_progress) childless.insert(ike.id);
    if (!usable) continue;
    tunnel.up = true;
    if (ike.state != "ESTABLISHED") continue;
    carrying.insert(ike.id);
    newest = std::max(newest, ike.id);
  }
  // Childless ones count as left behind only beside one that carries traffic.
  if (carrying.empty()) childless.clear();
  note_since(tunnel.negotiating, negotiating, now);
  // note_since() forgets what is gone, so an id has been seen without a break since its time.
  note_since(tunnel.empty, childless, now);
  // IKEv1 keeps the SA of before beside its successor until it expires, and a peer may go on sending on it.
  if (tunnel.options.ike && tunnel.options.ike->version == 1) children.clear();
  note_since(tunnel.superseded, superseded_children(children), now);
  // The newest one stays.
  carrying.erase(newest);
  // Ended is what two lists in a row show beside the newest: in one alone, a renewal may just be taking over.
  tunnel.end_of_list.clear();
  std::set_intersection(carrying.begin(), carrying.end(), tunnel.too_many.begin(), tunnel.too_many.end(),
                        std::inserter(tunnel.end_of_list, tunnel.end_of_list.end()));
  tunnel.too_many = std::move(carrying);
  round_soon_ = round_soon_ || tunnel.too_many != tunnel.end_of_list;
  // How many lists in a row did not have it.
  tunnel.absent = found ? 0 : tunnel.absent + 1;
  tunnel.listed = tunnel.listed || found;
  // One list without it: the next one is read soon and decides.
  round_soon_ = round_soon_ || (tunnel.listed && tunnel.absent == 1);
  if (!tunnel.up) return;
  tunnel.tries = 0;
  tunnel.next_try = Time{};
  tunnel.failure = IkeFailure::none;
  tunnel.failure_text.clear();
}

void IkeKeeper::judge_sas(std::vector<IkeView> all, Time now) {
  for (Tunnel& tunnel : tunnels_) judge_tunnel(tunnel, all, now);
  note_foreign(all);
  std::vector<ChildSa>& children = snapshot_.emplace();
  remote_hosts_.clear();
  // Names of ours whose tunnel is gone: their SAs are ended in the next step.
  unwanted_.clear();
  listed_ = true;
  for (IkeView& ike : all) {
    if (ours(ike.connection) && !find_connection(ike.connection)) unwanted_.insert(ike.connection);
    const bool of_tunnel = std::any_of(tunnels_.begin(), tunnels_.end(), [&](const Tunnel& tunnel) {
      const std::uint32_t if_id = tunnel.options.if_id;
      return connection_name(tunnel.options) == ike.connection ||
             (if_id != 0 && std::any_of(ike.children.begin(), ike.children.end(),
                                        [&](const ChildSa& child) { return child.if_id == if_id; }));
    });
    if (const auto remote = parse_address(ike.remote_host); remote && of_tunnel) remote_hosts_.insert(*remote);
    for (ChildSa& child : ike.children) children.push_back(std::move(child));
  }
}

void IkeKeeper::note_foreign(const std::vector<IkeView>& all) {
  std::vector<TunnelOptions> tunnels;
  for (const Tunnel& tunnel : tunnels_) tunnels.push_back(tunnel.options);
  // The log has each once, for as long as it is there.
  const std::vector<std::string> before = std::exchange(foreign_, {});
  for (const Meddler& it : meddlers(all, tunnels)) {
    const std::string& line = foreign_.emplace_back("tunnel " + it.tunnel + ": " + it.text);
    if (std::find(before.begin(), before.end(), line) == before.end()) log_.push_back(line);
  }
}

std::vector<std::string> IkeKeeper::warnings() const {
  std::vector<std::string> all = warnings_;
  all.insert(all.end(), foreign_.begin(), foreign_.end());
  return all;
}

void IkeKeeper::set_need(std::string_view name, Need need, Time now) {
  Tunnel* tunnel = find(name);
  if (!tunnel || tunnel->need == need) return;
  const bool settled = tunnel->need.has_value();
  tunnel->need = need;
  tunnel->need_since = now;
  if (need == Need::nothing) {
    tunnel->renewals = 0;
    return;
  }
  // Right after a renewal its pause holds, so that a peer that takes SAs and drops packets is not stormed.
  tunnel->next_renewal = std::max(tunnel->next_renewal, now + kFirstRenewal);
  if (settled) look_again(now);
}

void IkeKeeper::replied(const IkeReply& reply, Time now) {
  if (!under_way_) return;
  if (reply.outcome == IkeReply::Outcome::lost) {
    under_way_.reset();  // disconnected() follows, or has come.
    return;
  }
  if (under_way_->step == Step::load || under_way_->step == Step::initiate) {
    note_load(*under_way_, reply);
  } else {
    judge_lists(reply, now);
  }
  under_way_.reset();
  // An operator's request may have come in between the round's: the round goes on when nothing is left of either.
  if (!todo_.empty()) return;
  if (unload_ != Unload::no) unload_ = Unload::done;
  if (unload_ != Unload::no || step_ == Step::done) return;
  enter(static_cast<Step>(static_cast<std::uint8_t>(step_) + 1), now);
}

void IkeKeeper::look_again(Time now) {
  if (!connected_) return;
  // A round that is under way may have read the list already.
  if (step_ != Step::done) {
    round_again_ = true;
  } else {
    next_round_ = std::min(next_round_, now + kLookAgain);
  }
}

void IkeKeeper::symptom(const Symptom& symptom, Time now) {
  Tunnel* tunnel = find_connection(symptom.connection);
  if (!tunnel) return;
  // charon gives up a silent peer after minutes; while nothing is up, its first repetition says as much.
  const bool unanswered = symptom.kind == Symptom::Kind::silent && !tunnel->up;
  if (unanswered || symptom.kind == Symptom::Kind::failed || symptom.kind == Symptom::Kind::final_failure) {
    // The first words of an episode say most: what follows is its consequence.
    if (tunnel->failure == IkeFailure::none || symptom.failure != IkeFailure::peer_silent) {
      if (tunnel->failure != symptom.failure)
        log_.push_back("tunnel " + tunnel->options.name + ": " + std::string{to_text(symptom.failure)} + " (" +
                       symptom.words + ")");
      tunnel->failure = symptom.failure;
      tunnel->failure_text = symptom.words;
    }
  }
  if (symptom.kind == Symptom::Kind::final_failure) look_again(now);
}

void IkeKeeper::initiate(std::string_view name, Time now) {
  Tunnel* tunnel = find(name);
  if (!tunnel) return;
  tunnel->tries = 0;
  tunnel->next_try = Time{};
  if (!connected_) return;
  // The round initiates it, together with what else it needs.
  if (tunnel->options.ike && tunnel->options.ike->start_action == "start") {
    next_round_ = now;
    if (step_ != Step::done) round_again_ = true;
    return;
  }
  Section message;
  if (const std::string connection = connection_name(tunnel->options); !connection.empty())
    message.add("ike", connection);
  // Without a child's name charon would begin the IKE_SA alone.
  if (tunnel->options.ike) message.add("child", tunnel->options.name);
  message.add("timeout", "-1");
  add(Step::initiate, "initiate", std::move(message), tunnel->options.name);
}

void IkeKeeper::terminate(std::string_view name, Time now) {
  Tunnel* tunnel = find(name);
  if (!tunnel || !connected_) return;
  const std::string connection = connection_name(tunnel->options);
  if (connection.empty()) return;
  add(Step::initiate, "terminate", Section{}.add("ike", connection).add("timeout", "-1"));
  // An IKE_SA that is missing from the next list is what was asked for.
  tunnel->listed = false;
  // start_action: start brings it back, but not before the peer has seen the end.
  tunnel->next_try = now + kFirstRetry;
}

void IkeKeeper::unload_all() {
  unload_ = asked_ ? Unload::under_way : Unload::done;
  if (connected_) plan_unloads();
}

void IkeKeeper::plan_unloads() {
  // Whatever was planned is out of date: after this nothing of ours is to be in charon.
  todo_.clear();
  for (const Tunnel& tunnel : tunnels_) {
    if (!tunnel.options.ike) continue;
    const std::string connection = connection_name(tunnel.options);
    // If it stayed loaded, a peer that connects would bring the tunnel up again.
    // First what the peer could begin a new SA with.
    add(Step::load, "unload-conn", Section{}.add("name", connection));
    add(Step::load, "unload-shared", Section{}.add("id", connection));
    // The peer is told, and given the time to answer; then it ends without it.
    add(Step::load, "terminate", Section{}.add("ike", connection).add("timeout", "1000"));
    add(Step::load, "terminate", Section{}.add("ike", connection).add("force", "yes").add("timeout", "-1"));
  }
  // A request that is under way is waited for; replied() then goes on with these.
  unload_ = todo_.empty() && !under_way_ ? Unload::done : Unload::under_way;
}

std::optional<std::vector<ChildSa>> IkeKeeper::take_snapshot() { return std::exchange(snapshot_, std::nullopt); }

IkeKeeper::View IkeKeeper::view(std::string_view name) const {
  const Tunnel* tunnel = find(name);
  if (!tunnel) return {};
  View view{tunnel->present, tunnel->failure, tunnel->failure_text, tunnel->problem, kNever};
  if (connected_ && tunnel->options.ike && !tunnel->up && tunnel->options.ike->start_action == "start")
    view.next_initiate = tunnel->next_try;
  return view;
}

std::vector<std::string> IkeKeeper::take_log() { return std::exchange(log_, {}); }

}  // namespace minibgp::xfrm::vici
