// The features of a contract, as data. A contract lists its own beside its name; the catalogue, the standard and every check
// of a name that somebody claims or asks for are made from that list:
//
//   class bounded_queue {
//    public:
//     static constexpr std::string_view name = "bounded_queue";
//     static constexpr feature_info features[] = {{"timed", "`push_for` and `pop_for` wait no longer than ..."}};
#pragma once

#include <span>
#include <string_view>

namespace assay {

/// An optional part of a contract. Its texts live as long as the program.
struct feature_info {
  std::string_view name;
  std::string_view promise;  ///< one line: what a subject that claims it promises
};

/// Those that every contract has beside its own. They are what a runtime gives to every call by itself, and a library must do
/// something to lose: so a subject claims them without a word, and one whose documentation does without says where, in
/// subject_traits::declines.
inline constexpr std::string_view sticky_request = "sticky_request";
inline constexpr feature_info common_features[] = {
    {sticky_request,
     "a request to stop that a call met with a value, a deadline or a failure shows at its caller's next "
     "suspension"}};

constexpr bool is_common_feature(std::string_view name) noexcept {
  for (const feature_info& one : common_features) {
    if (one.name == name) return true;
  }
  return false;
}

/// Those that a contract declares; one that declares none has none.
template <class Contract>
constexpr std::span<const feature_info> features_of() noexcept {
  if constexpr (requires { Contract::features; }) {
    return Contract::features;
  } else {
    return {};
  }
}

}  // namespace assay
