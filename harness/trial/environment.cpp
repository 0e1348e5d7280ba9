#include <assay/harness/trial/environment.hpp>

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

}  // namespace assay
