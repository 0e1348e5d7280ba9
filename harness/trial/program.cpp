#include <assay/harness/trial/program.hpp>

#include <algorithm>

namespace assay {

allowed_verbs allowed(const grammar& rules, const std::function<bool(std::string_view)>& claims) {
  allowed_verbs all;
  for (std::size_t verb = 0; verb < rules.verbs.size(); ++verb) {
    const std::string& feature = rules.verbs[verb].feature;
    if (feature.empty() || claims(feature)) all.push_back(static_cast<std::uint8_t>(verb));
  }
  return all;
}

program draw(choice_stream& choices, const grammar& rules, std::span<const std::uint8_t> verbs) {
  program result;
  const auto pick = [&choices](std::size_t arity) {
    return static_cast<std::uint8_t>(choices.pick(choice_kind::program, arity));
  };
  result.shape = pick(rules.shapes);
  result.repeats = pick(rules.repeats.size());
  while (result.steps.size() < rules.steps_max) {
    // Answer 0 of this choice is "no more": so the first answers give the empty program, and shrinking to zeros ends it.
    const std::uint8_t verb = pick(verbs.size() + 1);
    if (verb == 0) break;
    program_step step;
    step.verb = verbs[verb - 1U];
    step.a = pick(rules.a_values);
    step.b = pick(rules.b_values);
    result.steps.push_back(step);
  }
  return result;
}

std::vector<program_step> unrolled(const program& drawn, const grammar& rules) {
  std::vector<program_step> all;
  const std::uint32_t rounds = drawn.repeats < rules.repeats.size() ? rules.repeats[drawn.repeats] : 1;
  all.reserve(drawn.steps.size() * rounds);
  for (std::uint32_t round = 0; round < rounds; ++round)
    all.insert(all.end(), drawn.steps.begin(), drawn.steps.end());
  return all;
}

std::vector<program_step> repeated(const program& drawn, const grammar& rules, std::uint32_t rounds) {
  std::vector<program_step> all;
  all.reserve(drawn.steps.size() * rounds);
  for (std::uint32_t round = 0; round < rounds; ++round) {
    for (program_step step : drawn.steps) {
      if (step.verb < rules.verbs.size() && rules.verbs[step.verb].name == cancel_verb)
        step.a = static_cast<std::uint8_t>(round);
      all.push_back(step);
    }
  }
  return all;
}

std::vector<program> growth_rounds(const grammar& rules, std::span<const std::uint8_t> verbs) {
  const auto step_of = [&](std::string_view name) {
    std::vector<program_step> found;
    for (const std::uint8_t verb : verbs) {
      if (rules.verbs[verb].name == name) found.push_back({verb, 0, 0});
    }
    return found;
  };
  const std::vector<program_step> cancel = step_of(cancel_verb);
  const std::vector<program_step> settle = step_of(settle_verb);
  std::vector<program_step> advance = step_of(advance_verb);
  for (program_step& step : advance)
    step.a = static_cast<std::uint8_t>(rules.a_values - 1);  // as far as it goes
  std::vector<program> all;
  const auto add = [&](std::vector<program_step> round, const std::vector<program_step>& then) {
    round.insert(round.end(), settle.begin(), settle.end());
    if (!then.empty()) {  // what is cancelled has begun
      round.insert(round.end(), then.begin(), then.end());
      round.insert(round.end(), settle.begin(), settle.end());
    }
    all.push_back({.steps = std::move(round)});
  };
  for (const std::uint8_t verb : verbs) {
    const std::string& name = rules.verbs[verb].name;
    if (name == cancel_verb || name == settle_verb || name == advance_verb) continue;
    const program_step step{verb, 0, 0};
    if (!cancel.empty()) add({step}, cancel);
    if (!advance.empty() || cancel.empty()) add({step}, advance);
    if (verb != verbs.front()) add({{verbs.front(), 0, 0}, step}, {});
  }
  return all;
}

std::string verbs_of(const program& what, const grammar& rules) {
  std::string text;
  for (const program_step& step : what.steps) {
    const std::string name = step.verb < rules.verbs.size() ? rules.verbs[step.verb].name : "?";
    if (name == settle_verb) continue;
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::vector<std::uint32_t> answers_for(const program& wanted, const grammar& rules,
                                       std::span<const std::uint8_t> verbs) {
  std::vector<std::uint32_t> answers;
  const auto put = [&answers](std::uint32_t value, std::size_t arity) {
    // A choice of one is no choice, and is not asked.
    if (arity > 1) answers.push_back(std::min(value, static_cast<std::uint32_t>(arity - 1)));
  };
  put(wanted.shape, rules.shapes);
  put(wanted.repeats, rules.repeats.size());
  std::size_t count = 0;
  for (const program_step& step : wanted.steps) {
    const auto verb = std::find(verbs.begin(), verbs.end(), step.verb);
    if (verb == verbs.end() || count == rules.steps_max) continue;
    put(static_cast<std::uint32_t>(verb - verbs.begin()) + 1U, verbs.size() + 1);
    put(step.a, rules.a_values);
    put(step.b, rules.b_values);
    ++count;
  }
  if (count < rules.steps_max) put(0, verbs.size() + 1);
  return answers;
}

std::string to_text(const program& what, const grammar& rules) {
  std::string text = "shape " + std::to_string(what.shape);
  const std::uint32_t times = what.repeats < rules.repeats.size() ? rules.repeats[what.repeats] : 1;
  if (times > 1) text += ", " + std::to_string(times) + " times";
  text += ":";
  for (const program_step& step : what.steps) {
    const std::string verb = step.verb < rules.verbs.size() ? rules.verbs[step.verb].name : "?";
    text += " " + verb + " " + std::to_string(step.a) + " " + std::to_string(step.b) + ";";
  }
  return text;
}

std::uint32_t program_source::choose(choice_kind kind, std::uint32_t arity) {
  if (kind == choice_kind::program && next_ < answers_.size()) return std::min(answers_[next_++], arity - 1);
  return rest_->choose(kind, arity);
}

}  // namespace assay
