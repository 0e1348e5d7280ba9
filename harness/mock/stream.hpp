// A pair of connected streams in memory: what one end writes the other reads. For whatever sits on an Asio
// stream (asio::read and write, Beast, asio::ssl::stream), with the means to make it hard: partial reads and
// writes, delay, bandwidth, backpressure, end of file, reset.
//
//     auto [client, server] = connect(t.executor(), explored(t));          // within a trial
//     auto [client, server] = connect(io.get_executor());                  // anywhere
//
// Promises
// - Bytes arrive in order, none lost, none doubled, until a reset.
// - An operation never completes inside the function that started it; its handler runs on its own executor.
// - Cancellation, per operation and of every type, is total: a cancelled read has taken nothing, a cancelled
//   write has written nothing. What an operation has moved is reported, whatever is requested afterwards.
// - A write waits while `capacity` bytes are on their way (backpressure).
// - At most one read and one write of an end may be pending; one more ends with already_started.
//
// Under asio::ssl::stream in a trial, build with BOOST_ASIO_DISABLE_BOOST_DATE_TIME: otherwise it keeps its own
// waits in Boost.Date_Time's timers, which virtual time does not cover, and the trial reports an escape.
//
// A choice stream, if given, decides at every operation how much it moves, and what else the options leave
// open; without one the stream does what the options say and no more. Scope: both ends on one thread or
// strand.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/role.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

/// How a connection behaves; the same in both directions.
struct stream_options {
  std::size_t capacity = 65'536;        ///< bytes on their way in one direction; at least 1
  std::chrono::nanoseconds delay{};     ///< from a write to when it can be read
  std::uint64_t bytes_per_second = 0;   ///< 0: no limit
  std::size_t bytes_per_operation = 0;  ///< the most that one read or write moves; 0: no limit

  /// Who decides what is left open; null: nobody, nothing is. Must outlive the pair.
  choice_stream* choices = nullptr;
  bool cut = true;                       ///< choose how much of what is possible a read or write moves
  std::chrono::nanoseconds jitter{};     ///< choose a further delay, up to this
  bool throttle = false;                 ///< choose, at each write, a tenth of the bandwidth
  std::uint32_t end_of_file_one_in = 0;  ///< at a read: once in this many (2 or more) the other end has gone
  std::uint32_t reset_one_in = 0;        ///< at each operation: once in this many (2 or more) a reset
};

/// Options for a trial: its choices decide how reads and writes are cut.
inline stream_options explored(trial& t, stream_options options = stream_options()) {
  options.choices = &t.choices();
  return options;
}

namespace detail {

/// An operation that waits for its direction to change, or for an instant.
struct stream_waiter {
  explicit stream_waiter(const boost::asio::any_io_executor& executor) : timer(executor) {}
  boost::asio::steady_timer timer;
  boost::system::error_code ended;  // set by whoever ends the operation from outside
};

/// One direction of a connection.
class stream_direction {
 public:
  using error_code = boost::system::error_code;
  using time_point = std::chrono::steady_clock::time_point;

  explicit stream_direction(const stream_options& options) : options_(options) {
    options_.capacity = std::max<std::size_t>(options_.capacity, 1);
  }
  stream_direction(const stream_direction&) = delete;
  stream_direction& operator=(const stream_direction&) = delete;

  /// How many bytes can be read now.
  std::size_t readable() const;
  /// When that may change by itself; time_point::max() if it will not.
  time_point next_arrival() const;
  std::size_t room() const noexcept { return options_.capacity - on_the_way_; }

  /// Moves up to `possible` bytes, at least one.
  std::size_t cut(std::size_t possible);
  void put(const std::string& bytes);
  void take(char* to, std::size_t count);

  /// The writer ends: what is on its way still arrives.
  void finish();
  /// The reader goes: nothing can be written any more, and what is on its way is gone.
  void abandon();
  void reset();
  /// Draws the end of file and the reset that the options leave open.
  bool draw(std::uint32_t one_in) const;

  bool finished = false;   // end of file follows what is on its way
  bool abandoned = false;  // nobody reads
  bool broken = false;     // reset
  stream_waiter* reader = nullptr;
  stream_waiter* writer = nullptr;
  void wake_both();
  static void wake(stream_waiter* waiting);
  const stream_options& options() const noexcept { return options_; }

 private:
  struct segment {
    std::string bytes;
    std::size_t taken = 0;
    time_point arrives;
  };
  stream_options options_;
  std::deque<segment> segments_;
  std::size_t on_the_way_ = 0;
  time_point line_free_{};
};

/// One end: a direction to read from and one to write to. Shared by the end and its pending operations.
struct stream_end {
  stream_end(boost::asio::any_io_executor ex, std::shared_ptr<stream_direction> from,
             std::shared_ptr<stream_direction> to)
      : executor(std::move(ex)), in(std::move(from)), out(std::move(to)) {}
  boost::asio::any_io_executor executor;
  std::shared_ptr<stream_direction> in;
  std::shared_ptr<stream_direction> out;
  bool open = true;

  void reset();
  void close();
  void end_pending(boost::system::error_code why);
};

/// What reads and writes have in common: try, wait, try again; then complete.
template <class Derived>
class stream_op {
 public:
  explicit stream_op(std::shared_ptr<stream_end> end) : end_(std::move(end)) {}
  stream_op(stream_op&&) noexcept = default;
  stream_op& operator=(stream_op&&) = delete;
  ~stream_op() { leave(); }

  template <class Self>
  void operator()(Self& self, boost::system::error_code = {}) {
    auto& derived = static_cast<Derived&>(*this);
    switch (state_) {
      case state::begins:
        self.reset_cancellation_state(boost::asio::enable_total_cancellation());
        if (derived.try_now(error_, moved_)) return finish_later(self);
        if (derived.place() != nullptr) {
          error_ = boost::asio::error::already_started;
          return finish_later(self);
        }
        waiting_ = std::make_unique<stream_waiter>(end_->executor);
        place_ = &derived.place();
        *place_ = waiting_.get();
        state_ = state::waits;
        return wait(self);
      case state::waits:
        // A request that came first wins: nothing has been moved.
        if (self.cancelled() != boost::asio::cancellation_type::none) {
          error_ = boost::asio::error::operation_aborted;
        } else if (waiting_->ended) {
          error_ = waiting_->ended;
        } else if (!derived.try_now(error_, moved_)) {
          return wait(self);
        }
        leave();
        return self.complete(error_, moved_);
      case state::done:
        return self.complete(error_, moved_);
    }
  }

 protected:
  stream_end& end() const noexcept { return *end_; }

 private:
  enum class state { begins, waits, done };

  // Never inside the initiating function.
  template <class Self>
  void finish_later(Self& self) {
    state_ = state::done;
    boost::asio::post(std::move(self));
  }
  template <class Self>
  void wait(Self& self) {
    boost::asio::steady_timer& timer = waiting_->timer;
    timer.expires_at(static_cast<Derived&>(*this).retry_at());
    timer.async_wait(std::move(self));
  }
  void leave() noexcept {
    if (waiting_ == nullptr) return;
    *place_ = nullptr;
    waiting_.reset();
  }

  std::shared_ptr<stream_end> end_;
  std::unique_ptr<stream_waiter> waiting_;
  stream_waiter** place_ = nullptr;  // where the direction knows it; set while it waits
  state state_ = state::begins;
  boost::system::error_code error_;
  std::size_t moved_ = 0;
};

template <class Buffers>
class read_op final : public stream_op<read_op<Buffers>> {
 public:
  read_op(std::shared_ptr<stream_end> end, const Buffers& buffers)
      : stream_op<read_op>(std::move(end)), buffers_(buffers) {}

  bool try_now(boost::system::error_code& error, std::size_t& moved) {
    stream_direction& in = *this->end().in;
    if (std::exchange(fresh_, false)) {
      if (in.draw(in.options().reset_one_in)) this->end().reset();
      if (in.draw(in.options().end_of_file_one_in)) in.finish();
    }
    if (!this->end().open) {
      error = boost::asio::error::bad_descriptor;
      return true;
    }
    if (in.broken) {
      error = boost::asio::error::connection_reset;
      return true;
    }
    const std::size_t asked = boost::asio::buffer_size(buffers_);
    if (asked == 0) return true;
    const std::size_t possible = std::min(in.readable(), asked);
    if (possible > 0) {
      moved = in.cut(possible);
      std::string bytes(moved, '\0');
      in.take(bytes.data(), moved);
      boost::asio::buffer_copy(buffers_, boost::asio::buffer(bytes));
      return true;
    }
    if (!in.finished || in.next_arrival() != stream_direction::time_point::max()) return false;
    error = boost::asio::error::eof;
    return true;
  }
  stream_direction::time_point retry_at() const { return this->end().in->next_arrival(); }
  stream_waiter*& place() const noexcept { return this->end().in->reader; }

 private:
  Buffers buffers_;
  bool fresh_ = true;
};

template <class Buffers>
class write_op final : public stream_op<write_op<Buffers>> {
 public:
  write_op(std::shared_ptr<stream_end> end, const Buffers& buffers)
      : stream_op<write_op>(std::move(end)), buffers_(buffers) {}

  bool try_now(boost::system::error_code& error, std::size_t& moved) {
    stream_direction& out = *this->end().out;
    if (std::exchange(fresh_, false) && out.draw(out.options().reset_one_in)) this->end().reset();
    if (!this->end().open) {
      error = boost::asio::error::bad_descriptor;
      return true;
    }
    if (out.broken) {
      error = boost::asio::error::connection_reset;
      return true;
    }
    if (out.finished || out.abandoned) {
      error = boost::asio::error::broken_pipe;
      return true;
    }
    const std::size_t asked = boost::asio::buffer_size(buffers_);
    if (asked == 0) return true;
    const std::size_t possible = std::min(out.room(), asked);
    if (possible == 0) return false;
    moved = out.cut(possible);
    std::string bytes(moved, '\0');
    boost::asio::buffer_copy(boost::asio::buffer(bytes), buffers_);
    out.put(bytes);
    return true;
  }
  stream_direction::time_point retry_at() const noexcept { return stream_direction::time_point::max(); }
  stream_waiter*& place() const noexcept { return this->end().out->writer; }

 private:
  Buffers buffers_;
  bool fresh_ = true;
};

}  // namespace detail

/// One end of a connection: an AsyncReadStream and AsyncWriteStream. Movable; destroying it closes it.
template <class Executor = boost::asio::any_io_executor>
class basic_memory_stream {
 public:
  using executor_type = Executor;
  using lowest_layer_type = basic_memory_stream;
  using error_code = boost::system::error_code;

  basic_memory_stream(Executor executor, std::shared_ptr<detail::stream_end> end)
      : executor_(std::move(executor)), end_(std::move(end)) {}
  basic_memory_stream(basic_memory_stream&&) noexcept = default;
  basic_memory_stream& operator=(basic_memory_stream&& other) noexcept {
    if (this == &other) return *this;
    close();
    executor_ = std::move(other.executor_);
    end_ = std::move(other.end_);
    return *this;
  }
  ~basic_memory_stream() { close(); }

  executor_type get_executor() const noexcept { return executor_; }
  lowest_layer_type& lowest_layer() noexcept { return *this; }
  const lowest_layer_type& lowest_layer() const noexcept { return *this; }

  /// Reads at least one byte. Outcomes: the number of bytes; eof once the other end has shut down or closed
  /// and everything was read; connection_reset; operation_aborted; bad_descriptor on a closed end. No bytes
  /// asked for: ends at once with 0.
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_read_some(const Buffers& buffers, Token&& token = {}) {
    return boost::asio::async_compose<Token, void(error_code, std::size_t)>(
        detail::read_op<Buffers>(end_, buffers), token, executor_);
  }
  /// Writes at least one byte; waits while there is no room. Outcomes as for reading, with broken_pipe after
  /// shutdown or when the other end has closed.
  template <class Buffers, class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_write_some(const Buffers& buffers, Token&& token = {}) {
    return boost::asio::async_compose<Token, void(error_code, std::size_t)>(
        detail::write_op<Buffers>(end_, buffers), token, executor_);
  }

  bool is_open() const noexcept { return end_ != nullptr && end_->open; }
  /// Pending operations end with operation_aborted. The other end can read what is on its way, then eof; its
  /// writes fail with broken_pipe. Idempotent.
  void close() {
    if (is_open()) end_->close();
  }
  void close(error_code& error) {
    error.clear();
    close();
  }
  /// Half of close: `shutdown_send`, `shutdown_receive`, or `shutdown_both`, as a socket has them.
  void shutdown(boost::asio::socket_base::shutdown_type what) {
    if (!is_open()) return;
    if (what != boost::asio::socket_base::shutdown_receive) end_->out->finish();
    if (what != boost::asio::socket_base::shutdown_send) {
      end_->in->abandon();
      end_->in->finish();
    }
  }
  void shutdown(boost::asio::socket_base::shutdown_type what, error_code& error) {
    error.clear();
    shutdown(what);
  }
  /// Breaks the connection: both ends' operations, pending and later, fail with connection_reset, and what is
  /// on its way is gone.
  void reset() {
    if (is_open()) end_->reset();
  }
  /// Ends the pending operations of this end with operation_aborted; nothing has happened.
  void cancel() {
    if (is_open()) end_->end_pending(boost::asio::error::operation_aborted);
  }

  // How Beast's websocket streams close what they sit on. Friends that only argument-dependent lookup finds: a `teardown` of the
  // namespace would hide the class of that name (harness/trial/fixture.hpp).
  friend void beast_close_socket(basic_memory_stream& stream) { stream.close(); }
  friend void teardown(boost::beast::role_type, basic_memory_stream& stream, error_code& error) {
    stream.close(error);
  }
  template <class Handler>
  friend void async_teardown(boost::beast::role_type, basic_memory_stream& stream, Handler&& handler) {
    stream.close();
    boost::asio::post(stream.get_executor(), [handler = std::forward<Handler>(handler)]() mutable {
      std::move(handler)(boost::system::error_code());
    });
  }

 private:
  Executor executor_;
  std::shared_ptr<detail::stream_end> end_;
};

using memory_stream = basic_memory_stream<>;

/// Two connected ends, the first on `one`, the second on `two`.
template <class Executor>
std::pair<basic_memory_stream<Executor>, basic_memory_stream<Executor>> connect(
    const Executor& one, const Executor& two, const stream_options& options = stream_options()) {
  auto forth = std::make_shared<detail::stream_direction>(options);
  auto back = std::make_shared<detail::stream_direction>(options);
  basic_memory_stream<Executor> first(one, std::make_shared<detail::stream_end>(one, back, forth));
  basic_memory_stream<Executor> second(two, std::make_shared<detail::stream_end>(two, forth, back));
  return {std::move(first), std::move(second)};
}
template <class Executor>
std::pair<basic_memory_stream<Executor>, basic_memory_stream<Executor>> connect(
    const Executor& both, const stream_options& options = stream_options()) {
  return connect(both, both, options);
}

}  // namespace assay
