// What people make mutexes of with Boost.Asio alone: a channel with room for one message, which is there
// while the mutex is held, and a timer that never expires, of which who unlocks cancels one wait.
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// What both have in common: a guard in the coroutine that does the work.
class with_guard : public contract::mutex {
 protected:
  awaitable<void> do_run(work inside) override {
    co_await do_lock();
    const auto give_back = [](with_guard* of) { of->do_unlock(); };
    const std::unique_ptr<with_guard, decltype(give_back)> guard(this, give_back);
    co_await inside();
  }
};

class channel_mutex final : public with_guard {
 public:
  channel_mutex(const asio::any_io_executor& executor, const contract::mutex_config&) : held_(executor, 1) {}

 protected:
  awaitable<void> do_lock() override {
    return translated(held_.async_send(error_code(), asio::use_awaitable), &rethrow);
  }
  bool do_try_lock() override { return held_.try_send(error_code()); }
  void do_unlock() override {
    if (!held_.try_receive([](error_code) {})) throw contract::rejected_error("not held");
  }

 private:
  [[noreturn]] static void rethrow(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
      if (error.code() == asio::experimental::channel_errc::channel_cancelled) contract::throw_cancelled();
      throw;
    }
  }

  asio::experimental::channel<void(error_code)> held_;
};

class timer_mutex final : public with_guard {
 public:
  timer_mutex(const asio::any_io_executor& executor, const contract::mutex_config&)
      : unlocked_(executor, asio::steady_timer::time_point::max()) {}
  bool is_locked() const override { return locked_; }

 protected:
  awaitable<void> do_lock() override {
    while (!do_try_lock()) {
      error_code ended;  // an unlock or a request: after a request, the next co_await throws
      co_await unlocked_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    }
  }
  bool do_try_lock() override { return !std::exchange(locked_, true); }
  void do_unlock() override {
    locked_ = false;
    unlocked_.cancel_one();
  }

 private:
  bool locked_ = false;
  asio::steady_timer unlocked_;
};

const implements<channel_mutex> channel(
    "asio_channel", subject_kind::third_party,
    {.features = {"manual", "checked_unlock", "try", "posted_wakeups"},
     .cites = "Boost 1.81, Asio reference, experimental::basic_channel: async_send waits while the buffer is "
              "full; "
              "try_send; try_receive returns false if nothing is buffered",
     .library = "Boost " + boost_version()});
const implements<timer_mutex> timer(
    "asio_timer", subject_kind::third_party,
    {.features = {"manual", "idempotent_unlock", "try", "status", "posted_wakeups"},
     .cites = "Boost 1.81, Asio reference, basic_waitable_timer::cancel_one: 'forces the completion of one "
              "pending "
              "asynchronous wait operation'; handlers are completed as if by post",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
