/// PolicyLibrary -> Program. Validation came first; what can still fail here are the limits.
#include <bgp/base/assert.h>
#include <bgp/base/overloaded.h>
#include <bgp/policy.h>
#include <bgp/policy/library_index.h>
#include <bgp/policy/program.h>
#include <bgp/policy/validate.h>

#include <algorithm>
#include <optional>

namespace minibgp {
namespace policy {
namespace {

using base::Overloaded;

/// A set this large gets an index of its own that policies share; smaller lists are walked together, in one index for
/// up to PrefixIndex::kListsMax of them.
constexpr std::size_t kOwnIndexFrom = 16'384;

/// Indexes of large sets, by set.
using SharedIndexes = std::map<const NamedSet<PrefixRange>*, std::shared_ptr<const PrefixIndex>>;

using Range = std::pair<std::uint32_t, std::uint32_t>;

class Compiler {
 public:
  Compiler(const LibraryIndex& names, SharedIndexes& shared) : names_(names), shared_(shared) {}

  Result<std::unique_ptr<const Program>, PolicyError> compile(const PolicyDefinition& root) {
    // Guards are found when all steps are known, and lists are packed after that: a guard is one more list.
    const std::uint32_t entry = entry_of(root, 0);
    guard_runs();
    pack(prefix_lists_, Condition::Kind::prefix);
    pack(next_hop_lists_, Condition::Kind::next_hop);
    if (over_limit_)
      return unexpected(PolicyError{root.mark, root.name, "", *over_limit_, "split it, or use sets instead of terms"});
    auto program = std::make_unique<const Program>(std::move(tables_), std::move(steps_), std::move(edits_),
                                                   std::move(terms_), entry);
    if (!program->ways_fit())
      return unexpected(PolicyError{root.mark, root.name, "", "more than 4 294 967 294 combinations of edits",
                                    "at most 31 terms in a row may edit and go on; let some of them accept"});
    return program;
  }

 private:
  /// A branch whose goal is not known yet; of the entry, or of a step.
  struct Branch {
    std::uint32_t* entry = nullptr;
    std::size_t step = 0;
    bool on_true = false;
  };
  using Branches = std::vector<Branch>;

  void lead(const Branches& branches, std::uint32_t to) {
    // Goals are filled in afterwards, because steps are written before it is known what follows them.
    for (const Branch& branch : branches) {
      if (branch.entry != nullptr) {
        *branch.entry = to;
      } else {
        (branch.on_true ? steps_[branch.step].on_true : steps_[branch.step].on_false) = to;
      }
    }
  }

  std::uint32_t entry_of(const PolicyDefinition& definition, std::size_t depth) {
    std::uint32_t entry = Program::kReject;
    // Whatever is left at the end of a policy is rejected.
    lead(terms(definition, depth, {Branch{&entry, 0, false}}), Program::kReject);
    return entry;
  }

  /// Writes the terms out behind the steps there are. Returns the branches that leave without a verdict.
  Branches terms(const PolicyDefinition& definition, std::size_t depth, Branches incoming) {
    Branches leaving;
    // Written out in full for each call, so the limits bound what nested calls could multiply.
    if (depth >= kPolicyDepthMax) over_limit_ = "calls nest deeper than " + std::to_string(kPolicyDepthMax);
    for (std::size_t i = 0; i < definition.terms.size() && !over_limit_; ++i) {
      const PolicyTerm& term = definition.terms[i];
      Program::Term info{
          definition.name, term_name(term, i), term.mark, static_cast<std::uint32_t>(depth), term.verdict, {}};
      for (const PolicyMatch& match : term.matches) info.conditions.push_back(to_text(match));
      const Range conditions = list(term.matches);
      if (term.call) info.verdict = TermVerdict::next;
      Branch fired = step(conditions, term, info, incoming);
      // What does not fire goes on to the next term.
      incoming = {Branch{nullptr, fired.step, false}};

      Branches done{fired};
      if (term.call) {
        const PolicyDefinition* called = names_.policy(term.call->name);
        // A call begins where this term fires; what comes back from it has had no verdict.
        done = terms(*called, depth + 1, done);
        if (term.verdict == TermVerdict::accept || term.verdict == TermVerdict::reject) {
          // A step of its own, so that a trace names this term as the one that decided.
          info.verdict = term.verdict;
          info.conditions.clear();
          done = {step({}, PolicyTerm{}, info, done)};
        }
      }
      switch (term.verdict) {
        case TermVerdict::accept:
          lead(done, Program::kAccept);
          break;
        case TermVerdict::reject:
          lead(done, Program::kReject);
          break;
        case TermVerdict::next:
          incoming.insert(incoming.end(), done.begin(), done.end());
          break;
        case TermVerdict::return_:
          // Only the policy that is called ends; the caller goes on.
          leaving.insert(leaving.end(), done.begin(), done.end());
          break;
      }
    }
    leaving.insert(leaving.end(), incoming.begin(), incoming.end());
    return leaving;
  }

  /// Returns the branch taken when it fires.
  Branch step(Range conditions, const PolicyTerm& term, const Program::Term& info, const Branches& incoming) {
    const std::size_t here = steps_.size();
    // Each call writes the steps again, so they count each time.
    spend(1);
    lead(incoming, static_cast<std::uint32_t>(here));
    Program::Step made;
    made.conditions_begin = conditions.first;
    made.conditions_end = conditions.second;
    made.edits_begin = static_cast<std::uint32_t>(edits_.size());
    for (const PolicyEdit& edit : term.edits) edits_.push_back(written_out(edit));
    made.edits_end = static_cast<std::uint32_t>(edits_.size());
    made.term = static_cast<std::uint32_t>(terms_.size());
    terms_.push_back(info);
    steps_.push_back(made);
    return Branch{nullptr, here, true};
  }

  /// Prefix ranges that one or more conditions ask for; index and list are known after packing.
  struct PrefixList {
    std::vector<PrefixRange> owned;
    std::span<const PrefixRange> ranges;
    const NamedSet<PrefixRange>* set = nullptr;  // When it is one set and nothing else.
    std::vector<std::size_t> users;              // Conditions.
  };
  using PrefixLists = std::vector<std::unique_ptr<PrefixList>>;

  // --- Guards ---

  /// The list a step's own condition on the prefix waits for; null: it has none, or one that is an index of its own.
  const PrefixList* prefix_list_of(const Program::Step& step) const {
    for (std::uint32_t i = step.conditions_begin; i < step.conditions_end; ++i) {
      const auto found = list_of_condition_.find(i);
      // A large set has an index of its own, which the guard would repeat.
      if (found != list_of_condition_.end() && found->second->ranges.size() < kOwnIndexFrom) return found->second;
    }
    return nullptr;
  }

  /// Puts a guard before each run of steps that ask for prefixes and follow each other.
  void guard_runs() {
    constexpr std::size_t kRunMin = 3;  // Shorter ones are asked as fast as the guard is.
    // A run goes on as long as each step leads to the next when it does not fire.
    for (std::size_t begin = 0; begin < steps_.size();) {
      auto all = std::make_unique<PrefixList>();
      std::size_t end = begin;
      while (end < steps_.size()) {
        const PrefixList* list = prefix_list_of(steps_[end]);
        if (list == nullptr || all->owned.size() + list->ranges.size() >= kOwnIndexFrom) break;
        all->owned.insert(all->owned.end(), list->ranges.begin(), list->ranges.end());
        ++end;
        // The step leads elsewhere, so the guard could not skip what follows.
        if (steps_[end - 1].on_false != end) break;
      }
      if (end - begin >= kRunMin) {
        all->ranges = all->owned;
        // The list of the guard has its condition as its only user; it belongs to no step.
        all->users.push_back(tables_.conditions.size());
        steps_[begin].guard = static_cast<std::uint32_t>(tables_.conditions.size());
        steps_[begin].guard_to = steps_[end - 1].on_false;
        tables_.conditions.push_back({Condition::Kind::prefix, false, 0, 0, 0});
        prefix_lists_.push_back(std::move(all));
      }
      begin = std::max(end, begin + 1);
    }
  }

  void spend(std::size_t terms) {
    cost_ += terms;
    // The compilation goes on to the end of the term; the loops look at `over_limit_`.
    if (cost_ > kPolicyTermsMax)
      over_limit_ =
          "more than " + std::to_string(kPolicyTermsMax) + " terms, counted with the policies it calls and asks";
  }

  // --- Edits ---

  PolicyEdit written_out(PolicyEdit edit) {
    std::visit(
        // Only actions with lists may name sets; the others are copied as they are.
        [this](auto& action) {
          if constexpr (requires { action.sets; }) action.items = items_of(action);
          if constexpr (requires { action.sets; }) action.sets.clear();
        },
        edit.action);
    return edit;
  }

  template <typename Item>
  std::vector<Item> items_of(const ItemsOrSets<Item>& both) const {
    std::vector<Item> items = both.items;
    for (const NameRef& reference : both.sets) {
      const NamedSet<Item>* found = names_.set<Item>(reference.name);
      items.insert(items.end(), found->items.begin(), found->items.end());
    }
    return items;
  }

  // --- Conditions ---

  Range list(const std::vector<PolicyMatch>& matches) {
    // All conditions are made first: those inside of a Not or AnyOf go into the table while their owner is made, so
    // that the owner's own conditions stay next to each other.
    std::vector<Pending> made;
    for (std::size_t i = 0; i < matches.size(); ++i) {
      made.push_back(condition(matches[i]));
      // The place where the operator wrote it, for traces.
      made.back().condition.written = static_cast<std::uint16_t>(i);
    }
    // Kind is ordered by cost, so the cheap conditions are asked first. All must hold, so their order is free.
    std::stable_sort(made.begin(), made.end(),
                     [](const Pending& a, const Pending& b) { return a.condition.kind < b.condition.kind; });
    const auto begin = static_cast<std::uint32_t>(tables_.conditions.size());
    for (const Pending& one : made) {
      if (one.list) (*one.list)->users.push_back(tables_.conditions.size());
      if (one.list && one.condition.kind == Condition::Kind::prefix)
        list_of_condition_[static_cast<std::uint32_t>(tables_.conditions.size())] = *one.list;
      tables_.conditions.push_back(one.condition);
    }
    return {begin, static_cast<std::uint32_t>(tables_.conditions.size())};
  }

  /// A condition, and the list it waits for.
  struct Pending {
    Condition condition;
    std::optional<PrefixList*> list;
    Pending(Condition::Kind kind, std::uint32_t x = 0, std::uint32_t y = 0, bool flag = false)
        : condition{kind, flag, 0, x, y} {}
    Pending(Condition::Kind kind, PrefixList* waits_for) : condition{kind, false, 0, 0, 0}, list(waits_for) {}
  };

  Pending prefix(const match::PrefixIn& m) {
    if (m.items.empty() && m.sets.size() == 1) {
      const NamedSet<PrefixRange>* set = names_.set<PrefixRange>(m.sets[0].name);
      // Conditions that name the same set share one list.
      for (const auto& list : prefix_lists_)
        if (list->set == set) return {Condition::Kind::prefix, list.get()};
      prefix_lists_.push_back(std::make_unique<PrefixList>(PrefixList{{}, set->items, set, {}}));
    } else {
      auto list = std::make_unique<PrefixList>(PrefixList{items_of(m), {}, nullptr, {}});
      list->ranges = list->owned;
      prefix_lists_.push_back(std::move(list));
    }
    return {Condition::Kind::prefix, prefix_lists_.back().get()};
  }

  Pending next_hop(const match::NextHopIn& m) {
    auto list = std::make_unique<PrefixList>();
    // An address is looked up as the prefix of a host.
    for (const AddressRange& range : items_of(m)) list->owned.push_back(PrefixRange::or_longer(range.prefix));
    list->ranges = list->owned;
    next_hop_lists_.push_back(std::move(list));
    return {Condition::Kind::next_hop, next_hop_lists_.back().get()};
  }

  void pack(const PrefixLists& lists, Condition::Kind kind) {
    std::vector<std::span<const PrefixRange>> together;
    std::vector<const PrefixList*> owners;
    std::size_t entries = 0;
    const auto place = [&](const PrefixList& list, std::size_t index, std::size_t number) {
      for (const std::size_t user : list.users) {
        BGP_ASSERT(tables_.conditions[user].kind == kind);  // A list is in the pool of its own kind only.
        tables_.conditions[user].x = static_cast<std::uint32_t>(index);
        tables_.conditions[user].y = static_cast<std::uint32_t>(number);
      }
    };
    const auto flush = [&] {
      // The number of a list within an index is its bit in a row of it.
      if (together.empty()) return;
      for (std::size_t i = 0; i < owners.size(); ++i) place(*owners[i], tables_.indexes.size(), i);
      tables_.indexes.push_back(std::make_shared<const PrefixIndex>(together));
      together.clear();
      owners.clear();
      entries = 0;
    };
    for (const auto& list : lists) {
      if (list->ranges.size() >= kOwnIndexFrom) {
        place(*list, tables_.indexes.size(), 0);
        tables_.indexes.push_back(own_index(*list));
        continue;
      }
      // The entries are bounded as well as the lists, because each row has a bit field for each list.
      if (together.size() == PrefixIndex::kListsMax || entries + list->ranges.size() > kOwnIndexFrom) flush();
      together.push_back(list->ranges);
      owners.push_back(list.get());
      entries += list->ranges.size();
    }
    flush();
  }

  std::shared_ptr<const PrefixIndex> own_index(const PrefixList& list) {
    const auto make = [&] {
      const std::span<const PrefixRange> one[] = {list.ranges};
      return std::make_shared<const PrefixIndex>(one);
    };
    // Only a named set can be asked for by other policies.
    if (list.set == nullptr) return make();
    auto& shared = shared_[list.set];
    if (!shared) shared = make();
    return shared;
  }

  Pending asns(Condition::Kind kind, const ItemsOrSets<AsnRange>& both) {
    AsnTable table{items_of(both)};
    // Sorted and disjoint, so that a look-up is one binary search.
    std::sort(table.ranges.begin(), table.ranges.end(),
              [](const AsnRange& a, const AsnRange& b) { return a.first < b.first; });
    std::vector<AsnRange> disjoint;
    for (const AsnRange& range : table.ranges) {
      if (!disjoint.empty() && range.first <= disjoint.back().last) {
        disjoint.back().last = std::max(disjoint.back().last, range.last);
      } else {
        disjoint.push_back(range);
      }
    }
    table.ranges = std::move(disjoint);
    tables_.asn_tables.push_back(std::move(table));
    return {kind, static_cast<std::uint32_t>(tables_.asn_tables.size() - 1)};
  }

  static Community value_of(const CommunityPattern& pattern) { return Community{pattern.value}; }
  static ExtendedCommunity value_of(const ExtendedCommunityPattern& pattern) {
    return ExtendedCommunity{pattern.value};
  }
  static LargeCommunity value_of(const LargeCommunityPattern& pattern) { return pattern.value; }

  template <typename Match, typename Table>
  Pending communities(Condition::Kind kind, const Match& m, std::vector<Table>& tables) {
    Table table;
    // Exact values are found by search, patterns one after the other.
    for (const auto& pattern : items_of(m)) {
      if (pattern.exact()) {
        table.exact.push_back(value_of(pattern));
      } else {
        table.wild.push_back(pattern);
      }
    }
    std::sort(table.exact.begin(), table.exact.end());
    table.exact.erase(std::unique(table.exact.begin(), table.exact.end()), table.exact.end());
    // All of nothing would hold of every route; an empty set matches none.
    const bool all = m.quantifier == Quantifier::all && !(table.exact.empty() && table.wild.empty());
    tables.push_back(std::move(table));
    return {kind, static_cast<std::uint32_t>(tables.size() - 1), 0, all};
  }

  /// `items` behind those of `pool`, as a range of it.
  template <typename Value>
  Pending appended(Condition::Kind kind, const std::vector<Value>& items, std::vector<Value>& pool) {
    const auto begin = static_cast<std::uint32_t>(pool.size());
    pool.insert(pool.end(), items.begin(), items.end());
    return {kind, begin, static_cast<std::uint32_t>(pool.size())};
  }

  Pending regexes(const match::AsPathRegex& m) {
    const auto begin = static_cast<std::uint32_t>(tables_.regexes.size());
    for (const std::string& expression : m.any) {
      auto compiled = AsPathRegex::compile(expression);
      BGP_ASSERT(compiled.has_value());  // validate() compiled it.
      tables_.regexes.push_back(*std::move(compiled));
    }
    return {Condition::Kind::path_regex, begin, static_cast<std::uint32_t>(tables_.regexes.size())};
  }

  static Pending number(Condition::Kind kind, const std::optional<NumberRange>& range) {
    return range ? Pending{kind, range->min, range->max, true} : Pending{kind};
  }

  template <typename Enum>
  static Pending value(Condition::Kind kind, Enum wanted) {
    return {kind, static_cast<std::uint32_t>(wanted)};
  }

  Pending policy(const match::PolicyAccepts& m) {
    const PolicyDefinition* definition = names_.policy(m.policy.name);
    const auto known = asked_.find(definition);
    // A policy that is asked is written once, however many conditions ask it. Its terms count each time, because each
    // may be run each time.
    if (known != asked_.end()) {
      spend(known->second.second);
      return {Condition::Kind::policy, known->second.first};
    }
    const std::size_t before = cost_;
    const std::uint32_t entry = entry_of(*definition, ++asking_);
    --asking_;
    asked_[definition] = {entry, cost_ - before};
    return {Condition::Kind::policy, entry};
  }

  Pending condition(const PolicyMatch& match) {
    using Kind = Condition::Kind;
    return std::visit(
        Overloaded{
            [&](const match::PrefixIn& m) { return prefix(m); },
            [&](const match::FamilyIs& m) { return value(Kind::family, m.family); },
            [&](const match::AsPathRegex& m) { return regexes(m); },
            [&](const match::AsPathContains& m) { return asns(Kind::path_contains, m); },
            [&](const match::AsPathStarts& m) { return appended(Kind::path_starts, m.sequence, tables_.sequences); },
            [&](const match::AsPathEnds& m) { return appended(Kind::path_ends, m.sequence, tables_.sequences); },
            [&](const match::AsPathLength& m) { return number(Kind::path_length, m.hops); },
            [&](const match::NeighborAs& m) { return asns(Kind::neighbor_as, m); },
            [&](const match::OriginAs& m) { return asns(Kind::origin_as, m); },
            [&](const match::CommunityIn& m) { return communities(Kind::community, m, tables_.communities); },
            [&](const match::ExtendedCommunityIn& m) {
              return communities(Kind::extended_community, m, tables_.extended_communities);
            },
            [&](const match::LargeCommunityIn& m) {
              return communities(Kind::large_community, m, tables_.large_communities);
            },
            [&](const match::MedIs& m) { return number(Kind::med, m.range); },
            [&](const match::LocalPrefIs& m) { return number(Kind::local_pref, m.range); },
            [&](const match::OriginIs& m) { return value(Kind::origin, m.origin); },
            [&](const match::NextHopIn& m) { return next_hop(m); },
            [&](const match::PeerIs& m) { return appended(Kind::peer, m.any, tables_.names); },
            [&](const match::TunnelIs& m) { return appended(Kind::tunnel, m.any, tables_.names); },
            [&](const match::PeerTypeIs& m) { return value(Kind::peer_type, m.type); },
            [&](const match::OwnPrefix& m) { return value(Kind::own_prefix, m.wanted); },
            [&](const match::CoversIkeEndpoint& m) { return value(Kind::covers_ike_endpoint, m.wanted); },
            [&](const match::RpkiIs& m) { return value(Kind::rpki, m.state); },
            [&](const match::PolicyAccepts& m) { return policy(m); },
            [&](const match::Not& m) {
              const Range range = list(m.all);
              return Pending{Kind::none_of, range.first, range.second};
            },
            [&](const match::AnyOf& m) {
              std::vector<Range> ranges;
              for (const auto& all : m.any) ranges.push_back(list(all));
              const auto begin = static_cast<std::uint32_t>(tables_.lists.size());
              tables_.lists.insert(tables_.lists.end(), ranges.begin(), ranges.end());
              return Pending{Kind::any_of, begin, static_cast<std::uint32_t>(tables_.lists.size())};
            },
        },
        match.condition);
  }

  const LibraryIndex& names_;
  SharedIndexes& shared_;
  Tables tables_;
  std::vector<Program::Step> steps_;
  std::vector<PolicyEdit> edits_;
  std::vector<Program::Term> terms_;
  PrefixLists prefix_lists_, next_hop_lists_;
  std::map<std::uint32_t, const PrefixList*> list_of_condition_;
  std::map<const PolicyDefinition*, std::pair<std::uint32_t, std::size_t>> asked_;  // Entry and cost.
  std::size_t asking_ = 0;
  std::size_t cost_ = 0;
  std::optional<std::string> over_limit_;
};

}  // namespace
}  // namespace policy

Result<std::shared_ptr<const Policy>, std::vector<PolicyError>> Policy::compile(const PolicyLibrary& library,
                                                                                std::string_view name) {
  const policy::LibraryIndex names(library);
  std::vector<PolicyError> errors = policy::validate(library, names, name);
  if (!errors.empty()) return unexpected(std::move(errors));
  // Lives for this call only: the policy keeps the indexes that it uses.
  policy::SharedIndexes shared;
  auto program = policy::Compiler(names, shared).compile(*names.policy(name));
  if (!program) return unexpected(std::vector<PolicyError>{std::move(program).error()});
  return std::make_shared<const Policy>(*std::move(program));
}

Result<PolicyTable, std::vector<PolicyError>> compile_policies(const PolicyLibrary& library) {
  const policy::LibraryIndex names(library);
  std::vector<PolicyError> errors = policy::validate(library, names);
  if (!errors.empty()) return unexpected(std::move(errors));
  PolicyTable table;
  // Shared by all policies of the library, which is where large sets cost memory.
  policy::SharedIndexes shared;
  for (const PolicyDefinition& definition : library.policies) {
    auto program = policy::Compiler(names, shared).compile(definition);
    if (!program) {
      errors.push_back(std::move(program).error());
      continue;
    }
    table.emplace(definition.name, std::make_shared<const Policy>(*std::move(program)));
  }
  if (!errors.empty()) return unexpected(std::move(errors));
  return table;
}

}  // namespace minibgp
