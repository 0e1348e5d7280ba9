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
#include <utility>
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

asio::awaitable<void> fail_at(gate& g, std::string what) {
  co_await g.wait();
  throw std::runtime_error(what);
}

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

template <class Callback>
concept callback_of_a_shutdown =
    requires(graceful_shutdown& shutdown, Callback callback) { shutdown.add_callback("name", callback); };
static_assert(callback_of_a_shutdown<void (*)()>);
static_assert(callback_of_a_shutdown<asio::awaitable<void> (*)()>);
static_assert(!callback_of_a_shutdown<int (*)()>, "a result that nobody looks at is a mistake");
static_assert(!callback_of_a_shutdown<asio::awaitable<int> (*)()>);

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

TEST_F(graceful_shutdown_test, every_phase_is_told_of_and_resources_come_before_the_first) {  // SHD-1, SHD-14
  const counting_violations violations;
  graceful_shutdown_options options = patient();
  options.budgets.grace = 1ms;
  options.budgets.drain = 0s;
  graceful_shutdown shutdown(context.get_executor(), watched(options));
  EXPECT_EQ(shutdown.phase(), phase::created);
  add_resource(shutdown, "pool");
  shutdown.add_resource("late", [this] { return a.wait(); }, [this] { return note(log, "close late"); });
  operation<shutdown_report> run(context, shutdown.run());
  EXPECT_EQ(shutdown.phase(), phase::starting);
  EXPECT_THROW(add_resource(shutdown, "too late"), shutdown_too_far);
  a.open();
  settle(context);
  shutdown.admit("request", visit(b, log, "request"));
  shutdown.request_stop();
  context.restart();
  while (run.pending() && context.run_one() != 0) {
  }
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(phases,
            (std::vector<phase>{phase::starting, phase::running, phase::not_ready, phase::grace,
                                phase::stop_accepting, phase::drain, phase::force_cancel,
                                phase::stop_background, phase::cleanup, phase::final_log, phase::stopped}));
  EXPECT_EQ(log, (trail{"open pool", "request cancelled", "close late", "close pool"}));
}

TEST_F(graceful_shutdown_test, failures_are_told_until_the_drain_and_reported_from_then_on) {  // SHD-13, X-16
  const counting_violations violations;
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.admit("early", fail_at(a, "early"));
  shutdown.admit("late", fail_at(b, "late"));
  settle(context);
  a.open();
  settle(context);
  EXPECT_EQ(told, trail{"early"});
  shutdown.request_stop();
  settle(context);
  EXPECT_EQ(shutdown.phase(), phase::drain);
  b.open();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(told, trail{"early"});
  EXPECT_EQ(names_of(run.value().failures), trail{"late"});
  EXPECT_EQ(run.value().exit_status(), 1);
}

TEST_F(graceful_shutdown_test, a_connection_that_ends_lets_go_of_what_it_was_to_do) {  // SHD-17, X-19, X-27
  const counting_violations violations;
  const auto owned = std::make_shared<int>(1);
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  settle(context);
  {
    const graceful_shutdown::connection one(shutdown, [owned](connection_close) {});
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1);
  shutdown.request_stop();
  settle(context);
  EXPECT_TRUE(run.succeeded());
}

TEST_F(graceful_shutdown_test, a_connection_that_another_one_ends_is_not_asked_to_close) {  // SHD-17
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  settle(context);
  std::unique_ptr<graceful_shutdown::connection> second;
  const graceful_shutdown::connection first(shutdown, [&](connection_close) {
    log.push_back("close first");
    second.reset();
  });
  second = std::make_unique<graceful_shutdown::connection>(
      shutdown, [this](connection_close) { log.push_back("close second"); });
  shutdown.request_stop();
  settle(context);
  EXPECT_EQ(log, trail{"close first"});
  EXPECT_TRUE(run.succeeded());
}

TEST_F(graceful_shutdown_test, what_the_cleanup_registers_runs_next) {  // SHD-14
  graceful_shutdown shutdown(context.get_executor(), watched());
  shutdown.add_callback("below", [this] { log.push_back("below"); });
  shutdown.add_callback("above", [&, this] {
    log.push_back("above");
    shutdown.add_callback("late", [this] { log.push_back("late"); });
  });
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.request_stop();
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"above", "late", "below"}));
  EXPECT_THROW(shutdown.add_callback("too late", [] {}), shutdown_too_far);
}

TEST_F(graceful_shutdown_test, what_never_began_is_let_go_before_the_cleanup) {  // SHD-7, SHD-12
  const counting_violations violations;
  const auto owned = std::make_shared<int>(1);
  long users = 0;
  graceful_shutdown shutdown(context.get_executor(), watched());
  shutdown.add_callback("close what it uses", [&owned, &users] { users = owned.use_count(); });
  shutdown.add_background("feed", [owned, this] { return visit(a, log, "feed"); });
  shutdown.request_stop();
  operation<shutdown_report> run(context, shutdown.run());
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(users, 1);
}

TEST_F(graceful_shutdown_test, a_callback_for_which_there_is_no_time_is_skipped_and_named) {  // SHD-11, X-29
  const counting_violations violations;
  graceful_shutdown_options options;
  options.budgets = {.grace = 0s,
                     .drain = 0s,
                     .force = 0s,
                     .background = 0s,
                     .callback = 0s,
                     .cleanup = 0s,
                     .pre_stop = 0s,
                     .total = 0s};
  graceful_shutdown shutdown(context.get_executor(), watched(options));
  shutdown.add_callback("flush", [this] { log.push_back("flush"); });
  operation<shutdown_report> run(context, shutdown.run());
  shutdown.request_stop();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(run.value().skipped, trail{"flush"});
  EXPECT_EQ(forced, trail{"flush"});
  EXPECT_TRUE(log.empty());
}

/// Delivers at once, as often as anybody waits.
struct fake_signals {
  using handler = std::function<void(const boost::system::error_code&, int)>;
  void async_wait(handler next) { waiting = std::move(next); }
  void deliver(const boost::system::error_code& error = {}) {
    const handler taken = std::exchange(waiting, nullptr);
    if (taken) taken(error, SIGTERM);
  }
  handler waiting;
};

TEST_F(graceful_shutdown_test, signals_that_come_when_nobody_forwards_them_do_nothing) {  // SHD-15
  const counting_violations violations;
  fake_signals signals;
  {
    graceful_shutdown shutdown(context.get_executor(), watched());
    operation<shutdown_report> run(context, shutdown.run());
    settle(context);
    {
      const signal_forwarder forwarder(signals, shutdown);
      signals.deliver(asio::error::operation_aborted);
      settle(context);
      EXPECT_TRUE(shutdown.is_ready()) << "a wait that fails is no signal";
      EXPECT_FALSE(signals.waiting) << "and is not repeated";
    }
    {
      const signal_forwarder forwarder(signals, shutdown);
    }
    signals.deliver();
    settle(context);
    EXPECT_TRUE(shutdown.is_ready());
    shutdown.request_stop();
    settle(context);
    EXPECT_TRUE(run.succeeded());
  }
}

TEST_F(graceful_shutdown_test, work_that_is_cancelled_before_its_first_turn_never_begins) {  // SHD-6
  const counting_violations violations;
  graceful_shutdown shutdown(context.get_executor(), watched());
  operation<shutdown_report> run(context, shutdown.run());
  settle(context);
  shutdown.request_stop();
  shutdown.escalate();
  shutdown.admit("request",
                 visit(a, log, "request"));  // from outside of the loop: its first turn is still to come
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(run.value().cancelled, trail{"request"});
  EXPECT_TRUE(log.empty());
}

TEST_F(graceful_shutdown_test, it_has_not_begun_where_it_was_cancelled_before) {
  graceful_shutdown shutdown(context.get_executor(), watched());
  bool is_cancelled = false;
  operation stubborn(context, begin_when_opened(a, [&shutdown] { return shutdown.run(); }, is_cancelled));
  stubborn.cancel();
  a.open();
  settle(context);
  EXPECT_TRUE(is_cancelled);
  EXPECT_TRUE(phases.empty());
  operation run(context, shutdown.run());
  EXPECT_TRUE(run.pending());
  shutdown.request_stop();
  settle(context);
  EXPECT_TRUE(run.succeeded());
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
