#include "harness/mock/signals.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "reference/core/exception_group.hpp"
#include "reference/core/parked_waiter.hpp"

namespace assay {

namespace asio = boost::asio;

process_signals::process_signals(const asio::any_io_executor& executor, std::initializer_list<int> numbers)
    : set_(executor) {
  for (const int number : numbers) set_.add(number);
}

asio::awaitable<int> process_signals::next() { return set_.async_wait(asio::use_awaitable); }

namespace {

struct listener : reference::waiter {
  using reference::waiter::waiter;
  int number = 0;
};

}  // namespace

struct simulated_signals::state {
  std::deque<int> raised;
  reference::waiter_list<listener> listeners;
};

simulated_signals::simulated_signals() : state_(std::make_shared<state>()) {}

void simulated_signals::raise(int number) {
  if (state_->listeners.empty()) {
    state_->raised.push_back(number);
    return;
  }
  listener& first = state_->listeners.front();
  first.number = number;
  first.wake();
}

std::size_t simulated_signals::pending() const noexcept { return state_->raised.size(); }

asio::awaitable<int> simulated_signals::next() { return wait(state_); }

asio::awaitable<int> simulated_signals::wait(std::shared_ptr<state> shared) {
  if (!shared->raised.empty()) {
    const int number = shared->raised.front();
    shared->raised.pop_front();
    co_return number;
  }
  listener self(co_await asio::this_coro::executor);
  const reference::park_result result = co_await reference::park(shared->listeners, self);
  if (result != reference::park_result::woken) reference::throw_cancelled();
  co_return self.number;
}

}  // namespace assay
