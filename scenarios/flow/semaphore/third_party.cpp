// What people make semaphores of with Boost.Asio alone: a channel whose buffer holds one message for each
// permit in use, and a timer that never expires, of which a release cancels one wait.
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Throws unless there can be so many permits.
std::size_t checked(std::int64_t limit) {
  if (limit < 1) throw contract::rejected_error("a limit below 1");
  return static_cast<std::size_t>(limit);
}

class channel_semaphore final : public contract::semaphore {
 public:
  channel_semaphore(const asio::any_io_executor& executor, const contract::semaphore_config& config)
      : in_use_(executor, checked(config.limit)) {}

 protected:
  awaitable<void> do_acquire(std::size_t) override {
    return translated(in_use_.async_send(error_code(), asio::use_awaitable), &rethrow);
  }
  bool do_try_acquire(std::size_t) override { return in_use_.try_send(error_code()); }
  void do_release(std::size_t) override {
    if (!in_use_.try_receive([](error_code) {})) throw contract::rejected_error("not in use");
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

  asio::experimental::channel<void(error_code)> in_use_;
};

class timer_semaphore final : public contract::semaphore {
 public:
  timer_semaphore(const asio::any_io_executor& executor, const contract::semaphore_config& config)
      : free_(checked(config.limit)), released_(executor, asio::steady_timer::time_point::max()) {}
  std::size_t available() const override { return free_; }

 protected:
  awaitable<void> do_acquire(std::size_t) override {
    while (!do_try_acquire(1)) {
      error_code ended;  // a release or a request: after a request, the next co_await throws
      co_await released_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    }
  }
  bool do_try_acquire(std::size_t) override {
    if (free_ == 0) return false;
    --free_;
    return true;
  }
  void do_release(std::size_t) override {
    ++free_;
    released_.cancel_one();
  }

 private:
  std::size_t free_;
  asio::steady_timer released_;
};

const implements<channel_semaphore> channel(
    "asio_channel", subject_kind::third_party,
    {.features = {"bounded", "try", "posted_wakeups"},
     .cites = "Boost 1.81, Asio reference, experimental::basic_channel: async_send waits while the buffer is "
              "full; "
              "try_send; try_receive returns false if nothing is buffered",
     .library = "Boost " + boost_version()});
const implements<timer_semaphore> timer(
    "asio_timer", subject_kind::third_party,
    {.features = {"try", "value", "posted_wakeups"},
     .cites = "Boost 1.81, Asio reference, basic_waitable_timer::cancel_one: 'forces the completion of one "
              "pending "
              "asynchronous wait operation'; handlers are completed as if by post",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
