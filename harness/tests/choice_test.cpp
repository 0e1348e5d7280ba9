// The choice stream's three readings, the token that carries the strict one, and the shrinker.
#include <assay/harness/choice/choice.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <assay/harness/campaign/shrink.hpp>
#include <assay/harness/choice/token.hpp>
#include <assay/harness/tests/temporary_folder.hpp>
#include <assay/harness/trial/program.hpp>

namespace assay {
namespace {

using testing::HasSubstr;

choice_kind kind_of(std::uint32_t number) { return static_cast<choice_kind>(number % choice_kinds); }

// A property inside a GoogleTest test.
template <class Property>
void check(Property&& property) {
  EXPECT_TRUE(rc::check(std::forward<Property>(property)));
}

// A run asks these questions, in order; every answer is recorded.
struct question {
  choice_kind kind;
  std::uint32_t arity;
};
std::vector<choice> ask(choice_source& source, const std::vector<question>& questions) {
  choice_stream stream(source);
  for (const question& one : questions) stream.pick(one.kind, one.arity);
  return {stream.made().begin(), stream.made().end()};
}
std::vector<question> questions_from(const std::vector<std::pair<std::uint8_t, std::uint16_t>>& raw) {
  std::vector<question> questions;
  questions.reserve(raw.size());
  for (const auto& [kind, arity] : raw) questions.push_back({kind_of(kind), 2U + arity});
  return questions;
}

TEST(stream, an_arity_below_two_is_no_choice) {
  random_source source(1, {});
  choice_stream stream(source);
  EXPECT_EQ(stream.pick(choice_kind::ready, 0), 0u);
  EXPECT_EQ(stream.pick(choice_kind::ready, 1), 0u);
  EXPECT_THAT(stream.made(), testing::IsEmpty());
}

class too_large final : public choice_source {
  std::uint32_t choose(choice_kind, std::uint32_t arity) override { return arity + 7; }
};
TEST(stream, an_answer_out_of_range_is_clipped) {
  too_large source;
  choice_stream stream(source);
  EXPECT_EQ(stream.pick(choice_kind::user, 3), 2u);
}

TEST(readings, every_source_answers_within_the_arity) {
  check([](const std::vector<std::pair<std::uint8_t, std::uint16_t>>& raw,
           const std::vector<std::uint8_t>& bytes, const std::vector<std::uint32_t>& answers,
           std::uint64_t seed) {
    const std::vector<question> questions = questions_from(raw);
    random_source random(seed, {});
    byte_source from_bytes(bytes);
    lenient_source lenient(answers);
    for (const question& one : questions) {
      RC_ASSERT(random.choose(one.kind, one.arity) < one.arity);
      RC_ASSERT(from_bytes.choose(one.kind, one.arity) < one.arity);
      RC_ASSERT(lenient.choose(one.kind, one.arity) < one.arity);
    }
  });
}

TEST(readings, the_strict_one_repeats_a_recorded_run_and_so_does_the_lenient_one) {
  check([](const std::vector<std::pair<std::uint8_t, std::uint16_t>>& raw, std::uint64_t seed) {
    const std::vector<question> questions = questions_from(raw);
    random_source random(seed, {});
    const std::vector<choice> made = ask(random, questions);
    replay_source strict(condense(made));
    RC_ASSERT(ask(strict, questions) == made);
    RC_ASSERT(!strict.finish());
    std::vector<std::uint32_t> answers;
    answers.reserve(made.size());
    for (const choice& one : made) answers.push_back(one.chosen);
    lenient_source lenient(answers);
    RC_ASSERT(ask(lenient, questions) == made);
  });
}

TEST(readings, past_the_end_the_lenient_one_and_the_bytes_are_first_in_first_out) {
  lenient_source lenient({9});
  EXPECT_EQ(lenient.choose(choice_kind::ready, 4), 1u);
  EXPECT_EQ(lenient.choose(choice_kind::ready, 4), 0u);
  const std::vector<std::uint8_t> bytes = {0xff};
  byte_source from_bytes(bytes);
  EXPECT_EQ(from_bytes.choose(choice_kind::cancel, 2), 1u);
  EXPECT_EQ(from_bytes.choose(choice_kind::ready, 300), 0u);
  EXPECT_EQ(from_bytes.consumed(), 1u);
}

TEST(readings, the_fuzzers_bytes_take_a_cancel_once_in_sixteen) {
  std::vector<std::uint8_t> bytes(256);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  byte_source source(bytes);
  int taken = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) taken += source.choose(choice_kind::cancel, 2) == 1 ? 1 : 0;
  EXPECT_EQ(taken, 16);
}

TEST(readings, the_fuzzers_bytes_and_chance_make_a_late_loop_of_some_answers_only) {
  std::vector<std::uint8_t> bytes(256);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  byte_source source(bytes);
  random_source random(1, {});
  std::array<int, 4> by_bytes{};
  std::array<int, 4> by_chance{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    ++by_bytes[source.choose(choice_kind::late, 4)];
    ++by_chance[random.choose(choice_kind::late, 4)];
  }
  EXPECT_THAT(by_bytes, testing::ElementsAre(192, 22, 21, 21));
  EXPECT_GT(by_chance[0], 128);
  EXPECT_THAT(by_chance, testing::Each(testing::Gt(0)));
}

// ---- divergence: named with its step

const std::vector<question> three = {
    {choice_kind::ready, 2}, {choice_kind::timer, 3}, {choice_kind::user, 4}};
schedule plan_of_three() {
  lenient_source source({1, 2, 0});
  return condense(ask(source, three));
}
std::string divergence(const std::vector<question>& questions) {
  replay_source source(plan_of_three());
  ask(source, questions);
  return source.finish().value_or("");
}
TEST(divergence, names_the_step_and_what_differs) {
  EXPECT_EQ(divergence(three), "");
  EXPECT_EQ(divergence({{choice_kind::ready, 2}, {choice_kind::ready, 3}, {choice_kind::user, 4}}),
            "step 1: the token has a choice of timer of 3, the run asks for ready of 3");
  EXPECT_EQ(divergence({{choice_kind::ready, 3}}),
            "step 0: the token has a choice of ready of 2, the run asks for ready of 3");
  EXPECT_EQ(divergence({three[0], three[1]}), "step 2: the run ended where the token goes on to step 3");
  EXPECT_EQ(divergence({three[0], three[1], three[2], {choice_kind::fault, 2}}),
            "step 3: the run asks for a choice (fault of 2) where the token has ended");
  EXPECT_EQ(divergence({three[0], three[1], {choice_kind::user, 5}}),
            "between step 1 and step 3: the run asked for other choices than the token's run did");
}
TEST(divergence, answers_first_in_first_out_afterwards) {
  replay_source source(plan_of_three());
  const std::vector<choice> made = ask(source, {{choice_kind::fault, 2}, three[1], three[2]});
  EXPECT_EQ(made[1].chosen, 0u);
  EXPECT_TRUE(source.diverged());
}

TEST(condense, keeps_what_deviates_and_the_shape_of_the_whole) {
  const schedule plan = plan_of_three();
  EXPECT_EQ(plan.steps, 3u);
  ASSERT_EQ(plan.deviations.size(), 2u);
  EXPECT_EQ(plan.deviations[1].step, 1u);
  EXPECT_EQ(plan.deviations[1].made, (choice{choice_kind::timer, 3, 2}));
  fifo_source first;
  EXPECT_EQ(condense(ask(first, three)).shape, plan.shape);
  EXPECT_NE(condense(ask(first, {three[1], three[0], three[2]})).shape, plan.shape);
  EXPECT_EQ(condense({}).steps, 0u);
}

// ---- tokens

replay_token some_token() {
  replay_token token;
  token.build = "0.1.0-gcc12.2-5f3a9c01";
  token.subject = "a subject: with %, and \n";
  token.scenario = "bounded_queue/BQ-6";
  token.settings = "tier=sim,sweep=1";
  token.plan = plan_of_three();
  return token;
}

TEST(token, survives_the_round_trip_whatever_it_holds) {
  check([](const std::string& build, const std::string& subject, const std::string& scenario,
           const std::string& settings, const std::vector<std::pair<std::uint8_t, std::uint16_t>>& raw,
           std::uint64_t seed) {
    random_source random(seed, {});
    const std::vector<choice> made = ask(random, questions_from(raw));
    replay_token token{build, subject, scenario, settings, condense(made)};
    const std::string text = encode(token);
    RC_ASSERT(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; }));
    RC_ASSERT(decode_token(text) == token);
    // A handler of signals writes the same.
    std::string written;
    write_token(
        encode_head(token), made, [](void* to, char c) { *static_cast<std::string*>(to) += c; }, &written);
    RC_ASSERT(written == text);
  });
}

// What decoding says: the complaint, or nothing.
std::optional<std::string> complaint(std::string_view text) {
  try {
    (void)decode_token(text);
    return std::nullopt;
  } catch (const malformed_token& error) {
    return error.what();
  }
}

TEST(token, every_mistyped_character_is_refused) {
  const std::string text = encode(some_token());
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int c = 1; c < 256; ++c) {
      std::string edited = text;
      edited[at] = static_cast<char>(c);
      if (edited == text) continue;
      EXPECT_TRUE(complaint(edited)) << "character " << at << " as " << c;
    }
  }
}

TEST(token, every_cut_and_every_lost_doubled_or_swapped_character_is_refused) {
  const std::string text = encode(some_token());
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_TRUE(complaint(text.substr(0, at))) << "cut at " << at;
    EXPECT_TRUE(complaint(text.substr(at + 1))) << "begun at " << at + 1;
    EXPECT_TRUE(complaint(std::string(text).erase(at, 1))) << "lost " << at;
    EXPECT_TRUE(complaint(std::string(text).insert(at, 1, text[at]))) << "doubled " << at;
    if (at + 1 == text.size() || text[at] == text[at + 1]) continue;
    std::string swapped = text;
    std::swap(swapped[at], swapped[at + 1]);
    EXPECT_TRUE(complaint(swapped)) << "swapped " << at;
  }
}

TEST(token, garbage_is_refused_by_name_and_never_crashes) {
  check([](const std::string& text) {
    RC_ASSERT(complaint(text).value_or("").starts_with("malformed token: "));
  });
  check([](const std::string& schedule) {
    const std::optional<std::string> what = complaint("assay1:b:s:c:t:" + schedule + ":AAAAAA");
    RC_ASSERT(what.value_or("").starts_with("malformed token: "));
  });
}

// The check at the end, for a token whose other fields are forged.
std::string with_check(const std::string& text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::uint64_t bits = 0;  // little-endian bytes, most significant bits of each first
  for (unsigned shift = 0; shift < 32; shift += 8) bits = (bits << 8U) | ((hash >> shift) & 0xffU);
  bits <<= 4U;
  std::string check_text;
  for (int shift = 30; shift >= 0; shift -= 6) check_text += alphabet[(bits >> shift) & 63U];
  return text + ":" + check_text;
}
std::string forged(const std::string& schedule) { return with_check("assay1:b:s:c:t:" + schedule); }

TEST(token, a_forged_schedule_is_refused_with_its_reason) {
  const std::string good = encode(some_token());
  ASSERT_EQ(with_check(good.substr(0, good.rfind(':'))), good);
  EXPECT_EQ(complaint(forged("AAA")), std::nullopt);  // no steps, shape 0
  EXPECT_THAT(complaint(forged("")).value_or(""), HasSubstr("ends inside the number of steps"));
  EXPECT_THAT(complaint(forged("AA")).value_or(""), HasSubstr("ends inside the shape"));
  EXPECT_THAT(complaint(forged("A*A")).value_or(""),
              HasSubstr("character 2 of its schedule is not base64url"));
  EXPECT_THAT(complaint(forged("_____38")).value_or(""),
              HasSubstr("a number too large in the number of steps"));
  EXPECT_THAT(complaint(forged("____ wA")).value_or(""), HasSubstr("not base64url"));
  EXPECT_THAT(complaint(forged("_____wA")).value_or(""), HasSubstr("more steps than any run makes"));
  EXPECT_THAT(complaint(forged("AQAHAAIB")).value_or(""), HasSubstr("a step lies behind its last step"));
  EXPECT_THAT(complaint(forged("AQAACAIB")).value_or(""), HasSubstr("step 0 has an unknown kind of choice"));
  EXPECT_THAT(complaint(forged("AQAAAAIA")).value_or(""), HasSubstr("step 0 chooses 0 of 2"));
  EXPECT_THAT(complaint(forged("AQAAAAIC")).value_or(""), HasSubstr("step 0 chooses 2 of 2"));
  EXPECT_THAT(complaint(forged("AgAAAAIBAAACAQ")).value_or(""), HasSubstr("a step comes twice"));
  EXPECT_THAT(complaint(forged("AAB")).value_or(""), HasSubstr("trailing bits"));
  EXPECT_THAT(complaint(forged("AAAAA")).value_or(""), HasSubstr("trailing bits"));
  EXPECT_THAT(complaint(with_check("assay1:%4:s:c:t:AAA")).value_or(""),
              HasSubstr("a broken %XX in its build"));
  EXPECT_THAT(complaint(with_check("assay1:b:s:c:AAA")).value_or(""), HasSubstr("it has 6 of 7 fields"));
  EXPECT_THAT(complaint(with_check("assay1:b:s:c:t:u:AAA")).value_or(""), HasSubstr("more than 7 fields"));
  EXPECT_THAT(complaint("assay2:b").value_or(""), HasSubstr("does not begin with 'assay1:'"));
}

TEST(token, is_read_from_a_file_or_the_file_is_named) {
  std::optional<testing_support::temporary_folder> folder(std::in_place);
  const std::string path = (folder->path() / "a token").string();
  std::ofstream(path) << encode(some_token()) << "\r\nanything else\n";
  EXPECT_EQ(read_token("@" + path), some_token());
  EXPECT_EQ(read_token(encode(some_token()) + " \n"), some_token());
  folder.reset();
  try {
    (void)read_token("@" + path);
    FAIL() << "it was read";
  } catch (const malformed_token& error) {
    EXPECT_THAT(error.what(), HasSubstr("'" + path + "'"));
  }
}

// ---- shrinking

using answers = std::vector<std::uint32_t>;

// Shrinks `failing` where a run asks `arity`-fold questions and fails if `fails` says so.
shrunk shrink_where(const answers& failing, std::uint32_t trials_max,
                    const std::function<bool(const answers&)>& fails) {
  std::vector<choice> made;
  for (const std::uint32_t one : failing) made.push_back({choice_kind::ready, 10, one});
  const std::size_t length = failing.size();
  return shrink(std::move(made), trials_max, [&](answers candidate) -> std::optional<std::vector<choice>> {
    candidate.resize(length);
    if (!fails(candidate)) return std::nullopt;
    std::vector<choice> again;
    for (const std::uint32_t one : candidate) again.push_back({choice_kind::ready, 10, one});
    return again;
  });
}
answers answers_of(const shrunk& least) {
  answers result;
  for (const choice& one : least.choices) result.push_back(one.chosen);
  return result;
}

TEST(shrinker, keeps_the_one_deviation_that_matters) {
  answers failing(100, 3);
  const shrunk least = shrink_where(failing, 400, [](const answers& a) { return a[41] != 0; });
  answers expected(100, 0);
  expected[41] = 1;
  EXPECT_EQ(answers_of(least), expected);
  EXPECT_LE(least.trials, 60u);
}
TEST(shrinker, keeps_two_that_matter_together_and_the_least_answers) {
  answers failing(64, 9);
  const shrunk least = shrink_where(failing, 1000, [](const answers& a) { return a[5] >= 4 && a[60] != 0; });
  answers expected(64, 0);
  expected[5] = 4;
  expected[60] = 1;
  EXPECT_EQ(answers_of(least), expected);
}
TEST(shrinker, a_failure_that_needs_nothing_shrinks_to_first_in_first_out) {
  EXPECT_EQ(answers_of(shrink_where(answers(20, 1), 400, [](const answers&) { return true; })),
            answers(20, 0));
}
TEST(shrinker, runs_no_more_trials_than_it_may) {
  int runs = 0;
  const shrunk least = shrink_where(answers(50, 9), 13, [&](const answers& a) {
    ++runs;
    return std::count(a.begin(), a.end(), 0U) < 20;
  });
  EXPECT_EQ(runs, 13);
  EXPECT_EQ(least.trials, 13u);
  EXPECT_EQ(shrink_where(answers(5, 1), 0, [](const answers&) { return true; }).trials, 0u);
}
// A run that draws a program, and makes one choice after it.
struct program_run {
  program drawn;
  std::uint32_t after = 0;
  std::vector<choice> made;
};
allowed_verbs every_verb(const grammar& rules) {
  return allowed(rules, [](std::string_view) { return true; });
}

program_run run_program(answers recorded, const grammar& rules) {
  lenient_source source(std::move(recorded));
  choice_stream stream(source);
  program_run seen;
  seen.drawn = draw(stream, rules, every_verb(rules));
  seen.after = stream.pick(choice_kind::ready, 10);
  seen.made.assign(stream.made().begin(), stream.made().end());
  return seen;
}
// It fails if the program has a step of the third verb, and the choice after it is the last one.
bool run_fails(const program_run& seen) {
  return seen.after == 9 && std::any_of(seen.drawn.steps.begin(), seen.drawn.steps.end(),
                                        [](const program_step& step) { return step.verb == 2; });
}
program shrunk_program(const grammar& rules, std::size_t steps) {
  program failing;
  failing.steps.assign(steps - 1, {1, 1, 1});
  failing.steps.push_back({2, 1, 1});
  answers recorded = answers_for(failing, rules, every_verb(rules));
  recorded.push_back(9);
  const program_run first = run_program(std::move(recorded), rules);
  EXPECT_TRUE(run_fails(first));
  const shrunk least = shrink(first.made, 400, [&](answers candidate) -> std::optional<std::vector<choice>> {
    program_run again = run_program(std::move(candidate), rules);
    if (!run_fails(again)) return std::nullopt;
    return std::move(again.made);
  });
  return run_program(answers_of(least), rules).drawn;
}

// An argument that has one value only is not asked for, so a step is one, two or three answers.
TEST(shrinker, takes_whole_steps_out_of_a_program_whatever_its_grammar) {
  for (const std::uint32_t shapes : {1U, 5U}) {
    for (const std::uint32_t a_values : {1U, 4U, 6U}) {
      for (const std::uint32_t b_values : {1U, 2U, 4U}) {
        for (const std::size_t steps : {2U, 3U, 5U, 6U, 12U}) {
          grammar rules;
          rules.shapes = shapes;
          rules.verbs = {"one", "two", "three"};
          rules.a_values = a_values;
          rules.b_values = b_values;
          rules.steps_max = 12;  // the longest program has no answer that there is no more
          EXPECT_EQ(to_text(shrunk_program(rules, steps), rules), "shape 0: three 0 0;")
              << shapes << " shapes, " << a_values << " and " << b_values << " values, " << steps << " steps";
        }
      }
    }
  }
}

TEST(shrinker, ends_where_no_single_deviation_can_go_and_still_fails) {
  check([](const std::vector<std::uint8_t>& raw, std::uint64_t seed) {
    answers failing;
    for (const std::uint8_t one : raw) failing.push_back(one % 10U);
    // Fails if at least a third of some of its deviations are there: not monotone in the prefix.
    splitmix64 random(seed);
    std::vector<std::size_t> needed;
    for (std::size_t i = 0; i < failing.size(); ++i) {
      if (failing[i] != 0 && random.below(3) == 0) needed.push_back(i);
    }
    const auto fails = [&](const answers& a) {
      std::size_t there = 0;
      for (const std::size_t at : needed) there += a[at] != 0 ? 1U : 0U;
      return 3 * there >= needed.size();
    };
    const answers least = answers_of(shrink_where(failing, 100'000, fails));
    RC_ASSERT(fails(least));
    for (std::size_t i = 0; i < least.size(); ++i) {
      RC_ASSERT(least[i] <= 1U);
      if (least[i] == 0) continue;
      answers without = least;
      without[i] = 0;
      RC_ASSERT(!fails(without));
    }
  });
}

}  // namespace
}  // namespace assay
