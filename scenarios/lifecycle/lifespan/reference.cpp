// The reference's lifespan behind the contract. It has every feature.
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/lifecycle/lifespan.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {
namespace {

std::exception_ptr in_words_of_the_contract(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    return std::make_exception_ptr(contract::timed_out_error());
  } catch (const reference::closed&) {
    return std::make_exception_ptr(contract::closed_error());
  } catch (const std::logic_error& misuse) {
    return std::make_exception_ptr(contract::rejected_error(misuse.what()));
  } catch (...) {
    return failure;
  }
}

[[noreturn]] void rethrow_as_contract(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::exception_group& group) {
    std::vector<contract::aggregate_error::member> members;
    for (const reference::task_failure& each : group.failures())
      members.push_back({each.name, in_words_of_the_contract(each.error)});
    throw contract::aggregate_error(std::move(members));
  } catch (...) {
    std::rethrow_exception(in_words_of_the_contract(failure));
  }
}

class reference_lifespan final : public contract::lifespan {
 public:
  reference_lifespan(const boost::asio::any_io_executor& executor, const contract::lifespan_config& limits)
      : life_(executor, {.stop_limit = limits.stop_limit, .force_limit = limits.force_limit}) {}

  std::vector<std::string> stop_timeouts() const override { return life_.stop_timeouts(); }
  std::size_t held() const override { return life_.held(); }

 protected:
  void do_add(std::string name, step start, step stop) override {
    life_.add(std::move(name), std::move(start), std::move(stop));
  }
  awaitable<void> do_run(step body) override {
    return translated(life_.run(std::move(body)), rethrow_as_contract);
  }
  void do_start_user(std::string, std::string name, step work) override {
    try {
      life_.spawn(std::move(name), call(std::move(work)));
    } catch (const reference::closed&) {
      throw contract::closed_error();
    }
  }
  std::uint64_t do_hold(std::string name, step remove) override {
    try {
      return life_.hold(std::move(name), std::move(remove));
    } catch (const reference::closed&) {
      throw contract::closed_error();
    }
  }
  awaitable<void> do_release(std::uint64_t id) override {
    return translated(life_.release(id), rethrow_as_contract);
  }

 private:
  static awaitable<void> call(step work) { co_await work(); }

  reference::lifespan life_;
};

const implements<reference_lifespan> registered(
    "reference", subject_kind::reference,
    {.features = {"users", "bounded_stop", "single_use", "transient", "shielded_stop", "attached_failures",
                  "level_triggered", "late_refusal", "strict_entry", "checked_destruction"}});

}  // namespace
}  // namespace assay
