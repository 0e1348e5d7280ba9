#include <assay/scenarios/flow/bounded_queue/alternative.hpp>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace asio = boost::asio;

namespace {

std::size_t checked_capacity(const contract::bounded_queue_config& config, const queue_defects& wrong) {
  if (config.capacity > 0) return static_cast<std::size_t>(config.capacity);
  const bool tolerated = config.capacity == 0 ? wrong.treats_zero_as_one : wrong.accepts_negative;
  if (!tolerated) throw contract::rejected_error("the capacity must be at least 1");
  return 1;
}

}  // namespace

alternative_queue::alternative_queue(asio::any_io_executor executor,
                                     const contract::bounded_queue_config& config, queue_defects wrong)
    : executor_(std::move(executor)),
      watch_(executor_),
      capacity_(checked_capacity(config, wrong)),
      wrong_(wrong) {}

alternative_queue::~alternative_queue() {
  const bool in_use = !pushers_.empty() || !poppers_.empty() || !joiners_.empty();
  if (wrong_.checks_destruction && in_use && !watch_.ending()) std::abort();
  if (!wrong_.leaks_what_is_left) return;
  // The defect: nobody ever deletes these.
  for (item& one : buffer_) new item(std::move(one));  // NOLINT(bugprone-unhandled-exception-at-new)
}

// ---- waiting

// Ends once the waiter was served, cancelled, or its deadline has passed; true if its scope is cancelled.
asio::awaitable<bool> alternative_queue::park(waiters& where, waiter& self) {
  where.push_back(&self);
  boost::system::error_code ended;
  std::exception_ptr failure;
  try {
    co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  } catch (...) {
    failure = std::current_exception();
  }
  unlink(where, self);
  if (failure) std::rethrow_exception(failure);
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

void alternative_queue::unlink(waiters& parked, const waiter& gone) { std::erase(parked, &gone); }

alternative_queue::waiter* alternative_queue::choose(const waiters& parked) const {
  const bool first = wrong_.fair && !wrong_.serves_the_last_parked_first;
  return first ? parked.front() : parked.back();
}

void alternative_queue::serve(waiters& parked, waiter& chosen, fate decided) {
  unlink(parked, chosen);
  chosen.decided = decided;
  chosen.timer.cancel();
}

void alternative_queue::wake_all(waiters& parked) {
  while (!parked.empty()) serve(parked, *parked.front(), fate::closed);
}

// ---- the buffer

bool alternative_queue::has_room() const noexcept { return buffer_.size() + phantoms_ < capacity_; }

void alternative_queue::put(item one) {
  if (!poppers_.empty() && !wrong_.buffers_beside_a_parked_popper) {
    waiter& chosen = *choose(poppers_);
    chosen.held = std::move(one);
    serve(poppers_, chosen, fate::served);
    return;
  }
  if (wrong_.drops_what_fills_it && capacity_ > 1 && buffer_.size() + 1 == capacity_) return;
  buffer_.push_back(std::move(one));
  if (!wrong_.forgets_the_peak) peak_ = std::max(peak_, buffer_.size());
}

item alternative_queue::take_buffered() {
  item one;
  if (wrong_.takes_the_newest_first) {
    one = std::move(buffer_.back());
    buffer_.pop_back();
  } else {
    one = std::move(buffer_.front());
    buffer_.pop_front();
  }
  refill();
  return one;
}

// Lets parked pushers in while there is room.
void alternative_queue::refill() {
  while (!pushers_.empty() && (has_room() || wrong_.admits_every_parked_pusher)) {
    admit_one();
    if (!wrong_.forgets_the_peak) peak_ = std::max(peak_, buffer_.size());
  }
}

void alternative_queue::admit_one() {
  waiter& chosen = *choose(pushers_);
  buffer_.push_back(std::move(chosen.held));
  ++unfinished_;
  serve(pushers_, chosen, fate::served);
}

void alternative_queue::return_to_head(item one) {
  if (!poppers_.empty() && !wrong_.grants_die_with_the_cancelled) {
    waiter& chosen = *choose(poppers_);
    chosen.held = std::move(one);
    serve(poppers_, chosen, fate::served);
  } else if (wrong_.hands_back_to_the_tail) {
    buffer_.push_back(std::move(one));
  } else {
    buffer_.push_front(std::move(one));
  }
  peak_ = std::max(peak_, buffer_.size());
}

// ---- push and pop

alternative_queue::clock::time_point alternative_queue::deadline_after(nanoseconds patience) const {
  if (wrong_.times_out_early) patience /= 2;
  if (wrong_.ignores_a_deadline_that_has_passed && patience <= nanoseconds::zero())
    return clock::time_point::max();
  if (wrong_.deadlines_overflow) return overflowing_deadline(patience);
  return assay::deadline_after(patience);
}

asio::awaitable<void> alternative_queue::do_push(item one) {
  return push_until(std::move(one), clock::time_point::max());
}
asio::awaitable<item> alternative_queue::do_pop() { return pop_until(clock::time_point::max()); }
asio::awaitable<void> alternative_queue::do_push_for(item one, nanoseconds patience) {
  return push_until(std::move(one), deadline_after(patience));
}
asio::awaitable<item> alternative_queue::do_pop_for(nanoseconds patience) {
  return pop_until(deadline_after(patience));
}

asio::awaitable<void> alternative_queue::push_until(item one, clock::time_point deadline) {
  const auto entered = co_await asio::this_coro::cancellation_state;
  if (entered.cancelled() != asio::cancellation_type::none && !wrong_.begins_although_cancelled) {
    contract::throw_cancelled();
  }
  if (do_try_push(one)) co_return;
  waiter self(executor_, deadline);
  self.held = std::move(one);
  const bool cancelled = co_await park(pushers_, self);
  if (self.decided == fate::served) co_return;  // it is in the buffer: the effect wins
  if (self.decided == fate::closed) throw contract::closed_error();
  const bool keep = cancelled ? wrong_.keeps_the_item_of_a_cancelled_push : wrong_.puts_what_timed_out;
  if (keep) buffer_.push_back(std::move(self.held));
  if (cancelled && wrong_.counts_a_cancelled_pusher && capacity_ > 1) ++phantoms_;
  if (cancelled) contract::throw_cancelled();
  throw contract::timed_out_error();
}

asio::awaitable<item> alternative_queue::pop_until(clock::time_point deadline) {
  const auto entered = co_await asio::this_coro::cancellation_state;
  if (entered.cancelled() != asio::cancellation_type::none && !wrong_.begins_although_cancelled) {
    contract::throw_cancelled();
  }
  if (wrong_.gives_a_place_away_too_early && !pushers_.empty() && !has_room()) {
    admit_one();  // the defect: the item whose place it gets leaves in a later turn
    co_await asio::post(asio::use_awaitable);
  }
  item got = do_try_pop();
  if (got) co_return got;
  waiter self(executor_, deadline);
  const bool cancelled = co_await park(poppers_, self);
  if (self.decided == fate::served && wrong_.races_the_deadline && clock::now() >= deadline) {
    throw contract::timed_out_error();  // the defect: the item goes with the frame
  }
  if (self.decided == fate::served && !cancelled) co_return std::move(self.held);
  if (self.decided == fate::served && !wrong_.drops_what_a_cancelled_pop_holds) {
    return_to_head(std::move(self.held));  // the cancellation wins, the item is handed back
  }
  if (self.decided == fate::closed) throw contract::closed_error();
  if (cancelled && wrong_.counts_a_cancelled_popper) ++phantoms_;
  if (cancelled) contract::throw_cancelled();
  throw contract::timed_out_error();
}

bool alternative_queue::do_try_push(item& one) {
  if (closed_ && !wrong_.accepts_after_close) throw contract::closed_error();
  if (poppers_.empty() && !has_room()) return false;
  used_ = true;
  ++unfinished_;
  if (wrong_.lets_try_pop_overtake && !poppers_.empty()) {
    // The defect: the item is put where anybody may take it before the popper that is woken for it.
    buffer_.push_back(std::move(one));
    asio::post(executor_, [this] {
      if (poppers_.empty() || buffer_.empty()) return;
      item first = std::move(buffer_.front());
      buffer_.pop_front();
      put(std::move(first));
    });
    return true;
  }
  put(std::move(one));
  return true;
}

item alternative_queue::do_try_pop() {
  if (!buffer_.empty()) return take_buffered();
  if (closed_) throw contract::closed_error();
  return {};
}

void alternative_queue::do_hand_back(item one) {
  if (wrong_.hand_back_needs_room && !has_room()) throw contract::rejected_error("full");
  return_to_head(std::move(one));
}

// ---- close

void alternative_queue::close() {
  const bool again = closed_;
  closed_ = true;
  if (wrong_.close_discards || (again && wrong_.second_close_discards)) buffer_.clear();
  if (!wrong_.close_leaves_pushers) wake_all(pushers_);
  if (!wrong_.close_leaves_poppers) wake_all(poppers_);
}

std::vector<item> alternative_queue::do_close_now() {
  closed_ = true;
  if (!wrong_.close_now_leaves_waiters) {
    wake_all(pushers_);
    wake_all(poppers_);
  }
  std::vector<item> removed(std::make_move_iterator(buffer_.begin()), std::make_move_iterator(buffer_.end()));
  buffer_.clear();
  if (!wrong_.removed_items_still_count) unfinished_ -= removed.size();
  if (wrong_.close_now_keeps_quiet) removed.clear();
  check_joiners();
  return removed;
}

// ---- work accounting

void alternative_queue::check_joiners() {
  const bool finished = wrong_.join_ignores_what_is_in_hand ? buffer_.empty() : unfinished_ == 0;
  if (!finished) return;
  while (!joiners_.empty()) serve(joiners_, *joiners_.front(), fate::served);
}

void alternative_queue::done() {
  if (unfinished_ <= buffer_.size()) {
    if (wrong_.accepts_done_without_work) return;
    throw contract::rejected_error("nothing is in hand");
  }
  --unfinished_;
  check_joiners();
}

asio::awaitable<void> alternative_queue::join() {
  const bool finished = wrong_.join_ignores_what_is_in_hand ? buffer_.empty() : unfinished_ == 0;
  if (finished && (used_ || !wrong_.join_waits_for_a_first_item)) co_return;
  waiter self(executor_, clock::time_point::max());
  co_await park(joiners_, self);
  if (self.decided != fate::served) contract::throw_cancelled();
}

void alternative_queue::do_requeue(item one) {
  if (wrong_.requeue_counts_again) ++unfinished_;
  return_to_head(std::move(one));
}

item alternative_queue::do_drop_oldest() {
  if (buffer_.empty()) return {};
  item dropped = take_buffered();
  if (!wrong_.dropped_items_still_count) --unfinished_;
  check_joiners();
  return dropped;
}

contract::bounded_queue_statistics alternative_queue::statistics() const {
  contract::bounded_queue_statistics now;
  now.size = buffer_.size();
  now.size_peak = peak_;
  now.parked_pushers = pushers_.size();
  now.parked_poppers = poppers_.size();
  auto& self = const_cast<alternative_queue&>(*this);
  if (wrong_.looking_resets_the_peak) self.peak_ = 0;
  if (wrong_.looking_raises_the_peak) ++self.peak_;
  return now;
}

namespace {

const std::vector<std::string> features = {
    "try",        "timed",    "hand_back",    "close",          "close_now",
    "join",       "requeue",  "removal",      "reject_zero",    "move_only",
    "statistics", "lifetime", "strict_entry", "posted_wakeups", "checked_destruction"};

// `manner` is the switch of a freedom that the standard leaves, and `claim` the feature that declares it.
detail::registrar conforming(const char* name, bool queue_defects::* manner = nullptr,
                             const char* claim = nullptr) {
  queue_defects none;
  none.checks_destruction = true;
  subject_traits traits{.features = features};
  if (manner != nullptr) {
    none.*manner = true;
    traits.features.emplace_back(claim);
  }
  return detail::registrar(std::make_unique<subject<contract::bounded_queue>>(
      name, subject_kind::alternative, std::move(traits),
      [none](environment& env, const contract::bounded_queue_config& config) {
        return std::make_unique<alternative_queue>(env.executor(), config, none);
      }));
}

const detail::registrar last_come = conforming("hand_back_queue");
const detail::registrar first_come = conforming("fair_hand_back_queue", &queue_defects::fair, "fair");
// Kotlin's rule, a defect in whoever does not claim it: pushers that are parked when the queue is closed stay, and commit
// as there is room.
const detail::registrar late_close =
    conforming("late_closing_queue", &queue_defects::close_leaves_pushers, "close_completes_parked");

}  // namespace

}  // namespace assay
