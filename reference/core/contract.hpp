// Detected misuse: what a primitive does when it is destroyed while somebody still depends on it.
//
// The checks are always compiled in: they cost one comparison in a destructor. Destroying a whole execution
// context with everything parked in it is no misuse; `shutdown_watch` tells the two apart.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <cstdio>
#include <exception>
#include <memory>

namespace assay::reference {

/// Called with one line of text that names the violation. It must not throw. If it returns, the object lets
/// go of whoever depended on it and goes on being destroyed; those waiters stay suspended until their
/// execution context is destroyed.
using contract_violation_handler = void (*)(const char* what) noexcept;

namespace detail {

inline void print_and_terminate(const char* what) noexcept {
  std::fprintf(stderr, "contract violation: %s\n", what);
  std::terminate();
}

inline std::atomic<contract_violation_handler> violation_handler{&print_and_terminate};

}  // namespace detail

/// Replaces the handler of the whole process and returns the previous one. By default a violation is printed
/// to stderr and the process is terminated.
inline contract_violation_handler set_contract_violation_handler(
    contract_violation_handler handler) noexcept {
  return detail::violation_handler.exchange(handler ? handler : &detail::print_and_terminate);
}

/// Reports a violation to the handler in force.
inline void contract_violation(const char* what) noexcept { detail::violation_handler.load()(what); }

/// Knows whether the execution context behind an executor is being destroyed. It may outlive the context.
class shutdown_watch {
 public:
  explicit shutdown_watch(const boost::asio::any_io_executor& executor)
      : shutting_down_(
            boost::asio::use_service<service>(boost::asio::query(executor, boost::asio::execution::context))
                .shutting_down_) {}

  bool shutting_down() const noexcept { return *shutting_down_; }

 private:
  // Asio shuts all services of a context down before it drops the handlers, and with them the coroutine
  // frames.
  struct service final : boost::asio::execution_context::service {
    using key_type = service;
    inline static boost::asio::execution_context::id id;

    explicit service(boost::asio::execution_context& context)
        : boost::asio::execution_context::service(context) {}

    void shutdown() override { *shutting_down_ = true; }

    std::shared_ptr<bool> shutting_down_ = std::make_shared<bool>(false);
  };

  std::shared_ptr<const bool> shutting_down_;
};

}  // namespace assay::reference
