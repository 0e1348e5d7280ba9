#include <assay/scenarios/failure/gather/alternative.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
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
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::cancellation_type;
using contract::aggregate_error;
using contract::gather;
using contract::gather_slot;
using contract::slot_end;
using enum gather_defect;

gather_slot slot_of(const std::exception_ptr& failure, gather::value given) {
  gather_slot slot;
  slot.value = given;
  if (!failure) return slot;
  slot.value.reset();
  slot.how = is_cancellation(failure) ? slot_end::cancelled : slot_end::failed;
  if (slot.how == slot_end::failed) slot.cause = describe(failure).label;
  return slot;
}

// The operations of one call. Shared with them, so that even a call that abandons them is safe.
class flight : public std::enable_shared_from_this<flight> {
 public:
  using landing = std::function<void(std::size_t, const gather_slot&, const std::exception_ptr&)>;

  flight(asio::any_io_executor executor, gather_defect wrong, landing land)
      : executor_(std::move(executor)), wrong_(wrong), land_(std::move(land)) {}

  /// Until all have landed, or the call gives them up. Ends as cancelled if it was asked to.
  awaitable<void> fly(
      std::vector<gather::operation> operations,
      std::chrono::steady_clock::time_point deadline = asio::steady_timer::time_point::max()) {
    const auto self = shared_from_this();
    check_cancelled(co_await asio::this_coro::cancellation_state);
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    alarm_.expires_at(deadline);
    waiting_ = std::move(operations);
    begin_next();
    bool requested = false;
    while (alive_ > 0 || (is(waits_for_an_end_even_if_empty) && begun_ == 0 && !requested)) {
      if (abandoned_) break;
      boost::system::error_code ended;
      co_await alarm_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      if (!ended) take_deadline();
      const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() == cancellation_type::none || std::exchange(requested, true)) continue;
      if (!is(asks_nobody_when_cancelled)) stop();
      if (is(abandons_operations_when_cancelled)) abandoned_ = true;
    }
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (requested && !is(returns_slots_when_cancelled)) contract::throw_cancelled();
    if (one_gave_up_ && is(ends_as_cancelled_with_one_of_them)) contract::throw_cancelled();
  }

  void stop() {
    if (std::exchange(stopping_, true)) return;
    for (auto one = signals_.rbegin(); one != signals_.rend(); ++one) {
      if (is(asks_only_the_first_when_cancelled) && &*one != &signals_.front()) continue;
      asio::post(executor_,
                 [all = shared_from_this(), asked = &*one] { asked->emit(cancellation_type::terminal); });
    }
  }
  void abandon() {
    abandoned_ = true;
    alarm_.cancel();
  }
  bool is_stopping() const { return stopping_; }
  bool is_late() const { return late_; }

 private:
  bool is(gather_defect defect) const { return wrong_ == defect; }

  void take_deadline() {
    alarm_.expires_at(asio::steady_timer::time_point::max());
    if (is(forgets_its_deadline)) return;
    late_ = true;
    if (is(leaves_operations_at_its_deadline)) abandoned_ = true;
    stop();
  }

  void begin_next() {
    alive_ = waiting_.size();
    const std::size_t many = is(runs_one_after_another) ? std::min<std::size_t>(1, alive_) : alive_;
    for (std::size_t i = 0; i < many && begun_ < waiting_.size(); ++i) begin(begun_++);
  }

  void begin(std::size_t index) {
    std::optional<awaitable<gather::value>> work;
    std::exception_ptr failure;
    try {
      if (!stopping_) work.emplace(waiting_[index].run());
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure && is(abandons_operations_when_creation_fails)) abandoned_ = true;
    if (!work) return later(index, failure);
    auto ended = [all = shared_from_this()](std::exception_ptr) { all->landed(); };
    asio::co_spawn(executor_, live(shared_from_this(), index, std::move(*work)),
                   asio::bind_cancellation_slot(signals_.emplace_back().slot(), std::move(ended)));
  }
  // One that never began lands in a later turn.
  void later(std::size_t index, std::exception_ptr failure) {
    if (!failure)
      failure = std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
    asio::post(executor_, [all = shared_from_this(), index, failure] {
      all->land(index, failure, std::nullopt);
      all->landed();
    });
  }
  void landed() {
    --alive_;
    if (is(runs_one_after_another) && begun_ < waiting_.size()) begin(begun_++);
    alarm_.cancel();
  }

  static awaitable<void> live(std::shared_ptr<flight> all, std::size_t index, awaitable<gather::value> work) {
    gather::value given;
    const std::exception_ptr failure = co_await failure_of(std::move(work), given);
    all->land(index, failure, given);
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await asio::this_coro::throw_if_cancelled(false);
  }
  void land(std::size_t index, const std::exception_ptr& failure, gather::value given) {
    gather_slot slot = slot_of(failure, given);
    if (slot.how == slot_end::cancelled && !stopping_) one_gave_up_ = true;
    const bool failed = slot.how == slot_end::failed;
    if (is(tells_a_cancellation_as_a_value) && slot.how == slot_end::cancelled) slot.how = slot_end::value;
    if (is(tells_a_cancellation_as_a_failure) && slot.how == slot_end::cancelled) slot.how = slot_end::failed;
    if (is(tells_a_failure_as_cancelled) && failed) slot.how = slot_end::cancelled;
    if (is(tells_no_causes)) slot.cause.clear();
    if (is(tells_missing_parts_as_empty) && failed) slot = gather_slot();
    land_(index, slot, failure);
    if (is(stops_others_at_a_failure) && failed) stop();
  }

  const asio::any_io_executor executor_;
  const gather_defect wrong_;
  const landing land_;
  asio::steady_timer alarm_{executor_, asio::steady_timer::time_point::max()};
  std::vector<gather::operation> waiting_;
  std::deque<asio::cancellation_signal> signals_;
  std::size_t begun_ = 0;
  std::size_t alive_ = 0;
  bool stopping_ = false;
  bool late_ = false;
  bool abandoned_ = false;
  bool one_gave_up_ = false;
};

// What lands of a call for all.
struct landed_slots {
  gather::slots slots;
  std::vector<std::exception_ptr> failures;
  std::vector<std::size_t> order;
};

awaitable<void> run_all(asio::any_io_executor executor, gather_defect wrong,
                        std::vector<gather::operation> operations, std::shared_ptr<landed_slots> seen) {
  seen->slots.resize(operations.size());
  seen->failures.resize(operations.size());
  flight::landing land = [seen](std::size_t index, const gather_slot& slot,
                                const std::exception_ptr& failure) {
    seen->slots[index] = slot;
    seen->failures[index] = failure;
    seen->order.push_back(index);
  };
  const auto all = std::make_shared<flight>(std::move(executor), wrong, std::move(land));
  co_await all->fly(std::move(operations));
}

}  // namespace

alternative_gather::alternative_gather(environment& env, const contract::gather_config&, gather_defect wrong)
    : env_(env), wrong_(wrong) {}

awaitable<gather::slots> alternative_gather::do_all(std::vector<operation> operations) {
  const auto seen = std::make_shared<landed_slots>();
  co_await run_all(env_.executor(), wrong_, std::move(operations), seen);
  slots all = seen->slots;
  if (is(orders_slots_by_completion)) {
    all.clear();
    for (const std::size_t index : seen->order) all.push_back(seen->slots[index]);
  }
  if (is(returns_only_values))
    std::erase_if(all, [](const gather_slot& one) { return one.how != slot_end::value; });
  if (is(forgets_the_last_slot) && all.size() > 3) all.pop_back();
  co_return all;
}

awaitable<gather::slots> alternative_gather::do_all_shared(std::vector<operation> operations,
                                                           std::vector<std::size_t> which) {
  if (is(runs_a_shared_one_for_every_slot)) {
    std::vector<operation> all;
    for (const std::size_t index : which) all.push_back(operations.at(index));
    co_return co_await do_all(std::move(all));
  }
  const slots once = co_await do_all(std::move(operations));
  slots all;
  std::vector<bool> filled(once.size());
  for (const std::size_t index : which) {
    all.push_back(filled[index] && is(fills_one_slot_of_a_shared_one) ? gather_slot() : once.at(index));
    filled[index] = true;
  }
  co_return all;
}

awaitable<gather::slots> alternative_gather::do_parts(std::vector<operation> operations,
                                                      std::vector<bool> required) {
  std::vector<std::string> names;
  for (const operation& one : operations) names.push_back(one.name);
  const auto seen = std::make_shared<landed_slots>();
  co_await run_all(env_.executor(), wrong_, std::move(operations), seen);
  std::vector<aggregate_error::member> missing;
  for (std::size_t i = 0; i < names.size(); ++i) {
    gather_slot& slot = seen->slots[i];
    if (is(tells_an_empty_value_as_missing) && slot.how == slot_end::value && !slot.value)
      slot.how = slot_end::cancelled;
    const bool wanted = required.at(i) || is(fails_for_optional_parts);
    if (!wanted || slot.how == slot_end::value || is(goes_on_without_required_parts)) continue;
    if (is(fails_for_the_first_part_only) && !missing.empty()) continue;
    const bool failed = seen->failures[i] && !is_cancellation(seen->failures[i]);
    missing.push_back({names[i], failed ? seen->failures[i]
                                        : std::make_exception_ptr(contract::rejected_error("missing"))});
  }
  if (!missing.empty()) throw aggregate_error(std::move(missing));
  co_return seen->slots;
}

awaitable<contract::check_verdict> alternative_gather::do_validate(std::vector<operation> checks) {
  std::vector<std::string> names;
  for (const operation& one : checks) names.push_back(one.name);
  const auto seen = std::make_shared<landed_slots>();
  co_await run_all(env_.executor(), wrong_, std::move(checks), seen);
  contract::check_verdict verdict;
  std::size_t yes = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const gather_slot& slot = seen->slots[i];
    const bool said = slot.how == slot_end::value;
    const bool counts = said ? slot.value == 1 : is(takes_a_throwing_check_for_a_yes);
    if (counts) ++yes;
    if (!counts && !is(tells_no_causes_of_invalidity))
      verdict.causes.push_back(names[i] + ": " + (said ? "no" : slot.cause));
  }
  verdict.valid = is(is_valid_if_any_check_says_so) ? yes > 0 || names.empty() : yes == names.size();
  co_return verdict;
}

awaitable<std::vector<std::int64_t>> alternative_gather::do_first(
    std::size_t wanted, std::vector<operation> operations, std::function<void(std::int64_t)> give_back) {
  struct race {
    std::vector<std::int64_t> values;
    std::vector<aggregate_error::member> failures;
    std::size_t left = 0;
    std::weak_ptr<flight> all;
  };
  std::vector<std::int64_t> none;
  if (wanted == 0) co_return none;
  const auto seen = std::make_shared<race>();
  seen->left = operations.size();
  std::vector<std::string> names;
  for (const operation& one : operations) names.push_back(one.name);
  flight::landing land = [seen, names, wanted, give_back, wrong = wrong_](
                             std::size_t index, const gather_slot& slot, const std::exception_ptr& failure) {
    --seen->left;
    const bool failed = slot.how == slot_end::failed;
    const bool counts = slot.how == slot_end::value || (failed && wrong == counts_failures_as_values);
    if (failed && (wrong != tells_only_the_first_failure || seen->failures.empty()))
      seen->failures.push_back({names[index], failure});
    if (counts && seen->values.size() < wanted) {
      seen->values.push_back(slot.value.value_or(0));
      if (wrong == gives_back_what_it_returns) give_back(*slot.value);
    } else if (slot.value && wrong != keeps_values_that_came_too_late) {
      give_back(*slot.value);
    }
    const auto all = seen->all.lock();
    const bool enough = seen->values.size() == wanted;
    const bool in_vain = seen->values.size() + seen->left < wanted && wrong != waits_in_vain_for_too_few;
    const bool too_soon = failed && wrong == gives_up_at_the_first_failure;
    if (!all || (!enough && !in_vain && !too_soon)) return;
    if (wrong == leaves_losers_at_work) return all->abandon();
    if (wrong != waits_for_losers_to_end_by_themselves) all->stop();
  };
  const auto all = std::make_shared<flight>(env_.executor(), wrong_, std::move(land));
  seen->all = all;
  std::exception_ptr failure = co_await failure_of(all->fly(std::move(operations)));
  if (!failure && seen->values.size() == wanted) co_return seen->values;
  const bool keeps = failure ? is(keeps_values_when_it_is_cancelled) : is(keeps_values_when_it_fails);
  for (const std::int64_t one : seen->values)
    if (!keeps) give_back(one);
  if (failure) std::rethrow_exception(failure);
  if (seen->failures.empty()) throw contract::rejected_error("too few");
  throw aggregate_error(std::move(seen->failures));
}

awaitable<void> alternative_gather::do_each(std::vector<operation> operations, nanoseconds patience,
                                            std::function<void(std::size_t, const gather_slot&)> take) {
  struct told {
    std::weak_ptr<flight> all;
    std::vector<std::optional<gather_slot>> kept;
    std::size_t next = 0;
    bool cut_short = false;
  };
  const auto seen = std::make_shared<told>();
  seen->kept.resize(operations.size());
  flight::landing land = [seen, take, wrong = wrong_](std::size_t index, const gather_slot& slot,
                                                      const std::exception_ptr&) {
    const auto all = seen->all.lock();
    const bool is_stopped = all && all->is_stopping() && slot.how == slot_end::cancelled;
    if (is_stopped && wrong != tells_those_that_it_stopped) {
      seen->cut_short = true;
      return;
    }
    if (wrong != tells_in_order_of_input) take(index, slot);
    if (wrong == tells_an_outcome_twice) take(index, slot);
    if (wrong == ends_early && all) all->stop();
    seen->kept[index] = slot;
    for (; wrong == tells_in_order_of_input && seen->next < seen->kept.size() && seen->kept[seen->next];
         ++seen->next)
      take(seen->next, *seen->kept[seen->next]);
  };
  const auto all = std::make_shared<flight>(env_.executor(), wrong_, std::move(land));
  seen->all = all;
  co_await all->fly(std::move(operations), deadline_after(patience));
  const bool is_late = all->is_late() && (seen->cut_short || is(leaves_operations_at_its_deadline));
  if (is_late && !is(ends_well_at_its_deadline)) throw contract::timed_out_error();
}

}  // namespace assay
