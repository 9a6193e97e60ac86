minibgp_part(
  rib
  ${CMAKE_CURRENT_SOURCE_DIR}/rib/adj_out.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/rib/attr_table.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/rib/next_hop_index.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/rib/packed.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/rib/ranking.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/rib/table.cc)
