#include "channel.hpp"

#include <boost/asio/post.hpp>
#include <vector>

#include <assay/test.hpp>

namespace {

using namespace adoption;
using assay::trial;

template <class Channel>
asio::awaitable<void> send_some(Channel& channel, std::vector<int>& sent) {
  for (int i = 1; i <= 5; ++i) {
    if (channel.try_send(i)) sent.push_back(i);
    co_await asio::post(asio::use_awaitable);
  }
  channel.close();
}

template <class Channel>
asio::awaitable<void> receive_all(Channel& channel, std::vector<int>& received) {
  while (true) {
    const std::optional<int> value = co_await channel.receive();
    if (!value) co_return;
    received.push_back(*value);
  }
}

template <class Channel>
asio::awaitable<void> delivers_what_was_sent(trial& t) {
  Channel channel(t.executor(), 2);
  std::vector<int> sent;
  std::vector<int> received;
  auto sender = t.start("sender", send_some(channel, sent));
  auto receiver = t.start("receiver", receive_all(channel, received));
  co_await t.settle();
  EXPECT_TRUE(sender.done());
  EXPECT_TRUE(receiver.done());
  EXPECT_EQ(received, sent) << "what try_send has accepted arrives, and nothing else";
}

ASSAY_TEST(channel, delivers_what_was_sent) { return delivers_what_was_sent<channel<int, true>>(t); }
ASSAY_TEST(channel_with_the_mistake, delivers_what_was_sent) {
  return delivers_what_was_sent<channel<int, false>>(t);
}

}  // namespace
