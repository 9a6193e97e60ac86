minibgp_part(policy
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/as_path_regex.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/definition_text.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/edit.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/match.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/policy.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/prefix_set.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/policy/program.cc)
