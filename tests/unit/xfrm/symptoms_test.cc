#include <xfrm/vici/symptoms.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::xfrm::vici {
namespace {

using Kind = Symptom::Kind;

struct Row {
  const char* line;  ///< As charon 5.9.8 writes it.
  Kind kind;
  IkeFailure failure;
};

class LogSymptom : public ::testing::TestWithParam<Row> {};

TEST_P(LogSymptom, IsUnderstood) {
  const auto symptom =
      read_log_event(Section{}.add("group", "IKE").add("ikesa-name", "bgplite-ipsec0").add("msg", GetParam().line));
  ASSERT_TRUE(symptom.has_value());
  EXPECT_EQ(symptom->kind, GetParam().kind);
  EXPECT_EQ(to_text(symptom->failure), to_text(GetParam().failure));
  EXPECT_EQ(symptom->connection, "bgplite-ipsec0");
  EXPECT_EQ(symptom->words, GetParam().line);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, LogSymptom,
    ::testing::Values(
        Row{"received AUTHENTICATION_FAILED notify error", Kind::final_failure, IkeFailure::authentication},
        Row{"tried 1 shared key for '203.0.113.202' - '203.0.113.151', but MAC mismatched", Kind::failed,
            IkeFailure::authentication},
        Row{"no shared key found for '203.0.113.202' - '203.0.113.151'", Kind::final_failure, IkeFailure::no_key},
        Row{"received NO_PROPOSAL_CHOSEN notify error", Kind::final_failure, IkeFailure::ike_proposal},
        Row{"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", Kind::failed, IkeFailure::esp_proposal},
        Row{"received TS_UNACCEPTABLE notify, no CHILD_SA built", Kind::failed, IkeFailure::traffic_selectors},
        Row{"constraint check failed: identity '192.0.2.1' required ", Kind::final_failure, IkeFailure::identity},
        Row{"giving up after 5 retransmits", Kind::final_failure, IkeFailure::peer_silent},
        Row{"retransmit 1 of request with message ID 2", Kind::silent, IkeFailure::peer_silent},
        Row{"parsed INFORMATIONAL response 2 [ ]", Kind::answered, IkeFailure::none},
        // The peer asks, and asks again because it did not get our answer: it is alive.
        Row{"parsed INFORMATIONAL request 2 [ ]", Kind::answered, IkeFailure::none},
        Row{"received retransmit of request with ID 2, retransmitting response", Kind::answered, IkeFailure::none},
        // IKEv1.
        Row{"received retransmit of DPD request, retransmitting response", Kind::answered, IkeFailure::none},
        Row{"received retransmit of request with ID 77, but no response to retransmit", Kind::answered,
            IkeFailure::none},
        Row{"sending retransmit 2 of request message ID 0, seq 1", Kind::silent, IkeFailure::peer_silent},
        Row{"parsed INFORMATIONAL_V1 response 1180 [ HASH N(DPD_ACK) ]", Kind::answered, IkeFailure::none},
        // charon 6.0 as well.
        Row{"peer not responding, trying again (2/0)", Kind::silent, IkeFailure::peer_silent},
        Row{"retransmit 5 of request with message ID 0", Kind::silent, IkeFailure::peer_silent}));

TEST(Symptoms, OtherLinesSayNothing) {
  EXPECT_FALSE(read_log_event(Section{}.add("msg", "sending DPD request")).has_value());
  EXPECT_FALSE(read_log_event(Section{}.add("msg", "retransmitting response with message ID 2")).has_value());
  EXPECT_FALSE(read_log_event(Section{}.add("msg", "received message ID 3, expected 2, ignored")).has_value());
  EXPECT_FALSE(read_log_event(Section{}).has_value());
}

TEST(Symptoms, AlertsOfNewerCharons) {
  const auto silent = read_alert_event(
      Section{}.add("type", "retransmit-send").add_section("ike-sa", Section{}.add_section("bgplite-ipsec1", {})));
  ASSERT_TRUE(silent.has_value());
  EXPECT_EQ(silent->kind, Kind::silent);
  EXPECT_EQ(silent->connection, "bgplite-ipsec1");
  EXPECT_EQ(read_alert_event(Section{}.add("type", "retransmit-send-cleared"))->kind, Kind::answered);
  EXPECT_EQ(read_alert_event(Section{}.add("type", "peer-auth-failed"))->failure, IkeFailure::authentication);
  EXPECT_FALSE(read_alert_event(Section{}.add("type", "half-open-timeout")).has_value());
  EXPECT_FALSE(read_alert_event(Section{}.add("type", "retransmit-receive")).has_value()) << "the peer's repetition";
}

}  // namespace
}  // namespace minibgp::xfrm::vici
