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
