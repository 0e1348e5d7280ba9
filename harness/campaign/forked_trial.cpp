#include <assay/harness/campaign/forked_trial.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/campaign/sudden_end.hpp>

namespace assay {

namespace {

// A result goes from a child to its parent, which is the same program: numbers as they lie in memory, texts and lists behind
// their lengths.
class packer {
 public:
  template <class Number>
  void number(Number value) {
    static_assert(std::is_trivially_copyable_v<Number>);
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(value.size());
    text_ += value;
  }
  template <class List, class Pack>
  void list(const List& all, Pack&& pack) {
    number(all.size());
    for (const auto& one : all) pack(one);
  }
  template <class List>
  void texts(const List& all) {
    list(all, [this](const std::string& one) { text(one); });
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// Throws std::runtime_error where less is left than is asked for.
class unpacker {
 public:
  explicit unpacker(std::string_view text) noexcept : rest_(text) {}
  template <class Number>
  Number number() {
    Number value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::size_t>();
    return std::string(take(size));
  }
  template <class Unpack>
  void list(Unpack&& unpack) {
    for (auto left = number<std::size_t>(); left > 0; --left) unpack();
  }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw std::runtime_error("the result of a trial's process is cut");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
};

std::string to_text(const trial_result& result) {
  packer out;
  out.number(result.kind);
  out.text(result.message);
  out.texts(result.failures);
  out.list(result.choices, [&out](const choice& one) { out.number(one); });
  out.texts(result.reached);
  out.texts(result.wanted);
  out.text(result.skipped);
  out.number(result.victim_named);
  out.number(result.body_suspended);
  out.number(result.cancel_points);
  out.number(result.fault_points);
  out.number(result.turns);
  out.number(result.order_class);
  out.number(result.chains);
  out.list(result.task_turns, [&out](std::uint32_t one) { out.number(one); });
  out.number(result.allocations);
  out.number(result.events.has_value());
  if (result.events) {
    out.list(result.events->events(), [&out](const event& one) {
      out.number(one.at);
      out.number(one.task);
      out.number(one.kind);
      out.text(one.text);
    });
    out.list(result.events->notes(), [&out](const trace_note& one) {
      out.number(one.before);
      out.number(one.at);
      out.text(one.kind);
      out.text(one.text);
    });
  }
  return out.take();
}

trial_result from_text(std::string_view text) {
  unpacker in(text);
  trial_result result;
  result.kind = in.number<failure_kind>();
  result.message = in.text();
  in.list([&] { result.failures.push_back(in.text()); });
  in.list([&] { result.choices.push_back(in.number<choice>()); });
  in.list([&] { result.reached.insert(in.text()); });
  in.list([&] { result.wanted.insert(in.text()); });
  result.skipped = in.text();
  result.victim_named = in.number<bool>();
  result.body_suspended = in.number<bool>();
  result.cancel_points = in.number<std::uint32_t>();
  result.fault_points = in.number<std::uint32_t>();
  result.turns = in.number<std::uint64_t>();
  result.order_class = in.number<std::uint64_t>();
  result.chains = in.number<std::uint32_t>();
  in.list([&] { result.task_turns.push_back(in.number<std::uint32_t>()); });
  result.allocations = in.number<std::optional<allocation_report>>();
  if (in.number<bool>()) {
    result.events.emplace();
    in.list([&] {
      const auto at = in.number<std::chrono::nanoseconds>();
      const auto task = in.number<std::uint32_t>();
      const auto kind = in.number<event_kind>();
      result.events->record(at, task, kind, in.text());
    });
    in.list([&] {
      trace_note one;
      one.before = in.number<std::size_t>();
      one.at = in.number<std::chrono::nanoseconds>();
      one.kind = in.text();
      one.text = in.text();
      result.events->annotate(std::move(one));
    });
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
