// Walks rfc7606_verdicts.txt; see there.
#include <bgp/wire/attribute.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/update.h>
#include <tests/support/hex.h>
#include <tests/unit/wire/update_builder.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

struct Row {
  int line = 0;
  std::string attribute, malformation, octets;
  bool four_octet_as = true;
  std::array<std::string, 2> verdicts;  ///< By PeerType.
};

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    std::vector<Row> read;
    std::ifstream file(WIRE_TEST_DATA "/rfc7606_verdicts.txt");
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      ++number;
      if (line.empty() || line.front() == '#') continue;
      std::vector<std::string> fields;
      std::istringstream stream(line);
      for (std::string field; std::getline(stream, field, '|');) fields.push_back(trimmed(field));
      if (fields.size() != 7)
        ADD_FAILURE() << "line " << number << " has " << fields.size() << " fields";
      else
        read.push_back({number, fields[0], fields[1], fields[3], fields[2] == "4", {fields[4], fields[5]}});
    }
    return read;
  }();
  return all;
}

/// The valid UPDATE without the attribute of `type`, then the row's.
std::vector<std::uint8_t> message(const Row& row, PeerType peer, std::uint8_t type) {
  std::map<std::uint8_t, std::string> valid = {
      {attr::kOrigin, kOrigin},
      {attr::kAsPath, row.four_octet_as ? "40 02 0a 02 02 0000fde9 0000fdea" : "40 02 06 02 02 fde9 5ba0"},
      {attr::kNextHop, kNextHop}};
  if (peer == PeerType::ibgp) valid[attr::kLocalPref] = kLocalPref;
  valid.erase(type);
  Sections sections{.withdrawn = "", .attributes = "", .nlri = "08 0a"};
  for (const auto& [unused, octets] : valid) sections.attributes += octets + " ";
  if (row.octets != "-") sections.attributes += row.octets;
  return update_body(sections);
}

std::string verdict(const Update& update) {
  const char* const kNames[] = {"ok", "attribute-discard", "treat-as-withdraw", "session-reset"};
  std::string text = kNames[static_cast<std::size_t>(update.severity)];
  if (update.severity == Severity::none) return text;
  for (const AttrError& error : update.errors)
    if (error.severity == update.severity) return text + " 3/" + std::to_string(error.subcode);
  return text + " without an error";
}

/// Types of attributes without a name are written "type N".
std::uint8_t type_of(const std::string& attribute) {
  for (int type = 0; type < 256; ++type)
    if (attribute_name(static_cast<std::uint8_t>(type)) == attribute && !attribute.empty())
      return static_cast<std::uint8_t>(type);
  return static_cast<std::uint8_t>(std::stoi(attribute.substr(attribute.find(' '))));
}

TEST(UpdateVerdicts, EveryRowHoldsForExternalAndInternalPeers) {
  ASSERT_FALSE(rows().empty());
  for (const Row& row : rows()) {
    for (const PeerType peer : {PeerType::ebgp, PeerType::ibgp}) {
      SCOPED_TRACE(::testing::Message() << "line " << row.line << ": " << row.attribute << ", " << row.malformation
                                        << (peer == PeerType::ebgp ? ", eBGP" : ", iBGP"));
      const std::uint8_t type = type_of(row.attribute);
      const auto body = message(row, peer, type);
      UpdateContext context;
      context.peer_type = peer;
      context.four_octet_as = row.four_octet_as;
      const Update update = decoded(body, context);
      EXPECT_EQ(verdict(update), row.verdicts[static_cast<std::size_t>(peer)]);
      // Whatever the verdict, an error names an offset inside the message, and a reset has its NOTIFICATION.
      for (const AttrError& error : update.errors) EXPECT_LT(error.offset, body.size());
      if (update.severity == Severity::session_reset) {
        EXPECT_EQ(update.notification.code, notify::kUpdate);
        EXPECT_EQ("session-reset 3/" + std::to_string(update.notification.subcode), verdict(update));
      } else {
        EXPECT_EQ(update.announced.size(), 1U) << "the route to withdraw or to keep is known";
      }
    }
  }
}

TEST(UpdateVerdicts, EveryKnownAttributeHasEveryGeneralMalformation) {
  const std::set<std::string> kGeneral = {
      "valid",          "extended length",     "Optional flipped", "Transitive flipped", "Partial set", "empty",
      "one octet long", "exceeds the section", "unused flags set", "header cut",         "twice",       "missing"};
  std::map<std::string, std::set<std::string>> covered;
  for (const Row& row : rows()) covered[row.attribute].insert(row.malformation);
  int known = 0;
  for (int type = 0; type < 256; ++type) {
    const std::string name{attribute_name(static_cast<std::uint8_t>(type))};
    if (name.empty()) continue;
    ++known;
    for (const std::string& malformation : kGeneral)
      EXPECT_EQ(covered[name].count(malformation), 1U) << name << ": " << malformation;
  }
  EXPECT_EQ(known, 17);
}

}  // namespace
}  // namespace minibgp::wire
