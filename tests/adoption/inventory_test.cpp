#include "inventory.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::trial;

template <class Inventory>
asio::awaitable<bool> buy(trial& t, Inventory& articles) {
  return asio::spawn(
      t.executor(), [&articles](asio::yield_context yield) { return articles.sell_one(yield); },
      asio::use_awaitable);
}

template <class Inventory>
asio::awaitable<void> sells_what_there_is(trial& t) {
  Inventory articles(t.executor(), 2);
  auto first = t.start("first", buy(t, articles));
  auto second = t.start("second", buy(t, articles));
  auto third = t.start("third", buy(t, articles));
  t.victim(second);
  co_await t.pass(100ms);
  int sold = 0;
  for (const auto& customer : {first, second, third}) {
    EXPECT_TRUE(customer.ended());
    if (customer.done() && customer.value()) ++sold;
  }
  EXPECT_GE(articles.left(), 0) << "nothing is sold that is not there";
  EXPECT_EQ(sold + articles.left(), 2) << "every article is sold once, or left";
}

ASSAY_TEST(inventory, sells_what_there_is, .swept = true) { return sells_what_there_is<inventory<true>>(t); }
ASSAY_TEST(inventory_with_the_mistake, sells_what_there_is, .swept = true) {
  return sells_what_there_is<inventory<false>>(t);
}

}  // namespace
