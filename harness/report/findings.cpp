#include <assay/harness/report/findings.hpp>

#include <algorithm>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/version.hpp>
#include <charconv>
#include <optional>
#include <set>
#include <stdexcept>

#include <assay/harness/report/output.hpp>
#include <assay/harness/report/pretty_json.hpp>

namespace assay {

BOOST_DESCRIBE_STRUCT(finding, (),
                      (subject, contract, clause, variant, verdict, message, verdict_fifo, shown_by,
                       io_context, reason, reference, since, fixed_in))

namespace json = boost::json;

namespace {

// Members that a file leaves out where they are empty.
constexpr const char* optional_members[] = {"since", "fixed_in"};

const finding* find_same(std::span<const finding> findings, const finding& one) {
  const auto found = std::find_if(findings.begin(), findings.end(), [&](const finding& other) {
    return other.name() == one.name() && is_of_boost(other, BOOST_VERSION);
  });
  return found == findings.end() ? nullptr : &*found;
}

// "1.83" as BOOST_VERSION has it; nothing if it is no version.
std::optional<int> boost_number(std::string_view text) {
  int major = 0;
  int minor = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return major * 100000 + minor * 100;
}

// In which way a finding is not the recorded one any more; empty if it is.
std::string difference(const finding& recorded, const finding& seen) {
  if (recorded.verdict != seen.verdict) return "its verdict";
  if (!begins_as(seen.message, recorded.message)) return "its message";
  if (recorded.verdict_fifo != seen.verdict_fifo) return "the order models that show it";
  if (recorded.shown_by != seen.shown_by) return "the phase that shows it";
  if (recorded.io_context != seen.io_context) return "what a stock io_context shows";
  return {};
}

// Another Boost's is not seen here. A testee that was not started has no say, nor has a subject whose adapter is wrong, nor
// one that the machine did not let be run.
bool is_absent(const finding& one, std::span<const campaign_result> run) {
  if (!is_of_boost(one, BOOST_VERSION)) return true;
  const bool mute = std::any_of(run.begin(), run.end(), [&](const campaign_result& result) {
    return (result.misplugged && result.subject == one.subject && result.contract == one.contract) ||
           (result.unrun && one.name() == result.subject + " " + result.scenario());
  });
  if (mute) return true;
  if (one.subject.find('.') == std::string::npos) return false;
  return std::none_of(run.begin(), run.end(),
                      [&](const campaign_result& result) { return result.subject == one.subject; });
}

}  // namespace

std::string finding::name() const {
  return subject + " " + contract + "/" + clause + (variant.empty() ? "" : "/" + variant);
}

bool is_of_boost(const finding& one, int boost) {
  const std::optional<int> since = boost_number(one.since);
  const std::optional<int> fixed_in = boost_number(one.fixed_in);
  return !(since && boost < *since) && !(fixed_in && boost >= *fixed_in);
}

bool begins_as(std::string_view message, std::string_view recorded) {
  const std::size_t gap = recorded.find(wildcard);
  const std::string_view literal = recorded.substr(0, gap);
  if (!message.starts_with(literal)) return false;
  if (gap == std::string_view::npos) return true;
  message.remove_prefix(literal.size());
  recorded.remove_prefix(gap + wildcard.size());
  for (std::size_t skipped = 0; skipped <= std::min(wildcard_max, message.size()); ++skipped) {
    if (begins_as(message.substr(skipped), recorded)) return true;
  }
  return false;
}

std::vector<finding> findings_of(std::span<const campaign_result> results,
                                 std::span<const campaign_result> on_io_context) {
  std::vector<finding> findings;
  for (const campaign_result& one : results) {
    const bool bad = one.outcome == verdict::fail || one.outcome == verdict::error;
    if (one.kind != subject_kind::third_party || !bad || one.misplugged || one.unrun) continue;
    finding seen;
    seen.subject = one.subject;
    seen.contract = one.contract;
    seen.clause = one.clause;
    seen.variant = one.variant;
    seen.verdict = to_string(one.outcome);
    seen.message = one.message;
    seen.verdict_fifo = to_string(one.outcome_fifo);
    seen.shown_by = one.shown_by;
    const auto stock =
        std::find_if(on_io_context.begin(), on_io_context.end(), [&](const campaign_result& other) {
          return other.subject == one.subject && other.scenario() == one.scenario();
        });
    if (stock != on_io_context.end()) seen.io_context = to_string(stock->outcome);
    findings.push_back(std::move(seen));
  }
  return findings;
}

std::vector<finding> read_findings(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  try {
    json::value all = json::parse(text);
    for (json::value& one : all.at("findings").as_array()) {
      for (const char* const optional : optional_members) one.as_object().emplace(optional, "");
    }
    return json::value_to<std::vector<finding>>(all.at("findings"));
  } catch (const std::exception& failure) {
    throw std::runtime_error("the findings in '" + file.string() + "' cannot be read: " + failure.what());
  }
}

void write_findings(const std::filesystem::path& file, std::span<const finding> findings) {
  json::object all;
  all["about"] =
      "What third parties are known to break. `assay run --findings THIS` fails when one is gone, has "
      "changed or is "
      "new; `--update-findings` records what is seen now. Each needs a reason, by a person. `message` is "
      "what the "
      "verdict's message begins with; {*} in it stands for at most 40 characters. `since` and `fixed_in` "
      "are versions of Boost.";
  json::array& list = all["findings"].emplace_array();
  for (const finding& one : findings) {
    json::object written = json::value_from(one).as_object();
    for (const char* const optional : optional_members) {
      if (written[optional].as_string().empty()) written.erase(optional);
    }
    list.push_back(std::move(written));
  }
  write_file(file, [&all](std::ostream& out) {
    write_pretty(out, all);
    out << '\n';
  });
}

findings_comparison compare(std::span<const finding> recorded, std::span<const finding> seen,
                            std::span<const campaign_result> run, bool whole) {
  findings_comparison result;
  for (const finding& one : seen) {
    const finding* const before = find_same(recorded, one);
    if (before == nullptr) {
      result.appeared.push_back(one);
    } else if (std::string what = difference(*before, one); !what.empty()) {
      result.changed.push_back({*before, one, std::move(what)});
    } else {
      result.confirmed.push_back(*before);
    }
  }
  for (const finding& one : recorded) {
    if (find_same(seen, one) != nullptr || is_absent(one, run)) continue;
    const bool was_run = std::any_of(run.begin(), run.end(), [&](const campaign_result& result_of_run) {
      return one.name() == result_of_run.subject + " " + result_of_run.scenario();
    });
    if (whole || was_run) result.disappeared.push_back(one);
  }
  return result;
}

std::vector<finding> updated(std::span<const finding> recorded, std::span<const finding> seen,
                             std::span<const campaign_result> run) {
  std::vector<finding> result(seen.begin(), seen.end());
  for (finding& one : result) {
    const finding* const before = find_same(recorded, one);
    if (before == nullptr) continue;
    one.reason = before->reason;
    one.reference = before->reference;
    one.since = before->since;
    one.fixed_in = before->fixed_in;
    if (begins_as(one.message, before->message)) one.message = before->message;
  }
  for (const finding& one : recorded) {
    if (is_absent(one, run)) result.push_back(one);
  }
  return result;
}

std::vector<std::string> lint_findings(std::span<const finding> findings) {
  std::vector<std::string> complaints;
  std::set<std::string> names;
  for (const finding& one : findings) {
    if (one.reason.empty()) complaints.push_back("the finding '" + one.name() + "' has no reason");
    if (one.message.empty()) complaints.push_back("the finding '" + one.name() + "' has no message");
    if (one.message.starts_with(wildcard))
      complaints.push_back("the finding '" + one.name() + "' has a message that begins with a wildcard");
    constexpr std::size_t wildcards_max = 4;
    std::size_t wildcards = 0;
    for (std::size_t at = 0; (at = one.message.find(wildcard, at)) != std::string::npos;
         at += wildcard.size())
      ++wildcards;
    if (wildcards > wildcards_max)
      complaints.push_back("the finding '" + one.name() + "' has a message with more than " +
                           std::to_string(wildcards_max) + " wildcards");
    for (const std::string* const version : {&one.since, &one.fixed_in}) {
      if (!version->empty() && !boost_number(*version))
        complaints.push_back("the finding '" + one.name() + "' names '" + *version +
                             "', which is no version of Boost");
    }
    if (!names.insert(one.name() + " since " + one.since).second) {
      complaints.push_back("the finding '" + one.name() + "' is recorded twice");
    }
    if (one.verdict != "fail" && one.verdict != "error") {
      complaints.push_back("the finding '" + one.name() + "' has the verdict '" + one.verdict +
                           "', which is no finding");
    }
  }
  return complaints;
}

}  // namespace assay
