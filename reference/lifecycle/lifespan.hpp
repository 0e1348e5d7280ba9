// Resources that are started in order, used by a body, and stopped in reverse order whatever happens (clauses
// LIF-1 to LIF-9 of the standard).
//
//     lifespan life(executor);
//     life.add("database", [&] { return database.open(); }, [&] { return database.close(); });
//     life.add("cache", [&] { return cache.connect(database); }, [&] { return cache.close(); });
//     co_await life.run([&] { return serve(life); });      // serve may spawn users and hold temporary things
//
// It is one stack. A resource is pushed when its start has ended well; so are, while the body runs,
// background users (`spawn`) and transient things (`hold`). Stopping pops everything, one after the other,
// newest first (LIF-1). So a user, which can only have begun after the resources that it uses, has ended
// before they are closed (LIF-5), and what was not started is not stopped (LIF-2).
//
// Promises
// - Everything pushed is popped, however the start or the body ended: well, with a failure, cancelled (LIF-2,
//   LIF-3, LIF-6). A failure on the way skips nothing (LIF-4). Stopping is a shield: a request that arrives
//   meanwhile is deferred until run has ended.
// - All failures are thrown as one exception_group, also a single one, in the order in which they happened:
//   the first is the primary one, the others are marked secondary (LIF-2, X-16, X-17). A failure beats a
//   cancellation; an exit_request beats both and is thrown bare.
// - A stop that outlasts its limit is asked to stop and, if it does not care, left behind while the others
//   are stopped, as is a user that outlasts it; both are named by `stop_timeouts`, with the failure
//   reference::timed_out (LIF-7). Neither is abandoned: run ends after it.
// - The stack does not grow with what has come and gone: a user that has ended and a transient thing that was
//   released are forgotten at once (LIF-9).
//
// Scope: one thread or strand, that of the executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
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

struct lifespan_options {
  /// How long one thing may take to stop before it is asked to hurry, by a cancellation request (LIF-7); or no_limit.
  /// A user is asked to stop at once, and has this long to end.
  duration stop_limit = std::chrono::seconds(5);
  /// How long a stop may take after that request before the next thing is stopped nevertheless.
  duration force_limit = std::chrono::seconds(1);
  /// Told of each failure that cannot be thrown: those beside an exit_request. It must not throw.
  std::function<void(const task_failure&)> unhandled = print_unhandled;
};

class lifespan {
 public:
  /// What a resource does to start or to stop. The function may be a closure: it is kept as long as the
  /// lifespan is.
  using step = std::function<boost::asio::awaitable<void>()>;
  using transient_id = std::uint64_t;

  /// Stops and users will run on `executor`, which is that of the coroutine that calls run.
  explicit lifespan(const boost::asio::any_io_executor& executor) : lifespan(executor, lifespan_options()) {}
  lifespan(const boost::asio::any_io_executor& executor, lifespan_options options)
      : executor_(executor), options_(std::move(options)), watch_(executor), tasks_(executor) {}

  lifespan(const lifespan&) = delete;
  lifespan& operator=(const lifespan&) = delete;

  /// `run` must have ended if it was begun: a contract violation, unless the execution context is
  /// being destroyed.
  ~lifespan() {
    if (running_ && !watch_.shutting_down()) contract_violation("lifespan destroyed before its run ended");
  }

  /// Adds a resource to what `run` will start. `stop` is called once if the awaitable of `start` ended well,
  /// else never: a start that fails or is cancelled cleans up after itself.
  ///
  /// Throws std::logic_error once `run` has begun.
  void add(std::string name, step start, step stop) {
    if (entered_) throw std::logic_error("lifespan: resources are added before it runs");
    resources_.emplace_back(std::move(name), std::move(start), std::move(stop));
  }

  /// Starts the resources, runs `body`, stops everything. To be called once.
  ///
  /// Outcomes: nothing, if all went well; an exception_group of all failures, whose names are those of
  /// resources, users and transient things, or "body"; a bare exit_request; or cancelled, if the start or the
  /// body ended cancelled and nothing failed.
  /// Cancellation: a request reaches the step of the start that is under way, or the body, and is waited for;
  /// no further step begins, and everything is stopped (LIF-6). While things are being stopped it is
  /// deferred: the first suspension after `run` reports it. In a scope that is cancelled already:
  /// cancelled, and nothing begins.
  /// Time: stopping takes at most stop_limit + force_limit for each thing, and as long as there is anything
  /// that ignores its cancellation.
  /// Throws std::logic_error if it was called before (LIF-8).
  [[nodiscard]] boost::asio::awaitable<void> run(step body) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (std::exchange(entered_, true)) throw std::logic_error("lifespan entered twice");
    co_await scope(run_once(std::move(body)));
  }

  /// Starts a background user of what has been started so far, in a later turn. It is asked to stop, and
  /// awaited, before any of that is stopped (LIF-5). Its failure is reported when `run` ends; it stops
  /// nobody: run a task_group in the body for that.
  ///
  /// Throws closed, and destroys `work` unstarted, unless the resources or the body are running.
  void spawn(std::string name, boost::asio::awaitable<void> work) {
    if (!accepting_) throw closed();
    const auto user = std::make_shared<activity>(executor_, std::move(name), next_id_++);
    std::map<std::uint64_t, entry> prepared;  // so that nothing can fail once it is launched
    prepared.emplace(user->id, entry(user));
    launch(user, std::move(work));
    stack_.insert(prepared.extract(prepared.begin()));
  }

  /// Registers a transient thing (a temporary file, a handle): `remove` is called when it is released, or
  /// else when its turn comes to be stopped (LIF-9). O(log n) in the things registered now.
  ///
  /// Throws closed unless the resources or the body are running; `remove` is not called then.
  [[nodiscard]] transient_id hold(std::string name, step remove) {
    if (!accepting_) throw closed();
    const transient_id id = next_id_++;
    stack_.emplace(id, entry(entry_kind::transient, std::move(name), std::move(remove)));
    ++held_;
    return id;
  }

  /// Removes a transient thing now and forgets it. Does nothing if that was done, or begun, before.
  ///
  /// Outcomes: that of `remove`, whose failure is reported here and nowhere else; timed_out if it outlasted
  /// the stop limit.
  /// Cancellation: in a scope that is cancelled already, cancelled, and the thing stays registered.
  /// Once begun, the removal is shielded.
  [[nodiscard]] boost::asio::awaitable<void> release(transient_id id) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    const auto found = stack_.find(id);
    if (found == stack_.end() || found->second.kind != entry_kind::transient) co_return;
    auto taken = stack_.extract(found);
    --held_;
    co_await shield(call(std::move(taken.mapped().stop)), deadline_after(options_.stop_limit));
  }

  /// The number of transient things registered now.
  std::size_t held() const noexcept { return held_; }

  /// The names of what outlasted its limit while being stopped, in the order in which the limits passed
  /// (LIF-7).
  const std::vector<std::string>& stop_timeouts() const noexcept { return timed_out_; }

 private:
  struct resource {
    resource(std::string resource_name, step start_step, step stop_step)
        : name(std::move(resource_name)), start(std::move(start_step)), stop(std::move(stop_step)) {}

    std::string name;
    step start;
    step stop;
  };

  // One task that can be asked to stop, and waited for for a limited time. Shared by the stack, by whoever
  // waits for it, and by the coroutine that sees it end.
  struct activity {
    activity(const boost::asio::any_io_executor& executor, std::string activity_name, std::uint64_t number)
        : name(std::move(activity_name)), id(number), task(executor) {}

    const std::string name;
    const std::uint64_t id;
    task_group task;
    bool ended = false;
    waiter_list<waiter> waiting;
  };

  enum class entry_kind { resource, transient, user };

  struct entry {
    entry(entry_kind what, std::string entry_name, step stop_step)
        : kind(what), name(std::move(entry_name)), stop(std::move(stop_step)) {}
    explicit entry(std::shared_ptr<activity> task) : kind(entry_kind::user), user(std::move(task)) {}

    entry_kind kind;
    std::string name;
    step stop;                       // of resources and transient things
    std::shared_ptr<activity> user;  // of users
  };

  boost::asio::awaitable<void> run_once(step body) {
    running_ = true;
    accepting_ = true;
    std::exception_ptr out_of_memory;
    try {
      co_await start_and_use(std::move(body));
    } catch (...) {  // the steps themselves do not throw here
      out_of_memory = std::current_exception();
    }
    accepting_ = false;
    try {
      co_await hold_requests;
      co_await shield(stop_all());  // bounded thing by thing
    } catch (...) {
      out_of_memory = std::current_exception();
    }
    running_ = false;
    if (out_of_memory) std::rethrow_exception(out_of_memory);
    throw_outcome();
  }

  boost::asio::awaitable<void> start_and_use(step body) {
    std::string current = "body";
    try {
      for (resource& next : resources_) {
        // Made now, so that nothing can fail between the start and the push.
        std::map<std::uint64_t, entry> prepared;
        prepared.emplace(next_id_, entry(entry_kind::resource, next.name, next.stop));
        check_cancelled(co_await boost::asio::this_coro::cancellation_state);  // LIF-6
        current = next.name;
        co_await next.start();
        auto node = prepared.extract(prepared.begin());
        node.key() = next_id_++;  // the step may have pushed things itself
        stack_.insert(std::move(node));
      }
      current = "body";
      check_cancelled(co_await boost::asio::this_coro::cancellation_state);
      co_await body();
    } catch (...) {
      note(current, next_id_, std::current_exception());  // LIF-2, LIF-3
    }
  }

  boost::asio::awaitable<void> stop_all() {
    while (!stack_.empty()) {  // LIF-1; nobody pushes any more
      auto top = stack_.extract(std::prev(stack_.end()));
      const std::shared_ptr<activity> user = top.mapped().user;
      try {
        co_await stop_one(top.key(), std::move(top.mapped()));
      } catch (...) {                           // out of memory: the stops themselves do not throw here
        if (user) user->task.request_cancel();  // or the join below would wait for it for ever
        note("lifespan", top.key(), std::current_exception());
      }
    }
    co_await tasks_.join();  // with what was left behind
  }

  boost::asio::awaitable<void> stop_one(std::uint64_t id, entry top) {
    std::shared_ptr<activity> ending = std::move(top.user);
    if (top.kind == entry_kind::user) {
      ending->task.request_cancel();
    } else {
      if (top.kind == entry_kind::transient) --held_;
      ending = std::make_shared<activity>(executor_, std::move(top.name), id);
      launch(ending, call(std::move(top.stop)));
    }
    const bool in_time = co_await ends_within(ending, options_.stop_limit);
    if (in_time) co_return;
    timed_out_.push_back(ending->name);
    note(ending->name, id, std::make_exception_ptr(timed_out()));
    if (top.kind == entry_kind::user) co_return;
    ending->task.request_cancel();
    co_await ends_within(ending, options_.force_limit);
  }

  /// Begins `work` as the task of `what`, which must be new, and sees to its end.
  void launch(std::shared_ptr<activity> what, boost::asio::awaitable<void> work) {
    (void)tasks_.spawn(what->name, see_end(*this, what));
    (void)what->task.spawn(what->name, std::move(work));
  }

  static boost::asio::awaitable<void> see_end(lifespan& life, std::shared_ptr<activity> what) {
    std::exception_ptr failure;
    try {
      co_await what->task.join();
    } catch (const exception_group& group) {
      failure = group.primary().error;  // the only one, for there is one task
    } catch (...) {
      failure = std::current_exception();
    }
    std::exception_ptr unnoted;  // for want of memory: then it is this task that fails
    try {
      life.note(what->name, what->id, std::move(failure));  // LIF-4: noted, and nothing is skipped
    } catch (...) {
      unnoted = std::current_exception();
    }
    life.stack_.erase(what->id);  // a user that ended by itself (LIF-9)
    what->ended = true;
    if (!what->waiting.empty()) what->waiting.front().wake();
    if (unnoted) std::rethrow_exception(unnoted);
  }

  /// Waits until `what` has ended or the limit has passed; true if it has ended. To be called in a shield, in the turn in
  /// which `what` was launched, asked to stop or found alive: its end is seen in a turn of its own, so it is still to come.
  static boost::asio::awaitable<bool> ends_within(std::shared_ptr<activity> what, duration limit) {
    waiter self(co_await boost::asio::this_coro::executor, deadline_after(limit));
    co_await park(what->waiting, self);
    co_return what->ended;
  }

  static boost::asio::awaitable<void> call(step work) { co_await work(); }

  void note(const std::string& name, std::uint64_t id, std::exception_ptr error) {
    if (!error) return;
    if (is_cancellation(error)) {
      cancelled_ = cancelled_ || accepting_;  // that of a stop concerns nobody
      return;
    }
    task_failure failure;
    failure.name = name;
    failure.index = static_cast<std::size_t>(id);
    failure.error = std::move(error);
    failure.secondary = !failures_.empty();
    failures_.push_back(std::move(failure));
  }

  void throw_outcome() {
    const std::vector<task_failure> failures = std::exchange(failures_, {});
    std::exception_ptr fatal;
    for (const task_failure& each : failures)
      if (!fatal && is_exit_request(each.error)) fatal = each.error;
    if (fatal) {
      for (const task_failure& each : failures)
        if (each.error != fatal) options_.unhandled(each);
      std::rethrow_exception(fatal);
    }
    if (!failures.empty()) throw exception_group(failures);  // LIF-2, X-16, X-18
    if (cancelled_) throw_cancelled();
  }

  const boost::asio::any_io_executor executor_;
  const lifespan_options options_;
  const shutdown_watch watch_;
  std::vector<resource> resources_;
  std::map<std::uint64_t, entry> stack_;  // by the order of the pushes
  std::uint64_t next_id_ = 0;
  std::size_t held_ = 0;
  task_group tasks_;  // sees users and stops end
  std::vector<task_failure> failures_;
  std::vector<std::string> timed_out_;
  bool entered_ = false;
  bool running_ = false;
  bool accepting_ = false;
  bool cancelled_ = false;
};

}  // namespace assay::reference
