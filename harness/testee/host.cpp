#include <assay/harness/testee/host.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <system_error>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/spelling.hpp>

namespace assay::testee {

namespace {

namespace json = boost::json;

struct factory {
  subject_factory make;
  std::vector<std::string> unseen;
};

std::map<std::string, factory, std::less<>>& factories() {
  static std::map<std::string, factory, std::less<>> all;
  return all;
}

// A deque: subjects refer to its elements.
std::deque<known_testee>& known() {
  static std::deque<known_testee> all;
  return all;
}

std::map<const known_testee*, std::unique_ptr<process>>& processes() {
  static std::map<const known_testee*, std::unique_ptr<process>> all;
  return all;
}

// The machine's refusal is an error of the testee that cannot be tried, and no outcome of anything.
std::unique_ptr<process> start(const launch& how) {
  try {
    return std::make_unique<process>(how.command, how.folder, how.patience);
  } catch (const std::system_error& refusal) {
    throw protocol_error(std::string("cannot be started: ") + refusal.what());
  }
}

// The answer to a hello, as it is: what it says is read where it is needed.
std::string ask_hello(process& started) {
  json::object greeting;
  greeting["protocol"] = protocol_oldest;  // a testee of this version knows no other
  greeting["newest"] = protocol_newest;
  greeting["harness"] = "assay " + std::string(version());
  json::object line;
  line["hello"] = std::move(greeting);
  return started.exchange(json::serialize(line));
}

void require_factories(const hello& said) {
  for (const subject_info& one : said.subjects) {
    if (factories().contains(one.contract)) continue;
    std::string names;
    for (const auto& [contract, make] : factories()) names += (names.empty() ? "" : ", ") + contract;
    throw protocol_error("hosts '" + one.name + "' of the contract '" + one.contract +
                         "', which is unknown here; known are " + names);
  }
}

// A feature that is misspelt would be one that is not claimed, and the claim of one that cannot be seen would never be held
// against anybody.
void require_features(const hello& said) {
  for (const subject_info& one : said.subjects) {
    const contract_info* const contract = catalogue::instance().find_contract(one.contract);
    const std::vector<std::string>& unseen = factories().find(one.contract)->second.unseen;
    std::vector<std::string> names;
    if (contract != nullptr) {
      for (const feature_info& feature : contract->features) names.emplace_back(feature.name);
      for (const feature_info& feature : common_features) names.emplace_back(feature.name);
    }
    const auto in_words = [&one](const char* says, const std::string& feature) {
      return std::string(says) + " the feature '" + feature + "' for '" + one.name + "', which ";
    };
    const auto require_known = [&](const std::string& words, const std::string& feature) {
      if (std::find(names.begin(), names.end(), feature) == names.end())
        throw protocol_error(words + "'" + one.contract + "' does not have" + suggestion(feature, names));
    };
    for (const std::string& feature : one.features) {
      const std::string words = in_words("claims", feature);
      require_known(words, feature);
      if (std::find(unseen.begin(), unseen.end(), feature) != unseen.end())
        throw protocol_error(words + "cannot be seen from outside its process");
    }
    for (const auto& [feature, because] : one.declines) {
      const std::string words = in_words("declines", feature);
      require_known(words, feature);
      if (std::find(one.features.begin(), one.features.end(), feature) != one.features.end())
        throw protocol_error(words + "it claims");
    }
  }
}

const known_testee& keep(launch how, std::string line) {
  hello said = read_hello(line);
  for (const known_testee& other : known()) {
    if (other.said.name == said.name)
      throw protocol_error("is called '" + said.name + "', and so is '" + other.how.command + "'");
  }
  require_factories(said);
  require_features(said);
  known().push_back({std::move(how), std::move(line), std::move(said)});
  const known_testee& host = known().back();
  catalogue& all = catalogue::instance();
  for (const subject_info& one : host.said.subjects) {
    subject_traits traits;
    traits.features = one.features;
    traits.declines = one.declines;
    // A request is delivered once in some languages, and who goes on after it has missed it. So it is for the testee to say
    // that its callers hear of it again.
    const bool claimed =
        std::erase(traits.features, sticky_request) > 0;  // claimed is what is common and not declined
    if (!claimed || !host.said.checkpoint)
      traits.declines.emplace(sticky_request,
                              "not claimed, or no caller goes on after its call (`checkpoint`)");
    traits.cites = one.cites;
    traits.testee = host.said.name;
    traits.written_in = versions(host.said);
    all.add(factories()
                .find(one.contract)
                ->second.make(host.said.name + "." + one.name, std::move(traits), host, one.name));
  }
  all.sort();
  return host;
}

}  // namespace

void add_factory(std::string_view contract, subject_factory make, std::vector<std::string> unseen) {
  factories().insert_or_assign(std::string(contract), factory{std::move(make), std::move(unseen)});
}

const known_testee& introduce(const launch& how) {
  try {
    std::unique_ptr<process> started = start(how);
    const known_testee& host = keep(how, ask_hello(*started));
    processes()[&host] = std::move(started);
    return host;
  } catch (const protocol_error& failure) {
    throw protocol_error("the testee '" + how.command + "' " + failure.what());
  }
}

bool is_known(std::string_view name) {
  return std::any_of(known().begin(), known().end(),
                     [name](const known_testee& one) { return one.said.name == name; });
}

std::string options_for(std::string_view subject) {
  for (const known_testee& one : known()) {
    if (subject.starts_with(one.said.name + ".")) return one.how.options;
  }
  return {};
}

std::string write_known() {
  json::array all;
  for (const known_testee& one : known()) {
    json::object host;
    host["command"] = one.how.command;
    host["folder"] = one.how.folder;
    host["patience_ns"] = one.how.patience.count();
    host["said"] = one.line;
    all.push_back(std::move(host));
  }
  return json::serialize(all);
}

void recall(std::string_view text) {
  const json::value read = json::parse(json::string_view(text.data(), text.size()));
  for (const json::value& one : read.as_array()) {
    launch how;
    how.command = one.at("command").as_string().c_str();
    how.folder = one.at("folder").as_string().c_str();
    how.patience = std::chrono::nanoseconds(one.at("patience_ns").as_int64());
    keep(std::move(how), one.at("said").as_string().c_str());
  }
}

process& running(const known_testee& host) {
  std::unique_ptr<process>& slot = processes()[&host];
  if (slot != nullptr) return *slot;
  std::unique_ptr<process> started = start(host.how);
  if (read_hello(ask_hello(*started)) != host.said)
    throw protocol_error("says of itself what it did not say when it was first started");
  slot = std::move(started);
  return *slot;
}

std::int64_t next_trial() {
  static std::int64_t trials = 0;
  return ++trials;
}

void discard(const known_testee& host) noexcept { processes().erase(&host); }

}  // namespace assay::testee
