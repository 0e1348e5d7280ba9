#include <assay/scenarios/lifecycle/lifespan/reference.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/reference/core/errors.hpp>

namespace assay {

namespace {

std::exception_ptr translated(const std::exception_ptr& failure) {
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

reference::lifespan_options options_of(const contract::lifespan_config& limits) {
  reference::lifespan_options options;
  options.stop_limit = limits.stop_limit;
  options.force_limit = limits.force_limit;
  return options;
}

boost::asio::awaitable<void> call(contract::lifespan::step work) { co_await work(); }

}  // namespace

void rethrow_as_contract(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::exception_group& group) {
    std::vector<contract::aggregate_error::member> members;
    for (const reference::task_failure& each : group.failures())
      members.push_back({each.name, translated(each.error)});
    throw contract::aggregate_error(std::move(members));
  } catch (...) {
    std::rethrow_exception(translated(failure));
  }
}

std::vector<std::string> reference_lifespan_features() {
  return {"users",           "bounded_stop",  "single_use",
          "transient",       "shielded_stop", "attached_failures",
          "level_triggered", "strict_entry",  "checked_destruction"};
}

reference_lifespan::reference_lifespan(const boost::asio::any_io_executor& executor,
                                       const contract::lifespan_config& limits)
    : life_(executor, options_of(limits)) {}

void reference_lifespan::add(std::string name, step start, step stop) {
  life_.add(std::move(name), std::move(start), std::move(stop));
}

boost::asio::awaitable<void> reference_lifespan::run(step body) {
  std::exception_ptr failure;
  try {
    co_await life_.run(std::move(body));
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_as_contract(failure);
}

void reference_lifespan::start_user(std::string, std::string name, step work) {
  try {
    life_.spawn(std::move(name), call(std::move(work)));
  } catch (const reference::closed&) {
    throw contract::closed_error();
  }
}

std::uint64_t reference_lifespan::do_hold(std::string name, step remove) {
  try {
    return life_.hold(std::move(name), std::move(remove));
  } catch (const reference::closed&) {
    throw contract::closed_error();
  }
}

boost::asio::awaitable<void> reference_lifespan::do_release(std::uint64_t id) {
  std::exception_ptr failure;
  try {
    co_await life_.release(id);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) rethrow_as_contract(failure);
}

namespace {

const detail::registrar registered(std::make_unique<subject<contract::lifespan>>(
    "reference", subject_kind::reference, subject_traits{.features = reference_lifespan_features()},
    [](environment& env, const contract::lifespan_config& limits) {
      return std::make_unique<reference_lifespan>(env.executor(), limits);
    }));

}  // namespace

}  // namespace assay
