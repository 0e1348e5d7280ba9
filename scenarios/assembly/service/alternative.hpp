// A service that conforms and does otherwise than the reference wherever the standard leaves it free. It is one list and
// a task per item instead of a queue, workers and a coordinator. Submits that come before it is ready wait until it
// is; of those that wait the last to come goes on first; the end of the drain is told before the force-cancel; failures
// of the cleanup are told the latest first; a cancelled run is a stop, and ends with its report.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <assay/scenarios/assembly/service/contract.hpp>

namespace assay {

/// What is wrong with it.
enum class list_service_defect { none, early_stop_releases_nobody };

class list_service final : public contract::service {
 public:
  list_service(const boost::asio::any_io_executor& executor, const contract::service_config& config,
               list_service_defect defect);

  awaitable<contract::service_report> run() override;
  void request_stop() override;
  bool ready() const override { return ready_; }
  bool live() const override { return !stopped_; }
  std::size_t buffered() const override { return waiting_.size(); }

 protected:
  awaitable<void> do_submit(item one) override;
  std::vector<item> do_take_back() override;

 private:
  using clock = std::chrono::steady_clock;
  struct submitter;
  struct task;
  struct completion;

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
  const list_service_defect defect_;
  boost::asio::steady_timer bell_;
  std::deque<item> waiting_;
  std::vector<item> unfinished_;  // what forced tasks had in hand
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
