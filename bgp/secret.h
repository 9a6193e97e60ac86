/// Secret: a key in memory, overwritten before its memory is given back.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace minibgp {

/// Text that is overwritten when its object ends, is assigned to or moved from. What it was made from stays the
/// caller's to wipe. Never printed by anything here.
class Secret {
 public:
  Secret() = default;                                                                ///< None.
  Secret(std::string_view text) : text_(text) {}                                     ///< Copies the text.
  Secret(const char* text) : text_(text) {}                                          ///< Copies the text.
  Secret(const std::string& text) : text_(text) {}                                   ///< Copies the text.
  Secret(const Secret& other) = default;                                             ///< One more copy in memory.
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }  ///< The other is empty then.
  Secret& operator=(const Secret& other) {
    if (this == &other) return *this;
    wipe();
    text_ = other.text_;
    return *this;
  }  ///< Wipes what was there.
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    text_ = std::move(other.text_);
    other.wipe();
    return *this;
  }  ///< Wipes what was there; the other is empty then.
  ~Secret() { wipe(); }

  [[nodiscard]] bool empty() const { return text_.empty(); }     ///< There is none.
  [[nodiscard]] std::string_view view() const { return text_; }  ///< Valid until this one changes or ends.
  friend bool operator==(const Secret& a, const Secret& b) { return a.text_ == b.text_; }  ///< Not in constant time.

 private:
  void wipe() noexcept {
    text_.resize(text_.capacity());  // Never allocates: a moved-from string has its small buffer, and may have used it.
    volatile char* const octets = text_.data();
    for (std::size_t i = 0; i < text_.size(); ++i) octets[i] = 0;
    text_.clear();
  }

  std::string text_;
};

}  // namespace minibgp
