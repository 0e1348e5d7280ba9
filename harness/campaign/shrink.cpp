#include <assay/harness/campaign/shrink.hpp>

#include <algorithm>
#include <utility>

namespace assay {

namespace {

// What a message says without the numbers in it, up to the first colon: two trials that differ only in ids
// and times fail in the same way.
std::string gist(const std::string& message) {
  std::string text;
  for (const char c : message) {
    if (c == ':') break;
    if (c < '0' || c > '9') text += c;
  }
  return text;
}

class shrinker {
 public:
  using runner = std::function<std::optional<std::vector<choice>>(std::vector<std::uint32_t>)>;
  shrinker(std::vector<choice> failing, std::uint32_t trials_max, const runner& again)
      : best_(std::move(failing)), left_(trials_max), trials_max_(trials_max), again_(again) {}

  shrunk run() {
    keep_prefix();
    bool smaller = true;
    while (smaller && left_ > 0) {
      smaller = drop_steps();
      if (drop_deviations()) smaller = true;
      if (lower_answers()) smaller = true;
      if (!smaller) smaller = shift() || single();
    }
    return {std::move(best_), trials_max_ - left_};
  }

 private:
  static std::vector<std::uint32_t> answers_of(const std::vector<choice>& made) {
    std::vector<std::uint32_t> answers;
    answers.reserve(made.size());
    for (const choice& one : made) answers.push_back(one.chosen);
    return answers;
  }
  static std::size_t deviations(const std::vector<choice>& made) {
    return static_cast<std::size_t>(
        std::count_if(made.begin(), made.end(), [](const choice& one) { return one.chosen != 0; }));
  }
  static std::uint64_t weight(const std::vector<choice>& made) {
    std::uint64_t sum = 0;
    for (const choice& one : made) sum += one.chosen;
    return sum;
  }

  // Runs a candidate; keeps it if it fails alike and is smaller.
  bool accept(std::vector<std::uint32_t> answers) {
    if (left_ == 0) return false;
    --left_;
    std::optional<std::vector<choice>> made = again_(std::move(answers));
    if (!made) return false;
    const auto size = std::pair(deviations(*made), weight(*made));
    if (size >= std::pair(deviations(best_), weight(best_))) return false;
    best_ = std::move(*made);
    return true;
  }

  // The fewest first deviations after which first-in-first-out still fails, by bisection (failure need not be
  // monotone in their number, so this is a start, not a promise).
  void keep_prefix() {
    std::size_t low = 0;
    std::size_t high = deviations(best_);
    while (low < high && left_ > 0) {
      const std::size_t middle = low + (high - low) / 2;
      std::vector<std::uint32_t> answers = answers_of(best_);
      answers.resize(deviating_steps()[middle]);
      if (accept(std::move(answers))) {
        high = std::min(middle, deviations(best_));
      } else {
        low = middle + 1;
      }
    }
  }

  std::vector<std::size_t> deviating_steps() const {
    std::vector<std::size_t> steps;
    for (std::size_t i = 0; i < best_.size(); ++i) {
      if (best_[i].chosen != 0) steps.push_back(i);
    }
    return steps;
  }

  // Where the steps of a random program may lie: choices of one kind, whose arities repeat with every step.
  struct steps {
    std::size_t first;    // the first step's first answer
    std::size_t end;      // behind the program's last answer
    std::size_t answers;  // of one step
  };

  // The programs of a trial, once for each size of a step that their choices allow. A step is a verb and its arguments,
  // and an argument of one value is not asked for (see program.hpp). Before the first there may be the program's shape and
  // how often it is repeated, and behind the last the answer that there is no more.
  std::vector<steps> find_steps() const {
    std::vector<steps> found;
    std::size_t begin = 0;
    while (begin < best_.size()) {
      std::size_t end = begin;
      while (end < best_.size() && best_[end].kind == choice_kind::program) ++end;
      for (const std::size_t answers : {3U, 2U, 1U}) {
        for (const std::size_t first : {begin, begin + 1, begin + 2}) {
          if (first + answers <= end && repeats(first, end, answers)) found.push_back({first, end, answers});
        }
      }
      begin = end + 1;
    }
    return found;
  }
  bool repeats(std::size_t first, std::size_t end, std::size_t answers) const {
    for (std::size_t i = first; i + answers < end; ++i) {
      if (best_[i].arity != best_[i + answers].arity) return false;
    }
    return true;
  }

  // Takes whole steps out of random programs, many at once first.
  bool drop_steps() {
    bool any = false;
    for (std::size_t count = 8; count > 0 && left_ > 0; count /= 2) {
      for (std::size_t which = 0; which < find_steps().size() && left_ > 0; ++which)
        if (drop_steps(which, count)) any = true;
    }
    return any;
  }
  bool drop_steps(std::size_t which, std::size_t count) {
    bool any = false;
    std::size_t step = 0;
    while (left_ > 0) {
      const std::vector<steps> all = find_steps();
      if (which >= all.size()) break;
      const steps& here = all[which];
      const std::size_t begin = here.first + step * here.answers;
      const std::size_t end = begin + count * here.answers;
      if (end > here.end) break;
      const auto place = [](std::vector<std::uint32_t>& answers, std::size_t at) {
        return answers.begin() + static_cast<std::ptrdiff_t>(at);
      };
      std::vector<std::uint32_t> answers = answers_of(best_);
      // A program that was as long as it may be has no answer that there is no more: without it, the answers behind the
      // program would be taken for steps.
      if ((here.end - here.first) % here.answers == 0) answers.insert(place(answers, here.end), 0);
      answers.erase(place(answers, begin), place(answers, end));
      if (accept(std::move(answers))) {
        any = true;
      } else {
        ++step;
      }
    }
    return any;
  }

  // Sets runs of deviations to 0, long runs first.
  bool drop_deviations() {
    bool any = false;
    for (std::size_t size = std::max<std::size_t>(deviations(best_), 1); size > 0 && left_ > 0; size /= 2) {
      std::size_t begin = 0;
      while (left_ > 0) {
        const std::vector<std::size_t> steps = deviating_steps();
        if (begin >= steps.size()) break;
        std::vector<std::uint32_t> answers = answers_of(best_);
        for (std::size_t i = begin; i < std::min(begin + size, steps.size()); ++i) answers[steps[i]] = 0;
        if (accept(std::move(answers))) {
          any = true;
        } else {
          begin += size;
        }
      }
    }
    return any;
  }

  // Takes one deviation out, and moves everything behind it by a place: a run that made one choice less, or more.
  bool shift() {
    bool any = false;
    for (std::size_t i = 0; i < deviating_steps().size() && left_ > 0;) {
      const std::size_t step = deviating_steps()[i];
      const auto at = [step](std::vector<std::uint32_t>& answers) {
        return answers.begin() + static_cast<std::ptrdiff_t>(step);
      };
      std::vector<std::uint32_t> earlier = answers_of(best_);
      earlier.erase(at(earlier));
      std::vector<std::uint32_t> later = answers_of(best_);
      *at(later) = 0;
      later.insert(at(later), 0);
      if (accept(std::move(earlier)) || accept(std::move(later))) {
        any = true;
      } else {
        ++i;
      }
    }
    return any;
  }

  // Whether one deviation anywhere does: what takes several steps to reach by dropping may take one to see.
  bool single() {
    if (deviations(best_) < 2) return false;
    const std::vector<choice> before = best_;
    for (std::size_t step = 0; step < before.size() && left_ > 0; ++step) {
      if (before[step].kind == choice_kind::program) continue;
      for (std::uint32_t answer = 1; answer < std::min(before[step].arity, 8U); ++answer) {
        std::vector<std::uint32_t> answers(step + 1, 0);
        for (std::size_t i = 0; i < step; ++i) {
          if (before[i].kind == choice_kind::program) answers[i] = before[i].chosen;
        }
        answers[step] = answer;
        if (accept(std::move(answers))) return true;
      }
    }
    return false;
  }

  bool lower_answers() {
    bool any = false;
    for (std::size_t i = 0; i < deviating_steps().size() && left_ > 0; ++i) {
      const std::size_t step = deviating_steps()[i];
      for (const std::uint32_t smaller : {1U, best_[step].chosen / 2, best_[step].chosen - 1}) {
        if (step >= best_.size() || smaller == 0 || smaller >= best_[step].chosen) continue;
        std::vector<std::uint32_t> answers = answers_of(best_);
        answers[step] = smaller;
        if (accept(std::move(answers))) {
          any = true;
          break;
        }
      }
    }
    return any;
  }

  std::vector<choice> best_;
  std::uint32_t left_;
  std::uint32_t trials_max_;
  const runner& again_;
};

}  // namespace

bool same_failure(const trial_result& a, const trial_result& b) {
  return a.kind == b.kind && gist(a.message) == gist(b.message);
}

shrunk shrink(std::vector<choice> failing, std::uint32_t trials_max,
              const std::function<std::optional<std::vector<choice>>(std::vector<std::uint32_t>)>& again) {
  return shrinker(std::move(failing), trials_max, again).run();
}

shrunk shrink(const trial_result& failing, std::uint32_t trials_max,
              const std::function<trial_result(choice_source&)>& run) {
  const auto again = [&](std::vector<std::uint32_t> answers) -> std::optional<std::vector<choice>> {
    lenient_source source(std::move(answers));
    trial_result seen = run(source);
    if (!same_failure(seen, failing)) return std::nullopt;
    return std::move(seen.choices);
  };
  return shrink(failing.choices, trials_max, again);
}

}  // namespace assay
