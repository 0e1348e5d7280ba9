#include <assay/harness/report/perfetto.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <string_view>

#include <assay/harness/report/pretty_json.hpp>

namespace assay {

namespace json = boost::json;

namespace {

class process_writer {
 public:
  process_writer(json::array& events, int process, const timeline& drawn)
      : events_(events), process_(process), drawn_(drawn) {}

  void write(std::string_view name) {
    add_name("process_name", 0, name);
    for (std::uint32_t task = 0; task < drawn_.tasks.size(); ++task)
      add_name("thread_name", task, drawn_.tasks[task]);
    std::uint32_t started = 1;  // the scenario is there from the beginning
    begun_[1] = 0;
    for (const event& one : drawn_.events) {
      move_to(one);
      switch (one.kind) {
        case event_kind::turn:
          add_span(one.task, "turn", turn_begins_, now_);
          turn_begins_ = now_;
          if (finished_.contains(one.task)) end_task(one.task);
          break;
        case event_kind::time:
          turn_begins_ = now_;
          break;
        case event_kind::start:
          begun_[++started] = now_;
          add_instant(one, started);
          break;
        case event_kind::finish:
          finished_.insert(one.task);  // the turn in which it did goes on
          add_instant(one, one.task);
          break;
        case event_kind::choice:
        case event_kind::cancel:
        case event_kind::fault:
        case event_kind::item:
        case event_kind::mark:
        case event_kind::check:
        case event_kind::failure:
          add_instant(one, one.task);
          break;
      }
    }
    while (!begun_.empty()) end_task(begun_.begin()->first);
  }

 private:
  // Each event a nanosecond after the one before it, or where virtual time has gone in between.
  void move_to(const event& one) {
    const std::int64_t at = one.at.count();
    now_ = std::max(at, now_ < std::numeric_limits<std::int64_t>::max() ? now_ + 1 : now_);
  }

  static double microseconds(std::int64_t ns) { return static_cast<double>(ns) / 1000.0; }

  json::object base(std::string_view phase, std::uint32_t task, std::string_view name) const {
    return {{"ph", phase}, {"pid", process_}, {"tid", task}, {"name", name}};
  }

  void add_name(std::string_view what, std::uint32_t task, std::string_view name) {
    json::object added = base("M", task, what);
    added["args"] = json::object{{"name", name}};
    events_.push_back(std::move(added));
  }

  void add_instant(const event& one, std::uint32_t task) {
    json::object added = base("i", task, std::string(to_string(one.kind)) + ": " + one.text);
    added["cat"] = to_string(one.kind);
    added["ts"] = microseconds(now_);
    added["s"] = one.kind == event_kind::failure ? "g" : "t";
    events_.push_back(std::move(added));
  }

  void add_span(std::uint32_t task, std::string_view name, std::int64_t begin, std::int64_t end) {
    json::object added = base("X", task, name);
    added["cat"] = name == "turn" ? "turn" : "task";
    added["ts"] = microseconds(begin);
    added["dur"] = microseconds(end - begin);
    events_.push_back(std::move(added));
  }

  void end_task(std::uint32_t task) {
    const auto begun = begun_.find(task);
    if (begun == begun_.end()) return;
    const std::string name = task < drawn_.tasks.size() ? drawn_.tasks[task] : "the subject";
    add_span(task, name, begun->second, now_);
    begun_.erase(begun);
  }

  json::array& events_;
  int process_;
  const timeline& drawn_;
  std::int64_t now_ = -1;
  std::int64_t turn_begins_ = 0;
  std::map<std::uint32_t, std::int64_t> begun_;  // tasks whose span is not written yet
  std::set<std::uint32_t> finished_;
};

}  // namespace

void write_perfetto(std::ostream& out, const campaign_result& seen) {
  json::array events;
  const std::string name = seen.subject + " " + seen.scenario();
  process_writer(events, 1, seen.drawn).write(name + ": " + std::string(to_string(seen.outcome)));
  if (!seen.drawn_baseline.events.empty()) {
    process_writer(events, 2, seen.drawn_baseline).write(name + ": the baseline trial");
  }
  json::object all;
  all["traceEvents"] = std::move(events);
  all["displayTimeUnit"] = "ms";
  all["otherData"] =
      json::object{{"token", seen.token}, {"message", seen.message}, {"trace_hash", seen.trace_hash}};
  write_pretty(out, all);
  out << '\n';
}

}  // namespace assay
