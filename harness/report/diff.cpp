#include <assay/harness/report/diff.hpp>

#include <boost/json.hpp>
#include <ostream>
#include <utility>

#include <assay/harness/report/output.hpp>
#include <assay/harness/report/pretty_json.hpp>

namespace assay {

namespace json = boost::json;

namespace {

const json::value& member(const json::object& from, std::string_view name) {
  const json::value* const found = from.if_contains(name);
  if (found == nullptr) throw std::invalid_argument("'" + std::string(name) + "' is missing");
  return *found;
}

std::string text_of(const json::object& from, std::string_view name) {
  const json::string* const text = member(from, name).if_string();
  if (text == nullptr) throw std::invalid_argument("'" + std::string(name) + "' is no text");
  return std::string(*text);
}

std::string verdict_of(const json::object& from, std::string_view name) {
  const std::string text = text_of(from, name);
  for (const verdict known : {verdict::pass, verdict::fail, verdict::skip, verdict::error}) {
    if (text == to_string(known)) return text;
  }
  throw std::invalid_argument("'" + text + "' is no verdict");
}

// Results of before a figure was written have none, and have lost nothing.
std::uint64_t figure_of(const json::object& from, std::string_view name) {
  const json::value* const figure = from.if_contains(name);
  return figure == nullptr ? 0 : figure->to_number<std::uint64_t>();
}

std::string name_of(const json::object& from) {
  const std::string variant = text_of(from, "variant");
  const std::string tier = text_of(from, "tier");
  return text_of(from, "subject") + " " + text_of(from, "contract") + "/" + text_of(from, "clause") +
         (variant.empty() ? "" : "/" + variant) + (tier == "sim" ? "" : " on " + tier);
}

past_result result_of(const json::object& from) {
  past_result result;
  result.verdict_any = verdict_of(from, "verdict_any");
  result.verdict_fifo = verdict_of(from, "verdict_fifo");
  result.message = text_of(from, "message");
  if (from.contains("replay")) result.replay = text_of(from, "replay");
  result.schedules = figure_of(from, "schedules");
  result.cancel_points_covered = figure_of(from, "cancel_points_covered");
  result.fault_points_covered = figure_of(from, "fault_points_covered");
  result.exhausted = from.contains("exhausted") && from.at("exhausted").as_bool();
  return result;
}

bool is_bad(const std::string& verdict) { return verdict == "fail" || verdict == "error"; }

std::string both_orders(const past_result& one) {
  return "any: " + one.verdict_any + ", fifo: " + one.verdict_fifo;
}

// What was tried less, in words; empty if nothing was.
std::string less_covered(const past_result& before, const past_result& now) {
  std::string what;
  const auto note = [&what](const char* figure, std::uint64_t earlier, std::uint64_t later) {
    if (later >= earlier) return;
    what += (what.empty() ? "fewer " : ", fewer ") + std::string(figure) + ": " + std::to_string(later) +
            ", " + std::to_string(earlier) + " before";
  };
  if (!now.exhausted) note("schedules", before.schedules, now.schedules);
  note("cancel points", before.cancel_points_covered, now.cancel_points_covered);
  note("fault points", before.fault_points_covered, now.fault_points_covered);
  return what;
}

// A campaign ends with its first failure, so only passes can be asked how much they tried.
void compare_one(const std::string& name, const past_result& before, const past_result& now,
                 run_comparison& into) {
  const bool was_bad = is_bad(before.verdict_any);
  const bool bad = is_bad(now.verdict_any);
  const bool bad_in_fifo_now = is_bad(now.verdict_fifo) && !is_bad(before.verdict_fifo);
  if (bad && (!was_bad || bad_in_fifo_now)) {
    const std::string earlier = was_bad ? "fifo order shows it now" : "was " + before.verdict_any;
    into.failures.push_back({name, now.verdict_any + " (" + earlier + "): " + now.message, now.replay});
  } else if (bad) {
    if (before.message != now.message) {
      into.changed.push_back({name, "'" + now.message + "', was '" + before.message + "'", now.replay});
    } else if (both_orders(before) != both_orders(now)) {
      into.changed.push_back({name, both_orders(now) + ", was " + both_orders(before), now.replay});
    }
  } else if (now.verdict_any == "skip") {
    if (before.verdict_any != "skip")
      into.uncovered.push_back({name, "skipped (was " + before.verdict_any + "): " + now.message, {}});
  } else if (was_bad) {
    into.fixed.push_back({name, "passes; was " + before.verdict_any + ": " + before.message, {}});
  } else if (std::string what = less_covered(before, now); !what.empty()) {
    into.uncovered.push_back({name, std::move(what), {}});
  }
}

json::array describe(const std::vector<run_change>& changes) {
  json::array all;
  for (const run_change& one : changes) {
    json::object change{{"name", one.name}, {"what", one.what}};
    if (!one.replay.empty()) change["replay"] = one.replay;
    all.push_back(std::move(change));
  }
  return all;
}

json::object describe(const past_run& run) {
  return {{"file", run.file.string()},
          {"version", run.version},
          {"build", run.build},
          {"results", run.results.size()}};
}

}  // namespace

past_run read_results(const std::filesystem::path& file) {
  past_run run;
  run.file = file;
  const std::string text = read_file(file);
  std::string where = "the whole";
  try {
    const json::value all = json::parse(text);
    run.version = text_of(all.as_object(), "version");
    run.build = text_of(all.as_object(), "build");
    std::size_t number = 0;
    for (const json::value& one : member(all.as_object(), "results").as_array()) {
      where = "result " + std::to_string(++number);
      const std::string name = name_of(one.as_object());
      if (!run.results.emplace(name, result_of(one.as_object())).second)
        throw std::invalid_argument("'" + name + "' comes twice");
    }
  } catch (const std::exception& failure) {
    throw malformed_results("'" + file.string() + "' is not what `assay run --format json` writes: " + where +
                            ": " + failure.what());
  }
  return run;
}

run_comparison compare(const past_run& before, const past_run& now) {
  run_comparison found;
  for (const auto& [name, result] : now.results) {
    const auto earlier = before.results.find(name);
    if (earlier != before.results.end()) {
      compare_one(name, earlier->second, result, found);
    } else if (is_bad(result.verdict_any)) {
      found.failures.push_back(
          {name, result.verdict_any + " (was not run): " + result.message, result.replay});
    } else {
      found.added.push_back(name);
    }
  }
  for (const auto& [name, result] : before.results) {
    if (!now.results.contains(name) && result.verdict_any != "skip")
      found.uncovered.push_back({name, "not run (was " + result.verdict_any + ")", {}});
  }
  return found;
}

void write_text(std::ostream& out, const past_run& before, const past_run& now,
                const run_comparison& comparison, const text_style& style) {
  const auto painted = [&](const char* code, const std::string& text) {
    return style.colour ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
  };
  const auto section = [&](const char* title, const char* colour, const std::vector<run_change>& changes) {
    if (changes.empty()) return;
    out << painted(colour, title) << " (" << changes.size() << ")\n";
    for (const run_change& one : changes) {
      out << "  " << one.name << '\n' << wrap(one.what, 4, style.width) << '\n';
      if (!one.replay.empty()) out << "    " << one.replay << '\n';
    }
    out << '\n';
  };
  out << "old: " << before.file.string() << ", build " << before.build << ", " << before.results.size()
      << " results\nnew: " << now.file.string() << ", build " << now.build << ", " << now.results.size()
      << " results\n\n";
  section("New failures", "31", comparison.failures);
  section("Lost coverage", "31", comparison.uncovered);
  section("Changed", "33", comparison.changed);
  section("Fixed", "32", comparison.fixed);
  if (!comparison.added.empty()) out << "Run for the first time: " << comparison.added.size() << "\n\n";
  out << (comparison.worse() ? painted("31", "Worse") : painted("32", "Nothing is worse")) << ": "
      << comparison.failures.size() << " new failures, " << comparison.uncovered.size() << " less covered, "
      << comparison.changed.size() << " changed, " << comparison.fixed.size() << " fixed.\n";
}

void write_json(std::ostream& out, const past_run& before, const past_run& now,
                const run_comparison& comparison) {
  json::object all;
  all["old"] = describe(before);
  all["new"] = describe(now);
  all["worse"] = comparison.worse();
  all["new_failures"] = describe(comparison.failures);
  all["lost_coverage"] = describe(comparison.uncovered);
  all["changed"] = describe(comparison.changed);
  all["fixed"] = describe(comparison.fixed);
  all["added"] = json::value_from(comparison.added);
  write_pretty(out, all);
  out << '\n';
}

}  // namespace assay
