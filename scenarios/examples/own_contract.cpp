// A contract, clauses and a mutant of one's own, under an id prefix of one's own: the same macros as the standard's, and
// the same command line, kill matrix and report.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <string_view>

#include <assay/suite.hpp>

// The contract: a lamp that switches itself off. It stands where its owner wants it.
namespace home {

struct lamp_config {
  std::chrono::milliseconds lights_for{100};
};

class lamp {
 public:
  static constexpr std::string_view name = "lamp";
  using config = lamp_config;
  virtual ~lamp() = default;
  /// Lights at once; ends when the lamp has gone out. Pressing again while it is lit starts the time anew.
  virtual boost::asio::awaitable<void> press() = 0;
  virtual bool lit() const = 0;
};

}  // namespace home

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using home::lamp;
using home::lamp_config;

ASSAY_CONTRACT(lamp, "home", "a light that goes out by itself");

ASSAY_CLAUSE(lamp, "LMP-1", must, "A lamp is lit from the press on, for exactly its time.") {
  for (const auto time : {100ms, 250ms}) {
    auto light = make({.lights_for = time});
    auto press = t.start("press", light->press());
    co_await t.settle();
    t.expect(light->lit(), "a pressed lamp is lit");
    co_await t.advance(time);
    t.expect(light->lit(), "it does not go out early");
    co_await t.settle();
    t.expect(!light->lit(), "it goes out when its time is over");
    t.expect(press.done(), "the press ends then");
    press.cancel();
    co_await t.settle();
  }
}

ASSAY_CLAUSE(lamp, "LMP-2", must, "A lamp whose press is cancelled goes out.", .swept = true) {
  auto light = make({.lights_for = 100ms});
  auto press = t.start("press", light->press());
  t.victim(press);
  co_await t.advance(300ms);
  t.expect(!light->lit(), "no lamp is lit for ever");
  t.expect(press.done() || press.cancelled(), "the press ended");
  t.sometimes("the press was cancelled", press.cancelled());
}

class plain_lamp : public lamp {
 public:
  plain_lamp(lamp_config config, bool forgets) : config_(config), forgets_(forgets) {}
  asio::awaitable<void> press() override {
    asio::steady_timer timer(co_await asio::this_coro::executor, config_.lights_for);
    lit_ = true;
    if (forgets_) {
      co_await timer.async_wait(asio::use_awaitable);  // the mistake: an exception goes past the next line
      lit_ = false;
      co_return;
    }
    struct switch_off {
      bool& lit;
      ~switch_off() { lit = false; }
    } const guard(lit_);
    co_await timer.async_wait(asio::use_awaitable);
  }
  bool lit() const override { return lit_; }

 private:
  lamp_config config_;
  bool forgets_;
  bool lit_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  assay::suite suite;
  suite.add<lamp>("hallway", {}, [](assay::environment&, const lamp_config& config) {
    return std::make_unique<plain_lamp>(config, false);
  });
  suite.add<lamp>(
      "stays_lit_when_cancelled",
      {.defect = "a cancelled press leaves the lamp lit",
       .must_fail = {{"LMP-2", "no lamp is lit for ever"}}},
      [](assay::environment&, const lamp_config& config) {
        return std::make_unique<plain_lamp>(config, true);
      },
      assay::subject_kind::mutant);
  return suite.run(argc, argv);
}
