// The plug check of cleanup.
#include <chrono>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>
#include <assay/scenarios/failure/cleanup/resources.hpp>

namespace {

using namespace assay::cleaning;
using namespace std::chrono_literals;
using assay::contract::cleanup;

boost::asio::awaitable<void> body(assay::plug& plug, world& w, cleanup& scope, bool handles) {
  if (handles)
    plug.call("handle", [&] {
      scope.handle("handler", true, [&w](const assay::outcome& what) { w.t.observe(what); });
    });
  co_await plug.tries("acquire", acquire(w, scope, "a"));
  co_await plug.tries("acquire", acquire(w, scope, "b"));
  co_await plug.tries("close", scope.close());
  co_await take(w, "body");
}

ASSAY_PLUG_CHECK(cleanup) {
  assay::plug plug(t);
  world w(t);
  w.plans["body"].how = conduct::fails;
  w.plans["flush a"].how = conduct::waits;
  auto scope = make({.limit = 10ms});
  cleanup& known = *scope;
  const bool bounded = make.claims("bounded_cleanup");
  if (!bounded) w.plans["flush a"].how = conduct::fails;
  const bool handles = make.claims("suppress");
  cleanup::step using_it = [&plug, &w, &known, handles] { return body(plug, w, known, handles); };
  co_await plug.ends("run", scope->run(std::move(using_it)), 1s);
  if (bounded) plug.call("forced", [&] { (void)scope->forced(); });
  if (make.claims("statistics")) plug.call("statistics", [&] { (void)scope->statistics(); });
  if (make.claims("single_use")) {
    co_await plug.ends("acquire", acquire(w, *scope, "late"), 1s);
    co_await plug.ends("run", scope->run(step_of(w, "body")), 1s);
  }
  if (make.claims("typed_registration")) co_return;
  auto refusing = make();
  cleanup& other = *refusing;
  cleanup::step trying = [&plug, &w, &other] {
    assay::contract::cleanup_resource what = resource_of(w, "unclosable");
    what.close = nullptr;
    return plug.tries("acquire", other.acquire(std::move(what)));
  };
  co_await plug.ends("run", refusing->run(std::move(trying)), 1s);
}

}  // namespace
