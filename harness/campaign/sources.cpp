#include "harness/campaign/sources.hpp"

namespace assay {

sources::sources(const campaign_options& options, const run_shape& shape, order_model model)
    : options_(options), shape_(shape), way_(way_of(options, model)), mixed_(options.seed, shape) {}

sources::way sources::way_of(const campaign_options& options, order_model model) {
  if (model == order_model::fifo) return way::ties;
  if (options.strategy == "dfs") return way::depth_first;
  return find_strategy(options.strategy) != nullptr ? way::fixed : way::mixed;
}

choice_source& sources::next() {
  const std::uint64_t seed = trial_seed(options_.seed, number_++);
  switch (way_) {
    case way::ties: {
      random_source::odds odds;
      odds.ready = false;
      source_ = std::make_unique<random_source>(seed, odds);
      break;
    }
    case way::fixed:
      source_ = find_strategy(options_.strategy)->make(seed, shape_);
      break;
    case way::depth_first:
      return all_.next();
    case way::mixed:
      return mixed_.next();
  }
  return *source_;
}

void sources::finish() {
  if (way_ == way::depth_first) covered_ = !all_.finish();
  if (way_ == way::mixed) {
    mixed_.finish();
    covered_ = mixed_.covered();
  }
}

std::string_view sources::name() const noexcept {
  if (way_ == way::ties) return {};
  return way_ == way::mixed ? mixed_.name() : std::string_view(options_.strategy);
}

}  // namespace assay
