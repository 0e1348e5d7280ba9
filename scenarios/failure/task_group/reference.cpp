// The reference's task group behind the contract.
#include <assay/reference/core/split_failures.hpp>
#include <assay/reference/failure/task_group.hpp>

#include <exception>
#include <map>
#include <optional>
#include <string>
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
  } catch (const reference::not_started& why) {
    return std::make_exception_ptr(contract::rejected_error(why.what()));
  } catch (...) {
    return failure;
  }
}

[[noreturn]] void rethrow_in_words_of_contract(const std::exception_ptr& failure) {
  std::rethrow_exception(in_words_of_contract(failure));
}

// And what a child throws: a group inside of it fails with the contract's aggregate.
[[noreturn]] void rethrow_in_words_of_reference(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const contract::exit_request& request) {
    throw reference::exit_request(request.status());
  } catch (const contract::aggregate_error& several) {
    std::vector<reference::task_failure> members;
    for (const contract::aggregate_error::member& each : several.members())
      members.push_back({each.task, members.size(), each.failure});
    throw reference::exception_group(std::move(members));
  }
}

asio::awaitable<void> run_child(contract::task_group::work work) {
  co_await translated(work(), rethrow_in_words_of_reference);
}

asio::awaitable<void> run_starting(contract::task_group::starting_work work,
                                   reference::task_group::ready_report ready) {
  contract::task_group::ready_report report(std::move(ready));
  co_await translated(work(std::move(report)), rethrow_in_words_of_reference);
}

bool is_of(contract::failure_kind kind, const std::exception_ptr& failure) {
  switch (kind) {
    case contract::failure_kind::closed:
      return reference::is_a<contract::closed_error>(failure);
    case contract::failure_kind::broken:
      return reference::is_a<contract::broken_error>(failure);
    case contract::failure_kind::timed_out:
      return reference::is_a<contract::timed_out_error>(failure);
  }
  return false;
}

contract::child_end in_words_of_contract(reference::task_end how) {
  switch (how) {
    case reference::task_end::well:
      return contract::child_end::well;
    case reference::task_end::cancelled:
      return contract::child_end::cancelled;
    case reference::task_end::failed:
      return contract::child_end::failed;
  }
  return {};
}

reference::task_group_options options_for(const environment& env, const contract::task_group_config& config) {
  reference::task_group_options options;
  options.cancel_on_failure = !config.collect;
  options.keeps_endings = config.keeps_endings;
  options.waits_for_entry = true;
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
  void cancel() override { group_.request_cancel(); }

  void cancel_child(const std::string& name) override {
    const auto found = handles_.find(name);
    if (found != handles_.end()) found->second.request_cancel();
  }
  awaitable<contract::child_end> join_child(std::string name) override {
    const auto found = handles_.find(name);
    if (found == handles_.end()) throw contract::rejected_error("there is no child " + name);
    const reference::task_end how = co_await found->second.join();
    co_return in_words_of_contract(how);
  }
  awaitable<std::optional<contract::child_ending>> join_next() override {
    const std::optional<reference::task_ending> next = co_await group_.join_next();
    std::optional<contract::child_ending> told;
    if (next) told.emplace(contract::child_ending{next->name, in_words_of_contract(next->how)});
    co_return told;
  }

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    return translated(spawn_and_join(std::move(children)), rethrow_in_words_of_contract);
  }
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override {
    children.insert(children.begin(), child(std::string(body_name), std::move(body)));
    co_await do_run(std::move(children));
  }
  awaitable<void> do_run_split(std::vector<child> children, std::vector<contract::failure_kind> kinds,
                               part_taker take) override {
    std::exception_ptr left = co_await failure_of(spawn_and_join(std::move(children)));
    for (const contract::failure_kind kind : kinds) {
      const reference::failure_parts parts = reference::split_failures(
          left, [kind](const std::exception_ptr& failure) { return is_of(kind, failure); });
      if (parts.matching) take(kind, describe(in_words_of_contract(parts.matching)));
      left = parts.rest;
    }
    if (left) rethrow_in_words_of_contract(left);
  }
  bool do_spawn(child one) override {
    auto handle = group_.spawn_with_handle(one.name, run_child(std::move(one.run)));
    if (!handle) return false;
    handles_.insert_or_assign(std::move(one.name), std::move(*handle));
    return true;
  }
  awaitable<void> do_start(std::string name, starting_work work) override {
    auto run = [work = std::move(work)](reference::task_group::ready_report ready) {
      return run_starting(work, std::move(ready));
    };
    return translated(group_.start(std::move(name), std::move(run)), rethrow_in_words_of_contract);
  }

 private:
  awaitable<void> spawn_and_join(std::vector<child> children) {
    if (!group_.enter()) throw contract::rejected_error("the group has been run");
    auto all_ended = group_.join();  // made first: once a task runs, nothing keeps us from waiting for it
    const std::exception_ptr unspawned = spawn_all(std::move(children));
    co_await std::move(all_ended);
    if (unspawned) std::rethrow_exception(unspawned);
  }
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
  std::map<std::string, reference::task_group::task_handle> handles_;  // of the last child of each name
};

const implements<reference_group> registered("reference", subject_kind::reference,
                                             {.features = {"cleanup",
                                                           "dynamic_spawn",
                                                           "nested_spawn",
                                                           "close",
                                                           "late_refusal",
                                                           "body_failure",
                                                           "own_cancellation",
                                                           "cancelled_outcome",
                                                           "always_aggregate",
                                                           "ordered_failures",
                                                           "fatal_class",
                                                           "collect",
                                                           "lifetime",
                                                           "handles",
                                                           "split",
                                                           "started",
                                                           "own_cancel",
                                                           "keeps_outside_request",
                                                           "checked_entry",
                                                           "scope_handle",
                                                           "join_next",
                                                           "never_starts"}});

}  // namespace
}  // namespace assay
