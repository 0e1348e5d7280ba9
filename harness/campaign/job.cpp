#include <assay/harness/campaign/job.hpp>

#include <algorithm>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <stdexcept>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/story.hpp>
#include <assay/harness/campaign/timeline_json.hpp>
#include <assay/harness/campaign/utf8.hpp>

namespace assay {

// Only for the lines between this program and its own workers; reports have a format of their own.
BOOST_DESCRIBE_ENUM(job_kind, campaign, termination, replay, plug)
BOOST_DESCRIBE_ENUM(level, must, should, may)
BOOST_DESCRIBE_ENUM(verdict, pass, fail, skip, error)
BOOST_DESCRIBE_ENUM(subject_kind, reference, third_party, mutant, alternative)
BOOST_DESCRIBE_ENUM(tier, sim, io_context)
BOOST_DESCRIBE_STRUCT(corpus_state, (), (schedules, features, known, times))
BOOST_DESCRIBE_STRUCT(campaign_options, (),
                      (schedules, seed, where, sweep, strategy, pairs_max, systematic, list_orders, corpus,
                       shrink_trials_max, muted))
BOOST_DESCRIBE_STRUCT(campaign_result, (),
                      (subject, kind, contract, clause, variant, level, core, where, outcome, outcome_fifo,
                       cited, message, shown_by, testee_broke, misplugged, unrun, token, trace_hash, story,
                       trace, failed_at, drawn, drawn_baseline, trials, turns, victim_named, body_suspended,
                       cancel_points, cancel_points_covered, fault_points, fault_points_covered, cancel_pairs,
                       cancel_pairs_covered, fault_pairs, fault_pairs_covered, order_classes, orders, corpus,
                       schedules, depth2, strategy, exhausted, growth))

namespace json = boost::json;

// For the lines, too: found where the results are converted.
static void tag_invoke(json::value_from_tag, json::value& value, const timeline& drawn) {
  value = to_json(drawn);
}
static timeline tag_invoke(json::value_to_tag<timeline>, const json::value& value) {
  return timeline_from_json(value);
}

namespace {

campaign_result result_of(const job& asked, const trial_result& seen) {
  campaign_result result = blank_result(*asked.chosen, *asked.scenario, asked.options.where);
  result.trials = 1;
  result.turns = seen.turns;
  if (!seen.passed()) result.outcome = seen.is_error() ? verdict::error : verdict::fail;
  result.outcome_fifo = result.outcome;
  result.misplugged = seen.kind == failure_kind::adapter;
  result.message = (result.misplugged ? std::string(adapter_prefix) : std::string()) + seen.message;
  result.testee_broke = seen.kind == failure_kind::testee;
  if (seen.events) {
    result.trace_hash = format_hash(seen.events->hash());
    result.story = tell(*seen.events);
    result.trace = tell(*seen.events, telling::everything);
    result.failed_at = first_failure(*seen.events);
    result.drawn = make_timeline(*seen.events);
  }
  return result;
}

campaign_result run_termination(const job& asked, const campaign_observer* observer) {
  fifo_source first;
  random_source random(trial_seed(asked.options.seed, asked.attempt), {});
  choice_source& source = asked.attempt == 0 ? static_cast<choice_source&>(first) : random;
  const trial_settings settings{asked.options.where, asked.options.sweep};
  const std::string_view phase = asked.attempt == 0 ? baseline_phase : "permuted order";
  if (observer != nullptr && observer->phase_begins) observer->phase_begins(phase);
  const trial_result seen = run_trial(*asked.chosen, *asked.scenario, source, settings, true, observer);
  campaign_result result = result_of(asked, seen);
  result.token = encode(make_token(*asked.chosen, *asked.scenario, settings, seen.choices));
  result.shown_by = phase;
  if (asked.attempt != 0) result.outcome_fifo = verdict::pass;
  if (seen.passed()) {
    result.outcome = verdict::fail;
    if (asked.attempt == 0) result.outcome_fifo = verdict::fail;
    result.message = "the process was to be ended here (std::terminate or abort), and it goes on";
  }
  return result;
}

campaign_result run_replay(const job& asked, const campaign_observer* observer) {
  replay_plan plan = plan_replay(decode_token(asked.token));
  plan.settings.break_at = asked.break_at;
  plan.settings.explained = true;
  if (observer != nullptr && observer->phase_begins) observer->phase_begins("replay");
  const trial_result seen = replay(plan, true, observer);
  job known = asked;
  known.options.where = plan.settings.where;
  campaign_result result = result_of(known, seen);
  result.token = asked.token;
  if (asked.scenario->traits.expects_termination && seen.passed()) {
    result.outcome = result.outcome_fifo = verdict::fail;
    result.message = "the process was to be ended here (std::terminate or abort), and it goes on";
  }
  return result;
}

// What else went wrong is for the clauses to say: they see the same.
campaign_result run_plug_check(const job& asked, const campaign_observer* observer) {
  const trial_settings settings{asked.options.where, false};
  if (observer != nullptr && observer->phase_begins) observer->phase_begins(plug_phase);
  fifo_source first;
  const trial_result seen = run_trial(*asked.chosen, *asked.scenario, first, settings, true, observer);
  campaign_result result = result_of(asked, seen);
  if (seen.kind != failure_kind::adapter && !seen.is_error())
    result = blank_result(*asked.chosen, *asked.scenario, asked.options.where);
  result.token = encode(make_token(*asked.chosen, *asked.scenario, settings, seen.choices));
  result.shown_by = plug_phase;
  return result;
}

campaign_result run_raw(const job& asked, const campaign_observer* observer) {
  switch (asked.kind) {
    case job_kind::campaign:
      return run_campaign(*asked.chosen, *asked.scenario, asked.options, observer);
    case job_kind::termination:
      return run_termination(asked, observer);
    case job_kind::replay:
      return run_replay(asked, observer);
    case job_kind::plug:
      return run_plug_check(asked, observer);
  }
  throw std::logic_error("a job of no known kind");
}

}  // namespace

campaign_result unrun_result(const job& asked, const std::string& why) {
  campaign_result result = blank_result(*asked.chosen, *asked.scenario, asked.options.where);
  result.outcome = result.outcome_fifo = verdict::error;
  result.unrun = true;
  result.message = "not run" + why;
  return result;
}

campaign_result run_job(const job& asked, const campaign_observer* observer) {
  campaign_result result = run_raw(asked, observer);
  result.message = valid_utf8(result.message);
  for (std::string& line : result.story) line = valid_utf8(line);
  for (std::string& line : result.trace) line = valid_utf8(line);
  for (timeline* const drawn : {&result.drawn, &result.drawn_baseline}) {
    for (std::string& name : drawn->tasks) name = valid_utf8(name);
    for (event& one : drawn->events) one.text = valid_utf8(one.text);
  }
  return result;
}

std::string encode(const job& asked) {
  json::object line;
  line["kind"] = json::value_from(asked.kind);
  line["subject"] = asked.chosen->name();
  line["scenario"] = asked.scenario->name();
  line["options"] = json::value_from(asked.options);
  line["attempt"] = asked.attempt;
  line["token"] = asked.token;
  return json::serialize(line);
}

job decode_job(const std::string& line) {
  const json::value read = json::parse(line);
  const catalogue& all = catalogue::instance();
  job asked;
  asked.kind = json::value_to<job_kind>(read.at("kind"));
  asked.scenario = all.find_scenario(read.at("scenario").as_string().c_str());
  if (asked.scenario == nullptr) throw std::invalid_argument("a job names an unknown scenario");
  asked.chosen = all.find_subject(asked.scenario->contract, read.at("subject").as_string().c_str());
  if (asked.chosen == nullptr) throw std::invalid_argument("a job names an unknown subject");
  asked.options = json::value_to<campaign_options>(read.at("options"));
  asked.attempt = json::value_to<std::uint32_t>(read.at("attempt"));
  asked.token = read.at("token").as_string().c_str();
  return asked;
}

std::string encode(const campaign_result& result) { return json::serialize(json::value_from(result)); }

campaign_result decode_result(const std::string& line) {
  return json::value_to<campaign_result>(json::parse(line));
}

}  // namespace assay
