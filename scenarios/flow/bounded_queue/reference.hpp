// The reference's bounded queue behind the contract. Programs of others derive from it, too.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/flow/bounded_queue.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

/// Every feature of the contract that the reference has.
std::vector<std::string> reference_queue_features();

class reference_queue : public contract::bounded_queue {
 public:
  reference_queue(const boost::asio::any_io_executor&, const config& how) : queue_(checked_capacity(how)) {}

  std::size_t size() const override { return queue_.size(); }
  void close() override { queue_.close(); }
  void done() override try { queue_.done(); } catch (const std::logic_error& error) {
    throw contract::rejected_error(error.what());
  }
  awaitable<void> join() override { return queue_.join(); }
  contract::bounded_queue_statistics statistics() const override {
    const reference::queue_statistics now = queue_.statistics();
    return {now.size, now.size_peak, now.parked_pushers, now.parked_poppers};
  }

 protected:
  // The queue takes an item by reference: the pushes keep it until they have ended.
  awaitable<void> do_push(item one) override { co_await translated(queue_.push(one), rethrow); }
  awaitable<item> do_pop() override { return translated(queue_.pop(), rethrow); }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    co_await translated(queue_.push_until(one, reference::deadline_after(patience)), rethrow);
  }
  awaitable<item> do_pop_for(nanoseconds patience) override {
    return translated(queue_.pop_until(reference::deadline_after(patience)), rethrow);
  }
  bool do_try_push(item& one) override try { return queue_.try_push(one); } catch (const reference::closed&) {
    throw contract::closed_error();
  }
  item do_try_pop() override try {
    return queue_.try_pop().value_or(item());
  } catch (const reference::closed&) {
    throw contract::closed_error();
  }
  void do_hand_back(item one) override { queue_.unpop(std::move(one)); }
  std::vector<item> do_close_now() override {
    auto removed = queue_.close_now();
    return {std::move_iterator(removed.begin()), std::move_iterator(removed.end())};
  }
  void do_requeue(item one) override { queue_.unpop(std::move(one)); }
  item do_drop_oldest() override { return queue_.remove_oldest().value_or(item()); }

 private:
  // The reference's own words for the contract's outcomes.
  [[noreturn]] static void rethrow(const std::exception_ptr& failure) try {
    std::rethrow_exception(failure);
  } catch (const reference::closed&) {
    throw contract::closed_error();
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  }
  // A negative capacity is the reference's own complaint, in the contract's words.
  static std::ptrdiff_t checked_capacity(const config& how) {
    if (how.capacity < 0) throw contract::rejected_error("negative capacity");
    return static_cast<std::ptrdiff_t>(how.capacity);
  }

  reference::bounded_queue<item> queue_;
};

}  // namespace assay
