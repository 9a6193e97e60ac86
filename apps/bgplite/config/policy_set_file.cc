#include <apps/bgplite/config/policy_set_file.h>
#include <bgp/text.h>

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

namespace bgplite {
namespace {

using nlohmann::json;

/// bgpq4 -j writes one object, with a list of objects (prefixes) or of numbers (AS numbers) under the set's name.
/// Events of the JSON text: a tree of a million entries would cost half a gigabyte.
class Bgpq4Handler : public json::json_sax_t {
 public:
  Bgpq4Handler(Bgpq4Items& into, const SetFileError& report) : into_(into), report_(report) {}

  bool start_array(std::size_t) override { return ++arrays_, true; }
  bool end_array() override { return --arrays_, true; }
  bool start_object(std::size_t) override {
    entry_ = {};
    return true;
  }
  bool end_object() override {
    // The end of the outermost object, which holds the list.
    if (arrays_ == 0) return true;
    const auto prefix = minibgp::parse_prefix(entry_.prefix);
    if (!prefix) return complain("'" + entry_.prefix + "' is not a prefix");
    minibgp::PrefixRange range = minibgp::PrefixRange::exactly(*prefix);
    const std::uint8_t bits = minibgp::address_bits(prefix->family);
    if (entry_.ge > bits || entry_.le > bits) return complain("length beyond the address in " + entry_.prefix);
    // As bgpq4 means them: without less-equal, a greater-equal reaches to the end.
    if (entry_.ge) range.ge = static_cast<std::uint8_t>(*entry_.ge);
    if (entry_.le) {
      range.le = static_cast<std::uint8_t>(*entry_.le);
    } else if (entry_.ge) {
      range.le = bits;
    }
    into_.prefixes.push_back(range);
    return true;
  }
  // Of the object that is open. Entries hold no objects, so that the last key is theirs.
  bool key(std::string& name) override { return key_ = name, true; }
  bool string(std::string& value) override {
    if (key_ == "prefix") entry_.prefix = value;
    return true;
  }
  bool number_unsigned(std::uint64_t value) override {
    if (key_ == "greater-equal") {
      entry_.ge = value;
    } else if (key_ == "less-equal") {
      entry_.le = value;
    } else if (arrays_ == 1) {
      // A number in the list itself.
      if (value > 0xFFFFFFFFU) return complain(std::to_string(value) + " is not an AS number");
      const minibgp::Asn asn{static_cast<std::uint32_t>(value)};
      into_.asns.push_back({asn, asn, {}});
    }
    return true;
  }
  bool number_integer(std::int64_t value) override { return complain(std::to_string(value) + " is out of range"); }
  bool number_float(double, const std::string& text) override { return complain(text + " is not a whole number"); }
  bool boolean(bool) override { return true; }
  bool null() override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    broken_at_ = position;
    // Ends the parsing; what was read until then stays in `into_`.
    return false;
  }

  [[nodiscard]] std::optional<std::size_t> broken_at() const { return broken_at_; }

 private:
  struct Entry {
    std::string prefix;
    std::optional<std::uint64_t> ge, le;
  };

  /// True: parsing goes on, so that all that is wrong is reported at once.
  bool complain(const std::string& text) {
    report_(0, text);
    return true;
  }

  Bgpq4Items& into_;
  const SetFileError& report_;
  Entry entry_;
  std::string key_;
  int arrays_ = 0;
  std::optional<std::size_t> broken_at_;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

void read_item_lines(std::string_view text, const std::function<bool(std::string_view item, std::uint32_t line)>& add,
                     const SetFileError& error) {
  std::uint32_t line = 0;
  while (!text.empty()) {
    ++line;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view item = text.substr(0, end);
    // The last line may have no end.
    text.remove_prefix(std::min(end + 1, text.size()));
    item = trimmed(item.substr(0, item.find('#')));
    if (!item.empty() && !add(item, line)) error(line, "'" + std::string(item) + "' is not an item of this set");
  }
}

Bgpq4Items read_bgpq4(std::string_view text, const SetFileError& error) {
  Bgpq4Items items;
  Bgpq4Handler handler(items, error);
  json::sax_parse(text.begin(), text.end(), &handler);
  if (const auto broken = handler.broken_at()) {
    const std::string_view before = text.substr(0, *broken);
    // Counted only after an error: the parser tells octets.
    const auto line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
    error(line, "not valid JSON");
  }
  return items;
}

}  // namespace bgplite
