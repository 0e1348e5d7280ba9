#include <assay/harness/campaign/sources.hpp>

namespace assay {

namespace {

constexpr std::uint64_t portfolio_first = 64;  // trials of a corpus that begins with nothing

}  // namespace

sources::sources(const campaign_options& options, const run_shape& shape, order_model model)
    : options_(options), shape_(shape), way_(way_of(options, model)), mixed_(options.seed, shape) {
  if (way_ == way::kept) corpus_ = corpus(options.corpus);
}

sources::way sources::way_of(const campaign_options& options, order_model model) {
  if (model == order_model::fifo) return way::ties;
  if (options.strategy == "dfs") return way::depth_first;
  if (options.strategy == "corpus") return way::kept;
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
    case way::kept:
      // By turns: mutants go on from what has been reached, the portfolio reaches what no small change does. At first
      // the portfolio alone: what is shallow it finds sooner, and mutants need something to go on from.
      mutated_ = !mutated_ && !corpus_.entries().empty() &&
                 (number_ > portfolio_first || !options_.corpus.schedules.empty());
      if (!mutated_) return mixed_.next();
      source_ = corpus_.mutant(seed, shape_);
      break;
  }
  return *source_;
}

void sources::finish(const trial_result& trial) {
  if (way_ == way::depth_first) covered_ = !all_.finish();
  if (way_ == way::kept) corpus_.note(trial.choices, seen_.features());
  if (way_ == way::mixed || (way_ == way::kept && !mutated_)) {
    mixed_.finish();
    covered_ = mixed_.covered();
  }
}

std::string_view sources::name() const noexcept {
  if (way_ == way::ties) return {};
  const bool mixed = way_ == way::mixed || (way_ == way::kept && !mutated_);
  return mixed ? mixed_.name() : std::string_view(options_.strategy);
}

}  // namespace assay
