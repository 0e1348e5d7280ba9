// What the body of a plug check uses (ASSAY_PLUG_CHECK): calls and operations by their names, one after the other, and the
// items that come back.
//
//   ASSAY_PLUG_CHECK(bounded_queue) {
//     assay::plug plug(t);
//     auto queue = make({.capacity = 2});
//     co_await plug.ends("push", queue->push(t.item(1)));
//     auto popped = co_await plug.ends("pop", queue->pop());
//     plug.came_back("pop", popped.value().id());
//     if (make.claims("close")) plug.call("close", [&] { queue->close(); });
//   }
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/allocation/section.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

class plug {
 public:
  using nanoseconds = std::chrono::nanoseconds;
  explicit plug(trial& t) noexcept : trial_(t) {}
  plug(const plug&) = delete;
  plug& operator=(const plug&) = delete;

  /// A call that is no operation: how it ended. What it threw is looked at here, and goes no further.
  template <class Call>
  outcome call(std::string_view name, Call&& doing) {
    std::exception_ptr failure;
    try {
      std::forward<Call>(doing)();
    } catch (...) {
      failure = std::current_exception();
    }
    trial_.require_translated(name, failure);
    return describe(failure);
  }

  /// Starts the operation, lets this long pass, and requires that it has ended.
  template <class T>
  boost::asio::awaitable<operation<T>> ends(std::string name, boost::asio::awaitable<T> work,
                                            nanoseconds within = nanoseconds::zero(),
                                            std::source_location where = std::source_location::current()) {
    operation<T> begun = trial_.start(std::move(name), std::move(work), {}, where);
    co_await trial_.pass(within);
    require_ended(begun);
    co_return begun;
  }

  /// An operation within a callback of the subject: how it ended is looked at here, and goes no further.
  boost::asio::awaitable<void> tries(std::string name, boost::asio::awaitable<void> work) {
    std::exception_ptr failure;
    try {
      co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    trial_.require_translated(name, failure);
  }

  /// The operation has ended, with whatever outcome, and that was looked at. Else the check breaks off: what hangs is for the
  /// clauses to say.
  template <class T>
  void require_ended(const operation<T>& begun) {
    if (begun.what().kind != outcome_kind::pending) return;
    trial_.fail("'" + begun.name() + "' has not ended");
    throw scenario_stopped();
  }

  /// What came out of the subject is an item with this id: one that was handed in, whichever. An empty one that the ledger
  /// knows to be wrong came twice, and is no mistake of an adapter.
  void came_back(std::string_view from, int id) {
    const detail::harness_section section;
    const item_ledger& items = trial_.items();
    constexpr auto given = static_cast<std::uint8_t>(1U << static_cast<unsigned>(item_state::given));
    const bool known = std::any_of(
        items.entries().begin(), items.entries().end(),
        [id](const item_ledger::entry& one) { return one.id == id && (one.visited & given) != 0; });
    if (known || (id == 0 && !items.violations().empty())) return;
    const std::string what =
        id == 0 ? "without its id" : "with the id " + std::to_string(id) + ", which was never handed in";
    trial_.misplugged("an item came out of `" + std::string(from) + "` " + what +
                      "; hand out the object that was handed in, or one that carries its id "
                      "(harness/trial/item.hpp)");
  }

 private:
  trial& trial_;
};

}  // namespace assay
