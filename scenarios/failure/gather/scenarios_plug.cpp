// The plug check of gather.
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace {

using namespace std::chrono_literals;
using gathering = assay::contract::gather;
using assay::contract::gather_slot;

boost::asio::awaitable<gathering::value> give() {
  co_await assay::sleep_for(1ms);
  co_return 1;
}
boost::asio::awaitable<gathering::value> fail() {
  co_await assay::sleep_for(1ms);
  throw assay::contract::operation_error("b fails");
}

std::vector<gathering::operation> two(bool both_give = true) {
  std::vector<gathering::operation> all;
  all.emplace_back("a", give);
  all.emplace_back("b", both_give ? give : fail);
  return all;
}

ASSAY_PLUG_CHECK(gather) {
  assay::plug plug(t);
  auto gather = make();
  co_await plug.ends("all", gather->all(two(false)), 10ms);
  if (make.claims("shared_handle")) {
    std::vector<std::size_t> which{0, 1, 0};
    co_await plug.ends("all_shared", gather->all_shared(two(), std::move(which)), 10ms);
  }
  if (make.claims("required_parts")) {
    std::vector<bool> required{true, false};
    co_await plug.ends("parts", gather->parts(two(false), std::move(required)), 10ms);
  }
  if (make.claims("validation")) co_await plug.ends("validate", gather->validate(two()), 10ms);
  if (make.claims("first")) {
    std::function<void(std::int64_t)> give_back = [](std::int64_t) {};
    co_await plug.ends("first", gather->first(1, two(), std::move(give_back)), 10ms);
  }
  if (make.claims("as_completed")) {
    std::function<void(std::size_t, const gather_slot&)> take = [](std::size_t, const gather_slot&) {};
    co_await plug.ends("each", gather->each(two(), 1h, std::move(take)), 10ms);
  }
}

}  // namespace
