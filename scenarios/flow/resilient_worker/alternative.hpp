// A worker that is made differently from the reference's and conforms as well. Its queue is a list with one bell for
// everybody who waits: whoever hears it looks again, so who waits longest need not come first. The mutants are this
// worker, bent.
#pragma once

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {

/// What becomes of an item that failed.
enum class worker_manner {
  /// It is given to the dead-letter sink, and tried again if the sink does not take it.
  buries_at_once,
  /// It is tried again behind the others, after a pause, until its attempts are used up.
  tries_again
};

/// The one thing that is wrong with a mutant.
ASSAY_DEFECTS(worker_defect, none, requeues_by_a_waiting_push, requeues_to_the_tail, unshielded_write_loses,
              pushes_or_loses_then_counts_off, loses_what_it_was_cancelled_at, hand_gap,
              leaves_its_processing_behind, requeues_after_a_pause, dies_of_a_failure, retries_once_too_often,
              attempts_not_told, unshielded_write_gives_up, dies_of_a_failing_sink,
              drops_what_the_sink_refuses, patience_without_end, patience_overflows, patience_of_twenty_ms,
              cause_replaced_by_the_sinks_failure, settles_before_processing, processes_again,
              counts_off_twice, counts_off_nothing_that_is_buried, attempts_not_capped, attempt_capped_at_two,
              buries_what_was_cancelled, ends_normally_when_cancelled, idle_workers_hear_of_no_requeue,
              tires_after_ten_items, has_one_place_for_what_is_put_back,
              forgets_a_letter_that_was_written_late, counts_what_did_not_begin)

class alternative_worker final : public contract::resilient_worker {
 public:
  alternative_worker(const environment& env, const contract::resilient_worker_config& config,
                     worker_manner how, worker_defect wrong = worker_defect::none)
      : how_(how),
        wrong_(wrong),
        capacity_(static_cast<std::size_t>(config.capacity)),
        attempts_max_(config.attempts_max > 0 ? static_cast<std::uint32_t>(config.attempts_max) : 5),
        patience_(config.dead_letter_patience_ns),
        bell_(env.executor(), boost::asio::steady_timer::time_point::max()) {
    if (is(attempt_capped_at_two)) attempts_max_ = 2;
    if (is(attempts_not_capped)) attempts_max_ = 1000;
    if (is(patience_of_twenty_ms)) patience_ = std::chrono::milliseconds(20);
  }

  awaitable<void> join() override {
    return wait_until([this] { return unfinished_ == 0; });
  }

 protected:
  awaitable<void> do_run() override { return scope(work()); }
  awaitable<void> do_submit(item one) override {
    job fresh;
    fresh.one = std::move(one);
    co_await push(fresh);
  }
  std::vector<item> do_take_back() override {
    std::vector<item> items;
    for (job& each : jobs_) items.push_back(std::move(each.one));
    jobs_.clear();
    unfinished_ -= std::min(unfinished_, items.size());
    return items;
  }

 private:
  using enum worker_defect;
  struct job {
    item one;
    std::uint32_t attempts = 0;
    std::exception_ptr failure;
  };

  bool is(worker_defect one) const noexcept { return wrong_ == one; }

  // What came with a request is taken nevertheless.
  template <class Condition>
  awaitable<void> wait_until(Condition holds) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    while (!holds()) {
      boost::system::error_code rung;
      co_await bell_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, rung));
      if (!holds()) check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    }
  }

  bool has_room() const noexcept { return jobs_.size() < capacity_; }
  void push_now(job& one) {
    jobs_.push_back(std::move(one));
    ++unfinished_;
    bell_.cancel();
  }
  awaitable<void> push(job& one) {
    co_await wait_until([this] { return has_room(); });
    push_now(one);
  }
  awaitable<job> pop() {
    co_await wait_until([this] { return !jobs_.empty(); });
    job first = std::move(jobs_.front());
    jobs_.pop_front();
    bell_.cancel();
    co_return first;
  }
  // Room or not; it has been counted.
  void unpop(job& one) {
    jobs_.push_front(std::move(one));
    bell_.cancel();
  }
  void count_off() {
    if (unfinished_ > 0) --unfinished_;
    bell_.cancel();
  }
  void settle(job& held) {
    const job settled = std::move(held);
    if (is(settles_before_processing) && !settled.one) return;
    count_off();
    if (is(counts_off_twice)) count_off();
  }

  awaitable<void> work() {
    while (true) {
      co_await boost::asio::this_coro::throw_if_cancelled(is(hand_gap));
      job held = co_await pop();
      if (is(hand_gap)) co_await boost::asio::post(boost::asio::use_awaitable);
      co_await hold_requests;
      has_put_back_ = false;
      if (is(tires_after_ten_items) && ++taken_ % 10 == 0) {
        unpop(held);
        co_await sleep_for_ever();
      }
      const std::exception_ptr end = co_await failure_of(handle(held));
      if (!end) continue;
      if (held.one) co_await put_back(held);
      if (is(ends_normally_when_cancelled)) co_return;
      std::rethrow_exception(end);
    }
  }

  // Throws what ends the worker; then the job is to be put back.
  awaitable<void> handle(job& held) {
    if (is(counts_what_did_not_begin)) ++held.attempts;
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (is(counts_what_did_not_begin)) --held.attempts;
    const bool tries_on = is(retries_once_too_often);
    if (held.attempts >= attempts_max_ + (tries_on ? 1 : 0)) {
      if (!held.failure) held.failure = std::make_exception_ptr(std::runtime_error("attempts exhausted"));
      co_await bury(held);
      co_return;
    }
    ++held.attempts;
    auto processing = is(leaves_its_processing_behind) ? begin_apart(held) : scope(begin(held));
    const std::exception_ptr failure = co_await failure_of(std::move(processing));
    if (!failure) {
      if (is(processes_again) && held.attempts == 1) co_return unpop(held);
      co_return settle(held);
    }
    const bool dies = is(dies_of_a_failure) || (is_cancellation(failure) && !is(buries_what_was_cancelled));
    if (dies) std::rethrow_exception(failure);
    held.failure = failure;
    if (tries_on && held.attempts <= attempts_max_) co_return unpop(held);
    if (how_ == worker_manner::tries_again && held.attempts < attempts_max_) {
      jobs_.push_back(std::move(held));
      bell_.cancel();
      co_await failure_of(sleep_for(std::chrono::milliseconds(1)));  // a request is heard by pop
    } else {
      co_await bury(held);
    }
  }

  awaitable<void> begin(job& held) {
    const std::uint32_t told = is(attempts_not_told) ? 1 : held.attempts;
    if (!is(settles_before_processing)) co_return co_await process(held.one, told);
    // The item is off the books, and with a local of this frame.
    const item taken = std::move(held.one);
    count_off();
    co_await process(taken, told);
  }

  // The defect: processing is asked to stop, and not waited for.
  awaitable<void> begin_apart(job& held) {
    struct apart {
      boost::asio::cancellation_signal signal;
      std::exception_ptr failure;
      bool ended = false;
    };
    const auto other = std::make_shared<apart>();
    auto ended = [this, other](std::exception_ptr failure) {
      other->failure = std::move(failure);
      other->ended = true;
      bell_.cancel();
    };
    boost::asio::co_spawn(bell_.get_executor(), process(held.one, held.attempts),
                          boost::asio::bind_cancellation_slot(other->signal.slot(), std::move(ended)));
    auto is_over = [other] { return other->ended; };
    const std::exception_ptr request = co_await failure_of(wait_until(std::move(is_over)));
    if (request) {
      other->signal.emit(boost::asio::cancellation_type::terminal);
      std::rethrow_exception(request);
    }
    if (other->failure) std::rethrow_exception(other->failure);
  }

  awaitable<void> put_back(job& held) {
    switch (wrong_) {
      case loses_what_it_was_cancelled_at:
        settle(held);
        break;
      case requeues_by_a_waiting_push:
        count_off();
        co_await shield(push(held));
        break;
      case requeues_to_the_tail:
        jobs_.push_back(std::move(held));
        bell_.cancel();
        break;
      case pushes_or_loses_then_counts_off:
        if (has_room()) push_now(held);
        count_off();
        break;
      case idle_workers_hear_of_no_requeue:
        jobs_.push_front(std::move(held));
        break;
      case has_one_place_for_what_is_put_back:
        if (std::exchange(has_put_back_, true) && !jobs_.empty()) jobs_.pop_front();
        unpop(held);
        break;
      case requeues_after_a_pause:
        co_await sleep_for(std::chrono::milliseconds(1));
        unpop(held);
        break;
      default:
        unpop(held);
    }
  }

  awaitable<void> bury(job& held) {
    if (!held.one) co_return;  // it was off the books before
    const bool shielded = !is(unshielded_write_loses) && !is(unshielded_write_gives_up);
    const auto limit = deadline();
    auto writing = shielded ? shield(write(held), limit) : scope(write(held));
    const std::exception_ptr unwritten = co_await failure_of(std::move(writing));
    if (!unwritten) {
      const bool late = std::chrono::steady_clock::now() > limit;
      const bool forgotten = late && is(forgets_a_letter_that_was_written_late);
      if (!is(counts_off_nothing_that_is_buried) && !forgotten) settle(held);
      co_return;
    }
    if (is(dies_of_a_failing_sink)) std::rethrow_exception(unwritten);
    if (is(drops_what_the_sink_refuses)) co_return settle(held);
    const bool cancelled = is_cancellation(unwritten);
    if (is(unshielded_write_loses) && cancelled) {
      settle(held);
      std::rethrow_exception(unwritten);
    }
    if (is(cause_replaced_by_the_sinks_failure)) held.failure = unwritten;
    if (held.attempts < attempts_max_ && !(is(unshielded_write_gives_up) && cancelled)) co_return unpop(held);
    lost(std::move(held.one), held.failure, held.attempts, unwritten);
    settle(held);
  }

  awaitable<void> write(job& held) {
    return dead_letter(held.one, held.failure, is(attempts_not_told) ? 1 : held.attempts);
  }

  std::chrono::steady_clock::time_point deadline() const {
    if (is(patience_without_end)) return std::chrono::steady_clock::time_point::max();
    return is(patience_overflows) ? overflowing_deadline(patience_) : deadline_after(patience_);
  }

  const worker_manner how_;
  const worker_defect wrong_;
  const std::size_t capacity_;
  std::uint32_t attempts_max_;
  std::chrono::nanoseconds patience_;
  boost::asio::steady_timer bell_;
  std::deque<job> jobs_;
  std::size_t unfinished_ = 0;

  // What defects need.
  std::size_t taken_ = 0;
  bool has_put_back_ = false;
};

}  // namespace assay
