// An event that decides for each of its waiters when it is set, and remembers nothing but a flag.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include <assay/harness/sim/deadline.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::event_config;
using contract::event_form;

ASSAY_DEFECTS(event_bug, none, coalesces_sets, looks_at_the_clock_first, tells_the_loop_once,
              broadcasts_by_the_flag, counts_the_cancelled)

class listing_event final : public contract::event {
 public:
  listing_event(asio::any_io_executor executor, const event_config& config, event_bug bug)
      : executor_(std::move(executor)), form_(config.form), bug_(bug) {}

  bool is_set() const override { return set_; }
  std::size_t waiting() const override { return waiters_.size(); }

 protected:
  awaitable<void> do_wait() override { return wait_until(waiting_list::time_point::max()); }
  awaitable<void> do_wait_for(nanoseconds patience) override { return wait_until(deadline_after(patience)); }

  void do_set() override {
    if (!automatic()) {
      set_ = true;
      waiters_.wake_all();
      return;
    }
    if (bug_ == event_bug::coalesces_sets && one_is_on_its_way_) return;
    if (bug_ == event_bug::counts_the_cancelled && counted_ > 0) {
      --counted_;
      waiters_.wake_one();
      return;
    }
    if (waiters_.wake_one()) {
      one_is_on_its_way_ = true;
    } else {
      set_ = true;
    }
  }
  void do_clear() override {
    if (form_ == event_form::latch) throw contract::rejected_error("a latch stays set");
    set_ = false;
  }
  void do_broadcast() override {
    counted_ = 0;
    waiters_.wake_all();
    if (bug_ != event_bug::broadcasts_by_the_flag || set_) return;
    set_ = true;
    asio::post(executor_, [this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) set_ = false;
    });
  }
  // From any thread: nothing is touched here but the executor.
  void do_set_from_outside() override {
    if (bug_ == event_bug::tells_the_loop_once && std::exchange(told_, true)) return;
    asio::post(executor_, [this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) do_set();
    });
  }

 private:
  bool automatic() const noexcept { return form_ == event_form::auto_reset; }

  awaitable<void> wait_until(waiting_list::time_point deadline) {
    if (set_) {
      if (automatic()) set_ = false;
      co_return;
    }
    waiter self(executor_);
    ++counted_;
    const ended how = co_await waiters_.wait(self, deadline);
    one_is_on_its_way_ = false;
    if (bug_ == event_bug::looks_at_the_clock_first && std::chrono::steady_clock::now() >= deadline)
      throw contract::timed_out_error();
    check(how);
  }

  const asio::any_io_executor executor_;
  const event_form form_;
  const event_bug bug_;
  bool set_ = false;
  waiting_list waiters_;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();
  // What only the bugs look at.
  bool one_is_on_its_way_ = false;
  std::size_t counted_ = 0;
  bool told_ = false;
};

const table<listing_event, event_bug> listing(
    "listing_event", {"clear", "timed", "latch", "auto_reset", "fair", "thread_set", "statistics"},
    {
        {event_bug::looks_at_the_clock_first,
         "a wait that was freed in the instant of its deadline says that it has timed out",
         {{"EVT-7", "a set that comes first is reported"}}},
        {event_bug::tells_the_loop_once,
         "set from outside posts only if it has not posted yet, and nobody takes the note off (a wake-up "
         "flag)",
         {{"EVT-5", "each set from outside frees one who waits"}}},
        {event_bug::counts_the_cancelled,
         "auto-reset: a cancelled or expired wait still counts as a waiter, and the next set is for nobody",
         {{"EVT-8", "what a cancelled waiter did not use is there for the next"}}},
        {event_bug::coalesces_sets,
         "auto-reset, two parked: of two sets in one turn the second is dropped, since a waiter is on its "
         "way (Win32)",
         {{"EVT-8", ""}}},
        {event_bug::broadcasts_by_the_flag,
         "auto-reset: a broadcast sets the flag and posts its clearing: who waits later in that turn gets "
         "through",
         {{"EVT-4", "'broadcast, wait"}}},
    });

}  // namespace
}  // namespace assay::wrong
