// A second barrier, deliberately unlike the reference: generations are objects with numbered places, and a
// party that was released and is cancelled before it continues ends as cancelled, unless it is told that the
// release wins (BAR-5). Its mutants are this barrier with one rule broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <utility>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/scenarios/cross_cutting/alternative_waits.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace assay {

ASSAY_DEFECTS(barrier_defect, none, releases_one_too_early, releases_one_party, passes_later,
              all_have_the_same_number, has_no_generations, cancelled_party_counts, breaking_wakes_nobody,
              breaks_the_parked_alone, leaving_breaks, expired_party_counts, abort_wakes_nobody,
              abort_is_forgotten, cancelling_the_released_breaks, cancelling_beats_the_release,
              one_party_parks, takes_no_parties, reset_wakes_nobody, reset_counts_the_old, reset_releases,
              reset_spares_the_released, reset_mends_nothing, the_aborted_still_count, number_is_the_count,
              begins_although_cancelled, weak_request_uses_up_the_strong, resumes_inside_the_last_wait,
              destruction_is_not_checked, times_out_early, ignores_a_deadline_that_has_passed,
              deadlines_overflow, forgets_who_was_counted, takes_lateness_for_a_time_out,
              generations_wear_out)

class alternative_barrier final : public contract::barrier {
 public:
  using enum barrier_defect;
  using clock = std::chrono::steady_clock;

  alternative_barrier(boost::asio::any_io_executor executor, const contract::barrier_config& config,
                      bool release_wins, barrier_defect wrong)
      : executor_(std::move(executor)),
        watch_(executor_),
        config_(config),
        release_wins_(release_wins),
        wrong_(wrong) {
    if (config.parties < 1 && !is(takes_no_parties)) throw contract::rejected_error("no parties");
  }
  ~alternative_barrier() override {
    const bool used = now_->state == phase::filling && !now_->parked.empty();
    if (used && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
  }
  awaitable<void> abort() override {
    if (!is(abort_wakes_nobody)) end(phase::broken);
    if (is(abort_wakes_nobody)) now_->state = phase::broken;
    if (is(abort_is_forgotten)) begin_anew();
    co_return;
  }
  awaitable<void> reset() override {
    if (is(reset_mends_nothing) && now_->state == phase::broken) co_return;
    const std::size_t old = now_->parked.size();
    if (is(the_aborted_still_count) && now_->state == phase::broken) next_extra_ = now_->parties_seen;
    if (is(reset_counts_the_old)) next_extra_ = old;
    if (!is(reset_spares_the_released)) ++*resets_;
    if (is(reset_releases)) --*resets_;
    if (!is(reset_wakes_nobody)) end(is(reset_releases) ? phase::released : phase::broken);
    begin_anew();
  }
  std::size_t waiting() const override {
    const std::size_t before = std::exchange(counted_, is(forgets_who_was_counted) ? now_->parked.size() : 0);
    return now_->parked.size() - std::min(before, now_->parked.size());
  }

 protected:
  awaitable<std::size_t> do_wait() override { return wait_until(clock::time_point::max()); }
  awaitable<std::size_t> do_wait_for(nanoseconds patience) override {
    if (is(times_out_early)) patience /= 2;
    if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero()) return do_wait();
    return wait_until(is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience));
  }

 private:
  enum class phase { filling, released, broken };
  struct generation {
    phase state = phase::filling;
    std::map<std::size_t, boost::asio::steady_timer*> parked;  // by their numbers
    // Of those that are wrong: who counts and is not parked, and how many came.
    std::size_t extra = 0;
    std::size_t parties_seen = 0;
  };

  bool is(barrier_defect one) const noexcept { return wrong_ == one; }

  std::size_t needed() const noexcept {
    if (is(one_party_parks) && config_.parties == 1) return 2;
    const auto parties = static_cast<std::size_t>(std::max<std::int64_t>(1, config_.parties));
    return is(releases_one_too_early) && parties > 2 ? parties - 1 : parties;
  }

  void begin_anew() {
    now_ = std::make_shared<generation>();
    now_->extra = std::exchange(next_extra_, 0);
  }

  // Decides for all who are parked now.
  void end(phase how) {
    now_->state = how;
    const auto parked = now_->parked;  // who is wrong goes on in here
    for (const auto& [number, timer] : parked) {
      waits_.wake(*timer);
      if (is(releases_one_party) && how == phase::released) break;
    }
  }

  void release() {
    if (is(generations_wear_out) && ++generations_ % 20 == 0) return begin_anew();
    end(phase::released);
    if (!is(has_no_generations) || now_->parked.empty()) begin_anew();
  }

  // A party leaves that nobody has released. `counts`: it is there nevertheless, for who is wrong.
  void leave(const std::shared_ptr<generation>& left, bool counts) {
    if (counts) ++left->extra;
    const bool breaks = config_.on_cancel == contract::barrier_cancel::breaks;
    if (counts || (!breaks && !is(leaving_breaks))) return;
    if (is(breaking_wakes_nobody)) {
      left->state = phase::broken;
    } else {
      end(phase::broken);
      if (is(breaks_the_parked_alone)) begin_anew();
    }
  }

  awaitable<std::size_t> wait_until(clock::time_point deadline) {
    const auto entered = co_await boost::asio::this_coro::cancellation_state;
    const bool refused = entered.cancelled() != boost::asio::cancellation_type::none;
    if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
    const std::shared_ptr<generation> own = now_;
    if (own->state == phase::broken) throw contract::broken_error();
    if (own->state == phase::released) co_return 0;  // without generations
    std::size_t number = is(number_is_the_count) ? own->parked.size() : 0;
    while (!is(number_is_the_count) && own->parked.contains(number)) ++number;
    ++own->parties_seen;
    if (own->parked.size() + own->extra + 1 >= needed()) {
      release();
      co_return is(all_have_the_same_number) ? 0 : number;
    }
    boost::asio::steady_timer timer(executor_, deadline);
    const auto resets = resets_;
    const std::size_t resets_before = *resets;
    std::size_t place = number;
    while (own->parked.contains(place)) place += 1000;  // who is wrong has given it away
    const bool cancelled = co_await park(*own, place, timer);
    const bool late = is(takes_lateness_for_a_time_out) && clock::now() > deadline;
    if (cancelled && own->state == phase::filling) leave(own, is(cancelled_party_counts));
    if (cancelled && own->state == phase::released && is(cancelling_the_released_breaks)) end(phase::broken);
    const bool keeps = release_wins_ && !is(cancelling_beats_the_release) && own->state == phase::released;
    if (cancelled && !keeps) contract::throw_cancelled();
    if (own->state == phase::broken || *resets != resets_before) throw contract::broken_error();
    if (own->state == phase::released && !late) {
      if (is(has_no_generations) && own->parked.empty()) begin_anew();
      if (is(passes_later)) {
        timer.expires_after(std::chrono::milliseconds(1));
        co_await timer.async_wait(boost::asio::use_awaitable);
      }
      co_return is(all_have_the_same_number) ? 0 : number;
    }
    if (own->state == phase::filling) leave(own, is(expired_party_counts));
    throw contract::timed_out_error();
  }

  // True if the scope is cancelled.
  awaitable<bool> park(generation& where, std::size_t place, boost::asio::steady_timer& timer) {
    where.parked[place] = &timer;
    bool cancelled = false;
    std::exception_ptr failure;
    try {
      cancelled = co_await waits_.wait(timer);
    } catch (...) {
      failure = std::current_exception();
    }
    where.parked.erase(place);
    if (failure) std::rethrow_exception(failure);
    co_return cancelled;
  }

  boost::asio::any_io_executor executor_;
  context_watch watch_;
  contract::barrier_config config_;
  bool release_wins_;
  barrier_defect wrong_;
  std::shared_ptr<generation> now_ = std::make_shared<generation>();
  const std::shared_ptr<std::size_t> resets_ =
      std::make_shared<std::size_t>(0);  // who was released looks at it
  // Of those that are wrong.
  std::size_t next_extra_ = 0;
  std::size_t generations_ = 0;
  mutable std::size_t counted_ = 0;
  alternative_waits waits_{{.weak_request_uses_up_the_strong = is(weak_request_uses_up_the_strong),
                            .resumes_inside_the_call = is(resumes_inside_the_last_wait)}};
};

}  // namespace assay
