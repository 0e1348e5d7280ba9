#include <assay/reference/flow/semaphore.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

static_assert(!std::is_copy_constructible_v<semaphore::permit>);
static_assert(std::is_nothrow_move_constructible_v<semaphore::permit>);

struct crowd {
  std::size_t frames = 0;
  std::size_t most = 0;
  std::size_t done = 0;
};

struct present {
  explicit present(crowd& all) : all_(all) { all_.most = std::max(all_.most, ++all_.frames); }
  present(const present&) = delete;
  present& operator=(const present&) = delete;
  ~present() { --all_.frames; }

 private:
  crowd& all_;
};

asio::awaitable<void> work(crowd& all, semaphore::permit) {
  const present here(all);
  co_await yield();
  ++all.done;
}

void expect_no_failure(std::exception_ptr failure) { EXPECT_FALSE(failure); }

asio::awaitable<void> admit(crowd& all, semaphore& limit, std::size_t inputs) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < inputs; ++i) {
    semaphore::permit permit = co_await limit.acquire_permit();
    asio::co_spawn(executor, work(all, std::move(permit)), &expect_no_failure);
  }
}

TEST(semaphore, bounds_the_frames_of_a_million_inputs) {  // SEM-9: who acquires before a task is made
  constexpr std::size_t inputs = 1'000'000;
  asio::io_context context;
  semaphore limit(8);
  crowd all;
  operation admitting(context, admit(all, limit, inputs));
  settle(context);
  EXPECT_TRUE(admitting.succeeded());
  EXPECT_EQ(all.done, inputs);
  EXPECT_LE(all.most, 8U);
  EXPECT_EQ(limit.available(), 8U);
}

TEST(semaphore, a_permit_may_outlive_it) {
  asio::io_context context;
  auto one = std::make_unique<semaphore>(2);
  operation taking(context, one->acquire_permit(2));
  one.reset();
  semaphore::permit kept = std::move(taking.value());
  const semaphore::permit half = kept.split(1);
  EXPECT_EQ(kept.count() + half.count(), 2U);
}

TEST(semaphore, a_permit_that_was_moved_from_has_none) {
  asio::io_context context;
  semaphore one(1);
  operation taking(context, one.acquire_permit());
  semaphore::permit first = std::move(taking.value());
  semaphore::permit second = std::move(first);
  first.release();  // NOLINT(bugprone-use-after-move): that is what is tried
  EXPECT_EQ(one.available(), 0U);
  second.merge(std::move(second));  // NOLINT(clang-diagnostic-self-move)
  EXPECT_EQ(second.count(), 1U);
  second = semaphore::permit();
  EXPECT_EQ(one.available(), 1U);
}

TEST(semaphore, all_of_a_permit_may_be_split_off_and_taken_in_again) {  // SEM-16
  asio::io_context context;
  semaphore one(2);
  operation taking(context, one.acquire_permit(2));
  semaphore::permit first = std::move(taking.value());
  semaphore::permit second = first.split(2);
  EXPECT_EQ(first.count(), 0U);
  semaphore::permit third;
  third.merge(std::move(second));
  third.release();
  EXPECT_EQ(one.available(), 2U);
}

TEST(semaphore, a_request_for_none_is_an_error) {
  semaphore one(1);
  EXPECT_THROW((void)one.acquire(0), std::invalid_argument);
}

TEST(semaphore, destroyed_with_somebody_parked_is_a_violation) {
  const counting_violations violations;
  asio::io_context context;
  auto one = std::make_unique<semaphore>(0);
  operation waiting(context, one->acquire());
  one.reset();
  EXPECT_EQ(violations.count(), 1);
  waiting.cancel();  // of a wait whose semaphore is gone
  settle(context);
  EXPECT_TRUE(waiting.cancelled());
}

TEST(semaphore, destroyed_with_its_context_is_no_violation) {
  const counting_violations violations;
  auto context = std::make_unique<asio::io_context>();
  limiter<int> limit(1);
  operation first(*context, limit.acquire_as(1));
  operation second(*context, limit.acquire_as(2));
  operation third(*context, limit.run(yield()));
  EXPECT_TRUE(first.succeeded() && second.pending() && third.pending());
  context.reset();
  EXPECT_EQ(limit.waiting(), 0U);
  EXPECT_EQ(violations.count(), 0);
}

TEST(limiter, gives_a_borrower_one_permit_whatever_he_asks_for) {  // SEM-8
  asio::io_context context;
  limiter<int> limit(3);
  operation first(context, limit.acquire_as(1, {.count = 3}));
  EXPECT_TRUE(first.succeeded());
  EXPECT_EQ(limit.available(), 2U);
  limit.release_as(1);
  EXPECT_EQ(limit.available(), 3U);
}

TEST(limiter, may_be_gone_before_the_context_of_who_waits) {
  const counting_violations violations;
  asio::io_context context;
  std::optional<limiter<int>> limit(std::in_place, 1);
  operation first(context, limit->acquire_as(1));
  operation second(context, limit->acquire_as(2));
  limit.reset();
  EXPECT_TRUE(first.succeeded() && second.pending());
  EXPECT_EQ(violations.count(), 1);
}

}  // namespace
}  // namespace assay::reference::test
