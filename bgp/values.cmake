minibgp_part(values ${CMAKE_CURRENT_SOURCE_DIR}/path.cc ${CMAKE_CURRENT_SOURCE_DIR}/text.cc)
