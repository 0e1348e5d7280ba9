// What people write with Boost.Asio alone where a coroutine has something to close: the failure is kept, since nothing
// can be awaited in a handler, and the cancellation state is reset, since what is awaited after a cancellation would throw
// at once. Two forms of it, which differ in whether requests are let in again. No other library for Asio has a scope
// of this kind.
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <utility>
#include <vector>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

class close_after_catch final : public contract::cleanup {
 public:
  close_after_catch(environment& env, const contract::cleanup_config&, bool disables)
      : environment_(env), disables_(disables) {}

 protected:
  awaitable<void> do_run(step body) override {
    const std::exception_ptr failure = co_await failure_of(body());
    if (disables_) {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    } else {
      co_await asio::this_coro::reset_cancellation_state();
    }
    co_await close_all(failure);
  }
  awaitable<void> do_acquire(contract::cleanup_resource what) override {
    const step acquisition = what.acquire;
    co_await acquisition();
    open_.push_back(std::move(what));
  }
  awaitable<void> do_close() override { return close_all(nullptr); }

 private:
  awaitable<void> close_all(std::exception_ptr first) {
    while (!open_.empty()) {
      const contract::cleanup_resource last = std::move(open_.back());
      open_.pop_back();
      for (const step* const next : {&last.flush, &last.close}) {
        std::exception_ptr failure = co_await failure_of((*next)());
        if (!failure) continue;
        if (!first || is_cancellation(first)) std::swap(first, failure);
        if (failure && !is_cancellation(failure)) environment_.report_unhandled(failure);
      }
    }
    if (first) std::rethrow_exception(first);
  }

  environment& environment_;
  const bool disables_;
  std::vector<contract::cleanup_resource> open_;
};

const std::string manual = "www.boost.org/doc/libs/1_81_0/doc/html/boost_asio/";

const implements<close_after_catch> resetting(
    "asio.reset_and_close", subject_kind::third_party,
    {.features = {"typed_registration"},
     .cites = manual + "reference/this_coro__reset_cancellation_state.html: 'Returns an awaitable object "
                       "that may be used to "
                       "reset the cancellation state for the current coroutine', and "
                       "overview/composition/cpp20_coroutines.html",
     .library = "Boost " + boost_version()},
    false);
const implements<close_after_catch> disabling(
    "asio.disable_and_close", subject_kind::third_party,
    {.features = {"typed_registration"},
     .cites = manual +
              "reference/disable_cancellation.html: 'A cancellation filter that disables cancellation'",
     .library = "Boost " + boost_version()},
    true);

}  // namespace
}  // namespace assay
