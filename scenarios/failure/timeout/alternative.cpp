#include <assay/scenarios/failure/timeout/alternative.hpp>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <string>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace asio = boost::asio;
using asio::awaitable;
using asio::cancellation_type;
using contract::timeout;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using enum timeout_defect;

namespace {

constexpr steady_clock::time_point never = steady_clock::time_point::max();

// What a scope ends with that its own handle has stopped.
class stopped : public std::exception {};

}  // namespace

// Shared with the work, so that even a desk that nobody sits at is safe to run.
class alternative_timeout::desk : public std::enable_shared_from_this<desk> {
 public:
  struct member {
    asio::cancellation_signal signal;
    bool begun = false;
    bool ended = false;
    std::exception_ptr failure;
  };

  desk(environment& env, timeout_defect wrong, steady_clock::time_point until)
      : deadline(until), env_(env), executor_(env.executor()), wrong_(wrong), alarm_(executor_, never) {}

  steady_clock::time_point deadline;
  std::shared_ptr<desk> outer;  // has the last word when both are due
  bool is_race = false;
  bool is_shielded = false;
  bool may_abandon = false;
  bool entered = false;
  bool stopped_by_owner = false;
  bool expired = false;
  bool requested = false;
  bool ended = false;
  std::vector<std::shared_ptr<member>> members;
  std::vector<std::int64_t> through;  // those that came to their value, in that order
  std::vector<std::size_t> failed;
  std::size_t alive = 0;

  bool is_due() const {
    if (is(counts_on_being_on_time)) return steady_clock::now() == deadline;
    return deadline != never && steady_clock::now() >= deadline;
  }

  void begin(work one) {
    const auto self = members.emplace_back(std::make_shared<member>());
    const auto index = members.size() - 1;
    auto over = [all = shared_from_this(), self, index](std::exception_ptr) { all->take_end(*self, index); };
    ++alive;
    asio::co_spawn(executor_, live(shared_from_this(), self, std::move(one)),
                   asio::bind_cancellation_slot(self->signal.slot(), std::move(over)));
  }

  // Until all have ended, or what is abandoned was asked to.
  awaitable<void> sit() {
    const auto self = shared_from_this();
    entered = true;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    if (is(weak_request_uses_up_the_strong))
      co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    while (alive > 0) {
      const auto state = co_await asio::this_coro::cancellation_state;
      take_request(state.cancelled());
      if (!expired && is_due() && !is_asked_) expired = true;
      if (may_stop()) ask();
      if (may_leave()) break;
      if (is(counts_on_being_on_time) && deadline != never && steady_clock::now() > deadline && !is_asked_)
        deadline = never;
      const bool is_armed = !is_asked_ && !expired;
      const auto hundred_years = steady_clock::now() + std::chrono::hours(876'000);
      alarm_.expires_at(!is_armed                                                ? never
                        : deadline == never && is(arms_a_timer_without_deadline) ? hundred_years
                                                                                 : deadline);
      boost::system::error_code rung;
      co_await alarm_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    take_request(state.cancelled());
    ended = true;
    if (is(leaves_its_timer_armed) && deadline != never) arm_and_forget();
    if (is(forgets_requests)) co_await asio::this_coro::reset_cancellation_state();
    co_await asio::this_coro::throw_if_cancelled(throwing);
  }

  // Until one has ended, or the alarm rings.
  awaitable<bool> sit_until(steady_clock::time_point limit) {
    alarm_.expires_at(limit);
    boost::system::error_code rung;
    co_await alarm_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() == cancellation_type::none;
  }

  void stop() {
    stopped_by_owner = true;
    ring();
  }
  void ring() { alarm_.cancel(); }

  // Throws unless one piece of work ended well.
  void tell() {
    const std::exception_ptr failure = members.front()->ended ? members.front()->failure : cancellation();
    const bool gave_up = is_cancellation(failure);
    const bool was_asked = requested && (!is_shielded || is(shield_lets_requests_in));
    if (failure && !gave_up && expired && is(drops_failures_of_the_cleanup)) throw_timed_out();
    if (failure && !gave_up && was_asked && is(request_hides_failures)) contract::throw_cancelled();
    if (failure && !gave_up) std::rethrow_exception(failure);
    if (!failure && !(is(discards_late_values) && expired)) return;
    if (was_asked && is(makes_a_timeout_of_a_request)) throw_timed_out();
    if (was_asked && is(tells_a_request_as_an_aggregate))
      throw contract::aggregate_error({{"work", cancellation()}});
    if (was_asked && !(expired && is(prefers_the_timeout_to_a_request))) contract::throw_cancelled();
    if (expired) throw_timed_out();
    if (stopped_by_owner && is(own_stop_is_a_timeout)) throw_timed_out();
    if (stopped_by_owner && !is(own_stop_is_cancelled)) throw stopped();
    contract::throw_cancelled();
  }

 private:
  bool is(timeout_defect defect) const { return wrong_ == defect; }
  static std::exception_ptr cancellation() {
    return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
  }
  [[noreturn]] void throw_timed_out() {
    if (outer && outer->is_due() && !is(innermost_wins)) {
      outer->expired = true;
      contract::throw_cancelled();
    }
    throw contract::timed_out_error();
  }

  static awaitable<void> live(std::shared_ptr<desk> all, std::shared_ptr<member> self, work run) {
    self->begun = true;
    if (all->is_asked_) {
      self->failure = cancellation();
      co_return;
    }
    if (all->is(makes_a_request_an_event)) co_await asio::this_coro::throw_if_cancelled(false);
    self->failure = co_await failure_of(run());
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await asio::this_coro::throw_if_cancelled(false);
  }

  void take_end(member& one, std::size_t index) {
    one.ended = true;
    --alive;
    if (!one.failure) through.push_back(static_cast<std::int64_t>(index));
    if (one.failure && !is_cancellation(one.failure)) failed.push_back(index);
    if (is_abandoned_ && one.failure && !is_cancellation(one.failure)) env_.report_unhandled(one.failure);
    ring();
  }

  void take_request(cancellation_type what) {
    if (what == cancellation_type::none) return;
    if (is(weak_request_uses_up_the_strong) && !is_asked_ && what == cancellation_type::partial) {
      had_weak_ = true;
      return;
    }
    if (had_weak_) return;
    if (is(leaves_when_cancelled_twice) && expired) is_left_ = true;
    requested = true;
  }

  bool may_stop() const {
    if (is_asked_) return false;
    const bool is_decided = is_race && (!through.empty() || !failed.empty());
    if (is_decided && is(race_does_not_stop_losers)) return false;
    if (is_decided && through.empty() && is(race_goes_on_after_a_failure)) return false;
    const bool is_wanted = requested && (!is_shielded || is(shield_lets_requests_in));
    return (expired && !is(does_not_stop_late_work)) || stopped_by_owner || is_wanted || is_decided;
  }
  bool may_leave() {
    const bool leaves = (may_abandon && is_asked_) ||
                        (is_asked_ && expired && is(does_not_wait_for_late_work)) ||
                        (is_race && !through.empty() && is(race_does_not_wait_for_losers)) || is_left_;
    is_abandoned_ = is_abandoned_ || leaves;
    return leaves;
  }
  void ask() {
    is_asked_ = true;
    if (may_abandon && is(abandons_unasked)) return;
    for (const auto& one : members)
      if (one->begun && !one->ended) one->signal.emit(cancellation_type::terminal);
  }
  void arm_and_forget() {
    auto timer = std::make_shared<asio::steady_timer>(executor_, deadline);
    timer->async_wait([timer](boost::system::error_code) {});
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const timeout_defect wrong_;
  asio::steady_timer alarm_;
  bool is_asked_ = false;
  bool is_abandoned_ = false;
  bool is_left_ = false;
  bool had_weak_ = false;
};

namespace {

// What a request needs to be seen as one by the caller's caller: it is looked at before anything begins.
awaitable<void> look_for_requests(bool anyway) {
  if (anyway) co_return;
  check_cancelled(co_await asio::this_coro::cancellation_state);
}

}  // namespace

alternative_timeout::alternative_timeout(environment& env, const contract::timeout_config&,
                                         timeout_defect wrong)
    : env_(env), executor_(env.executor()), wrong_(wrong) {}
alternative_timeout::~alternative_timeout() = default;

alternative_timeout::desk_ptr alternative_timeout::make_desk(nanoseconds limit) {
  auto until = is(overflows) ? overflowing_deadline(limit) : deadline_after(limit);
  if (is(times_out_early) && limit > nanoseconds::zero() && limit < std::chrono::hours(1))
    until = deadline_after(limit / 2);
  return std::make_shared<desk>(env_, wrong_, until);
}

void alternative_timeout::set_deadline(nanoseconds limit) {
  last_limit_ = limit;
  deadline_ = deadline_after(limit);
}

awaitable<void> alternative_timeout::do_run_for(nanoseconds limit, work one) {
  const bool anyway = is(begins_in_a_cancelled_scope);
  if (is(keeps_work)) kept_.push_back(one);
  const auto at = make_desk(limit);
  const bool has_passed = at->deadline <= steady_clock::now();
  co_await look_for_requests(anyway || (has_passed && is(zero_swallows_a_request)));
  if (is(registers_for_ever) && all_.size() == 300) throw contract::rejected_error("no place left");
  if (is(registers_for_ever) || is(request_stops_others)) all_.push_back(at);
  if (has_passed && is(waits_without_time)) at->deadline = never;
  if (has_passed && !is(starts_without_time) && !is(waits_without_time)) {
    const bool swallows = is(zero_swallows_a_request);
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::post(asio::use_awaitable);
    if (swallows) co_await asio::this_coro::reset_cancellation_state();
    co_await asio::this_coro::throw_if_cancelled(throwing);
    check_cancelled(co_await asio::this_coro::cancellation_state);
    throw contract::timed_out_error();
  }
  const bool hides = is(hides_failures_until_the_deadline);
  at->begin(std::move(one));
  for (int i = 0; has_passed && i < 3; ++i) co_await asio::post(asio::use_awaitable);  // starts_without_time
  const auto others = is(request_stops_others) ? all_ : std::vector<std::weak_ptr<desk>>();
  co_await at->sit();
  for (const auto& other : others) {
    const auto there = at->requested ? other.lock() : nullptr;
    if (there) there->requested = true;
    if (there) there->ring();
  }
  if (hides && !at->failed.empty() && !at->expired) {
    co_await at->sit_until(at->deadline);
    throw contract::timed_out_error();
  }
  at->tell();
}

awaitable<bool> alternative_timeout::do_run_for_or(nanoseconds limit, work one) {
  const timeout_defect wrong = wrong_;
  const auto at = make_desk(limit);
  co_await look_for_requests(false);
  if (at->deadline <= steady_clock::now()) {
    co_await asio::post(asio::use_awaitable);
    check_cancelled(co_await asio::this_coro::cancellation_state);
    co_return false;
  }
  at->begin(std::move(one));
  co_await at->sit();
  if (wrong == fallback_hides_failures && !at->failed.empty()) co_return false;
  if (wrong == fallback_hides_requests && at->requested) co_return false;
  try {
    at->tell();
  } catch (const contract::timed_out_error&) {
    if (at->failed.empty() || wrong == catches_any_timeout) co_return false;
    throw;
  }
  co_return true;
}

awaitable<void> alternative_timeout::do_run_by_deadline(work one) {
  if (is(restarts_the_deadline)) return do_run_for(last_limit_, std::move(one));
  return do_run_for(what_is_left(), std::move(one));
}

nanoseconds alternative_timeout::what_is_left() const {
  return deadline_ == never ? nanoseconds::max() : nanoseconds(deadline_ - steady_clock::now());
}

namespace {

// The inner one of two desks: true in `in_time` if its work ended well.
template <class Desk>
awaitable<void> sit_inside(std::shared_ptr<Desk> at, timeout::work one, std::shared_ptr<bool> in_time,
                           bool is_greedy) {
  at->begin(std::move(one));
  co_await at->sit();
  try {
    at->tell();
    *in_time = true;
  } catch (const contract::timed_out_error&) {
    if (!at->failed.empty()) throw;
  } catch (const boost::system::system_error&) {
    if (!is_greedy) throw;
  }
}

}  // namespace

awaitable<bool> alternative_timeout::do_run_nested(nanoseconds outer, nanoseconds inner, work one) {
  const bool is_greedy = is(tells_the_outer_limit_as_the_inner);
  const auto around = make_desk(outer);
  const auto at = make_desk(inner);
  at->outer = around;
  co_await look_for_requests(false);
  const auto in_time = std::make_shared<bool>(false);
  const bool outer_has_passed = around->is_due() && !is(innermost_wins);
  if (outer_has_passed || at->is_due()) {
    co_await asio::post(asio::use_awaitable);
    check_cancelled(co_await asio::this_coro::cancellation_state);
    if (outer_has_passed) throw contract::timed_out_error();
    co_return false;
  }
  work inside = [at, one = std::move(one), in_time, is_greedy] {
    return sit_inside(at, one, in_time, is_greedy);
  };
  around->begin(std::move(inside));
  co_await around->sit();
  around->tell();
  co_return *in_time;
}

awaitable<std::int64_t> alternative_timeout::do_race(std::vector<work> all, giving_back give_back) {
  const timeout_defect wrong = wrong_;
  const auto at = make_desk(nanoseconds::max());
  at->is_race = true;
  co_await look_for_requests(false);
  for (work& one : all) at->begin(std::move(one));
  all.clear();
  co_await at->sit();
  const auto through = at->through;
  const bool is_won = !through.empty() && (at->failed.empty() || wrong == race_goes_on_after_a_failure);
  const std::size_t winner = wrong == race_tells_the_last && is_won ? through.size() - 1 : 0;
  for (std::size_t i = 0; i < through.size(); ++i) {
    const bool is_owed = (!is_won || i != winner || wrong == race_gives_the_winner_back);
    if (is_owed && wrong != race_drops_what_losers_came_to) give_back(through[i]);
  }
  if (is_won) co_return through[winner];
  if (at->failed.size() == 1) std::rethrow_exception(at->members[at->failed.front()]->failure);
  if (at->failed.empty()) contract::throw_cancelled();
  std::vector<contract::aggregate_error::member> failures;
  for (const std::size_t one : at->failed)
    failures.push_back({std::to_string(one), at->members[one]->failure});
  throw contract::aggregate_error(std::move(failures));
}

alternative_timeout::desk_ptr alternative_timeout::operations() {
  if (!operations_) operations_ = make_desk(nanoseconds::max());
  return operations_;
}

void alternative_timeout::do_begin_operation(work one) { operations()->begin(std::move(one)); }

awaitable<contract::partial_result> alternative_timeout::wait_some(nanoseconds limit) {
  const auto at = operations();
  const auto until = deadline_after(limit);
  const timeout_defect wrong = wrong_;
  co_await look_for_requests(false);
  const auto has_ended = [](const auto& one) { return one->ended; };
  if (!std::any_of(at->members.begin(), at->members.end(), has_ended) && !at->members.empty()) {
    const bool was_rung = co_await at->sit_until(until);
    if (!was_rung) contract::throw_cancelled();
  }
  contract::partial_result now;
  for (std::size_t i = 0; i < at->members.size(); ++i) {
    const bool is_done = at->members[i]->ended;
    if (is_done && wrong == partial_omits_who_ended && !now.done.empty()) {
      now.pending.push_back(static_cast<std::int64_t>(i));
      continue;
    }
    (is_done ? now.done : now.pending).push_back(static_cast<std::int64_t>(i));
    if (is_done && wrong == partial_lists_twice) now.pending.push_back(static_cast<std::int64_t>(i));
    if (!is_done && wrong == partial_stops_the_pending)
      at->members[i]->signal.emit(cancellation_type::terminal);
  }
  co_return now;
}

awaitable<void> alternative_timeout::end_operations() {
  operations()->stopped_by_owner = true;
  return operations()->sit();
}

void alternative_timeout::open_scope(nanoseconds limit) {
  const bool keeps_stop = is(stop_is_kept_for_the_next) && scope_ && scope_->stopped_by_owner;
  scope_limit_ = limit;
  scope_ = make_desk(limit);
  if (keeps_stop) scope_->stopped_by_owner = true;
}
void alternative_timeout::stop_scope() {
  if (is(forgets_an_early_stop) && !scope_->entered) return;
  if (!scope_->ended || is(stop_is_kept_for_the_next)) scope_->stop();
}
bool alternative_timeout::reschedule(nanoseconds limit) {
  if ((scope_->expired || scope_->ended) && !is(moves_what_has_expired)) return false;
  if (is(moves_what_has_expired)) scope_->expired = false;
  const auto until = deadline_after(limit);
  if (until == never && is(ignores_a_removed_deadline)) return true;
  if (until > scope_->deadline && until != never && is(ignores_a_later_deadline)) return true;
  if (until < scope_->deadline && is(ignores_an_earlier_deadline)) return true;
  scope_->deadline = until;
  scope_->ring();
  return true;
}

awaitable<bool> alternative_timeout::do_run_scope(work one) {
  auto at = scope_;
  if (at->entered && !is(enters_twice)) throw contract::rejected_error("entered twice");
  if (at->entered) at = make_desk(scope_limit_);
  at->entered = true;
  if (!is(counts_from_making)) at->deadline = make_desk(scope_limit_)->deadline;
  co_await look_for_requests(false);
  if (at->stopped_by_owner) co_return false;
  at->begin(std::move(one));
  co_await at->sit();
  try {
    at->tell();
  } catch (const stopped&) {
    co_return false;
  }
  co_return true;
}

awaitable<void> alternative_timeout::do_run_shielded(nanoseconds limit, work one) {
  const auto at = make_desk(limit);
  at->is_shielded = true;
  if (is(shield_has_no_deadline)) at->deadline = never;
  shielded_ = at;
  at->begin(std::move(one));
  co_await at->sit();
  at->tell();
}
void alternative_timeout::lift_shield() {
  if (is(shield_forgets_requests)) return;
  shielded_->is_shielded = false;
  shielded_->ring();
}

awaitable<void> alternative_timeout::do_run_or_abandon(nanoseconds limit, work one) {
  const auto at = make_desk(limit);
  at->may_abandon = true;
  co_await look_for_requests(false);
  if (!is(abandons_and_forgets)) abandoned_.push_back(at);
  at->begin(std::move(one));
  co_await at->sit();
  std::erase_if(abandoned_, [](const desk_ptr& each) { return each->alive == 0; });
  at->tell();
}
std::size_t alternative_timeout::abandoned() const {
  std::size_t all = 0;
  for (const desk_ptr& one : abandoned_) all += one->alive;
  return all;
}
awaitable<void> alternative_timeout::join_abandoned() {
  const auto all = abandoned_;
  for (const desk_ptr& one : all) {
    one->may_abandon = false;
    co_await one->sit();
  }
}

namespace {

// The least: what is late is asked to stop, and left alone.
class least_timeout final : public contract::timeout {
 public:
  least_timeout(environment& env, const contract::timeout_config&) : env_(env) {}

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override {
    const auto self = std::make_shared<race>(env_, deadline_after(limit));
    asio::co_spawn(env_.executor(), run(self, std::move(one)),
                   asio::bind_cancellation_slot(self->signal.slot(), [self](std::exception_ptr) {}));
    boost::system::error_code rung;
    if (!self->ended) co_await self->alarm.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    if (self->ended && self->failure && !is_cancellation(self->failure))
      std::rethrow_exception(self->failure);
    if (self->ended && !self->failure) co_return;
    self->left = true;
    if (self->begun) self->signal.emit(cancellation_type::terminal);
    const auto state = co_await asio::this_coro::cancellation_state;
    check_cancelled(state);
    if (self->ended) std::rethrow_exception(self->failure);
    throw contract::timed_out_error();
  }

 private:
  struct race {
    race(environment& of, steady_clock::time_point deadline) : env(of), alarm(of.executor(), deadline) {}
    environment& env;
    asio::steady_timer alarm;
    asio::cancellation_signal signal;
    std::exception_ptr failure;
    bool begun = false;
    bool ended = false;
    bool left = false;
  };
  static awaitable<void> run(std::shared_ptr<race> self, work one) {
    if (self->left) co_return;
    self->begun = true;
    self->failure = co_await failure_of(one());
    co_await asio::this_coro::throw_if_cancelled(false);
    self->ended = true;
    if (self->left && self->failure && !is_cancellation(self->failure))
      self->env.report_unhandled(self->failure);
    self->alarm.cancel();
  }

  environment& env_;
};

const implements<least_timeout> least("least", subject_kind::alternative, {});
const implements<alternative_timeout> alternative("timeout_at_a_desk", subject_kind::alternative,
                                                  {.features = claims_of_alternative_timeout()}, none);

}  // namespace
}  // namespace assay
