#include <assay/harness/choice/strategy.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay {

namespace {

// A stream of random numbers for one purpose, so that what one purpose draws does not shift the others.
splitmix64 stream_of(std::uint64_t seed, std::uint64_t purpose) noexcept {
  splitmix64 mixed(seed ^ (purpose * 0xd1342543de82ef95ULL));
  return splitmix64(mixed.next());
}

// When one kind of disturbance comes: not at all, at one or two of the places that there are, from one place on, or
// anywhere with some probability.
class disturbance {
 public:
  disturbance(splitmix64 random, std::uint32_t places, std::uint32_t one_in) : random_(random) {
    const std::uint32_t mode = random_.below(8);
    if (mode == 0) return;
    if (mode == 1 || places == 0) {
      one_in_ = one_in >> random_.below(3);  // what takes several of them is shown by many only
    } else if (mode == 2) {
      from_ = random_.below(places);
      always_ = random_.below(2) == 0 ? 0 : 1 + random_.below(8);
    } else {
      planned_.push_back(random_.below(places));
      if (mode > 5) planned_.push_back(planned_.front() + 1 + random_.below(places));
    }
  }
  std::uint32_t next(std::uint32_t arity) {
    const std::uint32_t place = place_++;
    if (place >= from_) return always_ != 0 ? 1 + (always_ - 1) % (arity - 1) : drawn(arity);
    const bool planned = std::find(planned_.begin(), planned_.end(), place) != planned_.end();
    if (!planned && (one_in_ == 0 || random_.below(one_in_) != 0)) return 0;
    return drawn(arity);
  }

 private:
  // The first kind is the plain one, and twice as likely as all the others together.
  std::uint32_t drawn(std::uint32_t arity) {
    return arity == 2 || random_.below(3) != 0 ? 1 : 2 + random_.below(arity - 2);
  }

  splitmix64 random_;
  std::uint32_t one_in_ = 0;
  std::uint32_t place_ = 0;
  std::uint32_t from_ = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t always_ = 0;  // the kind from there on; 0: any
  std::vector<std::uint32_t> planned_;
};

// Of a run with fewer choices there is little to spread deviations over: others may be longer.
constexpr std::uint32_t shortest_run = 8;

class exploring_source : public choice_source {
 public:
  exploring_source(std::uint64_t seed, const run_shape& shape)
      : random_(stream_of(seed, 1)),
        others_(stream_of(seed, 2)),
        cancels_(stream_of(seed, 3), shape.asked[static_cast<std::size_t>(choice_kind::cancel)], 12),
        faults_(stream_of(seed, 4), shape.asked[static_cast<std::size_t>(choice_kind::fault)], 8),
        lates_(stream_of(seed, 6), shape.asked[static_cast<std::size_t>(choice_kind::late)], 4),
        steps_(std::max(shape.steps(), shortest_run)),
        fair_from_(shape.fair_from()) {
    // Most trials leave all other choices open; some leave one kind of them first-in-first-out.
    splitmix64 swarm = stream_of(seed, 5);
    still_ = swarm.below(4) == 0
                 ? std::array{choice_kind::timer, choice_kind::stream, choice_kind::user}[swarm.below(3)]
                 : choice_kind::ready;
  }

  std::uint32_t choose(choice_kind kind, std::uint32_t arity) final {
    if (kind == choice_kind::program) return others_.below(arity);
    if (in_tail()) return 0;
    switch (kind) {
      case choice_kind::cancel:
        return cancels_.next(arity);
      case choice_kind::fault:
        return faults_.next(arity);
      case choice_kind::late:
        return lates_.next(arity);
      default:
        return kind == still_ ? 0 : others_.below(arity);
    }
  }
  bool wants_candidates() const noexcept final { return true; }
  std::uint32_t choose_among(choice_kind kind, std::span<const candidate> candidates) final {
    if (in_tail()) return 0;
    ++step_;
    if (kind == choice_kind::timer && still_ == choice_kind::timer) return 0;
    return schedule(candidates);
  }

 protected:
  /// Who goes first; step() tells which of the trial's choices this is, from 1.
  virtual std::uint32_t schedule(std::span<const candidate> candidates) = 0;
  std::uint32_t step() const noexcept { return step_; }
  /// As many as the first-in-first-out run took.
  std::uint32_t steps() const noexcept { return steps_; }
  splitmix64& random() noexcept { return random_; }

 private:
  bool in_tail() const noexcept { return step_ >= fair_from_; }

  splitmix64 random_;
  splitmix64 others_;
  disturbance cancels_;
  disturbance faults_;
  disturbance lates_;
  choice_kind still_ = choice_kind::ready;
  std::uint32_t steps_;
  std::uint32_t fair_from_;
  std::uint32_t step_ = 0;
};

class uniform final : public exploring_source {
 public:
  using exploring_source::exploring_source;

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    return random().below(static_cast<std::uint32_t>(candidates.size()));
  }
};

class random_walk final : public exploring_source {
 public:
  random_walk(std::uint64_t seed, const run_shape& shape)
      : exploring_source(seed, shape), left_(shape.turns) {}

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    std::uint32_t total = 0;
    for (const candidate& one : candidates) total += left(one.task);
    std::uint32_t drawn = random().below(total);
    for (std::uint32_t i = 0; i < candidates.size(); ++i) {
      const std::uint32_t weight = left(candidates[i].task);
      if (drawn >= weight) {
        drawn -= weight;
        continue;
      }
      if (candidates[i].task < left_.size() && left_[candidates[i].task] > 1) --left_[candidates[i].task];
      return i;
    }
    return 0;
  }
  std::uint32_t left(std::uint32_t task) const noexcept {
    return task < left_.size() ? std::max<std::uint32_t>(left_[task], 1) : 1;
  }

  std::vector<std::uint32_t> left_;  // turns of each task
};

// Priorities by chain, drawn when a chain is first seen.
class priorities {
 public:
  std::uint64_t& of(std::uint32_t chain, splitmix64& random) {
    if (chain >= drawn_.size()) drawn_.resize(chain + 1, 0);
    if (drawn_[chain] == 0) redraw(chain, random);
    return drawn_[chain];
  }
  void redraw(std::uint32_t chain, splitmix64& random) { drawn_[chain] = (random.next() | top); }
  void redraw_all() { std::fill(drawn_.begin(), drawn_.end(), 0); }
  /// Below every drawn one, and below those that were lowered before.
  void lower(std::uint32_t chain) { drawn_[chain] = --lowest_; }

  std::uint32_t highest(std::span<const candidate> candidates, splitmix64& random) {
    std::uint32_t best = 0;
    for (std::uint32_t i = 1; i < candidates.size(); ++i) {
      if (of(candidates[i].chain, random) > of(candidates[best].chain, random)) best = i;
    }
    return best;
  }

 private:
  static constexpr std::uint64_t top = std::uint64_t{1} << 63U;
  std::vector<std::uint64_t> drawn_;
  std::uint64_t lowest_ = top;
};

class pct final : public exploring_source {
 public:
  pct(std::uint64_t seed, const run_shape& shape, std::uint32_t depth) : exploring_source(seed, shape) {
    for (std::uint32_t i = 1; i < depth; ++i) changes_.push_back(1 + random().below(steps()));
  }

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    std::uint32_t best = chains_.highest(candidates, random());
    for (const std::uint32_t change : changes_) {
      if (change != step()) continue;
      chains_.of(candidates[best].chain, random());
      chains_.lower(candidates[best].chain);
      best = chains_.highest(candidates, random());
    }
    return best;
  }

  std::vector<std::uint32_t> changes_;
  priorities chains_;
};

class pct_fair final : public exploring_source {
 public:
  pct_fair(std::uint64_t seed, const run_shape& shape)
      : exploring_source(seed, shape),
        period_(std::max<std::uint32_t>(steps() / (2 + random().below(7)), 4)) {}

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    if (step() % period_ == 0) chains_.redraw_all();
    return chains_.highest(candidates, random());
  }

  std::uint32_t period_;
  priorities chains_;
};

class pos final : public exploring_source {
 public:
  using exploring_source::exploring_source;

 private:
  // A chain has one event at a time, so a draw per chain that ends with its turn is a draw per event.
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    const std::uint32_t best = events_.highest(candidates, random());
    events_.of(candidates[best].chain, random());
    events_.redraw(candidates[best].chain, random());
    return best;
  }

  priorities events_;
};

class delay_bounded final : public exploring_source {
 public:
  delay_bounded(std::uint64_t seed, const run_shape& shape) : exploring_source(seed, shape) {
    const std::uint32_t delays = 1 + random().below(3);
    for (std::uint32_t i = 0; i < delays; ++i) delays_.push_back(1 + random().below(steps()));
  }

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    const auto delays = std::count(delays_.begin(), delays_.end(), step());
    return std::min(static_cast<std::uint32_t>(delays), static_cast<std::uint32_t>(candidates.size() - 1));
  }

  std::vector<std::uint32_t> delays_;
};

class sticky final : public exploring_source {
 public:
  sticky(std::uint64_t seed, const run_shape& shape) : exploring_source(seed, shape) {
    one_in_ = std::array{3U, 6U, 12U}[random().below(3)];
  }

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    if (random().below(one_in_) != 0) return 0;
    return random().below(static_cast<std::uint32_t>(candidates.size()));
  }

  std::uint32_t one_in_ = 0;
};

class lifo final : public exploring_source {
 public:
  using exploring_source::exploring_source;

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    return static_cast<std::uint32_t>(candidates.size() - 1);
  }
};

class starve_one final : public exploring_source {
 public:
  starve_one(std::uint64_t seed, const run_shape& shape) : exploring_source(seed, shape) {
    by_task_ = random().below(2) == 0;
    const std::size_t count = by_task_ ? shape.turns.size() : shape.chains + std::size_t{1};
    starved_ = random().below(static_cast<std::uint32_t>(std::max<std::size_t>(count, 1)));
    permuted_ = random().below(2) == 0;
  }

 private:
  std::uint32_t schedule(std::span<const candidate> candidates) override {
    others_.clear();
    for (std::uint32_t i = 0; i < candidates.size(); ++i) {
      if ((by_task_ ? candidates[i].task : candidates[i].chain) != starved_) others_.push_back(i);
    }
    if (others_.empty()) return 0;
    return permuted_ ? others_[random().below(static_cast<std::uint32_t>(others_.size()))] : others_.front();
  }

  bool by_task_ = false;
  std::uint32_t starved_ = 0;
  bool permuted_ = false;
  std::vector<std::uint32_t> others_;
};

template <class Source>
std::unique_ptr<choice_source> make(std::uint64_t seed, const run_shape& shape) {
  return std::make_unique<Source>(seed, shape);
}
template <std::uint32_t Depth>
std::unique_ptr<choice_source> make_pct(std::uint64_t seed, const run_shape& shape) {
  return std::make_unique<pct>(seed, shape, Depth);
}

constexpr std::array all = {
    strategy{"random", &make<uniform>},
    strategy{"random_walk", &make<random_walk>},
    strategy{"pct2", &make_pct<2>},
    strategy{"pct3", &make_pct<3>},
    strategy{"pct_fair", &make<pct_fair>},
    strategy{"pos", &make<pos>},
    strategy{"delay_bounded", &make<delay_bounded>},
    strategy{"sticky", &make<sticky>},
    strategy{"lifo", &make<lifo>},
    strategy{"starve_one", &make<starve_one>},
};

}  // namespace

std::uint32_t run_shape::steps() const noexcept {
  return asked[static_cast<std::size_t>(choice_kind::ready)] +
         asked[static_cast<std::size_t>(choice_kind::timer)];
}

std::uint32_t run_shape::fair_from() const noexcept { return 4 * std::max(steps(), shortest_run) + 400; }

void run_shape::count(std::span<const choice> made) noexcept {
  for (const choice& one : made) {
    ++asked[static_cast<std::size_t>(one.kind)];
    if (one.kind == choice_kind::ready || one.kind == choice_kind::timer) width = std::max(width, one.arity);
  }
}

std::span<const strategy> strategies() noexcept { return all; }

const strategy* find_strategy(std::string_view name) noexcept {
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const strategy& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// Fitted to the planted bugs (`assay bugs`), so that none takes over three times as long as with the strategy that finds
// it soonest: at first those that find many bugs at once, then those that find few others at all. After these the latter
// part comes again and again; but enumeration soon stays among the last choices of a long trial, so walks take its turns.
std::string_view portfolio::name_of(std::uint64_t number) noexcept {
  constexpr std::array<std::string_view, 80> names = {
      "lifo",          "random_walk",   "pct3",          "pos",           "random_walk", "pct_fair",
      "pct2",          "sticky",        "pct2",          "random_walk",   "random_walk", "pos",
      "random_walk",   "delay_bounded", "pct_fair",      "delay_bounded", "pct2",        "pct2",
      "sticky",        "delay_bounded", "pct2",          "sticky",        "pct2",        "delay_bounded",
      "pct2",          "pct2",          "delay_bounded", "random_walk",   "random_walk", "pos",
      "sticky",        "pct2",          "pct2",          "pct3",          "pct3",        "random_walk",
      "pos",           "pct2",          "dfs",           "pct_fair",      "dfs",         "starve_one",
      "dfs",           "pct3",          "starve_one",    "pos",           "pos",         "pct3",
      "pct3",          "pct_fair",      "pct_fair",      "dfs",           "pos",         "dfs",
      "delay_bounded", "lifo",          "lifo",          "random",        "pct2",        "pct3",
      "lifo",          "dfs",           "pct_fair",      "delay_bounded", "pct2",        "pct3",
      "starve_one",    "lifo",          "dfs",           "random",        "starve_one",  "dfs",
      "pct_fair",      "pct3",          "pct_fair",      "pos",           "pos",         "random",
      "random",        "delay_bounded"};
  constexpr std::uint64_t once = 32;         // come at the beginning only
  constexpr std::uint64_t enumerated = 112;  // the trials before
  const std::string_view name =
      names[number < once ? number : once + (number - once) % (names.size() - once)];
  if (name != "dfs" || number < enumerated) return name;
  return number % 2 == 0 ? "random_walk" : "pos";
}

choice_source& portfolio::next() {
  name_ = name_of(number_);
  if (name_ == "dfs" && covered_) name_ = "random";
  if (name_ == "dfs") {
    source_.reset();
    ++number_;
    return depth_first_.next();
  }
  source_ = find_strategy(name_)->make(trial_seed(seed_, number_), shape_);
  ++number_;
  return *source_;
}

void portfolio::finish() {
  if (name_ == "dfs") covered_ = !depth_first_.finish();
}

double pct_bound(const run_shape& shape, std::uint32_t depth, std::uint64_t trials) noexcept {
  const double width = std::max<std::uint32_t>(shape.width, 1);
  const double steps = std::max<std::uint32_t>(shape.steps(), 1);
  const double once = 1 / (width * width * std::pow(steps, static_cast<double>(depth) - 1));
  return -std::expm1(static_cast<double>(trials) * std::log1p(-std::min(once, 1.0)));
}

}  // namespace assay
