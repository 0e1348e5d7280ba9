// The least barrier: a count, and one timer for all who wait. And the alternative, in two forms.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/barrier/alternative.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

class least_barrier final : public contract::barrier {
 public:
  least_barrier(const asio::any_io_executor& executor, const contract::barrier_config& config)
      : timer_(executor, asio::steady_timer::time_point::max()), parties_(config.parties) {}

 protected:
  awaitable<std::size_t> do_wait() override {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    const std::size_t generation = generation_;
    if (++here_ >= parties_) {
      here_ = 0;
      ++generation_;
      timer_.cancel();
      co_return 0;
    }
    boost::system::error_code ended;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (generation_ == generation) {
      --here_;
      contract::throw_cancelled();
    }
    co_return 0;
  }

 private:
  asio::steady_timer timer_;
  const std::int64_t parties_;
  std::int64_t here_ = 0;
  std::size_t generation_ = 0;
};

const implements<least_barrier> least("least", subject_kind::alternative, {});
const implements<alternative_barrier> alternative(
    "numbered_places", subject_kind::alternative,
    {.features = {"arrival_index", "cancel_breaks", "cancel_leaves", "abort", "reset",
                  "reset_breaks_released", "reject_zero", "timed", "statistics", "strict_entry",
                  "posted_wakeups", "checked_destruction"}},
    false, barrier_defect::none);
const implements<alternative_barrier> keeping(
    "kept_places", subject_kind::alternative,
    {.features = {"arrival_index", "cancel_breaks", "cancel_leaves", "release_wins", "abort", "reset",
                  "reset_breaks_released", "reject_zero", "timed", "statistics", "strict_entry",
                  "posted_wakeups", "checked_destruction"}},
    true, barrier_defect::none);

}  // namespace
}  // namespace assay
