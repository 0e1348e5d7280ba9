// A pool of connections: opens up to a limit of them, lends them, and keeps those that come back.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace adoption {

namespace asio = boost::asio;

/// `CountsFailures` false is the version with the mistake: an attempt to connect that fails, or is cancelled, is counted as an
/// open connection for ever.
template <bool CountsFailures>
class connection_pool {
 public:
  using connection = int;
  using connect_function = std::function<asio::awaitable<connection>()>;

  /// A borrowed connection; comes back to its pool when it goes.
  class lease {
   public:
    lease() = default;
    lease(connection_pool& pool, connection which) : pool_(&pool), which_(which) {}
    lease(lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), which_(other.which_) {}
    lease& operator=(lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(which_, other.which_);
      return *this;
    }
    ~lease() {
      if (pool_ != nullptr) pool_->put_back(which_);
    }
    connection get() const noexcept { return which_; }

   private:
    connection_pool* pool_ = nullptr;
    connection which_ = 0;
  };

  /// A pool that brings its own loop, for which somebody must call `run`.
  connection_pool(std::size_t limit, connect_function connect)
      : own_(std::make_unique<asio::io_context>()),
        changed_(*own_, asio::steady_timer::time_point::max()),
        connect_(std::move(connect)),
        limit_(limit) {}
  /// A pool on somebody else's loop.
  connection_pool(asio::any_io_executor executor, std::size_t limit, connect_function connect)
      : changed_(std::move(executor), asio::steady_timer::time_point::max()),
        connect_(std::move(connect)),
        limit_(limit) {}
  connection_pool(const connection_pool&) = delete;
  connection_pool& operator=(const connection_pool&) = delete;

  void run() { own_->run(); }

  /// A connection, once there is one. Throws what connecting threw, or operation_aborted, having taken none.
  asio::awaitable<lease> acquire() {
    co_return co_await asio::co_spawn(changed_.get_executor(), take(), asio::use_awaitable);
  }

  /// Connections that are lent, or on their way.
  std::size_t in_use() const noexcept { return open_ - idle_.size(); }

 private:
  asio::awaitable<lease> take() {
    while (idle_.empty() && open_ == limit_) {
      boost::system::error_code woken;
      co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      const asio::cancellation_state own = co_await asio::this_coro::cancellation_state;
      if (own.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (!idle_.empty()) {
      const connection which = idle_.back();
      idle_.pop_back();
      co_return lease(*this, which);
    }
    ++open_;
    std::exception_ptr failure;
    try {
      const connection made = co_await connect_();
      co_return lease(*this, made);
    } catch (...) {
      failure = std::current_exception();
    }
    if constexpr (CountsFailures) {
      --open_;
      changed_.cancel();
    }
    std::rethrow_exception(failure);
  }

  void put_back(connection which) noexcept {
    idle_.push_back(which);
    changed_.cancel();
  }

  std::unique_ptr<asio::io_context> own_;
  asio::steady_timer changed_;
  connect_function connect_;
  std::size_t limit_;
  std::size_t open_ = 0;
  std::vector<connection> idle_;
};

}  // namespace adoption
