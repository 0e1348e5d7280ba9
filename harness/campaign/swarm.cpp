#include <assay/harness/campaign/swarm.hpp>

namespace assay {

program draw_swarm(choice_stream& choices, const grammar& rules, std::span<const std::uint8_t> verbs) {
  const auto pick = [&choices](std::size_t arity) {
    return static_cast<std::uint8_t>(choices.pick(choice_kind::program, arity));
  };
  const std::uint32_t one_in = std::uint32_t{1} << pick(3);  // all, a half, a quarter
  allowed_verbs some;
  for (const std::uint8_t verb : verbs) {
    const bool is_kept = one_in == 1 || pick(one_in) == 0;
    if (is_kept || some.empty()) some.push_back(verb);
  }
  program drawn;
  drawn.shape = pick(rules.shapes);
  drawn.repeats = pick(rules.repeats.size());
  for (std::size_t left = 1U + pick(rules.steps_max); left > 0; --left) {
    program_step step;
    step.verb = some[pick(some.size())];
    step.a = pick(rules.a_values);
    step.b = pick(rules.b_values);
    drawn.steps.push_back(step);
  }
  return drawn;
}

}  // namespace assay
