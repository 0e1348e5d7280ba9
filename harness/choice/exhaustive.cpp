#include <assay/harness/choice/exhaustive.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace assay {

namespace {

bool have_nothing_in_common(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  auto in_a = a.begin();
  auto in_b = b.begin();
  while (in_a != a.end() && in_b != b.end()) {
    if (*in_a == *in_b) return false;
    *in_a < *in_b ? ++in_a : ++in_b;
  }
  return true;
}

}  // namespace

void exhaustive::source::begin() {
  depth_ = 0;
  open_ = none;
  asleep_.clear();
  redundant_ = false;
}

// Moves on to the node's next answer that is worth a trial.
bool exhaustive::source::next_answer(node& last) {
  while (++last.chosen < last.arity) {
    if (last.chains.empty()) return true;
    const std::uint32_t chain = last.chains[last.chosen];
    if (!last.asleep.contains(chain) && !last.explored.contains(chain)) return true;
  }
  return false;
}

bool exhaustive::source::backtrack() {
  path_.resize(std::min(path_.size(), depth_));
  while (!path_.empty() && !next_answer(path_.back())) path_.pop_back();
  return !path_.empty();
}

std::uint32_t exhaustive::source::branch(node fresh) {
  path_.push_back(std::move(fresh));
  return path_[depth_++].chosen;
}

std::uint32_t exhaustive::source::choose(choice_kind kind, std::uint32_t arity) {
  if (kind == choice_kind::timer) return 0;
  // A cancel between two turns makes their order matter, and so does the place where none was made.
  if (kind == choice_kind::cancel) asleep_.clear();
  if (on_path()) return path_[depth_++].chosen;
  if (redundant_) return 0;
  node fresh;
  fresh.arity = arity;
  return branch(std::move(fresh));
}

std::uint32_t exhaustive::source::choose_among(choice_kind kind, std::span<const candidate> candidates) {
  if (kind == choice_kind::timer) return 0;
  // Most of a trial goes over what was branched before.
  if (on_path()) {
    open_ = depth_;
    return path_[depth_++].chosen;
  }
  std::uint32_t awake = 0;
  while (awake < candidates.size() && asleep_.contains(candidates[awake].chain)) ++awake;
  if (awake == candidates.size()) {
    redundant_ = true;
    awake = 0;
  }
  if (redundant_) {
    open_ = none;
    return awake;
  }
  open_ = depth_;
  node fresh;
  fresh.arity = static_cast<std::uint32_t>(candidates.size());
  fresh.chosen = awake;
  for (const candidate& one : candidates) fresh.chains.push_back(one.chain);
  fresh.asleep = asleep_;
  return branch(std::move(fresh));
}

void exhaustive::source::turn_ran(std::uint32_t chain, std::span<const std::uint64_t> touched,
                                  bool complete) {
  const std::size_t at = std::exchange(open_, none);
  if (asleep_.contains(chain)) redundant_ = true;  // it was the only candidate
  if (!complete) {
    asleep_.clear();
    return;
  }
  footprint seen(touched.begin(), touched.end());
  std::sort(seen.begin(), seen.end());
  if (at < path_.size()) {
    // Those that were chosen here before are covered; what a turn touches may depend on choices within it.
    asleep_.insert(path_[at].explored.begin(), path_[at].explored.end());
    footprint& known = path_[at].explored[chain];
    footprint both;
    std::set_union(known.begin(), known.end(), seen.begin(), seen.end(), std::back_inserter(both));
    known = std::move(both);
  }
  asleep_.erase(chain);
  std::erase_if(asleep_, [&](const auto& one) { return !have_nothing_in_common(one.second, seen); });
}

}  // namespace assay
