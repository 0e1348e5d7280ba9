#include <assay/harness/mock/signals.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include <assay/harness/trial/outcome.hpp>

namespace assay {

namespace asio = boost::asio;

process_signals::process_signals(const asio::any_io_executor& executor, std::initializer_list<int> numbers)
    : set_(executor) {
  for (const int number : numbers) set_.add(number);
}

asio::awaitable<int> process_signals::next() { return set_.async_wait(asio::use_awaitable); }

namespace {

// Somebody who waits, in a line for as long as nobody raised anything for them.
class listener {
 public:
  listener(const asio::any_io_executor& executor, std::deque<listener*>& line)
      : timer_(executor, asio::steady_timer::time_point::max()), line_(line) {
    line_.push_back(this);
  }
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener() { std::erase(line_, this); }

  asio::steady_timer& timer() noexcept { return timer_; }
  const std::optional<int>& told() const noexcept { return told_; }
  void tell(int number) {
    told_ = number;
    std::erase(line_, this);
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  std::deque<listener*>& line_;
  std::optional<int> told_;
};

}  // namespace

struct simulated_signals::state {
  std::deque<int> raised;
  std::deque<listener*> listeners;
};

simulated_signals::simulated_signals() : state_(std::make_shared<state>()) {}

void simulated_signals::raise(int number) {
  if (state_->listeners.empty()) {
    state_->raised.push_back(number);
    return;
  }
  state_->listeners.front()->tell(number);
}

std::size_t simulated_signals::pending() const noexcept { return state_->raised.size(); }

asio::awaitable<int> simulated_signals::next() { return wait(state_); }

asio::awaitable<int> simulated_signals::wait(std::shared_ptr<state> shared) {
  if (!shared->raised.empty()) {
    const int number = shared->raised.front();
    shared->raised.pop_front();
    co_return number;
  }
  const auto executor = co_await asio::this_coro::executor;
  listener self(executor, shared->listeners);
  boost::system::error_code ended;
  co_await self.timer().async_wait(asio::redirect_error(asio::use_awaitable, ended));
  // Why the timer ended does not count: a request may meet a signal in one turn, and then the signal wins.
  if (!self.told()) contract::throw_cancelled();
  co_return *self.told();
}

}  // namespace assay
