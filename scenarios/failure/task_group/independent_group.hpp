// A task group that is made differently from the reference's and conforms as well: the standard may not be
// stricter than its text.
//
// What is different: children begin inside the call that starts them; a child's end is news in a queue, which
// the runner (the coroutine of `run`) takes in a turn of its own, so siblings hear of a failure later; they are
// asked to stop in reverse order, each in its own turn; the end of the group is the runner's decision.
//
// Every decision is a virtual function: a mutant overrides one, and is otherwise this. What children still need
// is shared with them, so that even a group that abandons its children is safe to run.
#pragma once

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
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {

class independent_core : public std::enable_shared_from_this<independent_core> {
 public:
  using child = contract::task_group::child;
  using work = contract::task_group::work;
  using cancellation_type = boost::asio::cancellation_type;

  independent_core(environment& env, bool collect)
      : env_(env),
        executor_(env.executor()),
        collect_(collect),
        alarm_(executor_, boost::asio::steady_timer::time_point::max()) {}
  independent_core(const independent_core&) = delete;
  independent_core& operator=(const independent_core&) = delete;
  virtual ~independent_core() = default;

  boost::asio::awaitable<void> run(std::vector<child> children);
  virtual bool spawn(child one) {
    if (!takes_children()) return false;
    start(std::move(one));
    return true;
  }
  virtual void close() { closed_ = true; }

 protected:
  struct member {
    explicit member(std::string member_name) : name(std::move(member_name)) {}
    std::string name;
    boost::asio::cancellation_signal signal;
    bool ended = false;
    std::exception_ptr failure;
  };
  using member_ptr = std::shared_ptr<member>;
  using failure_list = std::vector<contract::aggregate_error::member>;

  static bool is_cancellation(const std::exception_ptr& failure) {
    return describe(failure).kind == outcome_kind::cancelled;
  }
  static bool is_exit_request(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const contract::exit_request&) {
      return true;
    } catch (...) {
      return false;
    }
  }

  // ---- the decisions

  virtual bool takes_children() const { return running_ && !closed_ && !stopping_; }
  /// Whether a child that begins while the group is stopping runs at all.
  virtual bool begins(const member&) const { return !stopping_; }
  virtual bool counts(const member&) const { return true; }
  /// What a child is to do, before it begins; and what else there is to do after its first turn.
  virtual work adopt(work run) { return run; }
  virtual void started(const member_ptr&) {}
  virtual bool is_failure(const member& ended) const {
    return ended.failure && !is_cancellation(ended.failure);
  }
  virtual void on_failure(const member&) {
    if (!collect_) stop();
  }
  virtual void on_end(const member&) {}
  /// `times` counts the requests from outside.
  virtual void on_request(std::uint32_t /*times*/, cancellation_type /*latest*/) { stop(); }
  virtual bool may_end() const { return members_.empty(); }
  virtual bool is_asked(const member&) const { return true; }
  virtual cancellation_type strength() const { return cancellation_type::terminal; }
  /// Whether a child that goes on waiting after a request hears of it again.
  virtual bool requests_stay() const { return true; }
  virtual void wake() { alarm_.cancel(); }
  virtual void stop() {
    if (std::exchange(stopping_, true)) return;
    ask_all();
  }
  /// What the group ends with; null for a value.
  virtual std::exception_ptr outcome(bool requested);

  void start(child one);
  void ask_all();
  std::exception_ptr cancelled() const {
    return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
  }

  environment& env_;
  const boost::asio::any_io_executor executor_;
  const bool collect_;
  std::list<member_ptr> members_;  // of whose end the runner has not heard
  std::deque<member_ptr> news_;
  failure_list failures_;  // in the order of the news
  boost::asio::steady_timer alarm_;
  bool running_ = false;
  bool closed_ = false;
  bool stopping_ = false;

 private:
  static boost::asio::awaitable<void> live(std::shared_ptr<independent_core> core, member_ptr self, work run);
  void take_news();
};

inline boost::asio::awaitable<void> independent_core::run(std::vector<child> children) {
  const std::shared_ptr<independent_core> self = shared_from_this();
  const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  running_ = true;
  for (child& one : children) start(std::move(one));
  children.clear();
  std::uint32_t requests = 0;
  while (true) {
    take_news();
    if (may_end()) break;
    boost::system::error_code ended;
    co_await alarm_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ended));
    const boost::asio::cancellation_state state = co_await boost::asio::this_coro::cancellation_state;
    const bool requested = state.cancelled() != cancellation_type::none;
    if (requested && (requests == 0 || news_.empty())) on_request(++requests, state.cancelled());
  }
  running_ = false;
  co_await boost::asio::this_coro::throw_if_cancelled(throwing);
  const std::exception_ptr failure = outcome(requests > 0);
  if (failure) std::rethrow_exception(failure);
}

inline void independent_core::start(child one) {
  const auto self = std::make_shared<member>(std::move(one.name));
  if (counts(*self)) members_.push_back(self);
  boost::asio::co_spawn(executor_, live(shared_from_this(), self, adopt(std::move(one.run))),
                        boost::asio::bind_cancellation_slot(
                            self->signal.slot(), [core = shared_from_this(), self](std::exception_ptr) {
                              self->ended = true;
                              core->news_.push_back(self);
                              core->wake();
                            }));
  started(self);
}

inline boost::asio::awaitable<void> independent_core::live(std::shared_ptr<independent_core> core,
                                                           member_ptr self, work run) {
  if (!core->begins(*self)) co_return;
  if (!core->requests_stay()) co_await boost::asio::this_coro::throw_if_cancelled(false);
  try {
    co_await run();
  } catch (...) {
    self->failure = std::current_exception();
  }
  // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
  co_await boost::asio::this_coro::throw_if_cancelled(false);
}

inline void independent_core::take_news() {
  while (!news_.empty()) {
    const member_ptr ended = std::move(news_.front());
    news_.pop_front();
    members_.remove(ended);
    on_end(*ended);
    if (!is_failure(*ended)) continue;
    failures_.push_back({ended->name, ended->failure});
    on_failure(*ended);
  }
}

inline void independent_core::ask_all() {
  for (auto one = members_.rbegin(); one != members_.rend(); ++one) {
    if (!is_asked(**one)) continue;
    boost::asio::post(executor_, [core = shared_from_this(), asked = *one] {
      if (!asked->ended) asked->signal.emit(core->strength());
    });
  }
}

inline std::exception_ptr independent_core::outcome(bool requested) {
  std::exception_ptr fatal;
  for (const auto& one : failures_) {
    if (!fatal && is_exit_request(one.failure)) fatal = one.failure;
  }
  if (fatal) {
    for (const auto& one : failures_) {
      if (one.failure != fatal) env_.report_unhandled(one.failure);
    }
    return fatal;
  }
  if (!failures_.empty()) return std::make_exception_ptr(contract::aggregate_error(std::move(failures_)));
  return requested ? cancelled() : nullptr;
}

template <class Core>
class independent_group final : public contract::task_group {
 public:
  independent_group(environment& env, const contract::task_group_config& config)
      : core_(std::make_shared<Core>(env, config.collect)) {}
  void close() override { core_->close(); }

 protected:
  awaitable<void> do_run(std::vector<child> children) override { return core_->run(std::move(children)); }
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override {
    children.emplace(children.begin(), std::string(body_name), std::move(body));
    return core_->run(std::move(children));
  }
  bool do_spawn(child one) override { return core_->spawn(std::move(one)); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace assay
