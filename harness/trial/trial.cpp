#include <assay/harness/trial/trial.hpp>

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <typeinfo>

#include <assay/harness/allocation/counter.hpp>
#include <assay/harness/sim/clock.hpp>
#include <assay/harness/sim/scoped_value.hpp>
#include <assay/harness/trial/coverage.hpp>
#include <assay/harness/trial/engine.hpp>
#include <assay/harness/trial/explain.hpp>
#include <assay/harness/trial/guests.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;

constexpr std::uint64_t item_keys = std::uint64_t{1} << 63U;  // apart from those that scenarios choose
constexpr std::uint32_t exceptions_max = 100;                 // that leave a turn, of one trial
constexpr std::size_t late_max = 3;                           // deadlines that a late loop is behind, at most

constexpr std::string_view expected_prefix = "expected: ";

// The file's own name: the path that the compiler was given is not the same everywhere.
std::string place(const std::source_location& where) {
  const std::string_view file = where.file_name();
  return std::string(file.substr(file.rfind('/') + 1)) + ":" + std::to_string(where.line());
}

// The failure that it stands for is recorded already.
bool is_stop(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const scenario_stopped&) {
    return true;
  } catch (...) {
    return false;
  }
}

bool tells_of_memory(const outcome& what) {
  const std::vector<std::string> labels = labels_of(what);
  return std::any_of(labels.begin(), labels.end(), [](const std::string& label) {
    return label.find("bad_alloc") != std::string::npos || label == "Cannot allocate memory";
  });
}

// The counter is told as well: a subject may tell of a failure only when it goes, and so does the trial then.
void note_told(const outcome& what, allocation_report& report, allocation_counter& counter) {
  if (!tells_of_memory(what)) return;
  report.told = true;
  counter.note_told();
}

}  // namespace

std::string_view cited_clause(std::string_view message) noexcept {
  if (message.starts_with(expected_prefix)) message.remove_prefix(expected_prefix.size());
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto dash = std::find_if_not(message.begin(), message.end(), is_capital);
  if (dash == message.begin() || dash == message.end() || *dash != '-') return {};
  const auto end = std::find_if_not(dash + 1, message.end(), is_digit);
  if (end == dash + 1 || end == message.end() || (*end != ':' && *end != ',')) return {};
  return message.substr(0, static_cast<std::size_t>(end - message.begin()));
}

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

// The body of an operation whose allocations are counted: what co_spawn does around it is the trial's own. Ends in a turn of
// its own, or co_spawn would see to that and allocate.
asio::awaitable<void> counted_body(allocation_counter& counter, asio::awaitable<void> work) {
  std::exception_ptr failure;
  detail::counting = &counter;
  try {
    co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  detail::counting = nullptr;
  const bool switched = co_await detail::asio_internals::thread_has_switched{};
  if (!switched) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::post(asio::use_awaitable);
    detail::counting = nullptr;
  }
  if (failure) std::rethrow_exception(failure);
}

// The body of an operation whose caller would go on: notes what the caller's next suspension would do.
asio::awaitable<void> followed_body(operation_record& record, asio::awaitable<void> work) {
  std::exception_ptr failure;
  try {
    co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  if (record.met_request()) {
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    const bool on_record = state.cancelled() != asio::cancellation_type::none;
    const what_follows waiting = on_record ? what_follows::unthrown : what_follows::silence;
    record.note_follows(on_record && throwing ? what_follows::request : waiting);
  }
  if (failure) std::rethrow_exception(failure);
}

// What co_spawn calls when an operation has ended. It carries the slot itself: a handler made by bind_cancellation_slot has
// an executor as far as Asio can tell, and then a request is posted instead of made.
struct completion {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return state->signal().slot(); }
  void operator()(std::exception_ptr failure) {
    const detail::harness_section section;
    state->finish(std::move(failure));
  }
  std::shared_ptr<operation_record> state;
};

// The first turn of an operation.
struct start_op final : detail::ready_op {
  start_op(trial& t, std::shared_ptr<operation_record> s, asio::any_io_executor e, asio::awaitable<void> w)
      : owner(t), state(std::move(s)), executor(std::move(e)), work(std::move(w)) {
    run = &start_op::begin;
    task = state->task();
  }
  static void begin(detail::ready_op* base, bool invoke) {
    const std::unique_ptr<start_op> self(static_cast<start_op*>(base));
    if (!invoke) return;
    const detail::harness_section section;
    if (self->state->cancels() > 0) {  // cancelled before it began: nothing of it runs
      // Not by assignment: that of Asio 1.81's awaitable forgets the frame that it had.
      {
        const asio::awaitable<void> dropped(std::move(self->work));
      }
      self->state->finish(
          std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)));
      return;
    }
    self->state->begin();
    asio::co_spawn(self->executor, self->body(), completion{self->state});
  }
  asio::awaitable<void> body() {
    if (state->task() == trial::scenario_task) return std::move(work);
    if (allocation_counter* const counter = owner.allocations())
      return counted_body(*counter, std::move(work));
    if (owner.follows_requests()) return followed_body(*state, std::move(work));
    return std::move(work);
  }
  trial& owner;
  std::shared_ptr<operation_record> state;
  asio::any_io_executor executor;
  asio::awaitable<void> work;
};

}  // namespace

void operation_record::finish(std::exception_ptr failure) {
  failure_ = std::move(failure);
  done_ = true;
  owner_.finished(*this);
}

void operation_record::meet(asio::cancellation_type type) {
  // Of several requests Asio remembers the latest.
  const bool terminal = (type & asio::cancellation_type::terminal) != asio::cancellation_type::none;
  met_request_ = terminal && !owner_.ending_;
  signal_.emit(type);
}

outcome operation_record::look() {
  const detail::harness_section section;
  if (!done_) return {};
  owner_.observe_operation(*this);
  return describe(failure_);
}

const std::exception_ptr& operation_record::look_at_failure() {
  if (done_) owner_.observe_operation(*this);
  return failure_;
}

void operation_record::require_value(const std::source_location& asked) {
  if (done_ && failure_ == nullptr) return;
  const detail::harness_section section;
  owner_.fail_without_value(*this, to_string(look()), asked);
  throw scenario_stopped();
}

void operation_record::request(asio::cancellation_type type) { owner_.request_cancel(*this, type); }

trial::trial(choice_stream& choices, trial_settings settings, bool traced)
    : choices_(choices),
      settings_(settings),
      engine_(make_engine(settings.where, choices)),
      time_(engine_->time()),
      covered_(settings.covered) {
  if (covered_ != nullptr) covered_->begin(choices_);
  limit_progress({});
  if (settings_.mirror != nullptr) settings_.mirror->begins(time_);
  if (traced || settings_.mirror != nullptr) {
    trace_.emplace();
    choices_.tell([this](const choice& made, std::span<const candidate> among) { note_choice(made, among); });
  }
  if (trace_ && settings_.explained) {
    explainer_ = std::make_unique<explainer>(
        time_, explainer::surroundings{
                   [this](std::string_view kind, std::string text) { note(kind, std::move(text)); },
                   [this](task_id task) { return task_name(task); }, [this] { return turning_; }});
  }
  if (settings.allocation) count_allocations(*settings.allocation);
  items_.locate = [this] {
    return "while '" + task_name(engine_->current_task()) + "' ran, at " + format_duration(elapsed());
  };
  items_.touched = [this](int id) {
    engine_->touch(static_cast<std::uint64_t>(id) | item_keys);
    if (covered_ != nullptr) covered_->item_moved(id, items_);
  };
  items_.progressed = [this] { note_progress(); };
  if (trace_) items_.note = [this](std::string_view text) { record(event_kind::item, std::string(text)); };
}

trial::~trial() {
  running_ = false;
  explainer_.reset();
  items_.all_going();
  items_.locate = nullptr;
  items_.note = nullptr;
  items_.touched = nullptr;
  items_.progressed = nullptr;
  choices_.tell(nullptr);
  const clock_guard clock(time_);
  if (ends_with_body_ && broke_off() && others_left()) {
    bury();
  } else {
    destroy_frames();
  }
  end_checks_.clear();
  scenario_.reset();
  victim_.reset();
  operations_.clear();
  environment_.clear();
  while (!kept_.empty()) kept_.pop_back();
  // Timers of a context that outlives the trial stand on the trial's time.
  if (guests_ != nullptr && guests_->leave() && engine_ != nullptr) bury();
  engine_.reset();
  if (settings_.mirror != nullptr) settings_.mirror->ends();
}

void trial::destroy_frames() noexcept {
  // Frames first, the scenario's last, since it owns the subject; then what frames refer to (values,
  // dependencies, kept things), which may hold timers and executors; then the context that those stand on.
  std::vector<gate*> last;
  for (gate* const waiting : gates_) {
    if (waiting->task == scenario_task) {
      last.push_back(waiting);
    } else {
      engine_->make_ready(waiting);
    }
  }
  gates_.clear();
  engine_->abandon();
  for (gate* const waiting : last) waiting->run(waiting, false);
  engine_->abandon();
}

// What was chosen is part of the trace (VCS-2).
void trial::note_choice(const choice& made, std::span<const candidate> among) {
  if (!running_) return;
  std::string text;
  if (among.empty()) {
    text = std::string(to_string(made.kind)) + " " + std::to_string(made.chosen) + " of " +
           std::to_string(made.arity);
  } else {
    const char* const what = made.kind == choice_kind::timer ? "the timer of '" : "'";
    text = what + task_name(among[made.chosen].task) + "' goes before '" + task_name(among[0].task) + "' (" +
           std::to_string(made.chosen) + " of " + std::to_string(made.arity) + ")";
  }
  put(event_kind::choice, std::move(text));
}

void trial::record(event_kind kind, std::string text) {
  const detail::harness_section section;
  if (trace_ && running_) put(kind, std::move(text));
}

void trial::put(event_kind kind, std::string text) {
  if (settings_.mirror != nullptr) settings_.mirror->record(elapsed(), time_.current_task(), kind, text);
  trace_->record(elapsed(), time_.current_task(), kind, std::move(text));
  if (trace_->size() == settings_.break_at) std::raise(SIGTRAP);
}

asio::awaitable<void> trial::wait_at_gate(std::optional<nanoseconds> until, const operation_record* end_of) {
  const detail::harness_section section;
  auto initiation = [this, until, end_of](auto handler) {
    const detail::harness_section own;
    auto* const waiting = new gate_op<decltype(handler), gate>(std::move(handler));
    waiting->task = engine_->current_task();
    waiting->until = until;
    waiting->end_of = end_of;
    gates_.push_back(waiting);
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation),
                                                                     asio::use_awaitable);
}

asio::awaitable<void> trial::settle() { return wait_at_gate(std::nullopt); }

// Of who waits for the end of an operation.
void trial::wait_for_end(gate* waiting, const operation_record& of) {
  waiting->task = engine_->current_task();
  waiting->end_of = &of;
  if (of.done()) {
    engine_->make_ready(waiting);
  } else {
    gates_.push_back(waiting);
  }
}

// Who waits has been cancelled.
void trial::open_early(const gate* waiting) {
  const auto found = std::find(gates_.begin(), gates_.end(), waiting);
  if (found != gates_.end()) open_gate(found);
}

asio::awaitable<void> trial::end_background() {
  request_end_of_background();
  // By index: what ends may start another.
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const std::shared_ptr<operation_record> one = operations_[i];
    if (one->background() && !one->done()) co_await wait_at_gate(std::nullopt, one.get());
  }
}

boost::asio::awaitable<void> trial::pass(nanoseconds delay) {
  co_await advance(delay);
  co_await settle();
}

asio::awaitable<void> trial::advance(nanoseconds delay) {
  if (delay < nanoseconds::zero()) throw std::invalid_argument("advance: a negative delay");
  const nanoseconds room = nanoseconds::max() - now();
  return wait_at_gate(now() + std::min(delay, room));
}

void trial::stall(nanoseconds delay) {
  if (delay < nanoseconds::zero()) throw std::invalid_argument("stall: a negative delay");
  const detail::harness_section section;
  const nanoseconds before = now();
  engine_->move_clock(detail::saturated_sum(before, delay));
  if (now() == before) return;
  if (!is_background(time_.current_task())) foreground_turned_ = true;
  note_advance();
  note_time("the loop stalled: ", before);
}

bool trial::expect(bool holds, std::string_view message, std::source_location where) {
  return expect(holds, message, "not so", where);
}

bool trial::expect(bool holds, std::string_view message, std::string_view observed,
                   std::source_location where) {
  const detail::harness_section section;
  if (!holds) {
    fail(std::string(expected_prefix) + std::string(message) + "; observed: " + std::string(observed), where);
  } else if (trace_) {
    record(event_kind::check, std::string(message) + " (" + place(where) + ")");
  }
  return holds;
}

void trial::fail(std::string message, std::source_location where) {
  const detail::harness_section section;
  const std::string traced = trace_ ? message + " (" + place(where) + ")" : std::string();
  fail_as(std::move(message), traced);
}

void trial::fail_in_words(std::string message) {
  const detail::harness_section section;
  const std::string traced = message;
  fail_as(std::move(message), traced);
}

void trial::fail_as(std::string message, const std::string& traced) {
  if (is_muted(failure_kind::expectation, message)) return;
  if (!binds(failure_kind::expectation)) {
    unforeseen_ = true;
    if (trace_) record(event_kind::check, "not judged: " + traced);
    return;
  }
  if (trace_) record(event_kind::failure, traced);
  explain_failure();
  if (result_.kind == failure_kind::none) {
    result_.kind = failure_kind::expectation;
    result_.message = message;
  }
  result_.failures.push_back(std::move(message));
}

// What everybody does at the moment of the first failure.
void trial::explain_failure() {
  if (explainer_ == nullptr || !running_ || has_failed()) return;
  for (const task_report& one : tasks()) {
    const bool has_turn = turning_ && one.task == time_.current_task();
    if (has_turn && one.task == subject_task) continue;
    note("state", (has_turn ? "'" + one.name + "' has its turn" : to_string(one)) + "; " +
                      explainer_->details_of(one.task));
  }
}

void trial::note(std::string_view kind, std::string text) {
  if (trace_ && running_) trace_->annotate({trace_->size(), elapsed(), std::string(kind), std::move(text)});
}

void trial::testee_broke(std::string message) {
  if (!testee_has_broken()) blame(failure_kind::testee, std::move(message));
}

void trial::fail_without_value(const operation_record& of, std::string_view what,
                               const std::source_location& asked) {
  if (short_of_memory() && !of.done()) broke_at_rest_ = at_rest();
  fail("'" + of.name() + "' has no value: it is " + std::string(what), asked);
}

void trial::blame(failure_kind kind, std::string message) {
  const detail::harness_section section;
  if (is_muted(kind, message)) return;
  if (!binds(kind)) {
    if (trace_) record(event_kind::check, "not judged: " + message);
    return;
  }
  if (trace_) record(event_kind::failure, message);
  if (kind != failure_kind::deadlock) explain_failure();  // that one names them all
  // What escaped the scheduler, or a subject without its process, makes everything else unreliable: it speaks first.
  const bool first = kind == failure_kind::escaped || kind == failure_kind::testee;
  if (result_.kind == failure_kind::none || kind == failure_kind::adapter ||
      (first && result_.kind != failure_kind::adapter)) {
    result_.kind = kind;
    result_.message = message;
  }
  result_.failures.push_back(std::move(message));
}

void trial::premise(bool holds, std::string_view text, std::source_location where) {
  const detail::harness_section section;
  if (holds) {
    if (trace_) record(event_kind::check, "premise: " + std::string(text) + " (" + place(where) + ")");
    result_.premises.emplace(text);
    return;
  }
  if (trace_) record(event_kind::check, "premise: not so: " + std::string(text) + " (" + place(where) + ")");
  result_.unmet = text;
  unforeseen_ = unforeseen_ || short_of_memory();
  if (!disturbed() && !has_failed())
    blame(failure_kind::premise, "premise: expected: " + std::string(text) + "; observed: not so");
  throw scenario_stopped();
}

void trial::skip_test(std::string_view why) {
  const detail::harness_section section;
  if (trace_) record(event_kind::mark, "skipped: " + std::string(why));
  if (!skips_test()) result_.skipped = why;
}

void trial::sometimes(std::string_view label, bool holds) {
  const detail::harness_section section;
  result_.wanted.emplace(label);
  if (holds) result_.reached.emplace(label);
}

program trial::draw_program(const grammar& rules, std::span<const std::uint8_t> verbs) {
  const detail::harness_section section;
  program drawn = draw(choices_, rules, verbs);
  const std::optional<growth_plan>& growth = settings_.growth;
  if (trace_)
    record(event_kind::mark, "program " + to_text(drawn, rules) +
                                 (growth ? " " + std::to_string(growth->rounds) + " rounds" : std::string()));
  if (growth) round_ = verbs_of(drawn, rules);
  drawn.steps = growth ? repeated(drawn, rules, growth->rounds) : unrolled(drawn, rules);
  return drawn;
}

trial::watch_guard trial::watch(std::function<std::string()> check) {
  return {*this, begin_watch(std::move(check))};
}

std::uint32_t trial::begin_watch(std::function<std::string()> check) {
  const detail::harness_section section;
  return watches_.begin(std::move(check));
}

void trial::end_watch(std::uint32_t number) noexcept { watches_.end(number); }

trial::watch_guard::~watch_guard() {
  if (owner_ != nullptr) owner_->end_watch(id_);
}

void trial::look_at_watches() {
  if (watches_.empty()) return;
  const detail::harness_section section;
  for (std::string& said : watches_.look()) fail(std::move(said));
}

void trial::touch(std::uint64_t key) {
  const detail::harness_section section;
  engine_->touch(key);
  if (covered_ != nullptr) covered_->touch(time_.current_task(), key);
}

// What coverage tells apart, beside the turns.
void trial::cover(event_kind kind, std::string_view detail) {
  if (covered_ == nullptr || !running_) return;
  const detail::harness_section section;
  covered_->event(static_cast<std::uint64_t>(kind), detail);
}

void trial::limit_progress(progress_limits limits) noexcept {
  limits_ = limits;
  engine_->set_turns_per_instant_max(limits.turns_at_instant);
}

void trial::next_round() noexcept {
  order_.begin_round();
  raised_.begin_round();
}

void trial::mark(std::string label) {
  const detail::harness_section section;
  if (trace_) record(event_kind::mark, label);
  cover(event_kind::mark, label);
  order_.mark(std::move(label));
}

bool trial::expect_before(std::string_view first, std::string_view second, std::source_location where) {
  const detail::harness_section section;
  const std::string observed = order_.unless_before(first, second);
  const std::string text = "'" + std::string(first) + "' comes before '" + std::string(second) + "'";
  return expect(observed.empty(), text, observed, where);
}

std::exception_ptr trial::plant(std::string label) {
  const detail::harness_section section;
  return raised_.plant(std::move(label));
}

void trial::raise(std::string label) { std::rethrow_exception(plant(std::move(label))); }

void trial::observe(const outcome& what) {
  const detail::harness_section section;
  if (short_of_memory()) note_told(what, memory_, *allocations_);
  for (const std::string& label : labels_of(what)) {
    if (raised_.observe(label)) cover(event_kind::check, label);
  }
}

std::uint32_t trial::fault_point(std::string_view call, std::uint32_t faults) {
  const detail::harness_section section;
  if (!faults_allowed_ || !settings_.sweep) return 0;
  ++result_.fault_points;
  const std::uint32_t fault = choices_.pick(choice_kind::fault, faults + 1);
  if (fault == 0) return 0;
  ++faults_shown_;
  cover(event_kind::fault, call);
  record(event_kind::fault, std::string(call) + " fails (" + std::to_string(fault) + ")");
  return fault;
}

void trial::set_victim(std::shared_ptr<operation_record> victim) {
  if (victim_ == nullptr) victim_ = std::move(victim);
  result_.victim_named = true;
}

void trial::request_cancel(operation_record& target, asio::cancellation_type type) {
  const detail::harness_section section;
  if (target.done_) return;
  // Only a terminal request must be honoured: co_spawn itself passes no other on, unless the operation asks for it.
  if ((type & asio::cancellation_type::terminal) != asio::cancellation_type::none) ++target.cancels_;
  target.requested_ = target.requested_ | type;
  if (trace_) record(event_kind::cancel, target.name());
  cover(event_kind::cancel, target.name());
  if (!target.started_) return;  // it will end as cancelled when its first turn comes
  // A coroutine must not be cancelled from within its own turn: Asio would end it under its own feet. Outside of any turn the
  // request is made as if inside of one: else co_spawn posts it, and looks then for a signal that may be gone.
  if (turning_ && (!engine_->knows_tasks() || engine_->current_task() == target.task())) {
    asio::post(engine_->executor(target.task()), [&target, type] {
      if (!target.done_) target.meet(type);
    });
    return;
  }
  engine_->run_inside(target.task(), [&target, type] { target.meet(type); });
}

void trial::finished(operation_record& record) {
  const detail::harness_section section;
  if (short_of_memory()) note_told(describe(record.failure_), memory_, *allocations_);
  if (trace_) this->record(event_kind::finish, record.name() + ": " + to_string(describe(record.failure_)));
  if (explainer_ != nullptr && running_) {
    if (std::string value = record.printed_value(); !value.empty())
      note("value", "'" + record.name() + "' ended with " + value);
  }
  if (&record != scenario_.get()) require_translated(record.name(), record.failure_);
  if (!record.background()) note_progress();
  if (!record.background() && &record != scenario_.get()) --pending_;
  for (auto waiting = gates_.begin(); waiting != gates_.end();) {
    gate* const one = *waiting;
    if (one->end_of != &record) {
      ++waiting;
      continue;
    }
    waiting = gates_.erase(waiting);
    engine_->make_ready(one);
  }
  if (covered_ != nullptr)
    cover(event_kind::finish, record.name() + ": " + std::string(to_string(describe(record.failure_).kind)));
}

boost::asio::any_io_executor trial::executor() { return engine_->executor(subject_task); }
boost::asio::any_io_executor trial::scenario_executor() { return engine_->executor(scenario_task); }
boost::asio::io_context* trial::stock_io_context() noexcept { return engine_->stock(); }
void trial::touches_everything() noexcept { engine_->touches_everything(); }

task_id trial::new_task() { return engine_->add_task(); }

void trial::launch(std::shared_ptr<operation_record> state, asio::awaitable<void> work) {
  state->last_turn_ = now();
  operations_.push_back(state);
  begun(*state);
  if (trace_) record(event_kind::start, state->name());
  asio::any_io_executor executor = engine_->executor(state->task());
  engine_->make_ready(new start_op(*this, std::move(state), std::move(executor), std::move(work)));
}

void trial::begun(const operation_record& record) noexcept {
  if (!record.background()) growth_.peak = std::max(growth_.peak, ++pending_);
}

void trial::observe_operation(operation_record& record) {
  const detail::harness_section section;
  if (record.observed_) return;
  record.observed_ = true;
  observe(record.failure_);
}

asio::awaitable<void> trial::watch_over(asio::awaitable<void> scenario) {
  std::exception_ptr failure;
  try {
    co_await std::move(scenario);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) {
    body_ended();
    co_return;
  }
  scenario_failure_ = failure;
  std::rethrow_exception(failure);
}

void trial::body_ended() {
  result_.body_suspended = result_.turns > 0;
  if (!ends_with_body_) return;
  const detail::harness_section section;
  std::string names;
  for (const auto& one : operations_) {
    if (one != scenario_ && !one->background() && !one->done())
      names += (names.empty() ? "'" : ", '") + one->name() + "'";
  }
  if (!has_failed() && !names.empty()) {
    blame(failure_kind::left_over,
          "the body has ended before " + names +
              ", which may use what the body had; wait for its end, cancel it, or start "
              "it in the background");
    for (const auto& one : operations_) {
      if (one != scenario_ && !one->background() && !one->done()) note_origin(one->task());
    }
  }
  over_ = has_failed();
}

// Whether somebody besides the scenario has not come to an end.
bool trial::others_left() const {
  bool left = std::any_of(operations_.begin(), operations_.end(), [this](const auto& one) {
    return one != scenario_ && (!one->done() || engine_->task(one->task()).work > 0);
  });
  left = left || engine_->task(subject_task).work > 0;
  const auto look_at = [&left](task_id task) { left = left || task != scenario_task; };
  engine_->visit_ready(look_at);
  time_.visit_waits([&look_at](const detail::timer_op& op) { look_at(op.task); });
  return left;
}

// Keeps for ever what would otherwise be destroyed: frames whose destructors may use what has gone with the body. It stays
// within reach, so that nobody takes it for a leak.
void trial::bury() {
  struct grave {
    std::unique_ptr<engine> where;
    std::vector<std::shared_ptr<operation_record>> operations;
    std::deque<gate*> gates;
  };
  static auto* const graves = new std::vector<grave>();
  graves->push_back({std::move(engine_), std::move(operations_), std::move(gates_)});
}

void trial::detached_ended(const std::exception_ptr& failure) {
  if (!judges_detached_) return;
  const detail::harness_section section;
  const outcome what = describe(failure);
  if (what.kind == outcome_kind::cancelled || is_stop(failure)) return;
  blame(failure_kind::unobserved, "an exception left a detached coroutine of '" +
                                      task_name(engine_->current_task()) + "': " + to_string(what));
  note_origin(engine_->current_task());
}

void trial::context_made(asio::execution_context& context) {
  const detail::harness_section section;
  if (guests_ == nullptr) guests_ = std::make_unique<guest_house>(*this);
  guests_->adopt(context);
}

void trial::context_refused(const char* what, bool may_throw) {
  const detail::harness_section section;
  if (result_.kind != failure_kind::escaped) {
    blame(failure_kind::escaped, "escaped the scheduler: " + std::string(what));
    note_origin(engine_->current_task());
  }
  if (may_throw) throw scenario_stopped();
}

trial_result trial::run(std::function<asio::awaitable<void>()> scenario) {
  const clock_guard clock(time_);
  const detail::scoped_value contexts(
      detail::asio_internals::contexts_of_this_thread,
      {[](void* self, asio::execution_context& context) { static_cast<trial*>(self)->context_made(context); },
       [](void* self, const char* what, bool may_throw) {
         static_cast<trial*>(self)->context_refused(what, may_throw);
       },
       this});
  const detail::scoped_value detached(detail::listener_of_this_thread,
                                      {[](void* self, const std::exception_ptr& failure) {
                                         static_cast<trial*>(self)->detached_ended(failure);
                                       },
                                       this});
  const detail::scoped_value names(detail::names_of_this_thread, explainer_.get());
  running_ = true;
  const task_id task = engine_->add_task();
  auto state = std::make_shared<operation_state<void>>(*this, "scenario", task, false,
                                                       std::source_location::current());
  scenario_ = state;
  engine_->set_last_task(task);
  operations_.push_back(state);
  engine_->make_ready(new start_op(*this, state, engine_->executor(task), watch_over(scenario())));
  run_until_quiet();
  if (result_.kind != failure_kind::livelock && !broke_off() && !foreground_left()) {
    cancel_background();
    note_progress();
    run_until_quiet();
  }
  final_checks();
  running_ = false;
  if (settings_.mirror != nullptr) settings_.mirror->ran();
  if (allocations_ != nullptr) {
    memory_.points = allocations_->points();
    memory_.failed = allocations_->failed();
    result_.allocations = memory_;
  }
  if (settings_.growth) result_.growth = growth_;
  result_.choices.assign(choices_.made().begin(), choices_.made().end());
  result_.order_class = engine_->order_class();
  result_.chains = engine_->chains();
  if (trace_ && engine_->knows_tasks()) {
    for (task_id id = 0; id <= operations_.size(); ++id)
      result_.task_turns.push_back(static_cast<std::uint32_t>(engine_->task(id).turns));
  }
  if (trace_) result_.events = std::move(*trace_);
  return std::move(result_);
}

// False when what was done said so, or was a livelock.
template <class Doing>
bool trial::guarded(Doing&& doing) {
  try {
    return doing();
  } catch (const livelock& what) {
    blame(failure_kind::livelock, std::string("livelock: ") + what.what() + "; " + recent_names());
    return false;
  } catch (...) {
    turning_ = false;
    ++result_.turns;
    if (short_of_memory()) memory_.left_turn = true;
    // What stops the code after a failure is none of its own.
    if (!has_failed() || !is_stop(std::current_exception()))
      blame(failure_kind::exception,
            "an exception left a turn: " + to_string(describe(std::current_exception())));  // VCS-8
    return ++exceptions_ < exceptions_max;
  }
}

void trial::cancel_background() {
  request_end_of_background();
  ending_ = true;
}

void trial::request_end_of_background() {
  ending_ = true;
  // By index: what a cancelled operation does at once may start another.
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    operation_record& one = *operations_[i];
    if (!one.background() || one.done()) continue;
    guarded([&] {
      request_cancel(one, asio::cancellation_type::terminal);
      return true;
    });
  }
  ending_ = false;
}

bool trial::foreground_left() const noexcept {
  return std::any_of(operations_.begin(), operations_.end(),
                     [](const auto& one) { return !one->background() && !one->done(); });
}

// Background work does not keep a trial alive (VCS-5): it is at rest when all else has ended and only
// background tasks wait.
bool trial::background_alone() const {
  const bool any = std::any_of(operations_.begin(), operations_.end(),
                               [](const auto& one) { return one->background() && !one->done(); });
  if (!any || foreground_left()) return false;
  if (!engine_->knows_tasks()) return true;
  bool alone = true;
  time_.visit_waits([&](const detail::timer_op& op) {
    if (!op.parked && !is_background(op.task)) alone = false;
  });
  return alone;
}

// Whether no further step may be taken.
bool trial::spent() const noexcept {
  // Once the scenario has broken off, what its operations refer to may be gone with its frame: nothing more is run.
  // Nor when io_context::run would have thrown: Asio drops the whole thread of awaitables in which an operation could not
  // be started, and tells nobody else.
  return idle_ || result_.kind == failure_kind::livelock || broke_off() || memory_.left_turn ||
         testee_has_broken() || result_.kind == failure_kind::adapter ||
         result_.kind == failure_kind::escaped;
}

void trial::run_until_quiet() {
  // Many steps under one guard: most of what a trial does is done here.
  const auto steps = [this] {
    while (step()) {
      if (spent()) return true;
    }
    return false;
  };
  if (spent()) return;
  while (guarded(steps)) {
    if (spent()) return;
  }
}

bool trial::step() {
  if (guests_ != nullptr && engine_->knows_tasks()) [[unlikely]]
    guests_->offer();
  turning_ = true;
  const bool turned =
      engine_->run_turn() || (guests_ != nullptr && !engine_->knows_tasks() && guests_->run_one());
  turning_ = false;
  if (turned) {
    after_step(true);
    return true;
  }
  // Who asked for this instant goes on before anything due exactly now (VCS-4).
  const auto earlier = [](const gate* a, const gate* b) {
    return a->until && (!b->until || *a->until < *b->until);
  };
  const auto next_gate = std::min_element(gates_.begin(), gates_.end(), earlier);
  const std::optional<nanoseconds> arrival =
      next_gate == gates_.end() ? std::optional<nanoseconds>() : (*next_gate)->until;
  if (arrival && *arrival <= time_.now()) {
    open_gate(next_gate);
    return true;
  }
  if (engine_->release_due()) {
    after_step(false);
    return true;
  }
  if (victim_must_end_ && victim_cancels_ > 0) [[unlikely]]
    look_at_victim();
  const auto settled = std::find_if(gates_.begin(), gates_.end(),
                                    [](const gate* g) { return !g->until && g->end_of == nullptr; });
  if (settled != gates_.end()) {
    open_gate(settled);
    return true;
  }
  const nanoseconds next = std::min(time_.earliest(), arrival.value_or(nanoseconds::max()));
  if ((next == nanoseconds::max() && !arrival) || background_alone()) return false;
  // VCS-1: nothing is ready, so to the earliest deadline; and no further, unless the loop may be late.
  engine_->move_clock(late_allowed_ ? next_instant(next, arrival.value_or(nanoseconds::max())) : next);
  note_advance();
  if (now() > next) {
    note_time("the loop was late: ", next);
  } else if (trace_) {
    record(event_kind::time, format_duration(elapsed()));
  }
  after_step(false);
  return true;
}

// Where the clock goes when nothing is ready: to the next instant, or as a late loop to a deadline behind it. Never to
// the scenario's own next arrival, before which all that is due earlier must have run (VCS-4).
trial::nanoseconds trial::next_instant(nanoseconds next, nanoseconds arrival) {
  std::array<nanoseconds, late_max> later{};
  const std::size_t count = time_.next_deadlines(next, arrival, later);
  const std::uint32_t late = choices_.pick(choice_kind::late, count + 1);
  return late == 0 ? next : later[late - 1];
}

void trial::note_time(std::string_view how, nanoseconds due) {
  if (!trace_) return;
  record(event_kind::time,
         std::string(how) + format_duration(due - virtual_time::epoch) + " to " + format_duration(elapsed()));
}

void trial::open_gate(std::deque<gate*>::iterator which) {
  gate* const waiting = *which;
  gates_.erase(which);
  engine_->make_ready(waiting);
}

void trial::note_progress() noexcept {
  engine_->note_progress();
  advances_ = 0;
  foreground_turned_ = false;
  idle_ = false;
}

// Whether time alone brings somebody further: an operation, or the subject, whose timer has a deadline.
bool trial::foreground_waits_for_deadline() const {
  bool waits = false;
  time_.visit_waits([&](const detail::timer_op& op) {
    if (!op.parked && !is_background(op.task)) waits = true;
  });
  return waits;
}

bool trial::is_background(task_id task) const noexcept {
  return task != subject_task && operations_[task - 1]->background();
}

void trial::note_advance() {
  const std::uint64_t limit = std::max<std::uint64_t>(limits_.advances, 1);
  ++advances_;
  if (advances_ % limit == limit / 2) foreground_turned_ = false;  // what it did before it began to wait
  if (advances_ % limit != 0) return;
  const bool timed =
      std::any_of(gates_.begin(), gates_.end(), [](const gate* one) { return one->until.has_value(); });
  if (!std::exchange(foreground_turned_, false)) {
    // The background alone: it may go on while a time that somebody waits for comes nearer.
    advances_ = 0;
    idle_ = !timed && !foreground_waits_for_deadline();
    return;
  }
  constexpr std::uint64_t patience = 10;  // the scenario's own waits have ends, but may come again and again
  if (timed && advances_ / limit < patience) return;
  blame(failure_kind::livelock,
        "livelock: no operation has ended and no item has moved while the clock was advanced " +
            std::to_string(advances_) + " times; " + recent_names());
}

void trial::after_step(bool turned) {
  if (turned) {
    ++result_.turns;
    if (trace_) record(event_kind::turn, {});
    const task_id task = time_.current_task();
    if (covered_ != nullptr) covered_->turn(task);
    bool background = false;
    if (task != subject_task) {
      operation_record& whose = *operations_[task - 1];
      background = whose.background();
      whose.last_turn_ = now();
    }
    if (!background) foreground_turned_ = true;
  }
  look_at_watches();
  if (settings_.sweep && victim_ != nullptr && !victim_->done()) offer_cancel();
}

void trial::offer_cancel() {
  if (victim_cancels_ >= 2) return;
  if (engine_->knows_tasks()) {
    // Suspended: none of its handlers is ready. Queued: one has just become ready, since its last turn for one.
    const task_state state = engine_->task(victim_->task());
    const bool queued = state.ready > 0;
    const bool newly_queued = queued && (!victim_was_queued_ || state.turns != victim_turns_);
    victim_was_queued_ = queued;
    victim_turns_ = state.turns;
    if (queued && !newly_queued) return;
  }
  ++result_.cancel_points;
  constexpr asio::cancellation_type kinds[cancel_kinds] = {
      asio::cancellation_type::none, asio::cancellation_type::terminal, asio::cancellation_type::partial,
      asio::cancellation_type::total};
  std::uint32_t kind = choices_.pick(choice_kind::cancel, cancel_kinds);
  if (kind == 0) return;
  // Requests to one operation get stronger only: a weaker one makes Asio's cancellation_state forget a stronger one that
  // came before, whatever the subject does.
  while (kind > 1 && (victim_->requested_ & kinds[kind - 1]) != asio::cancellation_type::none) --kind;
  if ((victim_->requested_ & asio::cancellation_type::terminal) != asio::cancellation_type::none) kind = 1;
  ++victim_cancels_;
  request_cancel(*victim_, kinds[kind]);
}

void trial::look_at_victim() {
  const auto terminal = victim_->requested_ & asio::cancellation_type::terminal;
  if (victim_->done() || terminal == asio::cancellation_type::none) return;
  victim_must_end_ = false;  // told once
  fail_in_words("'" + victim_->name() +
                "' still waits: its cancellation was requested, and nothing more can happen now");
}

std::string trial::task_name(task_id task) const {
  // Tasks are numbered as their operations are started, from 1.
  return task == subject_task || task > operations_.size() ? "the subject" : operations_[task - 1]->name();
}

// The shortest sequence of turns that repeats at the end of the trial, if one does; else whose the last turns were, the
// latest first, each once (VCS-6).
std::string trial::recent_names() const {
  std::vector<task_id> recent = engine_->recent_turns();
  if (recent.empty()) recent.push_back(engine_->current_task());
  for (std::size_t period = 1; 3 * period <= recent.size(); ++period) {
    if (!std::equal(recent.begin() + static_cast<std::ptrdiff_t>(period), recent.end(), recent.begin()))
      continue;
    std::string names;
    for (std::size_t i = recent.size() - period; i < recent.size(); ++i)
      names += (names.empty() ? "'" : ", '") + task_name(recent[i]) + "'";
    return "these turns repeat: " + names;
  }
  std::vector<task_id> said;
  std::string names;
  for (auto task = recent.rbegin(); task != recent.rend(); ++task) {
    if (std::find(said.begin(), said.end(), *task) != said.end()) continue;
    said.push_back(*task);
    names += (names.empty() ? "'" : ", '") + task_name(*task) + "'";
  }
  return "the last were of " + names;
}

task_report trial::report_on(task_id task) const {
  task_report report;
  report.task = task;
  report.name = task_name(task);
  report.doing = activity::elsewhere;
  nanoseconds armed = nanoseconds::max();
  time_.visit_waits([&](const detail::timer_op& op) {
    if (op.task != task) return;
    armed = std::min(armed, op.since);
    if (op.parked) {
      if (report.doing == activity::elsewhere) report.doing = activity::parked;
      return;
    }
    const nanoseconds left = detail::saturated_difference(op.due, op.wall ? time_.wall_now() : time_.now());
    const nanoseconds due = detail::saturated_sum(elapsed(), left);
    report.doing = activity::timer;
    report.due = std::min(due, report.due.value_or(due));
  });
  for (const gate* const waiting : gates_) {
    if (waiting->task == task)
      report.doing = waiting->end_of == nullptr ? activity::clock : activity::operation;
  }
  engine_->visit_ready([&](task_id one) {
    if (one == task) report.doing = activity::runnable;
  });
  if (task != subject_task) {
    const operation_record& record = *operations_[task - 1];
    if (!record.started()) report.doing = activity::not_begun;
    report.since = record.last_turn() - virtual_time::epoch;
    report.background = record.background();
    if (task != scenario_task) report.started_at = place(record.where());
  } else if (armed != nanoseconds::max()) {
    report.since = armed - virtual_time::epoch;
  }
  return report;
}

std::vector<task_report> trial::tasks() const {
  const detail::harness_section section;
  std::vector<task_report> reports;
  task_report subject = report_on(subject_task);
  const bool works = engine_->knows_tasks() && engine_->task(subject_task).work > 0;
  if (subject.doing != activity::elsewhere || works) reports.push_back(std::move(subject));
  for (const auto& one : operations_) {
    if (!one->done()) reports.push_back(report_on(one->task()));
  }
  return reports;
}

std::string_view to_string(activity doing) noexcept {
  switch (doing) {
    case activity::not_begun:
      return "has not begun";
    case activity::runnable:
      return "is runnable";
    case activity::clock:
      return "waits for the trial's clock";
    case activity::operation:
      return "waits for another operation to end";
    case activity::timer:
      return "waits for a timer";
    case activity::parked:
      return "is parked";
    case activity::elsewhere:
      return "waits for a handler that somebody keeps";
  }
  return "unknown";
}

std::string to_string(const task_report& task) {
  std::string text = "'" + task.name + "' " + std::string(to_string(task.doing));
  if (task.due) text += " due at " + format_duration(*task.due);
  text += " since " + format_duration(task.since);
  if (!task.started_at.empty()) text += ", started at " + task.started_at;
  return text;
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
  if (result_.kind == failure_kind::escaped) return;  // it has ended there
  std::string what = engine_->escaped();
  if (what.empty() && guests_ != nullptr) what = guests_->escaped();
  if (!what.empty()) blame(failure_kind::escaped, "escaped the scheduler: " + what);
  if (result_.kind == failure_kind::livelock || result_.kind == failure_kind::adapter || testee_has_broken())
    return;
  check_operations();
  check_exceptions();
  const bool whole = !broke_off() && !foreground_left();
  if (!whole && !short_of_memory()) return;  // what is left over belongs to those that are blocked
  // When memory was short and somebody was told, an item may be gone; but never came twice.
  if (whole && !memory_.told && !memory_.left_turn) items_.close();
  for (const std::string& violation : items_.violations()) blame(failure_kind::item, violation);
  const std::size_t lost = items_.count(item_state::lost);
  memory_.only_lost = lost > 0 && lost == items_.violations().size();
  if (!whole) return;
  for (const auto& check : end_checks_) {
    if (std::string what = check(); !what.empty()) blame(failure_kind::expectation, std::move(what));
  }
  check_left_over();
  check_requests();
  check_growth();
}

// ---- plug checks

void trial::check_plug(bool labels_planted) noexcept {
  plug_checked_ = true;
  labels_planted_ = labels_planted;
}

void trial::misplugged(std::string what) {
  if (plug_checked_ && result_.kind != failure_kind::adapter) blame(failure_kind::adapter, std::move(what));
}

void trial::require_translated(std::string_view call, const std::exception_ptr& failure) {
  if (!plug_checked_ || !failure) return;
  const detail::harness_section section;
  try {
    std::rethrow_exception(failure);
  } catch (const contract::unclaimed_feature& what) {
    misplugged(what.what());
    return;
  } catch (...) {
  }
  const std::string what = untranslated(failure);
  if (what.empty()) return;
  misplugged("`" + std::string(call) + "` ended with " + what +
             "; translate it into an outcome of the contract: value, cancelled, closed, timed_out, rejected, "
             "broken, error or aggregate (harness/trial/outcome.hpp)");
}

namespace {

// "std::out_of_range: vector"; only in a handler.
std::string name_in_hand(const char* said) {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (type == nullptr) return said;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  const std::string text = name == nullptr ? type->name() : name.get();
  return *said == '\0' ? text : text + ": " + said;
}

}  // namespace

// What of it is no outcome of a contract; empty if all is.
std::string trial::untranslated(const std::exception_ptr& failure) const {
  if (!failure) return {};
  try {
    std::rethrow_exception(failure);
  } catch (const contract::aggregate_error& all) {
    for (const auto& one : all.members()) {
      if (std::string what = untranslated(one.failure); !what.empty())
        return "an aggregate with the member '" + one.task + "', " + what;
    }
    return {};
  } catch (const scenario_stopped&) {
    return {};
  } catch (const std::exception& error) {
    const outcome what = describe(failure);
    if (what.kind != outcome_kind::error) return {};
    if (dynamic_cast<const contract::operation_error*>(&error) != nullptr) {
      if (!labels_planted_ || raised_.knows(what.label)) return {};
      return "the error '" + what.label + "', with which nothing was made to fail";
    }
    std::string named = name_in_hand(error.what());
    // A contract may have outcomes of its own.
    return named.starts_with("assay::contract::") ? std::string() : named;
  } catch (...) {
    return name_in_hand("");
  }
}

// ---- when memory is short

void trial::count_allocations(allocation_fault plan) {
  if (settings_.where != tier::sim)
    throw std::invalid_argument("the subject's allocations can be told apart on the simulator only");
  allocations_ = std::make_shared<allocation_counter>(plan);
  allocations_->failing = [this, plan](std::uint32_t number) {
    record(event_kind::fault, "allocation " + std::to_string(number) + " of the subject fails" +
                                  (plan.persistent ? ", and every later one" : "") + ", in '" +
                                  task_name(engine_->current_task()) + "'");
  };
  engine_->count_allocations(allocations_.get());
}

bool trial::short_of_memory() const noexcept { return allocations_ != nullptr && allocations_->failed(); }

bool trial::others_pending() const noexcept {
  return std::any_of(operations_.begin(), operations_.end(), [this](const auto& one) {
    return one != scenario_ && !one->background() && !one->done();
  });
}

bool trial::cut_short() const noexcept { return short_of_memory() && (unforeseen_ || others_pending()); }

bool trial::at_rest() const {
  bool ready = false;
  engine_->visit_ready([&ready](task_id) { ready = true; });
  return !ready && time_.earliest() == nanoseconds::max();
}

// Whether what is known of the subject explains this failure, or came before it: see trial_settings::muted.
bool trial::is_muted(failure_kind kind, std::string_view message) {
  switch (kind) {
    case failure_kind::escaped:
    case failure_kind::diverged:
    case failure_kind::crashed:
    case failure_kind::testee:
    case failure_kind::adapter:
    case failure_kind::hung:
      return false;
    default:
      break;
  }
  const std::string_view cited = cited_clause(message);
  const std::vector<std::string>& muted = settings_.muted;
  spent_ = spent_ ||
           (cited.empty() ? uncited_muted_ : std::find(muted.begin(), muted.end(), cited) != muted.end());
  if (spent_ && trace_) record(event_kind::check, "not judged, since it is known: " + std::string(message));
  return spent_;
}

// Whether a failure of this kind counts. When memory is short, what a scenario foresaw does not, and a deadlock may be
// what somebody was told of.
bool trial::binds(failure_kind kind) const noexcept {
  if (!short_of_memory()) return true;
  switch (kind) {
    case failure_kind::livelock:
    case failure_kind::escaped:
    case failure_kind::diverged:
    case failure_kind::crashed:
    case failure_kind::testee:
    case failure_kind::adapter:
    case failure_kind::item:
    case failure_kind::premise:
    case failure_kind::hung:
      return true;
    case failure_kind::left_over:
      return !unforeseen_ && !memory_.left_turn;
    case failure_kind::deadlock:
      return !memory_.told && !memory_.left_turn;
    case failure_kind::none:
    case failure_kind::expectation:
    case failure_kind::unobserved:
    case failure_kind::exception:
      return false;
  }
  return true;
}

void trial::check_operations() {
  if (scenario_failure_) {
    if (short_of_memory()) note_told(describe(scenario_failure_), memory_, *allocations_);
    try {
      std::rethrow_exception(scenario_failure_);
    } catch (const scenario_stopped&) {
      // The failure that stopped it is recorded already.
    } catch (...) {
      require_translated("a call", scenario_failure_);
      blame(failure_kind::exception, "the scenario ended with " + to_string(describe(scenario_failure_)));
    }
    if (short_of_memory() && broke_at_rest_) {
      blame(failure_kind::deadlock,
            "deadlock: the scenario could not go on, and these have not ended: " + blocked());
    }
    return;  // what it left behind had no chance to end
  }
  if (over_) return;
  if (foreground_left()) {
    blame(failure_kind::deadlock,
          "deadlock: nothing can happen any more, and these have not ended: " + blocked());
    if (!binds(failure_kind::deadlock)) return;
    // What each of them waits for, for the story (VCS-13).
    for (const task_report& one : tasks()) {
      if (trace_) record(event_kind::failure, to_string(one));
      if (explainer_ != nullptr) note("state", explainer_->details_of(one.task));
      result_.failures.push_back(to_string(one));
    }
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
            "nobody looked at the failure of '" + one->name() + "': " + to_string(what) +
                "; ask the operation how it ended (failed(), what(), value()), or await it");
      note_origin(one->task());
    }
  }
  if (result_.kind != failure_kind::none) return;
  for (std::string& complaint : raised_.complaints()) blame(failure_kind::unobserved, std::move(complaint));
}

// Where the operation was started whose failure, task or timer was left, for the story.
void trial::note_origin(task_id task) {
  if (task == subject_task || task == scenario_task || task > operations_.size()) return;
  std::string text = "'" + task_name(task) + "' was started at " + place(operations_[task - 1]->where());
  if (trace_) record(event_kind::failure, text);
  result_.failures.push_back(std::move(text));
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
    blame(failure_kind::left_over, "a task was left behind by " + (names.empty() ? "'the subject'" : names));
    return;
  }
  time_.visit_waits([&](const detail::timer_op& op) {
    blame(failure_kind::left_over, std::string(op.parked ? "a parked wait" : "a timer") +
                                       " was left behind by '" + task_name(op.task) + "'");
    note_origin(op.task);
  });
  for (const auto& one : operations_) {
    if (one->done() || result_.kind != failure_kind::none) continue;
    blame(failure_kind::left_over, "'" + one->name() + "', in the background, did not end when cancelled");
  }
  if (guests_ != nullptr) guests_->check_left_over();
}

namespace {

// What a request met that did not end the call, in words; empty if it ended it.
std::string_view met_by_request(outcome_kind how) noexcept {
  switch (how) {
    case outcome_kind::pending:
    case outcome_kind::cancelled:
      return {};
    case outcome_kind::value:
      return "value";
    case outcome_kind::timed_out:
      return "deadline";
    default:
      return "failure";
  }
}

std::string request_expected(std::string_view call, std::string_view met) {
  return std::string(sticky_clause) + ": expected: the request that '" + std::string(call) +
         "' met with its " + std::string(met) + " shows at its caller's next suspension; observed: ";
}

}  // namespace

void trial::caller_went_on(std::string_view call, const outcome& how) {
  const detail::harness_section section;
  const std::string_view met = met_by_request(how.kind);
  if (!follows_requests_ || ending_ || met.empty()) return;
  lost_requests_.push_back(request_expected(call, met) + "the caller goes on as if there had been none");
}

// A trial that has failed says something else.
void trial::check_requests() {
  if (result_.kind != failure_kind::none) return;
  for (const auto& one : operations_) {
    if (one->follows_ != what_follows::silence && one->follows_ != what_follows::unthrown) continue;
    const std::string_view met = met_by_request(describe(one->failure_).kind);
    if (met.empty()) continue;
    blame(
        failure_kind::expectation,
        request_expected(one->name(), met) +
            (one->follows_ == what_follows::silence
                 ? "the caller waits for ever"
                 : "the caller waits for ever, since the call left throw_if_cancelled switched off (X-10)"));
    note_origin(one->task());
    return;
  }
  for (std::string& one : lost_requests_) blame(failure_kind::expectation, std::move(one));
}

// ---- growth

std::string to_string(const growth_plan& plan) {
  const std::string rounds = std::to_string(plan.rounds);
  if (plan.rounds_before == 0) return rounds;
  return rounds + "-" + std::to_string(plan.rounds_before) + "-" + std::to_string(plan.held_before);
}

std::optional<growth_plan> read_growth_plan(std::string_view text) {
  constexpr std::uint64_t rounds_max = 1'000'000;
  std::vector<std::uint64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    std::uint64_t number = 0;
    const auto [next, failure] = std::from_chars(at, end, number);
    if (failure != std::errc()) return std::nullopt;
    numbers.push_back(number);
    if (next == end) break;
    if (*next != '-') return std::nullopt;
    at = next + 1;
  }
  if ((numbers.size() != 1 && numbers.size() != 3) || numbers[0] > rounds_max) return std::nullopt;
  growth_plan plan{.rounds = static_cast<std::uint32_t>(numbers[0])};
  if (numbers.size() == 1) return plan;
  if (numbers[1] == 0 || numbers[1] > rounds_max) return std::nullopt;
  plan.rounds_before = static_cast<std::uint32_t>(numbers[1]);
  plan.held_before = numbers[2];
  return plan;
}

std::uint64_t trial::blocks() const noexcept { return allocations_ == nullptr ? 0 : allocations_->kept(); }

void trial::subject_went(std::uint64_t blocks) noexcept {
  growth_.held = std::max(growth_.held, blocks);  // of one: a round may make a subject of its own
  growth_.subject_went = true;
}

// Where something else is wrong, nothing is said of growth.
void trial::check_growth() {
  const std::optional<growth_plan>& plan = settings_.growth;
  if (!plan || plan->rounds_before == 0 || result_.kind != failure_kind::none || !growth_.subject_went)
    return;
  if (growth_.held < plan->held_before + plan->rounds_before) return;
  blame(failure_kind::expectation, std::string(growth_clause) +
                                       ": expected: a subject holds as much after many of the same calls as "
                                       "after a few; observed: after " +
                                       std::to_string(plan->rounds_before) + " rounds of '" + round_ +
                                       "' the subject holds " + std::to_string(plan->held_before) +
                                       " blocks, after " + std::to_string(plan->rounds) + " it holds " +
                                       std::to_string(growth_.held));
}

}  // namespace assay
