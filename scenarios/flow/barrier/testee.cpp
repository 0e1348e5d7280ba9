// Barriers in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace assay {
namespace {

class barrier_in_testee final : public testee::proxy_of<contract::barrier> {
 public:
  using proxy_of::proxy_of;
  awaitable<void> abort() override { return call("abort"); }
  awaitable<void> reset() override { return call("reset"); }
  std::size_t waiting() const override { return ask<std::size_t>("waiting"); }

 protected:
  awaitable<std::size_t> do_wait() override { return call<std::size_t>("wait"); }
  awaitable<std::size_t> do_wait_for(nanoseconds patience) override {
    return call<std::size_t>("wait_for", args("patience", patience));
  }
};

const testee::registrar<barrier_in_testee> registered(
    {.unseen = {"posted_wakeups", "strict_entry", "checked_destruction", "reset_breaks_released"}});

}  // namespace
}  // namespace assay
