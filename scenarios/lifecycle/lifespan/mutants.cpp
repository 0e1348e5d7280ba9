// Lifespans that are wrong in exactly one way each: a plain implementation, which is an alternative as it is, and, about
// limits, the managed one.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>
#include <assay/scenarios/lifecycle/lifespan/managed_lifespan.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using contract::aggregate_error;

ASSAY_DEFECTS(defect, none, error_skips_all_closing, partial_start_leaks, closes_in_start_order,
              starts_all_at_once, stops_all_at_once, stops_what_never_started, stops_the_step_that_failed,
              stops_the_step_that_was_cancelled, cancelled_start_is_abandoned, body_runs_after_a_failed_start,
              cancellation_is_swallowed, first_close_error_skips_the_rest, close_errors_are_dropped,
              close_error_replaces_the_first, close_errors_come_first, cancellation_beats_failure,
              cleanup_throws_at_once, request_interrupts_the_stop, deferred_request_is_forgotten,
              cancellation_stays_disabled, ignored_request_is_forgotten, entry_is_not_checked, runs_twice,
              user_is_not_awaited, user_is_stopped_last, user_failure_is_dropped, released_stays_registered,
              counts_what_it_removes_twice, transient_outlives_the_run, cancelled_release_leaks,
              last_stop_is_not_awaited, stop_that_gives_up_skips_the_rest, knows_things_by_their_place,
              failed_removal_is_forgotten)

// What tasks of a crew failed with, in the order in which they did.
struct crew_failed {
  std::vector<aggregate_error::member> failures;
};

// Tasks that run side by side; none ends because of another one. What they still need is shared with them.
class crew {
 public:
  explicit crew(const asio::any_io_executor& executor) : all_(std::make_shared<state>(executor)) {}

  void spawn(std::string name, awaitable<void> work) {
    const auto signal = std::make_shared<asio::cancellation_signal>();
    all_->alive.push_back(signal);
    auto ended = [all = all_, signal](const std::exception_ptr&) {
      std::erase(all->alive, signal);
      all->news.cancel();
    };
    asio::co_spawn(all_->executor, live(all_, std::move(name), std::move(work)),
                   asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
  }

  void request_cancel() {
    if (std::exchange(all_->asked, true)) return;
    const auto those = all_->alive;  // who is asked may end at once
    for (const auto& one : those) one->emit(asio::cancellation_type::terminal);
  }

  // Until all have ended; a request is passed on to them. Throws crew_failed if any failed.
  awaitable<void> join() {
    const auto all = all_;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!all->alive.empty()) {
      const auto requests = co_await asio::this_coro::cancellation_state;
      if (requests.cancelled() != asio::cancellation_type::none) request_cancel();
      if (all->alive.empty()) break;
      boost::system::error_code why;
      co_await all->news.async_wait(asio::redirect_error(asio::use_awaitable, why));
    }
    co_await asio::this_coro::throw_if_cancelled(throwing);
    crew_failed failed{std::exchange(all->failures, {})};
    if (!failed.failures.empty()) throw failed;
    check_cancelled(co_await asio::this_coro::cancellation_state);
  }

 private:
  struct state {
    explicit state(const asio::any_io_executor& where)
        : executor(where), news(where, asio::steady_timer::time_point::max()) {}
    const asio::any_io_executor executor;
    std::vector<std::shared_ptr<asio::cancellation_signal>> alive;
    std::vector<aggregate_error::member> failures;
    asio::steady_timer news;
    bool asked = false;
  };

  static awaitable<void> live(std::shared_ptr<state> all, std::string name, awaitable<void> work) {
    std::exception_ptr failure;
    try {
      co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure && !is_cancellation(failure)) all->failures.push_back({std::move(name), failure});
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await asio::this_coro::throw_if_cancelled(false);
  }

  const std::shared_ptr<state> all_;
};

// A plain one, which does everything in one coroutine and knows no limits.
class plain_lifespan final : public contract::lifespan {
 public:
  plain_lifespan(asio::any_io_executor executor, const contract::lifespan_config&, defect wrong)
      : executor_(std::move(executor)), wrong_(wrong) {}

  std::size_t held() const override { return transients_.size() + removing_; }

 protected:
  void do_add(std::string name, step start, step stop) override {
    resources_.push_back(std::make_unique<resource>(std::move(name), std::move(start), std::move(stop)));
  }

  awaitable<void> do_run(step body) override {
    if (entered_ && !is(defect::runs_twice)) throw contract::rejected_error("entered twice");
    if (is(defect::entry_is_not_checked)) {
      co_await asio::this_coro::reset_cancellation_state();
    } else {
      check_cancelled(co_await asio::this_coro::cancellation_state);
    }
    entered_ = true;
    started_ = 0;
    co_await scope(run_once(std::move(body)));
    if (is(defect::deferred_request_is_forgotten)) co_await asio::this_coro::reset_cancellation_state();
    if (is(defect::cancellation_stays_disabled)) co_await asio::this_coro::throw_if_cancelled(false);
    throw_outcome();
  }

  void do_start_user(std::string resource_name, std::string name, step work) override {
    for (auto& each : resources_) {
      if (each->name != resource_name) continue;
      each->users->spawn(std::move(name), call(std::move(work)));
      return;
    }
  }

  std::uint64_t do_hold(std::string name, step remove) override {
    (void)name;
    transients_.emplace_back(++last_id_, std::move(remove));
    return is(defect::knows_things_by_their_place) ? transients_.size() : last_id_;
  }

  awaitable<void> do_release(std::uint64_t id) override {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    const auto found = find(id);
    if (found == transients_.end()) co_return;
    step remove = found->second;
    if (!is(defect::released_stays_registered)) transients_.erase(found);
    const counting_twice removing(is(defect::counts_what_it_removes_twice) ? &removing_ : nullptr);
    if (is(defect::cancelled_release_leaks)) {
      co_await remove();
    } else {
      co_await shield(remove());
    }
  }

 private:
  struct counting_twice {
    explicit counting_twice(std::size_t* where) : count(where) {
      if (count != nullptr) *count += 2;
    }
    counting_twice(const counting_twice&) = delete;
    counting_twice& operator=(const counting_twice&) = delete;
    ~counting_twice() {
      if (count != nullptr) *count -= 2;
    }
    std::size_t* count;
  };
  struct resource {
    resource(std::string resource_name, step start_step, step stop_step)
        : name(std::move(resource_name)), start(std::move(start_step)), stop(std::move(stop_step)) {}
    std::string name;
    step start;
    step stop;
    std::unique_ptr<crew> users;  // made anew for every run
  };

  bool is(defect one) const noexcept { return wrong_ == one; }

  using transients = std::vector<std::pair<std::uint64_t, step>>;
  transients::iterator find(std::uint64_t id) {
    if (is(defect::knows_things_by_their_place))
      return id > transients_.size() ? transients_.end()
                                     : transients_.begin() + static_cast<std::ptrdiff_t>(id) - 1;
    return std::find_if(transients_.begin(), transients_.end(),
                        [id](const auto& one) { return one.first == id; });
  }

  static awaitable<void> call(step work) { co_await work(); }

  void note(const std::string& name, const std::exception_ptr& failure) {
    if (!is_cancellation(failure)) {
      failures_.push_back({name, failure});
    } else if (!is(defect::cancellation_is_swallowed)) {
      cancelled_ = true;
    }
  }

  void note_all(const crew_failed& failed) {
    for (const aggregate_error::member& each : failed.failures) note(each.task, each.failure);
  }

  awaitable<void> run_once(step body) {
    if (is(defect::ignored_request_is_forgotten)) co_await hold_requests;
    for (auto& each : resources_)
      if (!each->users) each->users = std::make_unique<crew>(executor_);
    co_await start_and_use(std::move(body));
    const bool failed = cancelled_ || !failures_.empty();
    if (is(defect::error_skips_all_closing) && in_body_ && failed) {
      co_await hold_requests;
      for (auto& each : resources_) co_await shield(join_users(*each));
      co_return;
    }
    if (is(defect::partial_start_leaks) && !in_body_) co_return;
    if (is(defect::stops_what_never_started)) started_ = resources_.size();
    co_await hold_requests;
    co_await stop_shielded_or_not();
    co_await hold_requests;
    for (auto& each : resources_) co_await shield(join_users(*each));
  }

  awaitable<void> stop_shielded_or_not() {
    if (is(defect::cleanup_throws_at_once)) {
      co_await asio::this_coro::throw_if_cancelled(true);
      try {
        co_await stop_all();
      } catch (...) {
        note("stop", std::current_exception());
      }
    } else if (is(defect::request_interrupts_the_stop)) {
      co_await stop_all();
    } else {
      co_await shield(stop_all());
    }
  }

  awaitable<void> start_and_use(step body) {
    in_body_ = false;
    std::string current = "body";
    try {
      if (is(defect::starts_all_at_once)) {
        co_await start_all_at_once();
      } else {
        for (auto& each : resources_) {
          if (!is(defect::ignored_request_is_forgotten))
            check_cancelled(co_await asio::this_coro::cancellation_state);
          current = each->name;
          co_await start_one(*each);
          ++started_;
        }
      }
      current = "body";
      in_body_ = true;
      co_await body();
    } catch (const crew_failed& failed) {
      note_all(failed);
    } catch (...) {
      note(current, std::current_exception());
      const bool was_cancelled = is_cancellation(std::current_exception());
      const bool counts = (is(defect::stops_the_step_that_failed) && !was_cancelled) ||
                          (is(defect::stops_the_step_that_was_cancelled) && was_cancelled);
      if (counts && !in_body_ && current != "body") ++started_;
    }
    if (is(defect::body_runs_after_a_failed_start) && !in_body_ && !cancelled_)
      co_await body_nevertheless(std::move(body));
  }

  awaitable<void> body_nevertheless(step body) {
    try {
      co_await body();
    } catch (...) {
      note("body", std::current_exception());
    }
  }

  awaitable<void> start_all_at_once() {
    crew starters(executor_);
    for (auto& each : resources_) starters.spawn(each->name, start_counted(*each));
    co_await starters.join();
  }
  awaitable<void> start_counted(resource& one) {
    co_await one.start();
    ++started_;
  }

  awaitable<void> start_one(resource& one) {
    if (!is(defect::cancelled_start_is_abandoned)) {
      co_await one.start();
      co_return;
    }
    // Waits beside the step, and walks away from both when it is cancelled.
    auto ended = std::make_shared<asio::steady_timer>(executor_, asio::steady_timer::time_point::max());
    auto failure = std::make_shared<std::exception_ptr>();
    auto signal = std::make_shared<asio::cancellation_signal>();
    auto done = [ended, failure, signal](std::exception_ptr what) {
      *failure = std::move(what);
      ended->expires_at(asio::steady_timer::time_point::min());
    };
    asio::co_spawn(executor_, one.start(), asio::bind_cancellation_slot(signal->slot(), std::move(done)));
    try {
      co_await scope(wait_for(ended));
    } catch (...) {
      asio::post(executor_, [signal] { signal->emit(asio::cancellation_type::terminal); });
      throw;
    }
    if (*failure) std::rethrow_exception(*failure);
  }
  static awaitable<void> wait_for(std::shared_ptr<asio::steady_timer> ended) {
    boost::system::error_code why;
    co_await ended->async_wait(asio::redirect_error(asio::use_awaitable, why));
    check_cancelled(co_await asio::this_coro::cancellation_state);
  }

  awaitable<void> stop_all() {
    std::vector<resource*> order;
    for (std::size_t i = 0; i < std::min(started_, resources_.size()); ++i)
      order.push_back(resources_[i].get());
    if (!is(defect::closes_in_start_order)) std::reverse(order.begin(), order.end());
    while (!transients_.empty() && !is(defect::transient_outlives_the_run)) {
      step remove = std::move(transients_.back().second);
      transients_.pop_back();
      co_await stop_one(transient_name, std::move(remove));
    }
    if (is(defect::stops_all_at_once)) {
      for (resource* const each : order) co_await shield(stop_users(*each));
      co_await stop_all_at_once(order);
      co_return;
    }
    bool skip = false;
    for (resource* const each : order) {
      if (!is(defect::user_is_stopped_last)) co_await shield(stop_users(*each));
      const std::size_t before = failures_.size();
      const std::size_t gave_up_before = gave_up_;
      if (is(defect::last_stop_is_not_awaited) && each == order.back()) {
        asio::co_spawn(executor_, call(each->stop), [](const std::exception_ptr&) {});
        co_return;
      }
      if (!skip) co_await stop_one(each->name, each->stop);
      skip = skip || (is(defect::first_close_error_skips_the_rest) && failures_.size() > before);
      skip = skip || (is(defect::stop_that_gives_up_skips_the_rest) && gave_up_ > gave_up_before);
    }
  }

  awaitable<void> stop_all_at_once(std::vector<resource*> order) {
    crew stoppers(executor_);
    for (resource* const each : order) stoppers.spawn(each->name, each->stop());
    try {
      co_await stoppers.join();
    } catch (const crew_failed& failed) {
      note_all(failed);
    }
  }

  awaitable<void> stop_one(std::string name, step stop) {
    try {
      co_await stop();
    } catch (...) {
      if (is(defect::close_errors_are_dropped)) co_return;
      if (is(defect::failed_removal_is_forgotten) && name == transient_name) co_return;
      if (is_cancellation(std::current_exception())) ++gave_up_;
      if (is(defect::close_error_replaces_the_first)) failures_.clear();
      note(name, std::current_exception());
      if (is(defect::close_errors_come_first) && !failures_.empty())
        std::rotate(failures_.begin(), failures_.end() - 1, failures_.end());
    }
  }

  awaitable<void> stop_users(resource& one) {
    if (one.users) one.users->request_cancel();
    if (!is(defect::user_is_not_awaited)) co_await join_users(one);
  }

  awaitable<void> join_users(resource& one) {
    if (!one.users) co_return;
    one.users->request_cancel();
    const auto users = std::move(one.users);
    try {
      co_await users->join();
    } catch (const crew_failed& failed) {
      if (!is(defect::user_failure_is_dropped)) note_all(failed);
    }
  }

  void throw_outcome() {
    if (cancelled_ && (failures_.empty() || is(defect::cancellation_beats_failure)))
      contract::throw_cancelled();
    if (!failures_.empty()) throw aggregate_error(std::exchange(failures_, {}));
  }

  static constexpr const char* transient_name = "transient";

  const asio::any_io_executor executor_;
  const defect wrong_;
  std::vector<std::unique_ptr<resource>> resources_;
  transients transients_;
  std::uint64_t last_id_ = 0;
  std::size_t removing_ = 0;  // counted besides: a defect
  std::size_t started_ = 0;
  std::size_t gave_up_ = 0;  // stops that ended as cancelled
  std::vector<aggregate_error::member> failures_;
  bool entered_ = false;
  bool in_body_ = false;
  bool cancelled_ = false;
};

const std::vector<std::string> without_limits = {"users",         "single_use",        "transient",
                                                 "shielded_stop", "attached_failures", "level_triggered",
                                                 "strict_entry"};
// What the others differ from.
const implements<plain_lifespan> plain("plain", subject_kind::alternative, {.features = without_limits},
                                       defect::none);
const mutants<plain_lifespan, defect> wrong(
    without_limits,
    {
        defective(defect::error_skips_all_closing,
                  "LIF-m1: nothing protects the body, so its error skips all closing",
                  {{"LIF-3", "everything is stopped if the body"}}, {"X-7", "X-17", "X-18", "LIF-9"}),
        defective(defect::partial_start_leaks,
                  "LIF-m5: what was started before a failing start is never stopped",
                  {{"LIF-2", "what was started before the failure is stopped"},
                   {"LIF-6", "what was started before the cancellation is stopped"}},
                  {"LIF-3"}),
        defective(defect::closes_in_start_order, "LIF-m2: closes in the order of starting",
                  {{"LIF-1", "stop in reverse order"}}),
        defective(defect::last_stop_is_not_awaited, "the run ends while the last stop goes on",
                  {{"LIF-1", "steps are under way when the run has ended"}}, {"LIF-2", "LIF-4"}),
        defective(defect::starts_all_at_once, "starts the resources concurrently",
                  {{"LIF-1", "resources start in order"}}, {"LIF-2", "LIF-6", "X-5", "LIF-8"}),
        defective(defect::stops_all_at_once, "stops the resources concurrently",
                  {{"LIF-1", "stop in reverse order"}}),
        defective(defect::stops_what_never_started,
                  "a failed start stops all resources, also those never started",
                  {{"LIF-2", "and nothing else"}, {"LIF-6", "and nothing else"}}),
        defective(defect::stops_the_step_that_failed, "a resource whose start failed is stopped, too",
                  {{"LIF-2", "and nothing else"}}),
        defective(defect::stops_the_step_that_was_cancelled,
                  "a resource whose start was cancelled is stopped, too", {{"LIF-6", "and nothing else"}},
                  {"LIF-2"}),
        defective(defect::cancelled_start_is_abandoned,
                  "a cancelled start is left to itself while others are stopped",
                  {{"LIF-6", "nothing is stopped"}}, {"LIF-1", "LIF-2", "LIF-3", "LIF-4", "LIF-5"}),
        defective(defect::body_runs_after_a_failed_start, "goes on with the body although a start failed",
                  {{"LIF-2", "the body does not run"}}, {"LIF-3", "LIF-4", "LIF-5", "LIF-6"}),
        defective(defect::cancellation_is_swallowed, "a cancelled run ends well",
                  {{"LIF-3", "ends cancelled"}, {"LIF-6", "ends cancelled"}}, {"X-5", "X-7"}),
        defective(defect::first_close_error_skips_the_rest,
                  "LIF-m4: the first stop that fails skips the others",
                  {{"LIF-4", "a stop that fails skips no other"}}, {"LIF-2"}),
        defective(defect::stop_that_gives_up_skips_the_rest,
                  "a stop that ends as cancelled ends the stopping: the others are skipped",
                  {{"LIF-4", "a stop that gives up skips no other"}}),
        defective(defect::close_errors_are_dropped, "failures of stops are swallowed",
                  {{"LIF-4", "the failure of the stop is reported once"}},
                  {"LIF-1", "LIF-2", "LIF-3", "LIF-5", "LIF-6", "X-17", "X-18", "LIF-9"}),
        defective(defect::close_error_replaces_the_first,
                  "the failure of a stop replaces the failure before it",
                  {{"LIF-2", "the failure of the start comes first"}, {"X-17", "does not replace"}},
                  {"LIF-1", "LIF-3", "LIF-4", "LIF-5", "LIF-6"}),
        defective(defect::close_errors_come_first, "the failures of stops are put before the primary one",
                  {{"LIF-2", "the failure of the start comes first"}, {"X-17", "does not replace"}},
                  {"LIF-4"}),
        defective(defect::cancellation_beats_failure, "a cancelled run reports no failure of its stops",
                  {{"X-18", "a failure beats the cancellation"}},
                  {"LIF-2", "LIF-3", "LIF-4", "LIF-5", "LIF-6"}),
        defective(defect::cleanup_throws_at_once,
                  "the stops are awaited in the cancelled scope, where they throw at once",
                  {{"LIF-3", "everything is stopped if the body is cancelled"},
                   {"LIF-6", "what was started before the cancellation is stopped"}},
                  {"LIF-2", "LIF-4", "X-6", "X-7", "X-9", "X-18", "LIF-9"}),
        defective(defect::request_interrupts_the_stop, "stops are not shielded",
                  {{"LIF-3", "no stop is interrupted"}, {"X-9", "interrupts no stop"}}, {"X-7", "LIF-9"}),
        defective(defect::deferred_request_is_forgotten,
                  "M-X9: the shield erases the request instead of deferring it",
                  {{"X-9", "shows at the first suspension"}}, {"X-36"}),
        defective(defect::cancellation_stays_disabled,
                  "M-X10: the switch that the shield set is not given back",
                  {{"X-10", "restores the caller's cancellation state"}}, {"X-9", "X-36"}),
        defective(defect::ignored_request_is_forgotten, "a request that a step ignored is forgotten",
                  {{"X-5", "is not forgotten"}}),
        defective(defect::entry_is_not_checked, "a cancelled scope is entered",
                  {{"X-6", "reports cancelled"}}),
        defective(defect::runs_twice, "a second run starts everything again", {{"LIF-8", "is refused"}},
                  {"LIF-1"}),
        defective(defect::user_is_not_awaited,
                  "LIF-m3: users are cancelled, not awaited, and then their resource is closed",
                  {{"LIF-5", "has ended before that resource is stopped"}}),
        defective(defect::user_is_stopped_last, "users are stopped when the resources are",
                  {{"LIF-5", "has ended before that resource is stopped"}}),
        defective(defect::user_failure_is_dropped, "the failure of a user is swallowed",
                  {{"LIF-5", "the failure of a user is reported once"}}, {"X-18"}),
        defective(defect::released_stays_registered, "LIF-m6: the set of transient things only grows",
                  {{"LIF-9", "is forgotten when it is released"}}),
        defective(defect::knows_things_by_their_place,
                  "a thing is known by its place, which is another one when something before it was removed",
                  {{"LIF-9", "removes the thing that it names"}}, {"X-18"}),
        defective(defect::failed_removal_is_forgotten,
                  "what a removal fails with that nobody asked for is told to nobody",
                  {{"LIF-9", "is reported once"}}, {"X-18"}),
        defective(defect::counts_what_it_removes_twice,
                  "what is being removed is registered twice until it is gone",
                  {{"LIF-9", "more transient things are registered"}}),
        defective(defect::transient_outlives_the_run, "transient things are not removed when the run ends",
                  {{"LIF-9", "nothing is registered after the run"}}, {"X-6"}),
        defective(defect::cancelled_release_leaks,
                  "a release that is cancelled leaves the thing half removed and forgotten",
                  {{"LIF-9", "removed once, cancelled or not"}}),
    });

const std::vector<std::string> with_limits = {
    "users",         "bounded_stop",       "single_use",      "transient",
    "shielded_stop", "attached_failures",  "level_triggered", "late_refusal",
    "strict_entry",  "checked_destruction"};
const mutants<managed_lifespan, limit_defect> wrong_limits(
    with_limits,
    {
        defective(limit_defect::stop_is_not_bounded, "a stop has all the time it wants",
                  {{"LIF-7", "is asked to stop at its limit"}}, {"X-11"}),
        defective(limit_defect::limit_is_a_constant, "the stop limit is 10 ms, whatever is configured",
                  {{"LIF-7", "is not interrupted before its limit"}}),
        defective(limit_defect::limits_overflow, "a limit that is none is added to the time, and has passed",
                  {{"LIF-7", "and not before"}}),
        defective(limit_defect::waits_for_whoever_ignores_it,
                  "a stop that ignores its request delays the others for ever",
                  {{"LIF-7", "although a stop ignores its request"}}),
        defective(limit_defect::stop_is_not_asked, "a stop that has outlasted its limit is not asked to stop",
                  {{"LIF-7", "is asked to stop at its limit"}}, {"X-11"}),
        defective(limit_defect::goes_on_at_the_stop_limit,
                  "the next resource is stopped as soon as a stop was asked to stop",
                  {{"LIF-7", "the next resource waits"}}, {"LIF-1"}),
        defective(limit_defect::takes_late_comers,
                  "what comes before the run or too late is registered, and never stopped",
                  {{"LIF-14", "are refused"}}),
        defective(limit_defect::timeouts_are_not_reported, "nobody learns what timed out",
                  {{"LIF-7", "the stack reports what timed out"}}),
        defective(limit_defect::everything_in_time_is_reported, "every resource is reported as timed out",
                  {{"LIF-7", "before its limit"}}),
    });

// Says that it notices its destruction, but what it consists of lives on.
class unchecked_lifespan final : public contract::lifespan {
 public:
  unchecked_lifespan(environment& env, const contract::lifespan_config& limits)
      : life_(std::make_shared<managed_lifespan>(env, limits, limit_defect::none, false)) {
    env.owner().keep(life_);
  }

 protected:
  void do_add(std::string name, step start, step stop) override {
    life_->add(std::move(name), std::move(start), std::move(stop));
  }
  awaitable<void> do_run(step body) override { return life_->run(std::move(body)); }

 private:
  std::shared_ptr<managed_lifespan> life_;
};
const implements<unchecked_lifespan> unchecked(
    "destruction_is_not_checked", subject_kind::mutant,
    {.features = {"checked_destruction"},
     .defect = "a lifespan is destroyed while it runs and nobody notices",
     .must_fail = {{"X-20", ""}}});

}  // namespace
}  // namespace assay
