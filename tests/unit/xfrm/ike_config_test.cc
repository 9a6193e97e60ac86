#include <tests/unit/xfrm/freed_memory.h>
#include <xfrm/vici/ike_config.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::xfrm::vici {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The first tunnel of the strongSwan document.
TunnelOptions document_tunnel() {
  TunnelOptions tunnel;
  tunnel.name = "ipsec0";
  tunnel.if_id = 42;
  tunnel.addresses = {{IpAddress::v4(0xA9FE0A02), 30}};
  IkeOptions& ike = tunnel.ike.emplace();
  ike.local_addresses = {"172.16.20.80"};
  ike.remote_addresses = {"203.0.113.151"};
  ike.local_id = "203.0.113.202";
  ike.remote_id = "203.0.113.151";
  ike.psk_file = "/etc/bgplite/psk/ipsec0";
  ike.proposals = "aes128-sha1-modp1024";
  ike.esp_proposals = "aes128-sha1-modp1024";
  ike.encap = true;
  ike.dpd_delay = 10s;
  ike.rekey_time = 84600s;
  ike.over_time = 1800s;
  ike.child_rekey_time = 85500s;
  ike.child_life_time = 86400s;
  return tunnel;
}

TEST(IkeConfig, SaysWhatTheDocumentsFileSays) {
  const Section message = load_conn_message(document_tunnel());
  const Section* connection = message.section("bgplite-ipsec0");
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->value("version"), "2");
  EXPECT_THAT(connection->list("local_addrs"), ElementsAre("172.16.20.80"));
  EXPECT_THAT(connection->list("remote_addrs"), ElementsAre("203.0.113.151"));
  EXPECT_EQ(connection->value("dpd_delay"), "10s");
  EXPECT_EQ(connection->value("rekey_time"), "84600s");
  EXPECT_EQ(connection->value("over_time"), "1800s");
  EXPECT_THAT(connection->list("proposals"), ElementsAre("aes128-sha1-modp1024"));
  EXPECT_EQ(connection->value("encap"), "yes");
  EXPECT_EQ(connection->section("local")->value("auth"), "psk");
  EXPECT_EQ(connection->section("local")->value("id"), "203.0.113.202");
  EXPECT_EQ(connection->section("remote")->value("id"), "203.0.113.151");
  const Section* child = connection->section("children")->section("ipsec0");
  ASSERT_NE(child, nullptr);
  EXPECT_THAT(child->list("local_ts"), ElementsAre("0.0.0.0/0"));
  EXPECT_THAT(child->list("remote_ts"), ElementsAre("0.0.0.0/0"));
  EXPECT_EQ(child->value("mode"), "tunnel");
  EXPECT_EQ(child->value("rekey_time"), "85500s");
  EXPECT_EQ(child->value("life_time"), "86400s");
  EXPECT_EQ(child->value("dpd_action"), "restart");
  EXPECT_EQ(child->value("close_action"), "start");
  EXPECT_THAT(child->list("esp_proposals"), ElementsAre("aes128-sha1-modp1024"));
  EXPECT_EQ(child->value("if_id_in"), "42");
  EXPECT_EQ(child->value("if_id_out"), "42");
}

TEST(IkeConfig, APeerWithoutAnIdIsItsAddress) {
  TunnelOptions tunnel = document_tunnel();
  const auto id = [&] {
    return std::string{load_conn_message(tunnel).section("bgplite-ipsec0")->section("remote")->value("id")};
  };
  tunnel.ike->remote_id.clear();
  EXPECT_EQ(id(), "203.0.113.151") << "charon's own default is anybody with the key";
  tunnel.ike->remote_addresses = {"vpn.example.com"};
  EXPECT_EQ(id(), "") << "a name may stand for any address";
  tunnel.ike->remote_id = "cloud";
  EXPECT_EQ(id(), "cloud");
}

TEST(IkeConfig, TriesForEverAndLeavesMobikeOffAndStartsByTheKeeper) {
  const Section message = load_conn_message(document_tunnel());
  const Section* connection = message.section("bgplite-ipsec0");
  EXPECT_EQ(connection->value("keyingtries"), "0");
  EXPECT_EQ(connection->value("mobike"), "no");
  EXPECT_EQ(connection->section("children")->section("ipsec0")->value("start_action"), "none");
}

TEST(IkeConfig, PolicyModeHasItsSelectorsAndPriorityAndNoInterface) {
  TunnelOptions tunnel = document_tunnel();
  tunnel.mode = Mode::policy;
  tunnel.ike->local_ts = {"172.16.0.0/16"};
  tunnel.ike->remote_ts = {"192.168.0.0/16", "10.0.0.0/8"};
  tunnel.ike->priority = 2;
  const Section message = load_conn_message(tunnel);
  const Section* child = message.section("bgplite-ipsec0")->section("children")->section("ipsec0");
  EXPECT_THAT(child->list("remote_ts"), ElementsAre("192.168.0.0/16", "10.0.0.0/8"));
  EXPECT_EQ(child->value("priority"), "2");
  EXPECT_EQ(child->value("if_id_in"), "");
}

TEST(IkeConfig, SeveralProposalsAndWordsOfTheUsersOwn) {
  TunnelOptions tunnel = document_tunnel();
  tunnel.ike->proposals = "aes256gcm16-sha384-ecp384, aes256-sha256-modp2048";
  tunnel.ike->extra = {{"fragmentation", "no"}};
  tunnel.ike->child_extra = {{"copy_df", "no"}};
  const Section message = load_conn_message(tunnel);
  const Section* connection = message.section("bgplite-ipsec0");
  EXPECT_THAT(connection->list("proposals"), ElementsAre("aes256gcm16-sha384-ecp384", "aes256-sha256-modp2048"));
  EXPECT_EQ(connection->value("fragmentation"), "no");
  EXPECT_EQ(connection->section("children")->section("ipsec0")->value("copy_df"), "no");
}

TEST(IkeConfig, TheKeyBelongsToBothIdentities) {
  const Section message = load_shared_message(document_tunnel(), "key");
  EXPECT_EQ(message.value("id"), "bgplite-ipsec0");
  EXPECT_EQ(message.value("type"), "IKE");
  EXPECT_EQ(message.value("data"), "key");
  EXPECT_THAT(message.list("owners"), ElementsAre("203.0.113.202", "203.0.113.151"));
  TunnelOptions unnamed = document_tunnel();
  unnamed.ike->local_id.clear();
  EXPECT_THAT(key_owners(*unnamed.ike), ElementsAre("172.16.20.80", "203.0.113.151"));
}

TEST(KeyFileText, TakesTheFirstLineAndStrongSwansEncodings) {
  EXPECT_EQ(*parse_key("ChangeMe***\n"), "ChangeMe***");
  EXPECT_EQ(*parse_key("with space \r\nrest"), "with space ");
  EXPECT_EQ(*parse_key("0x414243"), "ABC");
  EXPECT_EQ(*parse_key("0sQUJD\n"), "ABC");
  EXPECT_EQ(*parse_key("0sQUI="), "AB");
  EXPECT_EQ(parse_key("").error(), KeyError::empty);
  EXPECT_EQ(parse_key("\nkey").error(), KeyError::empty);
  EXPECT_EQ(parse_key("0x4").error(), KeyError::bad_hex);
  EXPECT_EQ(parse_key("0xzz").error(), KeyError::bad_hex);
  EXPECT_EQ(parse_key("0s*").error(), KeyError::bad_base64);
}

bool complains(const TunnelOptions& tunnel, Complaint::Weight weight, std::string_view key) {
  for (const Complaint& complaint : check(tunnel))
    if (complaint.weight == weight && complaint.key == key) return true;
  return false;
}

TEST(IkeCheck, TheDocumentIsFine) { EXPECT_THAT(check(document_tunnel()), IsEmpty()); }

struct Case {
  const char* name;
  Complaint::Weight weight;
  const char* key;
  void (*spoil)(TunnelOptions&);
};
class IkeCheckRule : public ::testing::TestWithParam<Case> {};
TEST_P(IkeCheckRule, ComplainsOfThatKey) {
  TunnelOptions tunnel = document_tunnel();
  GetParam().spoil(tunnel);
  EXPECT_TRUE(complains(tunnel, GetParam().weight, GetParam().key));
  EXPECT_EQ(check(tunnel).size(), 1U);
}
constexpr auto kError = Complaint::Weight::error;
constexpr auto kWarning = Complaint::Weight::warning;
INSTANTIATE_TEST_SUITE_P(
    Rules, IkeCheckRule,
    ::testing::Values(
        Case{"version", kError, "ike.version", [](TunnelOptions& it) { it.ike->version = 3; }},
        Case{"remote", kError, "ike.remote.address", [](TunnelOptions& it) { it.ike->remote_addresses.clear(); }},
        Case{"ikev1_selectors", kError, "ike.local_ts",
             [](TunnelOptions& it) {
               it.ike->version = 1;
               it.ike->local_ts = {"172.16.20.0/24", "172.16.21.0/24"};
             }},
        Case{"policy_selectors", kError, "ike.local_ts",
             [](TunnelOptions& it) {
               it.mode = Mode::policy;
               it.ike->remote_ts = {"10.2.0.0/16"};
             }},
        Case{"policy_remote_selectors", kError, "ike.remote_ts",
             [](TunnelOptions& it) {
               it.mode = Mode::policy;
               it.ike->local_ts = {"10.1.0.0/16"};
             }},
        Case{"key", kError, "ike.psk_file", [](TunnelOptions& it) { it.ike->psk_file.clear(); }},
        Case{"child_lifetime_alone", kWarning, "ike.child.life_time",
             [](TunnelOptions& it) {
               it.ike->child_rekey_time = 0s;
               it.ike->child_life_time = 3600s;
             }},
        Case{"child_lifetime", kError, "ike.child.rekey_time",
             [](TunnelOptions& it) { it.ike->child_rekey_time = 86400s; }},
        Case{"dpd", kWarning, "ike.dpd_delay", [](TunnelOptions& it) { it.ike->dpd_delay = 0s; }},
        Case{"ikev1_mobike", kError, "ike.mobike",
             [](TunnelOptions& it) {
               it.ike->version = 1;
               it.ike->mobike = true;
             }},
        Case{"mobike", kWarning, "ike.mobike", [](TunnelOptions& it) { it.ike->mobike = true; }},
        Case{"keyingtries", kWarning, "ike.keyingtries", [](TunnelOptions& it) { it.ike->keyingtries = 1; }}),
    [](const auto& param) { return std::string{param.param.name}; });

TEST(IkeCheck, AnIkeSaMayLiveLongerThanItsChildren) {
  TunnelOptions tunnel = document_tunnel();
  tunnel.ike->rekey_time = 28800s;  // As AWS has it: 28800 and 3600.
  tunnel.ike->child_rekey_time = 3240s;
  tunnel.ike->child_life_time = 3600s;
  for (const Complaint& complaint : check(tunnel)) ADD_FAILURE() << complaint.text;
  tunnel.ike->child_rekey_time = 0s;
  tunnel.ike->child_life_time = 7200s;  // charon renews it after an hour.
  for (const Complaint& complaint : check(tunnel)) ADD_FAILURE() << complaint.text;
}

TEST(IkeConfig, FormsOfAConnectionDifferInSecondsOfOverTime) {
  TunnelOptions tunnel = document_tunnel();
  IkeOptions& ike = *tunnel.ike;
  ike.over_time = ike.rekey_time = ike.reauth_time = 0s;
  const auto over_time = [&](ConnectionForm form) {
    return std::string{load_conn_message(tunnel, form).section("bgplite-ipsec0")->value("over_time")};
  };
  EXPECT_EQ(over_time(0), "") << "charon's own";
  EXPECT_EQ(over_time(1), "1441s") << "a tenth of charon's four hours";
  ike.rekey_time = 28800s;
  EXPECT_EQ(over_time(2), "2882s");
  ike.reauth_time = 86400s;
  EXPECT_EQ(over_time(2), "8642s");
  ike.over_time = 300s;
  EXPECT_EQ(over_time(0), "300s");
  EXPECT_EQ(over_time(7), "307s");
}

TEST(IkeAlgorithms, NamesWhatCharonHasNotLoadedAndWhichPluginHasIt) {
  IkeOptions ike = *document_tunnel().ike;
  const Section charon = Section{}
                             .add_section("encryption", Section{}.add("AES_CBC", "aes"))
                             .add_section("integrity", Section{}.add("HMAC_SHA1_96", "hmac"))
                             .add_section("ke", Section{}.add("MODP_2048", "gmp"));
  const auto missing = missing_algorithms(ike, charon);
  ASSERT_EQ(missing.size(), 2U);
  EXPECT_THAT(missing[0], HasSubstr("aes128-sha1-modp1024: charon has not loaded MODP_1024 (plugin gmp"));
  EXPECT_THAT(missing[1], HasSubstr("ESP proposal"));
  ike.proposals = "aes256gcm16-sha384-ecp384";
  ike.esp_proposals = "aes256gcm16";
  const auto modern = missing_algorithms(ike, charon);
  ASSERT_EQ(modern.size(), 3U);
  EXPECT_THAT(modern[0], HasSubstr("AES_GCM_16"));
  EXPECT_THAT(modern[1], HasSubstr("HMAC_SHA2_384_192"));
  EXPECT_THAT(modern[2], HasSubstr("ECP_384"));
}

TEST(IkeKey, LeavesNoCopyInFreedMemory) {
  // Longer than what a string has inside, and decoded octet for octet.
  const std::string key(48, 'K');
  std::string hex = "0x", base64 = "0s";
  for (std::size_t i = 0; i < key.size(); ++i) hex += "4b";
  for (std::size_t i = 0; i < key.size() / 3; ++i) base64 += "S0tL";
  for (const std::string& text : {key, hex, base64}) {
    const testing::FreedMemory freed{std::string_view{key}.substr(0, 8)};
    auto parsed = parse_key(text);
    ASSERT_TRUE(parsed && *parsed == key);
    EXPECT_EQ(freed.blocks(), 0U) << text;
    std::fill(parsed->begin(), parsed->end(), ' ');
  }
}

TEST(IkeCheck, WhatDoesNotFitAMessageIsAnError) {
  TunnelOptions tunnel = document_tunnel();
  const auto errors = [&] {
    std::vector<std::string> texts;
    for (const Complaint& it : check(tunnel))
      if (it.weight == Complaint::Weight::error) texts.push_back(it.text);
    return texts;
  };
  tunnel.ike->extra.emplace_back("send_cert", std::string(65535, 'x'));
  EXPECT_THAT(errors(), IsEmpty());
  tunnel.ike->extra.back().second += 'x';
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("name or value too long")));
  tunnel.ike->extra.assign(9, {"send_cert", std::string(65000, 'x')});
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("frame too long")));
}

TEST(IkeAlgorithms, AKeywordThatBeginsLikeAnotherIsNotTheOther) {
  // In strongSwan's table of keywords, and without a row here: nothing is said of them.
  for (const char* keyword : {"ecp256bp", "ecp224bp", "ecp384bp", "ecp512bp", "sha256_96", "sha2_256_96", "sha1_160",
                              "md5_128", "aes128gmac", "aes128gcm8", "aes256ccm12", "camellia128ctr", "camelliaxcbc"}) {
    IkeOptions ike;
    ike.proposals = keyword;
    EXPECT_THAT(missing_algorithms(ike, Section{}), IsEmpty()) << keyword;
  }
  // Key lengths and the lengths of tags are part of the keyword.
  for (const auto& [keyword, name] : std::map<std::string, std::string>{{"aes", "AES_CBC"},
                                                                        {"aes256", "AES_CBC"},
                                                                        {"aes128gcm16", "AES_GCM_16"},
                                                                        {"aes256gcm128", "AES_GCM_16"},
                                                                        {"aes192ccm16", "AES_CCM_16"},
                                                                        {"aes256ctr", "AES_CTR"},
                                                                        {"camellia256", "CAMELLIA_CBC"},
                                                                        {"sha", "HMAC_SHA1_96"},
                                                                        {"ecp256", "ECP_256"}}) {
    IkeOptions ike;
    ike.proposals = keyword;
    const auto missing = missing_algorithms(ike, Section{});
    ASSERT_EQ(missing.size(), 1U) << keyword;
    EXPECT_THAT(missing[0], HasSubstr("charon has not loaded " + name + " ")) << keyword;
  }
}

TEST(IkeAlgorithms, KeyExchangesWereCalledDhBeforeStrongSwan6) {
  IkeOptions ike;
  ike.proposals = "aes128-sha1-modp2048";
  const Section charon = Section{}
                             .add_section("encryption", Section{}.add("AES_CBC", "aes"))
                             .add_section("integrity", Section{}.add("HMAC_SHA1_96", "hmac"))
                             .add_section("dh", Section{}.add("MODP_2048", "gmp"));
  EXPECT_THAT(missing_algorithms(ike, charon), IsEmpty());
}

TEST(IkeDetection, DefaultsTakeAlmostThreeMinutes) {
  EXPECT_NEAR(static_cast<double>(give_up_after({}).count()), 165056, 10);
  EXPECT_NEAR(static_cast<double>(worst_detection(*document_tunnel().ike, {}).count()), 175056, 10);
  EXPECT_EQ(give_up_after({1.0, 1.0, 4}).count(), 5000);
}

}  // namespace
}  // namespace minibgp::xfrm::vici
