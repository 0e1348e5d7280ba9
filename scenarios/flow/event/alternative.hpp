// A second event, deliberately unlike the reference: every waiter is written to by whoever frees it, and a cancellation
// that meets a `set` wins: an auto-reset event then gives the `set` to the next (X-3 allows both). Its mutants are this
// event with one rule broken.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/describe.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include <assay/harness/trial/context_watch.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {

BOOST_DEFINE_ENUM_CLASS(event_defect, none, works_inverted, set_frees_one, loses_waiters_when_cleared_at_once,
                        forgets_a_set_without_waiters, second_set_clears, one_wait_uses_it_up, cancelled_waiter_stays,
                        cancelling_frees_another, clear_is_ignored, frees_in_a_later_turn, outside_set_wakes_nobody,
                        latch_can_be_cleared, deadline_beats_the_set, expired_waiter_stays, stores_every_set,
                        set_frees_all, gives_nothing_back, broadcast_uses_up_a_set, broadcast_leaves_a_set,
                        gives_back_a_broadcast, cancelled_wait_clears, begins_although_cancelled,
                        weak_request_uses_up_the_strong, resumes_inside_the_set, serves_the_last_parked_first,
                        destruction_is_not_checked, times_out_early, ignores_a_deadline_that_has_passed,
                        deadlines_overflow, forgets_who_was_counted)

class alternative_event final : public contract::event {
 public:
  alternative_event(boost::asio::any_io_executor executor, const contract::event_config& config, event_defect wrong);
  ~alternative_event() override;

  bool is_set() const override { return stored_ > 0; }
  std::size_t waiting() const override;

 protected:
  awaitable<void> do_wait() override { return wait_until(std::chrono::steady_clock::time_point::max()); }
  awaitable<void> do_wait_for(nanoseconds patience) override;
  void do_set() override;
  void do_clear() override;
  void do_broadcast() override;
  void do_set_from_outside() override;

 private:
  enum class fate { waiting, set, broadcast };
  struct waiter {
    boost::asio::steady_timer timer;
    fate decided = fate::waiting;
  };

  bool is(event_defect one) const noexcept { return wrong_ == one; }
  bool automatic() const noexcept { return form_ == contract::event_form::auto_reset; }
  awaitable<void> wait_until(std::chrono::steady_clock::time_point deadline);
  awaitable<bool> park(waiter& self);
  awaitable<void> wait_to_be_resumed(const waiter& self);
  void resume(const waiter* which);
  void free(fate how, bool all);

  boost::asio::any_io_executor executor_;
  context_watch watch_;
  contract::event_form form_;
  event_defect wrong_;
  std::size_t stored_ = 0;  // sets: one at most, and a manual one is not used up
  std::deque<waiter*> parked_;
  // Of those who are wrong: entries that stayed, those who were counted, and how who waits is resumed.
  std::size_t phantoms_ = 0;
  mutable std::size_t counted_ = 0;
  std::map<const waiter*, std::function<void()>> resumptions_;
  // What is posted may come when the event is gone.
  const std::shared_ptr<alternative_event*> self_ = std::make_shared<alternative_event*>(this);
};

}  // namespace assay
