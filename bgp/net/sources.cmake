# Speaker on Asio. The core's objects are linked in, so one library is the whole of minibgp::bgp.
add_library(minibgp STATIC
  ${CMAKE_CURRENT_SOURCE_DIR}/net/driver.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/link_addresses.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/listener.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/socket_options.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/speaker.cc)
target_link_libraries(minibgp PUBLIC minibgp_core minibgp_asio PRIVATE minibgp_flags)
