// The plug check of lifespan.
#include <chrono>
#include <cstdint>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::trial;
using assay::contract::lifespan;

lifespan::step pausing(std::chrono::nanoseconds duration) {
  return [duration] { return assay::sleep_for(duration); };
}

struct claimed {
  bool users = false;
  bool transient = false;
};

boost::asio::awaitable<void> body(assay::plug& plug, lifespan& life, claimed what) {
  co_await assay::sleep_for(1ms);
  if (what.users) plug.call("start_user", [&] { life.start_user("resource", "user", pausing(1ms)); });
  if (what.transient) {
    std::uint64_t id = 0;
    plug.call("hold", [&] { id = life.hold("file", pausing(1ms)); });
    plug.call("held", [&] { (void)life.held(); });
    co_await plug.tries("release", life.release(id));
  }
  co_await assay::sleep_for(5ms);
}

boost::asio::awaitable<void> fail(trial& t) {
  co_await assay::sleep_for(1ms);
  t.raise("the body fails");
}

ASSAY_PLUG_CHECK(lifespan) {
  assay::plug plug(t);
  auto life = make();
  lifespan& known = *life;
  claimed what;
  what.users = make.claims("users");
  what.transient = make.claims("transient");
  plug.call("add", [&] { life->add("resource", pausing(1ms), pausing(1ms)); });
  lifespan::step using_it = [&plug, &known, what] { return body(plug, known, what); };
  co_await plug.ends("run", life->run(std::move(using_it)), 1s);
  if (make.claims("bounded_stop")) plug.call("stop_timeouts", [&] { (void)life->stop_timeouts(); });
  if (make.claims("single_use")) co_await plug.ends("run", life->run(pausing(1ms)), 1s);
  auto failed = make();
  lifespan::step failing = [&t] { return fail(t); };
  co_await plug.ends("run", failed->run(std::move(failing)), 1s);
}

}  // namespace
