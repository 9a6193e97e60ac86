// What holds for every message. MINIBGP_SEEDS=n tries n seeds; MINIBGP_SEED=n tries that one alone.
#include <bgp/decode.h>
#include <bgp/mrt.h>
#include <bgp/text.h>
#include <bgp/wire/update.h>
#include <tests/support/hex.h>
#include <tests/support/testing/random.h>
#include <tests/support/testing/random_messages.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace minibgp {
namespace {

using testing::mutate;
using testing::Random;
using testing::random_address;
using testing::random_as_path;
using testing::random_attributes;
using testing::random_host;
using testing::random_message;
using testing::random_options;
using testing::random_prefix;
using testing::Seed;
using testing::to_hex;

/// Runs `check` with each seed until one fails.
template <typename Check>
void for_each_seed(Check check) {
  const char* one = std::getenv("MINIBGP_SEED");
  const char* count = std::getenv("MINIBGP_SEEDS");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const std::uint64_t last = one != nullptr ? first : count != nullptr ? std::strtoull(count, nullptr, 10) : 300;
  for (std::uint64_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed=" << seed);
    Random random{Seed{seed}};
    check(random);
  }
}

TEST(CodecProperty, DecodeOfEncodeIsTheValue) {
  std::size_t encoded = 0, too_long = 0;
  for_each_seed([&](Random& random) {
    for (int i = 0; i < 20; ++i) {
      const DecodeOptions options = random_options(random);
      const MessageValue value = random_message(random, options);
      const auto bytes = encode_message(value, options);
      if (!bytes) {
        ASSERT_EQ(bytes.error(), EncodeError::too_long);
        ++too_long;
        continue;
      }
      ++encoded;
      const DecodedMessage decoded = decode_message(*bytes, options);
      ASSERT_EQ(decoded.octets, bytes->size());
      ASSERT_EQ(decoded.verdict, MessageVerdict::ok) << to_hex(*bytes);
      ASSERT_EQ(decoded.value, value) << to_hex(*bytes);
    }
  });
  EXPECT_GT(encoded, 50 * too_long) << "the generator makes messages that fit";
}

/// What the speaker does: attributes once, then messages until every prefix is said.
TEST(CodecProperty, WhatTheSpeakerWritesIsReadInFull) {
  for_each_seed([](Random& random) {
    wire::UpdateContext context;
    context.four_octet_as = !random.one_in(3);
    context.peer_type = random.one_in(2) ? PeerType::ibgp : PeerType::ebgp;
    context.accept_as_set = true;
    context.ipv4_over_ipv6_next_hop = true;
    context.max_message = random.one_in(2) ? 4096 : 65535;
    const Family family = random.one_in(2) ? Family::ipv4 : Family::ipv6;
    PathAttributes attributes = random_attributes(random, context.peer_type);
    for (UnknownAttribute& unknown : attributes.unknown) unknown.flags = 0xE0;  // As a speaker passes them on.
    NextHop next_hop{random_host(random, family == Family::ipv6 || random.one_in(3) ? Family::ipv6 : Family::ipv4), {}};
    std::vector<Prefix> prefixes;
    for (std::size_t i = 1 + random.below(2000); i > 0; --i) prefixes.push_back(random_prefix(random, family));

    wire::EncodedAttributes list;
    wire::encode_attributes(attributes, family, context, list);
    wire::Update update;
    std::vector<Prefix> announced, withdrawn;
    std::vector<std::uint8_t> out;
    const bool classic = family == Family::ipv4 && next_hop.address.family == Family::ipv4;
    for (std::span<const Prefix> left = prefixes; !left.empty();) {
      out.assign(3, 0xAA);  // Appends.
      const wire::AnnounceResult result = wire::encode_announce(list, next_hop, family, left, context, out);
      if (result.taken == 0) {
        ASSERT_GT(list.octets.size() + 100, context.max_message);
        return;
      }
      ASSERT_LE(out.size() - 3, context.max_message);
      wire::decode_update(Bytes{out}.subspan(3 + 19), context, update);
      ASSERT_EQ(update.severity, wire::Severity::none);
      const auto& got = classic ? update.announced : update.mp_announced;
      ASSERT_EQ(got.size(), result.taken);
      for (const Nlri& nlri : got) announced.push_back(nlri.prefix);
      attributes.next_hop = classic ? next_hop : NextHop{};
      ASSERT_EQ(update.attributes, attributes);
      ASSERT_EQ(classic ? update.attributes.next_hop : update.mp_next_hop, next_hop);
      left = left.subspan(result.taken);
    }
    EXPECT_EQ(announced, prefixes);
    for (std::span<const Prefix> left = prefixes; !left.empty();) {
      out.clear();
      const std::size_t taken = wire::encode_withdraw(family, left, context, out);
      ASSERT_GT(taken, 0U);
      ASSERT_LE(out.size(), context.max_message);
      wire::decode_update(Bytes{out}.subspan(19), context, update);
      ASSERT_EQ(update.severity, wire::Severity::none);
      for (const Nlri& nlri : update.withdrawn) withdrawn.push_back(nlri.prefix);
      left = left.subspan(taken);
    }
    EXPECT_EQ(withdrawn, prefixes);
  });
}

/// What encoding changes of a value that bytes gave: the order of withdrawn prefixes, and an AS_PATH limit.
MessageValue normalized(MessageValue value) {
  if (auto* update = std::get_if<UpdateMessage>(&value)) {
    std::sort(update->withdrawn.begin(), update->withdrawn.end(), [](const Nlri& a, const Nlri& b) {
      return std::tie(a.prefix, a.path_id) < std::tie(b.prefix, b.path_id);
    });
  }
  return value;
}

TEST(CodecProperty, AnyMutationGetsAnAnswerAndWhatIsAcceptedIsCanonical) {
  std::size_t accepted = 0, refused = 0;
  for_each_seed([&](Random& random) {
    for (int i = 0; i < 40; ++i) {
      const DecodeOptions options = random_options(random);
      auto bytes = encode_message(random_message(random, options), options).value_or(std::vector<std::uint8_t>(19));
      for (std::size_t changes = 1 + random.below(4); changes > 0; --changes) mutate(random, bytes);
      if (bytes.size() >= 19 && !random.one_in(4)) {  // Else nearly everything ends at the header.
        bytes[16] = static_cast<std::uint8_t>(bytes.size() >> 8U);
        bytes[17] = static_cast<std::uint8_t>(bytes.size() & 0xFFU);
      }
      bytes.shrink_to_fit();  // The sanitizers see one octet too far.
      const DecodedMessage decoded = decode_message(bytes, options);
      ASSERT_LE(decoded.octets, bytes.size());
      for (const Finding& finding : decoded.findings) ASSERT_LE(finding.offset, bytes.size());
      ASSERT_EQ(decoded.verdict == MessageVerdict::session_reset, decoded.notification.code != 0);
      if (decoded.verdict != MessageVerdict::ok || decoded.octets == 0 || !decoded.findings.empty()) {
        ++refused;
        continue;
      }
      ++accepted;
      if (const auto* open = std::get_if<OpenMessage>(&decoded.value); open && open->capabilities.role_conflict)
        continue;  // Not to be expressed by a value.
      const auto again = encode_message(decoded.value, options);
      if (!again) continue;
      const DecodedMessage twice = decode_message(*again, options);
      ASSERT_EQ(normalized(twice.value), normalized(decoded.value)) << to_hex(bytes) << "\n" << to_hex(*again);
    }
  });
  if (std::getenv("MINIBGP_SEED") == nullptr) {
    EXPECT_GT(accepted, refused / 20) << "some survive";
    EXPECT_GT(refused, accepted / 20) << "some do not";
  }
}

TEST(CodecProperty, AnyOctetsGetAnAnswer) {
  for_each_seed([](Random& random) {
    for (int i = 0; i < 200; ++i) {
      auto bytes = testing::random_octets(random, 80);
      bytes.shrink_to_fit();
      wire::Update update;
      wire::UpdateContext context;
      context.four_octet_as = random.one_in(2);
      context.add_path_receive = {random.one_in(2), random.one_in(2)};
      wire::decode_update(bytes, context, update);
      for (const wire::AttrError& error : update.errors) ASSERT_LE(error.offset, bytes.size());
      static_cast<void>(decode_message(bytes, random_options(random)));
      MrtReader reader{bytes};
      for (MrtRecord record; reader.next(record);) ASSERT_LT(record.offset, bytes.size());
    }
  });
}

TEST(TextProperty, ParsingOfTextIsTheValue) {
  for_each_seed([](Random& random) {
    for (int i = 0; i < 50; ++i) {
      for (const Family family : {Family::ipv4, Family::ipv6}) {
        const IpAddress address = random_address(random, family);
        ASSERT_EQ(parse_address(to_text(address)), address) << to_text(address);
        const Prefix prefix = random_prefix(random, family);
        ASSERT_EQ(parse_prefix(to_text(prefix)), prefix) << to_text(prefix);
      }
      const AsPath path = random_as_path(random, 20);
      ASSERT_EQ(parse_as_path(to_text(path)), path) << to_text(path);
      const Community community{static_cast<std::uint32_t>(random.next())};
      ASSERT_EQ(parse_community(to_text(community)), community);
      // Known types and subtypes are rare among random ones.
      std::uint64_t raw = random.next();
      if (random.one_in(2)) raw = (raw & 0x0000FFFFFFFFFFFFU) | random.below(3) << 56U | (2 + random.below(2)) << 48U;
      if (random.one_in(4)) raw = (raw & 0x0000FFFFFFFFFFFFU) | 0x4004000000000000U;
      const ExtendedCommunity extended{raw};
      ASSERT_EQ(parse_extended_community(to_text(extended)), extended) << to_text(extended);
      const LargeCommunity large{static_cast<std::uint32_t>(random.next()), static_cast<std::uint32_t>(random.next()),
                                 0};
      ASSERT_EQ(parse_large_community(to_text(large)), large);
      const Asn asn{static_cast<std::uint32_t>(random.next())};
      ASSERT_EQ(parse_asn(to_text(asn)), asn);
    }
  });
}

}  // namespace
}  // namespace minibgp
