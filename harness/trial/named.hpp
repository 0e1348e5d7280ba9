// Names for the coroutines of the code under test, for stories.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>

namespace assay {

namespace detail {

/// Where names are kept while a trial that is explained runs on this thread.
class coroutine_names {
 public:
  virtual ~coroutine_names() = default;
  /// `thread` tells threads of awaitables that live from each other.
  virtual void begin(const void* thread, const std::string& name) = 0;
  virtual void end(const void* thread) noexcept = 0;
};
inline constinit thread_local coroutine_names* names_of_this_thread = nullptr;

/// The name of a thread of awaitables, while one lives.
class named_coroutine {
 public:
  named_coroutine(const void* thread, const std::string& name) : thread_(thread) {
    if (names_of_this_thread != nullptr) names_of_this_thread->begin(thread, name);
  }
  named_coroutine(const named_coroutine&) = delete;
  named_coroutine& operator=(const named_coroutine&) = delete;
  ~named_coroutine() {
    if (names_of_this_thread != nullptr) names_of_this_thread->end(thread_);
  }

 private:
  const void* thread_;
};

/// What tells this thread of awaitables from others: the first word of every handler that resumes it, see wait_op. Ends in the
/// same turn.
boost::asio::awaitable<const void*> this_thread_of_awaitables();

}  // namespace detail

/// `work` under a name, which stories of a trial call it by: `co_spawn(executor, assay::named("worker", work()), detached)`. What
/// it does, when, and how it ends is that of `work`; outside of a trial that is explained the name is forgotten.
/// Cancellation reaches `work` as if it were awaited directly.
template <class T>
boost::asio::awaitable<T> named(std::string name, boost::asio::awaitable<T> work) {
  const detail::named_coroutine own(co_await detail::this_thread_of_awaitables(), name);
  co_return co_await std::move(work);
}

}  // namespace assay
