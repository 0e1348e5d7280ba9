#include <assay/harness/campaign/forked_trial.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <assay/harness/campaign/sudden_end.hpp>

namespace assay {

namespace {

namespace json = boost::json;

json::array strings(const std::set<std::string>& all) {
  json::array out;
  for (const std::string& one : all) out.emplace_back(one);
  return out;
}

std::string to_text(const trial_result& result) {
  json::array choices;
  for (const choice& one : result.choices) {
    choices.push_back(static_cast<int>(one.kind));
    choices.push_back(one.arity);
    choices.push_back(one.chosen);
  }
  json::object out = {{"kind", static_cast<int>(result.kind)},
                      {"message", result.message},
                      {"choices", std::move(choices)},
                      {"reached", strings(result.reached)},
                      {"wanted", strings(result.wanted)},
                      {"victim_named", result.victim_named},
                      {"body_suspended", result.body_suspended},
                      {"cancel_points", result.cancel_points},
                      {"fault_points", result.fault_points},
                      {"turns", result.turns},
                      {"order_class", result.order_class},
                      {"chains", result.chains},
                      {"task_turns", json::value_from(result.task_turns)}};
  if (const auto& seen = result.allocations)
    out["allocations"] = {seen->points,    seen->failed,    seen->told,
                          seen->left_turn, seen->only_lost, seen->kept};
  json::array failures;
  for (const std::string& one : result.failures) failures.emplace_back(one);
  out["failures"] = std::move(failures);
  if (result.events) {
    json::array events;
    for (const event& one : result.events->events()) {
      events.push_back({one.at.count(), one.task, static_cast<int>(one.kind), one.text});
    }
    out["events"] = std::move(events);
    json::array notes;
    for (const trace_note& one : result.events->notes())
      notes.push_back({one.before, one.at.count(), one.kind, one.text});
    out["notes"] = std::move(notes);
  }
  return json::serialize(out);
}

trial_result from_text(const std::string& text) {
  const json::object in = json::parse(text).as_object();
  const auto number = [&in](const char* name) { return in.at(name).to_number<std::uint64_t>(); };
  trial_result result;
  result.kind = static_cast<failure_kind>(number("kind"));
  result.message = in.at("message").as_string().c_str();
  const json::array& choices = in.at("choices").as_array();
  for (std::size_t i = 0; i + 2 < choices.size(); i += 3) {
    result.choices.push_back({static_cast<choice_kind>(choices[i].to_number<int>()),
                              choices[i + 1].to_number<std::uint32_t>(),
                              choices[i + 2].to_number<std::uint32_t>()});
  }
  for (const json::value& one : in.at("failures").as_array())
    result.failures.emplace_back(one.as_string().c_str());
  for (const json::value& one : in.at("reached").as_array()) result.reached.emplace(one.as_string().c_str());
  for (const json::value& one : in.at("wanted").as_array()) result.wanted.emplace(one.as_string().c_str());
  result.victim_named = in.at("victim_named").as_bool();
  result.body_suspended = in.at("body_suspended").as_bool();
  result.cancel_points = static_cast<std::uint32_t>(number("cancel_points"));
  result.fault_points = static_cast<std::uint32_t>(number("fault_points"));
  result.turns = number("turns");
  result.order_class = number("order_class");
  result.chains = static_cast<std::uint32_t>(number("chains"));
  if (const json::value* const seen = in.if_contains("allocations")) {
    const json::array& a = seen->as_array();
    result.allocations = {
        a[0].to_number<std::uint32_t>(), a[1].as_bool(), a[2].as_bool(), a[3].as_bool(), a[4].as_bool(),
        a[5].to_number<std::uint64_t>()};
  }
  result.task_turns = json::value_to<std::vector<std::uint32_t>>(in.at("task_turns"));
  if (const json::value* const events = in.if_contains("events")) {
    result.events.emplace();
    for (const json::value& one : events->as_array()) {
      const json::array& e = one.as_array();
      result.events->record(std::chrono::nanoseconds(e[0].to_number<std::int64_t>()),
                            e[1].to_number<std::uint32_t>(), static_cast<event_kind>(e[2].to_number<int>()),
                            e[3].as_string().c_str());
    }
    for (const json::value& one : in.at("notes").as_array()) {
      const json::array& n = one.as_array();
      result.events->annotate({n[0].to_number<std::size_t>(),
                               std::chrono::nanoseconds(n[1].to_number<std::int64_t>()),
                               n[2].as_string().c_str(), n[3].as_string().c_str()});
    }
  }
  return result;
}

trial_result crashed(int status, const shared_mirror& mirror) {
  trial_result result;
  result.choices = mirror.choices();
  result.kind = failure_kind::crashed;
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.message = result.signal != 0
                       ? "crashed: the process was ended by " + std::string(::strsignal(result.signal))
                       : "crashed: the process ended with status " + std::to_string(WEXITSTATUS(status));
  if (mirror.hung()) {
    result.kind = failure_kind::hung;
    result.message = mirror.end();
  }
  result.failures.push_back(result.message);
  result.events = mirror.last_events();
  // What could not speak for itself any more (SIGKILL, _exit) is told of all the same.
  const std::string end = mirror.end();
  const std::vector<event> last = result.events->events();
  result.events->record(last.empty() ? std::chrono::nanoseconds() : last.back().at,
                        last.empty() ? trial::subject_task : last.back().task, event_kind::failure,
                        end.empty() ? result.message : end);
  return result;
}

// What a child does to run a trial: its result as text.
std::string run_to_text(shared_mirror& mirror, std::chrono::seconds hang_after,
                        const std::function<trial_result()>& run) {
  const sudden_end_guard last_words(mirror, hang_after);
  const std::string text = to_text(run());
  mirror.work_ends();
  return text;
}

trial_result result_of(child_process& child, const shared_mirror& mirror) {
  const child_process::end seen = child.wait();
  if (!seen.whole() && !mirror.working())
    throw std::system_error(EIO, std::generic_category(), "the result of a trial's process");
  if (!seen.whole()) return crashed(seen.status, mirror);
  return from_text(seen.text);
}

trial_result run_in_child(std::chrono::seconds hang_after, const subject_base& chosen,
                          const scenario_info& scenario, choice_source& source,
                          const trial_settings& settings, bool traced, const campaign_observer* observer) {
  shared_mirror mirror;  // what the child chose, however it ends
  mirror.trial_begins(settings);
  campaign_observer mirrored;
  if (observer != nullptr) mirrored = *observer;
  mirrored.mirror = &mirror;
  mirrored.events = traced || mirrored.events != nullptr ? &mirror : nullptr;
  mirror.work_begins();
  child_process child([&] {
    return run_to_text(mirror, hang_after,
                       [&] { return run_trial(chosen, scenario, source, settings, traced, &mirrored); });
  });
  return result_of(child, mirror);
}

// Empty if nothing is asked any more.
std::string read_line(int from) {
  std::string line;
  char next = 0;
  while (true) {
    const ssize_t count = ::read(from, &next, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return {};
    if (next == '\n') return line;
    line += next;
  }
}

}  // namespace

trial_result run_forked_trial(const subject_base& chosen, const scenario_info& scenario,
                              choice_source& source, const trial_settings& settings, bool traced,
                              const campaign_observer* observer) {
  return run_in_child({}, chosen, scenario, source, settings, traced, observer);
}

trial_runner forked_trials(std::chrono::seconds hang_after) {
  return [hang_after](const subject_base& chosen, const scenario_info& scenario, choice_source& source,
                      const trial_settings& settings, bool traced, const campaign_observer* observer) {
    return run_in_child(hang_after, chosen, scenario, source, settings, traced, observer);
  };
}

waiting_trial::waiting_trial(std::chrono::seconds hang_after, const runner& run)
    : ask_(make_pipe()), child_([&] {
        ask_.writes.close();
        const std::string asked = read_line(ask_.reads.get());
        if (asked.empty()) return std::string();
        campaign_observer observer;
        observer.mirror = &mirror_;
        observer.events = &mirror_;
        return run_to_text(mirror_, hang_after, [&] { return run(asked, observer); });
      }) {}

trial_result waiting_trial::run(std::string asked) {
  mirror_.work_begins();
  asked += '\n';
  // No broken pipe can come of it, since this process keeps the other end as well.
  if (!write_all(ask_.writes.get(), asked)) refuse("write of what a child process is asked");
  return result_of(child_, mirror_);
}

}  // namespace assay
