// The reference's gathering behind the contract.
#include <assay/reference/failure/gather.hpp>

#include <exception>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using contract::gather_slot;
using contract::slot_end;

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::part_missing& why) {
    throw contract::rejected_error(why.what());
  } catch (const reference::exception_group& group) {
    std::vector<contract::aggregate_error::member> members;
    for (const reference::task_failure& each : group.failures()) members.push_back({each.name, each.error});
    throw contract::aggregate_error(std::move(members));
  }
}

gather_slot in_words_of_contract(const reference::gathered<contract::gather::value>& one) {
  if (one.value) return {slot_end::value, *one.value, ""};
  if (one.how == reference::task_end::cancelled) return {slot_end::cancelled, std::nullopt, ""};
  return {slot_end::failed, std::nullopt, describe(one.error).label};
}

class reference_gather final : public contract::gather {
 public:
  reference_gather(const environment&, const contract::gather_config&) {}

 protected:
  awaitable<slots> do_all(std::vector<operation> operations) override {
    const auto all = co_await reference::gather_all(producers(std::move(operations)));
    co_return in_words(all);
  }
  awaitable<slots> do_all_shared(std::vector<operation> operations, std::vector<std::size_t> which) override {
    const auto all = co_await reference::gather_shared(producers(std::move(operations)), std::move(which));
    co_return in_words(all);
  }
  awaitable<slots> do_parts(std::vector<operation> operations, std::vector<bool> required) override {
    std::vector<reference::part<value>> parts;
    for (std::size_t i = 0; i < operations.size(); ++i)
      parts.emplace_back(std::move(operations[i].name), std::move(operations[i].run), required.at(i));
    const auto all = co_await translated(reference::gather_parts(std::move(parts)), rethrow);
    co_return in_words(all);
  }
  awaitable<contract::check_verdict> do_validate(std::vector<operation> checks) override {
    std::vector<reference::part<bool>> parts;
    for (operation& one : checks)
      parts.emplace_back(std::move(one.name), [run = std::move(one.run)] { return says_yes(run()); }, true);
    reference::check_result seen = co_await reference::gather_checks(std::move(parts));
    contract::check_verdict verdict;
    verdict.valid = seen.valid;
    verdict.causes = std::move(seen.causes);
    co_return verdict;
  }
  awaitable<std::vector<std::int64_t>> do_first(std::size_t wanted, std::vector<operation> operations,
                                                std::function<void(std::int64_t)> give_back) override {
    auto back = [give_back = std::move(give_back)](value one) { give_back(*one); };
    const std::vector<value> all = co_await translated(
        reference::gather_first(wanted, producers(std::move(operations)), std::move(back)), rethrow);
    std::vector<std::int64_t> values;
    for (const value& one : all) values.push_back(*one);
    co_return values;
  }
  awaitable<void> do_each(std::vector<operation> operations, nanoseconds patience,
                          std::function<void(std::size_t, const gather_slot&)> take) override {
    auto tell = [take = std::move(take)](std::size_t index, const reference::gathered<value>& one) {
      take(index, in_words_of_contract(one));
    };
    const reference::time_point deadline = reference::deadline_after(patience);
    return translated(
        reference::gather_each<value>(producers(std::move(operations)), std::move(tell), deadline), rethrow);
  }

 private:
  static std::vector<reference::producer<value>> producers(std::vector<operation> operations) {
    std::vector<reference::producer<value>> all;
    for (operation& one : operations) all.push_back(std::move(one.run));
    return all;
  }
  static slots in_words(const std::vector<reference::gathered<value>>& all) {
    slots told;
    for (const auto& one : all) told.push_back(in_words_of_contract(one));
    return told;
  }
  static awaitable<bool> says_yes(awaitable<value> check) {
    const value said = co_await std::move(check);
    co_return said == 1;
  }
};

const implements<reference_gather> registered(
    "reference", subject_kind::reference,
    {.features = {"owns_operations", "own_cancellation", "failing_creation", "shared_handle",
                  "required_parts", "validation", "first", "as_completed"}});

}  // namespace
}  // namespace assay
