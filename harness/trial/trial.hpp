// A trial: one execution of one scenario with one subject under one schedule. It owns the engine, the
// operations in flight, the ledgers and the verdict, and is what a scenario calls `t`.
//
// A trial ends when nothing more can happen, and then checks what no scenario has to spell out: that the
// scenario ended, that no operation is left, no failure unobserved, no item lost or doubled, no task or timer
// left behind, nothing escaped (X-1, X-15, X-19, VCS-7).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <chrono>
#include <concepts>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <source_location>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/allocation/section.hpp>
#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/ledgers.hpp>
#include <assay/harness/trial/operation.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/printed.hpp>
#include <assay/harness/trial/program.hpp>
#include <assay/harness/trial/tier.hpp>
#include <assay/harness/trial/trace.hpp>

namespace assay {

class allocation_counter;
class coverage;
class engine;
class explainer;

/// The clauses that the harness checks by itself, with every contract: what follows a call (trial::follow_requests), and what
/// a subject holds after many of the same calls (growth_plan).
inline constexpr std::string_view sticky_clause = "X-36";
inline constexpr std::string_view growth_clause = "X-27";

/// What kind of failure a trial ended with; `none` is a pass.
enum class failure_kind {
  none,
  expectation,
  deadlock,
  livelock,
  left_over,
  unobserved,
  item,
  exception,
  escaped,
  diverged,
  crashed,
  testee,   ///< the process that hosts the subject broke; see harness/testee/PROTOCOL.md
  adapter,  ///< the subject is plugged in wrongly; seen by plug checks alone
  premise,  ///< what the scenario presupposes did not come about: nothing was shown
  hung      ///< a turn, or the trial, went on for so long in real time that its process was ended
};

/// How long a trial may go on without progress before that is a livelock (VCS-6). Progress is: an operation that is not in
/// the background ends, or an item comes into a state in which it never was. Another turn is none, nor is time alone; but
/// the background may work for as long as somebody else waits for a deadline.
struct progress_limits {
  std::uint64_t turns_at_instant = 100'000;
  std::uint64_t advances =
      100'000;  ///< of the clock; ten times as many while the scenario itself waits for times
};

/// What a subject holds after many of the same calls. The random program of the trial is done `rounds` times, one after
/// another, and what goes with the subject is counted: blocks of operator new, as trial_settings::allocation counts them. In a
/// trial that knows what the subject held after fewer rounds, as many more blocks as those were rounds are a failure.
struct growth_plan {
  std::uint32_t rounds = 0;
  std::uint32_t rounds_before = 0;  ///< 0: the trial only measures
  std::uint64_t held_before = 0;
  bool operator==(const growth_plan&) const = default;
};
/// "160", or "160-16-40" after 16 rounds that left 40 blocks, as tokens have it.
std::string to_string(const growth_plan& plan);
/// Reads that; nothing for any other text.
std::optional<growth_plan> read_growth_plan(std::string_view text);

/// What such a trial has measured.
struct growth_report {
  std::uint64_t held = 0;     ///< blocks that went with the subject
  std::uint32_t peak = 0;     ///< of operations that were pending side by side
  bool subject_went = false;  ///< else nothing was measured
};

/// The settings that a trial was made with; part of its token.
struct trial_settings {
  tier where = tier::sim;
  bool sweep = true;  ///< offer cancel points on the victim and fault points on dependency calls
  /// Counts the subject's allocations, and fails one; on tier `sim` only, and in programs that link
  /// assay::allocation_faults. See harness/allocation/section.hpp.
  std::optional<allocation_fault> allocation = {};
  /// A traced trial raises SIGTRAP when the event with this number, counted from 1, happens: for a debugger. 0: none;
  /// no part of a token.
  std::uint64_t break_at = 0;
  coverage* covered = nullptr;  ///< takes note of what the trial comes past, if not null; no part of a token
  event_mirror* mirror =
      nullptr;  ///< is told of every event, which makes the trial traced; no part of a token
  /// Clauses that the subject is known to break, in a random program: where a failure cites one of them, the model does not
  /// follow any more, and nothing of the trial is judged from then on. The scenario's own clause stands for failures that
  /// cite none.
  std::vector<std::string> muted = {};
  /// For a random program, with `allocation`.
  std::optional<growth_plan> growth = {};
  /// A traced trial notes who waits on which timer, who wakes whom, and what every task does when it fails; no part of a
  /// token, and of no influence on what happens.
  bool explained = false;
};

/// The clause that a failure's message cites: "BQ-4" of "BQ-4: no pop is pending beside an item", and of the same after
/// "expected: ". The first of several ("BQ-10, BQ-11: ..."). Empty if it cites none. Whether there is such a clause is for the
/// catalogue to say.
std::string_view cited_clause(std::string_view message) noexcept;

/// What became of a trial that counts allocations.
struct allocation_report {
  std::uint32_t points = 0;  ///< allocations of the subject
  bool failed = false;       ///< one of them did
  bool told = false;         ///< somebody was told of it: an operation, the scenario, an error hook
  bool left_turn = false;    ///< an exception left a turn after it: io_context::run would have thrown it
  bool only_lost = false;    ///< items are gone, and nothing else is wrong with any
  std::uint64_t kept = 0;    ///< blocks of operator new that outlived the trial
};

/// How one trial ended.
struct trial_result {
  failure_kind kind = failure_kind::none;
  std::string message;                ///< the first failure, in words; empty for a pass
  std::vector<std::string> failures;  ///< all of them
  std::vector<choice> choices;        ///< the schedule that was run
  std::set<std::string> reached;      ///< marks given to `sometimes` that this trial reached
  std::set<std::string> wanted;       ///< all marks given to `sometimes`
  std::set<std::string> premises;     ///< that held
  std::string skipped;                ///< why the test said that it is to be skipped; empty if it did not
  std::string unmet;                  ///< the premise that did not hold, if one did not
  bool victim_named = false;          ///< by trial::victim
  bool body_suspended = true;         ///< false if the scenario's body came to its end in its first turn
  std::uint32_t cancel_points = 0;
  std::uint32_t fault_points = 0;
  std::optional<allocation_report> allocations;
  std::optional<growth_report> growth;
  int signal = 0;  ///< that ended the trial's process; 0: none did
  std::uint64_t turns = 0;
  std::uint64_t order_class = 0;          ///< see sim_context::order_class; 0 on tier `io_context`
  std::uint32_t chains = 0;               ///< of handlers, see sim_context; 0 on tier `io_context`
  std::vector<std::uint32_t> task_turns;  ///< of each task, if the trial was traced
  std::optional<trace> events;            ///< if the trial was traced
  bool passed() const noexcept { return kind == failure_kind::none; }
  /// The subject or the environment did what no verdict covers: an error, not a failure.
  bool is_error() const noexcept {
    return kind == failure_kind::escaped || kind == failure_kind::diverged || kind == failure_kind::crashed ||
           kind == failure_kind::testee || kind == failure_kind::adapter || kind == failure_kind::premise ||
           kind == failure_kind::hung;
  }
};

/// Options of trial::start.
struct start_options {
  /// Neither keeps the trial alive nor has to end by itself (monitors, periodic tasks): VCS-5. Cancelled at
  /// the end.
  bool background = false;
};

/// What a live task is doing (VCS-13).
enum class activity {
  not_begun,  ///< started, but its first turn has not come
  runnable,   ///< a handler of its own is ready
  clock,      ///< waits for the trial itself (settle, advance)
  operation,  ///< waits for the end of another operation
  timer,      ///< waits for a timer that has a deadline
  parked,     ///< waits for ever, until somebody wakes or cancels it
  elsewhere,  ///< waits for something that is no timer: a handler that somebody keeps
};
std::string_view to_string(activity doing) noexcept;

/// One live task. Times count from the beginning of the trial.
struct task_report {
  task_id task = 0;
  std::string name;
  activity doing{};
  std::chrono::nanoseconds since{};             ///< of its last turn, or its start
  std::optional<std::chrono::nanoseconds> due;  ///< the next deadline, if it waits for one
  bool background = false;
  std::string started_at;  ///< "file.cpp:12"; empty for the subject itself and the scenario
};
/// "'pop 1' is parked since 5ms, started at file.cpp:12".
std::string to_string(const task_report& task);

namespace detail {

/// A coroutine's work together with what made it. Not a lambda itself: what it has must lie in its frame.
template <class Make, class Work = std::invoke_result_t<Make&>>
Work kept_work(Make make) {
  co_return co_await make();
}

}  // namespace detail

class trial {
 public:
  using nanoseconds = std::chrono::nanoseconds;

  trial(choice_stream& choices, trial_settings settings, bool traced);
  trial(const trial&) = delete;
  trial& operator=(const trial&) = delete;
  ~trial();

  // ---- what a scenario uses

  /// Starts an operation; its first turn comes later, as a choice. `name` is what reports call it.
  template <class T>
  operation<T> start(std::string name, boost::asio::awaitable<T> work, start_options options = {},
                     std::source_location where = std::source_location::current());

  /// The same for what makes the work, a lambda for one, which is kept until the work has ended: a coroutine that a lambda begins
  /// uses what it has captured.
  template <class Make>
    requires std::invocable<Make&>
  auto start(std::string name, Make make, start_options options = {},
             std::source_location where = std::source_location::current()) {
    return start(std::move(name), detail::kept_work(std::move(make)), options, where);
  }

  /// Names the one operation that the cancellation sweep cancels; only the first call of a trial counts.
  template <class T>
  void victim(const operation<T>& chosen) {
    set_victim(chosen.state());
  }

  /// Waits until nothing more can happen now: everything due now, timers too, has run (VCS-3).
  ///
  /// What it hides: whatever the test does next never meets the subject in the midst of something. A test that settles after
  /// every step tries one order of its own steps only; where two steps may overlap in production, start both and settle once.
  /// It ends even if the subject waits for something that never comes, and lets no time pass: what a timer brings is not
  /// there yet.
  boost::asio::awaitable<void> settle();
  /// Waits until `delay` has passed, with everything due before that run; goes on before anything due exactly
  /// then (VCS-4). A negative delay throws std::invalid_argument.
  ///
  /// What it hides: time passes only while nothing is ready, so no handler takes any, and each deadline on the way is met on
  /// time, before the test goes on. A subject that is late because it, or its loop, was busy is not tried: `.late = true`
  /// does that, and `stall`. Retries and time-outs that end within `delay` leave no trace at its end; advance by less to look
  /// at what is between.
  boost::asio::awaitable<void> advance(nanoseconds delay);
  /// advance, then settle: what is due at the end of `delay` has run as well.
  boost::asio::awaitable<void> pass(nanoseconds delay);
  /// start, then settle: it has gone as far as it can.
  template <class T>
  boost::asio::awaitable<operation<T>> begin(std::string name, boost::asio::awaitable<T> work,
                                             start_options options = {},
                                             std::source_location where = std::source_location::current());
  /// Cancels every operation in the background and waits until it has ended: for a body whose variables they use. Those of a
  /// body that ends without are cancelled when its variables have gone.
  boost::asio::awaitable<void> end_background();
  /// Requests terminal cancellation, then settles.
  template <class T>
  boost::asio::awaitable<void> cancel(const operation<T>& which) {
    which.cancel();
    co_await settle();
  }
  /// Time passes in the midst of this turn, and nothing else runs: a handler that takes as long as that, or a loop that
  /// was kept from running. It is a plain call, from any turn of the trial. What falls due meanwhile, who waits for the
  /// trial's clock too, is late: it comes when the turn is over, and all of it is due together. A wait that is due can
  /// still be cancelled until then, and no more once the loop has seen it, as on an io_context. A negative delay throws
  /// std::invalid_argument.
  void stall(nanoseconds delay);
  nanoseconds now() const noexcept { return time_.now(); }
  /// Virtual time since the trial began.
  nanoseconds elapsed() const noexcept { return now() - virtual_time::epoch; }
  /// Steps the wall clock alone (VCS-11, X-22).
  void step_wall_clock(nanoseconds by) noexcept { time_.step_wall(by); }
  /// For a test whose subject does more at one instant, or polls for longer, than the defaults allow.
  void limit_progress(progress_limits limits) noexcept;

  /// Every live task (VCS-13): the operations that have not ended, and the subject if anything of its own is
  /// ready or waits. In the order of their starts, the subject first. On tier `io_context` what is ready or
  /// kept elsewhere cannot be told apart.
  std::vector<task_report> tasks() const;

  /// Records a failure unless `holds`; the scenario goes on. True if it held. The message is a sentence that says what is
  /// expected: a failure reads "expected: MESSAGE; observed: OBSERVED".
  bool expect(bool holds, std::string_view message,
              std::source_location where = std::source_location::current());
  bool expect(bool holds, std::string_view message, std::string_view observed,
              std::source_location where = std::source_location::current());
  /// The same for equality: "expected: MESSAGE: 3; observed: 4".
  template <class A, class B>
  bool expect_eq(const A& actual, const B& expected, std::string_view message = {},
                 std::source_location where = std::source_location::current());
  /// Records a failure. The message says what went wrong.
  void fail(std::string message, std::source_location where = std::source_location::current());
  /// The same for a message that says itself where it comes from.
  void fail_in_words(std::string message);
  /// Marks an interesting state that some trial of the campaign must reach.
  void sometimes(std::string_view label, bool holds = true);

  /// Says what must have come about for the scenario to show anything: "two joiners are parked". If it did not, the scenario
  /// ends here, with scenario_stopped, and the trial shows nothing: where a sweep has disturbed it, it counts for nobody; else
  /// it is an error, not a failure of the subject. A campaign tells apart who is tried: see run_campaign.
  void premise(bool holds, std::string_view text,
               std::source_location where = std::source_location::current());

  /// Draws this trial's random program, of these verbs, with what is repeated written out; to be called before anything else is
  /// chosen.
  program draw_program(const grammar& rules, std::span<const std::uint8_t> verbs);

  /// Checks something after every turn for as long as the returned guard lives; what the check returns, unless empty,
  /// is a failure (the first one only). Declare the guard after what the check looks at.
  class watch_guard;
  [[nodiscard]] watch_guard watch(std::function<std::string()> check);
  /// The same for who ends it himself, by its number, which is never 0.
  std::uint32_t begin_watch(std::function<std::string()> check);
  void end_watch(std::uint32_t number) noexcept;

  /// Says that the current turn reads or changes the thing with this key, which other turns do as well: then their
  /// order is part of what tells schedules apart. Optional; items and wake-ups are known without.
  void touch(std::uint64_t key);
  /// Says that turns of this trial have nothing in common but what `touch` is told, items, and the handlers that they
  /// make and wake: then a depth-first search covers the orders of unrelated turns once.
  void touches_everything() noexcept;

  /// A new item with this id, known to the ledger.
  class item item(int id) { return items_.make(id); }
  item_ledger& items() noexcept { return items_; }

  /// The order ledger: what happened before what. What was marked before the latest subject was made belongs to an
  /// earlier round, and is not looked at; but for what came before the first one.
  void mark(std::string label);
  std::span<const std::string> marks() const noexcept { return order_.marks(); }
  /// Fails unless `first` was marked before `second`; a label that never came fails as well.
  bool expect_before(std::string_view first, std::string_view second,
                     std::source_location where = std::source_location::current());

  /// The exception ledger: makes an exception that must be observed exactly once. Whoever reports
  /// failures outside of an operation's outcome (an error hook) says so with `observe`. Labels tell exceptions apart,
  /// and may come again once another subject has been made.
  std::exception_ptr plant(std::string label);
  /// plant, and throw it.
  [[noreturn]] void raise(std::string label);
  void observe(const outcome& what);
  void observe(const std::exception_ptr& failure) { observe(describe(failure)); }
  /// Of those with this label that were planted last.
  std::uint32_t times_observed(const std::string& label) const { return raised_.times_observed(label); }

  // ---- what dependencies and environments use

  /// The executor of a named part of the subject's surroundings; what runs on it is named so in reports.
  boost::asio::any_io_executor executor();
  boost::asio::any_io_executor scenario_executor();
  boost::asio::io_context* stock_io_context() noexcept;
  tier where() const noexcept { return settings_.where; }
  choice_stream& choices() noexcept { return choices_; }
  /// One numbered call of a dependency: 0 if it is to behave, else the fault to show (1 to `faults`). Only
  /// scenarios marked `faulted` are offered faults.
  std::uint32_t fault_point(std::string_view call, std::uint32_t faults = 1);
  /// A subject is made: what is tried with it is an account of its own, in the ledgers of order and of exceptions.
  void next_round() noexcept;
  /// Switches fault points on; the campaign does so for scenarios marked `faulted`.
  void allow_faults() noexcept { faults_allowed_ = true; }
  /// Lets the clock go on beyond a deadline to one of the next few, as a choice; the campaign does so for scenarios marked
  /// `late`. It never goes beyond what the scenario itself waits for, nor comes there before what is due earlier has run.
  void allow_late_loop() noexcept { late_allowed_ = true; }
  /// What the subject is given from outside.
  environment& surroundings() noexcept { return environment_; }
  /// Registers a check that runs when the trial is quiescent; what it returns, unless empty, is a failure.
  void at_end(std::function<std::string()> check) {
    const detail::harness_section section;
    end_checks_.push_back(std::move(check));
  }
  /// Keeps something alive until the trial's context is gone.
  void keep(std::shared_ptr<void> thing) {
    const detail::harness_section section;
    kept_.push_back(std::move(thing));
  }
  /// Whether a failure was recorded.
  bool has_failed() const noexcept { return result_.kind != failure_kind::none; }
  bool traced() const noexcept { return trace_.has_value(); }
  /// From the beginning of `run` until its final checks are done.
  bool running() const noexcept { return running_; }
  /// Turns that have ended: equal numbers mean the same turn.
  std::uint64_t turns() const noexcept { return result_.turns; }
  /// True once a sweep has cancelled the victim, or made a dependency call or an allocation fail: what the scenario
  /// foresaw may not come any more.
  bool disturbed() const noexcept { return faults_shown_ > 0 || victim_cancels_ > 0 || short_of_memory(); }
  /// True once an allocation has failed. From then on the scenario's own expectations do not bind, nor what it leaves
  /// behind because of them; judged is only what must hold whatever fails (see `harness/campaign/allocations.hpp`).
  bool short_of_memory() const noexcept;
  /// True if the scenario has ended otherwise than planned because memory was short: the subject may be in use.
  bool cut_short() const noexcept;
  /// Who counts the subject's allocations; null if nobody does.
  allocation_counter* allocations() const noexcept { return allocations_.get(); }
  const std::shared_ptr<allocation_counter>& shared_allocations() const noexcept { return allocations_; }
  /// Counted blocks that are alive; 0 if nobody counts.
  std::uint64_t blocks() const noexcept;
  /// A subject has gone, and with it this many of them.
  void subject_went(std::uint64_t blocks) noexcept;
  void record(event_kind kind, std::string text);
  /// The process that hosts the subject has broken: the trial ends after this turn with an error, whatever else it saw.
  void testee_broke(std::string message);
  bool testee_has_broken() const noexcept { return result_.kind == failure_kind::testee; }

  /// What cites no clause is not judged either: see trial_settings::muted.
  void mute_uncited() noexcept { uncited_muted_ = true; }

  /// From now on the caller of every operation goes on after it: a terminal request that the operation met with a value, a
  /// deadline or a failure must show at that caller's next suspension, or the trial fails at its end. Whether it does
  /// is read off the caller's cancellation state, by which Asio decides that: there is no turn more, and no wait. Not looked
  /// at where allocations are counted, nor is what the trial itself cancels at its end.
  void follow_requests() noexcept { follows_requests_ = true; }
  /// Where the caller is out of sight, in a testee: the call with this name met a request and ended so, and the next step of
  /// its caller went on. Says nothing if the call ended as cancelled.
  void caller_went_on(std::string_view call, const outcome& how);
  bool follows_requests() const noexcept { return follows_requests_; }

  // ---- what tests of one's own use (see ASSAY_TEST)

  /// What operations refer to may belong to the scenario's body, and goes with it. So when the body ends, an operation that
  /// has not ended, and is not in the background, is a failure; and once the body of a trial that has failed has ended,
  /// nothing more is run, nor destroyed.
  void end_with_body() noexcept { ends_with_body_ = true; }
  /// The test is to be skipped: if its baseline trial says so, there is no other. The reason is not empty.
  void skip_test(std::string_view why);
  bool skips_test() const noexcept { return !result_.skipped.empty(); }
  /// From now on an exception that leaves a detached coroutine is a failure, unless it says that the coroutine was cancelled.
  void judge_detached() noexcept { judges_detached_ = true; }
  /// From now on the victim must have ended at the instant at which the sweep has requested its terminal cancellation: where
  /// nothing more can happen then and it still waits, that is a failure.
  void require_end_of_victim() noexcept { victim_must_end_ = true; }

  // ---- what plug checks use (see ASSAY_PLUG_CHECK)

  /// From now on an operation, or the scenario, that ends with an exception which is no outcome of a contract is the
  /// adapter's mistake. `labels_planted`: so is an error whose label this trial has not planted, where types are not to be
  /// seen (a testee's).
  void check_plug(bool labels_planted) noexcept;
  bool checks_plug() const noexcept { return plug_checked_; }
  /// A mistake of the adapter, in words. The first one is the trial's verdict, whatever else it saw. Says nothing in a
  /// trial that is no plug check.
  void misplugged(std::string what);
  /// The same for how the call with this name ended, unless that is an outcome of a contract.
  void require_translated(std::string_view call, const std::exception_ptr& failure);

  // ---- what the campaign uses

  /// Runs `scenario` to the end, and the final checks. To be called once.
  trial_result run(std::function<boost::asio::awaitable<void>()> scenario);

  static constexpr task_id subject_task = 0;
  static constexpr task_id scenario_task = 1;

 private:
  friend class operation_record;
  template <class T>
  friend class operation;
  // Somebody who waits for the trial: for this instant to settle, for a later one, or for the end of an operation.
  struct gate : detail::ready_op {
    std::optional<nanoseconds> until;
    const operation_record* end_of = nullptr;
  };
  template <class Handler>
  struct end_gate;
  class guest_house;

  task_id new_task();
  // Queues the first turn of an operation, which is a handler like any other: the order of starts is a choice, too.
  void launch(std::shared_ptr<operation_record> state, boost::asio::awaitable<void> work);
  void begun(const operation_record& record) noexcept;
  void set_victim(std::shared_ptr<operation_record> victim);
  void request_cancel(operation_record& target, boost::asio::cancellation_type type);
  void finished(operation_record& record);
  void observe_operation(operation_record& record);
  void run_until_quiet();
  template <class Doing>
  bool guarded(Doing&& doing);
  bool spent() const noexcept;
  void body_ended();
  bool broke_off() const noexcept { return over_ || scenario_failure_ != nullptr; }
  bool others_left() const;
  void bury();
  void destroy_frames() noexcept;
  void detached_ended(const std::exception_ptr& failure);
  void context_made(boost::asio::execution_context& context);
  void context_refused(const char* what, bool may_throw);
  void cancel_background();
  void request_end_of_background();
  bool background_alone() const;
  bool step();
  nanoseconds next_instant(nanoseconds next, nanoseconds arrival);
  void open_gate(std::deque<gate*>::iterator which);
  void wait_for_end(gate* waiting, const operation_record& of);
  void open_early(const gate* waiting);
  void after_step(bool turned);
  void look_at_watches();
  void note_progress() noexcept;
  void note_advance();
  void note_time(std::string_view how, nanoseconds due);
  bool is_background(task_id task) const noexcept;
  bool foreground_waits_for_deadline() const;
  void offer_cancel();
  void look_at_victim();
  void cover(event_kind kind, std::string_view detail);
  bool foreground_left() const noexcept;
  boost::asio::awaitable<void> watch_over(boost::asio::awaitable<void> scenario);
  void count_allocations(allocation_fault plan);
  std::string untranslated(const std::exception_ptr& failure) const;
  bool binds(failure_kind kind) const noexcept;
  bool is_muted(failure_kind kind, std::string_view message);
  bool others_pending() const noexcept;
  bool at_rest() const;
  void blame(failure_kind kind, std::string message);
  // The scenario breaks off because this operation has ended without a value, or has not ended.
  void fail_without_value(const operation_record& of, std::string_view what,
                          const std::source_location& asked);
  void final_checks();
  void check_operations();
  void check_exceptions();
  void check_left_over();
  void check_requests();
  void check_growth();
  void put(event_kind kind, std::string text);
  void fail_as(std::string message, const std::string& traced);
  void explain_failure();
  void note(std::string_view kind, std::string text);
  void note_choice(const choice& made, std::span<const candidate> among);
  void note_origin(task_id task);
  std::string recent_names() const;
  task_report report_on(task_id task) const;
  std::string blocked() const;
  std::string task_name(task_id task) const;
  boost::asio::awaitable<void> wait_at_gate(std::optional<nanoseconds> until,
                                            const operation_record* end_of = nullptr);

  std::shared_ptr<allocation_counter> allocations_;  // outlives what it keeps account of
  choice_stream& choices_;
  trial_settings settings_;
  std::optional<trace> trace_;
  std::unique_ptr<explainer> explainer_;  // null unless the trial is explained
  std::unique_ptr<engine> engine_;
  virtual_time& time_;  // the engine's
  coverage* const covered_;
  item_ledger items_;
  std::unique_ptr<guest_house> guests_;  // made for the first of them
  environment environment_{*this};
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<std::shared_ptr<operation_record>> operations_;
  std::shared_ptr<operation_record> scenario_;
  std::shared_ptr<operation_record> victim_;
  bool victim_was_queued_ = false;
  std::uint64_t victim_turns_ = 0;
  std::uint32_t victim_cancels_ = 0;
  std::deque<gate*> gates_;
  order_ledger order_;
  exception_ledger raised_;
  std::vector<std::function<std::string()>> end_checks_;
  watch_list watches_;
  bool plug_checked_ = false;
  bool follows_requests_ = false;
  std::vector<std::string> lost_requests_;  // in testees
  bool labels_planted_ = false;             // all of them, where the plug is checked
  bool faults_allowed_ = false;
  std::uint32_t faults_shown_ = 0;
  bool late_allowed_ = false;
  progress_limits limits_;
  std::uint64_t advances_ = 0;      // of the clock, since the last progress
  bool foreground_turned_ = false;  // meanwhile
  bool idle_ = false;               // nothing but the background can go on, and nobody waits for a deadline
  std::uint32_t exceptions_ = 0;
  allocation_report memory_;
  growth_report growth_;
  std::string round_;          // what is done again and again, where growth is measured
  std::uint32_t pending_ = 0;  // operations that are not in the background
  bool uncited_muted_ = false;
  bool spent_ = false;          // a muted failure came: nothing more is judged
  bool unforeseen_ = false;     // an expectation was missed when memory was short
  bool broke_at_rest_ = false;  // when the scenario broke off, nothing else could happen
  trial_result result_;
  bool running_ = false;
  bool ending_ = false;                  // what is cancelled now is cancelled by the trial itself
  std::exception_ptr scenario_failure_;  // it ended with an exception: nothing more is run
  bool ends_with_body_ = false;
  bool over_ = false;  // the body of a trial that has failed has ended, see end_with_body
  bool judges_detached_ = false;
  bool victim_must_end_ = false;
  bool turning_ = false;  // a handler is being run
};

/// Ends a watch when it goes.
class trial::watch_guard {
 public:
  watch_guard(trial& owner, std::uint32_t id) noexcept : owner_(&owner), id_(id) {}
  watch_guard(watch_guard&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), id_(other.id_) {}
  watch_guard(const watch_guard&) = delete;
  watch_guard& operator=(const watch_guard&) = delete;
  watch_guard& operator=(watch_guard&&) = delete;
  ~watch_guard();

 private:
  trial* owner_;
  std::uint32_t id_;
};

// ---- implementation of the templates

template <class T>
boost::asio::awaitable<operation<T>> trial::begin(std::string name, boost::asio::awaitable<T> work,
                                                  start_options options, std::source_location where) {
  operation<T> begun = start(std::move(name), std::move(work), options, where);
  co_await settle();
  co_return begun;
}

namespace detail {

/// The body of an operation with a value, which it leaves with the operation.
template <class T>
boost::asio::awaitable<void> keep_value(operation_state<T>& state, boost::asio::awaitable<T> work) {
  state.value_.emplace(co_await std::move(work));
}

}  // namespace detail

template <class T>
operation<T> trial::start(std::string name, boost::asio::awaitable<T> work, start_options options,
                          std::source_location where) {
  const detail::harness_section section;
  auto state =
      std::make_shared<operation_state<T>>(*this, std::move(name), new_task(), options.background, where);
  if constexpr (std::is_void_v<T>) {
    launch(state, std::move(work));
  } else {
    launch(state, detail::keep_value(*state, std::move(work)));
  }
  return operation<T>(std::move(state));
}

/// Somebody who waits for the end of an operation.
template <class Handler>
struct trial::end_gate final : trial::gate {
  end_gate(Handler&& waits, std::shared_ptr<operation_record> of)
      : handler(std::move(waits)), record(std::move(of)) {
    run = &end_gate::finish;
  }
  static void finish(detail::ready_op* base, bool invoke) {
    auto* const self = static_cast<end_gate*>(base);
    Handler handler(std::move(self->handler));
    const std::shared_ptr<operation_record> record = std::move(self->record);
    delete self;
    if (!invoke) return;
    std::exception_ptr failure;
    if (record->done()) {
      record->owner_.observe_operation(*record);
      failure = record->failure();
    } else {
      failure = std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
    }
    const auto target = boost::asio::get_associated_executor(handler);
    boost::asio::dispatch(target, [handler = std::move(handler), failure = std::move(failure)]() mutable {
      std::move(handler)(std::move(failure));
    });
  }
  Handler handler;
  std::shared_ptr<operation_record> record;
};

template <class T>
template <boost::asio::completion_token_for<void(std::exception_ptr)> Token>
auto operation<T>::operator()(Token&& token) const {
  return boost::asio::async_initiate<Token, void(std::exception_ptr)>(
      [](auto handler, std::shared_ptr<operation_record> of) {
        const detail::harness_section section;
        trial& owner = of->owner_;
        const operation_record& record = *of;
        boost::asio::cancellation_slot slot = boost::asio::get_associated_cancellation_slot(handler);
        auto* const waiting = new trial::end_gate<decltype(handler)>(std::move(handler), std::move(of));
        if (slot.is_connected())
          slot.assign([&owner, waiting](boost::asio::cancellation_type) { owner.open_early(waiting); });
        owner.wait_for_end(waiting, record);
      },
      token, std::shared_ptr<operation_record>(state_));
}

template <class A, class B>
bool trial::expect_eq(const A& actual, const B& expected, std::string_view message,
                      std::source_location where) {
  const detail::harness_section section;
  const bool holds = [&] {
    constexpr bool flags = std::is_same_v<A, bool> || std::is_same_v<B, bool>;
    if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !flags) {
      return std::cmp_equal(actual, expected);
    } else {
      return actual == expected;
    }
  }();
  if (holds) return expect(true, message, where);
  std::string wanted(message);
  wanted += (wanted.empty() ? "" : ": ") + detail::printed(expected);
  return expect(false, wanted, detail::printed(actual), where);
}

}  // namespace assay
