/// IANA and RFC constants, and nothing else.
#pragma once

#include <cstdint>

namespace minibgp::wire {

inline constexpr std::uint16_t kAsTrans = 23456;  // RFC 6793
inline constexpr std::uint16_t kAfiIpv4 = 1, kAfiIpv6 = 2;
inline constexpr std::uint8_t kSafiUnicast = 1;

namespace attr {
inline constexpr std::uint8_t kOrigin = 1, kAsPath = 2, kNextHop = 3, kMed = 4, kLocalPref = 5, kAtomicAggregate = 6,
                              kAggregator = 7, kCommunities = 8, kOriginatorId = 9, kClusterList = 10, kMpReach = 14,
                              kMpUnreach = 15, kExtendedCommunities = 16, kAs4Path = 17, kAs4Aggregator = 18,
                              kPmsiTunnel = 22, kTunnelEncapsulation = 23, kTrafficEngineering = 24,
                              kIpv6ExtendedCommunities = 25, kAigp = 26, kPeDistinguisherLabels = 27, kBgpLs = 29,
                              kLargeCommunities = 32, kBgpsecPath = 33, kOnlyToCustomer = 35, kSfp = 37,
                              kBfdDiscriminator = 38, kPrefixSid = 40, kAttrSet = 128;
inline constexpr std::uint8_t kFlagOptional = 0x80, kFlagTransitive = 0x40, kFlagPartial = 0x20, kFlagExtended = 0x10;
}  // namespace attr

namespace cap {
inline constexpr std::uint8_t kMultiprotocol = 1, kRouteRefresh = 2, kExtendedNextHop = 5, kExtendedMessage = 6,
                              kRole = 9, kGracefulRestart = 64, kFourOctetAs = 65, kAddPath = 69, kEnhancedRefresh = 70;
}  // namespace cap

namespace notify {
inline constexpr std::uint8_t kHeader = 1, kOpen = 2, kUpdate = 3, kHoldTimer = 4, kFsm = 5, kCease = 6, kRefresh = 7,
                              kSendHoldTimer = 8;
// Header
inline constexpr std::uint8_t kNotSynchronized = 1, kBadLength = 2, kBadType = 3;
// OPEN
inline constexpr std::uint8_t kVersion = 1, kBadPeerAs = 2, kBadIdentifier = 3, kUnsupportedParameter = 4,
                              kHoldTime = 6, kUnsupportedCapability = 7, kRoleMismatch = 11;
// UPDATE
inline constexpr std::uint8_t kMalformedList = 1, kUnrecognizedWellKnown = 2, kMissingWellKnown = 3, kFlags = 4,
                              kLength = 5, kOriginValue = 6, kNextHopValue = 8, kOptional = 9, kNetwork = 10,
                              kAsPathValue = 11;
// FSM (RFC 6608)
inline constexpr std::uint8_t kUnexpectedInOpenSent = 1, kUnexpectedInOpenConfirm = 2, kUnexpectedInEstablished = 3;
// Cease (RFC 4486, 8538)
inline constexpr std::uint8_t kMaxPrefixes = 1, kAdminShutdown = 2, kDeconfigured = 3, kAdminReset = 4, kRejected = 5,
                              kConfigChange = 6, kCollision = 7, kOutOfResources = 8, kHardReset = 9;
// ROUTE-REFRESH (RFC 7313)
inline constexpr std::uint8_t kInvalidMessageLength = 1;
}  // namespace notify

}  // namespace minibgp::wire
