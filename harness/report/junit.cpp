#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <map>
#include <ostream>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

namespace {

using boost::property_tree::ptree;

// XML 1.0 has no way to write most control characters; what a subject said may hold any byte.
std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte >= 0x7f) c = '?';
  }
  return text;
}

ptree test_case(const run_report& report, const campaign_result& one, const std::string& suite, tally& sum) {
  ptree test;
  test.put("<xmlattr>.classname", printable(suite));
  test.put("<xmlattr>.name", printable(one.clause + (one.variant.empty() ? "" : " " + one.variant)));
  verdict judged = report.judged(one);
  std::string message = one.message;
  const std::string* const dispute = catalogue::instance().dispute_of(one.clause);
  if (is_bad(judged) && recorded_as(report, one) != nullptr) {
    judged = verdict::skip;
    message = "a recorded finding: " + message;
  } else if (judged == verdict::fail && dispute != nullptr) {
    judged = verdict::skip;
    message = "the clause is disputed (" + *dispute + "): " + message;
  }
  sum.count(judged);
  if (judged == verdict::pass) return test;
  if (judged == verdict::skip) {
    test.put("skipped.<xmlattr>.message", printable(message));
    return test;
  }
  std::string text;
  for (const std::string& line : message_lines(one.message)) text += line + '\n';
  text += "shown by: " + shown_under(one) + '\n' + replay_command(report.program, one.token) + '\n';
  for (const std::string& line : one.story) text += line + '\n';
  ptree failure(printable(text));
  failure.put("<xmlattr>.message", printable(message));
  failure.put("<xmlattr>.type", one.shown_by);
  test.add_child(judged == verdict::error ? "error" : "failure", failure);
  return test;
}

void put_counts(ptree& node, const tally& sum) {
  node.put("<xmlattr>.tests", sum.passed + sum.failed + sum.skipped + sum.errors);
  node.put("<xmlattr>.failures", sum.failed);
  node.put("<xmlattr>.errors", sum.errors);
  node.put("<xmlattr>.skipped", sum.skipped);
}

// A suite of its own for what belongs to no test that was run, but must fail the build all the same.
void add_errors(ptree& suites, const std::string& name, const std::vector<std::string>& messages,
                tally& total) {
  if (messages.empty()) return;
  ptree suite;
  tally sum;
  suite.put("<xmlattr>.name", name);
  for (const std::string& message : messages) {
    ptree test;
    test.put("<xmlattr>.classname", name);
    test.put("<xmlattr>.name", printable(message));
    ptree error(printable(message));
    error.put("<xmlattr>.message", printable(message));
    test.add_child("error", error);
    suite.add_child("testcase", test);
    sum.count(verdict::error);
    total.count(verdict::error);
  }
  put_counts(suite, sum);
  suites.add_child("testsuite", suite);
}

// Where it came from: what JUnit calls properties.
ptree origin(const run_report& report, const std::string& library) {
  ptree all;
  const auto add = [&all](const char* name, const std::string& value) {
    if (value.empty()) return;
    ptree property;
    property.put("<xmlattr>.name", name);
    property.put("<xmlattr>.value", printable(value));
    all.add_child("property", property);
  };
  add("version", std::string(version()));
  add("build", build_id());
  add("commit", std::string(commit()));
  add("compiler", compiler());
  add("boost", boost_version());
  add("date", report.date);
  add("library", library);
  return all;
}

// A finding that is gone belongs to no test that ran badly, but it must fail the build all the same.
void add_lost_findings(ptree& suites, const run_report& report, tally& total) {
  if (!report.compared || report.findings.disappeared.empty()) return;
  ptree suite;
  tally sum;
  suite.put("<xmlattr>.name", "findings");
  for (const finding& one : report.findings.disappeared) {
    ptree test;
    test.put("<xmlattr>.classname", "findings");
    test.put("<xmlattr>.name", printable(one.name()));
    ptree failure(printable("recorded: " + one.message));
    failure.put("<xmlattr>.message", "a recorded finding has disappeared");
    test.add_child("failure", failure);
    suite.add_child("testcase", test);
    sum.count(verdict::fail);
    total.count(verdict::fail);
  }
  put_counts(suite, sum);
  suites.add_child("testsuite", suite);
}

}  // namespace

void write_junit(std::ostream& out, const run_report& report) {
  std::vector<std::string> names;  // in the order in which they come
  std::map<std::string, ptree> suites;
  std::map<std::string, tally> sums;
  tally total;
  for (const campaign_result& one : report.results) {
    const std::string name = one.subject + "." + one.contract;
    if (!suites.contains(name)) {
      names.push_back(name);
      suites[name].put("<xmlattr>.name", printable(name));
      suites[name].add_child("properties", origin(report, library_of(one.contract, one.subject)));
    }
    tally& sum = sums[name];
    const ptree test = test_case(report, one, name, sum);
    suites[name].add_child("testcase", test);
  }
  ptree root;
  ptree& all = root.put("testsuites", "");
  all.put("<xmlattr>.name", "assay");
  for (const std::string& name : names) {
    const tally& sum = sums[name];
    put_counts(suites[name], sum);
    total.passed += sum.passed;
    total.failed += sum.failed;
    total.skipped += sum.skipped;
    total.errors += sum.errors;
    all.add_child("testsuite", suites[name]);
  }
  add_lost_findings(all, report, total);
  std::vector<std::string> problems = report.problems;
  if (const std::string what = advice(report); !what.empty()) problems.push_back(what);
  add_errors(all, "problems", problems, total);
  if (report.interrupted) add_errors(all, "run", {how_far(report.how_far(), "scenario runs")}, total);
  put_counts(all, total);
  boost::property_tree::write_xml(out, root,
                                  boost::property_tree::xml_writer_make_settings<std::string>(' ', 2));
}

}  // namespace assay
