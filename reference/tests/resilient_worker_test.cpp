#include <assay/reference/flow/resilient_worker.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using payload = std::unique_ptr<int>;
using worker = resilient_worker<payload>;
using job = worker::job;

// What stands around a worker, and what it was asked.
struct surroundings {
  worker::queue jobs{2};
  gate processing;  ///< odd numbers wait here
  gate writing;     ///< dead letters wait here while `slow_sink`
  bool slow_sink = false;
  bool broken_sink = false;
  std::vector<std::string> log;
  std::vector<job> letters;
  std::vector<job> lost;
  worker::options how = options_for(*this);

  static worker::options options_for(surroundings& self) {
    worker::options how;
    how.process = [&self](const job& one) { return process(self, one); };
    how.dead_letter = [&self](job& one) { return write(self, one); };
    how.lost = [&self](job one, const std::exception_ptr& why) {
      self.log.push_back("lost " + std::to_string(*one.item) + " (" + describe(one.failure) + ", " +
                         describe(why) + ")");
      self.lost.push_back(std::move(one));
    };
    return how;
  }

  // 1, 3, 5 wait for the gate; negative ones fail; 0 says that it was cancelled; 100 asks the process to end.
  static asio::awaitable<void> process(surroundings& self, const job& one) {
    self.log.push_back(std::to_string(*one.item) + "#" + std::to_string(one.attempts));
    if (*one.item % 2 == 1) co_await self.processing.wait();
    if (*one.item < 0) throw std::runtime_error("bad");
    if (*one.item == 0) throw_cancelled();
    if (*one.item == 100) throw exit_request(3);
  }

  static asio::awaitable<void> write(surroundings& self, job& one) {
    if (self.slow_sink) co_await self.writing.wait();
    if (self.broken_sink) throw std::runtime_error("sink");
    self.letters.push_back(std::move(one));
  }

  void put(int number) {
    job one(std::make_unique<int>(number));
    ASSERT_TRUE(jobs.try_push(one));
  }
};

TEST(resilient_worker, takes_a_cancellation_that_nobody_asked_for_as_a_failure) {
  asio::io_context context;
  surroundings around;
  worker one(around.jobs, around.how);
  around.put(0);
  operation run(context, one.run());
  EXPECT_TRUE(run.pending());
  ASSERT_EQ(around.letters.size(), 1u);
  EXPECT_TRUE(is_cancellation(around.letters[0].failure));
  run.cancel();
  settle(context);
}

TEST(resilient_worker, lets_a_wish_to_exit_through_and_keeps_the_job) {  // TG-12
  asio::io_context context;
  surroundings around;
  worker one(around.jobs, around.how);
  around.put(100);
  operation run(context, one.run());
  EXPECT_TRUE(run.failed_with<exit_request>());
  EXPECT_EQ(around.jobs.size(), 1u);
}

TEST(resilient_worker, shares_a_queue_with_others) {
  asio::io_context context;
  surroundings around;
  worker one(around.jobs, around.how);
  around.put(1);
  around.put(3);
  operation first(context, one.run());
  operation second(context, one.run());
  EXPECT_EQ(around.log, (trail{"1#1", "3#1"}));
  first.cancel();
  settle(context);
  around.processing.open();
  settle(context);
  EXPECT_EQ(around.log, (trail{"1#1", "3#1", "1#2"}));
  around.processing.open();
  around.jobs.close();
  settle(context);
  EXPECT_TRUE(second.succeeded());
  EXPECT_EQ(around.jobs.unfinished(), 0u);
}

TEST(resilient_worker, gives_up_what_its_sink_refuses_when_the_attempts_are_used_up) {  // RWK-5
  asio::io_context context;
  surroundings around;
  around.how.attempts_max = 2;
  around.broken_sink = true;
  worker one(around.jobs, around.how);
  around.put(-2);
  operation run(context, one.run());
  EXPECT_EQ(around.log, (trail{"-2#1", "-2#2", "lost -2 (bad, sink)"}));
  EXPECT_EQ(around.jobs.unfinished(), 0u);
  EXPECT_EQ(around.jobs.size(), 0u);
  run.cancel();
  settle(context);
}

// Fails the first time, and then waits until it is asked to stop.
asio::awaitable<void> fail_and_wait(surroundings& self, const job& one) {
  if (one.attempts == 1) throw std::runtime_error("bad");
  co_await self.processing.wait();
}

TEST(resilient_worker, buries_what_was_begun_too_often_with_the_cause_that_it_has) {  // RWK-9
  for (const bool has_failed : {true, false}) {
    asio::io_context context;
    surroundings around;
    around.how.attempts_max = 2;
    around.broken_sink = has_failed;
    if (has_failed) around.how.process = [&around](const job& one) { return fail_and_wait(around, one); };
    worker one(around.jobs, around.how);
    around.put(1);
    for (int attempt = has_failed ? 2 : 1; attempt <= 2; ++attempt) {
      operation run(context, one.run());
      EXPECT_TRUE(run.pending());
      run.cancel();
      settle(context);
      EXPECT_TRUE(run.cancelled());
    }
    around.broken_sink = false;
    operation last(context, one.run());
    ASSERT_EQ(around.letters.size(), 1u);
    EXPECT_EQ(around.letters[0].attempts, 2u);
    EXPECT_EQ(describe(around.letters[0].failure), has_failed ? "bad" : "attempts exhausted");
    last.cancel();
    settle(context);
  }
}

TEST(resilient_worker, counts_no_attempt_that_did_not_begin) {  // RWK-6, RWK-7
  asio::io_context context;
  surroundings around;
  worker one(around.jobs, around.how);
  operation first(context, one.run());
  asio::post(context, [&] {
    around.put(1);  // it is in the worker's hand by now
    first.cancel();
  });
  settle(context);
  EXPECT_TRUE(first.cancelled());
  EXPECT_TRUE(around.log.empty());
  operation second(context, one.run());
  EXPECT_EQ(around.log, (trail{"1#1"}));
  second.cancel();
  settle(context);
}

TEST(resilient_worker, refuses_options_that_leave_a_job_without_a_fate) {
  surroundings around;
  worker::options nobody_told = around.how;
  nobody_told.lost = nullptr;
  EXPECT_THROW(worker(around.jobs, nobody_told), std::invalid_argument);
  worker::options not_processed = around.how;
  not_processed.process = nullptr;
  EXPECT_THROW(worker(around.jobs, not_processed), std::invalid_argument);
  worker::options not_buried = around.how;
  not_buried.dead_letter = nullptr;
  EXPECT_THROW(worker(around.jobs, not_buried), std::invalid_argument);
  worker::options never_begun = around.how;
  never_begun.attempts_max = 0;
  EXPECT_THROW(worker(around.jobs, never_begun), std::invalid_argument);
}

asio::awaitable<void> own_everything(asio::io_context& context) {
  surroundings around;
  worker one(around.jobs, around.how);
  around.put(1);
  asio::co_spawn(context, one.run(), [](std::exception_ptr) { FAIL() << "nobody resumes"; });
  co_await around.writing.wait();
}

TEST(resilient_worker, dies_with_its_context_while_it_has_a_job_in_hand) {  // X-21
  counting_violations violations;
  {
    asio::io_context context;
    asio::co_spawn(context, own_everything(context), [](std::exception_ptr) { FAIL() << "nobody resumes"; });
    settle(context);
  }
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
