// The reference's task group behind the contract.
#include <assay/reference/failure/task_group.hpp>

#include <exception>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

// The reference designates a type of its own as fatal, and so does the contract.
std::exception_ptr in_words_of_contract(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::exit_request& request) {
    return std::make_exception_ptr(contract::exit_request(request.status()));
  } catch (const reference::exception_group& group) {
    std::vector<contract::aggregate_error::member> members;
    for (const reference::task_failure& each : group.failures())
      members.push_back({each.name, in_words_of_contract(each.error)});
    return std::make_exception_ptr(contract::aggregate_error(std::move(members)));
  } catch (...) {
    return failure;
  }
}

[[noreturn]] void rethrow_in_words_of_contract(const std::exception_ptr& failure) {
  std::rethrow_exception(in_words_of_contract(failure));
}

asio::awaitable<void> run_child(contract::task_group::work work) {
  try {
    co_await work();
  } catch (const contract::exit_request& request) {
    throw reference::exit_request(request.status());
  }
}

reference::task_group_options options_for(const environment& env, const contract::task_group_config& config) {
  reference::task_group_options options;
  options.cancel_on_failure = !config.collect;
  options.unhandled = [&env](const reference::task_failure& failed) {
    const detail::harness_section section;  // the hook must not throw
    env.report_unhandled(in_words_of_contract(failed.error));
  };
  return options;
}

class reference_group final : public contract::task_group {
 public:
  reference_group(const environment& env, const contract::task_group_config& config)
      : group_(env.executor(), options_for(env, config)) {}

  void close() override { group_.close(); }

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    auto all_ended = translated(
        group_.join(),
        rethrow_in_words_of_contract);  // made first: once a task runs, nothing keeps us from waiting for it
    const std::exception_ptr unspawned = spawn_all(std::move(children));
    co_await std::move(all_ended);
    if (unspawned) std::rethrow_exception(unspawned);
  }
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override {
    children.insert(children.begin(), child(std::string(body_name), std::move(body)));
    co_await do_run(std::move(children));
  }
  bool do_spawn(child one) override {
    return group_.spawn(std::move(one.name), run_child(std::move(one.run)));
  }

 private:
  // What kept us from spawning all of them; then those that were spawned are asked to stop.
  std::exception_ptr spawn_all(std::vector<child> children) {
    try {
      for (child& one : children) (void)do_spawn(std::move(one));
    } catch (...) {
      group_.request_cancel();
      return std::current_exception();
    }
    return nullptr;
  }

  reference::task_group group_;
};

const implements<reference_group> registered(
    "reference", subject_kind::reference,
    {.features = {"cleanup", "dynamic_spawn", "nested_spawn", "close", "late_refusal", "body_failure",
                  "own_cancellation", "cancelled_outcome", "always_aggregate", "ordered_failures",
                  "fatal_class", "collect", "lifetime"}});

}  // namespace
}  // namespace assay
