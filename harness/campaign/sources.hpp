// The sources of a campaign's explored trials, one after the other, as its options name the strategy.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "harness/campaign/campaign.hpp"
#include "harness/choice/exhaustive.hpp"
#include "harness/choice/strategy.hpp"

namespace assay {

class sources {
 public:
  /// The options must outlive it. Order model `fifo` leaves open what is no choice between ready handlers: there every
  /// strategy is random.
  sources(const campaign_options& options, const run_shape& shape, order_model model);

  /// The source of the next trial. Lives until the next call.
  choice_source& next();
  /// To be called when the trial has been run.
  void finish();
  /// No further trial can show anything new.
  bool covered() const noexcept { return covered_; }
  /// The strategy of the last source; empty under order model `fifo`.
  std::string_view name() const noexcept;

 private:
  enum class way { ties, fixed, depth_first, mixed };
  static way way_of(const campaign_options& options, order_model model);

  const campaign_options& options_;
  run_shape shape_;
  way way_;
  bool covered_ = false;
  std::uint64_t number_ = 0;
  std::unique_ptr<choice_source> source_;
  exhaustive all_;
  portfolio mixed_;
};

}  // namespace assay
