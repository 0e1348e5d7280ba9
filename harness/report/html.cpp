#include <assay/harness/report/html.hpp>

#include <boost/json.hpp>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/timeline_json.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/page.hpp>
#include <assay/harness/report/standard.hpp>

namespace assay {

namespace json = boost::json;

namespace {

// A page is to open at once, also when everything fails, at length: then it holds the first timelines, and of the long
// stories the two ends.
constexpr std::size_t timelines_bytes_max = 2'500'000;
constexpr std::size_t story_lines_max = 400;

void put_timelines(json::object& result, const campaign_result& seen) {
  if (!seen.drawn.events.empty()) result["timeline"] = to_json(seen.drawn);
  if (!seen.drawn_baseline.events.empty()) result["timeline_baseline"] = to_json(seen.drawn_baseline);
}

void put_timelines_within(std::size_t& room, json::object& result, const campaign_result& seen) {
  json::object timelines;
  put_timelines(timelines, seen);
  if (timelines.empty()) return;
  const std::size_t size = json::serialize(timelines).size();
  if (size > room) {
    result["timeline_left_out"] = true;
    return;
  }
  room -= size;
  for (json::key_value_pair& one : timelines) result[one.key()] = std::move(one.value());
}

void shorten(json::array& story) {
  if (story.size() <= story_lines_max) return;
  const std::size_t left_out = story.size() - story_lines_max;
  const auto begin = story.begin() + story_lines_max / 2;
  story.insert(story.erase(begin, begin + left_out),
               json::string("  (" + std::to_string(left_out) + " lines are left out here)"));
}

// The other pages of the report, if somebody has made them.
std::vector<std::string> pages_in(const std::filesystem::path& folder) {
  std::vector<std::string> found;
  if (folder.empty()) return found;
  for (const char* const name : {"mutants.html", "strategies.html", "standard.html"}) {
    if (std::filesystem::exists(folder / name)) found.emplace_back(name);
  }
  return found;
}

}  // namespace

void write_html(std::ostream& out, const run_report& report, const std::filesystem::path& folder) {
  const catalogue& all = catalogue::instance();
  json::object data = to_json(report);
  json::array& results = data["results"].as_array();
  std::size_t room = timelines_bytes_max;
  for (std::size_t i = 0; i < results.size(); ++i) {
    json::object& result = results[i].as_object();
    put_timelines_within(room, result, report.results[i]);
    shorten(result["story"].as_array());
    if (is_bad(report.results[i].outcome)) result["shown_under"] = shown_under(report.results[i]);
  }
  if (report.interrupted) data["how_far"] = how_far(report.how_far(), "scenario runs");
  json::array colours;  // of the core profiles, in the order of `profiles`
  for (const pattern_tally& one : count_by_pattern(report))
    colours.emplace_back(to_string(profile_colour(one.core)));
  data["core_colours"] = std::move(colours);
  data["strategy"] = report.options.strategy;
  data["pairs"] = report.options.pairs_max;
  json::object standard = standard_to_json(all, {});
  data["contracts"] = std::move(standard["contracts"]);
  data["cross_cutting"] = std::move(standard["cross_cutting"]);
  data["changelog"] = std::move(standard["changelog"]);
  data["subjects"] = std::move(list_to_json(all, {})["subjects"]);
  data["beside"] = json::value_from(pages_in(folder));
  write_drawn_page(out, "Assay conformance report", data, {html_files::timeline_js, html_files::report_js});
}

void write_html(std::ostream& out, const kill_matrix& matrix, const std::string& program,
                const std::string& command) {
  json::object data = to_json(matrix);
  std::set<std::string> contracts;
  for (const mutant_verdict& one : matrix.mutants) contracts.insert(one.mutant->contract());
  json::object standard =
      standard_to_json(catalogue::instance(), std::vector<std::string>(contracts.begin(), contracts.end()));
  data["contracts"] = std::move(standard["contracts"]);
  data["program"] = program;
  if (matrix.how_far.interrupted) data["how_far"] = how_far(matrix.how_far, "scenario runs");
  data["command"] = command;
  write_drawn_page(out, "Assay kill matrix", data, {html_files::mutants_js});
}

void write_html(std::ostream& out, std::span<const bug_report> reports, const bug_options& options,
                const extent& seen, const std::string& command) {
  json::object data = to_json(reports, options, seen);
  if (seen.interrupted) data["how_far"] = how_far(seen, "bugs");
  data["command"] = command;
  write_drawn_page(out, "Assay strategies", data, {html_files::strategies_js});
}

void write_timeline_html(std::ostream& out, const campaign_result& seen, const std::string& replay) {
  const clause_info* const clause = catalogue::instance().find_clause(seen.clause);
  json::object data;
  data["subject"] = seen.subject;
  data["scenario"] = seen.scenario();
  data["level"] = to_string(seen.level);
  data["tier"] = to_string(seen.where);
  data["text"] = clause == nullptr ? "" : clause->text;
  data["verdict"] = to_string(seen.outcome);
  data["message"] = seen.message;
  data["trace_hash"] = seen.trace_hash;
  put_origin(data);
  data["replay"] = replay;
  data["story"] = json::value_from(seen.story);
  put_timelines(data, seen);
  write_drawn_page(out, "Assay trial", data, {html_files::timeline_js, html_files::trial_js});
}

}  // namespace assay
