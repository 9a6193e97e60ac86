/// Keys: the one table of everything a configuration file may say. A row names a key, its type, range, default, what a
/// change of it does to a running daemon, and how it is read into the Config. The reader (reader.h),
/// docs/configuration.md and bgplite.yaml(5) (document.h) all walk these rows, so none of them can drift.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace bgplite {

/// What `bgplite apply` does when the key has changed.
enum class Effect : std::uint8_t {
  live,     ///< Applied at once; nothing is interrupted.
  refresh,  ///< The peer's routes are judged again; the session stays.
  reset,    ///< The peer's session is opened anew.
  tunnel,   ///< That tunnel is set up anew; the others are not touched.
  restart,  ///< Takes effect with the next start of the daemon.
  leave,    ///< Of a step only: what is no longer announced, or routed, loses its traffic.
};

enum class Type : std::uint8_t {
  flag,
  integer,
  duration,
  choice,
  text,
  path,
  name,
  asn,
  router_id,
  address,
  interface_address,
  prefix,
  socket_address,
  community,
  large_community,
  mapping,
  addresses,
  texts,
  policy,
  families,
  networks,
  ways,
};

/// One row. Ranges are in the unit of the type: integers as they are, durations in milliseconds.
struct Key {
  const char* name = "";
  Type type = Type::text;
  const char* fallback = "";  ///< The default as one would write it; empty: none. "required": must be given.
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  const char* choices = "";  ///< "keep|remove", in the order of the enumeration it is read into.
  Effect effect = Effect::live;
  const char* doc = "";  ///< Sentences.
};

class Reader;
struct In;

template <typename T>
struct Field {
  Key key;
  void (*read)(const In& in, T& into);
};

template <typename T>
using Fields = std::vector<Field<T>>;

// Rows read as sentences: integer("prepend", "0", 0, 10, Effect::refresh, "...").
inline Key flag(const char* name, const char* fallback, Effect effect, const char* doc) {
  return {.name = name, .type = Type::flag, .fallback = fallback, .effect = effect, .doc = doc};
}
inline Key integer(const char* name, const char* fallback, std::int64_t min, std::int64_t max, Effect effect,
                   const char* doc) {
  return {
      .name = name, .type = Type::integer, .fallback = fallback, .min = min, .max = max, .effect = effect, .doc = doc};
}
/// `min_s` and `max_s` in seconds.
inline Key duration(const char* name, const char* fallback, std::int64_t min_s, std::int64_t max_s, Effect effect,
                    const char* doc) {
  return {.name = name,
          .type = Type::duration,
          .fallback = fallback,
          .min = min_s * 1000,
          .max = max_s * 1000,
          .effect = effect,
          .doc = doc};
}
inline Key choice(const char* name, const char* fallback, const char* choices, Effect effect, const char* doc) {
  return {.name = name, .type = Type::choice, .fallback = fallback, .choices = choices, .effect = effect, .doc = doc};
}
inline Key value(const char* name, Type type, const char* fallback, Effect effect, const char* doc) {
  return {.name = name, .type = type, .fallback = fallback, .effect = effect, .doc = doc};
}

/// A mapping of the file for the documentation: "tunnels.NAME.ike" and its keys in the order of the table.
struct SectionDoc {
  std::string path;
  std::string doc;
  std::vector<Key> keys;
};
/// Every section, in the order of docs/configuration.md (schema.cc).
[[nodiscard]] std::vector<SectionDoc> sections();

}  // namespace bgplite
