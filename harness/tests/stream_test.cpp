#include <assay/harness/mock/stream.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <assay/harness/tests/mock_support.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace std::chrono_literals;
using testing_support::campaign;
using testing_support::run;
using testing_support::story;

asio::awaitable<std::size_t> read_some(memory_stream& from, std::string& into) {
  return from.async_read_some(asio::buffer(into), asio::use_awaitable);
}
asio::awaitable<std::size_t> write_some(memory_stream& to, const std::string& text) {
  return to.async_write_some(asio::buffer(text), asio::use_awaitable);
}
asio::awaitable<std::size_t> write_all(memory_stream& to, const std::string& text) {
  return asio::async_write(to, asio::buffer(text), asio::use_awaitable);
}
asio::awaitable<std::size_t> read_all(memory_stream& from, std::string& into) {
  return asio::async_read(from, asio::buffer(into), asio::use_awaitable);
}

// Reads to the end, in buffers of `piece` bytes; an error other than the end of file comes out.
asio::awaitable<std::string> read_to_end(memory_stream& from, std::size_t piece) {
  std::string all;
  while (true) {
    std::string buffer(piece, '\0');
    boost::system::error_code error;
    const std::size_t count =
        co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    all.append(buffer, 0, count);
    if (error == asio::error::eof) co_return all;
    if (error) throw boost::system::system_error(error);
  }
}

asio::awaitable<void> write_and_close(memory_stream& to, const std::string& text) {
  co_await write_all(to, text);
  to.shutdown(asio::socket_base::shutdown_send);
}

std::string code_of(const std::exception_ptr& failure) {
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::eof) return "eof";
    if (error.code() == asio::error::connection_reset) return "reset";
    if (error.code() == asio::error::broken_pipe) return "broken pipe";
    if (error.code() == asio::error::operation_aborted) return "aborted";
    if (error.code() == asio::error::bad_descriptor) return "closed";
    if (error.code() == asio::error::already_started) return "already started";
  }
  return failure ? "other" : "none";
}

std::string letters(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('a' + i % 26);
  return text;
}

// ---- conservation and order, however reads and writes are cut

asio::awaitable<void> copy_through(trial& t, stream_options options) {
  auto pair = connect(t.executor(), explored(t, options));
  const std::string text = letters(300);
  auto writing = t.start("write", write_and_close(pair.first, text));
  auto reading = t.start("read", read_to_end(pair.second, 7));
  co_await t.advance(1h);
  t.expect(writing.done(), "everything is written");
  t.expect_eq(reading.value(), text);
}

asio::awaitable<void> copy_plainly(trial& t) { return copy_through(t, {}); }
asio::awaitable<void> copy_slowly(trial& t) {
  stream_options options;
  options.capacity = 16;
  options.delay = 3ms;
  options.jitter = 20ms;
  options.bytes_per_second = 1000;
  options.throttle = true;
  return copy_through(t, options);
}

TEST(stream, bytes_arrive_in_order_and_complete_however_they_are_cut) {
  EXPECT_EQ(story(campaign(copy_plainly, 100)), "");
  EXPECT_EQ(story(campaign(copy_slowly, 100)), "");
}

// A program that takes one read for one message: FIFO does not show it, cutting does.
asio::awaitable<void> trust_one_read(trial& t) {
  auto pair = connect(t.executor(), explored(t));
  const std::string text = "hello";
  co_await write_all(pair.first, text);
  std::string got(5, '\0');
  const std::size_t count = co_await read_some(pair.second, got);
  t.expect_eq(got.substr(0, count), text);
}

TEST(stream, partial_reads_show_a_program_that_counts_on_whole_ones) {
  EXPECT_EQ(story(run(trust_one_read)), "");
  EXPECT_FALSE(campaign(trust_one_read).passed());
}

// ---- time

asio::awaitable<void> wait_for_delay_and_bandwidth(trial& t) {
  stream_options options;
  options.delay = 10ms;
  options.bytes_per_second = 1000;
  auto pair = connect(t.executor(), options);
  const std::string text = letters(20);
  co_await write_all(pair.first, text);
  std::string got(20, '\0');
  auto reading = t.start("read", read_some(pair.second, got));
  co_await t.advance(30ms);
  t.expect(reading.pending(), "20 bytes at 1000 per second and 10 ms of delay");
  co_await t.settle();
  t.expect_eq(reading.value(), 20u);
  t.expect_eq(t.elapsed(), 30ms);
}

TEST(stream, delay_and_bandwidth_are_virtual_time) {
  EXPECT_EQ(story(campaign(wait_for_delay_and_bandwidth)), "");
}

asio::awaitable<void> fill_up(trial& t) {
  stream_options options;
  options.capacity = 8;
  auto pair = connect(t.executor(), options);
  const std::string text = letters(10);
  const std::size_t first = co_await write_some(pair.first, text);
  t.expect_eq(first, 8u, "as much as there is room for");
  auto more = t.start("more", write_some(pair.first, text));
  co_await t.settle();
  t.expect(more.pending(), "no room");
  std::string got(3, '\0');
  co_await read_some(pair.second, got);
  co_await t.settle();
  t.expect_eq(more.value(), 3u, "as much as was taken");
}

TEST(stream, a_write_waits_while_there_is_no_room) { EXPECT_EQ(story(campaign(fill_up)), ""); }

// ---- cancellation

asio::awaitable<void> cancel_a_read(trial& t) {
  auto pair = connect(t.executor());
  std::string got(5, '\0');
  auto reading = t.start("read", read_some(pair.second, got));
  co_await t.settle();
  t.victim(reading);
  const std::string text = "hello";
  co_await write_all(pair.first, text);
  co_await t.settle();
  if (reading.cancelled()) {
    t.expect_eq(pair.second.is_open(), true);
    got.assign(5, '\0');
    const std::size_t count = co_await read_some(pair.second, got);
    t.expect_eq(count, 5u, "a cancelled read has taken nothing");
    t.sometimes("cancelled");
  } else {
    t.expect_eq(reading.value(), 5u);
    t.sometimes("read");
  }
  t.expect_eq(got, "hello");
}

asio::awaitable<void> cancel_a_write(trial& t) {
  stream_options options;
  options.capacity = 2;
  auto pair = connect(t.executor(), options);
  const std::string text = "hello";
  co_await write_some(pair.first, text);
  auto writing = t.start("write", write_some(pair.first, text));
  co_await t.settle();
  t.victim(writing);
  std::string got(5, '\0');
  co_await read_some(pair.second, got);
  co_await t.settle();
  t.sometimes("cancelled", writing.cancelled());
  t.sometimes("written", writing.done());
  pair.first.shutdown(asio::socket_base::shutdown_send);
  const std::string rest = co_await read_to_end(pair.second, 8);
  t.expect_eq(rest, writing.cancelled() ? "" : "he", "a cancelled write has written nothing");
}

TEST(stream, cancellation_is_total) {
  for (const auto& scenario : {testing_support::body(cancel_a_read), testing_support::body(cancel_a_write)}) {
    std::set<std::string> reached;
    std::set<std::string> wanted;
    for (std::uint32_t point = 0; point < 10; ++point) {
      sweep_source::deviation deviation;
      deviation.kind = choice_kind::cancel;
      deviation.index = point;
      sweep_source source(std::vector<sweep_source::deviation>(1, deviation));
      const trial_result result = run(scenario, source);
      EXPECT_EQ(story(result), "") << point;
      reached.insert(result.reached.begin(), result.reached.end());
      wanted.insert(result.wanted.begin(), result.wanted.end());
    }
    EXPECT_EQ(reached.size(), 2u);
    EXPECT_EQ(story(campaign(scenario)), "");
  }
}

// ---- endings

asio::awaitable<void> end_in_every_way(trial& t) {
  const std::string text = "hello";
  std::string got(5, '\0');
  auto closed = connect(t.executor());
  co_await write_all(closed.first, text);
  closed.first.close();
  const std::size_t count = co_await read_some(closed.second, got);
  t.expect_eq(count, 5u, "what was on its way still arrives");
  auto past_the_end = t.start("past the end", read_some(closed.second, got));
  auto to_nobody = t.start("to nobody", write_some(closed.second, text));
  auto own = t.start("own", read_some(closed.first, got));
  co_await t.settle();
  t.expect_eq(code_of(past_the_end.failure()), "eof");
  t.expect_eq(code_of(to_nobody.failure()), "broken pipe");
  t.expect_eq(code_of(own.failure()), "closed");

  auto broken = connect(t.executor());
  co_await write_all(broken.first, text);
  auto pending = t.start("pending", read_some(broken.first, got));
  co_await t.settle();
  broken.second.reset();
  auto after = t.start("after", read_some(broken.second, got));
  auto write = t.start("write", write_some(broken.first, text));
  co_await t.settle();
  t.expect_eq(code_of(pending.failure()), "reset");
  t.expect_eq(code_of(after.failure()), "reset", "what was on its way is gone");
  t.expect_eq(code_of(write.failure()), "reset");

  auto local = connect(t.executor());
  auto first = t.start("first", read_some(local.first, got));
  co_await t.settle();
  auto second = t.start("second", read_some(local.first, got));
  co_await t.settle();
  t.expect_eq(code_of(second.failure()), "already started");
  local.first.cancel();
  co_await t.settle();
  t.expect(first.cancelled(), "cancel() ends it");
  auto last = t.start("last", read_some(local.first, got));
  co_await t.settle();
  local.first.close();
  t.expect(last.pending(), "nobody goes on inside close (X-12)");
  co_await t.settle();
  t.expect(last.cancelled(), "close() ends it");
}

TEST(stream, end_of_file_reset_cancel_and_close_end_operations_as_sockets_do) {
  EXPECT_EQ(story(campaign(end_in_every_way)), "");
}

asio::awaitable<void> meet_faults(trial& t) {
  stream_options options;
  options.end_of_file_one_in = 8;
  options.reset_one_in = 8;
  options.capacity = 32;
  auto pair = connect(t.executor(), explored(t, options));
  const std::string text = letters(60);
  std::string got(60, '\0');
  auto writing = t.start("write", write_all(pair.first, text));
  auto reading = t.start("read", read_all(pair.second, got));
  co_await t.settle();
  if (reading.pending() || writing.pending()) {
    pair.first.close();
    pair.second.close();
    co_await t.settle();
  }
  const std::string how = code_of(reading.failure());
  t.sometimes(how);
  if (how == "none") t.expect_eq(got, text);
  t.sometimes("write " + code_of(writing.failure()));
}

TEST(stream, end_of_file_and_reset_are_choices) {
  EXPECT_EQ(story(run(meet_faults)), "");
  std::set<std::string> reached;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    random_source source(seed, {});
    const trial_result result = run(meet_faults, source);
    EXPECT_EQ(story(result), "") << seed;
    reached.insert(result.reached.begin(), result.reached.end());
  }
  for (const char* how : {"none", "eof", "reset", "write broken pipe", "write reset"}) {
    EXPECT_TRUE(reached.contains(how)) << how;
  }
}

// ---- what sits on streams

asio::awaitable<void> serve_once(memory_stream& connection) {
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> asked;
  co_await http::async_read(connection, buffer, asked, asio::use_awaitable);
  http::response<http::string_body> answer(http::status::ok, asked.version());
  answer.body() = "you sent " + asked.body();
  answer.keep_alive(false);
  answer.prepare_payload();
  co_await http::async_write(connection, answer, asio::use_awaitable);
  connection.shutdown(asio::socket_base::shutdown_send);
}

asio::awaitable<std::string> ask_once(memory_stream& connection, std::string body) {
  http::request<http::string_body> asked(http::verb::post, "/echo", 11);
  asked.body() = std::move(body);
  asked.prepare_payload();
  co_await http::async_write(connection, asked, asio::use_awaitable);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> answer;
  co_await http::async_read(connection, buffer, answer, asio::use_awaitable);
  co_return answer.body();
}

asio::awaitable<void> talk_http(trial& t) {
  stream_options options;
  options.delay = 2ms;
  options.jitter = 8ms;
  options.capacity = 64;
  auto pair = connect(t.executor(), explored(t, options));
  auto serving = t.start("server", serve_once(pair.second));
  auto asking = t.start("client", ask_once(pair.first, letters(100)));
  co_await t.advance(1h);
  t.expect(serving.done(), "served");
  t.expect_eq(asking.value(), "you sent " + letters(100));
}

TEST(stream, beast_speaks_http_over_it_under_every_schedule) {
  EXPECT_EQ(story(campaign(talk_http, 100)), "");
}

// Callbacks, a stock io_context, an executor type of one's own: no trial anywhere.
TEST(stream, it_works_with_any_executor_and_any_completion_token_outside_of_a_trial) {
  asio::io_context io;
  auto pair = connect(io.get_executor());
  static_assert(std::is_same_v<decltype(pair.first)::executor_type, asio::io_context::executor_type>);
  const std::string text = letters(50);
  std::string got(50, '\0');
  bool inside = true;
  std::size_t written = 0;
  std::size_t read = 0;
  asio::async_read(pair.second, asio::buffer(got), [&](boost::system::error_code error, std::size_t count) {
    EXPECT_FALSE(error);
    EXPECT_FALSE(inside);
    read = count;
  });
  pair.first.async_write_some(asio::buffer(text), [&](boost::system::error_code error, std::size_t count) {
    EXPECT_FALSE(error);
    EXPECT_FALSE(inside);
    written = count;
  });
  inside = false;
  io.run();
  EXPECT_EQ(written, 50u);
  EXPECT_EQ(read, 50u);
  EXPECT_EQ(got, text);
}

}  // namespace
}  // namespace assay
