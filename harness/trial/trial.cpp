#include "harness/trial/trial.hpp"

#include <algorithm>
#include <stdexcept>

#include "harness/sim/clock.hpp"

namespace assay {

namespace {

namespace asio = boost::asio;

constexpr std::uint64_t turns_max = 500'000;                    // of one trial
constexpr std::uint64_t turns_without_foreground_max = 20'000;  // before background work alone counts as idle

// The file's own name: the path that the compiler was given is not the same everywhere.
std::string place(const std::source_location& where) {
  const std::string_view file = where.file_name();
  return std::string(file.substr(file.rfind('/') + 1)) + ":" + std::to_string(where.line());
}

}  // namespace

// Somebody who waits for the trial's clock: for this instant to settle, or for a later one.
struct trial::gate : detail::ready_op {
  std::optional<nanoseconds> until;
};

namespace {

template <class Handler, class Gate>
struct gate_op final : Gate {
  explicit gate_op(Handler&& h) : handler(std::move(h)) { this->run = &gate_op::finish; }
  static void finish(detail::ready_op* base, bool invoke) {
    auto* const self = static_cast<gate_op*>(base);
    Handler handler(std::move(self->handler));
    delete self;
    if (!invoke) return;
    const auto target = asio::get_associated_executor(handler);
    asio::dispatch(target, std::move(handler));
  }
  Handler handler;
};

}  // namespace

void operation_record::finish(std::exception_ptr failure) {
  failure_ = std::move(failure);
  done_ = true;
  owner_.finished(*this);
}

trial::trial(choice_stream& choices, trial_settings settings, bool traced)
    : choices_(choices), settings_(settings), engine_(make_engine(settings.where, choices)) {
  if (traced) trace_.emplace();
  items_.locate = [this] {
    return "while '" + task_name(engine_->current_task()) + "' ran, at " + format_duration(elapsed());
  };
  if (traced) items_.note = [this](std::string_view text) { record(event_kind::item, std::string(text)); };
}

trial::~trial() {
  running_ = false;
  items_.subject_going();
  items_.locate = nullptr;
  items_.note = nullptr;
  const clock_guard clock(engine_->time());
  while (!gates_.empty()) {
    gate* const waiting = gates_.front();
    gates_.pop_front();
    waiting->run(waiting, false);
  }
  engine_->abandon();
  // The frames are gone; what they referred to (signals, ledgers, kept things) goes after the context.
  kept_.clear();
  engine_.reset();
}

void trial::record(event_kind kind, std::string text) {
  if (trace_ && running_) trace_->record(elapsed(), engine_->current_task(), kind, std::move(text));
}

asio::awaitable<void> trial::wait_at_gate(std::optional<nanoseconds> until) {
  auto initiation = [this, until](auto&& handler) {
    auto* const waiting = new gate_op<std::decay_t<decltype(handler)>, gate>(std::move(handler));
    waiting->task = engine_->current_task();
    waiting->until = until;
    gates_.push_back(waiting);
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation),
                                                                     asio::use_awaitable);
}

asio::awaitable<void> trial::settle() { return wait_at_gate(std::nullopt); }

asio::awaitable<void> trial::advance(nanoseconds delay) {
  if (delay < nanoseconds::zero()) throw std::invalid_argument("advance: a negative delay");
  const nanoseconds room = nanoseconds::max() - now();
  return wait_at_gate(now() + std::min(delay, room));
}

bool trial::expect(bool holds, std::string_view message, std::source_location where) {
  if (holds) {
    if (trace_) record(event_kind::check, std::string(message) + " (" + place(where) + ")");
  } else {
    fail(std::string(message), where);
  }
  return holds;
}

void trial::fail(std::string message, std::source_location where) {
  if (trace_) record(event_kind::failure, message + " (" + place(where) + ")");
  if (result_.kind == failure_kind::none) {
    result_.kind = failure_kind::expectation;
    result_.message = message;
  }
  result_.failures.push_back(std::move(message));
}

void trial::blame(failure_kind kind, std::string message) {
  if (trace_) record(event_kind::failure, message);
  // What escaped the scheduler makes everything else unreliable, so it speaks first.
  if (result_.kind == failure_kind::none || kind == failure_kind::escaped) {
    result_.kind = kind;
    result_.message = message;
  }
  result_.failures.push_back(std::move(message));
}

void trial::sometimes(std::string_view label, bool holds) {
  result_.wanted.emplace(label);
  if (holds) result_.reached.emplace(label);
}

trial::watch_guard trial::watch(std::function<std::string()> check) {
  watches_.push_back({++next_watch_, std::move(check)});
  return {*this, next_watch_};
}

trial::watch_guard::~watch_guard() {
  if (owner_ != nullptr)
    std::erase_if(owner_->watches_, [this](const watched& one) { return one.id == id_; });
}

void trial::mark(std::string label) {
  record(event_kind::mark, label);
  marks_.push_back(std::move(label));
}

bool trial::expect_before(std::string_view first, std::string_view second, std::source_location where) {
  const auto one = std::find(marks_.begin(), marks_.end(), first);
  const auto two = std::find(marks_.begin(), marks_.end(), second);
  std::string text = "'" + std::string(first) + "' comes before '" + std::string(second) + "'";
  if (one == marks_.end()) text += ": '" + std::string(first) + "' never came";
  if (two == marks_.end()) text += ": '" + std::string(second) + "' never came";
  return expect(one < two && two != marks_.end(), text, where);
}

std::exception_ptr trial::plant(std::string label) {
  planted_[label].raised = true;
  return std::make_exception_ptr(contract::operation_error(std::move(label)));
}

void trial::raise(std::string label) { std::rethrow_exception(plant(std::move(label))); }

void trial::observe(const outcome& what) {
  for (const std::string& label : labels_of(what)) {
    const auto found = planted_.find(label);
    if (found != planted_.end()) ++found->second.observed;
  }
}

std::uint32_t trial::times_observed(const std::string& label) const {
  const auto found = planted_.find(label);
  return found == planted_.end() ? 0 : found->second.observed;
}

std::uint32_t trial::fault_point(std::string_view call, std::uint32_t faults) {
  if (!faults_allowed_ || !settings_.sweep) return 0;
  ++result_.fault_points;
  const std::uint32_t fault = choices_.pick(choice_kind::fault, faults + 1);
  if (fault > 0) record(event_kind::fault, std::string(call) + " fails (" + std::to_string(fault) + ")");
  return fault;
}

void trial::set_victim(std::shared_ptr<operation_record> victim) {
  if (victim_ == nullptr) victim_ = std::move(victim);
}

void trial::request_cancel(operation_record& target, asio::cancellation_type type) {
  if (target.done_) return;
  ++target.cancels_;
  record(event_kind::cancel, target.name());
  if (!target.started_) return;  // it will end as cancelled when its first turn comes
  // A coroutine must not be cancelled from within its own turn: Asio would end it under its own feet.
  if (engine_->knows_tasks() && engine_->current_task() == target.task() && running_) {
    asio::post(engine_->executor(target.task()), [&target, type] { target.signal().emit(type); });
    return;
  }
  engine_->run_inside(target.task(), [&target, type] { target.signal().emit(type); });
}

void trial::finished(operation_record& record) {
  if (trace_) this->record(event_kind::finish, record.name() + ": " + to_string(describe(record.failure_)));
}

void trial::observe_operation(operation_record& record) {
  if (record.observed_) return;
  record.observed_ = true;
  observe(record.failure_);
}

trial_result trial::run(std::function<asio::awaitable<void>()> scenario) {
  const clock_guard clock(engine_->time());
  running_ = true;
  const task_id task = engine_->add_task();
  auto state = std::make_shared<operation_state<void>>(*this, "scenario", task, false,
                                                       std::source_location::current());
  scenario_ = state;
  engine_->set_last_task(task);
  operations_.push_back(state);
  engine_->make_ready(new start_op<void>(state, engine_->executor(task), scenario()));
  run_until_quiet();
  if (result_.kind != failure_kind::livelock && !foreground_left()) {
    for (const auto& one : operations_) {
      if (one->background() && !one->done()) request_cancel(*one, asio::cancellation_type::terminal);
    }
    turns_without_foreground_ = 0;
    run_until_quiet();
  }
  final_checks();
  running_ = false;
  result_.choices = choices_.made();
  if (trace_) result_.events = std::move(*trace_);
  return std::move(result_);
}

bool trial::foreground_left() const noexcept {
  return std::any_of(operations_.begin(), operations_.end(),
                     [](const auto& one) { return !one->background() && !one->done(); });
}

void trial::run_until_quiet() {
  while (true) {
    try {
      if (!step()) return;
    } catch (const livelock& what) {
      blame(failure_kind::livelock, std::string("livelock: ") + what.what() + "; the last was '" +
                                        task_name(engine_->current_task()) + "'");
      return;
    } catch (...) {
      blame(failure_kind::exception,
            "an exception left a turn: " + to_string(describe(std::current_exception())));
    }
    if (result_.turns > turns_max) {
      blame(failure_kind::livelock, "livelock: not at rest after " + std::to_string(turns_max) + " turns");
      return;
    }
    if (turns_without_foreground_ > turns_without_foreground_max) return;
  }
}

bool trial::step() {
  virtual_time& time = engine_->time();
  if (engine_->run_turn()) {
    after_step(true);
    return true;
  }
  // Who asked for this instant goes on before anything due exactly now (VCS-4).
  const auto next_gate = std::min_element(gates_.begin(), gates_.end(), [](const gate* a, const gate* b) {
    return a->until.value_or(nanoseconds::max()) < b->until.value_or(nanoseconds::max());
  });
  const nanoseconds next_arrival =
      next_gate == gates_.end() ? nanoseconds::max() : (*next_gate)->until.value_or(nanoseconds::max());
  if (next_arrival <= time.now()) {
    open_gate(next_gate);
    return true;
  }
  if (engine_->release_due()) {
    after_step(false);
    return true;
  }
  const auto settled = std::find_if(gates_.begin(), gates_.end(), [](const gate* g) { return !g->until; });
  if (settled != gates_.end()) {
    open_gate(settled);
    return true;
  }
  const nanoseconds next = std::min(time.earliest(), next_arrival);
  if (next == nanoseconds::max()) return false;
  engine_->move_clock(next);
  record(event_kind::time, format_duration(elapsed()));
  after_step(false);
  return true;
}

void trial::open_gate(std::deque<gate*>::iterator which) {
  gate* const waiting = *which;
  gates_.erase(which);
  engine_->make_ready(waiting);
}

void trial::after_step(bool turned) {
  if (turned) {
    ++result_.turns;
    record(event_kind::turn, {});
    const task_id task = engine_->current_task();
    const bool background = task != subject_task && operations_[task - 1]->background();
    turns_without_foreground_ = background ? turns_without_foreground_ + 1 : 0;
  }
  for (watched& one : watches_) {
    if (!one.check) continue;
    if (std::string what = one.check(); !what.empty()) {
      one.check = nullptr;
      fail(std::move(what));
    }
  }
  if (settings_.sweep && victim_ != nullptr && !victim_->done()) offer_cancel();
}

void trial::offer_cancel() {
  if (victim_cancels_ >= 2) return;
  if (engine_->knows_tasks()) {
    // Suspended: none of its handlers is ready. Queued: one has just become ready.
    const bool queued = engine_->task(victim_->task()).ready > 0;
    const bool newly_queued = queued && !victim_was_queued_;
    victim_was_queued_ = queued;
    if (queued && !newly_queued) return;
  }
  ++result_.cancel_points;
  if (choices_.pick(choice_kind::cancel, 2) == 0) return;
  ++victim_cancels_;
  request_cancel(*victim_, asio::cancellation_type::terminal);
}

std::string trial::task_name(task_id task) const {
  // Tasks are numbered as their operations are started, from 1.
  return task == subject_task || task > operations_.size() ? "the subject" : operations_[task - 1]->name();
}

std::string trial::blocked() const {
  std::string names;
  for (const auto& one : operations_) {
    if (one->done() || one->background()) continue;
    names += (names.empty() ? "'" : ", '") + one->name() + "'";
  }
  return names;
}

void trial::final_checks() {
  if (std::string what = engine_->escaped(); !what.empty())
    blame(failure_kind::escaped, "escaped the scheduler: " + what);
  if (result_.kind == failure_kind::livelock) return;
  check_operations();
  check_exceptions();
  if (foreground_left()) return;  // what is left over belongs to those that are blocked
  items_.close();
  for (const std::string& violation : items_.violations()) blame(failure_kind::item, violation);
  for (const auto& check : end_checks_) {
    if (std::string what = check(); !what.empty()) blame(failure_kind::expectation, std::move(what));
  }
  check_left_over();
}

void trial::check_operations() {
  if (foreground_left()) {
    blame(failure_kind::deadlock,
          "deadlock: nothing can happen any more, and these have not ended: " + blocked());
  }
  if (!scenario_->done() || !scenario_->failure()) return;
  try {
    std::rethrow_exception(scenario_->failure());
  } catch (const scenario_stopped&) {
    // The failure that stopped it is recorded already.
  } catch (...) {
    blame(failure_kind::exception, "the scenario ended with " + to_string(describe(scenario_->failure())));
  }
}

void trial::check_exceptions() {
  for (const auto& one : operations_) {
    if (one == scenario_ || !one->done() || one->observed() || !one->failure()) continue;
    const outcome what = describe(one->failure());
    if (what.kind == outcome_kind::cancelled) continue;
    // A scenario that has failed may not have come to the point where it looks.
    if (result_.kind == failure_kind::none) {
      blame(failure_kind::unobserved,
            "nobody looked at the failure of '" + one->name() + "': " + to_string(what));
    }
  }
  if (result_.kind != failure_kind::none) return;
  for (const auto& [label, state] : planted_) {
    if (state.observed == 1) continue;
    blame(failure_kind::unobserved,
          "the exception '" + label + "' was " +
              (state.observed == 0 ? "swallowed: nobody observed it"
                                   : "reported " + std::to_string(state.observed) + " times"));
  }
}

void trial::check_left_over() {
  if (result_.kind != failure_kind::none) return;
  if (engine_->outstanding_work() > 0) {
    std::string names;
    const auto name_if_working = [&](task_id task) {
      if (engine_->task(task).work > 0) names += (names.empty() ? "'" : ", '") + task_name(task) + "'";
    };
    name_if_working(subject_task);
    for (const auto& one : operations_) name_if_working(one->task());
    blame(failure_kind::left_over, "a task was left behind by " + names);
    return;
  }
  engine_->time().visit_waits([&](const detail::timer_op& op) {
    blame(failure_kind::left_over, std::string(op.parked ? "a parked wait" : "a timer") +
                                       " was left behind by '" + task_name(op.task) + "'");
  });
}

}  // namespace assay
