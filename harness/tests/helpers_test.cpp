// What scenarios write again and again, and the tables that subjects are made from.
#include <assay/harness/trial/helpers.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/describe.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::contract {

/// Counts, and may be wrong.
class tally {
 public:
  static constexpr std::string_view name = "tally";
  using contract_type = tally;
  struct config {
    int begin_at = 0;
  };
  virtual ~tally() = default;
  virtual int next() = 0;
};

}  // namespace assay::contract

namespace assay {
namespace {

ASSAY_DEFECTS(tally_defect, none, skips_one, repeats_itself)

class bent_tally final : public contract::tally {
 public:
  bent_tally(boost::asio::any_io_executor, const config& wanted, int step, tally_defect wrong)
      : last_(wanted.begin_at), step_(wrong == tally_defect::skips_one ? step + 1 : step), wrong_(wrong) {}
  int next() override { return wrong_ == tally_defect::repeats_itself ? last_ : last_ += step_; }

 private:
  int last_;
  int step_;
  tally_defect wrong_;
};

const implements<bent_tally> sound("sound", subject_kind::alternative, {.features = {"x"}}, 2,
                                   tally_defect::none);
[[maybe_unused]] const mutants<bent_tally, tally_defect> wrong({"x"},
                                              {{tally_defect::skips_one,
                                                "counts one too many",
                                                {{"BQ-1", "the next number"}},
                                                {"BQ-2"},
                                                {"y"}}},
                                              2);

TEST(subject_tables, make_their_subjects_with_these_arguments) {
  catalogue& all = catalogue::instance();
  all.take_offered();
  const auto* const one = static_cast<const subject<contract::tally>*>(all.find_subject("tally", "sound"));
  const auto* const bent =
      static_cast<const subject<contract::tally>*>(all.find_subject("tally", "skips_one"));
  ASSERT_NE(one, nullptr);
  ASSERT_NE(bent, nullptr);
  EXPECT_EQ(bent->kind(), subject_kind::mutant);
  EXPECT_EQ(bent->traits().features, std::vector<std::string>({"x", "y"}));
  EXPECT_EQ(bent->traits().must_fail.front().message, "the next number");
  EXPECT_EQ(bent->traits().may_fail, std::vector<std::string>({"BQ-2"}));

  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  EXPECT_EQ(one->make(environment::of(t), {.begin_at = 1})->next(), 3);
  EXPECT_EQ(bent->make(environment::of(t), {.begin_at = 1})->next(), 4);
}

TEST(subject_tables, complain_of_a_defect_without_a_mutant) {
  EXPECT_THAT(catalogue::instance().check_subjects(),
              testing::Contains(testing::HasSubstr("'repeats_itself' of tally is in no table of mutants")));
}

[[noreturn]] void in_other_words(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::out_of_range&) {
    throw contract::closed_error();
  }
}

test::asio::awaitable<int> number_or_throw(bool fails) {
  if (fails) throw std::out_of_range("gone");
  co_return 7;
}

TEST(helpers, translate_what_a_library_throws_and_keep_its_value) {
  const trial_result result = test::run_fifo([](trial& t) -> test::asio::awaitable<void> {
    auto good = co_await t.begin("good", translated(number_or_throw(false), in_other_words));
    auto bad = co_await t.begin("bad", translated(number_or_throw(true), in_other_words));
    t.expect_eq(good.value(), 7);
    t.expect(bad.closed(), "the outcome is the contract's");
    int value = 0;
    const std::exception_ptr failure = co_await failure_of(number_or_throw(false), value);
    t.expect(!failure && value == 7, "a value is kept");
  });
  EXPECT_EQ(result.message, "");
}

TEST(helpers, pass_runs_what_is_due_at_the_end_and_cancel_settles) {
  const trial_result result = test::run_fifo([](trial& t) -> test::asio::awaitable<void> {
    auto nap = co_await t.begin("nap", sleep_for(std::chrono::seconds(1)));
    auto rest = co_await t.begin("rest", sleep_for_ever());
    t.expect(nap.pending(), "begin does not wait for the end");
    co_await t.pass(std::chrono::seconds(1));
    t.expect(nap.done(), "what is due at the end has run");
    co_await t.cancel(rest);
    t.expect(rest.cancelled(), "it has ended when cancel returns");
  });
  EXPECT_EQ(result.message, "");
}

}  // namespace
}  // namespace assay
