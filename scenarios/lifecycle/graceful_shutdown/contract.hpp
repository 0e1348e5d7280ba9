// The contract of a graceful shutdown coordinator: it starts what a service consists of, admits work, and
// stops everything in an order, each phase with a budget.
//
// A member that belongs to a feature is called only on subjects that claim it. `restart` and `shut_down_on_failure` go with
// `supervision`, and `cancel_escalates` with `stop_on_cancel` and `force`.
//
// Without `force` the drain deadline leaves a choice: work that is left is waited for, asked to stop or not, or it
// is left alone and named, in `unfinished` and in `survivors`, and makes the stop a `forced` one.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

/// The phases that a subject tells of, in the order of the standard: those that it has.
enum class shutdown_phase {
  starting,
  running,
  not_ready,
  grace,
  stop_accepting,
  drain,
  force_cancel,
  stop_background,
  cleanup,
  final_log,
  stopped
};
BOOST_DESCRIBE_ENUM(shutdown_phase, starting, running, not_ready, grace, stop_accepting, drain, force_cancel,
                    stop_background, cleanup, final_log, stopped)

/// What a failed background task means (SHD-13): `report` goes on without it.
enum class background_failure { report, restart, shut_down };
BOOST_DESCRIBE_ENUM(background_failure, report, restart, shut_down)

/// What is done about a late registration (SHD-14).
enum class late_registration { refused, joins };
BOOST_DESCRIBE_ENUM(late_registration, refused, joins)

/// What a connection is told at the start of the drain (SHD-17).
enum class connection_close { now, after_response };
BOOST_DESCRIBE_ENUM(connection_close, now, after_response)

struct graceful_shutdown_config {
  using nanoseconds = std::chrono::nanoseconds;

  nanoseconds grace = std::chrono::seconds(0);   ///< `grace`: accepts this long after readiness turned false
  nanoseconds drain = std::chrono::seconds(10);  ///< for admitted work to end by itself
  /// `force`: for what was asked to stop, before it is abandoned. `callbacks`: the most that one of them has once
  /// it was asked to stop; a subject may leave it alone sooner.
  nanoseconds force = std::chrono::seconds(2);
  nanoseconds background = std::chrono::seconds(2);  ///< for background tasks to end once asked
  nanoseconds callback =
      std::chrono::seconds(2);  ///< `callbacks`: for one of them, before it is asked to stop
  nanoseconds cleanup = std::chrono::seconds(5);  ///< `budgets`: what cleanup has at least, escalated or not
  nanoseconds pre_stop =
      std::chrono::seconds(0);  ///< `budgets`: spent of the total before the stop is requested
  nanoseconds total = std::chrono::seconds(25);  ///< `budgets`: from the request to the end of run()
  background_failure on_failure = background_failure::report;  ///< `supervision`
  nanoseconds restart_delay = std::chrono::seconds(1);         ///< `restart`
};
BOOST_DESCRIBE_STRUCT(graceful_shutdown_config, (),
                      (grace, drain, force, background, callback, cleanup, pre_stop, total, on_failure,
                       restart_delay))

/// What became of everything.
struct shutdown_report {
  /// Admitted work that did not end by itself: it was cancelled, never begun, or has not ended.
  std::vector<std::string> unfinished;
  /// Work, background tasks, starts and callbacks that were asked to stop and had not ended when the budget
  /// was spent; and work that was left alone at the drain deadline.
  std::vector<std::string> survivors;
  /// Failures that were told to nobody else, in the order in which they happened. Which are told at once and
  /// which are held here is the subject's choice, but for those that SHD-13 is about.
  struct failure {
    std::string name;
    std::exception_ptr error;
    bool secondary = false;  ///< happened while cleaning up after another failure, told or held
  };
  std::vector<failure> failures;
  /// Something was ended by force or left alive.
  bool forced = false;
};
BOOST_DESCRIBE_STRUCT(shutdown_report::failure, (), (name, error, secondary))
BOOST_DESCRIBE_STRUCT(shutdown_report, (), (unfinished, survivors, failures, forced))

class graceful_shutdown : public with_invariant<graceful_shutdown_config> {
 public:
  static constexpr std::string_view name = "graceful_shutdown";
  static constexpr feature_info features[] = {
      {"grace", "Work is accepted for the grace period after the readiness has turned false."},
      {"force",
       "What is left at the drain deadline is cancelled, awaited for the force budget, and then abandoned."},
      {"callbacks", "Cleanup callbacks run in reverse order of registration, each bounded in time."},
      {"budgets",
       "The budgets fit into the total, or are refused; a watchdog ends every wait when the total is spent."},
      {"supervision", "A background task that fails while the service runs is told of at once."},
      {"restart",
       "With `on_failure` `restart` a background task that failed is started again after its delay."},
      {"shut_down_on_failure",
       "With `on_failure` `shut_down` a background task that fails stops the service."},
      {"late_registration",
       "`late_policy` says whether what is registered during the stop is refused or joins its phase."},
      {"connections",
       "Idle connections are closed when the drain begins; busy ones are told to close after the response."},
      {"stop_on_cancel",
       "A cancelled `run` stops gracefully and still reports, and no cancel reaches a step of the cleanup."},
      {"cancel_escalates", "A cancel of a `run` that is stopping is an escalation."},
      {"signals", "The first stop signal requests a stop; with `force` a further one escalates."},
  };
  using contract_type = graceful_shutdown;
  using config = graceful_shutdown_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  using function = std::function<void()>;
  using phase_hook = std::function<void(shutdown_phase)>;
  using failure_hook = std::function<void(std::string name, std::exception_ptr error)>;
  using forced_hook = std::function<void(std::string name)>;
  using close_hook = std::function<void(connection_close how)>;
  using async_function = std::function<awaitable<void>()>;
  /// Serves one item. The item is done if it ends with a value; a handler that moves it away answers for it.
  using handler = std::function<awaitable<void>(item&)>;

  graceful_shutdown() = default;
  graceful_shutdown(const graceful_shutdown&) = delete;
  graceful_shutdown& operator=(const graceful_shutdown&) = delete;
  virtual ~graceful_shutdown() = default;

  // ---- Before run()

  /// Told of every phase as it is entered.
  void observe(phase_hook observer);
  /// Told of every failure that the report will not hold, when it happens. `supervision`: of every failure of a
  /// background task while the service runs, unless that stops the service.
  virtual void on_failure(failure_hook hook) = 0;
  /// Started by run() in this order, one after the other, stopped in reverse order if its start ended with a
  /// value.
  virtual void add_resource(std::string name, async_function start, async_function stop) = 0;
  /// Started once all resources are, asked to stop (cancelled) when no work is left.
  virtual void add_background(std::string name, async_function work) = 0;
  /// `callbacks`: run in the cleanup, in reverse order of registration, resources included.
  virtual void add_callback(std::string, function) { throw unclaimed_feature("callbacks"); }
  virtual void add_async_callback(std::string, async_function) { throw unclaimed_feature("callbacks"); }
  /// told of whatever was forced (cancelled, abandoned or skipped), once for each name, also of work that
  /// failed when it was cancelled; a `force` subject has it.
  virtual void on_forced(forced_hook) { throw unclaimed_feature("force"); }

  // ---- The whole life of the service

  /// Starts, serves until a stop is requested, stops. Ends with the report, whatever failed. A start that fails
  /// is a request to stop.
  awaitable<shutdown_report> run();
  virtual void request_stop() = 0;
  /// `force`: stop waiting for work; see SHD-10. It is no request to stop.
  virtual void escalate() { throw unclaimed_feature("force"); }
  /// `signals`: what arrives at the process, one stop signal. The first requests a stop; with `force` a further
  /// one escalates.
  virtual void signal() { throw unclaimed_feature("signals"); }
  /// The readiness probe's answer: yes from the phase `running` until a stop is requested.
  virtual bool ready() const = 0;
  /// Admits work on `one`, named "work ID". It begins at this instant, in this turn or a later one, beside other
  /// work. Throws rejected_error or closed_error when it is refused, as before the phase `running` and from
  /// `stop_accepting` on; the item is the caller's again then.
  void admit(item one, handler work);

  // ---- `late_registration`: what this subject does about add_background and add_callback in the drain. A
  // refusal throws rejected_error or closed_error.
  virtual late_registration late_policy() const { throw unclaimed_feature("late_registration"); }

  // ---- `connections`. A busy one may count as work in flight (SHD-5), or not.

  /// `close` is called at most once. Throws as admit when it is refused.
  virtual int open_connection(close_hook) { throw unclaimed_feature("connections"); }
  /// A request is under way on it, or no more. Connections begin idle.
  virtual void set_busy(int, bool) { throw unclaimed_feature("connections"); }
  virtual void connection_closed(int) { throw unclaimed_feature("connections"); }

  /// The phases only go forward (SHD-1); the service is ready in none but `running` (SHD-1, SHD-3), and not once run() has
  /// ended. Phases are known if somebody observes them.
  std::string invariant() const;

 protected:
  // What a subject implements.
  virtual void do_observe(phase_hook observer) = 0;
  virtual awaitable<shutdown_report> do_run() = 0;
  /// `work` makes the work when it begins; it is called at most once. Throws when refused.
  virtual void do_admit(std::string name, async_function work) = 0;

 private:
  struct job {
    item one;
    handler work;
  };
  static awaitable<void> serve(std::shared_ptr<job> self);
  struct account {
    std::optional<shutdown_phase> phase;
    std::size_t runs = 0;  // under way
    bool has_run = false;
    std::string violation;  // the first that was seen when it happened
  };
  static void enter(account& known, shutdown_phase next);

  const std::shared_ptr<account> account_ = make_account<account>();
  std::map<std::string, std::pair<item_ledger*, int>, std::less<>> admitted_;
};

// A job that was cancelled, or never begun, stays given: the report must name it, or it is lost.
inline boost::asio::awaitable<void> graceful_shutdown::serve(std::shared_ptr<job> self) {
  std::exception_ptr failure;
  try {
    co_await self->work(self->one);
  } catch (...) {
    failure = std::current_exception();
  }
  // A survivor may end after the report has called it unfinished; then its item is the caller's.
  if (self->one.unsettled()) {
    if (!failure) {
      self->one.delivered();
    } else if (describe(failure).kind != outcome_kind::cancelled) {
      self->one.settled(item_state::dead_lettered);
    }
  }
  if (failure) std::rethrow_exception(failure);
}

inline void graceful_shutdown::admit(item one, handler work) {
  const auto made = std::make_shared<job>();
  std::string name = "work " + std::to_string(one.id());
  admitted_[name] = {one.ledger(), one.id()};
  handing_in account(one, this);
  made->one = std::move(one);
  made->work = std::move(work);
  do_admit(std::move(name), [made] { return serve(made); });
  account.taken();
}

inline void graceful_shutdown::observe(phase_hook observer) {
  phase_hook noted;
  {
    const detail::harness_section section;
    noted = [known = account_, tell = std::move(observer)](shutdown_phase next) {
      enter(*known, next);
      if (tell) tell(next);
    };
  }
  do_observe(std::move(noted));
}

inline void graceful_shutdown::enter(account& known, shutdown_phase next) {
  const detail::harness_section section;
  if (known.phase && next <= *known.phase && known.violation.empty()) {
    const auto name = [](shutdown_phase one) {
      return std::string(boost::describe::enum_to_string(one, "unknown"));
    };
    known.violation = "SHD-1: the phases of a stop come in order, each at most once: expected one after '" +
                      name(*known.phase) + "'; observed: '" + name(next) + "'";
  }
  known.phase = next;
}

inline std::string graceful_shutdown::invariant() const {
  const account& known = *account_;
  if (!known.violation.empty()) return known.violation;
  const look now(*this);
  if (!now) return {};
  const bool over = known.has_run && known.runs == 0;
  const bool elsewhere = known.phase && *known.phase != shutdown_phase::running;
  if ((!over && !elsewhere) || !ready()) return {};
  if (known.phase && *known.phase >= shutdown_phase::stop_accepting)
    return "SHD-3: the service is not ready any more when work is refused: expected false; observed: true";
  return "SHD-1: the service is ready in the phase 'running' only: expected false; observed: true";
}

inline boost::asio::awaitable<shutdown_report> graceful_shutdown::run() {
  const counted under_way(account_, &account::runs);
  account_->has_run = true;
  shutdown_report report = co_await do_run();
  for (const std::string& each : report.unfinished) {
    const auto found = admitted_.find(each);
    if (found == admitted_.end() || found->second.first == nullptr) continue;
    const auto& [ledger, id] = found->second;
    // A survivor may have ended since it was left alone, while everything else was cleaned up.
    const auto& left = report.survivors;
    const bool survived = std::find(left.begin(), left.end(), each) != left.end();
    if (!survived || ledger->state(id) == item_state::given) ledger->give_back(id);
  }
  co_return report;
}

}  // namespace assay::contract
