#include <assay/scenarios/flow/bounded_queue/alternative.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>

namespace assay {

namespace {

std::vector<std::string> all_features(const char* besides = nullptr) {
  std::vector<std::string> all = alternative_queue::features();
  all.emplace_back("checked_destruction");
  if (besides != nullptr) all.emplace_back(besides);
  return all;
}

const implements<alternative_queue> last_come("hand_back_queue", subject_kind::alternative,
                                              {.features = all_features()}, false);
const implements<alternative_queue> first_come("fair_hand_back_queue", subject_kind::alternative,
                                               {.features = all_features("fair")}, true);
// Capacity 0 is a rendezvous, in which delivery wins.
std::vector<std::string> meeting_features() {
  std::vector<std::string> all = all_features("rendezvous");
  std::erase(all, "reject_zero");
  return all;
}
const implements<alternative_queue> meeting("meeting_queue", subject_kind::alternative,
                                            {.features = meeting_features()}, false, queue_defect::none,
                                            true);
// Kotlin's rule, a defect in whoever does not claim it: pushers that are parked when the queue is closed stay, and commit
// as there is room.
const implements<alternative_queue> late_close("late_closing_queue", subject_kind::alternative,
                                               {.features = all_features("close_completes_parked")}, false,
                                               queue_defect::close_leaves_pushers);

// The smallest queue there is: everybody is woken by every change, and looks again.
class least_queue final : public contract::bounded_queue {
 public:
  least_queue(const asio::any_io_executor& executor, const config& wanted)
      : changed_(executor, asio::steady_timer::time_point::max()),
        capacity_(static_cast<std::size_t>(wanted.capacity)) {
    if (wanted.capacity < 1) throw contract::rejected_error("the capacity must be at least 1");
  }
  std::size_t size() const override { return buffer_.size(); }

 protected:
  awaitable<void> do_push(item one) override {
    while (buffer_.size() >= capacity_) co_await change();
    buffer_.push_back(std::move(one));
    changed_.cancel();
  }
  awaitable<item> do_pop() override {
    while (buffer_.empty()) co_await change();
    item one = std::move(buffer_.front());
    buffer_.pop_front();
    changed_.cancel();
    co_return one;
  }

 private:
  awaitable<void> change() {
    boost::system::error_code ended;
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    const auto scope = co_await asio::this_coro::cancellation_state;
    if (scope.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
  }

  asio::steady_timer changed_;
  std::size_t capacity_;
  std::deque<item> buffer_;
};

const implements<least_queue> least("least", subject_kind::alternative, {});

}  // namespace

}  // namespace assay
