// A service that conforms and does otherwise than the reference wherever the standard leaves it free. It is one list and
// a task per item instead of a queue, workers and a coordinator. Submits that come before it is ready wait until it
// is; of those that wait the last to come goes on first; the end of the drain is told before the force-cancel; failures
// of the cleanup are told the latest first; a cancelled run is a stop, and ends with its report. Its mutants are this
// service with one rule broken.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <assay/scenarios/assembly/service/contract.hpp>

namespace assay {

// clang-format off
BOOST_DEFINE_ENUM_CLASS(service_defect, none,
  drops_what_a_stopped_worker_holds, forgets_what_is_queued, accepts_while_it_drains, closes_in_order_of_opening,
  abandons_at_once, has_no_bound, reports_the_first_failure_only, waits_for_the_deaf, drain_overflows,
  does_not_name_the_deaf, says_yes_to_a_cancelled_submit, ignores_an_early_stop, stays_ready, ready_a_turn_too_long,
  dies_at_the_stop, an_early_stop_releases_nobody)
// clang-format on

class list_service : public contract::service {
 public:
  list_service(const boost::asio::any_io_executor& executor, const contract::service_config& config,
               service_defect wrong = service_defect::none);

  awaitable<contract::service_report> run() override;
  void request_stop() override;
  bool ready() const override { return ready_ || (is(service_defect::stays_ready) && !stopped_); }
  bool live() const override { return !stopped_ && !(stop_ && is(service_defect::dies_at_the_stop)); }
  std::size_t buffered() const override { return waiting_.size(); }

 protected:
  awaitable<void> do_submit(item one) override;
  std::vector<item> do_take_back() override;

 private:
  using clock = std::chrono::steady_clock;
  struct submitter;
  struct task;
  struct completion;

  bool is(service_defect what) const noexcept { return wrong_ == what; }
  bool has_room() const noexcept;
  awaitable<void> open_both();
  awaitable<void> close_one(const char* name, awaitable<void> closing, clock::time_point deadline);
  awaitable<void> serve_until_asked();
  awaitable<void> drain();
  awaitable<void> force();
  awaitable<void> close_all();
  awaitable<bool> asked() const;
  awaitable<void> wait_for_change(clock::time_point deadline);
  awaitable<void> work(std::shared_ptr<task> mine);
  void ended(task& mine, const std::exception_ptr& failure);
  void tell(std::string_view what) const;
  void admit();
  void release_submitters();

  const boost::asio::any_io_executor executor_;
  const contract::service_config config_;
  const service_defect wrong_;
  boost::asio::steady_timer bell_;
  std::deque<item> waiting_;
  std::vector<item> unfinished_;  // what forced tasks had in hand
  std::vector<item> late_;        // what a defect accepted and nobody will process
  std::vector<submitter*> submitters_;
  std::vector<std::shared_ptr<task>> tasks_;  // kept: a request may be under way to one that has ended
  std::size_t running_ = 0;
  contract::service_report report_;
  bool begun_ = false;
  bool store_open_ = false;
  bool sink_open_ = false;
  bool ready_ = false;
  bool serving_ = false;  // takes items, and works on them
  bool closed_ = false;   // accepts no more
  bool forced_ = false;
  bool stop_ = false;
  bool stopped_ = false;
};

}  // namespace assay
