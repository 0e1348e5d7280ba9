// Subjects that behave until memory is short: one that still does then, and one for every way of not doing so.
#include <sys/mman.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe.hpp>
#include <csignal>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <assay/harness/campaign/suite.hpp>

namespace assay::contract {

struct keeper_config {
  int shelves = 1;
};
BOOST_DESCRIBE_STRUCT(keeper_config, (), (shelves))

/// Keeps items until somebody takes them.
class keeper {
 public:
  static constexpr std::string_view name = "keeper";
  using config = keeper_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  virtual ~keeper() = default;

  awaitable<void> put(item one) {
    handing_in account(one, this);
    co_await do_put(std::move(one));
    account.taken();
  }
  awaitable<item> take() {
    item got = co_await do_take();
    got.delivered();
    co_return got;
  }

 protected:
  virtual awaitable<void> do_put(item one) = 0;
  virtual awaitable<item> do_take() = 0;
};

}  // namespace assay::contract

namespace {

using assay::environment;
using assay::item;
using assay::contract::keeper;
using assay::contract::keeper_config;
namespace asio = boost::asio;

ASSAY_CONTRACT(keeper, "tests", "Keeps items until somebody takes them");

ASSAY_CLAUSE(keeper, "KEEP-1", must, "What was put is taken, in any order of asking.") {
  auto kept = make();
  auto first = t.start("take 1", kept->take());
  co_await t.settle();
  auto one = t.start("put 1", kept->put(t.item(1)));
  co_await t.settle();
  auto two = t.start("put 2", kept->put(t.item(2)));
  auto second = t.start("take 2", kept->take());
  co_await t.settle();
  t.expect(one.done() && two.done(), "both were put");
  t.expect(first.done() && second.done(), "both were taken");
}

ASSAY_CLAUSE(keeper, "KEEP-2", must, "Nobody has to take what was put.") {
  auto kept = make();
  auto one = t.start("put 1", kept->put(t.item(1)));
  co_await t.settle();
  t.expect(one.ended(), "it was put, or could not be");
}

// A put either has happened or has not, whatever it needs memory for.
class careful : public keeper {
 public:
  explicit careful(asio::any_io_executor executor)
      : executor_(std::move(executor)), bell_(executor_, asio::steady_timer::time_point::max()) {}

 protected:
  using node = std::unique_ptr<item>;
  awaitable<void> do_put(item one) override {
    co_await asio::post(executor_, asio::use_awaitable);
    add(one);
    bell_.cancel();
  }
  awaitable<item> do_take() override {
    while (kept_.empty()) {
      boost::system::error_code ended;
      co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    }
    item got = std::move(*kept_.front());
    kept_.pop_front();
    co_return got;
  }
  virtual void add(item& one) {
    auto room = std::make_unique<item>();
    kept_.push_back(std::move(room));
    *kept_.back() = std::move(one);
  }

  asio::any_io_executor executor_;
  asio::steady_timer bell_;
  std::deque<node> kept_;
};

struct brittle final : careful {
  using careful::careful;
  void add(item& one) noexcept override { careful::add(one); }
};
struct leaky final : careful {
  using careful::careful;
  ~leaky() override {
    for (int* const one : marks_) delete one;
  }
  void add(item& one) override {
    marks_.push_back(new int(one.id()));
    careful::add(one);
  }
  std::vector<int*> marks_;
};
struct doubling final : careful {
  using careful::careful;
  void add(item& one) override {
    careful::add(one);
    log_.push_back(std::make_unique<int>(1));
  }
  std::vector<std::unique_ptr<int>> log_;
};
struct spinning final : careful {
  using careful::careful;
  awaitable<void> do_put(item one) override {
    co_await asio::post(executor_, asio::use_awaitable);
    while (!tried(one)) co_await asio::post(executor_, asio::use_awaitable);
    bell_.cancel();
  }
  bool tried(item& one) {
    try {
      if (!failed_) add(one);
    } catch (const std::bad_alloc&) {
      failed_ = true;
    }
    return !failed_;
  }
  bool failed_ = false;
};
struct abandoning final : careful {
  using careful::careful;
  void add(item& one) override {
    // The task that ends when the item is safe, on an executor of its own: it outlives us.
    auto work = std::make_shared<std::optional<asio::executor_work_guard<asio::any_io_executor>>>(executor_);
    auto watch = std::make_shared<asio::steady_timer>(executor_, asio::steady_timer::time_point::max());
    watch->async_wait([watch, work](boost::system::error_code) { work->reset(); });
    careful::add(one);
    watch->cancel();
  }
};

// Does this when memory is short, where nothing may leave.
template <void (*OnShortage)()>
struct handling final : careful {
  using careful::careful;
  void add(item& one) noexcept override {
    try {
      careful::add(one);
    } catch (const std::bad_alloc&) {
      OnShortage();
    }
  }
};
void swallow() {}
void die_silently() { std::raise(SIGKILL); }
void die_tersely() { throw 3; }
void die_with_a_word() {
  std::fputs("no memory for a shelf\n", stderr);
  die_tersely();
}
struct forgetting final : careful {
  using careful::careful;
  awaitable<void> do_put(item one) override {
    const item dropped = std::move(one);
    co_return;
  }
};

// How many there were of the following, in whatever process.
int& made = *static_cast<int*>(
    ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

struct growing final : careful {
  explicit growing(asio::any_io_executor executor) : careful(std::move(executor)), extra_(++made) {}
  void add(item& one) override {
    for (int i = 0; i < extra_; ++i) shelves_.push_back(std::make_unique<int>(i));
    careful::add(one);
  }
  int extra_;
  std::vector<std::unique_ptr<int>> shelves_;
};
// The first two need more than those after them.
struct learning final : careful {
  explicit learning(asio::any_io_executor executor)
      : careful(std::move(executor)), extra_(++made <= 2 ? 1 : 0) {}
  void add(item& one) override {
    careful::add(one);
    if (extra_ > 0) shelf_ = std::make_unique<int>(extra_);
  }
  int extra_;
  std::unique_ptr<int> shelf_;
};

template <class Keeper>
std::unique_ptr<keeper> make(environment& env, const keeper_config&) {
  return std::make_unique<Keeper>(env.executor());
}

}  // namespace

int main(int argc, char** argv) {
  assay::suite suite;
  suite.add<keeper>("careful", {}, make<careful>);
  suite.add<keeper>("swallowing", {}, make<handling<&swallow>>);
  suite.add<keeper>("brittle", {}, make<brittle>);
  suite.add<keeper>("leaky", {}, make<leaky>);
  suite.add<keeper>("doubling", {}, make<doubling>);
  suite.add<keeper>("spinning", {}, make<spinning>);
  suite.add<keeper>("abandoning", {}, make<abandoning>);
  suite.add<keeper>("outspoken", {}, make<handling<&die_with_a_word>>);
  suite.add<keeper>("taciturn", {}, make<handling<&die_silently>>);
  suite.add<keeper>("terse", {}, make<handling<&die_tersely>>);
  suite.add<keeper>("forgetting", {}, make<forgetting>);
  suite.add<keeper>("growing", {}, make<growing>);
  suite.add<keeper>("learning", {}, make<learning>);
  return suite.run(argc, argv);
}
