# `cpack --config build/release/CPackConfig.cmake` makes the Debian packages: bgplite, libminibgp0.1, libminibgp-dev. What
# each holds is said by the COMPONENT of the install() rules: daemon, library, development. Everything lies below the
# prefix, so `cmake --install build --prefix /usr` lays the same files on other systems.
#
# The packages own nothing in /etc: an upgrade never asks about a file that somebody changed.
include(GNUInstallDirs)
set(dist ${PROJECT_SOURCE_DIR}/apps/bgplite/dist)
find_program(GZIP gzip)
set(MINIBGP_MAINTAINER "The minibgp authors <minibgp@packages.invalid>" CACHE STRING "Maintainer of the packages")

# install_compressed(COMPONENT SOURCE DESTINATION): as Debian wants manual pages and changelogs, the same octets each time.
function(install_compressed component source destination)
  install(CODE "
    set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}\")
    get_filename_component(folder \"\${file}\" DIRECTORY)
    file(MAKE_DIRECTORY \"\${folder}\")
    execute_process(COMMAND ${GZIP} -9nc \"${source}\" OUTPUT_FILE \"\${file}\" COMMAND_ERROR_IS_FATAL ANY)
    file(CHMOD \"\${file}\" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)" COMPONENT ${component})
endfunction()

set(components)
if(MINIBGP_BUILD_APPS)
  list(APPEND components daemon)
  foreach(page bgplite.8 bgplite.yaml.5)
    string(REGEX MATCH "[0-9]$" section ${page})
    install_compressed(daemon ${dist}/man/${page} ${CMAKE_INSTALL_MANDIR}/man${section}/${page}.gz)
  endforeach()
  install(FILES ${dist}/completions/bgplite DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          COMPONENT daemon)
  install(FILES ${dist}/systemd/bgplite.service DESTINATION lib/systemd/system COMPONENT daemon)
  install(FILES ${dist}/systemd/strongswan-bgplite.conf DESTINATION lib/systemd/system/strongswan.service.d
          RENAME bgplite.conf COMPONENT daemon)
  install(FILES ${dist}/systemd/bgplite.sysusers DESTINATION lib/sysusers.d RENAME bgplite.conf COMPONENT daemon)
  install(FILES ${dist}/systemd/bgplite.tmpfiles DESTINATION lib/tmpfiles.d RENAME bgplite.conf COMPONENT daemon)
  set(doc ${CMAKE_INSTALL_DATADIR}/doc/bgplite)
  install(DIRECTORY ${dist}/examples/ DESTINATION ${doc}/examples COMPONENT daemon)
  install(DIRECTORY ${dist}/prometheus DESTINATION ${doc}/examples COMPONENT daemon)
  if(EXISTS ${dist}/grafana)
    install(DIRECTORY ${dist}/grafana DESTINATION ${doc}/examples COMPONENT daemon)
  endif()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${doc} COMPONENT daemon FILES_MATCHING PATTERN "*.md")
endif()
if(MINIBGP_LIBRARY)
  list(APPEND components library development)
endif()

# --- what the packages say of themselves ------------------------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL ${components})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_NAME minibgp)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # Each package has its own.
set(CPACK_PACKAGE_VENDOR "The minibgp authors")
set(CPACK_PACKAGE_CONTACT "${MINIBGP_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(debian_version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_DAEMON_PACKAGE_NAME bgplite)
set(CPACK_DEBIAN_DAEMON_PACKAGE_SECTION net)
set(CPACK_DEBIAN_DAEMON_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DAEMON_PACKAGE_DEPENDS "systemd (>= 247)")
set(CPACK_DEBIAN_DAEMON_PACKAGE_RECOMMENDS "charon-systemd, strongswan-swanctl, libstrongswan-standard-plugins, nftables")
set(CPACK_DEBIAN_DAEMON_PACKAGE_SUGGESTS "libstrongswan-extra-plugins, bash-completion, prometheus")
set(CPACK_COMPONENT_DAEMON_DESCRIPTION "BGP router for VPN gateways
Makes the XFRM interfaces of IPsec tunnels to a cloud, hands strongSwan its
connections, speaks BGP through the tunnels and keeps the kernel's ECMP routes
true, from one YAML file.")
set(CPACK_DEBIAN_DAEMON_PACKAGE_CONTROL_EXTRA ${dist}/debian/postinst ${dist}/debian/prerm ${dist}/debian/postrm)

# Before 1.0 a minor version may break the ABI: it is part of the SONAME, and so of the package's name.
set(library_package libminibgp${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library_package})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${dist}/debian/triggers)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "BGP-4 speaker for your program
Shared libraries: the speaker, routes into the Linux kernel, the state of
IPsec tunnels, and a world on virtual time for tests.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libminibgp-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "${library_package} (= ${debian_version}), libexpected-dev, libboost-dev (>= 1.74)")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "libgmock-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "BGP-4 speaker for your program: headers and static libraries
Headers, static libraries, CMake package and pkg-config files of libminibgp.")

set(CPACK_DEBIAN_PACKAGE_SECTION net)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(component ${components})
  string(TOUPPER ${component} upper)
  set(doc ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  install(FILES ${dist}/debian/copyright DESTINATION ${doc} COMPONENT ${component})
  install_compressed(${component} ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${doc}/changelog.gz)
  set(changelog ${PROJECT_BINARY_DIR}/changelog.${component})
  file(WRITE ${changelog}
       "${CPACK_DEBIAN_${upper}_PACKAGE_NAME} (${debian_version}) unstable; urgency=medium\n\n"
       "  * See changelog.gz.\n\n -- ${MINIBGP_MAINTAINER}  ${date}\n")
  install_compressed(${component} ${changelog} ${doc}/changelog.Debian.gz)
endforeach()
include(CPack)
