// The reference's cleanup scope behind the contract. It has every feature but `typed_registration`.
#include <boost/asio/any_io_executor.hpp>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/failure/cleanup.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

namespace assay {
namespace {

std::exception_ptr in_words_of_the_contract(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::exception_group& group) {
    std::vector<contract::aggregate_error::member> members;
    for (const reference::task_failure& each : group.failures())
      members.push_back({each.name, in_words_of_the_contract(each.error)});
    return std::make_exception_ptr(contract::aggregate_error(std::move(members)));
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
  std::rethrow_exception(in_words_of_the_contract(failure));
}

class reference_cleanup final : public contract::cleanup {
 public:
  reference_cleanup(const boost::asio::any_io_executor& executor, const contract::cleanup_config& wanted)
      : scope_(executor, {.limit = wanted.limit}) {}

  void handle(std::string name, bool swallows, observer seen) override {
    const auto decide = [swallows, seen = std::move(seen)](const std::exception_ptr& so_far) {
      seen(so_far ? describe(in_words_of_the_contract(so_far)) : describe(so_far));
      return swallows;
    };
    try {
      scope_.handle(std::move(name), decide);
    } catch (const reference::closed&) {
      throw contract::closed_error();
    }
  }
  std::vector<std::string> forced() const override { return scope_.forced(); }
  contract::cleanup_statistics statistics() const override {
    const reference::cleanup_statistics now = scope_.statistics();
    return {now.open, now.closed, now.forced};
  }

 protected:
  awaitable<void> do_run(step body) override {
    return translated(scope_.run(std::move(body)), rethrow_as_contract);
  }
  awaitable<void> do_acquire(contract::cleanup_resource what) override {
    step acquisition = std::move(what.acquire);
    reference::cleanup_scope::resource registered{std::move(what.name), std::move(what.flush),
                                                  std::move(what.close), std::move(what.force_close)};
    return translated(scope_.acquire(std::move(acquisition), std::move(registered)), rethrow_as_contract);
  }
  awaitable<void> do_close() override { return translated(scope_.close(), rethrow_as_contract); }

 private:
  reference::cleanup_scope scope_;
};

const implements<reference_cleanup> registered(
    "reference", subject_kind::reference,
    {.features = {"shielded_cleanup", "bounded_cleanup", "primary_first", "suppress", "single_use",
                  "statistics", "strict_entry", "checked_destruction"}});

}  // namespace
}  // namespace assay
