// The scripted call: what stands behind every mock dependency (MOK-1 to MOK-8).
//
// A script is a list of replies, which the calls consume one by one, in the order in which they begin. A call
// that finds no reply is a failure of the trial that names it, and ends with an error: never a default value,
// never a null awaitable (MOK-2).
//
//     script<std::string> fetch(t, "fetch");
//     fetch.then(reply<std::string>::value("a"));
//     fetch.then(reply<std::string>::value("b").after(10ms).ignoring_cancel());
//     fetch.then(reply<std::string>::never());
//     ...
//     auto text = co_await fetch.call("'/index'");       // in the mock's method, instead of `co_await`: return
//
// What a scenario is told at the end without asking: replies that nobody took, calls that are still pending,
// calls whose awaitable was dropped or kept without being awaited (MOK-1, MOK-7).
//
// Lifetime: a call in flight shares the script's state, so the script, and the mock around it, may go first
// (MOK-6). The trial outlives both.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <assay/harness/mock/pending_call.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

/// What a call ends with that nobody had scripted; the trial has failed already.
class unexpected_call : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// How one call ended, or where it stands.
enum class call_outcome {
  unawaited,  ///< made, but not begun: nobody has awaited it
  pending,
  value,
  error,
  cancelled,
  abandoned  ///< its frame was destroyed while it was pending
};
std::string_view to_string(call_outcome outcome) noexcept;

/// What is known of one call (MOK-3). Times are virtual, counted from the beginning of the trial.
struct call_record {
  std::string arguments;
  std::uint32_t number = 0;  ///< counted from 1 in the order in which calls begin; 0 if it never began
  std::chrono::nanoseconds began{};
  std::chrono::nanoseconds ended{};
  call_outcome outcome = call_outcome::unawaited;
  std::string error;              ///< the label, if it ended with an error
  bool cancel_requested = false;  ///< it was asked to stop while it was pending
};

/// The faults that a script can offer to the fault sweep (MOK-8). What each asks of the code under test grows
/// from the first to the last, so a script offers none but those that its scenario can answer.
enum class fault {
  fail,     ///< an error, at once; takes no reply
  slow,     ///< the reply, later than planned by a given time
  at_once,  ///< the reply, without a suspension
  hang      ///< nothing until it is cancelled; takes no reply; asks for a deadline around the call
};

/// One line of a script: what a call ends with, and when. By default it ends in the turn in which it was
/// made, after one suspension, and honours cancellation.
template <class T>
class reply {
 public:
  using value_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  static reply value(value_type result = value_type()) {
    reply made;
    made.value_.emplace(std::move(result));
    return made;
  }
  static reply error(std::exception_ptr failure) {
    reply made;
    made.error_ = std::move(failure);
    return made;
  }
  /// An ordinary failure (contract::operation_error) with this label. One that must be followed by the
  /// exception ledger is made by trial::plant.
  static reply error(std::string label) {
    return error(std::make_exception_ptr(contract::operation_error(std::move(label))));
  }
  static reply never() {
    reply made;
    made.plan_.ends = detail::call_plan::ending::never;
    return made;
  }

  /// Ends this much later, in virtual time; several add up. A negative delay is none.
  reply after(std::chrono::nanoseconds delay) && {
    if (plan_.ends == detail::call_plan::ending::never) return std::move(*this);
    plan_.ends = detail::call_plan::ending::delayed;
    plan_.delay = detail::saturated_sum(plan_.delay, delay);
    return std::move(*this);
  }
  /// Ends inside the call, without a suspension.
  reply at_once() && {
    plan_.ends = detail::call_plan::ending::at_once;
    return std::move(*this);
  }
  reply ignoring_cancel() && {
    plan_.policy = on_cancel::ignore;
    return std::move(*this);
  }
  /// Once asked to stop, goes on for `delay` and then ends as planned; one that never ends, as cancelled.
  reply finishing_after_cancel(std::chrono::nanoseconds delay) && {
    plan_.policy = on_cancel::finish;
    plan_.finish_delay = delay;
    return std::move(*this);
  }
  /// Once asked to stop, ends with this failure instead of as cancelled.
  reply failing_on_cancel(std::exception_ptr failure) && {
    plan_.policy = on_cancel::fail;
    cancel_error_ = std::move(failure);
    return std::move(*this);
  }
  reply failing_on_cancel(std::string label) && {
    return std::move(*this).failing_on_cancel(
        std::make_exception_ptr(contract::operation_error(std::move(label))));
  }
  /// Is meant for a call with these arguments; another one fails the trial.
  reply to(std::string arguments) && {
    arguments_ = std::move(arguments);
    return std::move(*this);
  }

  const detail::call_plan& plan() const noexcept { return plan_; }
  const std::optional<std::string>& arguments() const noexcept { return arguments_; }

  /// What a call that ended in this way throws; null if it has a value.
  std::exception_ptr failure(detail::call_end end) const {
    switch (end) {
      case detail::call_end::completed:
        return error_;
      case detail::call_end::cancelled:
        return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
      case detail::call_end::failed_on_cancel:
        return cancel_error_;
    }
    return error_;
  }
  value_type take() { return std::move(*value_); }

 private:
  reply() = default;

  detail::call_plan plan_;
  std::optional<value_type> value_;
  std::exception_ptr error_;
  std::exception_ptr cancel_error_;
  std::optional<std::string> arguments_;
};

namespace detail {

/// The part of a script that does not depend on what its calls return.
class script_core {
 public:
  script_core(trial& owner, std::string name) : owner_(owner), name_(std::move(name)) {}
  script_core(const script_core&) = delete;
  script_core& operator=(const script_core&) = delete;
  virtual ~script_core() = default;

  /// The call's place among the records.
  std::size_t made(std::string arguments);
  void begun(std::size_t call);
  void ended(std::size_t call, const std::exception_ptr& failure);
  /// Its awaitable is gone.
  void dropped(std::size_t call) noexcept;
  /// The fault to show in this call, if any: one that was asked for by number, or one of the sweep.
  std::optional<fault> fault_of(std::size_t call);
  /// Fails the trial and throws unexpected_call.
  [[noreturn]] void unexpected(std::size_t call);
  void check_arguments(std::size_t call, const std::string& expected);
  std::exception_ptr injected_failure(std::size_t call) const;
  /// What is unmet at the end of the trial, in words.
  std::string unmet() const;

  const std::shared_ptr<call_watch>& watch(std::size_t call) const { return calls_[call].watch; }
  call_record record(std::size_t call) const;
  std::size_t size() const noexcept { return calls_.size(); }
  const std::string& name() const noexcept { return name_; }

  std::uint32_t begun_count = 0;
  std::uint32_t active = 0;
  std::uint32_t peak = 0;
  std::optional<std::uint32_t> limit;
  std::set<std::uint32_t> failing;  // call numbers
  std::vector<fault> offered = std::vector<fault>(1, fault::fail);
  std::chrono::nanoseconds slow_by{};

 protected:
  virtual std::size_t replies_left() const noexcept = 0;

 private:
  struct one_call {
    call_record record;
    std::shared_ptr<call_watch> watch = std::make_shared<call_watch>();
    std::uint64_t made_in_turn = 0;
    bool forgotten = false;
  };
  std::string title(const one_call& call) const;

  trial& owner_;
  std::string name_;
  std::deque<one_call> calls_;
  bool injected_ = false;
};

template <class T>
class script_state final : public script_core {
 public:
  using script_core::script_core;

  reply<T> next(std::size_t call) {
    const std::optional<fault> shown = fault_of(call);
    if (shown == fault::fail) return reply<T>::error(injected_failure(call));
    if (shown == fault::hang) return reply<T>::never();
    reply<T> answer = scripted(call);
    if (shown == fault::slow) return std::move(answer).after(slow_by);
    if (shown == fault::at_once) return std::move(answer).at_once();
    return answer;
  }

  std::deque<reply<T>> replies;
  std::function<reply<T>()> standing;

 private:
  reply<T> scripted(std::size_t call) {
    if (replies.empty()) {
      if (!standing) unexpected(call);  // MOK-2
      return standing();
    }
    reply<T> answer = std::move(replies.front());
    replies.pop_front();
    if (answer.arguments()) check_arguments(call, *answer.arguments());
    return answer;
  }
  std::size_t replies_left() const noexcept override { return replies.size(); }
};

/// A call's share in the script's state; goes with the call's frame.
template <class T>
class call_ticket {
 public:
  call_ticket(std::shared_ptr<script_state<T>> script, std::string arguments)
      : script_(std::move(script)), call_(script_->made(std::move(arguments))) {}
  call_ticket(call_ticket&& other) noexcept : script_(std::move(other.script_)), call_(other.call_) {}
  call_ticket(const call_ticket&) = delete;
  call_ticket& operator=(const call_ticket&) = delete;
  call_ticket& operator=(call_ticket&&) = delete;
  ~call_ticket() {
    if (script_ != nullptr) script_->dropped(call_);
  }

  reply<T> begin() const {
    const harness_section section;
    script_->begun(call_);
    return script_->next(call_);
  }
  std::shared_ptr<call_watch> watch() const { return script_->watch(call_); }
  void end(const std::exception_ptr& failure) const { script_->ended(call_, failure); }

 private:
  std::shared_ptr<script_state<T>> script_;
  std::size_t call_;
};

/// The call itself: everything it needs is its own (MOK-6).
template <class T>
boost::asio::awaitable<T> perform(call_ticket<T> ticket) {
  reply<T> answer = ticket.begin();
  const call_plan plan = answer.plan();
  call_end end = call_end::completed;
  if (plan.ends != call_plan::ending::at_once) {
    std::shared_ptr<call_watch> watch = ticket.watch();
    end = co_await wait_for_call(plan, std::move(watch));
  }
  const std::exception_ptr failure = answer.failure(end);
  ticket.end(failure);
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) co_return answer.take();
}

}  // namespace detail

/// A handle of a script; copies name the same one.
template <class T>
class script {
 public:
  /// `name` is what failures call it: "database.query".
  script(trial& owner, std::string name)
      : state_(std::make_shared<detail::script_state<T>>(owner, std::move(name))) {
    owner.at_end([state = state_] { return state->unmet(); });  // MOK-7
  }

  // ---- what a scenario writes

  /// Appends a reply, to be consumed by exactly one call.
  script& then(reply<T> answer) {
    state_->replies.push_back(std::move(answer));
    return *this;
  }
  script& returns(typename reply<T>::value_type result = typename reply<T>::value_type()) {
    return then(reply<T>::value(std::move(result)));
  }
  script& fails(std::string label) { return then(reply<T>::error(std::move(label))); }
  script& hangs() { return then(reply<T>::never()); }
  /// The reply of every call beyond the list, for calls whose number does not matter.
  script& otherwise(reply<T> answer)
    requires std::copy_constructible<typename reply<T>::value_type>
  {
    state_->standing = [answer = std::move(answer)] { return answer; };
    return *this;
  }

  /// Fails the n-th call, counted from 1 (MOK-8). It takes no reply.
  script& fail_the(std::uint32_t number) {
    state_->failing.insert(number);
    return *this;
  }
  /// Offers these faults to the fault sweep, at every call; by default it is `fail` alone. An empty list
  /// offers none. `slow_by` is for `fault::slow`.
  script& offers(std::vector<fault> faults, std::chrono::nanoseconds slow_by = std::chrono::minutes(1)) {
    state_->offered = std::move(faults);
    state_->slow_by = slow_by;
    return *this;
  }
  /// More calls at once than this fail the trial, when they happen (MOK-5).
  script& limit_concurrency(std::uint32_t calls_max) {
    state_->limit = calls_max;
    return *this;
  }

  // ---- what a scenario reads

  std::vector<call_record> calls() const {
    std::vector<call_record> all;
    all.reserve(state_->size());
    for (std::size_t i = 0; i < state_->size(); ++i) all.push_back(state_->record(i));
    return all;
  }
  /// Calls that have begun, and those of them that are pending.
  std::uint32_t count() const noexcept { return state_->begun_count; }
  std::uint32_t pending() const noexcept { return state_->active; }
  /// The most calls that were pending at once.
  std::uint32_t peak() const noexcept { return state_->peak; }

  // ---- what a mock's method returns

  /// One call, which begins when it is awaited. `arguments` is how records and failures show it.
  [[nodiscard]] boost::asio::awaitable<T> call(std::string arguments = {}) const {
    const detail::harness_section section;
    return detail::perform<T>(detail::call_ticket<T>(state_, std::move(arguments)));
  }

 private:
  std::shared_ptr<detail::script_state<T>> state_;
};

/// Makes a mock of type `Mock` and provides it to the subject as an `Interface`.
template <class Interface, class Mock>
std::shared_ptr<Mock> provide(trial& t, std::string name) {
  auto made = std::make_shared<Mock>(t, std::move(name));
  t.surroundings().template provide<Interface>(made);
  return made;
}

}  // namespace assay
