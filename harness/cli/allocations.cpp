#include <assay/harness/cli/allocations.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <iomanip>
#include <ostream>

#include <assay/harness/report/pretty_json.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

namespace {

// Points that ended alike.
struct group {
  const allocation_case* first;
  std::string points;
  std::uint32_t size;
};

std::vector<group> grouped(const std::vector<allocation_case>& bad) {
  std::vector<group> groups;
  for (const allocation_case& one : bad) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const group& g) {
      return g.first->outcome == one.outcome && g.first->message == one.message;
    });
    if (same == groups.end()) {
      groups.push_back({&one, to_string(one.fault), 1});
    } else {
      same->points += ", " + to_string(one.fault);
      ++same->size;
    }
  }
  return groups;
}

std::string counts(const std::array<std::uint32_t, allocation_outcomes>& count, std::uint32_t left_turns) {
  std::string text;
  for (std::size_t i = 0; i < count.size(); ++i) {
    const auto outcome = static_cast<allocation_outcome>(i);
    if (count[i] == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(count[i]) + " " + std::string(to_string(outcome));
    if (outcome == allocation_outcome::surfaced && left_turns > 0)
      text += " (" + std::to_string(left_turns) + " out of the event loop)";
  }
  return text.empty() ? "no trials" : text;
}

void write_one(std::ostream& out, const allocation_sweep& one, const std::string& program) {
  out << std::left << std::setw(14) << one.subject << "  " << std::setw(28) << one.scenario << "  ";
  if (!one.skipped.empty()) {
    out << "skip: " << one.skipped << '\n';
    return;
  }
  if (!one.problem.empty()) {
    out << "ERROR: " << one.problem << '\n';
    return;
  }
  out << one.points << " points, " << one.covered << " covered: " << counts(one.count, one.left_turns)
      << '\n';
  for (const group& each : grouped(one.bad)) {
    out << "    " << to_string(each.first->outcome) << ": " << each.first->message << "\n      at "
        << each.points << "\n      " << replay_command(program, each.first->token) << '\n';
  }
}

}  // namespace

void write_text(std::ostream& out, std::span<const allocation_sweep> sweeps, const extent& seen,
                const std::string& program) {
  std::uint64_t points = 0;
  std::uint64_t covered = 0;
  std::array<std::uint32_t, allocation_outcomes> count{};
  std::uint32_t left_turns = 0;
  std::size_t swept = 0;
  std::size_t failing = 0;
  for (const allocation_sweep& one : sweeps) {
    write_one(out, one, program);
    if (!one.skipped.empty() || !one.problem.empty()) continue;
    ++swept;
    points += one.points;
    covered += one.covered;
    failing += one.is_bad() ? 1 : 0;
    left_turns += one.left_turns;
    for (std::size_t i = 0; i < count.size(); ++i) count[i] += one.count[i];
  }
  out << '\n'
      << swept << " of " << seen.selected << " scenarios with their subjects swept: " << points
      << " allocations, " << covered
      << " of them failed once, and with all later ones: " << counts(count, left_turns) << ". "
      << (failing == 0 ? "Nothing is bad." : std::to_string(failing) + " scenarios have bad outcomes.")
      << "\nAt N that allocation fails, at N+ that one and every later one.\n";
  if (seen.interrupted)
    out << "This was " << how_far(seen, "scenarios") << "; nothing is said of the others.\n";
}

void write_json(std::ostream& out, std::span<const allocation_sweep> sweeps, const extent& seen) {
  namespace json = boost::json;
  json::array all;
  for (const allocation_sweep& one : sweeps) {
    json::object counted;
    for (std::size_t i = 0; i < one.count.size(); ++i)
      counted[to_string(static_cast<allocation_outcome>(i))] = one.count[i];
    json::array bad;
    for (const allocation_case& each : one.bad) {
      bad.push_back(json::object{{"allocation", each.fault.number},
                                 {"persistent", each.fault.persistent},
                                 {"outcome", to_string(each.outcome)},
                                 {"message", each.message},
                                 {"token", each.token}});
    }
    all.push_back(json::object{{"subject", one.subject},
                               {"scenario", one.scenario},
                               {"skipped", one.skipped},
                               {"problem", one.problem},
                               {"points", one.points},
                               {"covered", one.covered},
                               {"outcomes", std::move(counted)},
                               {"left_turns", one.left_turns},
                               {"bad", std::move(bad)}});
  }
  json::object written;
  put_origin(written);
  written["allocations"] = std::move(all);
  written["summary"] = to_json(seen);
  write_pretty(out, written);
  out << '\n';
}

int exit_status(std::span<const allocation_sweep> sweeps) {
  const auto any = [&](auto&& test) { return std::any_of(sweeps.begin(), sweeps.end(), test); };
  if (any([](const allocation_sweep& one) { return one.is_bad(); })) return 1;
  if (any([](const allocation_sweep& one) { return !one.problem.empty(); })) return 2;
  return any([](const allocation_sweep& one) { return one.skipped.empty(); }) ? 0 : 2;
}

}  // namespace assay
