// Operations: what a trial has in flight, and the handle by which a scenario looks at one.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <assay/harness/sim/virtual_time.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/printed.hpp>

namespace assay {

class trial;
template <class T>
class operation_state;

namespace detail {
template <class T>
boost::asio::awaitable<void> keep_value(operation_state<T>& state, boost::asio::awaitable<T> work);
}  // namespace detail

/// Thrown into a scenario that asks for what is not there (the value of a pending operation): the trial has
/// failed already, and the rest of the scenario is pointless.
struct scenario_stopped {};

/// What a terminal request that an operation met, and did not end by, has left for its caller: see trial::follow_requests.
enum class what_follows {
  nothing,   ///< there was no such request, or the operation ended as cancelled
  request,   ///< the next suspension reports it
  silence,   ///< nothing is on record any more: the next suspension waits
  unthrown,  ///< it is on record, but throwing is switched off: the next suspension waits
};

/// What the trial knows of one operation.
class operation_record {
 public:
  operation_record(trial& owner, std::string name, task_id task, bool background, std::source_location where)
      : owner_(owner), name_(std::move(name)), task_(task), background_(background), where_(where) {}
  operation_record(const operation_record&) = delete;
  operation_record& operator=(const operation_record&) = delete;
  virtual ~operation_record() = default;

  const std::string& name() const noexcept { return name_; }
  task_id task() const noexcept { return task_; }
  bool background() const noexcept { return background_; }
  const std::source_location& where() const noexcept { return where_; }
  /// Its body has begun.
  bool started() const noexcept { return started_; }
  bool done() const noexcept { return done_; }
  bool observed() const noexcept { return observed_; }
  /// Terminal requests that it has had.
  std::uint32_t cancels() const noexcept { return cancels_; }
  /// When it last had a turn, as far as the tier can tell; before the first, when it was started.
  std::chrono::nanoseconds last_turn() const noexcept { return last_turn_; }
  const std::exception_ptr& failure() const noexcept { return failure_; }
  /// The value that it ended with, if it did and can be printed; else empty.
  virtual std::string printed_value() const { return {}; }
  boost::asio::cancellation_signal& signal() noexcept { return signal_; }
  /// Whether the latest request that it met before its body ended was a terminal one.
  bool met_request() const noexcept { return met_request_; }
  void note_follows(what_follows what) noexcept { follows_ = what; }
  /// Its body begins.
  void begin() noexcept { started_ = true; }
  void finish(std::exception_ptr failure);
  /// How it ended (`pending` if it has not). Looking counts as observing its failure.
  outcome look();
  /// The failure itself, observed; null if there is none.
  const std::exception_ptr& look_at_failure();

 protected:
  friend class trial;
  template <class T>
  friend class operation;

  void request(boost::asio::cancellation_type type);
  // For who asks for the value: if there is none, the trial fails and the scenario ends.
  void require_value(const std::source_location& asked);
  void meet(boost::asio::cancellation_type type);

  trial& owner_;
  std::string name_;
  task_id task_;
  bool background_;
  std::source_location where_;
  bool started_ = false;
  bool done_ = false;
  bool observed_ = false;  // somebody has looked at how it ended
  std::uint32_t cancels_ = 0;
  boost::asio::cancellation_type requested_ = boost::asio::cancellation_type::none;
  bool met_request_ = false;
  what_follows follows_ = what_follows::nothing;
  std::chrono::nanoseconds last_turn_{};
  std::exception_ptr failure_;
  boost::asio::cancellation_signal signal_;
};

template <class T>
class operation_state final : public operation_record {
 public:
  using value_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  using operation_record::operation_record;

  std::string printed_value() const override {
    if constexpr (!std::is_void_v<T> && detail::is_printable<value_type>()) {
      if (value_) return detail::printed(*value_);
    }
    return {};
  }

 private:
  template <class U>
  friend class operation;
  friend boost::asio::awaitable<void> detail::keep_value<T>(operation_state&, boost::asio::awaitable<T>);

  static std::optional<value_type> no_value() {
    if constexpr (std::is_void_v<T>) {
      return std::optional<value_type>(std::in_place);
    } else {
      return std::nullopt;
    }
  }
  std::optional<value_type> value_ = no_value();  // there from the end of the body on, as `done` is not
};

/// A scenario's handle of an operation in flight. Copies name the same operation. `co_await operation` waits for its end, and
/// gives its value, or throws its failure, which is then observed.
template <class T>
class operation {
 public:
  explicit operation(std::shared_ptr<operation_state<T>> state) : state_(std::move(state)) {}

  const std::string& name() const noexcept { return state_->name(); }
  bool pending() const noexcept { return !state_->done(); }
  bool ended() const noexcept { return state_->done(); }
  /// Ended with a value.
  bool done() const { return what().kind == outcome_kind::value; }
  bool cancelled() const { return what().kind == outcome_kind::cancelled; }
  bool closed() const { return what().kind == outcome_kind::closed; }
  bool timed_out() const { return what().kind == outcome_kind::timed_out; }
  bool rejected() const { return what().kind == outcome_kind::rejected; }
  bool failed() const {
    const outcome_kind kind = what().kind;
    return kind != outcome_kind::pending && kind != outcome_kind::value && kind != outcome_kind::cancelled;
  }

  /// How it ended (`pending` if it has not). Looking counts as observing its failure.
  outcome what() const { return state_->look(); }
  /// The failure itself; null if it ended with a value or is pending. Observes it.
  std::exception_ptr failure() const { return state_->look_at_failure(); }
  /// The value, to look at or to move from. If there is none, the trial fails with the operation's name and
  /// the scenario ends.
  typename operation_state<T>::value_type& value(
      std::source_location asked = std::source_location::current()) const {
    state_->require_value(asked);
    return *state_->value_;
  }

  /// Tells a completion token of its end, and of its failure: the signature is void(std::exception_ptr). Who waits can be
  /// cancelled, and the operation goes on.
  template <boost::asio::completion_token_for<void(std::exception_ptr)> Token>
  auto operator()(Token&& token) const;
  /// The value of one that has ended with one: a copy, or if there can be none the value itself.
  T take() const {
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_copy_constructible_v<T>) {
      return value();
    } else {
      return std::move(value());
    }
  }

  /// Requests terminal cancellation; an operation that has not begun yet ends as cancelled without running.
  void cancel() const { request(boost::asio::cancellation_type::terminal); }
  /// Requests cancellation of this type.
  void request(boost::asio::cancellation_type type) const { state_->request(type); }

  const std::shared_ptr<operation_state<T>>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<operation_state<T>> state_;
};

}  // namespace assay
