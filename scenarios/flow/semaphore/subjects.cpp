// The least semaphore: a number, and one timer for all who wait. And the alternative.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/semaphore/alternative.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

// Whoever comes first when a permit has come back has it: nobody stands in line.
class least_semaphore final : public contract::semaphore {
 public:
  least_semaphore(const asio::any_io_executor& executor, const contract::semaphore_config& config)
      : timer_(executor, asio::steady_timer::time_point::max()), free_(config.limit) {
    if (config.limit < 1) throw contract::rejected_error("a limit below 1");
  }

 protected:
  awaitable<void> do_acquire(std::size_t) override {
    while (free_ == 0) {
      boost::system::error_code ended;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
    }
    --free_;
  }
  void do_release(std::size_t) override {
    ++free_;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  std::int64_t free_;
};

const implements<least_semaphore> least("least", subject_kind::alternative, {});
const implements<alternative_semaphore> alternative(
    "giving_back_semaphore", subject_kind::alternative,
    {.features = {"bounded",   "weighted",   "reject_oversize", "fair",           "try",
                  "timed",     "guarded",    "resizable",       "zero_limit",     "bulkhead",
                  "borrowers", "cancel_all", "priority",        "closable",       "permit_objects",
                  "value",     "statistics", "strict_entry",    "posted_wakeups", "checked_destruction"}},
    semaphore_defect::none);

}  // namespace
}  // namespace assay
