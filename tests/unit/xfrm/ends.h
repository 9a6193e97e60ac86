/// The addresses of the tunnel that these tests have: our end, the cloud's, and the router before ours.
#pragma once

#include <bgp/types.h>

namespace minibgp::xfrm {

inline const IpAddress kLocal = IpAddress::v4(0xAC101450);
inline const IpAddress kRemote = IpAddress::v4(0xCB007197);
inline const IpAddress kGateway = IpAddress::v4(0xAC1014FD);

}  // namespace minibgp::xfrm
