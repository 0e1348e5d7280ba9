#include "harness/report/html.hpp"

#include <boost/json.hpp>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "harness/campaign/version.hpp"
#include "harness/report/standard.hpp"

namespace assay {

namespace html_files {

// Made by harness/report/html/embed.cmake.
extern const std::string_view page_html;
extern const std::string_view style_css;
extern const std::string_view common_js;
extern const std::string_view timeline_js;
extern const std::string_view report_js;
extern const std::string_view trial_js;

}  // namespace html_files

namespace json = boost::json;

namespace {

// JSON as it may stand in a script element, in HTML and in XML: nothing in it can end the element or begin an entity.
std::string embeddable(const json::value& data) {
  std::string safe;
  for (const char c : json::serialize(data)) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      case '\x7f':
        safe += "\\u007f";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// Writes the page with every {{name}} replaced; what is put in is not looked at again.
void write_page(std::ostream& out, const std::string& title, const json::value& data,
                std::string_view script) {
  const std::string scripts =
      std::string(html_files::common_js) + std::string(html_files::timeline_js) + std::string(script);
  const std::string embedded = embeddable(data);
  const std::pair<std::string_view, std::string_view> parts[] = {{"{{title}}", title},
                                                                 {"{{style}}", html_files::style_css},
                                                                 {"{{data}}", embedded},
                                                                 {"{{script}}", scripts}};
  std::string_view rest = html_files::page_html;
  for (const auto& [name, text] : parts) {  // in the order in which they stand in the page
    const std::size_t at = rest.find(name);
    out << rest.substr(0, at) << text;
    rest.remove_prefix(at + name.size());
  }
  out << rest;
}

// A page is to open at once, also when everything fails, at length: then it holds the first timelines, and of the long
// stories the two ends.
constexpr std::size_t timelines_bytes_max = 2'500'000;
constexpr std::size_t story_lines_max = 400;

void put_timelines(json::object& result, const campaign_result& seen) {
  if (!seen.drawn.events.empty()) result["timeline"] = to_json(seen.drawn);
  if (!seen.drawn_fifo.events.empty()) result["timeline_fifo"] = to_json(seen.drawn_fifo);
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

}  // namespace

void write_html(std::ostream& out, const run_report& report) {
  const catalogue& all = catalogue::instance();
  json::object data = to_json(report);
  json::array& results = data["results"].as_array();
  std::size_t room = timelines_bytes_max;
  for (std::size_t i = 0; i < results.size(); ++i) {
    json::object& result = results[i].as_object();
    put_timelines_within(room, result, report.results[i]);
    shorten(result["story"].as_array());
  }
  data["strategy"] = report.options.strategy;
  data["pairs"] = report.options.pairs_max;
  json::object standard = standard_to_json(all, {});
  data["contracts"] = std::move(standard["contracts"]);
  data["cross_cutting"] = std::move(standard["cross_cutting"]);
  data["changelog"] = std::move(standard["changelog"]);
  data["subjects"] = std::move(list_to_json(all, {})["subjects"]);
  write_page(out, "Assay conformance report", data, html_files::report_js);
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
  data["version"] = version();
  data["build"] = build_id();
  data["replay"] = replay;
  data["story"] = json::value_from(seen.story);
  put_timelines(data, seen);
  write_page(out, "Assay trial", data, html_files::trial_js);
}

}  // namespace assay
