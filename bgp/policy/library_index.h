/// LibraryIndex: the named things of a PolicyLibrary by name, and the name that was probably meant.
#pragma once

#include <bgp/policy_definition.h>

#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace minibgp::policy {

class LibraryIndex {
 public:
  /// `library` outlives the index. Of two things with one name the first is found.
  explicit LibraryIndex(const PolicyLibrary& library);

  template <typename Item>
  [[nodiscard]] const NamedSet<Item>* set(std::string_view name) const {
    const auto& names = std::get<Names<NamedSet<Item>>>(sets_);
    const auto found = names.find(name);
    return found == names.end() ? nullptr : found->second;
  }
  [[nodiscard]] const PolicyDefinition* policy(std::string_view name) const {
    const auto found = policies_.find(name);
    return found == policies_.end() ? nullptr : found->second;
  }

  /// "did you mean 'vpc'?", or that a set of another kind has this name, or empty.
  template <typename Item>
  [[nodiscard]] std::string hint_for_set(std::string_view name) const;
  [[nodiscard]] std::string hint_for_policy(std::string_view name) const;

 private:
  template <typename Thing>
  using Names = std::map<std::string_view, const Thing*>;
  std::tuple<Names<NamedSet<PrefixRange>>, Names<NamedSet<AsnRange>>, Names<NamedSet<CommunityPattern>>,
             Names<NamedSet<ExtendedCommunityPattern>>, Names<NamedSet<LargeCommunityPattern>>,
             Names<NamedSet<AddressRange>>>
      sets_;
  Names<PolicyDefinition> policies_;
};

/// "term 3" where the operator gave no name. `position` counts from 0.
[[nodiscard]] std::string term_name(const PolicyTerm& term, std::size_t position);

}  // namespace minibgp::policy
