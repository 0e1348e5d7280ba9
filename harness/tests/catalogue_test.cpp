// Every complaint of the catalogue's lint is seen, on catalogues that are wrong in one way each.
#include <assay/harness/catalogue/catalogue.hpp>

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/lint.hpp>

namespace assay {

namespace contract {

struct plain_contract {};
struct rich_contract {
  static constexpr feature_info features[] = {{"fast", "It takes no time."}, {"safe", "Nothing is lost."}};
};

}  // namespace contract

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

boost::asio::awaitable<void> nothing(trial&, const subject_base&) { co_return; }

scenario_info scenario(std::string contract, std::string clause, std::string variant = {}) {
  return {std::move(contract), std::move(clause), std::move(variant), {}, "file.cpp", 1, &nothing};
}

clause_info clause(std::string id, std::string text = "It holds.", std::string reason = {}) {
  return {std::move(id), level::must, std::move(text), "thing", std::move(reason)};
}

std::unique_ptr<subject_base> mutant(subject_traits traits) {
  return std::make_unique<subject_base>("wrong", "thing", subject_kind::mutant, std::move(traits));
}

// Sound: one contract, one clause with its scenario, one mutant.
class lint : public testing::Test {
 protected:
  lint() {
    all.add(contract_info{"thing", "tests", "a thing"});
    all.add(clause("TH-1"));
    all.add(scenario("thing", "TH-1"));
  }
  // A contract of its own, with two features that a scenario needs or asks for, and nothing wrong.
  void add_rich() {
    all.add(detail::describe_contract<contract::rich_contract>("rich", "tests", "has features"));
    scenario_info one = scenario("rich", "TH-1");
    one.traits.features = {"fast"};
    one.traits.asks = {"safe"};
    all.add(std::move(one));
  }
  void claim(const char* name, subject_kind kind, std::vector<std::string> features) {
    subject_traits traits;
    traits.features = std::move(features);
    all.add(std::make_unique<subject_base>(name, "rich", kind, std::move(traits)));
  }
  void add_mutant(std::string defect, std::vector<expected_failure> must, std::vector<std::string> may = {}) {
    subject_traits traits;
    traits.defect = std::move(defect);
    traits.must_fail = std::move(must);
    traits.may_fail = std::move(may);
    all.add(mutant(std::move(traits)));
  }
  catalogue all;
};

TEST_F(lint, a_sound_catalogue_has_no_complaints) {
  add_mutant("it is wrong", {{"TH-1", "message"}});
  all.add(clause("TH-2", "It cannot be checked.", "it is about the documentation"));
  EXPECT_THAT(all.lint(), IsEmpty());
}

TEST_F(lint, a_plug_check_comes_once_and_is_of_a_contract) {
  all.add(detail::describe_plug_check("thing", &nothing));
  EXPECT_THAT(all.lint(), IsEmpty());
  all.add(detail::describe_plug_check("thing", &nothing));
  all.add(detail::describe_plug_check("nowhere", &nothing));
  EXPECT_THAT(all.lint(), ElementsAre("the contract thing has two plug checks",
                                      "the plug check of 'nowhere' is of no contract that exists"));
}

TEST_F(lint, a_contract_of_the_standard_needs_a_plug_check) {
  const std::string here = __FILE__;
  const std::string root = here.substr(0, here.rfind("harness/tests/"));
  contract_info known{"other", "flow", "a thing of the standard"};
  known.file = root + "scenarios/flow/other/scenarios.cpp";
  all.add(known);
  known.name = "another";  // in somebody's own tree
  known.file = "/elsewhere/scenarios/flow/another/scenarios.cpp";
  all.add(known);
  EXPECT_THAT(all.lint(), ElementsAre("the contract other has no plug check (ASSAY_PLUG_CHECK)"));
  all.add(detail::describe_plug_check("other", &nothing));
  EXPECT_THAT(all.lint(), IsEmpty());
}

TEST_F(lint, an_id_is_used_twice) {
  all.add(clause("TH-1", "Something else holds."));
  EXPECT_THAT(all.lint(), ElementsAre("the clause id 'TH-1' is used twice"));
}

TEST_F(lint, revisions_follow_on_each_other_and_say_what_changed) {
  all.add(revision_info{"TH-1", 2, "It holds now."});
  all.add(revision_info{"TH-1", 3, "It holds always."});
  EXPECT_THAT(all.lint(), IsEmpty());
  EXPECT_EQ(all.revision_of("TH-1"), 3);
  EXPECT_EQ(all.revision_of("TH-2"), 1);
  all.add(revision_info{"TH-1", 3, "It holds twice."});
  all.add(revision_info{"TH-1", 5, "It holds for five."});
  all.add(revision_info{"TH-9", 2, ""});
  EXPECT_THAT(all.lint(), ElementsAre("the revision 3 of 'TH-1' exists twice",
                                      "the revision 2 of 'TH-9' is of no clause that exists",
                                      "the revision 2 of 'TH-9' does not say what changed",
                                      "the revision 5 of 'TH-1' does not follow on another"));
}

TEST_F(lint, a_dispute_is_of_a_clause_and_has_a_reason) {
  const scenario_info checked = scenario("thing", "TH-1");
  EXPECT_TRUE(all.in_core(checked));
  EXPECT_EQ(all.dispute_of("TH-1"), nullptr);
  all.add(dispute_info{"TH-1", "somebody holds that it need not"});
  EXPECT_THAT(all.lint(), IsEmpty());
  EXPECT_EQ(*all.dispute_of("TH-1"), "somebody holds that it need not");
  EXPECT_FALSE(all.in_core(checked));
  all.add(dispute_info{"TH-9", ""});
  EXPECT_THAT(all.lint(), ElementsAre("the dispute about 'TH-9' is of no clause that exists",
                                      "the dispute about 'TH-9' has no reason"));
}

TEST_F(lint, the_core_is_what_everybody_must) {
  scenario_info featured = scenario("thing", "TH-1");
  featured.traits.features = {"extra"};
  EXPECT_FALSE(all.in_core(featured));
  clause_info weaker = clause("TH-2", "It had better hold.");
  weaker.level = level::should;
  all.add(weaker);
  EXPECT_FALSE(all.in_core(scenario("thing", "TH-2")));
  EXPECT_FALSE(all.in_core(scenario("thing", "TH-9")));
}

TEST_F(lint, a_clause_has_no_text) {
  all.add(clause("TH-2", ""));
  all.add(scenario("thing", "TH-2"));
  EXPECT_THAT(all.lint(), ElementsAre("the clause 'TH-2' has no text"));
}

TEST_F(lint, a_clause_belongs_to_no_contract) {
  clause_info lost = clause("LO-1");
  lost.contract = "lost";
  all.add(lost);
  all.add(scenario("thing", "LO-1"));
  EXPECT_THAT(all.lint(), ElementsAre("the clause 'LO-1' belongs to no contract that exists: 'lost'"));
}

TEST_F(lint, a_clause_has_neither_a_scenario_nor_a_reason) {
  all.add(clause("TH-2"));
  EXPECT_THAT(all.lint(), ElementsAre("the clause 'TH-2' has neither a scenario nor a reason why not"));
}

TEST_F(lint, a_scenario_exists_twice) {
  all.add(scenario("thing", "TH-1"));
  EXPECT_THAT(all.lint(), ElementsAre("the scenario 'thing/TH-1' exists twice"));
}

TEST_F(lint, a_scenario_may_have_variants) {
  all.add(scenario("thing", "TH-1", "swept"));
  EXPECT_THAT(all.lint(), IsEmpty());
}

TEST_F(lint, a_scenario_belongs_to_no_clause) {
  all.add(scenario("thing", "TH-9"));
  EXPECT_THAT(all.lint(), ElementsAre("the scenario 'thing/TH-9' belongs to no clause that exists"));
}

TEST_F(lint, a_scenario_belongs_to_no_contract) {
  all.add(scenario("lost", "TH-1"));
  EXPECT_THAT(all.lint(), ElementsAre("the scenario 'lost/TH-1' belongs to no contract that exists"));
}

TEST_F(lint, a_subject_has_no_contract) {
  all.add(std::make_unique<subject_base>("stray", "lost", subject_kind::reference, subject_traits{}));
  EXPECT_THAT(all.lint(), ElementsAre("the subject 'stray' of lost has no contract in this program: "
                                      "declare it with ASSAY_CONTRACT"));
}

TEST_F(lint, a_mutant_names_no_defect) {
  add_mutant("", {{"TH-1", ""}});
  EXPECT_THAT(all.lint(),
              ElementsAre("the mutant 'wrong' of thing must name its defect and a clause that it fails"));
}

TEST_F(lint, a_mutant_names_no_clause_that_it_fails) {
  add_mutant("it is wrong", {});
  EXPECT_THAT(all.lint(),
              ElementsAre("the mutant 'wrong' of thing must name its defect and a clause that it fails"));
}

TEST_F(lint, a_mutant_must_fail_a_clause_that_nothing_checks) {
  add_mutant("it is wrong", {{"TH-7", ""}});
  EXPECT_THAT(all.lint(),
              ElementsAre("the subject 'wrong' of thing names the clause 'TH-7', which nothing checks"));
}

TEST_F(lint, a_mutant_may_fail_a_clause_that_nothing_checks) {
  add_mutant("it is wrong", {{"TH-1", ""}}, {"TH-8"});
  EXPECT_THAT(all.lint(),
              ElementsAre("the subject 'wrong' of thing names the clause 'TH-8', which nothing checks"));
}

TEST_F(lint, a_contract_has_the_features_that_its_class_lists) {
  EXPECT_THAT(detail::describe_contract<contract::plain_contract>("plain", "tests", "").features, IsEmpty());
  const contract_info rich = detail::describe_contract<contract::rich_contract>("rich", "tests", "");
  ASSERT_EQ(rich.features.size(), 2U);
  EXPECT_EQ(rich.find_feature("safe")->promise, "Nothing is lost.");
  EXPECT_EQ(rich.find_feature("small"), nullptr);
  add_rich();
  claim("subject", subject_kind::third_party, {"safe", "fast"});
  EXPECT_THAT(all.lint(), IsEmpty());
}

TEST_F(lint, a_subject_claims_a_feature_that_does_not_exist) {
  add_rich();
  claim("subject", subject_kind::third_party, {"safe", "fasst", "of_another_world"});
  const auto complaints = ElementsAre(
      "the subject 'subject' of rich claims the feature 'fasst', which the contract does not have; did you "
      "mean 'fast'?",
      "the subject 'subject' of rich claims the feature 'of_another_world', which the contract does not "
      "have");
  EXPECT_THAT(all.check_features(), complaints);
  EXPECT_THAT(all.lint(), complaints);
}

TEST_F(lint, a_contract_without_features_has_none_to_claim) {
  add_mutant("it is wrong", {{"TH-1", ""}});
  EXPECT_THAT(all.check_features(), IsEmpty());
  scenario_info needing = scenario("thing", "TH-1", "with wings");
  needing.traits.features = {"wings"};
  all.add(std::move(needing));
  EXPECT_THAT(all.check_features(), ElementsAre("the scenario 'thing/TH-1/with wings' needs the feature "
                                                "'wings', which the contract does not have"));
}

TEST_F(lint, a_scenario_needs_or_asks_for_a_feature_that_does_not_exist) {
  add_rich();
  scenario_info wrong = scenario("rich", "TH-1", "misspelt");
  wrong.traits.features = {"fast", "save"};
  wrong.traits.asks = {"fsat"};
  all.add(std::move(wrong));
  const auto complaints = ElementsAre(
      "the scenario 'rich/TH-1/misspelt' needs the feature 'save', which the "
      "contract does not have; did you mean 'safe'?",
      "the scenario 'rich/TH-1/misspelt' asks for the feature 'fsat', which "
      "the contract does not have; did you mean 'fast'?");
  EXPECT_THAT(all.check_features(), complaints);
  EXPECT_THAT(all.lint(), complaints);
}

TEST_F(lint, a_feature_is_one_that_no_scenario_needs_or_asks_for) {
  all.add(detail::describe_contract<contract::rich_contract>("rich", "tests", "has features"));
  scenario_info needing = scenario("rich", "TH-1");
  needing.traits.features = {"fast"};
  all.add(std::move(needing));
  EXPECT_THAT(all.lint(), ElementsAre("no scenario needs the feature 'safe' of rich, or asks for it"));
}

TEST_F(lint, a_feature_is_declared_twice_or_promises_nothing) {
  all.add(contract_info{"rich", "tests", "has features", {{"fast", "It is."}, {"fast", ""}}});
  scenario_info needing = scenario("rich", "TH-1");
  needing.traits.features = {"fast"};
  all.add(std::move(needing));
  EXPECT_THAT(all.lint(), ElementsAre("the feature 'fast' of rich is declared twice",
                                      "the feature 'fast' of rich does not say what it promises"));
}

TEST_F(lint, a_feature_is_claimed_by_the_reference_and_mutants_alone) {
  add_rich();
  claim("reference", subject_kind::reference, {"fast", "safe"});
  claim("mutant", subject_kind::mutant, {"fast"});
  EXPECT_THAT(
      lint_features(all),
      IsSupersetOf({"the feature 'fast' of rich is claimed by no subject but the reference and mutants",
                    "the feature 'safe' of rich is claimed by no subject but the reference and mutants"}));
  claim("alternative", subject_kind::alternative, {"fast"});
  EXPECT_THAT(lint_features(all), Not(Contains(HasSubstr("'fast'"))));
  claim("library", subject_kind::third_party, {"safe"});
  EXPECT_THAT(lint_features(all), Not(Contains(HasSubstr("the feature"))));
}

TEST_F(lint, a_contract_has_no_least_subject) {
  add_rich();
  const std::string complaint =
      "rich has no least subject: an alternative that claims nothing, and offers the smallest that the "
      "contract "
      "allows";
  claim("reference", subject_kind::reference, {});
  claim("alternative", subject_kind::alternative, {"fast", "safe"});
  EXPECT_THAT(lint_features(all), Contains(complaint));
  claim("least", subject_kind::alternative, {});
  EXPECT_THAT(lint_features(all), Not(Contains(complaint)));
}

TEST_F(lint, a_subject_is_added_twice) {
  add_mutant("it is wrong", {{"TH-1", ""}});
  EXPECT_THROW(add_mutant("it is wrong", {{"TH-1", ""}}), std::invalid_argument);
}

TEST(clause_before, numbers_count_as_numbers) {
  EXPECT_TRUE(clause_before("BQ-6", "BQ-10"));
  EXPECT_FALSE(clause_before("BQ-10", "BQ-6"));
  EXPECT_TRUE(clause_before("BQ-10", "X-1"));
  EXPECT_FALSE(clause_before("BQ-6", "BQ-6"));
}

}  // namespace
}  // namespace assay
