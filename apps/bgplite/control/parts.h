/// Parts: the answer from a table that takes too long for one turn of the daemon's loop. The table is read a part in a
/// turn, then what was read becomes the answer in the server's thread, and is freed there. What changes meanwhile is in
/// the answer or is not; each part is true when it is read. A client that goes away ends it.
#pragma once

#include <apps/bgplite/control/server.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace bgplite::control {

/// Routes that are looked at in one turn: some 5 ms.
inline constexpr std::size_t kStepsInATurn = 4'000;

/// What was read, in the order of `before`, each once: what left the table and came back between two parts has another
/// place in it, and may have been read twice.
template <typename Row, typename Before, typename Same>
std::vector<const Row*> in_order(const std::vector<std::vector<Row>>& parts, Before before, Same same) {
  std::vector<const Row*> order;
  for (const std::vector<Row>& part : parts)
    for (const Row& row : part) order.push_back(&row);
  std::stable_sort(order.begin(), order.end(), [&](const Row* a, const Row* b) { return before(*a, *b); });
  order.erase(std::unique(order.begin(), order.end(), [&](const Row* a, const Row* b) { return same(*a, *b); }),
              order.end());
  return order;
}

/// The first `limit` rows of a table as the list `name`, how many there are, and whether these are all of them.
template <typename Row, typename ToJson>
Json first_of(const char* name, const std::vector<const Row*>& order, std::size_t limit, ToJson to_json) {
  const std::size_t shown = std::min(order.size(), limit);
  Json rows = Json::array();
  for (std::size_t i = 0; i < shown; ++i) rows.push_back(to_json(*order[i]));
  return {{name, std::move(rows)}, {"total", order.size()}, {"complete", shown == order.size()}};
}

template <typename Row>
class Parts {
 public:
  using Rows = std::vector<std::vector<Row>>;  ///< As read: one element that grew would be copied ever again.
  /// Appends the next part. True: there is more.
  using Read = std::function<bool(std::vector<Row>& into)>;
  /// In the thread: touches nothing that the loop uses.
  using Make = std::function<Json(Rows& rows)>;

  static void answer(const Reply& reply, Read read, Make make) {
    std::shared_ptr<Parts> parts{new Parts{reply, std::move(read), std::move(make)}};
    next(std::move(parts));
  }

 private:
  Parts(Reply reply, Read read, Make make) : reply_(std::move(reply)), read_(std::move(read)), make_(std::move(make)) {}

  /// By value and moved on: the last one to hold the rows must be the thread.
  static void next(std::shared_ptr<Parts> parts) {
    Parts& my = *parts;
    if (my.reply_.open() && my.read_(my.rows_.emplace_back())) {
      const Reply reply = my.reply_;
      return reply.later([parts = std::move(parts)]() mutable { next(std::move(parts)); });
    }
    const Reply reply = std::move(my.reply_);  // The client's socket is the loop's.
    my.read_ = nullptr;
    reply.result([parts = std::move(parts)] { return parts->make_(parts->rows_); });
  }

  Reply reply_;
  Read read_;
  Make make_;
  Rows rows_;
};

}  // namespace bgplite::control
