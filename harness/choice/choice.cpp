#include <assay/harness/choice/choice.hpp>

#include <algorithm>

#include <assay/harness/choice/fnv.hpp>

namespace assay {

namespace {

// FNV-1a over the kind and the arity of each choice: what a run asked, whatever was answered.
std::uint32_t mix_shape(std::uint32_t hash, choice_kind kind, std::uint32_t arity) noexcept {
  return fnv::mix32(fnv::mix32(hash, static_cast<std::uint32_t>(kind)), arity);
}

}  // namespace

std::string_view to_string(choice_kind kind) noexcept {
  switch (kind) {
    case choice_kind::ready:
      return "ready";
    case choice_kind::timer:
      return "timer";
    case choice_kind::cancel:
      return "cancel";
    case choice_kind::fault:
      return "fault";
    case choice_kind::stream:
      return "stream";
    case choice_kind::program:
      return "program";
    case choice_kind::user:
      return "user";
    case choice_kind::late:
      return "late";
  }
  return "unknown";
}

std::uint64_t splitmix64::next() noexcept {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::uint32_t splitmix64::below(std::uint32_t bound) noexcept {
  // Multiply-shift; the bias is below 2^-32 and the same everywhere.
  return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
}

std::uint32_t random_source::choose(choice_kind kind, std::uint32_t arity) {
  switch (kind) {
    case choice_kind::ready:
      return odds_.ready ? random_.below(arity) : 0;
    case choice_kind::cancel:
      return random_.below(odds_.cancel_one_in) == 0 ? 1 : 0;
    case choice_kind::fault:
      return random_.below(odds_.fault_one_in) == 0 ? 1 + random_.below(arity - 1) : 0;
    case choice_kind::late:
      return random_.below(odds_.late_one_in) == 0 ? 1 + random_.below(arity - 1) : 0;
    case choice_kind::timer:
    case choice_kind::stream:
    case choice_kind::program:
    case choice_kind::user:
      return random_.below(arity);
  }
  return 0;
}

std::uint32_t sweep_source::choose(choice_kind kind, std::uint32_t arity) {
  const std::uint32_t index = seen_[static_cast<std::size_t>(kind)]++;
  for (const deviation& planned : plan_) {
    if (planned.kind != kind) continue;
    if (planned.index == index || (planned.persistent && planned.index < index)) {
      return std::min(planned.answer, arity - 1);
    }
  }
  return 0;
}

std::uint32_t lenient_source::choose(choice_kind, std::uint32_t arity) {
  return next_ < answers_.size() ? answers_[next_++] % arity : 0;
}

std::uint32_t byte_source::choose(choice_kind kind, std::uint32_t arity) {
  std::uint32_t value = take();
  if (kind == choice_kind::cancel || kind == choice_kind::fault || kind == choice_kind::late) {
    const std::uint32_t least = kind == choice_kind::late ? 0xc0 : 0xf0;
    return value < least ? 0 : 1 + (value - least) % (arity - 1);
  }
  if (arity > 256) value |= take() << 8U;
  return value % arity;
}

std::uint32_t hash_shape(std::span<const choice> made) noexcept {
  std::uint32_t shape = fnv::basis32;
  for (const choice& one : made) shape = mix_shape(shape, one.kind, one.arity);
  return shape;
}

schedule condense(std::span<const choice> made) {
  schedule result;
  result.steps = static_cast<std::uint32_t>(made.size());
  result.shape = hash_shape(made);
  for (std::uint32_t step = 0; step < made.size(); ++step) {
    if (made[step].chosen != 0) result.deviations.push_back({step, made[step]});
  }
  return result;
}

std::uint32_t replay_source::choose(choice_kind kind, std::uint32_t arity) {
  if (why_ || (cut_ && step_ >= plan_.steps)) return 0;
  const std::uint32_t step = step_++;
  shape_ = mix_shape(shape_, kind, arity);
  if (step >= plan_.steps) {
    why_ = "step " + std::to_string(step) + ": the run asks for a choice (" + std::string(to_string(kind)) +
           " of " + std::to_string(arity) + ") where the token has ended";
    return 0;
  }
  if (next_ == plan_.deviations.size() || plan_.deviations[next_].step != step) return 0;
  const choice& planned = plan_.deviations[next_++].made;
  if (planned.kind != kind || planned.arity != arity) {
    why_ = "step " + std::to_string(step) + ": the token has a choice of " +
           std::string(to_string(planned.kind)) + " of " + std::to_string(planned.arity) +
           ", the run asks for " + std::string(to_string(kind)) + " of " + std::to_string(arity);
    return 0;
  }
  return planned.chosen;
}

std::optional<std::string> replay_source::finish() {
  if (why_) return why_;
  if (step_ < plan_.steps) {
    why_ = "step " + std::to_string(step_) + ": the run ended where the token goes on to step " +
           std::to_string(plan_.steps);
  } else if (shape_ != plan_.shape) {
    const std::uint32_t last = plan_.deviations.empty() ? 0 : plan_.deviations.back().step;
    why_ = "between step " + std::to_string(last) + " and step " + std::to_string(plan_.steps) +
           ": the run asked for other choices than the token's run did";
  }
  return why_;
}

}  // namespace assay
