#include <assay/scenarios/flow/bounded_queue/reference.hpp>

#include <iterator>
#include <stdexcept>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>

namespace assay {

namespace {

// The reference's own words for the contract's outcomes.
template <class Function>
auto translated(Function&& function) {
  try {
    return std::forward<Function>(function)();
  } catch (const reference::closed&) {
    throw contract::closed_error();
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  }
}

[[noreturn]] void rethrow_translated(const std::exception_ptr& failure) {
  translated([&] { std::rethrow_exception(failure); });
  std::terminate();  // not reached: the line above throws
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

reference_queue::reference_queue(boost::asio::any_io_executor executor,
                                 const contract::bounded_queue_config& config)
    : executor_(std::move(executor)), queue_(checked_capacity(config)) {}

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

boost::asio::awaitable<void> reference_queue::do_push(item one) {
  std::exception_ptr failure;
  try {
    co_await queue_.push(one);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_translated(failure);
}

boost::asio::awaitable<item> reference_queue::do_pop() {
  std::exception_ptr failure;
  item got;
  try {
    got = co_await queue_.pop();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_translated(failure);
  co_return got;
}

boost::asio::awaitable<void> reference_queue::do_push_for(item one, nanoseconds patience) {
  std::exception_ptr failure;
  try {
    co_await queue_.push_until(one, reference::deadline_after(patience));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_translated(failure);
}

boost::asio::awaitable<item> reference_queue::do_pop_for(nanoseconds patience) {
  std::exception_ptr failure;
  item got;
  try {
    got = co_await queue_.pop_until(reference::deadline_after(patience));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_translated(failure);
  co_return got;
}

bool reference_queue::do_try_push(item& one) {
  return translated([&] { return queue_.try_push(one); });
}

item reference_queue::do_try_pop() {
  std::optional<item> got = translated([&] { return queue_.try_pop(); });
  return got ? std::move(*got) : item();
}

std::vector<item> reference_queue::do_close_now() {
  auto removed = queue_.close_now();
  return std::vector<item>(std::move_iterator(removed.begin()), std::move_iterator(removed.end()));
}

item reference_queue::do_drop_oldest() {
  std::optional<item> removed = queue_.remove_oldest();
  return removed ? std::move(*removed) : item();
}

namespace {

const detail::registrar registered(std::make_unique<subject<contract::bounded_queue>>(
    "reference", subject_kind::reference, subject_traits{.features = reference_queue_features()},
    [](environment& env, const contract::bounded_queue_config& config) {
      return std::make_unique<reference_queue>(env.executor(), config);
    }));

}  // namespace

}  // namespace assay
