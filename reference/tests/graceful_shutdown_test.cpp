#include <assay/reference/lifecycle/graceful_shutdown.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using namespace std::chrono_literals;
using phase = shutdown_phase;

asio::awaitable<void> note(trail& log, std::string name) {
  log.push_back(name);
  co_return;
}

asio::awaitable<void> fail(std::string what) {
  throw std::runtime_error(what);
  co_return;
}

asio::awaitable<void> fail_at(gate& g, std::string what) {
  co_await g.wait();
  throw std::runtime_error(what);
}

asio::awaitable<void> insist(gate& g, trail& log, std::string name) { co_await shield(visit(g, log, name)); }

trail names_of(const std::vector<task_failure>& failures) {
  trail all;
  for (const task_failure& each : failures) all.push_back(each.name + (each.secondary ? " (secondary)" : ""));
  return all;
}

/// No budget of a test passes while it runs, except those that are zero.
graceful_shutdown_options patient() {
  graceful_shutdown_options options;
  options.budgets = {.grace = 0s,
                     .drain = 1h,
                     .force = 1h,
                     .background = 1h,
                     .callback = 1h,
                     .cleanup = 1h,
                     .pre_stop = 0s,
                     .total = 24h};
  return options;
}

struct graceful_shutdown_test : ::testing::Test {
  asio::io_context context;
  gate a, b;
  trail log;
  std::vector<phase> phases;
  trail told;
  trail forced;

  graceful_shutdown_options watched(graceful_shutdown_options options = patient()) {
    options.on_phase = [this](phase entered) { phases.push_back(entered); };
    options.unhandled = [this](const task_failure& failure) { told.push_back(failure.name); };
    options.on_forced = [this](const forced_action& action) { forced.push_back(action.name); };
    return options;
  }
  void add_resource(graceful_shutdown& shutdown, const std::string& name) {
    shutdown.add_resource(
        name, [this, name] { return note(log, "open " + name); },
        [this, name] { return note(log, "close " + name); });
  }
};

TEST_F(graceful_shutdown_test, everything_stops_in_the_order_of_the_phases) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  add_resource(shutdown, "pool");
  add_resource(shutdown, "server");
  shutdown.add_background("feed", [this] { return visit(b, log, "feed"); });
  operation<shutdown_report> run(context, shutdown.run());
  EXPECT_TRUE(shutdown.is_ready());
  shutdown.admit("request", visit(a, log, "request"));
  settle(context);
  shutdown.request_stop();
  settle(context);
  EXPECT_FALSE(shutdown.is_ready());
  EXPECT_TRUE(run.pending());
  a.open();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"open pool", "open server", "request done", "feed cancelled", "close server",
                        "close pool"}));
  EXPECT_EQ(phases, (std::vector{phase::starting, phase::running, phase::not_ready, phase::stop_accepting,
                                 phase::drain, phase::stop_background, phase::cleanup, phase::final_log,
                                 phase::stopped}));
  EXPECT_EQ(run.value().exit_status(), 0);
}

TEST_F(graceful_shutdown_test, work_is_refused_before_the_service_runs_and_from_stop_accepting_on) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  EXPECT_THROW(shutdown.admit("early", note(log, "early")), not_accepting);
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("request", visit(a, log, "request"));
  shutdown.request_stop();
  shutdown.admit("just in time", note(log, "just in time"));
  settle(context);
  EXPECT_THROW(shutdown.admit("late", note(log, "late")), not_accepting);
  a.open();
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"just in time", "request done"}));
}

TEST_F(graceful_shutdown_test, who_does_not_listen_is_named_and_may_end_when_the_coordinator_is_gone) {
  graceful_shutdown_options options = watched();
  options.budgets.drain = 0s;
  options.budgets.force = 0s;
  {
    graceful_shutdown shutdown(context.get_executor(), options);
    operation<shutdown_report> run(context, shutdown.run());
    shutdown.admit("deaf", insist(a, log, "deaf"));
    shutdown.admit("deaf and failing", insist(b, log, "deaf and failing"));
    settle(context);
    shutdown.request_stop();
    settle(context);
    ASSERT_TRUE(run.succeeded());
    EXPECT_EQ(run.value().survivors, (trail{"deaf", "deaf and failing"}));
    EXPECT_EQ(run.value().exit_status(), 2);
    EXPECT_EQ(forced, (trail{"deaf", "deaf and failing"}));
  }
  a.open();
  b.open();
  settle(context);
  EXPECT_EQ(log, (trail{"deaf done", "deaf and failing done"}));
}

TEST_F(graceful_shutdown_test, cancelled_work_is_named_and_what_it_fails_with_is_told) {
  graceful_shutdown_options options = watched();
  options.budgets.drain = 0s;
  graceful_shutdown shutdown(context.get_executor(), options);
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("obedient", visit(a, log, "obedient"));
  settle(context);
  shutdown.request_stop();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(run.value().cancelled, trail{"obedient"});
  EXPECT_TRUE(run.value().survivors.empty());
  EXPECT_EQ(phases[5], phase::force_cancel);
}

TEST_F(graceful_shutdown_test, callbacks_run_in_reverse_order_whether_plain_or_awaitable_and_whatever_fails) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  shutdown.add_callback("first", [this] { log.push_back("first"); });
  shutdown.add_callback("awaited", [this] { return visit(a, log, "awaited"); });
  shutdown.add_callback("failing", [] { return fail("disk full"); });
  shutdown.add_callback("throwing", [] { throw std::logic_error("no"); });
  shutdown.request_stop();
  operation<shutdown_report> run(context, shutdown.run());
  EXPECT_TRUE(log.empty());
  a.open();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"awaited done", "first"}));
  EXPECT_EQ(names_of(run.value().failures), (trail{"throwing", "failing (secondary)"}));
  EXPECT_EQ(run.value().exit_status(), 1);
}

template <class Callback>
concept callback_of_a_shutdown =
    requires(graceful_shutdown& shutdown, Callback callback) { shutdown.add_callback("name", callback); };
static_assert(callback_of_a_shutdown<void (*)()>);
static_assert(callback_of_a_shutdown<asio::awaitable<void> (*)()>);
static_assert(!callback_of_a_shutdown<int (*)()>, "a result that nobody looks at is a mistake");
static_assert(!callback_of_a_shutdown<asio::awaitable<int> (*)()>);

TEST_F(graceful_shutdown_test, a_callback_that_takes_too_long_does_not_stop_the_rest) {
  graceful_shutdown_options options = watched();
  options.budgets.callback = 0s;
  options.budgets.force = 0s;
  graceful_shutdown shutdown(context.get_executor(), options);
  shutdown.add_callback("last", [this] { log.push_back("last"); });
  shutdown.add_callback("deaf", [this] { return insist(a, log, "deaf"); });
  shutdown.request_stop();
  operation<shutdown_report> run(context, shutdown.run());
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, trail{"last"});
  EXPECT_EQ(run.value().survivors, trail{"deaf"});
  a.open();
  settle(context);
}

asio::awaitable<void> fail_when_cancelled(gate& g) {
  bool cancelled = false;
  try {
    co_await g.wait();
  } catch (...) {
    cancelled = true;
  }
  if (cancelled) throw std::runtime_error("cut off");
}

TEST_F(graceful_shutdown_test, work_that_fails_when_it_is_cancelled_was_forced_too) {
  graceful_shutdown_options options = watched();
  options.budgets.drain = 0s;
  graceful_shutdown shutdown(context.get_executor(), options);
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("request", fail_when_cancelled(a));
  settle(context);
  shutdown.request_stop();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(names_of(run.value().failures), trail{"request"});
  EXPECT_TRUE(run.value().cancelled.empty());
  EXPECT_EQ(forced, trail{"request"});
  EXPECT_EQ(run.value().forced_actions, 1U);
  EXPECT_EQ(run.value().exit_status(), 2);
}

TEST_F(graceful_shutdown_test, a_callback_that_is_cut_short_makes_the_stop_a_forced_one) {
  graceful_shutdown_options options = watched();
  options.budgets.callback = 0s;
  graceful_shutdown shutdown(context.get_executor(), options);
  shutdown.add_callback("flush", [this] { return visit(a, log, "flush"); });
  shutdown.request_stop();
  operation<shutdown_report> run(context, shutdown.run());
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, trail{"flush cancelled"});
  EXPECT_EQ(forced, trail{"flush"});
  EXPECT_EQ(run.value().exit_status(), 2);
}

TEST_F(graceful_shutdown_test, an_escalation_cancels_work_in_the_drain) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("request", visit(a, log, "request"));
  settle(context);
  shutdown.request_stop();
  shutdown.request_stop();
  settle(context);
  EXPECT_TRUE(log.empty());
  shutdown.escalate();
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, trail{"request cancelled"});
}

TEST_F(graceful_shutdown_test, a_cancelled_run_stops_and_then_escalates_and_reports_all_the_same) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("request", visit(a, log, "request"));
  settle(context);
  run.cancel();
  settle(context);
  EXPECT_EQ(shutdown.phase(), phase::drain);
  EXPECT_TRUE(log.empty());
  run.cancel();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(run.value().cancelled, trail{"request"});
}

TEST_F(graceful_shutdown_test, budgets_beyond_the_total_are_refused) {
  graceful_shutdown_options options = patient();
  options.budgets.total = 5h;
  EXPECT_NO_THROW(graceful_shutdown(context.get_executor(), options));
  options.budgets.pre_stop = 1h + 1ns;
  EXPECT_THROW(graceful_shutdown(context.get_executor(), options), std::invalid_argument);
  options.budgets.pre_stop = -1ns;
  EXPECT_THROW(graceful_shutdown(context.get_executor(), options), std::invalid_argument);
  EXPECT_NO_THROW(graceful_shutdown(context.get_executor(), graceful_shutdown_options()));
  EXPECT_LT(shutdown_budgets().total, 30s);  // what Kubernetes grants by default
}

TEST_F(graceful_shutdown_test, a_stop_during_the_start_cleans_what_was_started) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  add_resource(shutdown, "pool");
  shutdown.add_resource(
      "server", [this] { return visit(a, log, "open server"); },
      [this] { return note(log, "close server"); });
  add_resource(shutdown, "never");
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.request_stop();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"open pool", "open server cancelled", "close pool"}));
  EXPECT_FALSE(run.value().reached_running);
  EXPECT_EQ(run.value().exit_status(), 0);
}

TEST_F(graceful_shutdown_test, a_start_that_fails_stops_the_service) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  add_resource(shutdown, "pool");
  shutdown.add_resource(
      "server", [] { return fail("port taken"); }, [this] { return note(log, "close server"); });
  shutdown.add_callback("farewell", [] { throw std::runtime_error("no"); });
  operation<shutdown_report> run(context, shutdown.run());
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"open pool", "close pool"}));
  EXPECT_EQ(names_of(run.value().failures), (trail{"server", "farewell (secondary)"}));
}

TEST_F(graceful_shutdown_test, a_failed_worker_is_told_of_at_once) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  shutdown.add_background("feed", [this] { return fail_at(a, "connection lost"); });
  operation<shutdown_report> run(context, shutdown.run());
  a.open();
  settle(context);
  EXPECT_EQ(told, trail{"feed"});
  EXPECT_TRUE(shutdown.is_ready());
  shutdown.request_stop();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_TRUE(run.value().failures.empty());
}

TEST_F(graceful_shutdown_test, a_failed_worker_is_started_again_or_stops_the_service_where_asked) {
  graceful_shutdown_options options = watched();
  options.on_background_failure = background_failure::restart;
  options.restart_delay = 0s;
  graceful_shutdown restarting(context.get_executor(), options);
  restarting.add_background("feed", [this] { return fail_at(a, "connection lost"); });
  operation<shutdown_report> first(context, restarting.run());
  a.open();
  settle(context);
  a.open();
  settle(context);
  EXPECT_EQ(told, (trail{"feed", "feed"}));
  restarting.request_stop();
  settle(context);
  EXPECT_TRUE(first.succeeded());

  options.on_background_failure = background_failure::shut_down;
  graceful_shutdown stopping(context.get_executor(), options);
  stopping.add_background("feed", [this] { return fail_at(a, "connection lost"); });
  operation<shutdown_report> second(context, stopping.run());
  a.open();
  settle(context);
  ASSERT_TRUE(second.succeeded());
  EXPECT_EQ(names_of(second.value().failures), trail{"feed"});
}

TEST_F(graceful_shutdown_test, what_is_registered_late_joins_its_phase_or_is_refused) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  shutdown.add_callback("first", [this, &shutdown] {
    shutdown.add_callback("later", [this] { log.push_back("later"); });
    EXPECT_THROW(shutdown.add_background("too late", [this] { return note(log, "too late"); }),
                 shutdown_too_far);
    log.push_back("first");
  });
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("request", visit(a, log, "request"));
  shutdown.request_stop();
  settle(context);
  shutdown.add_background("helper", [this] { return visit(b, log, "helper"); });
  settle(context);
  a.open();
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"request done", "helper cancelled", "first", "later"}));
  EXPECT_THROW(shutdown.add_callback("too late", [] {}), shutdown_too_far);
  EXPECT_THROW(shutdown.add_resource("too late", nullptr, nullptr), shutdown_too_far);
}

TEST_F(graceful_shutdown_test, budgets_without_limit_skip_no_callback) {  // SHD-8, SHD-11
  graceful_shutdown_options options = patient();
  options.budgets.pre_stop = 1h;
  options.budgets.drain = options.budgets.callback = options.budgets.total = no_limit;
  graceful_shutdown shutdown(context.get_executor(), watched(options));
  shutdown.add_callback("flush", [this] { return visit(b, log, "flush"); });
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("request", visit(a, log, "request"));
  shutdown.request_stop();
  settle(context);
  a.open();
  settle(context);
  b.open();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"request done", "flush done"}));
  EXPECT_FALSE(run.value().forced());
}

TEST_F(graceful_shutdown_test, work_may_end_inside_the_request_to_stop) {  // SHD-6
  graceful_shutdown_options options = patient();
  options.budgets.drain = 0s;
  graceful_shutdown shutdown(context.get_executor(), watched(options));
  operation<shutdown_report> run(context, shutdown.run());
  for (const char* const name : {"a", "b", "c"}) shutdown.admit(name, end_inside_the_request());
  settle(context);
  shutdown.request_stop();
  shutdown.escalate();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(run.value().cancelled, (trail{"a", "b", "c"}));
}

TEST_F(graceful_shutdown_test, a_connection_that_another_one_ends_is_not_told) {  // SHD-17
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  std::unique_ptr<graceful_shutdown::connection> second;
  graceful_shutdown::connection first(shutdown, [&](connection_close) { second.reset(); });
  second = std::make_unique<graceful_shutdown::connection>(
      shutdown, [this](connection_close) { log.push_back("told although it is gone"); });
  shutdown.request_stop();
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, trail());
}

TEST_F(graceful_shutdown_test, connections_are_closed_when_idle_and_told_when_busy) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  const auto tell = [this](const std::string& name) {
    return [this, name](connection_close how) {
      log.push_back(name + (how == connection_close::now ? " now" : " after the response"));
    };
  };
  EXPECT_THROW(graceful_shutdown::connection(shutdown, tell("early")), not_accepting);
  operation<shutdown_report> run(context, shutdown.run());
  {
    graceful_shutdown::connection idle(shutdown, tell("idle"));
    graceful_shutdown::connection busy(shutdown, tell("busy"));
    busy.set_busy(true);
    {
      graceful_shutdown::connection gone(shutdown, tell("gone"));
    }
    shutdown.request_stop();
    settle(context);
  }
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"idle now", "busy after the response"}));
}

TEST_F(graceful_shutdown_test, it_runs_once_and_must_not_be_destroyed_meanwhile) {
  counting_violations violations;
  {
    graceful_shutdown shutdown(context.get_executor(), watched());
    operation<shutdown_report> run(context, shutdown.run());
    operation<shutdown_report> again(context, shutdown.run());
    EXPECT_TRUE(again.failed_with<std::logic_error>());
    shutdown.request_stop();
    settle(context);
    EXPECT_TRUE(run.succeeded());
  }
  EXPECT_EQ(violations.count(), 0);
  const auto abandoned = std::make_unique<asio::io_context>();
  auto shutdown = std::make_unique<graceful_shutdown>(abandoned->get_executor(), watched());
  operation<shutdown_report> run(*abandoned, shutdown->run());
  shutdown.reset();
  EXPECT_EQ(violations.count(), 1);
}

TEST_F(graceful_shutdown_test, an_execution_context_that_goes_frees_everything) {
  counting_violations violations;
  const auto owned = std::make_shared<int>(1);
  auto going = std::make_unique<asio::io_context>();
  graceful_shutdown shutdown(going->get_executor(), watched());
  shutdown.add_background("feed", [owned, this] { return visit(a, log, "feed"); });
  operation<shutdown_report> run(*going, shutdown.run());
  shutdown.admit("request", visit(b, log, "request"));
  settle(*going);
  going.reset();
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(violations.count(), 0);
}

// ---- SHD-15: a real process that gets real signals. It tells through a pipe where it stands; nothing waits
// for a clock, except the alarm that ends a child that hangs.

struct child_process {
  pid_t id = -1;
  int output = -1;

  /// The next line that the child writes; empty at the end of its output.
  std::string line() const {
    std::string text;
    char c = 0;
    while (::read(output, &c, 1) == 1 && c != '\n') text += c;
    return text;
  }
  /// Waits for its end. The exit status, or -1 if a signal ended it.
  int wait() const {
    int status = 0;
    EXPECT_EQ(::waitpid(id, &status, 0), id);
    ::close(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

void say(int pipe, const std::string& line) {
  const std::string text = line + "\n";
  if (::write(pipe, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(70);
}

/// A service with one request in flight, which ends as the drain begins (`graceful`), or never.
int serve(int pipe, bool graceful) noexcept {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTERM, &ignore, nullptr);
  asio::io_context context;
  gate request;
  trail log;
  graceful_shutdown_options options = patient();
  options.on_phase = [&](phase entered) {
    if (entered == phase::drain) say(pipe, "drain");
    if (entered == phase::drain && graceful) request.open();
  };
  graceful_shutdown shutdown(context.get_executor(), options);
  int status = -1;
  {
    stop_signals signals(context.get_executor(), shutdown);
    operation<shutdown_report> run(context, shutdown.run());
    shutdown.admit("request", visit(request, log, "request"));
    say(pipe, "serving");  // a signal may arrive from here on
    context.restart();
    while (run.pending() && context.run_one() != 0) {
    }
    status = run.value().exit_status();
  }
  struct sigaction after{};
  ::sigaction(SIGTERM, nullptr, &after);
  say(pipe, log.empty() ? "nothing" : log.front());
  say(pipe, after.sa_handler == SIG_IGN ? "restored" : "not restored");
  return status;
}

child_process start_service(bool graceful) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  child_process child{::fork(), ends[0]};
  if (child.id == 0) {
    ::close(ends[0]);
    ::alarm(120);
    ::_exit(serve(ends[1], graceful));
  }
  ::close(ends[1]);
  return child;
}

TEST(graceful_shutdown_process_test, a_signal_stops_gracefully_and_the_exit_status_says_so) {
  const child_process child = start_service(true);
  EXPECT_EQ(child.line(), "serving");
  ::kill(child.id, SIGTERM);
  EXPECT_EQ(child.line(), "drain");
  EXPECT_EQ(child.line(), "request done");
  EXPECT_EQ(child.line(), "restored");
  EXPECT_EQ(child.wait(), 0);
}

TEST(graceful_shutdown_process_test, a_second_signal_forces_and_the_exit_status_says_so) {
  const child_process child = start_service(false);
  EXPECT_EQ(child.line(), "serving");
  ::kill(child.id, SIGTERM);
  EXPECT_EQ(child.line(), "drain");
  ::kill(child.id, SIGTERM);
  EXPECT_EQ(child.line(), "request cancelled");
  EXPECT_EQ(child.line(), "restored");
  EXPECT_EQ(child.wait(), 2);
}

}  // namespace
}  // namespace assay::reference::test
