set(wire_dir ${CMAKE_CURRENT_SOURCE_DIR}/wire)
minibgp_part(wire
  ${wire_dir}/as_path.cc
  ${wire_dir}/attribute.cc
  ${wire_dir}/capability.cc
  ${wire_dir}/communities.cc
  ${wire_dir}/decode.cc
  ${wire_dir}/message.cc
  ${wire_dir}/mrt.cc
  ${wire_dir}/nlri.cc
  ${wire_dir}/notification.cc
  ${wire_dir}/open.cc
  ${wire_dir}/refresh.cc
  ${wire_dir}/update.cc)
