/// MRT archives (RFC 6396, ADD-PATH of RFC 8050) as values: routing tables (TABLE_DUMP_V2) and recorded sessions
/// (BGP4MP, BGP4MP_ET). The file's bytes come from outside, uncompressed; nothing is copied but the attributes.
#pragma once

#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace minibgp {
/// A peer of the collector, from PEER_INDEX_TABLE or the record itself.
struct MrtPeer {
  RouterId router_id{};  ///< Known in tables only.
  IpAddress address;
  Asn asn{};
  auto operator<=>(const MrtPeer&) const = default;
};

/// One record; of a table's record, one route (a prefix as one peer announced it). Only the fields of its kind mean
/// something.
struct MrtRecord {
  enum class Kind : std::uint8_t {
    peer_table,    ///< A PEER_INDEX_TABLE was read: see MrtReader::peers().
    route,         ///< time_s, peer, prefix, path_id, originated_s, attributes.
    message,       ///< time_s, time_us, peer, local, message, four_octet_as, add_path.
    state_change,  ///< time_s, time_us, peer, local, from, to.
    skipped,       ///< A type or subtype that is not read here, or a broken record: see `problem`.
  };
  Kind kind = Kind::skipped;
  std::uint16_t type = 0, subtype = 0;
  std::uint64_t offset = 0;   ///< Of the record in the file.
  std::uint32_t time_s = 0;   ///< Since 1970.
  std::uint32_t time_us = 0;  ///< BGP4MP_ET only.
  MrtPeer peer;
  MrtPeer local;

  Prefix prefix;
  std::uint32_t path_id = 0;
  std::uint16_t peer_index = 0;    ///< Into MrtReader::peers().
  std::uint32_t originated_s = 0;  ///< When the route was learned, since 1970.
  PathAttributes attributes;       ///< next_hop is that of MP_REACH_NLRI for IPv6.

  Bytes message;  ///< With its header, as it was on the wire. Points into the file.
  bool four_octet_as = false;
  bool add_path = false;
  PeerState from{}, to{};

  /// Of `skipped`: why. Of `route`: what is wrong with its attributes (the rest of them was read). Null: nothing.
  /// Static storage.
  const char* problem = nullptr;
};
/// Where and why reading ended before the file did.
struct MrtError {
  std::uint64_t offset = 0;  ///< Where the record begins that is cut.
  std::string text;
};

/// Reads records one after the other. `file` outlives the reader and the records.
///
///   MrtReader reader{bytes};
///   for (MrtRecord record; reader.next(record);) use(record);
///   if (reader.error()) complain(*reader.error());
class MrtReader {
 public:
  explicit MrtReader(Bytes file) : file_(file) {}  ///< Reads from memory; `file` must outlive the reader.

  /// The next record into `out`, whose memory is reused: reading a table allocates nothing in steady state. False at
  /// the end of the file, or where it is cut: then error() says so, and every good record was given before.
  [[nodiscard]] bool next(MrtRecord& out);
  [[nodiscard]] const std::optional<MrtError>& error() const { return error_; }  ///< Why it ended early.
  /// Of the last PEER_INDEX_TABLE.
  [[nodiscard]] const std::vector<MrtPeer>& peers() const { return peers_; }

 private:
  enum class PathIds : bool { absent, present };
  bool next_entry(MrtRecord& out);
  bool next_record(MrtRecord& out);
  void on_peer_table(Bytes body, MrtRecord& out);
  void on_rib(Bytes body, Family family, PathIds path_ids, MrtRecord& out);
  void on_session(Bytes body, MrtRecord& out);

  Bytes file_;
  std::size_t next_ = 0;
  std::optional<MrtError> error_;
  std::vector<MrtPeer> peers_;
  // The table record in progress: entries that were not handed out yet.
  Bytes entries_;
  std::uint16_t entries_left_ = 0;
  PathIds entries_path_ids_ = PathIds::absent;
};

}  // namespace minibgp
