// The reference's bounded queue behind the contract. Programs of others derive from it, too.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/reference/flow/bounded_queue.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

/// Every feature of the contract that the reference has.
std::vector<std::string> reference_queue_features();

class reference_queue : public contract::bounded_queue {
 public:
  reference_queue(const boost::asio::any_io_executor& executor, const contract::bounded_queue_config& config);

  std::size_t size() const override { return queue_.size(); }
  void close() override { queue_.close(); }
  void done() override;
  awaitable<void> join() override { return queue_.join(); }
  contract::bounded_queue_statistics statistics() const override;

 protected:
  awaitable<void> do_push(item one) override;
  awaitable<item> do_pop() override;
  awaitable<void> do_push_for(item one, nanoseconds patience) override;
  awaitable<item> do_pop_for(nanoseconds patience) override;
  bool do_try_push(item& one) override;
  item do_try_pop() override;
  void do_hand_back(item one) override { queue_.unpop(std::move(one)); }
  std::vector<item> do_close_now() override;
  void do_requeue(item one) override { queue_.unpop(std::move(one)); }
  item do_drop_oldest() override { return queue_.remove_oldest().value_or(item()); }

 private:
  reference::bounded_queue<item> queue_;
};

}  // namespace assay
