#include "reconnecting_client.hpp"

#include <vector>

#include <assay/harness/mock/stream.hpp>
#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::memory_stream;
using assay::trial;

// Answers two questions, and hangs up at the third.
asio::awaitable<void> answer_two(memory_stream stream) {
  std::string received;
  for (int i = 0; i < 3; ++i) {
    boost::system::error_code error;
    const std::size_t length = co_await asio::async_read_until(
        stream, asio::dynamic_buffer(received), '\n', asio::redirect_error(asio::use_awaitable, error));
    if (error || i == 2) co_return;
    const std::string answer = "re: " + received.substr(0, length);
    received.erase(0, length);
    co_await asio::async_write(stream, asio::buffer(answer),
                               asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<memory_stream> connect_to_a_new_server(trial& t) {
  auto [here, there] = assay::connect(t.executor(), assay::explored(t));
  t.start("server", answer_two(std::move(there)), {.background = true});
  co_return std::move(here);
}

template <bool KeepsUntilAnswered>
asio::awaitable<void> answers_across_connections(trial& t) {
  reconnecting_client<memory_stream, KeepsUntilAnswered> client(t.executor(),
                                                                [&t] { return connect_to_a_new_server(t); });
  auto run = t.start("run", client.run());
  std::vector<assay::operation<std::string>> questions;
  for (const char* text : {"one", "two", "three", "four", "five"})
    questions.push_back(t.start(text, client.ask(text)));
  t.victim(questions[2]);
  co_await t.pass(60s);
  for (const auto& question : questions) {
    EXPECT_TRUE(question.ended()) << "question '" << question.name()
                                  << "' is answered, over whatever connection";
    if (question.done()) {
      EXPECT_EQ(question.value(), "re: " + question.name());
    }
  }
  co_await t.cancel(run);
  EXPECT_TRUE(run.cancelled());
}

ASSAY_TEST(reconnecting_client, answers_across_connections, .swept = true) {
  return answers_across_connections<true>(t);
}
ASSAY_TEST(reconnecting_client_with_the_mistake, answers_across_connections, .swept = true) {
  return answers_across_connections<false>(t);
}

}  // namespace
