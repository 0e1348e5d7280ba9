#include <assay/harness/testee/message.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace assay::testee {

namespace {

namespace json = boost::json;

constexpr int depth_max = 64;  // of aggregates in aggregates

[[noreturn]] void complain(const std::string& what) { throw protocol_error(what); }

// The beginning of what somebody wrote, for an error.
std::string quoted(std::string_view text) {
  constexpr std::size_t most = 80;
  std::string shown(text.substr(0, most));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return "'" + shown + (text.size() > most ? "...'" : "'");
}

// The one member of an answer, which says what it answers.
json::object read_line(std::string_view line, std::string_view wanted) {
  boost::system::error_code error;
  json::value read = json::parse(json::string_view(line.data(), line.size()), error);
  if (error) complain("wrote a line that is no JSON: " + quoted(line));
  json::object* const all = read.if_object();
  if (all == nullptr) complain("wrote a line that is no JSON object: " + quoted(line));
  if (const json::value* const own = all->if_contains("error")) complain("says: " + to_text(*own, "error"));
  json::value* const found = all->if_contains(wanted);
  if (found == nullptr)
    complain("did not answer with '" + std::string(wanted) + "' but with " + quoted(line));
  json::object* const said = found->if_object();
  if (said == nullptr) complain("sent no object as '" + std::string(wanted) + "'");
  return std::move(*said);
}

void require_trial(const json::object& said, std::int64_t trial) {
  const std::int64_t named = number_in(said, "trial");
  if (named != trial) {
    complain("answers for trial " + std::to_string(named) + " in trial " + std::to_string(trial));
  }
}

// What a testee, a subject, a contract may be called.
std::string name_in(const json::object& all, std::string_view what) {
  std::string name = text_in(all, what);
  const bool sound = !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!sound) complain("has the name " + quoted(name) + ": letters, digits, '_' and '-' are allowed");
  return name;
}

outcome read_plain(const json::value& text, int depth);

outcome read_aggregate(const json::object& all, int depth) {
  outcome result;
  result.kind = outcome_kind::aggregate;
  for (const json::value& one : list_in(all, "members")) {
    const json::object& inner = to_object(one, "members");
    outcome::member read;
    read.task = text_in(inner, "task");
    read.what = read_plain(member_in(inner, "what"), depth + 1);
    result.members.push_back(std::move(read));
  }
  return result;
}

outcome read_plain(const json::value& text, int depth) {
  if (depth > depth_max) complain("sent aggregates within aggregates without end");
  const json::object& all = to_object(text, "outcome");
  const std::string kind = text_in(all, "kind");
  outcome result;
  if (kind == "aggregate") return read_aggregate(all, depth);
  if (kind == "exit") {
    result.kind = outcome_kind::error;
    result.label = "exit " + std::to_string(number_in(all, "status"));
    return result;
  }
  constexpr outcome_kind plain[] = {outcome_kind::value,  outcome_kind::error,     outcome_kind::cancelled,
                                    outcome_kind::closed, outcome_kind::timed_out, outcome_kind::rejected,
                                    outcome_kind::broken};
  const auto found = std::find_if(std::begin(plain), std::end(plain),
                                  [&](outcome_kind one) { return to_string(one) == kind; });
  if (found == std::end(plain)) throw adapter_error("sent an outcome of the unknown kind " + quoted(kind));
  result.kind = *found;
  if (result.kind == outcome_kind::error) {
    result.label = text_in(all, "label");
  } else if (const json::value* const label = all.if_contains("label")) {
    result.label = to_text(*label, "label");
  }
  return result;
}

event read_event(const json::value& text) {
  const json::object& all = to_object(text, "events");
  event one;
  const auto is = [&all](std::string_view name) { return all.if_contains(name) != nullptr; };
  const auto take_args = [&] {
    one.on = number_in(all, "on");
    if (is("args")) one.args = to_object(all.at("args"), "args");
  };
  if (is("done")) {
    one.kind = event_kind::done;
    one.id = number_in(all, "done");
    one.how = read_outcome(member_in(all, "outcome"));
    if (is("then")) one.how.then = describe(read_outcome(all.at("then")).failure);
  } else if (is("callback")) {
    one.kind = event_kind::callback;
    one.id = number_in(all, "callback");
    one.name = text_in(all, "name");
    take_args();
  } else if (is("cancel")) {
    one.kind = event_kind::cancel;
    one.id = number_in(all, "cancel");
  } else if (is("tell")) {
    one.kind = event_kind::tell;
    one.name = text_in(all, "tell");
    take_args();
  } else if (is("unhandled")) {
    one.kind = event_kind::unhandled;
    one.how = read_outcome(all.at("unhandled"));
  } else if (is("refused")) {
    one.kind = event_kind::refused;
    one.id = number_in(all, "refused");
    if (is("why")) one.name = text_in(all, "why");
  } else {
    complain("sent an event of no known kind: " + quoted(json::serialize(text)));
  }
  return one;
}

std::map<std::int64_t, json::object> read_looked_at(const json::value& text) {
  std::map<std::int64_t, json::object> all;
  for (const auto& [name, values] : to_object(text, "looked_at")) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size())
      complain("has looked at " + quoted(name) + ", which is no object's number");
    all[number] = to_object(values, "looked_at");
  }
  return all;
}

subject_info read_subject(const json::object& text) {
  subject_info subject;
  subject.name = name_in(text, "name");
  subject.contract = name_in(text, "contract");
  if (const json::value* const features = text.if_contains("features"))
    subject.features = to_texts(*features, "features");
  if (const json::value* const declined = text.if_contains("declines")) {
    for (const auto& [feature, because] : to_object(*declined, "declines"))
      subject.declines[feature] = to_text(because, "declines");
  }
  if (text.if_contains("cites") != nullptr) subject.cites = text_in(text, "cites");
  subject.retains = flag_in(text, "retains");
  return subject;
}

}  // namespace

const subject_info& subject_of(const hello& said, std::string_view name) {
  const auto found = std::find_if(said.subjects.begin(), said.subjects.end(),
                                  [name](const subject_info& one) { return one.name == name; });
  if (found == said.subjects.end()) complain("does not host " + quoted(name));
  return *found;
}

std::string versions(const hello& said) {
  std::string text = said.language;
  for (const auto& [library, version] : said.libraries)
    text += (text.empty() ? "" : ", ") + library + " " + version;
  return text;
}

std::int64_t to_number(const json::value& value, std::string_view what) {
  if (const std::int64_t* const number = value.if_int64()) return *number;
  complain("sent no integer as '" + std::string(what) + "'");
}

std::string to_text(const json::value& value, std::string_view what) {
  const json::string* const text = value.if_string();
  if (text == nullptr) complain("sent no text as '" + std::string(what) + "'");
  return {text->data(), text->size()};
}

std::vector<std::int64_t> to_numbers(const json::value& value, std::string_view what) {
  std::vector<std::int64_t> all;
  for (const json::value& one : to_list(value, what)) all.push_back(to_number(one, what));
  return all;
}

std::vector<std::string> to_texts(const json::value& value, std::string_view what) {
  std::vector<std::string> all;
  for (const json::value& one : to_list(value, what)) all.push_back(to_text(one, what));
  return all;
}

bool to_flag(const json::value& value, std::string_view what) {
  if (const bool* const flag = value.if_bool()) return *flag;
  complain("sent neither true nor false as '" + std::string(what) + "'");
}

const json::array& to_list(const json::value& value, std::string_view what) {
  if (const json::array* const list = value.if_array()) return *list;
  complain("sent no list as '" + std::string(what) + "'");
}

const json::object& to_object(const json::value& value, std::string_view what) {
  if (const json::object* const all = value.if_object()) return *all;
  complain("sent no object as '" + std::string(what) + "'");
}

const json::value& member_in(const json::object& all, std::string_view name) {
  const json::value* const found = all.if_contains(name);
  if (found == nullptr) complain("sent a message without '" + std::string(name) + "'");
  return *found;
}

const json::array& list_in(const json::object& all, std::string_view name) {
  return to_list(member_in(all, name), name);
}

bool flag_in(const json::object& all, std::string_view name) {
  const json::value* const found = all.if_contains(name);
  return found != nullptr && to_flag(*found, name);
}

std::int64_t number_in(const json::object& all, std::string_view name) {
  return to_number(member_in(all, name), name);
}
std::string text_in(const json::object& all, std::string_view name) {
  return to_text(member_in(all, name), name);
}

hello read_hello(std::string_view line) {
  const json::object all = read_line(line, "hello");
  const std::int64_t version = number_in(all, "protocol");
  if (version < protocol_oldest || version > protocol_newest) {
    complain("speaks version " + std::to_string(version) + " of the protocol, and this program versions " +
             std::to_string(protocol_oldest) + " to " + std::to_string(protocol_newest));
  }
  hello said;
  said.protocol = version;
  said.name = name_in(all, "name");
  said.language = text_in(all, "language");
  if (const json::value* const libraries = all.if_contains("libraries")) {
    for (const auto& [library, text] : to_object(*libraries, "libraries"))
      said.libraries[library] = to_text(text, "libraries");
  }
  said.turns = flag_in(all, "turns");
  said.seeded = flag_in(all, "seeded");
  said.drops = flag_in(all, "drops");
  if (version > 1) {
    said.looks = flag_in(all, "looks");
    said.checkpoint = flag_in(all, "checkpoint");
    said.late = flag_in(all, "late");
  }
  for (const json::value& one : list_in(all, "subjects")) {
    subject_info subject = read_subject(to_object(one, "subjects"));
    for (const subject_info& other : said.subjects) {
      if (other.name == subject.name) complain("hosts two subjects " + quoted(subject.name));
    }
    said.subjects.push_back(std::move(subject));
  }
  if (said.subjects.empty()) complain("hosts no subject");
  return said;
}

void read_begun(std::string_view line, std::int64_t trial) { require_trial(read_line(line, "begun"), trial); }

namespace {

std::vector<std::chrono::nanoseconds> read_later(const json::array& all,
                                                 std::optional<std::chrono::nanoseconds> before) {
  std::vector<std::chrono::nanoseconds> times;
  for (const json::value& one : all) {
    const std::chrono::nanoseconds due(to_number(one, "later"));
    if (!before || due <= *before)
      complain("has deadlines in 'later' that are not each behind the one before");
    before = due;
    times.push_back(due);
  }
  return times;
}

}  // namespace

answer read_answer(std::string_view line, std::int64_t trial, std::int64_t number) {
  const json::object all = read_line(line, "instant");
  require_trial(all, trial);
  const std::int64_t named = number_in(all, "number");
  if (named != number) {
    complain("answers instant " + std::to_string(named) + (named < number ? " again" : "") +
             " when it was asked instant " + std::to_string(number));
  }
  answer said;
  for (const json::value& one : list_in(all, "events")) said.events.push_back(read_event(one));
  const json::value& deadline = member_in(all, "deadline");
  if (!deadline.is_null()) said.deadline = std::chrono::nanoseconds(to_number(deadline, "deadline"));
  if (all.contains("later")) said.later = read_later(list_in(all, "later"), said.deadline);
  if (const json::value* const looked_at = all.if_contains("looked_at"))
    said.looked_at = read_looked_at(*looked_at);
  return said;
}

std::vector<std::string> read_ended(std::string_view line, std::int64_t trial) {
  const json::object all = read_line(line, "ended");
  require_trial(all, trial);
  const json::value* const left = all.if_contains("left");
  return left == nullptr ? std::vector<std::string>() : to_texts(*left, "left");
}

ending read_outcome(const json::value& text) {
  const json::object& all = to_object(text, "outcome");
  const json::value* const kind = all.if_contains("kind");
  ending how;
  if (kind != nullptr && *kind == "exit") {
    how.failure = std::make_exception_ptr(exit_wish(static_cast<int>(number_in(all, "status"))));
    return how;
  }
  how.failure = to_exception(read_plain(text, 0));
  if (const json::value* const value = all.if_contains("value"); value != nullptr && !how.failure)
    how.value = *value;
  return how;
}

json::object write_outcome(const outcome& what) {
  json::object text;
  text["kind"] = to_string(what.kind);
  if (what.kind == outcome_kind::aggregate) {
    json::array members;
    for (const outcome::member& one : what.members) {
      json::object member;
      member["task"] = one.task;
      member["what"] = write_outcome(one.what);
      members.push_back(std::move(member));
    }
    text["members"] = std::move(members);
  } else if (!what.label.empty() || what.kind == outcome_kind::error) {
    text["label"] = what.label;
  }
  return text;
}

json::object write_outcome(const std::exception_ptr& failure, json::value value) {
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const exit_wish& wish) {
    json::object text;
    text["kind"] = "exit";
    text["status"] = wish.status();
    return text;
  } catch (...) {
    return write_outcome(describe(failure));
  }
  json::object text;
  text["kind"] = to_string(outcome_kind::value);
  if (!value.is_null()) text["value"] = std::move(value);
  return text;
}

std::exception_ptr to_exception(const outcome& what) {
  switch (what.kind) {
    case outcome_kind::pending:
    case outcome_kind::value:
      return nullptr;
    case outcome_kind::error:
      return std::make_exception_ptr(contract::operation_error(what.label));
    case outcome_kind::cancelled:
      return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
    case outcome_kind::closed:
      return std::make_exception_ptr(contract::closed_error());
    case outcome_kind::timed_out:
      return std::make_exception_ptr(contract::timed_out_error());
    case outcome_kind::rejected:
      return std::make_exception_ptr(contract::rejected_error(what.label.empty() ? "rejected" : what.label));
    case outcome_kind::broken:
      return std::make_exception_ptr(contract::broken_error(what.label.empty() ? "broken" : what.label));
    case outcome_kind::aggregate:
      break;
  }
  std::vector<contract::aggregate_error::member> members;
  for (const outcome::member& one : what.members) {
    contract::aggregate_error::member inner;
    inner.task = one.task;
    inner.failure = to_exception(one.what);
    members.push_back(std::move(inner));
  }
  return std::make_exception_ptr(contract::aggregate_error(std::move(members)));
}

}  // namespace assay::testee
