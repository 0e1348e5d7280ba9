// A pool that conforms and is built otherwise than the reference: a worker is a task that is called in when there is
// work, takes one job after the other from a list that nobody keeps in order, and goes home when it finds none. To
// drain it before its start hands back what it was given.
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>
#include <assay/scenarios/flow/worker_pool/waiting.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using time_point = std::chrono::steady_clock::time_point;

// Which of several that wait for room goes on.
enum class admission { first_come, last_come };

class pool_in_shifts final : public contract::worker_pool {
 public:
  pool_in_shifts(environment& env, const contract::worker_pool_config& config, admission who)
      : env_(env),
        executor_(env.executor()),
        who_(who),
        workers_(static_cast<std::size_t>(config.workers)),
        capacity_(static_cast<std::size_t>(config.queue_capacity)),
        started_(config.started) {}
  ~pool_in_shifts() override {
    for (const auto& [id, one] : jobs_) {
      if (one->failed() && !one->told) env_.report_unhandled(one->failure);
    }
  }

  awaitable<void> drain() override {
    close();
    if (!started_) {
      for (const item& one : take_unstarted()) hand_back(one);
    }
    co_await idle();
  }

  awaitable<void> outcome(int id) override {
    const std::shared_ptr<job> asked = jobs_.at(id);
    pool_waiter self(executor_);
    while (!asked->ended) co_await wait_in(asked->askers, self, time_point::max());
    asked->told = true;
    if (asked->failed()) std::rethrow_exception(asked->failure);
    if (asked->failure) throw contract::rejected_error("the job was cancelled, or not executed");
  }

  void start() override {
    if (closed_ && on_shift_ > 0) throw contract::rejected_error("a drain is under way");
    closed_ = false;
    started_ = true;
    move_on();
  }

 protected:
  awaitable<void> do_submit(item one, contract::worker_pool_request how) override {
    if (closed_) throw contract::closed_error();
    if (submitters_.empty() && has_room()) {
      accept(std::move(one), how.priority);
      co_return;
    }
    pool_waiter self(executor_);
    self.offered = std::move(one);
    self.priority = how.priority;
    std::exception_ptr cancellation;
    try {
      co_await wait_in(submitters_, self, time_point::max());
    } catch (...) {
      cancellation = std::current_exception();
    }
    if (self.taken) co_return;
    if (cancellation) std::rethrow_exception(cancellation);
    if (closed_) throw contract::closed_error();
    contract::throw_cancelled();
  }

  awaitable<std::vector<item>> do_stop_now() override {
    std::size_t cancelled = 0;
    std::vector<item> unstarted = stop(cancelled);
    co_await shield(idle());
    co_return unstarted;
  }

  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override {
    const time_point deadline = deadline_after(patience);
    close();
    pool_waiter self(executor_);
    contract::worker_pool_report report;
    while (on_shift_ > 0 && std::chrono::steady_clock::now() < deadline)
      co_await wait_in(drainers_, self, deadline);
    if (on_shift_ > 0) {
      report.returned = stop(report.cancelled);
      report.unstarted = report.returned.size();
      co_await shield(idle());
    }
    co_return report;
  }

 private:
  struct job {
    bool failed() const { return failure && !is_cancellation(failure); }
    item one;
    std::int64_t priority = 0;
    bool begun = false;
    bool ended = false;
    bool told = false;
    std::exception_ptr failure;
    asio::cancellation_signal signal;
    pool_waiters askers;
  };

  bool has_room() const {
    const std::size_t free = started_ ? workers_ - on_shift_ + called_in_ : 0;
    return queue_.size() < capacity_ + free;
  }

  void accept(item one, std::int64_t priority) {
    auto made = std::make_shared<job>();
    const int id = one.id();
    made->one = std::move(one);
    made->priority = priority;
    jobs_[id] = made;
    queue_.push_back(std::move(made));
    move_on();
  }

  // Lets in who waits, and calls workers in.
  void move_on() {
    while (!closed_ && !submitters_.empty() && has_room()) {
      const auto next = who_ == admission::first_come ? submitters_.begin() : submitters_.end() - 1;
      pool_waiter& chosen = **next;
      submitters_.erase(next);
      chosen.taken = true;
      chosen.timer.cancel();
      accept(std::move(chosen.offered), chosen.priority);
    }
    while (started_ && on_shift_ < workers_ && called_in_ < queue_.size()) {
      ++on_shift_;
      ++called_in_;
      asio::co_spawn(executor_, shift(), [this](const std::exception_ptr& failure) {
        if (failure) env_.report_unhandled(failure);
        --on_shift_;
        move_on();
        if (on_shift_ == 0) wake_all(drainers_);
      });
    }
  }

  awaitable<void> shift() {
    --called_in_;
    while (!queue_.empty()) {
      // Of the most urgent the first: they lie as they came.
      const auto next = std::max_element(queue_.begin(), queue_.end(), [](const auto& a, const auto& b) {
        return a->priority < b->priority;
      });
      const std::shared_ptr<job> mine = *next;
      queue_.erase(next);
      running_.push_back(mine);
      move_on();
      std::exception_ptr failure;
      auto token = asio::bind_cancellation_slot(mine->signal.slot(), asio::use_awaitable);
      try {
        co_await asio::co_spawn(executor_, run(mine), token);
      } catch (...) {
        failure = std::current_exception();
      }
      std::erase(running_, mine);
      if (!mine->ended) end(*mine, failure);
    }
  }

  awaitable<void> run(std::shared_ptr<job> mine) {
    co_await asio::post(asio::use_awaitable);  // before it nothing may be asked of a task
    if (mine->ended) co_return;                // it was returned
    mine->begun = true;
    co_await execute(std::move(mine->one));
  }

  static void end(job& one, const std::exception_ptr& failure) {
    one.ended = true;
    one.failure = failure;
    wake_all(one.askers);
  }

  void close() {
    closed_ = true;
    wake_all(submitters_);
  }

  std::vector<item> take_unstarted() {
    std::vector<item> those;
    const auto cancelled =
        std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
    for (const auto& from : {running_, queue_}) {
      for (const auto& one : from) {
        if (one->begun || one->ended) continue;
        those.push_back(std::move(one->one));
        end(*one, cancelled);
      }
    }
    queue_.clear();
    return those;
  }

  std::vector<item> stop(std::size_t& cancelled) {
    close();
    std::vector<item> those = take_unstarted();
    for (const auto& one : running_) {
      if (!one->begun || one->ended) continue;
      ++cancelled;
      one->signal.emit(asio::cancellation_type::terminal);
    }
    return those;
  }

  awaitable<void> idle() {
    pool_waiter self(executor_);
    while (on_shift_ > 0) co_await wait_in(drainers_, self, time_point::max());
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const admission who_;
  const std::size_t workers_;
  const std::size_t capacity_;
  bool started_;
  bool closed_ = false;
  std::size_t on_shift_ = 0;   // workers
  std::size_t called_in_ = 0;  // of these, those that have not taken a job yet
  std::vector<std::shared_ptr<job>> queue_;
  std::vector<std::shared_ptr<job>> running_;
  std::map<int, std::shared_ptr<job>> jobs_;  // all of them: a request may be under way to one that has ended
  pool_waiters submitters_;
  pool_waiters drainers_;
};

detail::registrar in_shifts(const char* name, admission who) {
  subject_traits traits;
  traits.features = {"stop_now", "drain_deadline", "handles", "bounded", "restartable", "priorities"};
  if (who == admission::first_come) traits.features.emplace_back("fair");
  return detail::registrar(std::make_unique<subject<contract::worker_pool>>(
      name, subject_kind::alternative, std::move(traits),
      [who](environment& env, const contract::worker_pool_config& config) {
        return std::make_unique<pool_in_shifts>(env, config, who);
      }));
}

const detail::registrar fair = in_shifts("works_in_shifts", admission::first_come);
const detail::registrar unfair = in_shifts("works_in_shifts_last_come_first", admission::last_come);

}  // namespace
}  // namespace assay
