#include <boost/json.hpp>
#include <ostream>

#include <assay/harness/report/pretty_json.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

namespace json = boost::json;

namespace {

json::object describe(const run_report& report, const campaign_result& one) {
  json::object result;
  result["subject"] = one.subject;
  result["kind"] = to_string(one.kind);
  result["contract"] = one.contract;
  result["clause"] = one.clause;
  result["revision"] = catalogue::instance().revision_of(one.clause);
  result["variant"] = one.variant;
  result["counts_for"] = one.counts_for();
  result["level"] = to_string(one.level);
  result["profile"] = one.core ? "core" : "full";
  result["verdict"] = to_string(report.judged(one));
  result["verdict_any"] = to_string(one.outcome);
  result["verdict_fifo"] = to_string(one.outcome_fifo);
  result["trials"] = one.trials;
  result["schedules"] = one.schedules;
  result["message"] = one.message;
  result["shown_by"] = one.shown_by;
  result["token"] = one.token;
  result["trace_hash"] = one.trace_hash;
  result["tier"] = to_string(one.where);
  result["turns"] = one.turns;
  result["cancel_points"] = one.cancel_points;
  result["cancel_points_covered"] = one.cancel_points_covered;
  result["fault_points"] = one.fault_points;
  result["fault_points_covered"] = one.fault_points_covered;
  result["cancel_pairs"] = one.cancel_pairs;
  result["cancel_pairs_covered"] = one.cancel_pairs_covered;
  result["fault_pairs"] = one.fault_pairs;
  result["fault_pairs_covered"] = one.fault_pairs_covered;
  result["order_classes"] = one.order_classes;
  result["strategy"] = one.strategy;
  result["exhausted"] = one.exhausted;
  result["growth"] = one.growth;
  result["anchor"] = file_stem(one);
  if (is_bad(one.outcome)) result["replay"] = replay_command(report.program, one.token);
  result["story"] = json::value_from(one.story);
  return result;
}

json::object describe(const finding& one) {
  json::object result;
  result["name"] = one.name();
  result["verdict"] = one.verdict;
  result["message"] = one.message;
  result["verdict_fifo"] = one.verdict_fifo;
  result["shown_by"] = one.shown_by;
  result["io_context"] = one.io_context;
  result["reason"] = one.reason;
  result["reference"] = one.reference;
  result["since"] = one.since;
  result["fixed_in"] = one.fixed_in;
  return result;
}

json::array describe(const std::vector<finding>& findings) {
  json::array all;
  for (const finding& one : findings) all.push_back(describe(one));
  return all;
}

json::object describe(const findings_comparison& findings) {
  json::object result;
  result["same"] = findings.same();
  result["confirmed"] = describe(findings.confirmed);
  result["appeared"] = describe(findings.appeared);
  result["disappeared"] = describe(findings.disappeared);
  json::array changed;
  for (const findings_comparison::change& one : findings.changed) {
    json::object change;
    change["what"] = one.what;
    change["recorded"] = describe(one.recorded);
    change["seen"] = describe(one.seen);
    changed.push_back(std::move(change));
  }
  result["changed"] = std::move(changed);
  return result;
}

json::object describe(const tally& sum) {
  return {{"verdict", profile_verdict(sum)}, {"passed", sum.passed}, {"failed", sum.failed},
          {"skipped", sum.skipped},          {"errors", sum.errors}, {"unrun", sum.unrun}};
}

json::array profiles(const run_report& report) {
  json::array all;
  for (const pattern_tally& one : count_by_pattern(report)) {
    all.push_back(json::object({{"contract", one.contract},
                                {"subject", one.subject},
                                {"library", library_of(one.contract, one.subject)},
                                {"core", describe(one.core)},
                                {"full", describe(one.all)}}));
  }
  return all;
}

json::object summary(const run_report& report) {
  const tally sum = count(report);
  std::uint64_t violated = 0;
  std::uint64_t trials = 0;
  for (const campaign_result& one : report.results) {
    if (report.violates(one)) ++violated;
    trials += one.trials;
  }
  json::object result;
  result["selected"] = report.planned.size();
  result["results"] = report.results.size();
  result["passed"] = sum.passed;
  result["failed"] = sum.failed;
  result["skipped"] = sum.skipped;
  result["errors"] = sum.errors;
  result["violated"] = violated;
  result["trials"] = trials;
  result["interrupted"] = report.interrupted;
  result["stopped"] = report.stopped;
  result["problems"] = json::value_from(report.problems);
  result["advice"] = advice(report);
  result["exit_status"] = exit_status(report);
  return result;
}

}  // namespace

json::object to_json(const run_report& report) {
  json::object all;
  put_origin(all);
  all["date"] = report.date;
  all["command"] = report.command;
  all["seed"] = report.options.seed;
  all["schedules"] = report.options.schedules;
  all["tier"] = to_string(report.options.where);
  all["sweep"] = report.options.sweep;
  all["order"] = to_string(report.gate);
  all["strict"] = report.strict;
  json::array results;
  for (const campaign_result& one : report.results) results.push_back(describe(report, one));
  all["results"] = std::move(results);
  all["profiles"] = profiles(report);
  if (report.compared) all["findings"] = describe(report.findings);
  all["summary"] = summary(report);
  return all;
}

void write_json(std::ostream& out, const run_report& report) {
  write_pretty(out, to_json(report));
  out << '\n';
}

}  // namespace assay
