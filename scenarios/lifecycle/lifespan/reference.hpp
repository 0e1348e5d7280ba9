// The reference's lifespan behind the contract.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <assay/reference/lifecycle/lifespan.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {

/// Every feature of the contract; the reference has them all.
std::vector<std::string> reference_lifespan_features();

/// Rethrows a failure of the reference in the contract's words.
[[noreturn]] void rethrow_as_contract(const std::exception_ptr& failure);

class reference_lifespan : public contract::lifespan {
 public:
  reference_lifespan(const boost::asio::any_io_executor& executor, const contract::lifespan_config& limits);

  void add(std::string name, step start, step stop) override;
  awaitable<void> run(step body) override;
  void start_user(std::string resource, std::string name, step work) override;
  std::vector<std::string> stop_timeouts() const override { return life_.stop_timeouts(); }
  std::size_t held() const override { return life_.held(); }

 protected:
  std::uint64_t do_hold(std::string name, step remove) override;
  awaitable<void> do_release(std::uint64_t id) override;
  reference::lifespan& life() noexcept { return life_; }

 private:
  reference::lifespan life_;
};

}  // namespace assay
