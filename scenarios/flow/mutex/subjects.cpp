// The least mutex: a flag, and one timer for all who wait. And the alternative.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/mutex/alternative.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

// Whoever comes first when it is unlocked has it: nobody stands in line.
class least_mutex final : public contract::mutex {
 public:
  least_mutex(const asio::any_io_executor& executor, const contract::mutex_config&)
      : unlocked_(executor, asio::steady_timer::time_point::max()) {}

 protected:
  awaitable<void> do_run(work inside) override {
    while (locked_) {
      boost::system::error_code ended;
      co_await unlocked_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
    }
    const hold held(*this);
    co_await inside();
  }

 private:
  struct hold {
    explicit hold(least_mutex& of) : of_(of) { of_.locked_ = true; }
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;
    ~hold() {
      of_.locked_ = false;
      of_.unlocked_.cancel();
    }
    least_mutex& of_;
  };

  asio::steady_timer unlocked_;
  bool locked_ = false;
};

const implements<least_mutex> least("least", subject_kind::alternative, {});
const implements<alternative_mutex> alternative(
    "giving_back_mutex", subject_kind::alternative,
    {.features = {"fair", "timed", "manual", "try", "checked_unlock", "owner_checked", "owner_death",
                  "guard_objects", "cancel_all", "wait_unlocked", "priority", "status", "statistics",
                  "strict_entry", "posted_wakeups", "checked_destruction"}},
    mutex_defect::none);

}  // namespace
}  // namespace assay
