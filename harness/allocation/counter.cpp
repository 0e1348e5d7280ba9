#include <assay/harness/allocation/counter.hpp>

#include <charconv>
#include <exception>
#include <stdexcept>

namespace assay {

std::string to_string(const allocation_fault& fault) {
  return std::to_string(fault.number) + (fault.persistent ? "+" : "");
}

std::optional<allocation_fault> read_allocation_fault(std::string_view text) {
  allocation_fault fault;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), fault.number);
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  fault.persistent = rest == "+";
  if (failure != std::errc() || (!rest.empty() && !fault.persistent)) return std::nullopt;
  return fault;
}

allocation_counter::allocation_counter(allocation_fault plan) : plan_(plan) {
  if (!detail::allocation_faults_linked) {
    throw std::logic_error(
        "this program cannot fail allocations: link assay::allocation_faults, which replaces operator new");
  }
  if (detail::accounting != nullptr) throw std::logic_error("another trial counts allocations already");
  detail::accounting = this;
}

allocation_counter::~allocation_counter() { detail::accounting = nullptr; }

bool allocation_counter::next_fails() noexcept {
  if (std::uncaught_exceptions() > 0) return false;
  ++points_;
  const bool fails =
      plan_.number != 0 && (points_ == plan_.number || (plan_.persistent && points_ > plan_.number));
  if (!fails || std::exchange(failed_, true)) return fails;
  const detail::harness_section section;
  if (failing) failing(points_);
  return true;
}

}  // namespace assay
