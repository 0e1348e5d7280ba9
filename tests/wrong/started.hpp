// Coroutines that were started: each can be asked to stop, and its end is told.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <assay/harness/trial/scope.hpp>

namespace assay::wrong {

using step = std::function<boost::asio::awaitable<void>()>;

struct started {
  explicit started(std::string called) : name(std::move(called)) {}

  void ask_to_stop() {
    if (ended) return;
    asked = true;
    stop.emit(boost::asio::cancellation_type::terminal);
  }
  /// It has ended, and not with a value or as cancelled.
  bool failed() const { return failure && !is_cancellation(failure); }

  std::string name;
  boost::asio::cancellation_signal stop;
  bool asked = false;
  bool ended = false;
  std::exception_ptr failure;  ///< what it ended with, unless that was a value
};

// The handler of co_spawn. It has a slot and no executor: then Asio hands a request on inside of the call.
struct at_the_end {
  using cancellation_slot_type = boost::asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return self->stop.slot(); }
  void operator()(std::exception_ptr failure) const {
    self->ended = true;
    self->failure = std::move(failure);
    if (told) told(*self);
  }

  std::shared_ptr<started> self;
  std::function<void(const started&)> told;
};

// What `work` owns has gone when the end is told: the frame owns it.
inline boost::asio::awaitable<void> live(step work) { co_await work(); }

/// Starts `work`; `told` is called when it has ended. Its first turn is part of this call.
inline std::shared_ptr<started> begin(const boost::asio::any_io_executor& executor, std::string name,
                                      step work, std::function<void(const started&)> told) {
  auto self = std::make_shared<started>(std::move(name));
  boost::asio::co_spawn(executor, live(std::move(work)), at_the_end{self, std::move(told)});
  return self;
}

/// Whether somebody has asked the coroutine that awaits this to stop.
inline boost::asio::awaitable<bool> is_asked_to_stop() {
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  co_return state.cancelled() != boost::asio::cancellation_type::none;
}

}  // namespace assay::wrong
