// A lifespan of a third make, that has every feature: a manager, a coroutine of its own, walks through the steps,
// each of which is a task; whoever runs the lifespan only waits for the manager, and passes requests on, a turn
// later.
//
// Where the standard leaves freedom it differs from the reference: every user is asked to stop as soon as
// stopping begins, and has both limits; what is held is removed in the order of registration, not in reverse; what
// times out is reported, and is no failure; a single failure is thrown as it is; there are turns between the steps.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {

/// How its limits can be wrong.
ASSAY_DEFECTS(limit_defect, none, stop_is_not_bounded, limit_is_a_constant, limits_overflow,
              waits_for_whoever_ignores_it, stop_is_not_asked, timeouts_are_not_reported,
              everything_in_time_is_reported, goes_on_at_the_stop_limit, takes_late_comers)

class managed_lifespan final : public contract::lifespan {
 public:
  /// `checked`: whether it notices that it is destroyed before its run has ended.
  managed_lifespan(environment& env, const contract::lifespan_config& limits,
                   limit_defect wrong = limit_defect::none, bool checked = true)
      : executor_(env.executor()),
        limits_(bent(limits, wrong)),
        wrong_(wrong),
        checked_(checked),
        watch_(executor_),
        end_(executor_, never) {}
  ~managed_lifespan() override {
    if (checked_ && running_ && !watch_.ending()) std::abort();  // destroyed before its run has ended
  }

  std::vector<std::string> stop_timeouts() const override {
    if (wrong_ == limit_defect::timeouts_are_not_reported) return {};
    if (wrong_ != limit_defect::everything_in_time_is_reported) return timed_out_;
    std::vector<std::string> all;
    for (const auto& each : resources_) all.insert(all.begin(), each->name);
    return all;
  }

  std::size_t held() const override { return held_.size(); }

 protected:
  void do_add(std::string name, step start, step stop) override {
    resources_.push_back(std::make_unique<resource>(std::move(name), std::move(start), std::move(stop)));
  }

  awaitable<void> do_run(step body) override {
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (std::exchange(entered_, true)) throw contract::rejected_error("a lifespan runs once");
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    running_ = true;
    boost::asio::co_spawn(executor_, manage(std::move(body)), [this](const std::exception_ptr&) {
      running_ = false;
      end_.cancel();
    });
    while (running_) {
      boost::system::error_code ignored;
      co_await end_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
      if (running_) pass_on();
    }
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    throw_outcome();
  }

  void do_start_user(std::string resource_name, std::string name, step work) override {
    refuse_late_comers();
    for (const auto& each : resources_) {
      if (each->name != resource_name) continue;
      each->users.remove_if([](const task_ptr& one) { return one->over; });
      each->users.push_back(begin(std::move(name), std::move(work), kind::user));
      return;
    }
    throw contract::rejected_error("no such resource");
  }

  std::uint64_t do_hold(std::string name, step remove) override {
    refuse_late_comers();
    held_.emplace(++last_id_, std::make_pair(std::move(name), std::move(remove)));
    return last_id_;
  }

  awaitable<void> do_release(std::uint64_t id) override {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    const auto found = held_.find(id);
    if (found == held_.end()) co_return;
    std::string name = std::move(found->second.first);
    step remove = std::move(found->second.second);
    held_.erase(found);
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const task_ptr removal = begin(std::move(name), std::move(remove), kind::removal);
    co_await wait_for(removal, never);
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    if (removal->failure) std::rethrow_exception(removal->failure);
  }

 private:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();

  enum class kind { start, body, user, stop, removal };  // a removal's failure belongs to who asked for it

  struct task {
    task(const boost::asio::any_io_executor& executor, std::string task_name, kind task_role)
        : name(std::move(task_name)), role(task_role), bell(executor) {}
    std::string name;
    kind role;
    boost::asio::cancellation_signal signal;
    boost::asio::steady_timer bell;  // rung at the end
    std::exception_ptr failure;
    bool begun = false;
    bool at_work = false;
    bool asked = false;
    bool over = false;
  };
  using task_ptr = std::shared_ptr<task>;

  struct resource {
    resource(std::string resource_name, step start_step, step stop_step)
        : name(std::move(resource_name)), start(std::move(start_step)), stop(std::move(stop_step)) {}
    std::string name;
    step start;
    step stop;
    std::list<task_ptr> users;
  };

  // As bind_cancellation_slot, but without an executor: requests are made at once, not posted.
  class completion {
   public:
    using cancellation_slot_type = boost::asio::cancellation_slot;
    completion(managed_lifespan& life, task_ptr self) : life_(&life), self_(std::move(self)) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return self_->signal.slot(); }
    void operator()(std::exception_ptr failure) const {
      self_->over = true;
      self_->failure = std::move(failure);
      life_->note(*self_);
      self_->bell.cancel();
    }

   private:
    managed_lifespan* life_;
    task_ptr self_;
  };

  static contract::lifespan_config bent(contract::lifespan_config limits, limit_defect wrong) {
    constexpr auto endless = std::chrono::nanoseconds::max();
    if (wrong == limit_defect::stop_is_not_bounded) limits.stop_limit = endless;
    if (wrong == limit_defect::limit_is_a_constant) limits.stop_limit = std::chrono::milliseconds(10);
    if (wrong == limit_defect::waits_for_whoever_ignores_it) limits.force_limit = endless;
    if (wrong != limit_defect::limits_overflow) return limits;
    return {overflowing_limit(limits.stop_limit), overflowing_limit(limits.force_limit)};
  }
  void refuse_late_comers() const {
    if (!accepting_ && wrong_ != limit_defect::takes_late_comers) throw contract::closed_error();
  }
  static time_point after(time_point when, std::chrono::nanoseconds limit) {
    return deadline_after(when, limit);
  }

  static awaitable<void> live(task_ptr self, step work) {
    self->begun = true;
    for (int i = 0; i < 2; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
    if (self->asked) contract::throw_cancelled();
    self->at_work = true;
    std::exception_ptr failure;
    try {
      co_await work();
    } catch (...) {
      failure = std::current_exception();
    }
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (failure) std::rethrow_exception(failure);
  }
  task_ptr begin(std::string name, step work, kind role) {
    const auto made = std::make_shared<task>(executor_, std::move(name), role);
    boost::asio::co_spawn(executor_, live(made, std::move(work)), completion(*this, made));
    return made;
  }
  static void ask(const task_ptr& one) {
    if (one->over || std::exchange(one->asked, true)) return;
    if (one->begun) one->signal.emit(boost::asio::cancellation_type::terminal);
  }
  // True if it has ended by then.
  static awaitable<bool> wait_for(task_ptr one, time_point deadline) {
    while (!one->over && std::chrono::steady_clock::now() < deadline) {
      boost::system::error_code ignored;
      one->bell.expires_at(deadline);
      co_await one->bell.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    co_return one->over;
  }

  void note(const task& ended) {
    if (!ended.failure || ended.role == kind::removal) return;
    if (!is_cancellation(ended.failure)) {
      failures_.push_back({ended.name, ended.failure});
    } else if (ended.role == kind::start || ended.role == kind::body) {
      cancelled_ = true;
    }
  }

  // A request from outside is remembered, and reaches the step that is under way, if that is no stop.
  void pass_on() {
    requested_ = true;
    if (!accepting_) return;
    boost::asio::post(executor_, [one = current_] {
      if (one) ask(one);
    });
  }

  awaitable<bool> take(std::string name, step work, kind role) {
    if (requested_) cancelled_ = true;
    if (requested_) co_return false;
    current_ = begin(std::move(name), std::move(work), role);
    co_await wait_for(current_, never);
    const task_ptr ended = std::exchange(current_, nullptr);
    co_return !ended->failure;
  }

  awaitable<void> manage(step body) {
    accepting_ = true;
    std::size_t started = 0;
    bool well = true;
    while (well && started < resources_.size()) {
      const resource& next = *resources_[started];
      std::string name = next.name;
      step start = next.start;
      well = co_await take(std::move(name), std::move(start), kind::start);
      if (well) ++started;
    }
    if (well) {
      std::string name = "body";
      co_await take(std::move(name), std::move(body), kind::body);
    }
    accepting_ = false;
    co_await stop_all(started);
  }

  awaitable<void> stop_all(std::size_t started) {
    const time_point begun = std::chrono::steady_clock::now();
    for (const auto& each : resources_)
      for (const task_ptr& user : each->users) ask(user);
    while (!held_.empty()) {
      auto node = held_.extract(held_.begin());
      std::string name = std::move(node.mapped().first);
      step remove = std::move(node.mapped().second);
      co_await stop_one(std::move(name), std::move(remove));
    }
    for (std::size_t i = started; i-- > 0;) {
      resource& last = *resources_[i];
      for (const task_ptr& user : last.users) {
        const bool in_time =
            co_await wait_for(user, after(after(begun, limits_.stop_limit), limits_.force_limit));
        if (in_time) continue;
        timed_out_.push_back(user->name);
        left_.push_back(user);
      }
      std::string name = last.name;
      step stop = last.stop;
      co_await stop_one(std::move(name), std::move(stop));
    }
    for (const task_ptr& one : left_) co_await wait_for(one, never);
  }
  awaitable<void> stop_one(std::string name, step stop) {
    const task_ptr stopping = begin(std::move(name), std::move(stop), kind::stop);
    const time_point limit = after(std::chrono::steady_clock::now(), limits_.stop_limit);
    const bool in_time = co_await wait_for(stopping, limit);
    if (in_time) co_return;
    timed_out_.push_back(stopping->name);
    // A stop that has no time begins all the same.
    while (!stopping->at_work && !stopping->over) co_await boost::asio::post(boost::asio::use_awaitable);
    if (wrong_ != limit_defect::stop_is_not_asked) ask(stopping);
    const time_point force_limit =
        wrong_ == limit_defect::goes_on_at_the_stop_limit ? limit : after(limit, limits_.force_limit);
    const bool obeyed = co_await wait_for(stopping, force_limit);
    if (!obeyed) left_.push_back(stopping);
  }

  void throw_outcome() {
    if (failures_.size() > 1) throw contract::aggregate_error(std::exchange(failures_, {}));
    if (!failures_.empty()) std::rethrow_exception(std::exchange(failures_, {}).front().failure);
    if (cancelled_) contract::throw_cancelled();
  }

  const boost::asio::any_io_executor executor_;
  const contract::lifespan_config limits_;
  const limit_defect wrong_;
  const bool checked_;
  const context_watch watch_;
  boost::asio::steady_timer end_;  // of the manager
  std::vector<std::unique_ptr<resource>> resources_;
  std::map<std::uint64_t, std::pair<std::string, step>> held_;  // in the order of registration
  std::uint64_t last_id_ = 0;
  task_ptr current_;
  std::vector<task_ptr> left_;  // who did not end within the limits
  std::vector<contract::aggregate_error::member> failures_;
  std::vector<std::string> timed_out_;
  bool entered_ = false;
  bool running_ = false;
  bool accepting_ = false;
  bool requested_ = false;
  bool cancelled_ = false;
};

}  // namespace assay
