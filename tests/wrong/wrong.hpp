// What a stranger might write: implementations of the standard's contracts with one plausible bug each, written without a
// look at scenarios, mutants or the reference. A bug is a value of an enumeration that bends an honest implementation; with
// `none` it is the *mended twin*, which must pass everything.
//
//   ASSAY_DEFECTS(queue_bug, none, closes_over_the_item)
//
//   const table<looking_queue, queue_bug> all(
//       "looking_queue", {"close"},  // the twin, and what all of them claim
//       caught{{queue_bug::closes_over_the_item, "a popper that was woken asks first whether the queue is closed",
//               {{"BQ-11", "returns buffered items first"}}}},
//       escapes{});
//
// The implementation is constructed from (any_io_executor or environment&, const config&, bug). `wrong_implementations
// table` prints all tables for check.py, which asks for the verdicts.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <deque>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::wrong {

/// A line of a table, as the checker reads it.
struct entry {
  std::string contract;
  std::string name;  ///< of the subject
  std::string twin;
  std::string what;                       ///< is wrong with it
  std::vector<expected_failure> clauses;  ///< at least one of them fails, with a message that holds this text
  bool escapes = false;                   ///< nothing catches it yet
};

/// All entries of the program, in the order of their tables.
std::vector<entry>& entries();

template <class Bug>
struct line {
  Bug bug;
  std::string what;
  std::vector<expected_failure> clauses;
};

/// The bugs of one implementation. Every value of the enumeration but `none` is in one of the two lists.
template <class Implementation, class Bug>
struct table {
  table(const std::string& twin, const std::vector<std::string>& features,
        const std::vector<line<Bug>>& caught, const std::vector<line<Bug>>& escapes = {}) {
    add(twin, features, Bug::none);
    for (const line<Bug>& one : caught) add(twin, features, one, false);
    for (const line<Bug>& one : escapes) add(twin, features, one, true);
  }

 private:
  static void add(const std::string& name, const std::vector<std::string>& features, Bug bug) {
    subject_traits traits{.features = features};
    catalogue::instance().offer(
        subject_made_of<Implementation>(name, subject_kind::third_party, std::move(traits), bug));
  }
  static void add(const std::string& twin, const std::vector<std::string>& features, const line<Bug>& one,
                  bool escapes) {
    const std::string name = names_of_defects<Bug>().at(static_cast<std::size_t>(one.bug));
    add(name, features, one.bug);
    entries().push_back(
        {std::string(Implementation::contract_type::name), name, twin, one.what, one.clauses, escapes});
  }
};

// What the implementations stand on: a list of coroutines that wait, each on a timer of its own.

enum class ended { woken, timed_out, cancelled };

struct waiter {
  explicit waiter(const boost::asio::any_io_executor& executor) : timer(executor) {}
  boost::asio::steady_timer timer;
  bool woken = false;
};

/// Throws what a wait ended with, unless it was woken.
inline void check(ended how) {
  if (how == ended::cancelled) contract::throw_cancelled();
  if (how == ended::timed_out) throw contract::timed_out_error();
}

class waiting_list {
 public:
  using time_point = boost::asio::steady_timer::time_point;

  bool empty() const noexcept { return parked_.empty(); }
  std::size_t size() const noexcept { return parked_.size(); }
  /// Who has waited longest; there must be one.
  waiter& front() const { return *parked_.front(); }
  void send_to_the_back() {
    parked_.push_back(parked_.front());
    parked_.pop_front();
  }

  /// Waits until somebody wakes it. Being woken wins over a deadline or a request that came meanwhile.
  boost::asio::awaitable<ended> wait(waiter& self, time_point deadline = time_point::max()) {
    self.woken = false;
    self.timer.expires_at(deadline);
    parked_.push_back(&self);
    boost::system::error_code error;
    std::exception_ptr failure;
    try {
      co_await self.timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(parked_, &self);
    if (self.woken) co_return ended::woken;
    if (failure) std::rethrow_exception(failure);
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != boost::asio::cancellation_type::none;
    co_return cancelled ? ended::cancelled : ended::timed_out;
  }

  /// False if nobody waits.
  bool wake_one() {
    if (parked_.empty()) return false;
    waiter& first = *parked_.front();
    parked_.pop_front();
    first.woken = true;
    first.timer.cancel();
    return true;
  }
  void wake_all() {
    while (wake_one()) {
    }
  }

 private:
  std::deque<waiter*> parked_;
};

}  // namespace assay::wrong
