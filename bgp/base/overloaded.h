/// Overloaded: a visitor for std::visit made of one function for each alternative.
#pragma once

namespace minibgp::base {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace minibgp::base
