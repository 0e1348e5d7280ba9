// Operations at the same time, each with an outcome of its own (clauses AGG-1 to AGG-13 of the standard).
//
// A dashboard that shows what it has, and says what is missing:
//
//     std::vector<producer<panel>> panels;
//     panels.push_back([&] { return load_orders(db); });
//     panels.push_back([&] { return load_weather(net); });
//     for (const gathered<panel>& one : co_await gather_all(std::move(panels)))
//       one.value ? show(*one.value) : show_gap(describe(one.error));
//
// gather_all     every outcome in its slot; nothing fails together
// gather_each    the same, told one by one as they come, for as long as a deadline allows
// gather_first   the first k values; who comes too late gives its value back
// gather_parts   some of the parts are required
// gather_checks  valid only if every check says so
//
// Promises
// - One slot for each producer, in their order; it says whether that gave a value, failed, or ended cancelled by itself (AGG-1,
//   AGG-9). A failure neither stops nor delays anybody (AGG-2). A producer that throws has failed like any other (AGG-4).
// - All run at the same time (AGG-5), as tasks of one group on the caller's executor.
// - A request from outside asks all to stop; when all have ended, the call ends as cancelled (AGG-3).
// - An exit_request is no outcome of a slot: it is thrown, bare, when the others have ended.
//
// Lifetime: producers are kept until all operations have ended, so they may be closures. What they refer to outlives the call.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/failure/task_group.hpp>

namespace assay::reference {

/// Begins an operation. It is called once.
template <class T>
using producer = std::function<boost::asio::awaitable<T>()>;

/// What became of one operation.
template <class T>
struct gathered {
  task_end how = task_end::cancelled;
  std::optional<T> value;    ///< with task_end::well
  std::exception_ptr error;  ///< else
};

/// A part that is required ended cancelled, so there is no failure to tell.
struct part_missing : error {
  part_missing() : error("ended cancelled") {}
};

namespace detail {

template <class T>
boost::asio::awaitable<gathered<T>> outcome_of(const producer<T>& produce) {
  gathered<T> slot;
  try {
    slot.value.emplace(co_await produce());
    slot.how = task_end::well;
  } catch (...) {
    slot.error = std::current_exception();
    slot.how = is_cancellation(slot.error) ? task_end::cancelled : task_end::failed;
  }
  if (is_exit_request(slot.error)) std::rethrow_exception(slot.error);
  co_return slot;
}

template <class T, class Take>
boost::asio::awaitable<void> gather_one(const producer<T>& produce, std::size_t index, Take& take) {
  gathered<T> slot = co_await outcome_of(produce);
  take(index, std::move(slot));
}

inline task_group_options collecting() {
  task_group_options options;
  options.cancel_on_failure = false;
  return options;
}

/// Runs all of them in `group` and hands each outcome to `take`, as it comes.
template <class T, class Take>
boost::asio::awaitable<void> gather_in(task_group& group, const std::vector<producer<T>>& producers,
                                       Take& take) {
  auto all_ended = group.join();  // made first: once a task runs, nothing keeps us from waiting for it
  std::exception_ptr unspawned;
  try {
    for (std::size_t i = 0; i < producers.size(); ++i)
      (void)group.spawn("part " + std::to_string(i), gather_one(producers[i], i, take));
  } catch (...) {
    unspawned = std::current_exception();
    group.request_cancel();
  }
  co_await std::move(all_ended);
  if (unspawned) std::rethrow_exception(unspawned);
}

/// Asks a group to stop at a deadline. The callback shares the state, since it may be queued already when the group goes.
class group_deadline {
 public:
  group_deadline(const boost::asio::any_io_executor& executor, task_group& group, time_point deadline)
      : state_(std::make_shared<state>(executor, group, deadline)) {
    if (deadline == no_deadline) return;
    state_->timer.async_wait([state = state_](boost::system::error_code error) {
      if (error || !state->group) return;
      state->expired = true;
      state->group->request_cancel();
    });
  }
  group_deadline(const group_deadline&) = delete;
  group_deadline& operator=(const group_deadline&) = delete;
  ~group_deadline() {
    state_->group = nullptr;
    state_->timer.cancel();
  }
  bool expired() const noexcept { return state_->expired; }

 private:
  struct state {
    state(const boost::asio::any_io_executor& executor, task_group& of, time_point deadline)
        : timer(executor, deadline), group(&of) {}

    boost::asio::steady_timer timer;
    task_group* group;
    bool expired = false;
  };

  std::shared_ptr<state> state_;
};

}  // namespace detail

/// Runs all at the same time, and gives every outcome in its slot; at once if there are none (AGG-11).
/// Outcomes: the slots; cancelled, when all have ended (AGG-3); a bare exit_request.
template <class T>
[[nodiscard]] boost::asio::awaitable<std::vector<gathered<T>>> gather_all(
    std::vector<producer<T>> producers) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  task_group group(co_await boost::asio::this_coro::executor, detail::collecting());
  std::vector<gathered<T>> slots(producers.size());
  auto take = [&slots](std::size_t index, gathered<T> slot) { slots[index] = std::move(slot); };
  co_await detail::gather_in(group, producers, take);
  co_return slots;
}

/// The same where several slots are to show the same operation: slot i is that of producer `which[i]`, which runs once (AGG-12).
template <class T>
[[nodiscard]] boost::asio::awaitable<std::vector<gathered<T>>> gather_shared(
    std::vector<producer<T>> producers, std::vector<std::size_t> which) {
  const std::vector<gathered<T>> once = co_await gather_all(std::move(producers));
  std::vector<gathered<T>> slots;
  for (const std::size_t index : which) slots.push_back(once.at(index));
  co_return slots;
}

/// Runs all at the same time, and calls `take(index, outcome)` for each when it has ended, in that order (AGG-13).
///
/// When the deadline passes, those at work are asked to stop, and waited for; they are not told. What was told stays told.
/// Outcomes: nothing; timed_out, if somebody was at work at the deadline; cancelled; a bare exit_request; what `take` throws, as a
/// member of an exception_group.
template <class T, class Take>
[[nodiscard]] boost::asio::awaitable<void> gather_each(std::vector<producer<T>> producers, Take take,
                                                       time_point deadline = no_deadline) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  const auto executor = co_await boost::asio::this_coro::executor;
  task_group group(executor, detail::collecting());
  detail::group_deadline limit(executor, group, deadline);
  bool cut_short = false;
  auto tell = [&](std::size_t index, gathered<T> slot) {
    if (limit.expired() && slot.how == task_end::cancelled) {
      cut_short = true;
    } else {
      take(index, std::move(slot));
    }
  };
  co_await detail::gather_in(group, producers, tell);
  if (cut_short) throw timed_out();
}

/// The first `wanted` values, in the order in which they came; then the others are asked to stop, and waited for (AGG-7).
///
/// `give_back(value)` is called for every value that is not returned: of those who came too late, and of all if the call fails.
/// It must not throw. With wanted == 0 nothing runs.
/// Outcomes: the values; an exception_group of the failures, as soon as too few are left, when the others have ended; part_missing
/// if too few gave a value and none failed; cancelled.
template <class T, class GiveBack>
[[nodiscard]] boost::asio::awaitable<std::vector<T>> gather_first(std::size_t wanted,
                                                                  std::vector<producer<T>> producers,
                                                                  GiveBack give_back) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  std::vector<T> values;
  if (wanted == 0) co_return values;
  task_group group(co_await boost::asio::this_coro::executor, detail::collecting());
  std::vector<task_failure> failures;
  std::size_t left = producers.size();
  auto take = [&](std::size_t index, gathered<T> slot) {
    --left;
    if (slot.how == task_end::failed)
      failures.push_back({"part " + std::to_string(index), index, slot.error});
    if (slot.value && values.size() < wanted) {
      values.push_back(std::move(*slot.value));
    } else if (slot.value) {
      give_back(std::move(*slot.value));
    }
    if (values.size() == wanted || values.size() + left < wanted) group.request_cancel();
  };
  std::exception_ptr failure;
  try {
    co_await detail::gather_in(group, producers, take);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure && values.size() == wanted) co_return values;
  for (T& one : values) give_back(std::move(one));
  if (failure) std::rethrow_exception(failure);
  if (failures.empty()) throw part_missing();
  throw exception_group(std::move(failures));
}

/// One part of a whole.
template <class T>
struct part {
  part(std::string part_name, producer<T> part_producer, bool is_required)
      : name(std::move(part_name)), produce(std::move(part_producer)), required(is_required) {}
  std::string name;
  producer<T> produce;
  bool required;
};

/// As gather_all, if all that is required gave a value: a slot that failed says what is missing, and is no empty value (AGG-6,
/// AGG-8). Else an exception_group of the required parts' failures, under their names.
template <class T>
[[nodiscard]] boost::asio::awaitable<std::vector<gathered<T>>> gather_parts(std::vector<part<T>> parts) {
  std::vector<producer<T>> producers;
  for (part<T>& one : parts) producers.push_back(std::move(one.produce));
  std::vector<gathered<T>> slots = co_await gather_all(std::move(producers));
  std::vector<task_failure> missing;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].required || slots[i].value) continue;
    const bool failed = slots[i].how == task_end::failed;
    missing.push_back({parts[i].name, i, failed ? slots[i].error : std::make_exception_ptr(part_missing())});
  }
  if (!missing.empty()) throw exception_group(std::move(missing));
  co_return slots;
}

/// What checks have found: valid, or why not.
struct check_result {
  bool valid = true;
  std::vector<std::string> causes;  ///< "name: cause" of every check that did not say yes
};

/// Valid only if every check says so: one that throws, or ends cancelled, has not (AGG-10).
[[nodiscard]] inline boost::asio::awaitable<check_result> gather_checks(std::vector<part<bool>> checks) {
  std::vector<producer<bool>> producers;
  for (part<bool>& one : checks) producers.push_back(std::move(one.produce));
  const std::vector<gathered<bool>> slots = co_await gather_all(std::move(producers));
  check_result result;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    if (slots[i].value && *slots[i].value) continue;
    result.valid = false;
    result.causes.push_back(checks[i].name + ": " + (slots[i].value ? "no" : describe(slots[i].error)));
  }
  co_return result;
}

}  // namespace assay::reference
