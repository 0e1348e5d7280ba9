#include <assay/harness/choice/mutation.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace assay {

namespace {

constexpr std::uint32_t never = std::numeric_limits<std::uint32_t>::max();

// What can stand in for what: who goes first by either kind of order, but no cancel for a fault or a late loop.
choice_kind family_of(choice_kind kind) noexcept {
  return kind == choice_kind::cancel || kind == choice_kind::fault || kind == choice_kind::late ||
                 kind == choice_kind::program
             ? kind
             : choice_kind::ready;
}

struct planned {
  std::uint32_t step = 0;  // not before this choice
  choice_kind family{};
  std::uint32_t answer = 1;
};

struct plan {
  std::vector<planned> deviations;  // by step
  std::uint32_t random_from = never;
  std::uint32_t steps = 0;  // of the run that it was made from
};

class mutant_source final : public choice_source {
 public:
  mutant_source(plan todo, std::uint64_t seed, const run_shape& shape)
      : todo_(std::move(todo)), random_(seed), fair_from_(shape.fair_from()) {
    constexpr std::uint32_t shares[] = {1, 2, 4};
    deviates_one_in_ = shares[random_.below(3)];
    disturbs_ = random_.below(4) == 0;
  }

  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override {
    const std::uint32_t step = step_++;
    const choice_kind family = family_of(kind);
    for (auto one = todo_.deviations.begin(); one != todo_.deviations.end() && one->step <= step; ++one) {
      if (one->family != family) continue;
      const std::uint32_t answer = one->answer;
      todo_.deviations.erase(one);
      return answer < arity ? answer : 1 + (answer - 1) % (arity - 1);
    }
    if (step < todo_.random_from || step >= fair_from_) return 0;
    if (family == choice_kind::program) return random_.below(arity);
    if (family != choice_kind::ready)
      return disturbs_ && random_.below(12) == 0 ? 1 + random_.below(arity - 1) : 0;
    return random_.below(deviates_one_in_) == 0 ? random_.below(arity) : 0;
  }

 private:
  plan todo_;
  splitmix64 random_;
  std::uint32_t fair_from_;  // as the strategies' own: what is not at rest then is not because it was starved
  std::uint32_t deviates_one_in_ = 1;
  bool disturbs_ = false;
  std::uint32_t step_ = 0;
};

class mutator {
 public:
  mutator(const schedule& parent, const schedule& other, std::uint64_t seed, const run_shape& shape)
      : other_(other), shape_(shape), random_(seed) {
    todo_.deviations = planned_of(parent);
    todo_.steps = parent.steps;
  }

  plan run() {
    if (random_.below(2) == 0) todo_.random_from = todo_.steps;
    const std::uint32_t least = todo_.random_from == never ? 1 : 0;
    const std::uint32_t count = least + random_.below(4);
    for (std::uint32_t i = 0; i < count; ++i) once();
    sort();
    return std::move(todo_);
  }

 private:
  // By step, those of one step as they came; there are few.
  void sort() {
    std::vector<planned> sorted;
    sorted.reserve(todo_.deviations.size());
    for (const planned& one : todo_.deviations) {
      const auto behind =
          std::upper_bound(sorted.begin(), sorted.end(), one.step,
                           [](std::uint32_t step, const planned& other) { return step < other.step; });
      sorted.insert(behind, one);
    }
    todo_.deviations = std::move(sorted);
  }
  static std::vector<planned> planned_of(const schedule& from) {
    std::vector<planned> all;
    for (const schedule::deviation& one : from.deviations)
      all.push_back({one.step, family_of(one.made.kind), one.made.chosen});
    return all;
  }

  void once() {
    switch (random_.below(8)) {
      case 0:
        return set_some(1);
      case 1:
        return set_some(2 + random_.below(8));
      case 2:
        return drop();
      case 3:
        return change();
      case 4:
        return shift();
      case 5:
        return splice();
      case 6:
        return cut();
      default:
        return disturb();
    }
  }

  std::uint32_t any_step() { return random_.below(todo_.steps + 4); }  // or shortly behind the end
  // Somebody further behind is rarely what it takes.
  std::uint32_t any_answer() { return random_.below(4) != 0 ? 1 : 1 + random_.below(7); }

  void set_some(std::uint32_t count) {
    const std::uint32_t step = any_step();
    const std::uint32_t answer = any_answer();
    for (std::uint32_t i = 0; i < count; ++i)
      todo_.deviations.push_back({step + i, choice_kind::ready, answer});
  }

  template <class Which>
  planned* any_deviation(Which&& which) {
    std::vector<planned*> all;
    for (planned& one : todo_.deviations) {
      if (which(one)) all.push_back(&one);
    }
    return all.empty() ? nullptr : all[random_.below(static_cast<std::uint32_t>(all.size()))];
  }

  static bool disturbing(const planned& one) noexcept {
    return one.family == choice_kind::cancel || one.family == choice_kind::fault ||
           one.family == choice_kind::late;
  }
  // Of a random program nothing is taken away: it would be another one, of which nothing is known.
  static bool changeable(const planned& one) noexcept { return one.family != choice_kind::program; }

  static void move(planned& one, std::uint32_t by, bool later) noexcept {
    one.step = later ? one.step + by : one.step - std::min(one.step, by);
  }
  void drop_from(std::uint32_t step) {
    std::erase_if(todo_.deviations,
                  [step](const planned& one) { return one.step >= step && changeable(one); });
  }

  void drop() {
    const planned* const one = any_deviation(changeable);
    if (one == nullptr) return set_some(1);
    todo_.deviations.erase(todo_.deviations.begin() + (one - todo_.deviations.data()));
  }

  void change() {
    planned* const one = any_deviation(changeable);
    if (one == nullptr) return set_some(1);
    one->answer = any_answer();
  }

  void shift() {
    const std::uint32_t from = any_step();
    const std::uint32_t by = 1 + random_.below(3);
    const bool later = random_.below(2) == 0;
    for (planned& one : todo_.deviations) {
      if (one.step >= from && changeable(one)) move(one, by, later);
    }
  }

  // This one's beginning and the other's end.
  void splice() {
    const std::uint32_t at = any_step();
    drop_from(at);
    for (const planned& one : planned_of(other_)) {
      if (one.step >= at && changeable(one)) todo_.deviations.push_back(one);
    }
    todo_.steps = std::max(todo_.steps, other_.steps);
  }

  void cut() {
    const std::uint32_t at = any_step();
    drop_from(at);
    todo_.random_from = at;
  }

  void disturb() {
    if (planned* const one = any_deviation(disturbing)) {
      const std::uint32_t by = 1 + random_.below(4);
      return move(*one, by, random_.below(2) == 0);
    }
    std::vector<choice_kind> offered;
    for (const choice_kind kind : {choice_kind::cancel, choice_kind::fault, choice_kind::late}) {
      if (shape_.asked[static_cast<std::size_t>(kind)] > 0) offered.push_back(kind);
    }
    if (offered.empty()) return cut();
    const choice_kind kind = offered[random_.below(static_cast<std::uint32_t>(offered.size()))];
    todo_.deviations.push_back({any_step(), kind, any_answer()});
  }

  plan todo_;
  const schedule& other_;
  const run_shape& shape_;
  splitmix64 random_;
};

}  // namespace

std::unique_ptr<choice_source> mutate(const schedule& parent, const schedule& other, std::uint64_t seed,
                                      const run_shape& shape) {
  splitmix64 seeds(seed);
  const std::uint64_t changes = seeds.next();
  const std::uint64_t answers = seeds.next();
  return std::make_unique<mutant_source>(mutator(parent, other, changes, shape).run(), answers, shape);
}

}  // namespace assay
