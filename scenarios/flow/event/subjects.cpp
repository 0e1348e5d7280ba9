// The least event: a flag, and one timer for all who wait. And the alternative.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/event/alternative.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

class least_event final : public contract::event {
 public:
  least_event(const asio::any_io_executor& executor, const contract::event_config&)
      : timer_(executor, asio::steady_timer::time_point::max()) {}
  bool is_set() const override { return set_; }

 protected:
  awaitable<void> do_wait() override {
    boost::system::error_code ended;
    if (!set_) co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (!set_) contract::throw_cancelled();
  }
  void do_set() override {
    set_ = true;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  bool set_ = false;
};

const implements<least_event> least("least", subject_kind::alternative, {});
const implements<alternative_event> alternative("giving_back_event", subject_kind::alternative,
                                                {.features = {"clear", "timed", "latch", "auto_reset", "fair",
                                                              "thread_set", "statistics", "strict_entry",
                                                              "posted_wakeups", "checked_destruction"}},
                                                event_defect::none);

}  // namespace
}  // namespace assay
