#include <assay/harness/trial/named.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

namespace assay::detail {

boost::asio::awaitable<const void*> this_thread_of_awaitables() {
  auto initiation = [](auto handler) {
    const void* first = nullptr;
    static_assert(sizeof handler >= sizeof first);
    std::memcpy(&first, static_cast<const void*>(&handler), sizeof first);
    std::move(handler)(first);
  };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(const void*)>(
      std::move(initiation), boost::asio::use_awaitable);
}

}  // namespace assay::detail
