#include <assay/harness/sim/sim_context.hpp>

#include <algorithm>

#include <assay/harness/sim/scoped_value.hpp>

namespace assay {

namespace {

class turn_guard {
 public:
  explicit turn_guard(virtual_time& time) noexcept : time_(time) {}
  turn_guard(const turn_guard&) = delete;
  turn_guard& operator=(const turn_guard&) = delete;
  ~turn_guard() { time_.end_turn(); }

 private:
  virtual_time& time_;
};

}  // namespace

sim_context::sim_context(choice_stream& choices)
    : choices_(choices),
      time_(boost::asio::make_service<virtual_time>(*this)),
      tells_turns_(choices.wants_turns()) {
  add_task();  // the subject
  time_.drive(this, &sim_context::give, true);
  time_.call_inline_if(&sim_context::runs_inline);
}

sim_context::~sim_context() {
  // A service's destructor must not meet a handler that is still ready: a strand's would be used after it.
  abandon();
  destroy();
}

task_id sim_context::add_task() {
  const auto id = static_cast<task_id>(tasks_.size());
  tasks_.push_back(std::make_unique<task_slot>(task_slot{this, id, {}}));
  return id;
}

void sim_context::abandon() noexcept {
  // Services first, as every context of Asio does it: who owns tasks learns here that they will never end.
  if (!std::exchange(abandoned_, true)) shutdown();
  drop_all_but(last_task_);
  drop_all_but(virtual_time::nobody);
}

void sim_context::drop_all_but(task_id spared) noexcept {
  // A handler that goes may destroy frames, which cancel waits, which become ready: so until nothing is left.
  bool again = true;
  while (again) {
    again = false;
    time_.abandon_waits(spared);
    std::vector<std::shared_ptr<void>> foreign;
    {
      const std::lock_guard lock(foreign_mutex_);
      foreign.swap(foreign_);
    }
    foreign.clear();
    for (std::size_t i = ready_.size(); i > 0; --i) {
      if (i > ready_.size() || ready_.at(i - 1)->task == spared) continue;
      detail::ready_op* const op = ready_.take(i - 1);
      --tasks_[op->task]->state.ready;
      op->run(op, false);
      again = true;
    }
  }
}

std::int64_t sim_context::outstanding_work() const noexcept {
  std::int64_t sum = 0;
  for (const auto& one : tasks_) sum += one->state.work;
  return sum;
}

void sim_context::throw_livelock() const {
  throw livelock("more than " + std::to_string(turns_per_instant_max_) +
                 " turns at one instant without progress");
}

bool sim_context::run_turn() {
  if (ready_.empty()) return false;
  if (++turns_at_instant_ > turns_per_instant_max_) throw_livelock();  // VCS-6
  const std::uint32_t chosen = choices_.pick_among(
      choice_kind::ready, ready_.size(),
      [this](std::size_t place) { return candidate{ready_.at(place)->chain, ready_.at(place)->task}; });
  detail::ready_op* const op = ready_.take(chosen);
  task_state& task = tasks_[op->task]->state;
  --task.ready;
  ++task.turns;
  recent_[turns_ % recent_max] = op->task;
  ++turns_;
  time_.look_ahead();
  time_.begin_turn(*op);
  time_.current_past() = mixed(time_.current_past(), op->task);
  const detail::scoped_value running(running_, true);
  const on_call_stack on_stack(this, recycled_);
  const turn_guard turn(time_);
  const std::uint32_t chain = op->chain;
  if (tells_turns_) footprint_.clear();
  if (allocations_ == nullptr) [[likely]] {
    op->run(op, true);
  } else {
    const detail::subject_section counted(op->task == last_task_ ? nullptr : allocations_);
    op->run(op, true);
  }
  order_class_ += time_.past(chain);  // a sum: the order of unrelated turns does not matter
  if (tells_turns_) choices_.turn_ran(chain, footprint_, touches_complete_);
  recycled_.rethrow_pending_exception();
  return true;
}

void sim_context::touch(std::uint64_t key) {
  if (tells_turns_) footprint_.push_back(key);
  std::uint64_t& thing = touched_[key];
  std::uint64_t& past = time_.current_past();
  thing = past = mixed(past, mixed(thing, key));
}

std::vector<task_id> sim_context::recent_turns() const {
  std::vector<task_id> recent;
  const std::uint64_t count = std::min<std::uint64_t>(turns_, recent_max);
  for (std::uint64_t turn = turns_ - count; turn < turns_; ++turn)
    recent.push_back(recent_[turn % recent_max]);
  return recent;
}

bool sim_context::release_due() {
  time_.take_due(due_);
  if (due_.empty()) return false;
  std::size_t first = 0;
  while (first < due_.size()) {
    const std::size_t end = first + time_.tied(due_, first);
    detail::wait_listener* const listener = time_.listener();
    if (listener != nullptr && end - first > 1) [[unlikely]]
      listener->due_together(std::span<detail::timer_op* const>(due_).subspan(first, end - first));
    while (first < end) {
      const std::size_t chosen =
          first + choices_.pick_among(choice_kind::timer, end - first, [&](std::size_t place) {
            return candidate{due_[first + place]->chain, due_[first + place]->task};
          });
      detail::timer_op* const op = due_[chosen];
      for (std::size_t i = chosen; i > first; --i) due_[i] = due_[i - 1];
      ++first;
      if (listener != nullptr) [[unlikely]]
        listener->fired(*op);
      if (op->guest == 0) [[likely]] {
        make_ready(op);
      } else {
        time_.give_to_guest(op);
      }
    }
  }
  due_.clear();
  return true;
}

void sim_context::move_clock(nanoseconds instant) noexcept {
  if (instant <= time_.now()) return;
  time_.set_now(instant);
  turns_at_instant_ = 0;
  order_class_ =
      mixed(order_class_, static_cast<std::uint64_t>(instant.count()));  // all of this before all of that
}

void sim_context::run_current() {
  do {
    while (run_turn()) {
    }
  } while (release_due());
}

void sim_context::advance_by(nanoseconds delay) {
  if (delay < nanoseconds::zero()) throw std::invalid_argument("advance_by: a negative delay");
  const nanoseconds start = now();
  const nanoseconds end = detail::saturated_sum(start, delay);
  if (end == start) return;
  while (run_turn()) {
  }
  while (time_.earliest() < end) {
    move_clock(time_.earliest());
    run_current();
  }
  move_clock(end);
}

void sim_context::run_until_idle() {
  const detail::scoped_value running(running_, true);
  const on_call_stack on_stack(this, recycled_);
  while (true) {
    while (run_turn()) {
    }
    const nanoseconds earliest = time_.earliest();
    if (earliest == nanoseconds::max()) return;
    move_clock(earliest);
    release_due();
  }
}

}  // namespace assay
