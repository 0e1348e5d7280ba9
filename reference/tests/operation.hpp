// One coroutine in flight on a stock io_context: started, cancelled by hand, looked at afterwards.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <assay/reference/core/exception_group.hpp>

namespace assay::reference::test {

namespace asio = boost::asio;

/// Runs all that can run now, without waiting for anything.
inline void settle(asio::io_context& context) {
  context.restart();
  while (context.poll() != 0) {
  }
}

/// Lets everything else that is ready run once.
inline asio::awaitable<void> yield() { co_await asio::post(asio::use_awaitable); }

/// Ends when it is asked to, inside the request: Asio does not forbid an operation to do so.
inline asio::awaitable<void> end_inside_the_request() {
  auto initiation = [](auto handler) {
    auto held = std::make_shared<std::optional<decltype(handler)>>(std::move(handler));
    asio::get_associated_cancellation_slot(**held).assign([held](asio::cancellation_type) {
      auto taken = std::move(**held);
      held->reset();
      std::move(taken)(boost::system::error_code(asio::error::operation_aborted));
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(boost::system::error_code)>(
      std::move(initiation), asio::use_awaitable);
}

template <class T>
class operation {
  using stored = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;
  struct state {
    asio::cancellation_signal signal;
    bool ended = false;
    std::exception_ptr failure;
    stored value{};
  };

  // It has a slot but no executor, so that a request takes effect within cancel(), in the turn the test
  // wants.
  struct completion {
    using cancellation_slot_type = asio::cancellation_slot;
    explicit completion(state* operation_state) : self(operation_state) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return self->signal.slot(); }
    void operator()(std::exception_ptr failure) const {
      self->ended = true;
      self->failure = std::move(failure);
    }
    state* self;
  };

 public:
  /// Starts `work` and settles, so that it stands where it waits first.
  operation(asio::io_context& context, asio::awaitable<T> work) : state_(std::make_unique<state>()) {
    asio::co_spawn(context, run(std::move(work), state_.get()), completion(state_.get()));
    settle(context);
  }

  void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) { state_->signal.emit(type); }
  bool pending() const { return !state_->ended; }
  bool succeeded() const { return state_->ended && !state_->failure; }
  bool cancelled() const { return state_->ended && is_cancellation(state_->failure); }
  std::exception_ptr failure() const { return state_->failure; }
  auto& value() { return state_->value.value(); }  // NOLINT(bugprone-unchecked-optional-access): it throws

  template <class Exception>
  bool failed_with() const {
    if (!state_->failure) return false;
    try {
      std::rethrow_exception(state_->failure);
    } catch (const Exception&) {
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  static asio::awaitable<void> run(asio::awaitable<T> work, state* self) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      self->value = true;
    } else {
      self->value.emplace(co_await std::move(work));
    }
  }

  std::unique_ptr<state> state_;
};

}  // namespace assay::reference::test
