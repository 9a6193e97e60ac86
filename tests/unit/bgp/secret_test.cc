#include <bgp/secret.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <string_view>

#include <gtest/gtest.h>

namespace minibgp {
namespace {

/// A Secret in memory that stays ours after its end.
struct Place {
  alignas(Secret) std::array<std::byte, sizeof(Secret)> octets{};
  Secret* hold(std::string_view text) { return ::new (octets.data()) Secret{text}; }
  [[nodiscard]] bool shows(std::string_view text) const {
    const std::string_view all{reinterpret_cast<const char*>(octets.data()), octets.size()};
    return all.find(text) != std::string_view::npos;
  }
};

TEST(SecretTest, LeavesNothingWhereItWas) {
  Place place;
  Secret* const secret = place.hold("tunnelkey");
  ASSERT_TRUE(place.shows("tunnelkey")) << "or this test sees nothing";
  std::destroy_at(secret);
  EXPECT_FALSE(place.shows("tunnel"));
}

TEST(SecretTest, LeavesNothingWhereItWasMovedFromOrAssignedTo) {
  Place place;
  Secret* const secret = place.hold("tunnelkey");
  const Secret other = std::move(*secret);
  EXPECT_EQ(other.view(), "tunnelkey");
  EXPECT_FALSE(place.shows("tunnel"));
  EXPECT_TRUE(secret->empty());
  *secret = Secret{"elsewhere"};
  *secret = Secret{"x"};
  EXPECT_EQ(secret->view(), "x");
  EXPECT_FALSE(place.shows("sewhere"));
  *secret = other;
  EXPECT_EQ(*secret, other);
  std::destroy_at(secret);
}

}  // namespace
}  // namespace minibgp
