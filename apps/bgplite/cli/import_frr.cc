#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/cli/import_frr_neighbors.h>
#include <apps/bgplite/cli/import_frr_words.h>
#include <apps/bgplite/config/policy_writer.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace bgplite::cli {
namespace {

class FrrImporter {
 public:
  Imported run(std::string_view text) {
    read(text);
    Imported result;
    result.yaml = yaml();
    router_.finish();
    policies_.finish();
    library_.close_what_does_not_compile(notes_);
    finish_families();
    result.yaml += write_policies(library_.made);
    notes_.finish(result);
    return result;
  }

 private:
  // --- Reading ---

  void read(std::string_view text) {
    std::vector<FrrLine> lines;
    std::istringstream in{std::string(text)};
    std::string one;
    for (std::size_t number = 1; std::getline(in, one); ++number) {
      FrrLine line{number, {}};
      std::istringstream words(one);
      for (std::string word; words >> word;) line.words.push_back(word);
      if (line.words.empty()) continue;
      if (line.at(0)[0] == '!' || line.at(0)[0] == '#') {
        dialect_.comment(one);
        continue;
      }
      const bool control =
          std::any_of(one.begin(), one.end(), [](unsigned char c) { return std::iscntrl(c) != 0 && !std::isspace(c); });
      notes_.add_line(number, control ? "" : one);
      if (control) {
        notes_.list(number, "it has octets that are no text; the line is left out");
        continue;
      }
      lines.push_back(std::move(line));
    }
    // The version decides what other lines mean, wherever it stands.
    std::erase_if(lines, [&](const FrrLine& line) { return dialect_.take(line, notes_); });
    for (const FrrLine& line : lines) read_line(line);
  }

  void read_line(const FrrLine& line) {
    const FrrBlocks::Place place = blocks_.enter(line);
    if (place.structure) return notes_.no_effect(line.number, "ends a block");
    if (place.opens) return open(line, place);
    switch (place.block) {
      case FrrBlock::top:
        return top(line);
      case FrrBlock::router:
        return router(line, 0);
      case FrrBlock::family:
        return family_line(line, place);
      case FrrBlock::route_map:
        return policies_.entry_line(line);
      case FrrBlock::interface:
        return interface(line, place);
      case FrrBlock::other:
        return other(line, place);
    }
  }

  void open(const FrrLine& line, const FrrBlocks::Place& place) {
    if (place.block == FrrBlock::router) return router_.begin(line);
    if (place.block == FrrBlock::route_map) return policies_.begin_entry(line);
    if (place.block == FrrBlock::family) {
      const bool ipv6 = line.at(1) == "ipv6";
      notes_.carried(line.number);
      families_[line.number] = {ipv6 ? 1U : 0U, !ipv6 && !place.ends_another, {}};
      return;
    }
    if (line.at(0) == "line") return notes_.no_effect(line.number, "FRR's own terminal");
    if (line.at(0) == "route-map") {
      policies_.not_an_entry(line);
      return notes_.list(line.number, std::string{frr_block_lost(place.name)});
    }
    notes_.list(line.number, std::string{frr_block_lost(place.name)});
  }

  void family_line(const FrrLine& line, const FrrBlocks::Place& place) {
    FamilyBlock& block = families_.at(place.line);
    block.lines.push_back(line.number);
    router(line, block.family);
  }

  /// "address-family ipv4" is what holds without it, and an empty block says nothing.
  void finish_families() {
    for (const auto& [line, block] : families_) {
      if (block.is_default) {
        notes_.no_effect(line, "lines outside of a family are about IPv4, too");
      } else if (std::none_of(block.lines.begin(), block.lines.end(),
                              [&](std::size_t inside) { return notes_.effective(inside); })) {
        notes_.list(line, "no line of the block is carried over; nothing of it is in the result");
      }
    }
  }

  void router(const FrrLine& line, std::size_t family) {
    if (line.without_no().at(0) == "neighbor") return neighbors_.take(line, family);
    known(FrrWhere::router, line, [&] { return router_.take(line, family); });
  }

  void top(const FrrLine& line) {
    if (line.without_no().at(0) == "route-map" && line.at(2) != "optimization" && line.at(3) != "optimization") {
      policies_.not_an_entry(line.without_no());
      return notes_.list(line.number, std::string{frr_block_lost("route-map")});
    }
    if (line.without_no().at(0) == "route-map") return notes_.no_effect(line.number, "how FRR finds the entry");
    known(FrrWhere::top, line, [&] { return lists_.take(line) || router_.take_top(line); });
  }

  void interface(const FrrLine& line, const FrrBlocks::Place& place) {
    FrrLine opened{place.line, {}};
    std::istringstream words(place.name);
    for (std::string word; words >> word;) opened.words.push_back(word);
    // An interface of a VRF has nothing that the default instance uses.
    const bool here = opened.words.size() == 2;
    known(FrrWhere::interface, line, [&] { return here && router_.take_interface(opened.at(1), line); });
    if (!notes_.listed(line.number) && frr_without_effect(FrrWhere::interface, line).empty())
      notes_.list(line.number, "interfaces are not set up here; keep it in the system's network configuration");
  }

  void other(const FrrLine& line, const FrrBlocks::Place& place) {
    if (place.name.starts_with("line")) return notes_.no_effect(line.number, "FRR's own terminal");
    notes_.list(line.number, "part of '" + without_secrets(place.name) + "'; nothing of it is in the result");
  }

  /// The tables first, then what is carried over.
  template <typename Take>
  void known(FrrWhere where, const FrrLine& line, Take take) {
    if (const auto why = frr_without_effect(where, line); !why.empty()) return notes_.no_effect(line.number, why);
    if (take()) return;
    if (const auto why = frr_not_carried(where, line); !why.empty()) return notes_.list(line.number, std::string{why});
    if (line.at(0) != "no") return;
    const FrrLine words = line.without_no();
    if (!frr_not_carried(where, words).empty() || !frr_without_effect(where, words).empty())
      notes_.no_effect(line.number, "what holds without it");
  }

  // --- Writing ---

  std::string yaml() {
    if (!router_.defined()) return router_.statics_yaml() + fib_yaml();
    FrrRouter::Facts facts;
    const std::string peers = neighbors_.yaml(facts);
    const std::string router = router_.yaml(facts);
    return router + router_.networks_yaml() + peers + router_.statics_yaml() + fib_yaml();
  }

  /// What decides which routes the kernel gets.
  std::string fib_yaml() {
    std::string inside;
    const auto add = [&](const std::string& one) { inside += (inside.empty() ? "" : ", ") + one; };
    for (const FrrValue& map : router_.install_maps()) {
      const std::string source = policies_.source_set_by(map.text);
      if (!source.empty() && inside.empty()) {
        add("prefsrc: " + source);
        continue;
      }
      notes_.closes(map.line,
                    "routes to the kernel are not filtered by a route-map here; no route is put into the kernel: take "
                    "'enabled: false' out of 'fib' when the policies say what the route-map said");
      if (inside.find("enabled") == std::string::npos) add("enabled: false");
    }
    for (const char* const key : {"ip resolve-via-default", "ipv6 resolve-via-default"}) {
      const FrrValue* const resolve = router_.values().use(key);
      if (resolve == nullptr) continue;
      if (resolve->text != "true") {
        notes_.no_effect(resolve->line, "what holds here without it");
      } else if (inside.find("resolve") == std::string::npos) {
        add("resolve_via_default: true");
      } else {
        notes_.no_effect(resolve->line, "there is one setting for IPv4 and IPv6, and it is on");
      }
    }
    return inside.empty() ? inside : "fib: { " + inside + " }\n";
  }

  struct FamilyBlock {
    std::size_t family = 0;
    bool is_default = false;  ///< Its lines would mean the same outside.
    std::vector<std::size_t> lines;
  };

  FrrNotes notes_;
  FrrDialect dialect_;
  FrrBlocks blocks_;
  FrrLibrary library_;
  FrrLists lists_{notes_, library_};
  FrrPolicies policies_{notes_, lists_, library_};
  FrrRouter router_{notes_, dialect_};
  FrrNeighbors neighbors_{notes_, dialect_, router_, lists_, policies_, library_};
  std::map<std::size_t, FamilyBlock> families_;
};

}  // namespace

Imported import_frr(std::string_view frr_conf) { return FrrImporter().run(frr_conf); }

}  // namespace bgplite::cli
