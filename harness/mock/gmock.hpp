// GoogleMock for methods that return an awaitable, in trials and outside of them. Only for programs that link
// GoogleMock, and to be included by every file that mocks such a method.
//
//     class mock_store : public store {
//      public:
//       MOCK_METHOD(asio::awaitable<std::string>, load, (std::string), (override));
//     };
//
//     auto disk = assay::mocks<mock_store>(t);
//     EXPECT_CALL(*disk, load("a")).WillOnce(co_return_value("x")).WillOnce(co_delay(10ms, "y"));
//     EXPECT_CALL(*disk, load("b")).WillRepeatedly(co_invoke([&](std::string key) -> asio::awaitable<...> {...}));
//
// - The actions are safe although the call outlives the expectation: what the coroutine needs is in its own
//   frame, the callable of co_invoke included (MOK-6). A plain coroutine lambda as an action is not: its
//   captures are gone once the action has returned.
// - A method without an action returns an awaitable that fails by name, never a null one (MOK-2). For this
//   the header gives gmock's built-in default for awaitables, which every file of a program must see alike.
// - mocks<Mock>(t) makes a strict mock that belongs to the trial: its expectations are verified when the trial
//   is at rest, and what gmock reports fails the trial and nothing else (MOK-7).
#pragma once

#include <gmock/gmock.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <assay/harness/mock/gtest.hpp>
#include <assay/harness/mock/pending_call.hpp>
#include <assay/harness/mock/script.hpp>

namespace assay {

namespace detail {

inline constexpr const char* no_action_text =
    "a mocked call that returns an awaitable has no action: no WillOnce or WillRepeatedly applies (or all "
    "are "
    "used up), and no ON_CALL does";

// Free coroutines that own all they need.

template <class T, class Executor>
boost::asio::awaitable<T, Executor> fail_unset() {
  co_await boost::asio::this_coro::executor;  // makes this a coroutine
  // Not before it is awaited: gmock asks for the default first, and then says what it knows, with the
  // method's name.
  ADD_FAILURE() << no_action_text;
  throw unexpected_call(no_action_text);
}

template <class T>
boost::asio::awaitable<T> end_with(reply<T> answer) {
  const call_plan plan = answer.plan();
  call_end end = call_end::completed;
  if (plan.ends != call_plan::ending::at_once) {
    auto watch = std::make_shared<call_watch>();
    end = co_await wait_for_call(plan, std::move(watch));
  }
  if (const std::exception_ptr failure = answer.failure(end)) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) co_return answer.take();
}

template <class T, class Callable, class... Args>
boost::asio::awaitable<T> invoke_held(std::shared_ptr<Callable> callable, std::tuple<Args...> arguments) {
  // By reference into this frame: they live until the call has ended, as the callable does.
  co_return co_await std::apply(*callable, arguments);
}

/// An action that makes a fresh coroutine from `make(reply-of-T tag)` at each call, whatever the arguments.
template <class Make>
class reply_action {
 public:
  explicit reply_action(Make make) : make_(std::move(make)) {}

  template <class T, class... Args>
  operator testing::Action<boost::asio::awaitable<T>(Args...)>() const {  // NOLINT: as gmock's own actions
    return testing::Action<boost::asio::awaitable<T>(Args...)>(
        [make = make_](Args...) { return end_with<T>(make(std::type_identity<T>())); });
  }

 private:
  Make make_;
};

template <class Callable>
class invoke_action {
 public:
  explicit invoke_action(Callable callable) : callable_(std::make_shared<Callable>(std::move(callable))) {}

  template <class T, class... Args>
  operator testing::Action<boost::asio::awaitable<T>(Args...)>() const {  // NOLINT: as gmock's own actions
    return testing::Action<boost::asio::awaitable<T>(Args...)>([callable = callable_](Args... arguments) {
      return invoke_held<T>(callable, std::tuple<std::decay_t<Args>...>(std::forward<Args>(arguments)...));
    });
  }

 private:
  std::shared_ptr<Callable> callable_;
};

}  // namespace detail

/// Ends with this value, in the turn of the call, after one suspension. Copied for every call.
template <class Value>
auto co_return_value(Value value) {
  return detail::reply_action(
      [value = std::move(value)]<class T>(std::type_identity<T>) { return reply<T>::value(T(value)); });
}
/// The same for methods that return awaitable<void>.
inline auto co_return_value() {
  return detail::reply_action([]<class T>(std::type_identity<T>) { return reply<T>::value(); });
}
/// Ends with this exception; an exception_ptr is rethrown.
template <class Exception>
auto co_throw(Exception what) {
  std::exception_ptr failure;
  if constexpr (std::is_same_v<Exception, std::exception_ptr>) {
    failure = std::move(what);
  } else {
    failure = std::make_exception_ptr(std::move(what));
  }
  return detail::reply_action([failure]<class T>(std::type_identity<T>) { return reply<T>::error(failure); });
}
/// Ends with this value after a delay in virtual time; honours cancellation until then.
template <class Value>
auto co_delay(std::chrono::nanoseconds delay, Value value) {
  return detail::reply_action([delay, value = std::move(value)]<class T>(std::type_identity<T>) {
    return reply<T>::value(T(value)).after(delay);
  });
}
inline auto co_delay(std::chrono::nanoseconds delay) {
  return detail::reply_action(
      [delay]<class T>(std::type_identity<T>) { return reply<T>::value().after(delay); });
}
/// Never ends; honours cancellation.
inline auto co_hang() {
  return detail::reply_action([]<class T>(std::type_identity<T>) { return reply<T>::never(); });
}
/// Calls `callable` with the method's arguments and awaits what it returns. A coroutine lambda with captures
/// is fine: it is kept until the last call has ended. Arguments are copied or moved into the call.
template <class Callable>
auto co_invoke(Callable callable) {
  return detail::invoke_action<Callable>(std::move(callable));
}

/// Makes a strict mock of a trial: unexpected calls, unmet expectations and failed EXPECT_* are failures of
/// the trial. It lives until the trial is taken apart, whoever else lets go of it.
template <class Mock, class... Args>
std::shared_ptr<testing::StrictMock<Mock>> mocks(trial& t, Args&&... args) {
  detail::gtest_room& room = detail::gtest_room::of(t);
  auto mock = std::make_shared<testing::StrictMock<Mock>>(std::forward<Args>(args)...);
  room.keep(mock, [known = mock.get()] { testing::Mock::VerifyAndClear(known); });
  t.at_end([known = mock.get()] {
    testing::Mock::VerifyAndClearExpectations(known);  // MOK-7: reports to the room
    return std::string();
  });
  return mock;
}

}  // namespace assay

// MOK-m1: gmock's own default for a class is T(), and a default-constructed awaitable crashes when awaited.
template <class T, class Executor>
class testing::internal::BuiltInDefaultValue<boost::asio::awaitable<T, Executor>> {
 public:
  static bool Exists() { return true; }
  static boost::asio::awaitable<T, Executor> Get() { return assay::detail::fail_unset<T, Executor>(); }
};
