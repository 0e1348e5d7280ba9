#include <assay/harness/campaign/corpus.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <assay/harness/choice/mutation.hpp>
#include <assay/harness/choice/token.hpp>

namespace assay {

namespace {

// Any schedule is taken once in so many times: what a rare one lacks may be easier to add to another.
constexpr std::uint32_t any_one_in = 4;

std::pair<std::size_t, std::uint32_t> size_of(const schedule& plan) noexcept {
  return {plan.deviations.size(), plan.steps};
}

[[noreturn]] void refuse(const std::string& why) {
  throw std::runtime_error("the corpus is damaged: " + why);
}

}  // namespace

corpus::corpus(const corpus_state& state) {
  if (state.schedules.size() != state.features.size() || state.schedules.size() > entries_max)
    refuse("it has " + std::to_string(state.schedules.size()) + " schedules, with features for " +
           std::to_string(state.features.size()));
  if (state.known.size() != state.times.size())
    refuse("it knows " + std::to_string(state.known.size()) + " features, and how often it has seen " +
           std::to_string(state.times.size()));
  for (std::size_t i = 0; i < state.known.size(); ++i) {
    if (state.known[i] >= coverage::buckets) refuse("there is no feature " + std::to_string(state.known[i]));
    known_[state.known[i]].times = state.times[i];
  }
  if (known_.size() != state.known.size()) refuse("it knows a feature twice");
  for (std::size_t i = 0; i < state.schedules.size(); ++i) {
    try {
      entries_.push_back({next_id_++, decode_schedule(state.schedules[i]), state.features[i]});
    } catch (const malformed_token& failure) {
      refuse("schedule " + std::to_string(i + 1) + ": " + failure.what());
    }
    if (state.features[i].empty()) refuse("no feature belongs to schedule " + std::to_string(i + 1));
    for (const std::uint32_t one : state.features[i]) {
      const auto found = known_.find(one);
      if (found == known_.end() || found->second.owner != 0)
        refuse("feature " + std::to_string(one) + " of schedule " + std::to_string(i + 1) +
               " is not known, or another's");
      found->second.owner = entries_.back().id;
    }
  }
}

corpus_state corpus::state() const {
  corpus_state state;
  for (const entry& one : entries_) {
    state.schedules.push_back(encode_schedule(one.plan));
    state.features.push_back(one.features);
    std::sort(state.features.back().begin(), state.features.back().end());
  }
  const std::map<std::uint32_t, known_feature> ascending(known_.begin(), known_.end());
  for (const auto& [which, one] : ascending) {
    state.known.push_back(which);
    state.times.push_back(one.times);
  }
  return state;
}

corpus::entry* corpus::find(std::uint64_t id) noexcept {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), id,
                                      [](const entry& one, std::uint64_t wanted) { return one.id < wanted; });
  return found == entries_.end() || found->id != id ? nullptr : &*found;
}

// What nobody has shown is anybody's; what belonged to one that has gone is nobody's for good.
bool corpus::is_smaller_for(const known_feature& one, size of) noexcept {
  if (one.times == 0) return true;
  const entry* const owner = find(one.owner);
  return owner != nullptr && of < size_of(owner->plan);
}

void corpus::disown(std::uint32_t which, std::uint64_t owner) {
  entry* const before = find(owner);
  if (before == nullptr) return;
  std::erase(before->features, which);
  if (before->features.empty()) entries_.erase(entries_.begin() + (before - entries_.data()));
}

bool corpus::note(std::span<const choice> made, std::span<const coverage::feature> features) {
  std::vector<std::size_t> deviations{0};  // before each step
  for (const choice& one : made) deviations.push_back(deviations.back() + (one.chosen != 0 ? 1 : 0));
  const auto size_until = [&](std::uint32_t step) { return size(deviations[step], step); };

  // Up to the last that is new; if none is, to the last that has been shown by larger ones only.
  std::uint32_t end_of_new = 0;
  std::uint32_t end_of_smaller = 0;
  bool any_new = false;
  bool any_smaller = false;
  for (const coverage::feature& one : features) {
    known_feature& known = known_[one.which];
    if (known.times == 0) {
      any_new = true;
      end_of_new = std::max(end_of_new, one.step);
    } else if (is_smaller_for(known, size_until(one.step))) {
      any_smaller = true;
      end_of_smaller = std::max(end_of_smaller, one.step);
    }
  }
  const std::uint32_t end = any_new ? end_of_new : end_of_smaller;
  entry fresh;
  for (const coverage::feature& one : features) {
    known_feature& known = known_[one.which];
    const bool taken = (any_new || any_smaller) && one.step <= end && is_smaller_for(known, size_until(end));
    if (taken) fresh.features.push_back(one.which);
    if (known.times < std::numeric_limits<std::uint32_t>::max()) ++known.times;
  }
  if (fresh.features.empty()) return false;
  fresh.id = next_id_++;
  fresh.plan = condense(made.first(end));
  for (const std::uint32_t which : fresh.features)
    disown(which, std::exchange(known_[which].owner, fresh.id));
  entries_.push_back(std::move(fresh));
  if (entries_.size() > entries_max) evict();
  return !entries_.empty() && entries_.back().id == next_id_ - 1;
}

void corpus::evict() {
  const auto worth = [this](const entry& one) {
    constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
    return std::tuple(std::numeric_limits<std::uint32_t>::max() - rarest(one),
                      last - one.plan.deviations.size(), last - one.plan.steps, last - one.id);
  };
  const auto worst = std::min_element(entries_.begin(), entries_.end(),
                                      [&](const entry& a, const entry& b) { return worth(a) < worth(b); });
  for (const std::uint32_t which : worst->features) known_[which].owner = 0;
  entries_.erase(worst);
}

std::uint32_t corpus::rarest(const entry& one) const {
  std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
  for (const std::uint32_t which : one.features) least = std::min(least, known_.at(which).times);
  return least;
}

const corpus::entry& corpus::pick(splitmix64& random) const {
  if (random.below(any_one_in) == 0)
    return entries_[random.below(static_cast<std::uint32_t>(entries_.size()))];
  const entry* best = &entries_.front();
  std::uint32_t least = rarest(*best);
  for (const entry& one : entries_) {
    const std::uint32_t times = rarest(one);
    if (times > least) continue;  // of several, the youngest
    best = &one;
    least = times;
  }
  return *best;
}

std::unique_ptr<choice_source> corpus::mutant(std::uint64_t seed, const run_shape& shape) const {
  splitmix64 random(seed);
  const entry& parent = pick(random);
  const entry& other = pick(random);
  return mutate(parent.plan, other.plan, random.next(), shape);
}

}  // namespace assay
