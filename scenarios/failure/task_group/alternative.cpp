#include <assay/scenarios/failure/task_group/alternative.hpp>

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
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::cancellation_type;
using contract::aggregate_error;
using contract::task_group;
using enum group_defect;

bool is_exit_request(const aggregate_error::member& failed) {
  try {
    std::rethrow_exception(failed.failure);
  } catch (const contract::exit_request&) {
    return true;
  } catch (...) {
    return false;
  }
}

std::exception_ptr cancelled() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

void do_later(const asio::any_io_executor& executor, int turns, std::function<void()> what) {
  if (turns == 0) return what();
  asio::post(executor, [executor, turns, what = std::move(what)] { do_later(executor, turns - 1, what); });
}

contract::child_end end_of(const std::exception_ptr& failure) {
  using contract::child_end;
  if (!failure) return child_end::well;
  return is_cancellation(failure) ? child_end::cancelled : child_end::failed;
}

// ---- parts of a failure

template <class Error>
bool is_a(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error&) {
    return true;
  } catch (...) {
    return false;
  }
}

bool is_of(contract::failure_kind kind, const std::exception_ptr& failure) {
  using contract::failure_kind;
  if (kind == failure_kind::closed) return is_a<contract::closed_error>(failure);
  if (kind == failure_kind::broken) return is_a<contract::broken_error>(failure);
  return is_a<contract::timed_out_error>(failure);
}

const aggregate_error* as_aggregate(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const aggregate_error& several) {
    return &several;  // lives as long as the pointer
  } catch (...) {
    return nullptr;
  }
}

bool holds(contract::failure_kind kind, const std::exception_ptr& failure) {
  const aggregate_error* const several = as_aggregate(failure);
  if (several == nullptr) return is_of(kind, failure);
  return std::any_of(several->members().begin(), several->members().end(),
                     [kind](const auto& one) { return holds(kind, one.failure); });
}

// What of a failure is of this kind, or what is not; null if that is nothing.
std::exception_ptr part_of(const std::exception_ptr& failure, contract::failure_kind kind, bool wanted,
                           group_defect wrong) {
  const aggregate_error* const several = as_aggregate(failure);
  if (several == nullptr) return is_of(kind, failure) == wanted ? failure : nullptr;
  std::vector<aggregate_error::member> part;
  for (const auto& one : several->members()) {
    const aggregate_error* const inner = as_aggregate(one.failure);
    if (inner != nullptr && wrong == splits_only_the_outermost) {
      if (holds(kind, one.failure) == wanted) part.push_back(one);
      continue;
    }
    const std::exception_ptr left = part_of(one.failure, kind, wanted, wrong);
    if (!left) continue;
    const aggregate_error* const of_it = as_aggregate(left);
    if (of_it != nullptr && wrong == flattens_what_it_splits) {
      part.insert(part.end(), of_it->members().begin(), of_it->members().end());
    } else {
      part.push_back({one.task, left});
    }
  }
  if (part.empty()) return nullptr;
  if (!wanted && wrong == turns_the_rest_around) std::rotate(part.begin(), part.begin() + 1, part.end());
  return std::make_exception_ptr(aggregate_error(std::move(part)));
}

// Not at all, if the child is asked to stop meanwhile.
awaitable<void> begin_later(int turns, const bool& asked, const task_group::work& run) {
  for (int i = 0; i < turns; ++i) {
    co_await asio::post(asio::use_awaitable);
    if (asked) contract::throw_cancelled();
  }
  co_await run();
}

}  // namespace

// Shared with the children, so that even a group that abandons them is safe to run.
class alternative_group::core : public std::enable_shared_from_this<core> {
 public:
  core(environment& env, const contract::task_group_config& config, group_manner how, group_defect wrong)
      : env_(env),
        executor_(env.executor()),
        collect_(config.collect),
        keeps_endings_(config.keeps_endings),
        how_(how),
        wrong_(wrong) {}

  awaitable<void> run(std::vector<child> children) {
    const auto self = shared_from_this();
    if (std::exchange(entered_, true) && !is(runs_twice))
      throw contract::rejected_error("the group has been run");
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    running_ = true;
    for (child& one : children) start(std::move(one), false);
    children.clear();
    while (true) {
      take_news();
      if (may_end()) break;
      boost::system::error_code ended;
      co_await alarm_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
      const bool requested = state.cancelled() != cancellation_type::none;
      if (requested && (requests_ == 0 || news_.empty())) take_request(state.cancelled());
    }
    running_ = false;
    if (is(keeps_closures_until_the_end)) kept_.clear();
    if (is(owes_nothing_when_it_has_ended)) endings_.clear();
    if (is(takes_a_request_with_the_failure) && !failures_.empty())
      co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_await asio::this_coro::throw_if_cancelled(throwing);
    const std::exception_ptr failure = outcome();
    if (failure) std::rethrow_exception(failure);
  }

  bool spawn(child one) {
    if (takes_children()) {
      any_came_later_ = true;
      start(std::move(one), true);
      return true;
    }
    if (is(begins_work_that_it_refuses)) asio::co_spawn(executor_, one.run(), [](std::exception_ptr) {});
    if (is(keeps_work_that_it_refuses)) kept_.push_back(std::move(one.run));
    return false;
  }

  // ---- one child alone

  void cancel_child(const std::string& name) {
    if (is(stops_the_group_for_one_child)) return stop();
    const member_ptr one = is(asks_the_first_child_instead) ? members_.front() : find(name);
    if (one) ask_later(one);
    if (one && is(counts_a_child_cancelled_alone_as_a_failure)) one->is_told = true;
  }

  awaitable<contract::child_end> join_child(std::string name) {
    const auto self = shared_from_this();
    const member_ptr one = find(name);
    if (!one) throw contract::rejected_error("there is no child " + name);
    asio::steady_timer alarm(executor_, asio::steady_timer::time_point::max());
    auto& alarms = is(ends_a_join_with_any_child) ? alarms_ : one->alarms;
    one->is_joined = true;
    const bool cancelled = co_await is_cancelled_while_waiting(alarms, alarm);
    if (one->ended || (is(ends_a_join_with_any_child) && !cancelled))
      co_return is(says_that_all_children_ended_well) ? contract::child_end::well : one->how;
    if (is(takes_the_child_along_with_its_joiner)) ask_later(one);
    contract::throw_cancelled();
  }

  awaitable<std::optional<contract::child_ending>> join_next() {
    const auto self = shared_from_this();
    std::optional<contract::child_ending> told;
    bool cancelled = false;
    while (endings_.empty() && (alive_ > 0 || is(leaves_the_last_call_waiting)) && !cancelled) {
      asio::steady_timer alarm(executor_, asio::steady_timer::time_point::max());
      cancelled = co_await is_cancelled_while_waiting(alarms_, alarm);
    }
    if (cancelled && is(loses_the_ending_of_a_cancelled_call) && !endings_.empty()) endings_.pop_front();
    if (endings_.empty() && cancelled) contract::throw_cancelled();
    if (endings_.empty()) co_return told;
    told.emplace(endings_.front());
    if (!is(tells_an_ending_twice) || std::exchange(told_twice_, true)) endings_.pop_front();
    co_return told;
  }

  awaitable<void> start_and_wait(std::string name, contract::task_group::starting_work work) {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    const auto self = shared_from_this();
    if (!takes_children() && !is(starts_children_after_its_end))
      throw contract::rejected_error("the group takes no more");
    const auto between = std::make_shared<handshake>();
    contract::task_group::ready_report report = [all = std::weak_ptr<core>(self), between] {
      const auto there = all.lock();
      return there && there->take_report(*between);
    };
    contract::task_group::work begin = [work = std::move(work), report] { return work(report); };
    child one(std::move(name), std::move(begin));
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const member_ptr started = start(std::move(one), true, between);
    while (!between->reported && !started->ended) {
      asio::steady_timer alarm(executor_, asio::steady_timer::time_point::max());
      const bool cancelled = co_await is_cancelled_while_waiting(started->alarms, alarm);
      if (between->reported || started->ended || !cancelled || between->given_up) continue;
      between->given_up = true;
      if (is(stops_the_group_for_one_starter)) stop();
      if (is(abandons_a_start_that_is_cancelled)) break;
      ask_later(started);
    }
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (between->reported && is(keeps_a_started_child_to_its_starter)) between->reported = false;
    if (between->reported || is(takes_a_start_for_done_when_the_child_ends)) co_return;
    if (between->failure && !is_cancellation(between->failure)) std::rethrow_exception(between->failure);
    const bool was_stopped = stopping_ && started->how == contract::child_end::cancelled;
    if (between->given_up || (was_stopped && !is(tells_stopped_starts_as_rejected)))
      contract::throw_cancelled();
    if (!started->ended) co_return;
    throw contract::rejected_error("the child ended before it was ready");
  }

  void cancel() {
    if (is(is_not_stopped_by_itself) || (is(forgets_a_cancel_before_it_runs) && !entered_)) return;
    stopped_itself_ = true;
    stop();
  }

  std::exception_ptr part(const std::exception_ptr& failure, contract::failure_kind kind, bool wanted) const {
    return part_of(failure, kind, wanted, wrong_);
  }
  bool is(group_defect defect) const { return wrong_ == defect; }

  void close() {
    closed_ = !is(takes_children_when_closed);
    if (is(stops_its_children_when_closed)) stop();
  }

 private:
  // Between a child that has been started and its starter.
  struct handshake {
    bool reported = false;
    bool given_up = false;  // the starter has been cancelled
    std::exception_ptr failure;
  };
  using alarms = std::list<asio::steady_timer*>;
  struct member {
    member(std::string member_name, bool later) : name(std::move(member_name)), came_later(later) {}
    const std::string name;
    const bool came_later;  // than the group began to run
    asio::cancellation_signal signal;
    bool is_through = false;
    bool ended = false;
    bool asked = false;
    bool is_joined = false;
    bool is_told = false;
    bool is_dropped = false;  // it never began
    contract::child_end how{};
    std::exception_ptr failure;
    std::shared_ptr<handshake> starting;
    core::alarms alarms;  // of those who wait for its end, or for its report
  };
  using member_ptr = std::shared_ptr<member>;

  bool is(group_manner manner) const { return how_ == manner; }

  bool takes_children() const {
    const bool runs =
        running_ || is(takes_children_after_its_end) || (is(takes_children_before_it_runs) && !entered_);
    const bool is_late = stopping_ && !is(group_manner::easy_going) && !is(takes_children_while_stopping) &&
                         !is(takes_children_while_stopping_and_lets_them_run);
    const bool has_failed = is(takes_no_children_after_a_failure) && !failures_.empty();
    return runs && !closed_ && !is_late && !has_failed;
  }

  // Those who wait are woken by their timers, which go when the frame that waits does.
  static awaitable<bool> is_cancelled_while_waiting(alarms& all, asio::steady_timer& alarm) {
    const auto self = all.insert(all.end(), &alarm);
    boost::system::error_code ended;
    std::exception_ptr failure;
    try {
      co_await alarm.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    } catch (...) {
      failure = std::current_exception();
    }
    all.erase(self);
    if (failure) std::rethrow_exception(failure);
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != cancellation_type::none;
  }
  static void wake_all(const alarms& all) {
    for (asio::steady_timer* const one : all) one->cancel();
  }

  member_ptr find(const std::string& name) const {
    const auto found = std::find_if(members_.rbegin(), members_.rend(), [&name](const member_ptr& one) {
      return one->name == name && !one->ended;
    });
    return found == members_.rend() ? nullptr : *found;
  }
  void ask_later(member_ptr one) {
    one->asked = true;
    asio::post(executor_, [all = shared_from_this(), asked = std::move(one)] {
      if (!asked->ended) asked->signal.emit(all->strength_);
    });
  }

  bool take_report(handshake& between) {
    const bool is_first = !between.reported;
    if (!is_first) return is(takes_a_second_report);
    const auto whose = std::find_if(members_.begin(), members_.end(), [&between](const member_ptr& one) {
      return one->starting.get() == &between;
    });
    const bool is_alive = whose != members_.end() && !(*whose)->ended;
    if ((!is_alive && !is(waits_for_no_start)) || between.given_up) return false;
    between.reported = true;
    if (is_alive) wake_all((*whose)->alarms);
    return true;
  }

  bool is_being_started(const member& one) const { return one.starting && !one.starting->reported; }

  // What others than the runner have to know of the end of a child.
  void tell_end(member& self) {
    self.how = self.is_dropped ? contract::child_end::cancelled : end_of(self.failure);
    if (is_being_started(self)) self.starting->failure = self.failure;
    wake_all(self.alarms);
    const bool is_passed_over = is(tells_no_cancelled_children) && self.how == contract::child_end::cancelled;
    if (keeps_endings_ && !is_passed_over) endings_.push_back({self.name, self.how});
    wake_all(alarms_);
  }

  member_ptr start(child one, bool later, std::shared_ptr<handshake> starting = nullptr) {
    const auto self = std::make_shared<member>(std::move(one.name), later);
    self->starting = std::move(starting);
    ++alive_;
    const bool is_forgotten = later && is(forgets_children_that_came_later);
    if (!is_forgotten && !is(lists_children_after_their_first_turn)) members_.push_back(self);
    if (is(keeps_closures_until_it_goes) || is(keeps_closures_until_the_end)) kept_.push_back(one.run);
    auto ended = [all = shared_from_this(), self](std::exception_ptr) {
      self->ended = true;
      --all->alive_;
      all->tell_end(*self);
      all->news_.push_back(self);
      all->wake();
    };
    asio::co_spawn(executor_, live(shared_from_this(), self, std::move(one.run)),
                   asio::bind_cancellation_slot(self->signal.slot(), std::move(ended)));
    if (is(lists_children_after_their_first_turn)) members_.push_back(self);
    if (self->is_through && is(forgets_children_that_end_within_their_start)) members_.remove(self);
    return self;
  }

  static awaitable<void> live(std::shared_ptr<core> all, member_ptr self, work run) {
    if (all->stopping_ && !all->is(takes_children_while_stopping_and_lets_them_run)) {
      self->is_dropped = true;
      co_return;
    }
    if (all->is(makes_a_request_an_event)) co_await asio::this_coro::throw_if_cancelled(false);
    self->failure = co_await failure_of(begin_later(all->turns_before_a_child(), self->asked, run));
    self->is_through = true;
    if (all->is(lists_children_after_their_first_turn) && self->failure) all->take_failure_at_once(*self);
    const bool was_dropped = all->is(group_manner::impatient) && all->abandoned_;
    if (was_dropped && self->failure && !is_cancellation(self->failure))
      all->env_.report_unhandled(std::exchange(self->failure, nullptr));
    if (all->is(lets_go_of_late_children_late) && self->came_later) do_later(all->executor_, 5, [run] {});
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await asio::this_coro::throw_if_cancelled(false);
  }

  int turns_before_a_child() const {
    if (is(drops_children_before_their_first_step)) return 1;
    return is(group_manner::unhurried) ? 3 : 0;
  }

  void take_news() {
    while (!news_.empty()) {
      const member_ptr ended = std::move(news_.front());
      news_.pop_front();
      members_.remove(ended);
      any_ended_ = true;
      if (!ended->failure) continue;
      if (is_being_started(*ended) && !is(tells_a_failed_start_to_the_group)) continue;
      if (is(keeps_a_started_child_to_its_starter) && ended->starting) continue;
      if (is(leaves_a_failure_to_the_joiner) && ended->is_joined) continue;
      if (is_cancellation(ended->failure)) {
        take_giving_up(*ended);
      } else {
        take_failure(*ended);
      }
    }
  }

  void take_giving_up(const member& ended) {
    given_up_.push_back({ended.name, ended.failure});
    if (ended.is_told || (is(counts_giving_up_as_a_failure) && !stopping_))
      failures_.push_back(given_up_.back());
    if (is(stops_when_a_child_gives_up)) stop();
    if (is(stops_when_a_child_that_started_another_gives_up) && any_came_later_) stop();
  }

  void take_failure(const member& failed) {
    if (is(drops_failures_while_stopping) && stopping_) return;
    failures_.push_back({failed.name, failed.failure});
    if (is(tells_the_hook_as_well)) env_.report_unhandled(failed.failure);
    if (is(ends_with_the_first_failure)) abandoned_ = true;
    if (is(lets_an_exit_request_wait_for_nobody) && is_exit_request(failures_.back())) abandoned_ = true;
    if (collect_ && !is(stops_siblings_in_collect_mode)) return;
    if (is(leaves_siblings_of_a_failure_alone) || is(ends_with_the_first_failure)) return;
    if (is(goes_on_without_its_body) && failed.name == body_name) return;
    stop();
  }

  void take_failure_at_once(const member& failed) {
    if (!is_cancellation(failed.failure) && !collect_) stop();
  }

  void take_request(cancellation_type latest) {
    ++requests_;
    if (is(passes_no_request_on)) return;
    if (is(passes_only_the_first_request_on_as_it_is) && requests_ == 1) strength_ = latest;
    stop();
    if (is(abandons_children_when_cancelled)) abandoned_ = true;
    if (is(abandons_children_when_cancelled_twice) && requests_ > 1) abandoned_ = true;
  }

  bool may_end() const {
    if (is(waits_for_an_end_even_if_empty) && !any_ended_) return false;
    if (is(waits_for_no_start))
      return abandoned_ || std::all_of(members_.begin(), members_.end(),
                                       [this](const member_ptr& one) { return is_being_started(*one); });
    return abandoned_ || members_.empty();
  }

  void wake() {
    if (is(wakes_nobody_while_stopping) && requests_ > 0) return;
    const int turns = is(group_manner::unhurried) ? 2 : 0;
    do_later(executor_, turns, [self = shared_from_this()] { self->alarm_.cancel(); });
  }

  void stop() {
    if (std::exchange(stopping_, true) && !is(repeats_the_request_at_every_failure)) return;
    std::size_t asked_so_far = 0;
    for (auto one = members_.rbegin(); one != members_.rend(); ++one) {
      if (!is_asked(**one)) continue;
      if (is(asks_no_more_than_thirty_two) && ++asked_so_far > 32) break;
      ask_later(*one);
    }
    if (!is(group_manner::impatient)) return;
    patience_ = std::make_shared<asio::steady_timer>(executor_, std::chrono::nanoseconds(1));
    patience_->async_wait([all = shared_from_this(), timer = patience_](boost::system::error_code) {
      all->abandoned_ = all->running_;
      all->wake();
    });
  }

  bool is_asked(const member& one) const {
    if (is(spares_starts_when_it_stops) && is_being_started(one)) return false;
    if (is(leaves_the_body_alone)) return one.name != body_name;
    const bool known = is(asks_only_children_before_the_failed_one) && !failures_.empty();
    return !known || one.name < failures_.front().task;
  }

  void bend_failures(bool requested) {
    if (is(group_manner::unhurried)) std::reverse(failures_.begin(), failures_.end());
    switch (wrong_) {
      case keeps_only_the_first_failure:
        if (failures_.size() > 1) failures_.resize(1);
        break;
      case tells_failures_without_names:
        for (auto& one : failures_) one.task = "task";
        break;
      case tells_failures_in_order_of_names:
        std::sort(failures_.begin(), failures_.end(),
                  [](const auto& one, const auto& other) { return one.task < other.task; });
        break;
      case lists_the_children_it_cancelled:
        if (!failures_.empty()) failures_.insert(failures_.end(), given_up_.begin(), given_up_.end());
        break;
      case tells_a_cancellation_as_an_aggregate:
        if (requested && failures_.empty()) failures_.push_back({"run", cancelled()});
        break;
      case does_not_list_the_body:
        if (failures_.size() > 1)
          std::erase_if(failures_, [](const auto& one) { return one.task == body_name; });
        break;
      case prefers_failures_to_an_exit_request:
        if (std::all_of(failures_.begin(), failures_.end(), is_exit_request)) break;
        for (const auto& one : failures_)
          if (is_exit_request(one)) env_.report_unhandled(one.failure);
        std::erase_if(failures_, is_exit_request);
        break;
      default:
        break;
    }
  }

  // What the group ends with; null for a value.
  std::exception_ptr outcome() {
    const bool is_hidden =
        is(tells_a_cancellation_as_a_value) || (is(ends_well_if_no_child_was_cancelled) && given_up_.empty());
    const bool forgets = is(forgets_requests_beside_its_own) && stopped_itself_;
    const bool requested = requests_ > 0 && !is_hidden && !forgets;
    if (stopped_itself_ && is(ends_as_cancelled_by_itself) && failures_.empty()) return cancelled();
    if (stopped_itself_ && is(hides_failures_behind_its_own_request)) return nullptr;
    if (requested && is(hides_failures_behind_a_cancellation)) return cancelled();
    bend_failures(requested);
    if (failures_.empty()) return requested ? cancelled() : nullptr;
    auto bare = std::find_if(failures_.begin(), failures_.end(), is_exit_request);
    if (is(wraps_an_exit_request)) bare = failures_.end();
    if (is(group_manner::easy_going)) bare = failures_.end() - 1;
    const bool unwraps = is(group_manner::unhurried) || is(unwraps_a_single_failure);
    if (unwraps && failures_.size() == 1) bare = failures_.begin();
    if (bare == failures_.end()) return std::make_exception_ptr(aggregate_error(std::move(failures_)));
    const std::exception_ptr thrown = bare->failure;
    failures_.erase(bare);
    if (is(drops_failures_beside_an_exit_request)) return thrown;
    for (const auto& one : failures_) env_.report_unhandled(one.failure);
    return thrown;
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const bool collect_;
  const bool keeps_endings_;
  const group_manner how_;
  const group_defect wrong_;
  asio::steady_timer alarm_{executor_, asio::steady_timer::time_point::max()};
  std::shared_ptr<asio::steady_timer> patience_;
  std::list<member_ptr> members_;  // of whose end the runner has not heard
  std::deque<member_ptr> news_;
  std::vector<aggregate_error::member> failures_;  // in the order of the news
  std::vector<aggregate_error::member> given_up_;
  std::vector<work> kept_;
  cancellation_type strength_ = cancellation_type::terminal;
  std::deque<contract::child_ending> endings_;  // that nobody has been told
  alarms alarms_;                               // of those who wait for the next ending
  std::size_t alive_ = 0;
  std::uint32_t requests_ = 0;  // from outside
  bool entered_ = false;
  bool stopped_itself_ = false;
  bool told_twice_ = false;
  bool running_ = false;
  bool closed_ = false;
  bool stopping_ = false;
  bool abandoned_ = false;  // the group ends whoever is at work
  bool any_came_later_ = false;
  bool any_ended_ = false;
};

alternative_group::alternative_group(environment& env, const contract::task_group_config& config,
                                     group_manner how, group_defect wrong)
    : core_(std::make_shared<core>(env, config, how, wrong)) {}

void alternative_group::close() { core_->close(); }
void alternative_group::cancel() { core_->cancel(); }
void alternative_group::cancel_child(const std::string& child_name) { core_->cancel_child(child_name); }

awaitable<contract::child_end> alternative_group::join_child(std::string child_name) {
  return core_->join_child(std::move(child_name));
}

awaitable<std::optional<contract::child_ending>> alternative_group::join_next() { return core_->join_next(); }

awaitable<void> alternative_group::do_start(std::string child_name, starting_work work) {
  return core_->start_and_wait(std::move(child_name), std::move(work));
}

awaitable<void> alternative_group::do_run_split(std::vector<child> children,
                                                std::vector<contract::failure_kind> kinds, part_taker take) {
  const std::shared_ptr<core> all = core_;
  std::exception_ptr left = co_await failure_of(all->run(std::move(children)));
  for (const contract::failure_kind kind : kinds) {
    if (!left) break;
    const std::exception_ptr taken = all->part(left, kind, true);
    const bool takes_all = all->is(hands_cancellations_to_a_taker) && is_cancellation(left);
    if (taken || takes_all) take(kind, describe(taken ? taken : left));
    if (takes_all) left = nullptr;
    if (!taken || all->is(splits_the_whole_for_every_kind)) continue;
    left = all->is(drops_what_nobody_took) ? nullptr : all->part(left, kind, false);
  }
  if (left) std::rethrow_exception(left);
}

awaitable<void> alternative_group::do_run(std::vector<child> children) {
  return core_->run(std::move(children));
}

awaitable<void> alternative_group::do_run_with_body(std::vector<child> children, work body) {
  children.emplace(children.begin(), std::string(body_name), std::move(body));
  return core_->run(std::move(children));
}

bool alternative_group::do_spawn(child one) { return core_->spawn(std::move(one)); }

namespace {

// The smallest group: it begins all children, asks the others to stop at the first failure, and throws that; the hook is
// told of what they fail with then.
class least_group final : public task_group {
 public:
  least_group(environment& env, const contract::task_group_config&)
      : env_(env), executor_(env.executor()), news_(executor_, asio::steady_timer::time_point::max()) {}

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    return holding_requests(run_all(std::move(children)));
  }

 private:
  awaitable<void> run_all(std::vector<child> children) {
    alive_ = children.size();
    for (child& one : children) start(std::move(one.run));
    bool requested = false;
    while (true) {
      if (requested || failure_) stop();
      if (alive_ == 0) break;
      boost::system::error_code ended;
      co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
      requested = state.cancelled() != cancellation_type::none;
    }
    if (failure_) std::rethrow_exception(failure_);
    if (requested) contract::throw_cancelled();
  }

  void start(work run) {
    auto ended = [this](std::exception_ptr) {
      --alive_;
      news_.cancel();
    };
    asio::co_spawn(executor_, live(std::move(run)),
                   asio::bind_cancellation_slot(signals_.emplace_back().slot(), std::move(ended)));
  }
  awaitable<void> live(work run) {
    if (stopping_) co_return;
    const std::exception_ptr failure = co_await failure_of(run());
    const bool fails = failure && !is_cancellation(failure);
    if (fails && failure_) env_.report_unhandled(failure);
    if (fails && !failure_) failure_ = failure;
    co_await asio::this_coro::throw_if_cancelled(false);  // co_spawn awaits something still
  }
  void stop() {
    if (std::exchange(stopping_, true)) return;
    for (asio::cancellation_signal& one : signals_) one.emit(cancellation_type::terminal);
  }

  environment& env_;
  const asio::any_io_executor executor_;
  asio::steady_timer news_;
  std::deque<asio::cancellation_signal> signals_;
  std::size_t alive_ = 0;
  std::exception_ptr failure_;
  bool stopping_ = false;
};

const implements<least_group> least("least", subject_kind::alternative, {});

const implements<alternative_group> plain("alternative", subject_kind::alternative,
                                          {.features = claims_of_alternative_group()}, group_manner::plain);

const implements<alternative_group> easy_going(
    "alternative_easy_going", subject_kind::alternative,
    {.features = {"cleanup", "dynamic_spawn", "nested_spawn", "body_failure", "own_cancellation",
                  "cancelled_outcome", "collect", "handles", "split", "own_cancel"}},
    group_manner::easy_going);

const implements<alternative_group> unhurried(
    "alternative_unhurried", subject_kind::alternative,
    {.features = {"cleanup",       "dynamic_spawn", "nested_spawn",     "close",
                  "late_refusal",  "body_failure",  "own_cancellation", "cancelled_outcome",
                  "fatal_class",   "collect",       "lifetime",         "handles",
                  "split",         "started",       "own_cancel",       "keeps_outside_request",
                  "checked_entry", "scope_handle",  "join_next",        "never_starts"}},
    group_manner::unhurried);

const implements<alternative_group> impatient(
    "alternative_impatient", subject_kind::alternative,
    {.features = {"dynamic_spawn", "nested_spawn", "close", "late_refusal", "body_failure",
                  "own_cancellation", "cancelled_outcome", "always_aggregate", "ordered_failures",
                  "fatal_class", "collect"}},
    group_manner::impatient);

}  // namespace
}  // namespace assay
