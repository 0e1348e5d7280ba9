#include <assay/harness/cli/testees.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>

#include <assay/harness/catalogue/spelling.hpp>
#include <assay/harness/cli/selection.hpp>
#include <assay/harness/report/output.hpp>
#include <assay/harness/testee/host.hpp>

namespace assay {

namespace {

namespace json = boost::json;

using commands = std::map<std::string, std::string>;

commands read_commands(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) throw usage_error("cannot read the testees in '" + path.string() + "'");
  const std::string text = read_file(path);
  commands found;
  try {
    const json::value read = json::parse(text);
    for (const auto& [name, one] : read.at("testees").as_object())
      found[name] = json::value_to<std::string>(one.at("command"));
  } catch (const std::exception& failure) {
    throw usage_error("'" + path.string() +
                      "' is not {\"testees\": {NAME: {\"command\": TEXT}, ...}}: " + failure.what());
  }
  return found;
}

bool is_name(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

std::vector<std::string> start_testees(const testee_options& options, std::span<const std::string> subjects) {
  const std::filesystem::path path = options.file.empty() ? usual_testees_file : options.file;
  commands named;
  if (!options.file.empty() || std::filesystem::exists(path)) named = read_commands(path);
  std::vector<std::string> names;
  for (const auto& [name, command] : named) names.push_back(name);
  if (options.all && names.empty())
    throw usage_error("--all-testees needs a file of testees: '" + path.string() + "' is not there");

  std::set<std::string> wanted;
  std::vector<std::string> ad_hoc;
  if (options.all) wanted.insert(names.begin(), names.end());
  for (const std::string& one : options.chosen) {
    if (named.contains(one)) {
      wanted.insert(one);
    } else if (is_name(one)) {
      throw usage_error("unknown testee '" + one + "'" + suggestion(one, names) +
                        "; a command has a '/' or a blank");
    } else {
      ad_hoc.push_back(one);
    }
  }
  std::vector<std::string> problems;
  const auto start = [&](const std::string& command, const std::filesystem::path& folder,
                         const std::string& name, std::string typed) {
    testee::launch how;
    how.options = std::move(typed);
    how.command = command;
    how.folder = folder.string();
    how.patience = std::chrono::seconds(options.patience_s);
    try {
      const testee::known_testee& host = testee::introduce(how);
      if (!name.empty() && host.said.name != name)
        problems.push_back("the testee '" + name + "' of " + path.string() + " calls itself '" +
                           host.said.name + "'");
    } catch (const std::runtime_error& failure) {
      problems.emplace_back(failure.what());
    }
  };
  const std::string file_option = options.file.empty() ? "" : "--testees " + shell_quoted(options.file);
  for (const std::string& command : ad_hoc) start(command, {}, {}, "--testee " + shell_quoted(command));
  // Who brings a testee of a name that the file has as well means this one.
  for (const std::string& one : subjects) {
    const std::string head = one.substr(0, one.find_first_of(".*?["));
    if (named.contains(head) && !testee::is_known(head)) wanted.insert(head);
  }
  for (const std::string& name : wanted) start(named[name], path.parent_path(), name, file_option);
  return problems;
}

}  // namespace assay
