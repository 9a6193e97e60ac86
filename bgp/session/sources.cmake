minibgp_part(session
  ${CMAKE_CURRENT_SOURCE_DIR}/session/connector.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/session/framer.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/session/negotiation.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/session/pairing.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/session/send_queue.cc
  ${CMAKE_CURRENT_SOURCE_DIR}/session/session.cc)
