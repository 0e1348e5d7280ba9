#include <assay/harness/trial/environment.hpp>

#include <algorithm>

#include <assay/harness/allocation/section.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

environment& environment::of(trial& t) { return t.surroundings(); }

boost::asio::any_io_executor environment::executor() const { return trial_->executor(); }

boost::asio::io_context* environment::io_context() const noexcept { return trial_->stock_io_context(); }

void environment::report_unhandled(const std::exception_ptr& failure) const {
  const detail::harness_section section;
  trial_->mark("unhandled " + to_string(describe(failure)));
  trial_->observe(failure);
}

void environment::mark(std::string label) const { trial_->mark(std::move(label)); }

std::shared_ptr<void> environment::find(std::type_index type) const {
  const auto found =
      std::find_if(provided_.begin(), provided_.end(), [type](const auto& one) { return one.first == type; });
  return found == provided_.end() ? nullptr : found->second;
}

void environment::provide(std::type_index type, std::shared_ptr<void> dependency) {
  const detail::harness_section section;
  for (auto& [known, kept] : provided_) {
    if (known == type) {
      kept = std::move(dependency);
      return;
    }
  }
  provided_.emplace_back(type, std::move(dependency));
}

void environment::clear() noexcept {
  const auto going = std::exchange(provided_, {});  // whoever looks meanwhile finds nothing
}

}  // namespace assay
