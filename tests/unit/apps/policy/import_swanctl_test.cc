/// Golden tests of `bgplite import swanctl`: what is carried over, what is listed, that keys are never told, and that
/// what comes out is a configuration.
#include <apps/bgplite/cli/import_swanctl.h>
#include <apps/bgplite/config/yaml.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <random>

#include <gmock/gmock.h>

namespace bgplite::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> swanctl_left_out(const cli::Imported& imported) {
  std::vector<std::string> lines;
  for (const auto& one : imported.left_out)
    lines.push_back(std::to_string(one.line) + ": " + one.text + ": " + one.why);
  return lines;
}

/// What is imported, as the tunnels of a whole configuration, which has to pass `check`.
Config loaded(const cli::Imported& imported) {
  const Loaded result =
      load_config(write_file("swanctl.yaml", "router: { asn: 65530, router_id: 192.0.2.1 }\n" + imported.yaml));
  EXPECT_FALSE(result.diagnostics.has_errors()) << result.diagnostics.to_text() << imported.yaml;
  return result.config;
}

cli::Imported imported_swanctl(const std::string& conf) {
  auto result = cli::import_swanctl(conf);
  EXPECT_TRUE(result) << result.error();
  return result ? *result : cli::Imported{};
}

TEST(ImportSwanctl, SectionsWithoutEndAreRefused) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "a{";
  const auto result = cli::import_swanctl(deep);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error(), HasSubstr("nest too deeply"));
}

/// The strongSwan guide's dual egress file, comments and all.
constexpr const char* kGuide = R"(connections {
   vco1 {                            # Add the VPN configuration for IPsec-VPN Tunnel 1.
      version = 2                    # It must be the same as the IKE version of Tunnel 1 on the cloud's side.
      local_addrs  = 172.16.20.80       # The IP address of the first on-premises network interface card.
      remote_addrs = 47.XX.XX.151       # IPsec address 1.
      dpd_delay = 10
      rekey_time = 84600             # Specify the SA lifetime for Tunnel 1.
      over_time = 1800
      proposals = aes128-sha1-modp1024  # group2 corresponds to modp1024.
      encap = yes

      local {
         auth = psk                  # the pre-shared key method.
         id = 120.XX.XX.202             # The first on-premises public egress IP address.
      }
      remote {
         auth = psk
         id = 47.XX.XX.151
      }
      children {
         vco_child1 {
            local_ts  = 0.0.0.0/0
            remote_ts = 0.0.0.0/0
            mode = tunnel
            rekey_time = 85500
            life_time = 86400
            dpd_action = restart
            start_action = start
            close_action = start
            esp_proposals = aes128-sha1-modp1024

            if_id_out = 42           # Specify the egress and ingress interfaces for Tunnel 1.
            if_id_in = 42
            #updown = /root/connect_1.sh         # Execute the /root/connect_1.sh script
         }
      }
   }
  vco2 {
      version = 2
      local_addrs  = 172.16.21.248
      remote_addrs = 47.XX.XX.87
      dpd_delay = 10
      rekey_time = 84600
      over_time = 1800
      proposals = aes128-sha1-modp1024
      encap = yes

      local {
         auth = psk
         id = 47.XX.XX.127
      }
      remote {
         auth = psk
         id = 47.XX.XX.87
      }
      children {
         vco_child2 {
            local_ts  = 0.0.0.0/0
            remote_ts = 0.0.0.0/0
            mode = tunnel
            rekey_time = 85500
            life_time = 86400
            dpd_action = restart
            start_action = start
            close_action = start
            esp_proposals = aes128-sha1-modp1024
            if_id_out = 43
            if_id_in = 43
            #updown = /root/connect_2.sh
         }
      }
   }
}

secrets {
   ike-vco1 {
      id = 47.XX.XX.151               # The public IP address of Tunnel 1 of the VPN gateway.
      secret = ChangeMe***            # Specify the pre-shared key for Tunnel 1.
   }
   ike-vco2 {
      id = 47.XX.XX.87
      secret = ChangeMe***
   }
}
)";

TEST(ImportSwanctl, TheGuidesFileIsCarriedOverWhole) {
  const cli::Imported result = imported_swanctl(kGuide);
  EXPECT_EQ(
      result.yaml,
      R"(# swanctl.conf does not know a tunnel's address: ADDRESS/30, underlay: { device: DEVICE, gateway: ADDRESS }
# and, for BGP, peer: { address: ADDRESS, asn: NUMBER }. mobike is off where it was not written.
tunnels:
  vco1:
    if_id: 42
    ike:
      version: 2
      proposals: aes128-sha1-modp1024
      encap: true
      dpd_delay: 10s
      rekey_time: 84600s
      over_time: 1800s
      local: { address: 172.16.20.80, id: 120.XX.XX.202 }
      remote: { address: 47.XX.XX.151, id: 47.XX.XX.151 }
      psk_file: /etc/bgplite/psk/vco1
      esp_proposals: aes128-sha1-modp1024
      local_ts: 0.0.0.0/0
      remote_ts: 0.0.0.0/0
      start_action: start
      dpd_action: restart
      close_action: start
      child:
        rekey_time: 85500s
        life_time: 86400s
  vco2:
    if_id: 43
    ike:
      version: 2
      proposals: aes128-sha1-modp1024
      encap: true
      dpd_delay: 10s
      rekey_time: 84600s
      over_time: 1800s
      local: { address: 172.16.21.248, id: 47.XX.XX.127 }
      remote: { address: 47.XX.XX.87, id: 47.XX.XX.87 }
      psk_file: /etc/bgplite/psk/vco2
      esp_proposals: aes128-sha1-modp1024
      local_ts: 0.0.0.0/0
      remote_ts: 0.0.0.0/0
      start_action: start
      dpd_action: restart
      close_action: start
      child:
        rekey_time: 85500s
        life_time: 86400s
)");
  EXPECT_THAT(
      swanctl_left_out(result),
      ElementsAre(
          "78: ike-vco1: secret = (not shown): write the key into /etc/bgplite/psk/vco1, owner bgplite, mode 0400",
          "82: ike-vco2: secret = (not shown): write the key into /etc/bgplite/psk/vco2, owner bgplite, mode 0400"));
  const Config config = loaded(result);
  const minibgp::xfrm::IkeOptions& ike = *config.tunnels.at("vco1").options.ike;
  EXPECT_EQ(ike.rekey_time, std::chrono::seconds{84600});
  EXPECT_EQ(ike.child_life_time, std::chrono::seconds{86400});
  EXPECT_EQ(ike.remote_id, "47.XX.XX.151");
  EXPECT_TRUE(ike.encap);
  EXPECT_FALSE(ike.mobike);
}

TEST(ImportSwanctl, PoliciesWithoutInterfaces) {
  const cli::Imported result = imported_swanctl(R"(
connections { vco1 { version = 2
  local_addrs = 172.16.20.80
  remote_addrs = 203.0.113.151
  local { auth = psk
  }
  remote { auth = psk
  }
  children { vco_child1 { local_ts = 172.16.20.0/24,172.16.21.0/24
    remote_ts = 192.168.0.0/16
    priority = 1
    start_action = start
  } } } })");
  const Config config = loaded(result);
  const minibgp::xfrm::TunnelOptions& tunnel = config.tunnels.at("vco1").options;
  EXPECT_EQ(tunnel.mode, minibgp::xfrm::Mode::policy);
  EXPECT_EQ(tunnel.ike->local_ts, (std::vector<std::string>{"172.16.20.0/24", "172.16.21.0/24"}));
  EXPECT_EQ(tunnel.ike->priority, 1U);
  // strongSwan's defaults are not ours: they are written down.
  EXPECT_EQ(tunnel.ike->dpd_delay, std::chrono::seconds{0});
  EXPECT_EQ(tunnel.ike->dpd_action, "clear");
  EXPECT_EQ(tunnel.ike->close_action, "none");
  EXPECT_THAT(swanctl_left_out(result),
              ElementsAre("2: vco1: no secret is for it: write its key into /etc/bgplite/psk/vco1"));
}

TEST(ImportSwanctl, ASectionHasWhatItsParentsHave) {
  const cli::Imported result =
      imported_swanctl(read_file(std::string{IMPORT_CORPUS} + "/section-from-template.swanctl"));
  const Config config = loaded(result);
  ASSERT_EQ(config.tunnels.size(), 1U);
  EXPECT_EQ(config.tunnels.at("aws1").options.if_id, 42U);
  EXPECT_EQ(config.tunnels.at("aws1").options.ike->remote_addresses, std::vector<std::string>{"198.51.100.10"});
  EXPECT_THAT(result.yaml, HasSubstr("psk_file: /etc/bgplite/psk/aws1")) << "auth = psk is the parent's";
  EXPECT_THAT(swanctl_left_out(result)[0], HasSubstr("2: tpl: others take their settings from it"));
}

TEST(ImportSwanctl, AnIfIdOfTheConnectionIsThatOfItsChild) {
  const Config config = loaded(imported_swanctl(read_file(std::string{IMPORT_CORPUS} + "/connection-if-id.swanctl")));
  EXPECT_EQ(config.tunnels.at("azure").options.mode, minibgp::xfrm::Mode::interface);
  EXPECT_EQ(config.tunnels.at("azure").options.if_id, 55U);
}

/// Taken for policies alone, 0.0.0.0/0 on both sides would cut the host off.
TEST(ImportSwanctl, AVtiDeviceBecomesAnInterface) {
  const cli::Imported result = imported_swanctl(read_file(std::string{IMPORT_CORPUS} + "/marks.swanctl"));
  const Config config = loaded(result);
  EXPECT_EQ(config.tunnels.at("aws1").options.mode, minibgp::xfrm::Mode::interface);
  EXPECT_EQ(config.tunnels.at("aws1").options.if_id, 100U);
  std::string all;
  for (const std::string& one : swanctl_left_out(result)) all += one + "\n";
  EXPECT_THAT(all, HasSubstr("12: mark_in = 100: marks are for VTI devices"));
  EXPECT_THAT(all, HasSubstr("13: mark_out = 100: marks are for VTI devices"));
}

TEST(ImportSwanctl, WhatHasNoPlaceHereIsListedWithItsLine) {
  const cli::Imported result = imported_swanctl(R"(include conf.d/*.conf
connections {
  a-name-longer-than-an-interface {
    remote_addrs = gw.example.com, 2001:db8::1
    vips = 0.0.0.0
    fragmentation = no
    dpd_delay = soon
    encap = "yes"
    local { auth = eap
      certs = a.pem, b.pem
    }
    local-2 { auth = pubkey
    }
    remote { id = "C=CH, O=strongSwan, CN=*"
    }
    children {
      one { mode = transport
        updown = /root/connect_1.sh
        start_action = trap|start
        if_id_in = 0x2a
        hw_offload = auto
      }
      two { }
    }
  }
}
pools { p { addrs = 10.0.0.0/24
} }
secrets {
  private-x { file = x.pem
    secret = "not for anybody"
  }
}
)");
  EXPECT_THAT(
      swanctl_left_out(result),
      ElementsAre("1: include conf.d/*.conf: import each of these files, too",
                  "3: a-name-longer-than-an-interface: it takes IKEv1 and IKEv2; imported as version 2",
                  "5: vips = 0.0.0.0: virtual addresses: give the tunnel an 'address'",
                  "7: dpd_delay = soon: not understood as a value of dpd_delay",
                  "9: auth = eap: auth is psk or pubkey here", "12: local-2: one round of authentication is known here",
                  "17: mode = transport: only tunnel mode is known here",
                  "18: updown = /root/connect_1.sh: routes are bgplite's: write 'static_routes', or a 'peer' for BGP",
                  "19: start_action = trap|start: not understood as a value of start_action",
                  "20: if_id_in = 0x2a: if_id_in and if_id_out must be the same here",
                  "23: two: a tunnel has one child; make it a connection of its own",
                  "27: pools: charon keeps these; leave them in swanctl.conf",
                  "31: private-x: secret = (not shown): charon keeps it; leave it in swanctl.conf"));
  EXPECT_THAT(result.yaml, HasSubstr("    if_id: 42\n    interface: ipsec42\n"));
  EXPECT_THAT(result.yaml, HasSubstr("remote: { address: [gw.example.com, \"2001:db8::1\"], "
                                     "id: \"C=CH, O=strongSwan, CN=*\", auth: pubkey }"));
  EXPECT_THAT(result.yaml, HasSubstr("certificates: [a.pem, b.pem]"));
  EXPECT_THAT(result.yaml, HasSubstr("      extra: { fragmentation: no }\n"));
  EXPECT_THAT(result.yaml, HasSubstr("        extra: { hw_offload: auto }\n"));
}

TEST(ImportSwanctl, TheSecretGoesToTheConnectionThatCharonWouldGiveItTo) {
  const auto conf = [](const std::string& secrets) {
    return "connections { a { version = 2\nremote_addrs = 192.0.2.9\nlocal { auth = psk\nid = left\n}\nremote { auth = "
           "psk\n"
           "id = right\n}\nchildren { c { if_id_in = 1\nif_id_out = 1\n} } } }\nsecrets {" +
           secrets + "}";
  };
  const auto whys = [&](const std::string& secrets) {
    std::string all;
    for (const auto& one : imported_swanctl(conf(secrets)).left_out)
      all += one.text.substr(0, one.text.find(':')) + ": " + one.why + "\n";
    return all;
  };
  const std::string used = ": write the key into /etc/bgplite/psk/a, owner bgplite, mode 0400\n",
                    unused = ": no connection uses it\n";
  EXPECT_EQ(
      whys(
          "ike-1 { id = other\nsecret = k\n}\nike-2 { id-1 = left\nid-2 = right\nsecret = k\n}\nike-3 { secret = k\n}"),
      "ike-1" + unused + "ike-2" + used + "ike-3" + unused);
  EXPECT_EQ(whys("ike-1 { id = other\nsecret = k\n}\nike-3 { secret = k\n}"), "ike-1" + unused + "ike-3" + used);
}

TEST(ImportSwanctl, KeysAreNeverPrinted) {
  for (const std::string secret : {"Hush!Plain", "\"Hush!Quoted # not a comment }\"", "0sSHVzaCE=", "0x48757368"}) {
    std::string conf = kGuide;
    for (std::size_t at; (at = conf.find("ChangeMe***")) != std::string::npos;) conf.replace(at, 11, secret);
    const std::string path = write_file("secret.conf", conf);
    for (const auto& words : {std::vector<std::string>{"import", "swanctl", path},
                              std::vector<std::string>{"import", "swanctl", path, "--json"}}) {
      const Ran ran = run_verb(words);
      EXPECT_EQ(ran.exit, 0);
      for (const char* part : {"Hush", "SHVz", "4875"}) EXPECT_THAT(ran.out + ran.err, Not(HasSubstr(part)));
    }
    // Cut off anywhere, the complaint tells nothing either.
    for (std::size_t length = conf.find("secrets {"); length < conf.size(); ++length) {
      const Ran ran = run_verb({"import", "swanctl", write_file("cut.conf", conf.substr(0, length))});
      for (const char* part : {"Hush", "SHVz", "4875"}) ASSERT_THAT(ran.out + ran.err, Not(HasSubstr(part))) << length;
    }
  }
}

TEST(ImportSwanctl, WrongInputIsRefusedWithItsLine) {
  struct Case {
    const char* text;
    const char* said;
    int exit = 2;
  };
  const Case cases[] = {
      {"connections {\n a {\n", "w.conf:2: '{' without its '}'"},
      {"}\n", "w.conf:1: '}' without its '{'"},
      {"connections {\n  a\n}\n", "w.conf:2: '=' or '{' was expected after a name"},
      {"connections {\n  = 5\n}\n", "w.conf:2: a name was expected"},
      {"connections {\n a {\n x = \"open\n } }\n", "w.conf:3: a text without its closing quote"},
      {"connections {\n a : b {\n } }\n", "w.conf:2: there is no section 'b' to take from"},
      {"connections {\n a : connections.a {\n } }\n", "w.conf:2: there is no section 'connections.a' to take from"},
      {"connections {\n a : connections {\n } }\n", "w.conf:2: there is no section 'connections' to take from"},
      {"connections {\n a : connections.b {\n }\n b : connections.a {\n } }\n",
       "w.conf:4: there is no section 'connections.a' to take from"},
      {"connections {\n : b {\n } }\n", "w.conf:2: a name was expected at ':'"},
      {"config setup\n uniqueids=no\nconn a\n left=192.0.2.1\n", "w.conf:1: this is ipsec.conf, the older form"},
      {"", "w.conf: nothing of swanctl.conf was found in it"},
      {"router bgp 65001\n neighbor 192.0.2.1 remote-as 5\n", "w.conf:1: '=' or '{' was expected"},
  };
  for (const Case& one : cases) {
    const Ran ran = run_verb({"import", "swanctl", write_file("w.conf", one.text)});
    EXPECT_EQ(ran.exit, one.exit) << one.text;
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr(one.said));
  }
  EXPECT_EQ(run_verb({"import", "swanctl", "/no/such/file"}).exit, 3);
}

TEST(ImportSwanctl, AnyOctetsAreReadOrRefused) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  for (int round = 0; round < 2000; ++round) {
    std::string text = kGuide;
    for (int i = 0; i < 8; ++i) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = static_cast<char>(random());
      else
        text.erase(at, random() % 40);
    }
    const auto result = cli::import_swanctl(text);
    if (!result) {
      EXPECT_GT(std::atoi(result.error().c_str()), 0) << result.error();
    }
  }
}

}  // namespace
}  // namespace bgplite::testing
