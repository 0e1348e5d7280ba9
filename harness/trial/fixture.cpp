#include <assay/harness/trial/fixture.hpp>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>

namespace assay {

namespace asio = boost::asio;

void require(trial& t, bool holds, std::string_view message, std::source_location where) {
  if (!t.expect(holds, message, where)) throw scenario_stopped();
}

namespace {

// What a person is told of an exception; nothing if the failure that it stands for is recorded already.
std::string told(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const scenario_stopped&) {
    return {};
  } catch (const shield_timed_out&) {
    return "did not end within its limit";
  } catch (...) {
    return "failed: " + to_string(describe(failure));
  }
}

void report(trial& t, const std::string& what, const std::exception_ptr& failure) {
  const std::string text = told(failure);
  if (text.empty()) return;
  t.observe(failure);
  t.fail(what + " " + text);
}

asio::awaitable<void> set_up_all(trial& t, const fixture_list& fixtures, teardown& later, bool& ready) {
  for (const std::shared_ptr<fixture>& one : fixtures.all()) {
    if (!one->claim()) {  // FIX-5
      t.fail("the fixture '" + one->name() + "' was in use before: it carries state from trial to trial");
      co_return;
    }
    std::exception_ptr failure;
    try {
      co_await one->set_up(t, later);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) continue;
    if (is_cancellation(failure)) std::rethrow_exception(failure);
    report(t, "the setup of '" + one->name() + "'", failure);
    co_return;  // FIX-2: its dependants come later
  }
  ready = true;
}

asio::awaitable<void> set_up_and_run(trial& t, const fixture_list& fixtures, teardown& later,
                                     asio::awaitable<void> body) {
  bool ready = false;
  co_await set_up_all(t, fixtures, later, ready);
  if (ready) co_await std::move(body);
}

asio::awaitable<void> in_scope(trial& t, fixture_list fixtures, asio::awaitable<void> body) {
  teardown later;
  std::exception_ptr failure;
  try {
    co_await set_up_and_run(t, fixtures, later, std::move(body));
  } catch (...) {
    failure = std::current_exception();
  }
  const bool cancelled = is_cancellation(failure);
  if (failure && !cancelled) report(t, "the test", failure);  // FIX-4: first
  co_await hold_requests;
  co_await later.run(t);
  if (cancelled) std::rethrow_exception(failure);
}

}  // namespace

void teardown::add(std::string name, std::function<asio::awaitable<void>()> undo,
                   std::chrono::nanoseconds limit) {
  steps_.push_back({std::move(name), std::move(undo), limit});
}

asio::awaitable<void> teardown::run(trial& t) {
  while (!steps_.empty()) {
    const step last = std::move(steps_.back());
    steps_.pop_back();
    t.record(event_kind::mark, "teardown of '" + last.name + "'");
    std::exception_ptr failure;
    try {
      // FIX-3
      const auto deadline = deadline_after(last.limit);
      co_await shield(last.undo(), deadline);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) report(t, "the teardown of '" + last.name + "'", failure);
  }
}

asio::awaitable<void> with_fixtures(trial& t, fixture_list fixtures, asio::awaitable<void> body) {
  // A frame that is still waiting when the trial is taken apart refers to its fixture.
  for (const std::shared_ptr<fixture>& one : fixtures.all()) t.keep(one);
  return scope(in_scope(t, std::move(fixtures), std::move(body)));
}

}  // namespace assay
