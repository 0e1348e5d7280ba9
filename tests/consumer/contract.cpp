// A contract in a namespace of one's own, with clauses of one's own: named from inside and from outside of it.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <string_view>

#include <assay/suite.hpp>

namespace shop {

using namespace std::chrono_literals;

struct till_config {};

class till {
 public:
  static constexpr std::string_view name = "till";
  using config = till_config;
  virtual ~till() = default;
  virtual boost::asio::awaitable<int> pay(int price) = 0;
};

ASSAY_CONTRACT(till, "shops", "takes money");

ASSAY_PLUG_CHECK(till) {
  assay::plug plug(t);
  auto one = make();
  co_await plug.ends("pay", one->pay(3), 1s);
}

ASSAY_CLAUSE(till, "TLL-1", must, "A till takes a second, and says what it has taken.") {
  auto one = make();
  auto paid = t.start("pay", one->pay(3));
  co_await t.pass(1s);
  t.expect(paid.done() && paid.value() == 3, "it says what it has taken");
}

}  // namespace shop

namespace {

// Nearer than the one of the same name in shop.
class till {};

ASSAY_SCENARIO(shop::till, "TLL-1", "twice") {
  [[maybe_unused]] const till another;
  auto one = make();
  for (int i = 0; i < 2; ++i) {
    auto paid = t.start("pay", one->pay(i));
    co_await t.pass(std::chrono::seconds(1));
    t.expect(paid.done(), "it takes money again");
  }
}

class plain_till final : public shop::till {
 public:
  boost::asio::awaitable<int> pay(int price) override {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, std::chrono::seconds(1));
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return price;
  }
};

std::unique_ptr<shop::till> make_till(assay::environment&, const shop::till_config&) {
  return std::make_unique<plain_till>();
}

}  // namespace

int main(int argc, char** argv) {
  assay::suite suite;
  suite.add<shop::till>("plain", {}, make_till);
  return suite.run(argc, argv);
}
