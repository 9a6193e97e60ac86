# The libraries for other programs: libminibgp (minibgp::bgp), libminibgp_fib, libminibgp_xfrm, libminibgp_testing, each
# shared and static, with headers, a CMake package and pkg-config files. The objects are those that bgplite is made of.
#
#   cmake -B build -DMINIBGP_LIBRARY=ON && cmake --build build && cmake --install build --prefix /usr/local
option(MINIBGP_LIBRARY "Build and install the libraries for other programs" OFF)
if(NOT MINIBGP_LIBRARY)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(NOT TARGET minibgp_testing)
  add_subdirectory(${PROJECT_SOURCE_DIR}/tests/support)
endif()
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/minibgp)
set(exports_map ${PROJECT_SOURCE_DIR}/bgp/library/exports.map)

# minibgp_library(name OBJECTS targets... LINK targets-and-libraries... [NEEDS names...]): libNAME, shared and static.
# What is visible is said once, in exports.map, and not by a macro at every declaration.
function(minibgp_library name)
  cmake_parse_arguments(ARG "" "EXPORT;DESCRIPTION;REQUIRES" "OBJECTS;LINK;NEEDS;PRIVATE_LIBS" ${ARGN})
  set(objects)
  foreach(part ${ARG_OBJECTS})
    if(TARGET ${part})
      list(APPEND objects $<TARGET_OBJECTS:${part}>)
      set_target_properties(${part} PROPERTIES CXX_VISIBILITY_PRESET default)
      # Calls within the library stay within it.
      target_compile_options(${part} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
    endif()
  endforeach()
  foreach(kind shared static)
    string(TOUPPER ${kind} upper)
    set(target ${name}_${kind})
    add_library(${target} ${upper} ${objects})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} EXPORT_NAME ${ARG_EXPORT} LINKER_LANGUAGE CXX)
    target_include_directories(${target} PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/minibgp>)
    target_compile_features(${target} INTERFACE cxx_std_20)
    foreach(need ${ARG_NEEDS})
      target_link_libraries(${target} PUBLIC ${need}_${kind})
    endforeach()
    install(TARGETS ${target} EXPORT minibgp-${kind}
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
            ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  endforeach()
  target_link_libraries(${name}_static PUBLIC ${ARG_LINK} ${ARG_PRIVATE_LIBS})
  target_link_libraries(${name}_shared PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LIBS})
  # Before 1.0 a minor version may break the ABI, so it is part of the SONAME.
  set_target_properties(${name}_shared PROPERTIES VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINK_DEPENDS ${exports_map})
  target_link_options(${name}_shared PRIVATE -Wl,--version-script=${exports_map} -Wl,-Bsymbolic-functions
                                             -Wl,--gc-sections -Wl,--as-needed -Wl,-z,defs)
  file(RELATIVE_PATH PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)  # Relocatable.
  set(PC_NAME ${name})
  set(PC_DESCRIPTION ${ARG_DESCRIPTION})
  set(PC_REQUIRES ${ARG_REQUIRES})
  list(TRANSFORM ARG_PRIVATE_LIBS PREPEND -l OUTPUT_VARIABLE private)
  list(JOIN private " " PC_LIBS_PRIVATE)
  configure_file(${PROJECT_SOURCE_DIR}/bgp/library/library.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()

minibgp_library(
  minibgp EXPORT bgp DESCRIPTION "A BGP-4 speaker for your event loop" REQUIRES ""
  OBJECTS ${MINIBGP_CORE_PARTS} minibgp
  LINK tl::expected Boost::headers)
minibgp_library(
  minibgp_fib EXPORT fib DESCRIPTION "Routes into the Linux kernel" REQUIRES "minibgp = ${PROJECT_VERSION}"
  OBJECTS fib_core fib_netlink fib_netlink_socket NEEDS minibgp)
minibgp_library(
  minibgp_xfrm EXPORT xfrm DESCRIPTION "IPsec tunnels: make them, know which carry traffic"
  REQUIRES "minibgp = ${PROJECT_VERSION}" OBJECTS xfrm_core xfrm_netlink fib_netlink_socket NEEDS minibgp)
minibgp_library(
  minibgp_testing EXPORT testing DESCRIPTION "BGP speakers on virtual time, for tests"
  REQUIRES "minibgp = ${PROJECT_VERSION}" OBJECTS minibgp_testing NEEDS minibgp)

# Everything that `cmake --install build` needs where MINIBGP_BUILD_APPS is off. Components, as the Debian packages are cut
# (apps/bgplite/dist/debian/packages.cmake): library, what a linked program needs; development, the rest.
add_custom_target(libraries)
foreach(name minibgp minibgp_fib minibgp_xfrm minibgp_testing)
  add_dependencies(libraries ${name}_shared ${name}_static)
endforeach()

# Headers lie as in the tree: <bgp/speaker.h>, <fib/fib.h>, <xfrm/tunnels.h>, <testing/world.h>.
file(GLOB bgp_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bgp/*.h)
set(headers ${CMAKE_INSTALL_INCLUDEDIR}/minibgp)
install(FILES ${bgp_headers} DESTINATION ${headers}/bgp COMPONENT development)
foreach(header fib.h inputs.h options.h route.h status.h)
  install(FILES ${PROJECT_SOURCE_DIR}/fib/${header} DESTINATION ${headers}/fib COMPONENT development)
endforeach()
foreach(header options.h tunnel.h tunnels.h)
  install(FILES ${PROJECT_SOURCE_DIR}/xfrm/${header} DESTINATION ${headers}/xfrm COMPONENT development)
endforeach()
foreach(header world.h random.h values.h policy_matchers.h)
  install(FILES ${PROJECT_SOURCE_DIR}/tests/support/testing/${header} DESTINATION ${headers}/testing COMPONENT development)
endforeach()

foreach(kind shared static)
  install(EXPORT minibgp-${kind} NAMESPACE minibgp:: FILE minibgp-${kind}.cmake
          DESTINATION ${package_dir} COMPONENT development)
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/bgp/library/minibgpConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/minibgpConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/minibgpConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/minibgpConfig.cmake ${PROJECT_BINARY_DIR}/minibgpConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT development)
