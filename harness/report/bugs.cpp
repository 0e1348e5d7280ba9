#include <assay/harness/report/bugs.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/pretty_json.hpp>

namespace assay {

namespace {

namespace json = boost::json;

json::value or_null(const std::optional<double>& figure) {
  return figure ? json::value(*figure) : json::value(nullptr);
}

json::object describe(const bug_figures& figures) {
  return {{"median", or_null(figures.median)},
          {"p95", or_null(figures.p95)},
          {"cpu_ms", or_null(figures.cpu_ms)}};
}

std::string shown(const std::optional<double>& figure) {
  if (!figure) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(std::floor(*figure) == *figure ? 0 : 1) << *figure;
  return text.str();
}

}  // namespace

void write_text(std::ostream& out, std::span<const bug_report> reports, const bug_options& options,
                const extent& seen) {
  out << "Schedules to the first failure, medians over " << options.seeds
      << " seeds; '-' where more than half of them found nothing in " << options.cap << ".\n\n";
  std::size_t width = 3;
  for (const bug_report& one : reports) width = std::max(width, one.name.size());
  out << std::left << std::setw(static_cast<int>(width)) << "bug" << std::right << std::setw(6) << "depth"
      << std::setw(10) << "portfolio" << std::setw(8) << "p95" << std::setw(9) << "CPU ms" << std::setw(7)
      << "sweep" << std::setw(8) << "shrunk" << std::setw(6) << "twin";
  if (!reports.empty()) {
    for (const auto& [name, figures] : reports.front().strategies)
      out << std::setw(static_cast<int>(std::max<std::size_t>(name.size(), 6)) + 2) << name;
  }
  out << '\n';
  for (const bug_report& one : reports) {
    const auto number = [](const std::optional<std::uint32_t>& n) {
      return n ? std::to_string(*n) : std::string("-");
    };
    std::ostringstream cpu;
    if (one.portfolio.cpu_ms) cpu << std::fixed << std::setprecision(2) << *one.portfolio.cpu_ms;
    out << std::left << std::setw(static_cast<int>(width)) << one.name << std::right << std::setw(6)
        << one.depth << std::setw(10) << shown(one.portfolio.median) << std::setw(8)
        << shown(one.portfolio.p95) << std::setw(9) << cpu.str() << std::setw(7) << number(one.sweep_runs)
        << std::setw(8) << number(one.shrunk_deviations) << std::setw(6) << one.twin_reports;
    for (const auto& [name, figures] : one.strategies)
      out << std::setw(static_cast<int>(std::max<std::size_t>(name.size(), 6)) + 2) << shown(figures.median);
    out << '\n';
    if (one.twin_reports > 0) out << "    the correct twin was reported: " << one.twin_message << '\n';
  }
  if (seen.interrupted) out << "\nThis was " << how_far(seen, "bugs") << "; nothing is said of the others.\n";
}

json::object to_json(std::span<const bug_report> reports, const bug_options& options, const extent& seen) {
  json::array bugs;
  for (const bug_report& one : reports) {
    json::object bug;
    bug["name"] = one.name;
    bug["depth"] = one.depth;
    bug["what"] = one.what;
    bug["portfolio"] = describe(one.portfolio);
    json::object strategies;
    for (const auto& [name, figures] : one.strategies) strategies[name] = describe(figures);
    bug["strategies"] = std::move(strategies);
    bug["cancel_slots"] = one.cancel_slots;
    bug["sweep_runs"] = one.sweep_runs ? json::value(*one.sweep_runs) : json::value(nullptr);
    bug["shrunk_deviations"] =
        one.shrunk_deviations ? json::value(*one.shrunk_deviations) : json::value(nullptr);
    bug["twin_reports"] = one.twin_reports;
    bugs.push_back(std::move(bug));
  }
  json::object all;
  put_origin(all);
  all["date"] = report_date();
  all["seeds"] = options.seeds;
  all["cap"] = options.cap;
  all["twin_schedules"] = options.twin_schedules;
  all["bugs"] = std::move(bugs);
  all["summary"] = to_json(seen);
  return all;
}

void write_json(std::ostream& out, std::span<const bug_report> reports, const bug_options& options,
                const extent& seen) {
  write_pretty(out, to_json(reports, options, seen));
  out << '\n';
}

}  // namespace assay
