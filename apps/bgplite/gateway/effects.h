/// Effects: what a Gateway and its parts have decided and what is not carried out yet, in order.
#pragma once

#include <apps/bgplite/gateway/events.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace bgplite {

class Effects {
 public:
  void emit(GatewayEffect effect) { waiting_.push_back(std::move(effect)); }
  void log(minibgp::LogLevel level, minibgp::LogArea area, std::string line) {
    emit(effect::Log{level, area, std::move(line)});
  }
  /// The oldest one.
  [[nodiscard]] std::optional<GatewayEffect> take() {
    if (waiting_.empty()) return std::nullopt;
    GatewayEffect effect = std::move(waiting_.front());
    waiting_.pop_front();
    return effect;
  }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  std::deque<GatewayEffect> waiting_;
};

}  // namespace bgplite
