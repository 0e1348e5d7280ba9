// The reference's assembled service behind the contract, and what its mutants bend.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <assay/reference/assembly/service.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>

namespace assay {

/// One rule each; all false is the reference.
struct service_defects {
  bool drops_what_a_stopped_worker_holds = false;
  bool forgets_what_is_queued = false;
  bool stays_ready = false;
  bool ready_a_turn_too_long = false;
  bool dies_at_the_stop = false;
  bool abandons_at_once = false;
  bool closes_in_order_of_opening = false;
  bool has_no_bound = false;
  bool reports_the_first_failure_only = false;
  bool ignores_an_early_stop = false;
  bool waits_for_the_deaf = false;
  bool drain_overflows = false;
  bool does_not_name_the_deaf = false;
  bool accepts_while_it_drains = false;
  bool keeps_the_item_of_a_cancelled_submit = false;
};

class reference_service final : public contract::service {
 public:
  reference_service(boost::asio::any_io_executor executor, const contract::service_config& config,
                    service_defects wrong);

  awaitable<contract::service_report> run() override;
  void request_stop() override;
  bool ready() const override;
  bool live() const override;
  std::size_t buffered() const override { return inner().buffered(); }

 protected:
  void connected() override;
  awaitable<void> do_submit(item one) override;
  std::vector<item> do_take_back() override;

 private:
  using inner_service = reference::service<item>;
  inner_service& inner() { return *inner_; }
  const inner_service& inner() const { return *inner_; }
  inner_service::options options_for(const contract::service_config& config);
  void phase_entered(reference::shutdown_phase phase);
  awaitable<void> process(const inner_service::job& one);
  awaitable<void> bury(inner_service::job& one);
  awaitable<void> close_both();
  static awaitable<void> close_nothing() { co_return; }

  boost::asio::any_io_executor executor_;
  contract::service_config config_;
  service_defects wrong_;
  std::optional<inner_service> inner_;
  std::vector<item> late_;  // what a defect accepted and nobody will process
  bool stop_asked_ = false;
  std::shared_ptr<bool> late_to_say_no_ = std::make_shared<bool>(false);  // still ready, for a turn
};

}  // namespace assay
