// What a plug check calls the mistake of an adapter, and what it does not.
#include <assay/harness/trial/plug.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/tests/support.hpp>

namespace assay::contract {

/// An outcome that a contract has of its own.
class probe_wish : public std::exception {};

}  // namespace assay::contract

namespace assay::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

trial_result check(body scenario, bool labels_planted = false) {
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  t.check_plug(labels_planted);
  return t.run([&] { return scenario(t); });
}

asio::awaitable<void> end_with(std::exception_ptr how) {
  co_await yield_turn();
  std::rethrow_exception(how);
}

std::exception_ptr aggregate_of(std::exception_ptr only) {
  std::vector<contract::aggregate_error::member> members;
  members.push_back({"child", std::move(only)});
  return std::make_exception_ptr(contract::aggregate_error(std::move(members)));
}

std::exception_ptr code(boost::system::error_code which) {
  return std::make_exception_ptr(boost::system::system_error(which));
}

template <class Failure>
std::exception_ptr of(Failure failure) {
  return std::make_exception_ptr(std::move(failure));
}

TEST(plug_check, takes_every_outcome_of_a_contract) {
  const trial_result seen = check([](trial& t) -> asio::awaitable<void> {
    plug here(t);
    const std::vector<std::exception_ptr> all = {
        of(contract::closed_error()),           of(contract::timed_out_error()),
        of(contract::rejected_error()),         of(contract::broken_error()),
        of(contract::operation_error("label")), of(contract::probe_wish()),
        code(asio::error::operation_aborted),   aggregate_of(of(contract::closed_error()))};
    for (const std::exception_ptr& one : all) {
      co_await here.ends("operation", end_with(one));
      here.call("call", [&one] { std::rethrow_exception(one); });
    }
  });
  EXPECT_EQ(seen.kind, failure_kind::none) << seen.message;
}

template <class Make>
void expect_untranslated(Make make, const std::string& named) {
  static std::exception_ptr failure;
  failure = make();
  const trial_result of_operation =
      check([](trial& t) -> asio::awaitable<void> { co_await plug(t).ends("pop", end_with(failure)); });
  const trial_result of_call = check([](trial& t) -> asio::awaitable<void> {
    plug(t).call("pop", [] { std::rethrow_exception(failure); });
    co_return;
  });
  for (const trial_result& seen : {of_operation, of_call}) {
    EXPECT_EQ(seen.kind, failure_kind::adapter) << named;
    EXPECT_THAT(seen.message, StartsWith("`pop` ended with " + named + "; translate it into an outcome"));
  }
  const trial_result of_scenario = check([](trial&) { return end_with(failure); });
  EXPECT_EQ(of_scenario.kind, failure_kind::adapter);
  EXPECT_THAT(of_scenario.message, StartsWith("`a call` ended with " + named));
  failure = nullptr;
}

TEST(plug_check, names_what_is_not_translated) {
  expect_untranslated([] { return of(std::out_of_range("vector")); }, "std::out_of_range: vector");
  expect_untranslated([] { return of(5); }, "int");
  expect_untranslated([] { return code(asio::error::eof); },
                      "boost::system::system_error: End of file [asio.misc:2]");
  expect_untranslated([] { return aggregate_of(of(std::logic_error("bug"))); },
                      "an aggregate with the member 'child', std::logic_error: bug");
}

TEST(plug_check, takes_labels_that_nobody_planted_where_types_tell_more) {
  const body foreign = [](trial& t) -> asio::awaitable<void> {
    co_await plug(t).ends("pop", end_with(of(contract::operation_error("ValueError"))));
  };
  EXPECT_EQ(check(foreign).kind, failure_kind::none);
  const trial_result seen = check(foreign, true);
  EXPECT_EQ(seen.kind, failure_kind::adapter);
  EXPECT_THAT(seen.message, HasSubstr("the error 'ValueError', with which nothing was made to fail"));
  const trial_result planted = check(
      [](trial& t) -> asio::awaitable<void> { co_await plug(t).ends("pop", end_with(t.plant("ours"))); },
      true);
  EXPECT_EQ(planted.kind, failure_kind::none) << planted.message;
}

TEST(plug_check, names_an_item_that_lost_its_id) {
  const trial_result without = check([](trial& t) -> asio::awaitable<void> {
    plug(t).came_back("pop", item().id());
    co_return;
  });
  EXPECT_EQ(without.kind, failure_kind::adapter);
  EXPECT_THAT(without.message, StartsWith("an item came out of `pop` without its id"));
  const trial_result other = check([](trial& t) -> asio::awaitable<void> {
    const item made = t.item(7);
    plug(t).came_back("pop", made.id());
    co_return;
  });
  EXPECT_EQ(other.kind, failure_kind::adapter);
  EXPECT_THAT(other.message, HasSubstr("with the id 7, which was never handed in"));
  const trial_result right = check([](trial& t) -> asio::awaitable<void> {
    const item made = t.item(7);
    made.given_to(&t);
    made.delivered();
    plug(t).came_back("pop", made.id());
    co_return;
  });
  EXPECT_EQ(right.kind, failure_kind::none) << right.message;
}

TEST(plug_check, leaves_the_rest_to_the_clauses) {
  const trial_result hanging = check([](trial& t) -> asio::awaitable<void> {
    co_await plug(t).ends("pop", sleep_for_ever());
    t.fail("it goes no further");
  });
  EXPECT_EQ(hanging.kind, failure_kind::expectation);
  EXPECT_EQ(hanging.message, "'pop' has not ended");
  const trial_result lost = check([](trial& t) -> asio::awaitable<void> {
    const item made = t.item(7);
    made.given_to(&t);
    co_return;
  });
  EXPECT_EQ(lost.kind, failure_kind::item);
}

TEST(plug_check, speaks_before_whatever_else_went_wrong) {
  const trial_result seen = check([](trial& t) -> asio::awaitable<void> {
    t.fail("an expectation");
    t.testee_broke("the testee is gone");
    t.misplugged("the first mistake");
    t.misplugged("another one");
    co_return;
  });
  EXPECT_EQ(seen.kind, failure_kind::adapter);
  EXPECT_EQ(seen.message, "the first mistake");
  EXPECT_TRUE(seen.is_error());
}

TEST(plug_check, is_nothing_that_another_trial_does) {
  const trial_result seen = run_fifo([](trial& t) -> asio::awaitable<void> {
    t.misplugged("nobody asked");
    plug here(t);
    here.came_back("pop", 0);
    here.call("pop", [] { throw std::out_of_range("vector"); });
    co_return;
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

}  // namespace
}  // namespace assay::test
