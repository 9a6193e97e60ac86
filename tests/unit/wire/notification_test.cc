#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>
#include <tests/support/hex.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;

std::vector<std::uint8_t> notification_body(const std::vector<std::uint8_t>& message) {
  return {message.begin() + 19, message.end()};
}

MessageError shutdown(std::string_view data) {
  return {notify::kCease, notify::kAdminShutdown, {data.begin(), data.end()}};
}

TEST(Notification, RoundTrips) {
  const MessageError error{notify::kUpdate, notify::kFlags, {1, 2, 3}};
  std::vector<std::uint8_t> out;
  encode_notification(error, out);
  EXPECT_EQ(out.size(), 24U);
  EXPECT_EQ(decode_notification(notification_body(out)), error);
}

TEST(Notification, QuotesAtMostWhatFitsAMessage) {
  std::vector<std::uint8_t> out;
  encode_notification({notify::kUpdate, notify::kFlags, std::vector<std::uint8_t>(60000, 7)}, out);
  EXPECT_EQ(out.size(), 4096U);
  EXPECT_EQ(out[16] * 256 + out[17], 4096);
}

TEST(ShutdownCommunication, IsSentAndShown) {
  const MessageError error = cease(notify::kAdminShutdown, "maintenance, back at 10:00");
  EXPECT_EQ(error.data.size(), 27U);
  EXPECT_EQ(error.data[0], 26);
  EXPECT_EQ(shutdown_text(error), "maintenance, back at 10:00");
  EXPECT_TRUE(cease(notify::kAdminShutdown, "").data.empty());
}

TEST(ShutdownCommunication, IsCutAt255OctetsBetweenCharacters) {
  // 254 octets, then a 2-octet character that would end at 256.
  const auto e_acute_after = [](std::size_t length) {
    std::string text(length, 'x');
    text.append("\xC3\xA9");
    return text;
  };
  const MessageError error = cease(notify::kAdminReset, e_acute_after(254));
  EXPECT_EQ(error.data[0], 254);
  EXPECT_EQ(cease(notify::kAdminReset, e_acute_after(253)).data[0], 255);
  EXPECT_EQ(cease(notify::kAdminReset, std::string(300, 'x')).data.size(), 256U);
}

TEST(ShutdownCommunication, OnlyShutdownAndResetHaveOne) {
  for (int subcode = 0; subcode < 12; ++subcode) {
    const MessageError error{notify::kCease, static_cast<std::uint8_t>(subcode), {2, 'h', 'i'}};
    const bool speaks = subcode == notify::kAdminShutdown || subcode == notify::kAdminReset;
    EXPECT_EQ(shutdown_text(error), speaks ? "hi" : "") << subcode;
  }
  EXPECT_EQ(shutdown_text({notify::kUpdate, notify::kAdminShutdown, {2, 'h', 'i'}}), "");
}

TEST(ShutdownCommunication, OfAHardResetIsFoundInside) {
  EXPECT_EQ(shutdown_text({notify::kCease, notify::kHardReset, {6, 2, 3, 'b', 'y', 'e'}}), "bye");
  EXPECT_EQ(shutdown_text({notify::kCease, notify::kHardReset, {6}}), "");
  EXPECT_EQ(shutdown_text({notify::kCease, notify::kHardReset, {6, 9, 6, 9, 6, 9}}), "");
}

TEST(ShutdownCommunication, NeverCarriesControlCharactersToATerminal) {
  EXPECT_EQ(shutdown_text(shutdown("\x0A"
                                   "a\x1b[2J\n\x7f\\z")),
            "a\\x1b[2J\\x0a\\x7f\\x5cz");
  EXPECT_EQ(shutdown_text(shutdown("\x02\xC2\x9B")), "\\xc2\\x9b") << "C1 control sequence introducer";
  EXPECT_EQ(shutdown_text(shutdown("\x02\xC3\xA9")), "\xC3\xA9");
}

TEST(ShutdownCommunication, InvalidUtf8IsEscapedOctetByOctet) {
  struct Case {
    std::string data, shown;
  };
  const Case kCases[] = {
      {"\x01\xFF", "\\xff"},
      {"\x02\xC0\xAF", "\\xc0\\xaf"},                    // Overlong '/'.
      {"\x03\xE0\x80\xAF", "\\xe0\\x80\\xaf"},           // Overlong.
      {"\x03\xED\xA0\x80", "\\xed\\xa0\\x80"},           // Surrogate.
      {"\x04\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // Beyond U+10FFFF.
      {"\x04\xF0\x80\x80\x80", "\\xf0\\x80\\x80\\x80"},  // Overlong.
      {"\x02\xE2\x82", "\\xe2\\x82"},                    // Cut.
      {"\x01\x80", "\\x80"},                             // Continuation alone.
      {"\x03\xE2\x82\xAC", "\xE2\x82\xAC"},              // The euro sign is fine.
      {"\x04\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},      // So are four octets.
  };
  for (const Case& c : kCases) EXPECT_EQ(shutdown_text(shutdown(c.data)), c.shown);
}

TEST(ShutdownCommunication, ALengthBeyondTheMessageReadsOnlyWhatIsThere) {
  EXPECT_EQ(shutdown_text(shutdown("\xFFhello")), "hello");
  EXPECT_EQ(shutdown_text(shutdown("\xFF")), "");
  EXPECT_EQ(shutdown_text(shutdown("")), "");
  EXPECT_EQ(shutdown_text(shutdown("\x02hello")), "he") << "and a short one hides the rest";
}

TEST(NotificationText, NamesCodesAndSubcodes) {
  EXPECT_EQ(to_text(cease(notify::kAdminShutdown, "x")), "Cease / Administrative Shutdown");
  EXPECT_EQ(to_text(MessageError{notify::kHoldTimer, 0, {}}), "Hold Timer Expired");
  EXPECT_EQ(to_text(MessageError{notify::kOpen, 99, {}}), "OPEN Message Error / subcode 99");
  EXPECT_EQ(to_text(MessageError{77, 3, {}}), "code 77 / subcode 3");
  EXPECT_EQ(to_text(MessageError{notify::kSendHoldTimer, 0, {}}), "Send Hold Timer Expired");
  EXPECT_EQ(to_text(MessageError{notify::kOpen, notify::kRoleMismatch, {}}), "OPEN Message Error / Role Mismatch");
}

}  // namespace
}  // namespace minibgp::wire
