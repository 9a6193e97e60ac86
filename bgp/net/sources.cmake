# Speaker on Asio. The core's objects are linked in, so one library is the whole of minibgp::bgp.
add_library(minibgp STATIC
  ${CMAKE_CURRENT_SOURCE_DIR}/net/driver.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/link_addresses.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/listener.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/socket_options.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/net/speaker.cc)
target_link_libraries(minibgp PUBLIC minibgp_core minibgp_asio PRIVATE minibgp_flags)
target_compile_options(minibgp PRIVATE $<$<CONFIG:Release>:-Os>)  # As bgp/CMakeLists.txt says of MINIBGP_SMALL.
# It needs <linux/tcp.h>, which does not go with the <netinet/tcp.h> of Asio.
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/net/socket_options.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
