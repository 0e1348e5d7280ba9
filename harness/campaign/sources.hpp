// The sources of a campaign's explored trials, one after the other, as its options name the strategy.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/corpus.hpp>
#include <assay/harness/choice/exhaustive.hpp>
#include <assay/harness/choice/strategy.hpp>

namespace assay {

class sources {
 public:
  /// The options must outlive it. Order model `fifo` leaves open what is no choice between ready handlers: there every
  /// strategy is random.
  sources(const campaign_options& options, const run_shape& shape, order_model model);

  /// The source of the next trial. Lives until the next call.
  choice_source& next();
  /// What the next trial is to fill (trial_settings::covered); null if nobody wants to know.
  coverage* covered_by_trial() noexcept { return way_ == way::kept ? &seen_ : nullptr; }
  /// The last source goes on from no earlier trial: what a trial is about may be drawn for it beforehand.
  bool draws_anew() const noexcept { return !mutated_ && name() != "dfs"; }
  /// To be called when the trial has been run.
  void finish(const trial_result& trial);
  /// No further trial can show anything new.
  bool covered() const noexcept { return covered_; }
  /// What strategy "corpus" has kept.
  corpus_state kept() const { return corpus_.state(); }
  /// The strategy of the last source; empty under order model `fifo`.
  std::string_view name() const noexcept;

 private:
  enum class way { ties, fixed, depth_first, mixed, kept };
  static way way_of(const campaign_options& options, order_model model);

  const campaign_options& options_;
  run_shape shape_;
  way way_;
  bool covered_ = false;
  std::uint64_t number_ = 0;
  std::unique_ptr<choice_source> source_;
  exhaustive all_;
  portfolio mixed_;
  corpus corpus_;
  coverage seen_;
  bool mutated_ = false;  // the last source
};

}  // namespace assay
