#include <assay/harness/trial/explain.hpp>

#include <algorithm>
#include <utility>

#include <assay/harness/allocation/section.hpp>
#include <assay/harness/trial/trace.hpp>

namespace assay {

namespace {

std::string quoted(const std::string& name) { return "'" + name + "'"; }

}  // namespace

explainer::explainer(virtual_time& time, surroundings around) : time_(time), around_(std::move(around)) {
  time_.tell(this);
}

explainer::~explainer() { time_.tell(nullptr); }

std::string explainer::name_of_turn() const {
  return around_.in_turn() ? quoted(around_.name_of(time_.current_task())) : "the trial";
}

std::string explainer::name_of_wait(const detail::timer_op& wait) const {
  const std::string task = around_.name_of(wait.task);
  const auto named = names_.find(wait.frame);
  return named == names_.end() ? quoted(task)
                               : quoted(named->second.back()) + " (a coroutine of " + quoted(task) + ")";
}

std::string explainer::due_in_words(const detail::timer_op& wait) const {
  if (wait.parked) return "which never fires: it waits to be woken";
  const std::chrono::nanoseconds left =
      detail::saturated_difference(wait.due, wait.wall ? time_.wall_now() : time_.now());
  if (left <= std::chrono::nanoseconds::zero()) return "which is due now";
  return "due at " + format_duration(detail::saturated_sum(elapsed(), left)) +
         (wait.wall ? " by the wall clock" : "");
}

std::uint32_t explainer::number_of(const void* timer) {
  std::uint32_t& number = timers_[timer];
  if (number == 0) number = ++timers_made_;
  return number;
}

// A wait that has ended; nothing if it was armed before anybody listened.
std::optional<explainer::known_wait> explainer::take(const detail::timer_op& wait) {
  auto node = waits_.extract(&wait);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

void explainer::armed(const detail::timer_op& wait, const void* timer) {
  const detail::harness_section section;
  known_wait& mine = waits_[&wait];
  mine = {++waits_made_, number_of(timer), wait.task, name_of_wait(wait), elapsed(), due_in_words(wait)};
  around_.note("wait", mine.who + " waits on timer " + std::to_string(mine.timer) + ", " + mine.until);
}

void explainer::ended(const detail::timer_op& wait, detail::wait_end how) {
  const detail::harness_section section;
  const std::optional<known_wait> ended = take(wait);
  if (!ended) return;
  const std::string timer = "timer " + std::to_string(ended->timer);
  const std::string since = ", on which it has waited since " + format_duration(ended->since);
  const std::string by = name_of_turn();
  wakes_[ended->task] = {by, elapsed()};
  switch (how) {
    case detail::wait_end::cancelled:
      around_.note("wake", by + " cancels " + timer + " and wakes " + ended->who + since);
      break;
    case detail::wait_end::requested:
      around_.note("wake", "the request to cancel wakes " + ended->who + " from " + timer + since);
      break;
    case detail::wait_end::destroyed:
      around_.note("wake", by + " destroys " + timer + " and wakes " + ended->who + since);
      break;
  }
}

void explainer::cancelled_in_vain(const void* timer) {
  const detail::harness_section section;
  around_.note("wake", name_of_turn() + " cancels timer " + std::to_string(number_of(timer)) +
                           ", on which nobody waits: nobody is woken");
}

void explainer::due_together(std::span<detail::timer_op* const> waits) {
  const detail::harness_section section;
  std::string names;
  for (const detail::timer_op* one : waits) {
    const auto found = waits_.find(one);
    if (found == waits_.end()) continue;
    names += (names.empty() ? "" : ", ") + ("timer " + std::to_string(found->second.timer)) + " of " +
             found->second.who;
  }
  around_.note("tie", "due at the same instant, so that any of them may fire first: " + names);
}

void explainer::fired(const detail::timer_op& wait) {
  const detail::harness_section section;
  const std::optional<known_wait> ended = take(wait);
  if (!ended) return;
  const std::string timer = "timer " + std::to_string(ended->timer);
  wakes_[ended->task] = {timer, elapsed()};
  around_.note("fire", timer + " fires for " + ended->who + ", which has waited since " +
                           format_duration(ended->since));
}

void explainer::moved(const void* from, const void* to) {
  const detail::harness_section section;
  const auto found = timers_.find(from);
  if (found == timers_.end()) return;
  const std::uint32_t number = found->second;
  timers_.erase(found);
  timers_[to] = number;
}

void explainer::gone(const void* timer) { timers_.erase(timer); }

void explainer::made_ready(task_id task) {
  if (!around_.in_turn() || time_.current_task() == task) return;
  const detail::harness_section section;
  const std::string by = name_of_turn();
  wakes_[task] = {by, elapsed()};
  around_.note("wake", by + " makes a handler of " + quoted(around_.name_of(task)) + " ready");
}

void explainer::begin(const void* thread, const std::string& name) {
  const detail::harness_section section;
  names_[thread].push_back(name);
}

void explainer::end(const void* thread) noexcept {
  const auto found = names_.find(thread);
  if (found == names_.end()) return;
  found->second.pop_back();
  if (found->second.empty()) names_.erase(found);
}

std::string explainer::details_of(task_id task) const {
  std::vector<const known_wait*> own;
  for (const auto& [op, wait] : waits_) {
    if (wait.task == task) own.push_back(&wait);
  }
  std::sort(own.begin(), own.end(),
            [](const known_wait* a, const known_wait* b) { return a->number < b->number; });
  std::string text;
  for (const known_wait* one : own) {
    const bool itself = one->who == quoted(around_.name_of(task));
    text += (text.empty() ? "" : "; ") + (itself ? std::string() : one->who + " waits ") + "on timer " +
            std::to_string(one->timer) + " since " + format_duration(one->since) + ", " + one->until;
  }
  if (const auto woken = wakes_.find(task); woken != wakes_.end()) {
    text += (text.empty() ? "" : "; ") + ("last woken by " + woken->second.by) + " at " +
            format_duration(woken->second.at);
  } else {
    text += std::string(text.empty() ? "" : "; ") + "nobody has woken it";
  }
  return text;
}

}  // namespace assay
