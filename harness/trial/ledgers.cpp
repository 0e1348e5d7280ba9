#include <assay/harness/trial/ledgers.hpp>

#include <algorithm>

#include <assay/harness/trial/outcome.hpp>

namespace assay {

std::string order_ledger::unless_before(std::string_view first, std::string_view second) const {
  const std::span<const std::string> seen = marks();
  const auto one = std::find(seen.begin(), seen.end(), first);
  const auto two = std::find(seen.begin(), seen.end(), second);
  if (one < two && two != seen.end()) return {};
  std::string observed;
  if (one == seen.end()) observed = "'" + std::string(first) + "' never came";
  if (two == seen.end()) observed += (observed.empty() ? "'" : ", '") + std::string(second) + "' never came";
  if (observed.empty()) observed = "'" + std::string(second) + "' came first";
  return observed;
}

std::exception_ptr exception_ledger::plant(std::string label) {
  std::vector<planted>& rounds = planted_[label];
  if (rounds.empty() || rounds.back().round != rounds_) rounds.push_back({rounds_});
  ++rounds.back().raised;
  return std::make_exception_ptr(contract::operation_error(std::move(label)));
}

bool exception_ledger::observe(const std::string& label) {
  const auto found = planted_.find(label);
  if (found == planted_.end()) return false;
  ++found->second.back().observed;
  return true;
}

std::uint32_t exception_ledger::times_observed(const std::string& label) const {
  const auto found = planted_.find(label);
  return found == planted_.end() ? 0 : found->second.back().observed;
}

std::vector<std::string> exception_ledger::complaints() const {
  std::vector<std::string> all;
  for (const auto& [label, rounds] : planted_) {
    for (const planted& one : rounds) {
      if (one.observed == one.raised) continue;
      std::string what = "swallowed: nobody observed it";
      if (one.observed > one.raised || one.raised > 1) {
        what = "reported " + std::to_string(one.observed) + " times";
        if (one.raised > 1) what += ", raised " + std::to_string(one.raised) + " times";
      }
      all.push_back("the exception '" + label + "' was " + what);
    }
  }
  return all;
}

std::uint32_t watch_list::begin(check what) {
  watches_.push_back({++last_, std::move(what)});
  return last_;
}

void watch_list::end(std::uint32_t number) noexcept {
  std::erase_if(watches_, [number](const watched& one) { return one.number == number; });
}

std::vector<std::string> watch_list::look() {
  std::vector<std::string> said;
  for (watched& one : watches_) {
    if (!one.what) continue;
    std::string what;
    try {
      what = one.what();
    } catch (...) {
      what = "what is looked at after every turn ended with " + to_string(describe(std::current_exception()));
    }
    if (what.empty()) continue;
    one.what = nullptr;
    said.push_back(std::move(what));
  }
  return said;
}

}  // namespace assay
