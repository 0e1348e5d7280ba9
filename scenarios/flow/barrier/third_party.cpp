// A barrier as it is written again and again on Asio, which has none: a count, and a timer that never
// expires, which the last party cancels.
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

class timer_barrier final : public contract::barrier {
 public:
  timer_barrier(const asio::any_io_executor& executor, const contract::barrier_config& config)
      : timer_(executor, asio::steady_timer::time_point::max()), parties_(config.parties) {}

 protected:
  awaitable<std::size_t> do_wait() override {
    const auto index = static_cast<std::size_t>(here_);
    if (++here_ < parties_) {
      boost::system::error_code ended;  // operation_aborted, whoever ends the wait
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    } else {
      here_ = 0;
      timer_.cancel();
    }
    co_return index;
  }

 private:
  asio::steady_timer timer_;
  const std::int64_t parties_;
  std::int64_t here_ = 0;
};

const implements<timer_barrier> idiom(
    "asio_timer_idiom", subject_kind::third_party,
    {.features = {"arrival_index", "posted_wakeups"},
     .cites =
         "Boost 1.81, Asio reference, basic_waitable_timer::cancel: 'forces the completion of any pending "
         "asynchronous wait operations against the timer', whose handlers are 'invoked with the "
         "operation_aborted error code'",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
