// Fixtures whose setup and teardown suspend (FIX-1 to FIX-6).
//
// A fixture acquires step by step, and says after each step how that step is undone. Undoing runs in the
// reverse order of acquiring, through all fixtures, whatever failed: a later setup, the body, another
// teardown (FIX-1). So a fixture that fails halfway has undone exactly what it had done (FIX-2).
//
//     class server_fixture final : public fixture {
//      public:
//       explicit server_fixture(database_fixture& database) : fixture("server"), database_(database) {}
//       asio::awaitable<void> set_up(trial& t, teardown& later) override {
//         co_await listener_.open();
//         later.add("listener", [this] { return listener_.close(); });
//         co_await server_.start(database_.connection());
//         later.add("server", [this] { return server_.stop(); }, 2s);
//       }
//       ...
//     };
//
//     auto database = fixtures.make<database_fixture>();
//     auto server = fixtures.make<server_fixture>(*database);
//     co_await with_fixtures(t, std::move(fixtures), test(t, server));
//
// Each teardown is shielded from cancellation and has a bound in virtual time, after which it is asked to
// stop and counts as failed (FIX-3). Failures go to the trial, the body's first, then those of the teardowns
// in the order in which they ran (FIX-4). Fixtures are made anew in each trial; one that turns up in a second
// trial is refused (FIX-5).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/trial.hpp>

namespace assay {

/// FIX-6: records a failure unless `holds`, and ends the coroutine, and those that await it, by throwing
/// scenario_stopped. What ASSERT_* is for functions: those macros return, and do not compile in a coroutine.
/// The forms that print both values, for tests with GoogleTest, are CO_ASSERT_* in harness/mock/gtest.hpp.
void require(trial& t, bool holds, std::string_view message,
             std::source_location where = std::source_location::current());

/// What is to be undone, and how.
class teardown {
 public:
  static constexpr std::chrono::nanoseconds limit_default = std::chrono::seconds(30);

  /// `undo` is kept until it has run; what it refers to must live as long, as a fixture's members do. It is
  /// asked to stop after `limit` of virtual time.
  void add(std::string name, std::function<boost::asio::awaitable<void>()> undo,
           std::chrono::nanoseconds limit = limit_default);

  /// Runs all in reverse order and forgets them. Failures are recorded in the trial, and do not keep the
  /// others from running. To be awaited in a scope in which requests are held.
  [[nodiscard]] boost::asio::awaitable<void> run(trial& t);

 private:
  struct step {
    std::string name;
    std::function<boost::asio::awaitable<void>()> undo;
    std::chrono::nanoseconds limit;
  };
  std::vector<step> steps_;
};

class fixture {
 public:
  explicit fixture(std::string name) : name_(std::move(name)) {}
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  virtual ~fixture() = default;

  /// Acquires, and says after each step how it is undone. What it throws fails the trial.
  virtual boost::asio::awaitable<void> set_up(trial& t, teardown& later) = 0;

  const std::string& name() const noexcept { return name_; }
  /// Called once, by with_fixtures; false if the fixture was in use before (FIX-5).
  bool claim() noexcept { return !std::exchange(claimed_, true); }

 private:
  std::string name_;
  bool claimed_ = false;
};

/// Fixtures in the order in which they are set up: a fixture comes after those it depends on.
class fixture_list {
 public:
  template <class Fixture, class... Args>
  std::shared_ptr<Fixture> make(Args&&... args) {
    auto made = std::make_shared<Fixture>(std::forward<Args>(args)...);
    add(made);
    return made;
  }
  void add(std::shared_ptr<fixture> one) { all_.push_back(std::move(one)); }
  const std::vector<std::shared_ptr<fixture>>& all() const noexcept { return all_; }

 private:
  std::vector<std::shared_ptr<fixture>> all_;
};

/// Sets the fixtures up, runs `body`, and tears down what was set up. When a setup fails, the fixtures after
/// it are not set up, and `body` does not begin. Ends normally after recording failures; ends as cancelled if
/// it was asked to stop, once the teardown is done.
[[nodiscard]] boost::asio::awaitable<void> with_fixtures(trial& t, fixture_list fixtures,
                                                         boost::asio::awaitable<void> body);

}  // namespace assay
