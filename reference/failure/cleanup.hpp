// A scope whose resources are flushed and closed whichever way its body ends (clauses CLN-1 to CLN-13 of the standard).
//
//     cleanup_scope scope(executor);
//     co_await scope.run([&] { return serve(scope); });
//
//     // in serve():
//     co_await scope.acquire([&] { return file.open(); },
//                            {"journal", [&] { return file.sync(); }, [&] { return file.close(); }, [&] { file.drop(); }});
//
// It is one stack, one shield and one deadline for each resource. A resource is pushed in the turn in which its
// acquisition succeeds, so that no request comes between (CLN-2). Cleanup pops everything, newest first: each resource is
// flushed, then closed, in a shield; if both together outlast the limit, it is closed by force.
//
// Promises
// - Each close is begun once for each acquisition that succeeded, however the body ended, whatever failed before it, and
//   however often it was asked to stop meanwhile (CLN-1, CLN-5, CLN-6); or else the resource is closed by force (CLN-7).
//   What was not acquired is not closed (CLN-9).
// - A request that arrives during cleanup is deferred until the run has ended. Whoever runs the scope waits for
//   its cleanup (CLN-3).
// - The outcome is that of the body (CLN-4). Where cleanup has failed it is an exception_group of all failures: the
//   body's first, those of cleanup behind it as secondary. A failure beats a cancellation, which then shows
//   at the caller's next suspension; an exit_request beats both and is thrown bare.
//
// Scope: one thread or strand, that of the executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/core/parked_waiter.hpp>
#include <assay/reference/failure/task_group.hpp>

namespace assay::reference {

struct cleanup_options {
  /// How long flush and close of one resource may take together, or no_limit (CLN-7). Zero and less is no time at all.
  duration limit = std::chrono::seconds(5);
  /// Told of each failure that cannot be thrown: those beside an exit_request. It must not throw.
  std::function<void(const task_failure&)> unhandled = print_unhandled;
};

struct cleanup_statistics {
  std::size_t open = 0;    ///< acquired, and not cleaned up yet
  std::size_t closed = 0;  ///< flushed and closed in time, well or not
  std::size_t forced = 0;  ///< closed by force
};

class cleanup_scope {
 public:
  /// What is done to a resource. The function may be a closure: it is kept until its resource is cleaned up.
  using step = std::function<boost::asio::awaitable<void>()>;
  /// Called with how things went so far: a failure, a cancellation, or null. True swallows a failure.
  using handler = std::function<bool(const std::exception_ptr&)>;

  struct resource {
    std::string name;
    step flush;                         ///< Makes sure that nothing is lost; empty if there is nothing to do.
    step close;                         ///< Never empty.
    std::function<void()> force_close;  ///< The least that lets go of it, at once; may be empty.
  };

  /// Cleanup will run on `executor`, which is that of the coroutine that calls run.
  explicit cleanup_scope(const boost::asio::any_io_executor& executor)
      : cleanup_scope(executor, cleanup_options()) {}
  cleanup_scope(const boost::asio::any_io_executor& executor, cleanup_options options)
      : options_(std::move(options)), executor_(executor), watch_(executor) {}

  cleanup_scope(const cleanup_scope&) = delete;
  cleanup_scope& operator=(const cleanup_scope&) = delete;

  /// Everything must have been cleaned up, and every call ended: a contract violation, unless the execution
  /// context is being destroyed.
  ~cleanup_scope() {
    const bool in_use = calls_ > 0 || open_ > 0;
    if (in_use && !watch_.shutting_down()) contract_violation("cleanup scope destroyed before its cleanup");
  }

  /// Runs `body`, then cleans up. To be called once.
  ///
  /// Outcomes: that of `body`, if cleanup went well. Else an exception_group of all failures, whose names are those of
  /// resources, handlers, or "body"; what was closed by force has the failure timed_out. A bare exit_request.
  /// Cancellation: a request reaches the body, and is waited for. During cleanup it is deferred: the first suspension
  /// after `run` reports it. In a scope that is cancelled already: cancelled, and nothing begins.
  /// Time: cleanup takes at most the limit for each resource, and as long as there is anything that ignores both its
  /// cancellation and that it was closed by force.
  /// Throws std::logic_error if the scope was run or closed before (CLN-10).
  [[nodiscard]] boost::asio::awaitable<void> run(step body) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (std::exchange(entered_, true) || closing_) throw std::logic_error("cleanup scope entered twice");
    const call_guard call(calls_);
    co_await scope(run_once(std::move(body)));
  }

  /// Acquires a resource, which is the scope's from the turn in which `acquisition` succeeds.
  ///
  /// Outcomes: that of `acquisition`. If that does not end well, nothing is registered (CLN-9): it cleans up after
  /// itself. closed once cleanup has begun; what was still being acquired then is cleaned up at once.
  /// Cancellation: a request reaches the acquisition. One that it does not end by leaves the resource registered.
  /// In a scope that is cancelled already: cancelled, and nothing begins.
  /// Throws std::invalid_argument if it cannot be closed (CLN-11); nothing is acquired then.
  [[nodiscard]] boost::asio::awaitable<void> acquire(step acquisition, resource what) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (!what.close) throw std::invalid_argument("cleanup scope: '" + what.name + "' has no close");
    if (closing_) throw closed();
    const call_guard call(calls_);
    co_await scope(acquire_once(std::move(acquisition), std::move(what)));
  }

  /// Registers somebody who is asked, at his turn among the resources, what to do about how things went so far
  /// (CLN-12). A failure that he swallows is gone for those before him; a cancellation cannot be swallowed.
  ///
  /// Throws closed once cleanup has begun.
  void handle(std::string name, handler decide) {
    if (closing_) throw closed();
    stack_.emplace_back(std::move(name), std::move(decide));
  }

  /// Cleans up now: nothing can be acquired any more, and the end of `run` finds nothing to do. May be called by
  /// several; who is not the first waits until it is done, and hears of no failure (CLN-10).
  ///
  /// Outcomes: nothing, or an exception_group of all failures of cleanup.
  /// Cancellation: deferred, as in `run`; of who only waits it ends the wait. In a scope that is cancelled already:
  /// cancelled, and nothing begins.
  [[nodiscard]] boost::asio::awaitable<void> close() {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    const call_guard call(calls_);
    if (closing_) {
      co_await wait_until_closed();
      co_return;
    }
    co_await scope(close_once());
  }

  /// A snapshot.
  cleanup_statistics statistics() const noexcept { return {open_, closed_, forced_count_}; }

  /// The names of what was closed by force, in that order.
  const std::vector<std::string>& forced() const noexcept { return forced_; }

 private:
  // A place in the stack: of a resource, or of a handler.
  struct entry {
    explicit entry(resource registered) : what(std::move(registered)) {}
    entry(std::string name, handler asked) : what{std::move(name), {}, {}, {}}, decide(std::move(asked)) {}
    resource what;
    handler decide;
  };
  // How things went so far.
  struct verdict {
    std::vector<task_failure> failures;
    bool cancelled = false;
    bool body_failed = false;
    std::exception_ptr out_of_memory;
  };
  struct progress {
    bool over = false;
    bool forced = false;
    std::exception_ptr failure;  // of what it was forced with
  };
  struct call_guard {
    explicit call_guard(std::size_t& calls) noexcept : count(calls) { ++count; }
    call_guard(const call_guard&) = delete;
    call_guard& operator=(const call_guard&) = delete;
    ~call_guard() { --count; }
    std::size_t& count;
  };

  boost::asio::awaitable<void> run_once(step body) {
    verdict outcome;
    try {
      co_await body();
    } catch (...) {
      const std::exception_ptr failure = std::current_exception();
      outcome.cancelled = is_cancellation(failure);
      outcome.body_failed = !outcome.cancelled;
      note(outcome, "body", failure);
    }
    co_await hold_requests;
    co_await shield(finish(outcome));  // bounded resource by resource
    throw_outcome(outcome);
  }

  boost::asio::awaitable<void> finish(verdict& outcome) {
    if (closing_) {
      co_await wait_until_closed();
    } else {
      co_await clean_all(outcome);
    }
  }

  boost::asio::awaitable<void> close_once() {
    verdict outcome;
    co_await hold_requests;
    co_await shield(clean_all(outcome));
    throw_outcome(outcome);
  }

  boost::asio::awaitable<void> acquire_once(step acquisition, resource what) {
    // Made now, so that nothing can fail between the acquisition and the push.
    std::list<entry> prepared;
    prepared.emplace_back(std::move(what));
    co_await acquisition();
    ++open_;  // CLN-2
    if (!closing_) {
      stack_.splice(stack_.end(), prepared);
      co_return;
    }
    verdict outcome;
    co_await hold_requests;
    co_await shield(clean(std::move(prepared.front().what), outcome));
    throw_outcome(outcome);
    throw closed();
  }

  boost::asio::awaitable<void> clean_all(verdict& outcome) {
    closing_ = true;
    while (!stack_.empty()) {  // CLN-13; nobody pushes any more
      std::list<entry> top;
      top.splice(top.begin(), stack_, std::prev(stack_.end()));
      if (top.front().decide) {
        ask(top.front(), outcome);
      } else {
        co_await skipping_nothing(std::move(top.front().what), outcome);
      }
    }
    closed_for_good_ = true;
    while (!closers_.empty()) closers_.front().wake();
  }

  boost::asio::awaitable<void> skipping_nothing(resource what, verdict& outcome) {
    try {
      co_await clean(std::move(what), outcome);
    } catch (...) {  // out of memory: failures of steps are noted
      outcome.out_of_memory = std::current_exception();
    }
  }

  /// Flushes and closes within the limit, or closes by force. To be called in a shield.
  boost::asio::awaitable<void> clean(resource what, verdict& outcome) {
    progress so_far;
    std::exception_ptr failure;
    try {
      std::string name = what.name;  // made now, so that nothing can fail when it is forced
      if (forced_.size() == forced_.capacity()) forced_.reserve(2 * forced_.size() + 1);
      const std::function<void()> expire = [this, &what, &name, &so_far] {
        if (so_far.over) return;  // it has ended, and only this coroutine has not heard of it
        forced_.push_back(std::move(name));
        force(what, so_far);
      };
      co_await shield(flush_and_close(what, outcome, so_far), deadline_after(options_.limit), expire);
    } catch (...) {
      failure = std::current_exception();
    }
    if (so_far.forced) failure = std::make_exception_ptr(timed_out());
    if (!so_far.forced && !so_far.over) force(what, so_far);  // for want of memory it was not even begun
    if (!so_far.forced) --open_;
    if (!so_far.forced) ++closed_;
    note(outcome, what.name, failure);
    note(outcome, what.name, so_far.failure);
  }

  void force(const resource& what, progress& so_far) noexcept {
    so_far.forced = true;
    --open_;
    ++forced_count_;
    try {
      if (what.force_close) what.force_close();
    } catch (...) {
      so_far.failure = std::current_exception();
    }
  }

  static boost::asio::awaitable<void> flush_and_close(const resource& what, verdict& outcome,
                                                      progress& so_far) {
    if (what.flush) co_await taking(what.flush, what.name, outcome);
    if (!so_far.forced)
      co_await taking(what.close, what.name, outcome);  // CLN-5: also if the flush has failed
    so_far.over = true;
  }

  static boost::asio::awaitable<void> taking(const step& one, const std::string& name, verdict& outcome) {
    try {
      co_await one();
    } catch (...) {
      note(outcome, name, std::current_exception());
    }
  }

  void ask(const entry& asked, verdict& outcome) {
    try {
      const bool swallowed = asked.decide(outcome_of(outcome));
      if (!swallowed) return;
      std::erase_if(outcome.failures, [](const task_failure& one) { return !is_exit_request(one.error); });
      outcome.body_failed = false;
    } catch (...) {
      note(outcome, asked.what.name, std::current_exception());
    }
  }

  /// Until whoever cleans up is done.
  boost::asio::awaitable<void> wait_until_closed() {
    if (closed_for_good_) co_return;
    waiter self(executor_);
    co_await park(closers_, self);
    const park_result ended = self.result();
    if (ended == park_result::cancelled) throw_cancelled();
  }

  static void note(verdict& outcome, const std::string& name, const std::exception_ptr& failure) {
    if (!failure || is_cancellation(failure)) return;  // that of a step concerns nobody
    task_failure one;
    one.name = name;
    one.index = outcome.failures.size();
    one.error = failure;
    one.secondary = !outcome.failures.empty();
    outcome.failures.push_back(std::move(one));
  }

  static std::exception_ptr outcome_of(const verdict& outcome) {
    if (outcome.out_of_memory) return outcome.out_of_memory;
    for (const task_failure& each : outcome.failures)
      if (is_exit_request(each.error)) return each.error;
    if (outcome.body_failed && outcome.failures.size() == 1) return outcome.failures.front().error;  // CLN-4
    if (!outcome.failures.empty()) return std::make_exception_ptr(exception_group(outcome.failures));
    if (!outcome.cancelled) return nullptr;
    return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
  }

  void throw_outcome(const verdict& outcome) const {
    const std::exception_ptr failure = outcome_of(outcome);
    if (is_exit_request(failure)) {
      for (const task_failure& each : outcome.failures)
        if (each.error != failure) options_.unhandled(each);
    }
    if (failure) std::rethrow_exception(failure);
  }

  const cleanup_options options_;
  const boost::asio::any_io_executor executor_;
  const shutdown_watch watch_;
  std::list<entry> stack_;
  waiter_list<waiter> closers_;  // who wait until it is closed
  std::size_t calls_ = 0;        // under way
  std::size_t open_ = 0;
  std::size_t closed_ = 0;
  std::size_t forced_count_ = 0;
  std::vector<std::string> forced_;
  bool entered_ = false;
  bool closing_ = false;
  bool closed_for_good_ = false;
};

}  // namespace assay::reference
