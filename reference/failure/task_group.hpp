// Tasks that all end before their group does, and whose failures are all told (clauses TG-1 to TG-23 of the
// standard).
//
// The usual form; the body is the first task, so a failure in it counts like any other (TG-8):
//
//     asio::awaitable<void> serve(task_group& group) {
//       (void)group.spawn("reader", read_all(open_input()));     // false only if the group is ending
//       (void)group.spawn("writer", write_all(open_output()));
//       co_await accept_connections(group);                      // may spawn more; so may the tasks
//     }
//     co_await run_task_group(serve);                            // ends when all have ended
//
// Promises
// - join completes after every task, those started by tasks included, has ended (TG-1) and its frames and
//   parameters are destroyed (TG-11, X-19). A cancelled joiner asks the tasks to stop and goes on waiting for
//   them (TG-9).
// - The first failure asks all others to stop, once (TG-2); in collect mode it does not (TG-13). "Cancelled"
//   is no failure: neither a task that gives up by itself (TG-6) nor one that was asked to.
// - All failures are thrown as one exception_group, also a single one, in the order in which the tasks ended
//   (TG-3, TG-4). A failure beats a cancellation from outside (TG-5, X-18); an exit_request beats both and is
//   thrown bare (TG-12).
// - No failure is dropped: those that cannot be thrown go to `task_group_options::unhandled`.
// - A request from outside that a failure outranks stays on the joiner's record (TG-18).
// - A task that ended is forgotten (TG-22), but for a handle that somebody keeps, and for what join_next still owes.
//
// Besides: spawn_with_handle for one task that is asked to stop or awaited alone (TG-14), start for one that reports when it is
// ready (TG-16, TG-20), join_next for how each ended (TG-21); split_failures.hpp takes apart what a group throws (TG-15).
//
// Start coroutine functions with parameters: what they need belongs to their frame. The closure of a
// capturing lambda would have to outlive its coroutine.
// Scope: a group belongs to one thread or strand, that of its executor: spawn, join and request_cancel there.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/core/parked_waiter.hpp>

namespace assay::reference {

/// Prints a failure that nobody was there to catch.
inline void print_unhandled(const task_failure& failure) {
  std::fprintf(stderr, "unhandled failure of task %s: %s\n", failure.name.c_str(),
               describe(failure.error).c_str());
}

/// How a task ended.
enum class task_end { well, cancelled, failed };

struct task_ending {
  std::string name;   ///< The name that the task was given.
  std::size_t index;  ///< Its number in the group, counted from 0 in the order of starting.
  task_end how;
};

/// `start` failed: the group takes no more, or the task ended before it was ready.
struct not_started : error {
  using error::error;
};

struct task_group_options {
  /// Whether the first failure asks the other tasks to stop (TG-2); false is the collect mode (TG-13).
  bool cancel_on_failure = true;
  /// Told of each failure that could not be thrown: those beside an exit_request, and those of a group that
  /// was never joined. It must not throw.
  std::function<void(const task_failure&)> unhandled = print_unhandled;
  /// Whether spawn refuses until `enter` has been called (TG-19).
  bool waits_for_entry = false;
  /// Whether it is kept how each task ended, until join_next has told (TG-21).
  bool keeps_endings = false;
};

class task_group {
  struct task;

  // What a handle and its task have in common, and what is left of a task that has ended.
  struct watched {
    task_group* group = nullptr;  // while the task has not ended
    task* who = nullptr;
    task_end how = task_end::well;
    waiter_list<waiter> joiners;
  };

  // A task that is being started, and the one who waits for that, who keeps it.
  struct handshake {
    bool reported = false;
    bool given_up = false;  // the starter has been cancelled; what the task reports comes too late
    bool ended = false;
    task* who = nullptr;
    std::exception_ptr error;  // what it ended with
    waiter_list<waiter> starter;
  };

 public:
  /// One task of a group. It may outlive both, and keeps nothing of what the task owned. Movable.
  class task_handle {
   public:
    /// Asks this task to stop, with one terminal request, and nobody else; if it has not begun, it will not begin (TG-23).
    /// That it ends cancelled is no failure (TG-6). Idempotent; without an effect when it has ended.
    void request_cancel() {
      if (watched_->who) watched_->group->ask(*watched_->who);
    }
    /// Whether the task has ended.
    bool has_ended() const noexcept { return !watched_->who; }
    /// Waits until the task has ended, and its frames are gone. What it failed with is the group's to tell.
    /// Outcomes: how it ended; cancelled, which leaves the task alone.
    [[nodiscard]] boost::asio::awaitable<task_end> join() const { return joined(watched_); }

   private:
    friend class task_group;
    explicit task_handle(std::shared_ptr<watched> of) : watched_(std::move(of)) {}

    static boost::asio::awaitable<task_end> joined(std::shared_ptr<watched> of) {
      check_cancelled(co_await boost::asio::this_coro::cancellation_state);
      if (of->who) {
        waiter self(co_await boost::asio::this_coro::executor);
        co_await park(of->joiners, self);
        const park_result result = self.result();
        if (result != park_result::woken) throw_cancelled();
      }
      co_return of->how;
    }

    std::shared_ptr<watched> watched_;
  };

  /// With this a task says that it is ready, see `start`. Copyable; of no effect when the task has ended.
  class ready_report {
   public:
    /// True for the first report. False for any other, and if nobody waits for it any more (TG-20).
    bool operator()() const {
      if (between_->reported || between_->given_up || between_->ended) return false;
      between_->reported = true;
      between_->who->starting = nullptr;
      between_->starter.front().wake();
      return true;
    }

   private:
    friend class task_group;
    explicit ready_report(std::shared_ptr<handshake> between) : between_(std::move(between)) {}

    std::shared_ptr<handshake> between_;
  };

  /// The tasks will run on `executor`.
  explicit task_group(const boost::asio::any_io_executor& executor)
      : task_group(executor, task_group_options()) {}
  task_group(const boost::asio::any_io_executor& executor, task_group_options options)
      : executor_(executor), options_(std::move(options)), watch_(executor) {}

  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Every task must have ended: a contract violation, unless the execution context is being destroyed
  ///
  ~task_group() {
    if (!live_.empty() && !watch_.shutting_down())
      contract_violation("task_group destroyed before its tasks ended");
    for (const task& each : live_)
      if (each.handle) each.handle->who = nullptr;
    if (takers_.abandoned()) contract_violation("task_group destroyed while somebody waits in join_next");
    for (const task& failed : failed_) options_.unhandled(failed.failure());
  }

  /// Starts `work` as a task of this group, in a later turn, as a scope of its own (see cancellation.hpp).
  ///
  /// `name` labels its failure. Returns false when the group is closed, ending after a failure or a request,
  /// or has ended; then `work` is destroyed and none of it ran (TG-7). Tasks may spawn, also while the group
  /// is being joined.
  [[nodiscard]] bool spawn(std::string name, boost::asio::awaitable<void> work) {
    if (!is_accepting()) return false;
    (void)add(std::move(name), std::move(work), nullptr, nullptr);
    return true;
  }

  /// The same with a handle on the task (TG-14); nothing where spawn returns false.
  [[nodiscard]] std::optional<task_handle> spawn_with_handle(std::string name,
                                                             boost::asio::awaitable<void> work) {
    if (!is_accepting()) return std::nullopt;
    task_handle handle(std::make_shared<watched>());
    handle.watched_->group = this;
    handle.watched_->who = &add(std::move(name), std::move(work), handle.watched_, nullptr);
    return handle;
  }

  /// Starts `work(report)` as a task, and waits until it calls `report()` (TG-16).
  ///
  /// Until then the task is the caller's: a failure is thrown here and is not the group's, and join waits for it, as for others
  /// (TG-20). Afterwards it is a task like any other.
  /// Outcomes: nothing; what the task failed with; not_started, if the group takes no more or the task ended otherwise; cancelled.
  /// Cancellation: the task is asked to stop, and waited for; nobody else is. A report that came before is kept.
  /// Lifetime: `work` is kept until the task has ended, so it may be a closure. The group outlives the call.
  template <class Work>
    requires std::is_invocable_r_v<boost::asio::awaitable<void>, Work&, ready_report>
  [[nodiscard]] boost::asio::awaitable<void> start(std::string name, Work work) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (!is_accepting()) throw not_started("the group takes no more tasks");
    const auto between = std::make_shared<handshake>();
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    const auto executor = co_await boost::asio::this_coro::executor;
    between->who =
        &add(std::move(name), run_starting(std::move(work), ready_report(between)), nullptr, between);
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    while (!between->reported && !between->ended) {
      waiter self(executor);
      co_await park(between->starter, self);
      const park_result result = self.result();
      if (result == park_result::woken) break;
      between->given_up = true;
      ask(*between->who);
    }
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    if (between->reported) co_return;
    if (between->error && !is_cancellation(between->error)) std::rethrow_exception(between->error);
    if (between->given_up || (stopping_ && between->error)) throw_cancelled();  // the group asked it
    throw not_started("the task ended before it was ready");
  }

  /// Waits for the end of the next task of which nobody has been told, with the option keeps_endings (TG-21).
  ///
  /// Several calls are served in their order.
  /// Outcomes: how it ended, each task once, in the order in which they ended; nothing if there is no task of which to tell;
  /// cancelled, with nothing taken.
  [[nodiscard]] boost::asio::awaitable<std::optional<task_ending>> join_next() {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    taker self(co_await boost::asio::this_coro::executor);
    if (!endings_.empty()) {
      self.taken.emplace(std::move(endings_.front()));
      endings_.pop_front();
    } else if (!live_.empty()) {
      co_await park(takers_, self);
      const park_result result = self.result();
      if (result != park_result::woken) throw_cancelled();
    }
    co_return std::move(self.taken);
  }

  /// With the option waits_for_entry: from here on spawn takes tasks. False if it has been called before (TG-19).
  [[nodiscard]] bool enter() noexcept { return !std::exchange(entered_, true); }

  /// From here on spawn refuses; the tasks go on. Idempotent.
  void close() noexcept { closed_ = true; }

  /// Asks every task to stop, with one terminal request, and closes the group. Tasks that were spawned and
  /// have not begun will not begin. Idempotent. A group that stops on this request alone ends normally.
  void request_cancel() {
    if (stopping_) return;
    stopping_ = true;
    asking_ = true;  // until the end of the loop no task leaves the list, see run
    for (task& each : live_)
      if (each.begun && !each.asked) each.signal.emit(boost::asio::cancellation_type::terminal);
    asking_ = false;
  }

  /// Waits until every task has ended; at once if there are none (TG-10). To be called once.
  ///
  /// Outcomes: nothing; or a bare exit_request (TG-12); or an exception_group of all failures; or cancelled,
  /// if a request reached the joiner while it waited and no task failed (TG-5).
  /// Cancellation: a request is passed on to the tasks, and the wait continues until they have ended, however
  /// many requests follow (TG-9). This call is exempt from X-6, for it must not abandon anybody: in a scope
  /// that is cancelled already it asks the tasks to stop and waits (await `hold_requests` first, or Asio
  /// throws before it is entered; run_task_group needs no such care).
  /// Throws std::logic_error if the group is joined already.
  [[nodiscard]] boost::asio::awaitable<void> join() {
    if (std::exchange(joined_, true)) throw std::logic_error("task_group joined twice");
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    bool cancelled = requests.cancelled() != boost::asio::cancellation_type::none;
    if (cancelled) request_cancel();
    while (!live_.empty()) {
      waiter self(executor);
      co_await park(joiners_, self);
      const park_result result = self.result();
      if (result == park_result::woken) break;
      cancelled = true;
      request_cancel();
    }
    closed_ = true;
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    throw_outcome(cancelled);
  }

  /// Whether spawn would accept a task now.
  bool is_accepting() const noexcept {
    return !closed_ && !stopping_ && (entered_ || !options_.waits_for_entry);
  }

  /// The number of tasks that have not ended.
  std::size_t size() const noexcept { return live_.size(); }

 private:
  struct task {
    task(std::string task_name, std::size_t task_index) : name(std::move(task_name)), index(task_index) {}

    task_failure failure() const { return task_failure{name, index, error}; }

    std::string name;
    std::size_t index;
    boost::asio::cancellation_signal signal;
    bool begun = false;
    bool asked = false;  // it alone, by its handle or its starter
    std::exception_ptr error;
    std::shared_ptr<watched> handle;      // null without one
    std::shared_ptr<handshake> starting;  // until it has reported, or without that null
  };

  // Somebody in join_next. Woken without an ending: there is none left.
  struct taker : waiter {
    using waiter::waiter;
    std::optional<task_ending> taken;
  };

  // The completion handler of a task. It has a cancellation slot but no executor of its own, so co_spawn
  // hands requests on at once. With an executor (bind_cancellation_slot gives it one) a request made outside
  // of the event loop would be posted, and might arrive at a signal that is gone.
  class completion {
   public:
    using cancellation_slot_type = boost::asio::cancellation_slot;

    completion(task_group& group, std::list<task>::iterator self) : group_(&group), self_(self) {}

    cancellation_slot_type get_cancellation_slot() const noexcept { return self_->signal.slot(); }
    void operator()(std::exception_ptr error, std::monostate) const {
      group_->task_ended(self_, std::move(error));
    }

   private:
    task_group* group_;
    std::list<task>::iterator self_;
  };

  task& add(std::string name, boost::asio::awaitable<void> work, std::shared_ptr<watched> handle,
            std::shared_ptr<handshake> starting) {
    std::list<task> fresh;  // no task of this group until it is sure to run
    const auto self = fresh.emplace(fresh.end(), std::move(name), next_index_);
    self->handle = std::move(handle);
    self->starting = std::move(starting);
    boost::asio::co_spawn(executor_, detail::run_scope(run(*this, *self, std::move(work))),
                          completion(*this, self));
    live_.splice(live_.end(), fresh);
    ++next_index_;
    return *self;
  }

  template <class Work>
  static boost::asio::awaitable<void> run_starting(Work work, ready_report report) {
    co_await work(std::move(report));
  }

  // Asks one task to stop, unless that has been done.
  void ask(task& one) {
    if (std::exchange(one.asked, true) || stopping_ || !one.begun) return;
    const bool before = std::exchange(asking_, true);  // as in request_cancel
    one.signal.emit(boost::asio::cancellation_type::terminal);
    asking_ = before;
  }

  static boost::asio::awaitable<void> run(task_group& group, task& self, boost::asio::awaitable<void> work) {
    // Only now may a request be emitted: before its first turn, co_spawn would let it escape from the event
    // loop.
    self.begun = true;
    co_await boost::asio::post(boost::asio::use_awaitable);
    if (group.stopping_ || self.asked) throw_cancelled();  // TG-23
    std::exception_ptr failure;
    try {
      co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    if (group.asking_) {
      // What the task waited for completed inside the request. The task ends in a later turn, or it would be
      // gone while request_cancel still walks over it.
      co_await hold_requests;
      co_await boost::asio::post(boost::asio::use_awaitable);
    }
    if (failure) std::rethrow_exception(failure);
  }

  // The task's frames are destroyed by now. Its record is moved if it failed, so nothing there throws; with keeps_endings
  // there must be memory for one entry.
  void task_ended(std::list<task>::iterator self, std::exception_ptr error) {
    const bool is_failure = error && !is_cancellation(error);
    const task_end how = !error ? task_end::well : is_failure ? task_end::failed : task_end::cancelled;
    if (options_.keeps_endings) tell_end({self->name, self->index, how});
    if (self->handle) {
      self->handle->who = nullptr;
      self->handle->how = how;
      while (!self->handle->joiners.empty()) self->handle->joiners.front().wake();
      self->handle = nullptr;
    }
    if (self->starting) {  // TG-16: its failure is the starter's
      const std::shared_ptr<handshake> between = std::move(self->starting);
      between->ended = true;
      between->error = std::move(error);
      if (!between->starter.empty()) between->starter.front().wake();
      live_.erase(self);
    } else if (!is_failure) {  // TG-6, X-16
      live_.erase(self);
    } else {
      self->error = std::move(error);
      failed_.splice(failed_.end(), live_, self);        // TG-3
      if (options_.cancel_on_failure) request_cancel();  // TG-2
    }
    if (!live_.empty()) return;
    while (!takers_.empty()) takers_.front().wake();  // TG-21
    if (joiners_.empty()) return;
    closed_ = true;  // the end of the group is decided here; the joiner hears of it in a later turn
    joiners_.front().wake();
  }

  void tell_end(task_ending one) {
    if (takers_.empty()) {
      endings_.push_back(std::move(one));
      return;
    }
    takers_.front().taken.emplace(std::move(one));
    takers_.front().wake();
  }

  void throw_outcome(bool cancelled) {
    std::list<task> failed;
    failed.swap(failed_);
    std::exception_ptr fatal;
    for (const task& each : failed)
      if (!fatal && is_exit_request(each.error)) fatal = each.error;
    std::vector<task_failure> failures;
    for (const task& each : failed)
      if (each.error != fatal) failures.push_back(each.failure());
    if (fatal) {
      for (const task_failure& each : failures) options_.unhandled(each);
      std::rethrow_exception(fatal);
    }
    if (!failures.empty()) throw exception_group(std::move(failures));  // TG-4, X-18
    if (cancelled) throw_cancelled();
  }

  const boost::asio::any_io_executor executor_;
  const task_group_options options_;
  const shutdown_watch watch_;
  std::list<task> live_;    // in the order of spawning
  std::list<task> failed_;  // in the order of ending
  waiter_list<waiter> joiners_;
  waiter_list<taker> takers_;
  std::deque<task_ending> endings_;  // of which nobody has been told; with keeps_endings
  std::size_t next_index_ = 0;
  bool entered_ = false;
  bool closed_ = false;
  bool stopping_ = false;
  bool asking_ = false;  // request_cancel is walking over live_
  bool joined_ = false;
};

/// Runs `body(group)` as the first task of a new group, named "body", and joins the group; it runs on the
/// caller's executor.
///
/// Outcomes and cancellation: as task_group::join. In a scope that is cancelled already: cancelled, and
/// nothing begins.
/// Lifetime: `body` is kept until all tasks have ended, so it may be a closure.
template <class Body>
  requires std::is_invocable_r_v<boost::asio::awaitable<void>, Body&, task_group&>
[[nodiscard]] boost::asio::awaitable<void> run_task_group(Body body, task_group_options options) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  task_group group(co_await boost::asio::this_coro::executor, std::move(options));
  auto all_ended = group.join();  // made first: once a task runs, nothing keeps us from waiting for it
  (void)group.spawn("body", body(group));
  co_await std::move(all_ended);
}

/// As above, with the default options.
template <class Body>
  requires std::is_invocable_r_v<boost::asio::awaitable<void>, Body&, task_group&>
[[nodiscard]] boost::asio::awaitable<void> run_task_group(Body body) {
  return run_task_group(std::move(body), task_group_options());
}

}  // namespace assay::reference
