#include <assay/reference/flow/event.hpp>

#include <exception>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {
namespace {

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  }
}

template <class Event>
class reference_event final : public contract::event {
 public:
  reference_event(const boost::asio::any_io_executor& executor, const contract::event_config&)
      : set_from_outside_(event_.make_remote_setter(executor)) {}
  bool is_set() const override { return event_.is_set(); }
  std::size_t waiting() const override { return event_.waiting(); }

 protected:
  awaitable<void> do_wait() override { return event_.wait(); }
  awaitable<void> do_wait_for(nanoseconds patience) override {
    return translated(event_.wait_until(reference::deadline_after(patience)), &rethrow);
  }
  void do_set() override { event_.set(); }
  void do_clear() override {
    if constexpr (requires { event_.clear(); }) {
      event_.clear();
    } else {
      throw contract::rejected_error("a latch has no clear");
    }
  }
  void do_broadcast() override {
    if constexpr (requires { event_.broadcast(); }) event_.broadcast();
  }
  void do_set_from_outside() override { set_from_outside_(); }

 private:
  Event event_;
  typename Event::remote_setter set_from_outside_;
};

const detail::registrar registered(std::make_unique<subject<contract::event>>(
    "reference", subject_kind::reference,
    subject_traits{.features = {"clear", "timed", "latch", "auto_reset", "fair", "thread_set", "statistics",
                                "strict_entry", "posted_wakeups", "checked_destruction"}},
    [](environment& env, const contract::event_config& config) -> std::unique_ptr<contract::event> {
      const auto executor = env.executor();
      switch (config.form) {
        case contract::event_form::auto_reset:
          return std::make_unique<reference_event<reference::auto_reset_event>>(executor, config);
        case contract::event_form::latch:
          return std::make_unique<reference_event<reference::latch>>(executor, config);
        case contract::event_form::manual_reset:
          break;
      }
      return std::make_unique<reference_event<reference::event>>(executor, config);
    }));

}  // namespace
}  // namespace assay
