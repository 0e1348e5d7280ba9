// Subjects that are bad on purpose, behind a contract of their own: what the command line's tests run.
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include <assay/harness/campaign/suite.hpp>

namespace assay::contract {

struct probe_config {
  int answer = 42;
};
BOOST_DESCRIBE_STRUCT(probe_config, (), (answer))

/// Something that can be asked, and that hears things.
class probe {
 public:
  static constexpr std::string_view name = "probe";
  static constexpr feature_info features[] = {
      {"extra", "It hears what it is told."},
      {"ending", "It ends the process when it is asked to."},
      {"silence", "It says nothing."},
      {"foresight", "It hears what is not said."},
  };
  using config = probe_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  virtual ~probe() = default;
  virtual awaitable<int> ask() = 0;
  /// `extra`.
  virtual awaitable<void> hear(int) { throw unclaimed_feature("extra"); }
  /// Of a feature that is misspelt.
  virtual void see() { throw unclaimed_feature("foresihgt"); }
  virtual int heard() const = 0;
  virtual void end_the_process() = 0;
};

/// Nobody declares it.
class orphan {
 public:
  static constexpr std::string_view name = "orphan";
  using config = probe_config;
  virtual ~orphan() = default;
};

}  // namespace assay::contract

namespace {

using assay::environment;
using assay::subject_kind;
using assay::contract::probe;
using assay::contract::probe_config;

ASSAY_CONTRACT(probe, "tests", "Something that can be asked");

ASSAY_CLAUSE(probe, "PRB-1", must, "It answers what it was made with.", .swept = true) {
  auto asked = make({.answer = 42});
  auto answer = t.start("ask", asked->ask());
  t.victim(answer);
  co_await t.settle();
  if (answer.cancelled()) co_return;
  t.expect_eq(answer.value(), 42, "the answer");
}

ASSAY_CLAUSE(probe, "PRB-2", should, "It answers a second time.") {
  auto asked = make({.answer = 7});
  const int first = co_await asked->ask();
  const int second = co_await asked->ask();
  t.expect_eq(second, first, "the second answer");
}

ASSAY_CLAUSE(probe, "PRB-3", must, "With `extra` it hears the last word.", .features = {"extra"}) {
  auto asked = make({.answer = 1});
  auto one = t.start("hear 1", asked->hear(1));
  auto two = t.start("hear 2", asked->hear(2));
  co_await t.settle();
  t.expect(asked->heard() == 1 || asked->heard() == 2, "one of the words is the last");
  t.expect_eq(one.done() && two.done(), true, "both words were heard");
}

ASSAY_CLAUSE(probe, "PRB-4", must, "It can end the process.", .features = {"ending"},
             .expects_termination = true) {
  auto asked = make({.answer = 1});
  asked->end_the_process();
  co_return;
}

ASSAY_CLAUSE(probe, "PRB-5", may, "It may say nothing.", .features = {"silence"}) {
  t.fail("nobody is silent");
  co_return;
}

ASSAY_CLAUSE(probe, "PRB-6", must, "It hears what is not said.", .features = {"foresight"}) {
  auto asked = make({.answer = 1});
  t.expect_eq(asked->heard(), 1, "the word that nobody said");
  co_return;
}
ASSAY_DISPUTED("PRB-6", "nobody can hear what was not said");

// What the good one does; every bad one differs in one place.
class good_probe : public probe {
 public:
  good_probe(boost::asio::any_io_executor executor, int answer)
      : executor_(std::move(executor)), answer_(answer) {}
  awaitable<int> ask() override {
    co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    co_return answer();
  }
  awaitable<void> hear(int word) override {
    co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    listen(word);
  }
  int heard() const override { return heard_; }
  void end_the_process() override { std::terminate(); }

 protected:
  virtual int answer() { return answer_; }
  virtual void listen(int word) { heard_ = word; }
  int answer_value() const noexcept { return answer_; }

 private:
  boost::asio::any_io_executor executor_;
  int answer_;
  int heard_ = 0;
};

struct crashing final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    std::cerr << "about to crash\n" << std::flush;
    std::raise(SIGSEGV);
    return 0;
  }
};
struct aborting final : good_probe {
  using good_probe::good_probe;
  int answer() override { std::abort(); }
};
struct exiting final : good_probe {
  using good_probe::good_probe;
  int answer() override { std::exit(0); }
};
struct hanging final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    volatile bool for_ever = true;
    while (for_ever) {
    }
    return 0;
  }
};
// Writes to stdout, to its own and to the process's, and answers wrongly.
struct babbling final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    std::cout << "{\"results\": garbage\n" << std::flush;
    std::puts("more garbage");
    return answer_value() - 1;
  }
};
struct mumbling final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    throw std::runtime_error(
        "\xff\x01 no \xc3\xa9 UTF-8 \xc3 <b>]]>&amp; | *no* `text` [here](https://x.invalid)");
  }
};
struct leaking final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    // The pointer is hidden, so that nothing on the stack keeps the memory in sight.
    auto hidden = ~reinterpret_cast<std::uintptr_t>(new int[64]);
    return answer_value() + (hidden == 0 ? 1 : 0);
  }
};
struct forking_off final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    static std::thread* const forgotten = new std::thread([] { ::pause(); });
    return forgotten->joinable() ? answer_value() : 0;
  }
};
// Crashes only if the words come in the other order, which first in first out never shows.
struct crashing_when_permuted final : good_probe {
  using good_probe::good_probe;
  void listen(int word) override {
    if (word == 2 && heard() == 0 && std::getenv("ASSAY_MENDED") == nullptr) std::raise(SIGSEGV);
    good_probe::listen(word);
  }
};
struct failing_when_permuted final : good_probe {
  using good_probe::good_probe;
  void listen(int word) override {
    if (word == 2 && heard() == 0) throw std::runtime_error("out of order");
    good_probe::listen(word);
  }
};
struct forgetful final : good_probe {
  using good_probe::good_probe;
  int answer() override { return asked_++ == 0 ? answer_value() : 0; }
  int asked_ = 0;
};
struct immortal final : good_probe {
  using good_probe::good_probe;
  void end_the_process() override {}
};
struct dying_of_something_else final : good_probe {
  using good_probe::good_probe;
  void end_the_process() override { std::raise(SIGTERM); }
};
// As the machine kills who takes too much memory.
struct killed_from_without final : good_probe {
  using good_probe::good_probe;
  void end_the_process() override { ::kill(::getpid(), SIGKILL); }
};
// Descriptors are not its business, and yet.
struct scribbling final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    for (int other = 3; other < 64; ++other) (void)!::write(other, "=nonsense\n", 10);
    return answer_value();
  }
};
struct closing final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    for (int other = 3; other < 64; ++other) ::close(other);
    return answer_value();
  }
};
struct closing_and_hanging final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    for (int other = 2; other < 64; ++other) ::close(other);
    while (true) ::pause();
  }
};
// Whatever it has left for the end of the process: words and a status, a crash without words, or no end.
template <void (*AtExit)()>
struct parting final : good_probe {
  using good_probe::good_probe;
  int answer() override {
    static const bool once = std::atexit(AtExit) == 0;
    return once ? good_probe::answer() : -1;
  }
};
void part_with_words() {
  std::fputs("the door is locked\n", stderr);
  std::_Exit(3);
}
void part_with_a_crash() { std::raise(SIGSEGV); }
void part_never() {
  for (;;) ::pause();
}

struct wrong_answer final : good_probe {
  using good_probe::good_probe;
  int answer() override { return answer_value() - 1; }
};

// Claims `extra`, and has not written what belongs to it.
struct deaf final : probe {
  explicit deaf(boost::asio::any_io_executor, int answer) : answer_(answer) {}
  awaitable<int> ask() override { co_return answer_; }
  int heard() const override { return 0; }
  void end_the_process() override {}
  int answer_;
};

template <class Probe>
void add(assay::suite& suite, const char* name, subject_kind kind, assay::subject_traits traits) {
  suite.add<probe>(
      name, std::move(traits),
      [](environment& env, const probe_config& config) {
        return std::make_unique<Probe>(env.executor(), config.answer);
      },
      kind);
}

std::unique_ptr<probe> make_throwing(environment&, const probe_config&) {
  throw std::runtime_error("no constructor today");
}

std::unique_ptr<probe> make_none(environment&, const probe_config&) { return nullptr; }

assay::subject_traits claims(std::vector<std::string> features) {
  assay::subject_traits traits;
  traits.features = std::move(features);
  return traits;
}

assay::subject_traits wrong(std::string defect, std::vector<assay::expected_failure> must,
                            std::vector<std::string> may = {}) {
  assay::subject_traits traits;
  traits.defect = std::move(defect);
  traits.must_fail = std::move(must);
  traits.may_fail = std::move(may);
  return traits;
}

void add_mutants(assay::suite& suite) {
  constexpr auto kind = subject_kind::mutant;
  // A wrong answer is the same wrong answer twice, so it keeps PRB-2.
  add<wrong_answer>(suite, "killed", kind, wrong("answers one less", {{"PRB-1", "the answer"}}, {"PRB-2"}));
  add<good_probe>(suite, "survivor", kind, wrong("nothing is wrong with it", {{"PRB-1", "the answer"}}));
  add<forgetful>(suite, "stray", kind, wrong("forgets", {{"PRB-1", "the answer"}}));
  add<wrong_answer>(suite, "other_message", kind, wrong("answers one less", {{"PRB-1", "something else"}}));
}

boost::asio::awaitable<void> ask_for_what_is_not(assay::trial& t, assay::maker<probe> make) {
  t.expect(!make.claims("extar"), "nobody claims it");
  co_return;
}

boost::asio::awaitable<void> see_what_is_not(assay::trial&, assay::maker<probe> make) {
  auto asked = make({.answer = 1});
  asked->see();
  co_return;
}

template <boost::asio::awaitable<void> (*Body)(assay::trial&, assay::maker<probe>)>
void add_scenario(const char* variant, std::vector<std::string> features) {
  assay::scenario_traits traits;
  traits.features = std::move(features);
  assay::catalogue::instance().add(assay::detail::describe_scenario(
      "probe", "PRB-1", variant, std::move(traits), &assay::detail::begin_scenario<probe, Body>));
}

// What a plug-in's author gets wrong before anything runs, and who meddles with the harness's own descriptors, one at a time:
// the tests ask for it by name.
void add_mistake(assay::suite& suite, std::string_view which) {
  constexpr auto third = subject_kind::third_party;
  if (which == "null") suite.add<probe>("null", claims({"extra"}), make_none);
  if (which == "deaf") add<deaf>(suite, "deaf", third, claims({"extra"}));
  if (which == "taken") add<good_probe>(suite, "good", third, {});
  if (which == "blank") add<good_probe>(suite, "two words", third, {});
  if (which == "empty") suite.add<probe>("empty", {}, nullptr);
  if (which == "orphan")
    suite.add<assay::contract::orphan>("stray", {}, [](environment&, const probe_config&) {
      return std::make_unique<assay::contract::orphan>();
    });
  if (which == "misspelt") add<good_probe>(suite, "misspelt", third, claims({"extra", "silense"}));
  if (which == "needs") add_scenario<&ask_for_what_is_not>("needs", {"extar"});
  if (which == "asks") add_scenario<&ask_for_what_is_not>("asks", {});
  if (which == "scribbling") add<scribbling>(suite, "scribbling", third, {});
  if (which == "closing") add<closing>(suite, "closing", third, {});
  if (which == "closing_and_hanging") add<closing_and_hanging>(suite, "closing_and_hanging", third, {});
  if (which == "parting_with_words") add<parting<&part_with_words>>(suite, which.data(), third, {});
  if (which == "parting_with_a_crash") add<parting<&part_with_a_crash>>(suite, which.data(), third, {});
  if (which == "parting_never") add<parting<&part_never>>(suite, which.data(), third, {});
  if (which == "sees") add_scenario<&see_what_is_not>("sees", {});
}

}  // namespace

int main(int argc, char** argv) {
  assay::suite suite;
  constexpr auto third = subject_kind::third_party;
  add<good_probe>(suite, "good", subject_kind::reference, claims({"extra", "ending"}));
  add<good_probe>(suite, "modest", subject_kind::alternative, {});
  add<crashing>(suite, "crashing", third, {});
  add<aborting>(suite, "aborting", third, {});
  add<exiting>(suite, "exiting", third, {});
  add<hanging>(suite, "hanging", third, {});
  add<babbling>(suite, "babbling", third, {});
  add<mumbling>(suite, "mumbling", third, {});
  add<leaking>(suite, "leaking", third, {});
  add<forking_off>(suite, "forking_off", third, {});
  add<crashing_when_permuted>(suite, "crashing_when_permuted", third, claims({"extra"}));
  add<failing_when_permuted>(suite, "failing_when_permuted", third, claims({"extra"}));
  add<forgetful>(suite, "forgetful", third, {});
  add<immortal>(suite, "immortal", third, claims({"ending"}));
  add<dying_of_something_else>(suite, "dying_of_something_else", third, claims({"ending"}));
  add<killed_from_without>(suite, "killed_from_without", third, claims({"ending"}));
  add<good_probe>(suite, "dissenting", third, claims({"foresight"}));
  assay::subject_traits silence = claims({"silence"});
  silence.library = "Acme 1.2";
  add<good_probe>(suite, "silent", third, std::move(silence));
  suite.add<probe>("throwing", {}, make_throwing);
  add_mutants(suite);
  if (const char* const which = std::getenv("ASSAY_MISTAKE")) add_mistake(suite, which);
  return suite.run(argc, argv);
}
