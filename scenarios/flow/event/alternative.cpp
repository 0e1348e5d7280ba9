#include <assay/scenarios/flow/event/alternative.hpp>

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <exception>
#include <utility>

#include <assay/harness/sim/deadline.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace asio = boost::asio;
using enum event_defect;
using clock = std::chrono::steady_clock;

alternative_event::alternative_event(asio::any_io_executor executor, const contract::event_config& config,
                                     event_defect wrong)
    : executor_(std::move(executor)), watch_(executor_), form_(config.form), wrong_(wrong) {}

alternative_event::~alternative_event() {
  *self_ = nullptr;
  if (!parked_.empty() && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
}

std::size_t alternative_event::waiting() const {
  const std::size_t before = std::exchange(counted_, is(forgets_who_was_counted) ? parked_.size() : 0);
  return parked_.size() + phantoms_ - std::min(before, parked_.size());
}

void alternative_event::do_set() {
  if (is(frees_in_a_later_turn) && !parked_.empty() && !automatic()) {
    stored_ = 1;
    asio::post(executor_, [this] { free(fate::set, true); });  // the defect: whoever is parked by then
    return;
  }
  if (automatic() && phantoms_ > 0) {
    --phantoms_;
  } else if (automatic() && !parked_.empty()) {
    free(fate::set, is(set_frees_all));
  } else if (!is(forgets_a_set_without_waiters) || !parked_.empty()) {
    stored_ = is(second_set_clears) && stored_ > 0 ? 0 : is(stores_every_set) ? stored_ + 1 : 1;
    if (!automatic()) free(fate::set, !is(set_frees_one));
  }
}

void alternative_event::do_clear() {
  if (form_ == contract::event_form::latch && !is(latch_can_be_cleared)) throw contract::rejected_error("a latch");
  if (!is(clear_is_ignored)) stored_ = 0;
}

void alternative_event::do_broadcast() {
  free(fate::broadcast, true);
  if (is(broadcast_uses_up_a_set)) stored_ = 0;
  if (is(broadcast_leaves_a_set)) stored_ = 1;
}

void alternative_event::do_set_from_outside() {
  if (is(outside_set_wakes_nobody)) {
    stored_ = 1;
    return;
  }
  asio::post(executor_, [self = self_] {
    if (*self) (*self)->do_set();
  });
}

void alternative_event::free(fate how, bool all) {
  do {
    if (parked_.empty()) return;
    waiter& chosen = is(serves_the_last_parked_first) ? *parked_.back() : *parked_.front();
    std::erase(parked_, &chosen);
    chosen.decided = how;
    chosen.timer.cancel();
    resume(&chosen);
  } while (all);
}

asio::awaitable<void> alternative_event::do_wait_for(nanoseconds patience) {
  if (is(times_out_early)) patience /= 2;
  if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero()) return do_wait();
  return wait_until(is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience));
}

asio::awaitable<void> alternative_event::wait_until(clock::time_point deadline) {
  const auto entered = co_await asio::this_coro::cancellation_state;
  const bool refused = entered.cancelled() != asio::cancellation_type::none;
  if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
  if ((stored_ > 0) != is(works_inverted)) {
    if (automatic() || is(one_wait_uses_it_up)) stored_ = is(stores_every_set) ? stored_ - 1 : 0;
    co_return;
  }
  waiter self{asio::steady_timer(executor_, deadline)};
  bool cancelled = co_await park(self);
  while (is(loses_waiters_when_cleared_at_once) && self.decided == fate::set && !automatic() && !is_set()) {
    self.decided = fate::waiting;  // the defect: who was freed looks at the flag, and waits on
    self.timer.expires_at(deadline);
    cancelled = co_await park(self);
  }
  if (is(deadline_beats_the_set) && clock::now() >= deadline) self.decided = fate::waiting;
  if (self.decided != fate::waiting && !cancelled) co_return;
  // The cancellation wins, and a set that was to be used up goes to the next.
  const bool granted = automatic() && self.decided == fate::set;
  if ((granted && !is(gives_nothing_back)) || (is(gives_back_a_broadcast) && self.decided == fate::broadcast))
    do_set();
  if (cancelled) {
    if (is(cancelled_waiter_stays)) ++phantoms_;
    if (is(cancelling_frees_another)) free(fate::set, false);
    if (is(cancelled_wait_clears)) stored_ = 0;
    contract::throw_cancelled();
  }
  if (is(expired_waiter_stays)) ++phantoms_;
  throw contract::timed_out_error();
}

// True if the scope is cancelled.
asio::awaitable<bool> alternative_event::park(waiter& self) {
  if (is(weak_request_uses_up_the_strong)) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  }
  parked_.push_back(&self);
  boost::system::error_code ended;
  std::exception_ptr failure;
  try {
    if (is(resumes_inside_the_set) && self.timer.expiry() == clock::time_point::max()) {
      co_await wait_to_be_resumed(self);
    } else {
      co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() == asio::cancellation_type::partial) {  // the defect alone comes here
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  }
  std::erase(parked_, &self);
  if (failure) std::rethrow_exception(failure);
  co_return state.cancelled() != asio::cancellation_type::none;
}

// The defect: a handler that is not posted, but kept where whoever frees the waiter finds it.
asio::awaitable<void> alternative_event::wait_to_be_resumed(const waiter& self) {
  auto initiation = [this, key = &self](auto handler) {
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    asio::get_associated_cancellation_slot(*kept).assign([event = self_, key](asio::cancellation_type) {
      if (*event) (*event)->resume(key);
    });
    resumptions_[key] = [kept] { std::move (*kept)(); };
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiation), asio::use_awaitable);
}

void alternative_event::resume(const waiter* which) {
  const auto found = resumptions_.find(which);
  if (found == resumptions_.end()) return;
  const auto kept = std::move(found->second);
  resumptions_.erase(found);
  kept();
}

}  // namespace assay
