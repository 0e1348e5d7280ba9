// Several operations against each other and against time (clauses TMO-4, TMO-5, TMO-9, TMO-10 and TMO-16 of the standard),
// on task groups and on core/deadline_scope.hpp, which has the timeout of one operation.
//
//     auto first = co_await first_of(std::move(mirrors), put_back);     // a vector of awaitable<connection>
//     co_await with_deadline_or_abandon(supervisor, "backup", run_backup(), deadline_after(1h));
//
//     pending_set jobs(executor);
//     jobs.start("a", run_a());
//     const auto so_far = co_await jobs.wait_some(deadline_after(1s));  // which have ended, which have not
//     co_await jobs.join();
//
// Scope: one thread or strand, that of the caller.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/deadline_scope.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/core/parked_waiter.hpp>
#include <assay/reference/failure/task_group.hpp>

namespace assay::reference {

/// Who came first, and with what.
template <class T>
struct first_result {
  std::size_t index;
  T value;
};

namespace detail {

template <class T>
struct race {
  explicit race(const boost::asio::any_io_executor& executor) : group(executor) {}

  task_group group;
  std::vector<first_result<T>> finished;  // the winner first

  static boost::asio::awaitable<void> run(race& all, std::size_t index, boost::asio::awaitable<T> work) {
    T value = co_await std::move(work);
    all.finished.push_back(first_result<T>{index, std::move(value)});
    all.group.request_cancel();
  }
};

}  // namespace detail

/// Runs all of `works`, of which there is one at least, and gives the first value. The others are asked to stop and waited
/// for (TMO-9); those that come to a value all the same go to `give_back`, which must not throw.
///
/// Outcomes: the first value, also if a request came meanwhile; an exception_group, if one failed, be it before the first
/// value, which ends the race at once (TMO-4), or while it was cleaning up (TMO-5): then the winner's value is given back
/// as well. Cancelled by a request, when all have ended. In a cancelled scope: cancelled, and nothing is begun.
template <class T>
[[nodiscard]] boost::asio::awaitable<first_result<T>> first_of(
    std::vector<boost::asio::awaitable<T>> works,
    std::function<void(std::size_t, T)> give_back = [](std::size_t, T) {}) {
  if (works.empty()) throw std::invalid_argument("first_of nothing");
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  const auto executor = co_await boost::asio::this_coro::executor;
  detail::race<T> all(executor);
  all.finished.reserve(works.size());
  auto all_ended = all.group.join();
  std::exception_ptr failure;
  try {
    std::size_t index = 0;
    for (auto& work : works) {
      (void)all.group.spawn(std::to_string(index), detail::race<T>::run(all, index, std::move(work)));
      ++index;
    }
  } catch (...) {
    failure = std::current_exception();
    all.group.request_cancel();
  }
  works.clear();
  try {
    co_await std::move(all_ended);
  } catch (...) {
    if (!failure) failure = std::current_exception();
  }
  const bool won = !all.finished.empty() && (!failure || is_cancellation(failure));
  for (std::size_t i = won ? 1 : 0; i < all.finished.size(); ++i)
    give_back(all.finished[i].index, std::move(all.finished[i].value));
  if (!won && failure) std::rethrow_exception(failure);
  if (!won) throw_cancelled();  // all of them have given up
  co_return std::move(all.finished.front());
}

namespace detail {

struct abandonable {
  explicit abandonable(const boost::asio::any_io_executor& executor) : scope(executor, no_deadline) {}

  deadline_scope scope;
  waiter_list<waiter> caller;
  std::exception_ptr failure;
  bool ended = false;

  static boost::asio::awaitable<void> run(std::shared_ptr<abandonable> self,
                                          boost::asio::awaitable<void> work) {
    std::exception_ptr failure;
    try {
      co_await self->scope.run(std::move(work));
    } catch (const stopped&) {
      throw_cancelled();
    } catch (...) {
      failure = std::current_exception();
    }
    self->ended = true;
    if (self->caller.empty()) {  // nobody waits any more: the supervisor is told
      if (failure) std::rethrow_exception(failure);
      co_return;
    }
    self->failure = failure;
    self->caller.front().wake();
  }
};

}  // namespace detail

/// Runs `work` as a task of `supervisor`, and waits for it until `deadline`. At the deadline, or when the caller is
/// cancelled, it is asked to stop and left to the supervisor, who waits for it and is told its failure (TMO-10).
///
/// Outcomes: those of `work`; timed_out at the deadline; cancelled. If the supervisor takes no more tasks: closed.
[[nodiscard]] inline boost::asio::awaitable<void> with_deadline_or_abandon(task_group& supervisor,
                                                                           std::string name,
                                                                           boost::asio::awaitable<void> work,
                                                                           time_point deadline) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto self = std::make_shared<detail::abandonable>(executor);
  auto running = detail::abandonable::run(self, std::move(work));
  if (!supervisor.spawn(std::move(name), std::move(running))) throw closed();
  waiter me(executor, deadline);
  co_await park(self->caller, me);
  const park_result result = me.result();
  if (result != park_result::woken) self->scope.request_stop();
  if (result == park_result::expired) throw timed_out();
  if (result == park_result::cancelled) throw_cancelled();
  if (self->failure) std::rethrow_exception(self->failure);
}

/// Operations that go on while somebody waits for some of them.
class pending_set {
 public:
  /// The numbers, in the order of starting, of those that have ended and of those that have not (TMO-16).
  struct result {
    std::vector<std::size_t> done;
    std::vector<std::size_t> pending;
  };

  explicit pending_set(const boost::asio::any_io_executor& executor)
      : group_(executor, {.cancel_on_failure = false}) {}

  /// False if the set is closed, by join.
  bool start(std::string name, boost::asio::awaitable<void> work) {
    const std::size_t index = ended_.size();
    ended_.push_back(false);
    if (group_.spawn(std::move(name), run(*this, index, std::move(work)))) return true;
    ended_.pop_back();
    return false;
  }

  /// Waits until one has ended, and no longer than the deadline; at once if one has, or if there is none. Nothing is
  /// asked to stop, whatever happens to the wait. Outcomes: value, cancelled.
  [[nodiscard]] boost::asio::awaitable<result> wait_some(time_point deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (ended_count_ == 0 && !ended_.empty()) {
      waiter self(co_await boost::asio::this_coro::executor, deadline);
      co_await park(waiting_, self);
      const park_result how = self.result();
      if (how == park_result::cancelled) throw_cancelled();
    }
    result now;
    for (std::size_t i = 0; i < ended_.size(); ++i) (ended_[i] ? now.done : now.pending).push_back(i);
    co_return now;
  }

  /// Asks all to stop; task_group::request_cancel.
  void request_cancel() { group_.request_cancel(); }

  /// Waits for all: outcomes and cancellation as task_group::join. To be called once, before it is destroyed.
  [[nodiscard]] boost::asio::awaitable<void> join() { return group_.join(); }

 private:
  static boost::asio::awaitable<void> run(pending_set& all, std::size_t index,
                                          boost::asio::awaitable<void> work) {
    std::exception_ptr failure;
    try {
      co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    all.ended_[index] = true;
    ++all.ended_count_;
    while (!all.waiting_.empty()) all.waiting_.front().wake();
    if (failure) std::rethrow_exception(failure);
  }

  task_group group_;
  std::vector<bool> ended_;
  std::size_t ended_count_ = 0;
  waiter_list<waiter> waiting_;
};

}  // namespace assay::reference
