#include <assay/harness/cli/explore.hpp>

#include <algorithm>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <cmath>
#include <iomanip>
#include <map>
#include <ostream>
#include <set>
#include <stdexcept>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/names.hpp>
#include <assay/harness/report/output.hpp>
#include <assay/harness/report/pretty_json.hpp>
#include <assay/harness/report/report.hpp>
#include <assay/harness/sim/clock.hpp>

namespace assay {

BOOST_DESCRIBE_ENUM(verdict, pass, fail, skip, error)
BOOST_DESCRIBE_STRUCT(corpus_state, (), (schedules, features, known, times))
BOOST_DESCRIBE_STRUCT(explored, (),
                      (subject, scenario, next_batch, schedules, trials, orders, depth2, corpus, exhausted,
                       outcome, message, token, strategy))

namespace {

namespace json = boost::json;

// What a state must have been made with.
json::object made_with(const campaign_options& each, const explore_options& options) {
  return {{"build", build_id()},          {"seed", each.seed},      {"strategy", each.strategy},
          {"batch", options.batch},       {"shard", options.shard}, {"shards", options.shards},
          {"tier", to_string(each.where)}};
}

void load(std::vector<explored>& all, const campaign_options& each, const explore_options& options) {
  if (options.state.empty() || !std::filesystem::exists(options.state)) return;
  const std::string text = read_file(options.state);
  boost::system::error_code error;
  const json::value read = json::parse(text, error);
  if (error || !read.is_object() || !read.as_object().contains("made_with") ||
      !read.as_object().contains("explored")) {
    throw std::runtime_error("'" + options.state.string() + "' is no state of an exploration");
  }
  if (json::serialize(read.at("made_with")) != json::serialize(made_with(each, options))) {
    throw std::runtime_error("the state in '" + options.state.string() + "' was made with " +
                             json::serialize(read.at("made_with")) + ", this is " +
                             json::serialize(made_with(each, options)) + ": name another file, or remove it");
  }
  std::map<std::pair<std::string, std::string>, explored> known;
  try {
    for (const json::value& one : read.at("explored").as_array()) {
      auto far = json::value_to<explored>(one);
      (void)corpus(far.corpus);  // throws for one that is damaged
      auto key = std::pair(far.subject, far.scenario);
      known[std::move(key)] = std::move(far);
    }
  } catch (const std::exception& failure) {
    throw std::runtime_error("'" + options.state.string() +
                             "' is no state of an exploration: " + failure.what());
  }
  for (explored& one : all) {
    const auto found = known.find({one.subject, one.scenario});
    if (found != known.end()) one = std::move(found->second);
  }
}

void save(const std::vector<explored>& all, const campaign_options& each, const explore_options& options) {
  if (options.state.empty()) return;
  // Whole or not at all: whatever interrupts this, one whole state is left.
  write_file(options.state, json::serialize(json::object{{"made_with", made_with(each, options)},
                                                         {"explored", json::value_from(all)}}) +
                                "\n");
}

void merge(explored& into, const campaign_result& batch) {
  into.schedules += batch.schedules;
  into.trials += batch.trials;
  into.orders.insert(batch.orders.begin(), batch.orders.end());
  into.depth2 = 1 - (1 - into.depth2) * (1 - batch.depth2);
  into.exhausted = into.exhausted || batch.exhausted;
  if (!is_bad(batch.outcome)) {
    into.corpus = batch.corpus;
    return;
  }
  into.outcome = batch.outcome;
  into.message = batch.message;
  into.token = batch.token;
  into.strategy = batch.strategy.empty() ? batch.shown_by : batch.strategy;
}

}  // namespace

extent exploration::how_far() const noexcept {
  const auto begun = std::count_if(all.begin(), all.end(), [](const explored& one) { return one.begun(); });
  return {all.size(), static_cast<std::size_t>(begun), interrupted};
}

exploration explore(const std::vector<selected>& what, const campaign_options& each,
                    const run_settings& processes, const explore_options& options,
                    const std::function<void(const explored&, std::uint64_t done)>& progress) {
  exploration seen;
  for (const selected& one : what) {
    if (reason_to_skip(*one.chosen, *one.scenario, each.where) || one.scenario->traits.expects_termination)
      continue;
    explored fresh;
    fresh.subject = one.chosen->name();
    fresh.scenario = one.scenario->name();
    fresh.next_batch = options.shard;
    seen.all.push_back(std::move(fresh));
  }
  load(seen.all, each, options);
  const std::chrono::nanoseconds end = real_time() + options.time;
  const auto out_of_time = [&] { return options.time.count() > 0 && real_time() >= end; };
  const std::uint64_t batches = (options.schedules + options.batch - 1) / options.batch;
  bool stopped = false;
  run_settings rounds = processes;
  while (!stopped && !out_of_time()) {
    std::vector<job> jobs;
    std::vector<explored*> whose;
    for (explored& one : seen.all) {
      const bool done =
          one.exhausted || is_bad(one.outcome) || (options.time.count() == 0 && one.next_batch >= batches);
      if (done) continue;
      const catalogue& all = catalogue::instance();
      job asked;
      asked.scenario = all.find_scenario(one.scenario);
      asked.chosen = all.find_subject(asked.scenario->contract, one.subject);
      asked.options = each;
      asked.options.seed = each.seed + one.next_batch;
      asked.options.schedules = options.batch;
      asked.options.systematic = one.next_batch == 0;
      asked.options.list_orders = true;
      asked.options.corpus = one.corpus;
      jobs.push_back(std::move(asked));
      whose.push_back(&one);
    }
    if (jobs.empty()) break;
    const run_outcome round = run_jobs(jobs, rounds, [&](std::size_t index, const campaign_result& result) {
      explored& one = *whose[index];
      if (result.unrun) {  // asked again the next time
        seen.problems.push_back("'" + one.subject + "' " + one.scenario + " is " + result.message);
        return false;
      }
      merge(one, result);
      one.next_batch += options.shards;
      if (progress) progress(one, one.schedules);
      return !out_of_time();
    });
    rounds.plug_first = false;  // all of them were in the first round
    seen.problems.insert(seen.problems.end(), round.problems.begin(), round.problems.end());
    seen.interrupted = round.interrupted;
    stopped = round.interrupted || !seen.problems.empty();
    save(seen.all, each, options);
  }
  return seen;
}

void write_text(std::ostream& out, const exploration& seen, const std::string& program) {
  std::uint64_t schedules = 0;
  std::uint64_t trials = 0;
  std::uint64_t orders = 0;
  std::size_t features = 0;
  std::size_t kept = 0;
  std::size_t exhausted = 0;
  std::size_t failed = 0;
  std::size_t begun = 0;
  std::set<std::string> misplugged;
  double least = 1;
  for (const explored& one : seen.all) {
    if (!one.begun()) continue;
    ++begun;
    schedules += one.schedules;
    trials += one.trials;
    orders += one.orders.size();
    features += one.corpus.known.size();
    kept += one.corpus.schedules.size();
    exhausted += one.exhausted ? 1 : 0;
    if (!one.exhausted) least = std::min(least, one.depth2);
    if (!is_bad(one.outcome)) continue;
    ++failed;
    // Whose adapter is wrong: once per subject, not once per scenario.
    if (one.message.starts_with(adapter_prefix) && !misplugged.insert(one.subject + one.message).second)
      continue;
    out << one.subject << "  " << one.scenario << "  " << to_string(one.outcome) << "\n  " << one.message
        << "\n    found by " << one.strategy << "\n    " << replay_command(program, one.token) << "\n\n";
  }
  out << begun << (begun < seen.all.size() ? " of " + std::to_string(seen.all.size()) : "")
      << " scenarios with their subjects, " << schedules << " schedules explored in " << trials << " trials, "
      << orders << " of them different in more than the order of unrelated turns.\n";
  if (features > 0)
    out << features << " features of traces were seen; the corpus keeps the " << kept
        << " smallest schedules that show them.\n";
  if (exhausted < begun) {
    out << exhausted
        << " were covered whole. In each of the others a bug of depth 2, if there is one, has shown with a "
        << "probability of at least " << std::setprecision(2) << least << " (PCT alone).\n";
  } else if (begun > 0) {
    out << "All of these were covered whole.\n";
  }
  std::string until = failed == 0 ? "Nothing was found" : std::to_string(failed) + " failed";
  if (seen.interrupted) {
    std::string text = how_far(seen.how_far(), "scenarios were begun");
    text.front() = 'I';
    out << text << ". " << until << " until then, and nothing is said of the rest.\n";
  } else if (begun < seen.all.size()) {
    out << until << "; " << seen.all.size() - begun
        << " scenarios were not begun, and nothing is said of them.\n";
  } else {
    out << until << ".\n";
  }
}

void write_json(std::ostream& out, const exploration& seen) {
  json::array all;
  for (const explored& one : seen.all) {
    json::object described = json::value_from(one).as_object();
    described["orders"] = one.orders.size();
    described["corpus"] =
        json::object{{"features", one.corpus.known.size()}, {"schedules", one.corpus.schedules.size()}};
    described["outcome"] = one.begun() ? to_string(one.outcome) : "not begun";
    all.push_back(std::move(described));
  }
  json::object written;
  put_origin(written);
  written["explored"] = std::move(all);
  written["summary"] = to_json(seen.how_far());
  write_pretty(out, written);
  out << '\n';
}

}  // namespace assay
