#include <assay/scenarios/flow/resilient_worker/alternative.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <iterator>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

// The smallest worker. Once it has begun an item it finishes it, whatever is asked of it meanwhile; it has no dead-letter
// sink, and reports what failed at once.
class least_worker final : public contract::resilient_worker {
 public:
  least_worker(const asio::any_io_executor& executor, const config& wanted)
      : capacity_(static_cast<std::size_t>(wanted.capacity)),
        bell_(executor, asio::steady_timer::time_point::max()) {}

 protected:
  awaitable<void> do_run() override { return scope(work()); }
  awaitable<void> do_submit(item one) override {
    while (waiting_.size() >= capacity_) co_await change();
    waiting_.push_back(std::move(one));
    bell_.cancel();
  }
  std::vector<item> do_take_back() override {
    std::vector<item> items(std::move_iterator(waiting_.begin()), std::move_iterator(waiting_.end()));
    waiting_.clear();
    return items;
  }

 private:
  /// Waits until anything changes. Those who wait look again, so a bell too many does no harm.
  awaitable<void> change() {
    boost::system::error_code rung;
    co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    check_cancelled(co_await asio::this_coro::cancellation_state);
  }

  awaitable<void> work() {
    while (true) {
      // The only places where a request is heard: before an item is taken.
      while (waiting_.empty()) co_await change();
      check_cancelled(co_await asio::this_coro::cancellation_state);
      co_await shield(finish_next());
    }
  }

  awaitable<void> finish_next() {
    item one = std::move(waiting_.front());
    waiting_.pop_front();
    bell_.cancel();
    const std::exception_ptr failure = co_await failure_of(process(one, 1));
    if (failure) lost(std::move(one), failure, 1, nullptr);
  }

  const std::size_t capacity_;
  std::deque<item> waiting_;
  asio::steady_timer bell_;
};

const implements<least_worker> least("least", subject_kind::alternative, {});

const implements<alternative_worker> plain("alternative", subject_kind::alternative,
                                           {.features = {"requeue", "dead_letter", "attempts", "attempt_cap",
                                                         "join"}},
                                           worker_manner::buries_at_once);

const implements<alternative_worker> tries_again("tries_again", subject_kind::alternative,
                                                 {.features = {"requeue", "dead_letter", "attempts",
                                                               "attempt_cap", "join"}},
                                                 worker_manner::tries_again);

}  // namespace
}  // namespace assay
