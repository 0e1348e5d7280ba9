#include <assay/harness/trial/program.hpp>

#include <algorithm>

namespace assay {

program draw(choice_stream& choices, const grammar& rules) {
  program result;
  const auto pick = [&choices](std::size_t arity) {
    return static_cast<std::uint8_t>(choices.pick(choice_kind::program, arity));
  };
  result.shape = pick(rules.shapes);
  while (result.steps.size() < rules.steps_max) {
    // Verb 0 of this choice is "no more": so the first answers give the empty program, and shrinking to zeros ends it.
    const std::uint8_t verb = pick(rules.verbs.size() + 1);
    if (verb == 0) break;
    program_step step;
    step.verb = static_cast<std::uint8_t>(verb - 1);
    step.a = pick(rules.a_values);
    step.b = pick(rules.b_values);
    result.steps.push_back(step);
  }
  return result;
}

std::vector<std::uint32_t> answers_for(const program& wanted, const grammar& rules) {
  std::vector<std::uint32_t> answers;
  const auto put = [&answers](std::uint32_t value, std::size_t arity) {
    // A choice of one is no choice, and is not asked.
    if (arity > 1) answers.push_back(std::min(value, static_cast<std::uint32_t>(arity - 1)));
  };
  put(wanted.shape, rules.shapes);
  const std::size_t count = std::min<std::size_t>(wanted.steps.size(), rules.steps_max);
  for (std::size_t i = 0; i < count; ++i) {
    put(wanted.steps[i].verb + 1U, rules.verbs.size() + 1);
    put(wanted.steps[i].a, rules.a_values);
    put(wanted.steps[i].b, rules.b_values);
  }
  if (count < rules.steps_max) put(0, rules.verbs.size() + 1);
  return answers;
}

std::string to_text(const program& what, const grammar& rules) {
  std::string text = "shape " + std::to_string(what.shape) + ":";
  for (const program_step& step : what.steps) {
    const std::string verb = step.verb < rules.verbs.size() ? rules.verbs[step.verb] : "?";
    text += " " + verb + " " + std::to_string(step.a) + " " + std::to_string(step.b) + ";";
  }
  return text;
}

std::uint32_t program_source::choose(choice_kind kind, std::uint32_t arity) {
  if (kind == choice_kind::program && next_ < answers_.size()) return std::min(answers_[next_++], arity - 1);
  return rest_->choose(kind, arity);
}

}  // namespace assay
