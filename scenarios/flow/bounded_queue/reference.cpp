#include <assay/scenarios/flow/bounded_queue/reference.hpp>

#include <iterator>
#include <stdexcept>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>

namespace assay {

namespace {

// The reference's own words for the contract's outcomes.
[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::closed&) {
    throw contract::closed_error();
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  }
}

// A negative capacity is the reference's own complaint, in the contract's words.
std::ptrdiff_t checked_capacity(const contract::bounded_queue_config& config) {
  if (config.capacity < 0) throw contract::rejected_error("negative capacity");
  return static_cast<std::ptrdiff_t>(config.capacity);
}

}  // namespace

std::vector<std::string> reference_queue_features() {
  return {"fair",     "try",          "timed",          "hand_back",          "close",     "close_now",
          "join",     "requeue",      "removal",        "rendezvous",         "move_only", "statistics",
          "lifetime", "strict_entry", "posted_wakeups", "checked_destruction"};
}

reference_queue::reference_queue(const boost::asio::any_io_executor&,
                                 const contract::bounded_queue_config& config)
    : queue_(checked_capacity(config)) {}

void reference_queue::done() {
  try {
    queue_.done();
  } catch (const std::logic_error& error) {
    throw contract::rejected_error(error.what());
  }
}

contract::bounded_queue_statistics reference_queue::statistics() const {
  const reference::queue_statistics now = queue_.statistics();
  return {now.size, now.size_peak, now.parked_pushers, now.parked_poppers};
}

// The queue takes an item by reference: these keep it until the call has ended.
boost::asio::awaitable<void> reference_queue::do_push(item one) {
  co_await translated(queue_.push(one), rethrow);
}
boost::asio::awaitable<void> reference_queue::do_push_for(item one, nanoseconds patience) {
  co_await translated(queue_.push_until(one, reference::deadline_after(patience)), rethrow);
}

boost::asio::awaitable<item> reference_queue::do_pop() { return translated(queue_.pop(), rethrow); }
boost::asio::awaitable<item> reference_queue::do_pop_for(nanoseconds patience) {
  return translated(queue_.pop_until(reference::deadline_after(patience)), rethrow);
}

bool reference_queue::do_try_push(item& one) try {
  return queue_.try_push(one);
} catch (const reference::closed&) {
  throw contract::closed_error();
}

item reference_queue::do_try_pop() try {
  return queue_.try_pop().value_or(item());
} catch (const reference::closed&) {
  throw contract::closed_error();
}

std::vector<item> reference_queue::do_close_now() {
  auto removed = queue_.close_now();
  return std::vector<item>(std::move_iterator(removed.begin()), std::move_iterator(removed.end()));
}

namespace {

const implements<reference_queue> registered("reference", subject_kind::reference,
                                             {.features = reference_queue_features()});

}  // namespace

}  // namespace assay
