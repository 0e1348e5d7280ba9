// Task groups that are wrong in one known way each: the independent group with one decision changed.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/failure/task_group/independent_group.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

template <class Core>
void add(std::string name, std::string defect, std::vector<expected_failure> must_fail,
         std::vector<std::string> may_fail = {}) {
  subject_traits traits;
  traits.features = {"cleanup",          "dynamic_spawn", "nested_spawn",     "close",
                     "late_refusal",     "body_failure",  "own_cancellation", "always_aggregate",
                     "ordered_failures", "fatal_class",   "collect",          "lifetime"};
  traits.defect = std::move(defect);
  traits.must_fail = std::move(must_fail);
  traits.may_fail = std::move(may_fail);
  catalogue::instance().add(std::make_unique<subject<contract::task_group>>(
      std::move(name), subject_kind::mutant, std::move(traits),
      [](environment& env, const contract::task_group_config& config) {
        return std::make_unique<independent_group<Core>>(env, config);
      }));
}

// ---- the end of the group

struct ends_with_the_first_failure final : independent_core {
  using independent_core::independent_core;
  bool may_end() const override { return members_.empty() || !failures_.empty(); }
  void on_failure(const member&) override {}
};

struct forgets_children_that_came_later final : independent_core {
  using independent_core::independent_core;
  bool spawn(child one) override {
    later_ = true;
    const bool taken = independent_core::spawn(std::move(one));
    later_ = false;
    return taken;
  }
  bool counts(const member&) const override { return !later_; }
  bool later_ = false;
};

struct waits_for_an_end_even_if_empty final : independent_core {
  using independent_core::independent_core;
  void on_end(const member&) override { any_ended_ = true; }
  bool may_end() const override { return any_ended_ && members_.empty(); }
  bool any_ended_ = false;
};

struct forgets_children_that_end_within_their_start final : independent_core {
  using independent_core::independent_core;
  static asio::awaitable<void> note_end(bool& ended, work run) {
    std::exception_ptr failure;
    try {
      co_await run();
    } catch (...) {
      failure = std::current_exception();
    }
    ended = true;
    if (failure) std::rethrow_exception(failure);
  }
  work adopt(work run) override {
    ended_ = false;
    return [this, run] { return note_end(ended_, run); };
  }
  void started(const member_ptr& self) override {
    if (ended_) members_.remove(self);
  }
  bool ended_ = false;
};

struct abandons_children_when_cancelled final : independent_core {
  using independent_core::independent_core;
  void on_request(std::uint32_t times, cancellation_type latest) override {
    independent_core::on_request(times, latest);
    abandoned_ = true;
  }
  bool may_end() const override { return abandoned_ || members_.empty(); }
  bool abandoned_ = false;
};

struct abandons_children_when_cancelled_twice final : independent_core {
  using independent_core::independent_core;
  void on_request(std::uint32_t times, cancellation_type latest) override {
    independent_core::on_request(times, latest);
    abandoned_ = times > 1;
  }
  bool may_end() const override { return abandoned_ || members_.empty(); }
  bool abandoned_ = false;
};

struct wakes_nobody_while_stopping final : independent_core {
  using independent_core::independent_core;
  void wake() override {
    if (!requested_) alarm_.cancel();
  }
  void on_request(std::uint32_t times, cancellation_type latest) override {
    requested_ = true;
    independent_core::on_request(times, latest);
  }
  bool requested_ = false;
};

// ---- what a child owned

struct lets_go_of_late_children_late final : independent_core {
  using independent_core::independent_core;
  bool spawn(child one) override {
    one.run = [executor = executor_, run = std::move(one.run)] { return then_let_go(executor, run); };
    return independent_core::spawn(std::move(one));
  }
  static asio::awaitable<void> then_let_go(asio::any_io_executor executor, work run) {
    std::exception_ptr failure;
    try {
      co_await run();
    } catch (...) {
      failure = std::current_exception();
    }
    keep_for(executor, run, 5);
    if (failure) std::rethrow_exception(failure);
  }
  static void keep_for(const asio::any_io_executor& executor, const work& run, int turns) {
    if (turns == 0) return;
    asio::post(executor, [executor, run, turns] { keep_for(executor, run, turns - 1); });
  }
};

// ---- the request to stop

struct leaves_siblings_of_a_failure_alone final : independent_core {
  using independent_core::independent_core;
  void on_failure(const member&) override {}
};

struct repeats_the_request_at_every_failure final : independent_core {
  using independent_core::independent_core;
  void stop() override {
    stopping_ = true;
    ask_all();
  }
};

struct asks_only_children_before_the_failed_one final : independent_core {
  using independent_core::independent_core;
  void on_failure(const member& failed) override {
    if (failed_.empty()) failed_ = failed.name;
    independent_core::on_failure(failed);
  }
  bool is_asked(const member& one) const override { return failed_.empty() || one.name < failed_; }
  std::string failed_;
};

struct leaves_the_body_alone final : independent_core {
  using independent_core::independent_core;
  bool is_asked(const member& one) const override { return one.name != contract::task_group::body_name; }
};

struct takes_children_while_stopping_and_lets_them_run final : independent_core {
  using independent_core::independent_core;
  bool takes_children() const override { return running_ && !closed_; }
  bool begins(const member&) const override { return true; }
};

struct passes_no_request_on final : independent_core {
  using independent_core::independent_core;
  void on_request(std::uint32_t, cancellation_type) override {}
};

struct passes_only_the_first_request_on_as_it_is final : independent_core {
  using independent_core::independent_core;
  void on_request(std::uint32_t times, cancellation_type latest) override {
    if (times == 1) strength_ = latest;
    independent_core::on_request(times, latest);
  }
  cancellation_type strength() const override { return strength_; }
  cancellation_type strength_ = cancellation_type::terminal;
};

struct makes_a_request_an_event final : independent_core {
  using independent_core::independent_core;
  bool requests_stay() const override { return false; }
};

struct stops_when_a_child_gives_up final : independent_core {
  using independent_core::independent_core;
  void on_end(const member& ended) override {
    if (ended.failure && is_cancellation(ended.failure)) stop();
  }
};

struct stops_when_a_child_that_started_another_gives_up final : independent_core {
  using independent_core::independent_core;
  bool spawn(child one) override {
    spawned_ = true;
    return independent_core::spawn(std::move(one));
  }
  void on_end(const member& ended) override {
    if (spawned_ && ended.failure && is_cancellation(ended.failure)) stop();
  }
  bool spawned_ = false;
};

struct counts_giving_up_as_a_failure final : independent_core {
  using independent_core::independent_core;
  bool is_failure(const member& ended) const override {
    return ended.failure && (!stopping_ || !is_cancellation(ended.failure));
  }
  void on_failure(const member& failed) override {
    if (!is_cancellation(failed.failure)) independent_core::on_failure(failed);
  }
};

struct stops_siblings_in_collect_mode final : independent_core {
  using independent_core::independent_core;
  void on_failure(const member&) override { stop(); }
};

// ---- what is told

struct drops_failures_while_stopping final : independent_core {
  using independent_core::independent_core;
  bool is_failure(const member& ended) const override {
    return !stopping_ && independent_core::is_failure(ended);
  }
};

struct keeps_only_the_first_failure final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    if (failures_.size() > 1) failures_.erase(failures_.begin() + 1, failures_.end());
    return independent_core::outcome(requested);
  }
};

struct tells_failures_without_names final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    for (auto& one : failures_) one.task = "task";
    return independent_core::outcome(requested);
  }
};

struct tells_failures_in_order_of_names final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    std::sort(failures_.begin(), failures_.end(),
              [](const auto& one, const auto& other) { return one.task < other.task; });
    return independent_core::outcome(requested);
  }
};

struct tells_the_hook_as_well final : independent_core {
  using independent_core::independent_core;
  void on_failure(const member& failed) override {
    env_.report_unhandled(failed.failure);
    independent_core::on_failure(failed);
  }
};

struct unwraps_a_single_failure final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    return failures_.size() == 1 ? failures_.front().failure : independent_core::outcome(requested);
  }
};

struct lists_the_children_it_cancelled final : independent_core {
  using independent_core::independent_core;
  void on_end(const member& ended) override {
    if (ended.failure && is_cancellation(ended.failure)) cancelled_.push_back({ended.name, ended.failure});
  }
  std::exception_ptr outcome(bool requested) override {
    if (!failures_.empty()) failures_.insert(failures_.end(), cancelled_.begin(), cancelled_.end());
    return independent_core::outcome(requested);
  }
  failure_list cancelled_;
};

struct tells_a_cancellation_as_an_aggregate final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    if (requested && failures_.empty()) failures_.push_back({"run", cancelled()});
    return independent_core::outcome(requested);
  }
};

struct tells_a_cancellation_as_a_value final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool) override { return independent_core::outcome(false); }
};

struct hides_failures_behind_a_cancellation final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    return requested ? cancelled() : independent_core::outcome(requested);
  }
};

struct does_not_list_the_body final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    if (failures_.size() > 1) {
      std::erase_if(failures_, [](const auto& one) { return one.task == contract::task_group::body_name; });
    }
    return independent_core::outcome(requested);
  }
};

struct goes_on_without_its_body final : independent_core {
  using independent_core::independent_core;
  void on_failure(const member& failed) override {
    if (failed.name != contract::task_group::body_name) independent_core::on_failure(failed);
  }
};

// ---- too late

struct takes_children_after_its_end final : independent_core {
  using independent_core::independent_core;
  bool takes_children() const override { return !closed_ && !stopping_; }
};

struct takes_children_while_stopping final : independent_core {
  using independent_core::independent_core;
  bool takes_children() const override { return running_ && !closed_; }
};

struct takes_children_when_closed final : independent_core {
  using independent_core::independent_core;
  bool takes_children() const override { return running_ && !stopping_; }
};

struct stops_its_children_when_closed final : independent_core {
  using independent_core::independent_core;
  void close() override {
    independent_core::close();
    stop();
  }
};

struct begins_work_that_it_refuses final : independent_core {
  using independent_core::independent_core;
  bool spawn(child one) override {
    if (takes_children()) return independent_core::spawn(std::move(one));
    asio::co_spawn(executor_, one.run(), [](std::exception_ptr) {});
    return false;
  }
};

struct keeps_work_that_it_refuses final : independent_core {
  using independent_core::independent_core;
  bool spawn(child one) override {
    if (takes_children()) return independent_core::spawn(std::move(one));
    refused_.push_back(std::move(one));
    return false;
  }
  std::vector<child> refused_;
};

// ---- what a child owned

struct keeps_closures_until_it_goes final : independent_core {
  using independent_core::independent_core;
  work adopt(work run) override {
    closures_.push_back(run);
    return run;
  }
  std::vector<work> closures_;
};

// ---- the wish to end the process

struct wraps_an_exit_request final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    if (failures_.empty()) return requested ? cancelled() : nullptr;
    return std::make_exception_ptr(contract::aggregate_error(std::move(failures_)));
  }
};

struct lets_an_exit_request_wait_for_nobody final : independent_core {
  using independent_core::independent_core;
  bool may_end() const override {
    const bool fatal = std::any_of(failures_.begin(), failures_.end(),
                                   [](const auto& one) { return is_exit_request(one.failure); });
    return fatal || members_.empty();
  }
};

struct prefers_failures_to_an_exit_request final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    const auto fatal = std::partition(failures_.begin(), failures_.end(),
                                      [](const auto& one) { return !is_exit_request(one.failure); });
    if (fatal != failures_.begin()) {
      for (auto one = fatal; one != failures_.end(); ++one) env_.report_unhandled(one->failure);
      failures_.erase(fatal, failures_.end());
    }
    return independent_core::outcome(requested);
  }
};

struct drops_failures_beside_an_exit_request final : independent_core {
  using independent_core::independent_core;
  std::exception_ptr outcome(bool requested) override {
    for (const auto& one : failures_) {
      if (is_exit_request(one.failure)) return one.failure;
    }
    return independent_core::outcome(requested);
  }
};

// ---- the register

void add_mutants_of_the_end() {
  add<ends_with_the_first_failure>(
      "ends_with_the_first_failure",
      "TG-m2: the first failure is returned at once; the siblings run on detached",
      {{"TG-1", "the group ends after its children"}},
      {"TG-2", "TG-3", "TG-8", "TG-11", "TG-12", "TG-13", "X-5", "X-15"});
  add<forgets_children_that_came_later>("forgets_children_that_came_later",
                                        "only the children that the group began with are waited for",
                                        {{"TG-1", "the group ends after its children"}});
  add<waits_for_an_end_even_if_empty>("waits_for_an_end_even_if_empty",
                                      "the group ends when the last child does, so without one it never ends",
                                      {{"TG-10", "an empty group ends at once"}});
  add<forgets_children_that_end_within_their_start>(
      "forgets_children_that_end_within_their_start",
      "a child that ends before the call that starts it returns was never registered",
      {{"TG-10", "a group whose child fails in its first turn fails at once"}}, {"TG-3"});
  add<abandons_children_when_cancelled>(
      "abandons_children_when_cancelled", "a cancelled wait asks the children to stop and returns",
      {{"TG-9", "the group ends after its children"}, {"TG-1", "the group ends after its children"}},
      {"TG-3", "TG-5", "TG-13", "X-15", "X-18", "X-19"});
  add<abandons_children_when_cancelled_twice>(
      "abandons_children_when_cancelled_twice",
      "TG-m6: a second cancel from outside makes the wait return early",
      {{"TG-9", "the group ends after its children"}}, {"TG-1", "TG-3", "X-15", "X-19"});
  add<wakes_nobody_while_stopping>(
      "wakes_nobody_while_stopping", "the end of the last child does not wake a runner that was cancelled",
      {{"X-1", "the group ends, whatever happens to it"}},
      {"TG-1", "TG-3", "TG-5", "TG-7", "TG-9", "TG-13", "X-5", "X-8", "X-15", "X-18", "X-19"});
}

void add_mutants_of_the_request() {
  add<leaves_siblings_of_a_failure_alone>("leaves_siblings_of_a_failure_alone",
                                          "a failure does not ask the siblings to stop",
                                          {{"TG-2", "the first failure asks the siblings before it to stop"}},
                                          {"TG-3", "TG-7", "TG-8", "TG-12", "X-5"});
  add<repeats_the_request_at_every_failure>("repeats_the_request_at_every_failure",
                                            "every failure, not only the first, asks the siblings to stop",
                                            {{"TG-2", "further failures repeat the request to stop"}});
  add<asks_only_children_before_the_failed_one>(
      "asks_only_children_before_the_failed_one",
      "the siblings that come after the failed child are not asked",
      {{"TG-2", "the first failure asks the siblings after it to stop"}},
      {"TG-3", "TG-5", "TG-7", "TG-12", "TG-13"});
  add<leaves_the_body_alone>("leaves_the_body_alone", "a failure asks the children to stop and not the body",
                             {{"TG-2", "a child's failure asks the body to stop"}});
  add<takes_children_while_stopping_and_lets_them_run>(
      "takes_children_while_stopping_and_lets_them_run",
      "TG-m4: a child that comes while the group is aborting is accepted and never cancelled",
      {{"TG-2", "a child that came while the group was ending is not left at work"}}, {"TG-7"});
  add<passes_no_request_on>("passes_no_request_on", "a request from outside does not reach the children",
                            {{"TG-5", "a request from outside reaches the children"}},
                            {"TG-7", "TG-9", "TG-13", "X-5", "X-7", "X-8"});
  add<passes_only_the_first_request_on_as_it_is>(
      "passes_only_the_first_request_on_as_it_is",
      "M-X7: a weak request uses up the one emission; the strong one that follows is swallowed",
      {{"X-7", "a strong request gets through after a weak one"}});
  add<makes_a_request_an_event>("makes_a_request_an_event",
                                "a child that goes on waiting after a request does not hear of it again",
                                {{"X-5", "every later suspension reports so at once"}});
  add<stops_when_a_child_gives_up>("stops_when_a_child_gives_up",
                                   "TG-m5: a child that ends cancelled by itself cancels the group",
                                   {{"TG-6", "a child that gives up by itself leaves its siblings alone"}});
  add<stops_when_a_child_that_started_another_gives_up>(
      "stops_when_a_child_that_started_another_gives_up",
      "TG-m7: the whole group is cancelled because one that started a child was",
      {{"TG-6", "the end of the child that started it leaves a child alone"}});
  add<counts_giving_up_as_a_failure>("counts_giving_up_as_a_failure",
                                     "a child that ends cancelled by itself is told as a failure",
                                     {{"TG-6", "a child that gave up by itself is no failure"}});
  add<stops_siblings_in_collect_mode>("stops_siblings_in_collect_mode",
                                      "collect mode cancels the siblings, too",
                                      {{"TG-13", "in collect mode a failure leaves the siblings alone"}});
}

void add_mutants_of_the_outcome() {
  add<drops_failures_while_stopping>(
      "drops_failures_while_stopping",
      "a failure that is raised while the siblings are being cancelled is dropped",
      {{"TG-3", "is lost"}, {"X-15", "is lost"}}, {"TG-5", "TG-8", "TG-12", "TG-13", "X-16", "X-18"});
  add<keeps_only_the_first_failure>("keeps_only_the_first_failure", "TG-m3: only the first failure is kept",
                                    {{"TG-3", "is lost"}, {"X-16", "is lost"}},
                                    {"TG-8", "TG-12", "TG-13", "X-15"});
  add<tells_failures_without_names>("tells_failures_without_names", "failures do not say whose they are",
                                    {{"TG-3", "a failure is told under the right name"}}, {"X-16"});
  add<tells_failures_in_order_of_names>("tells_failures_in_order_of_names",
                                        "failures are ordered by child instead of by time",
                                        {{"TG-3", "the failures stand in the order in which they happened"}});
  add<tells_the_hook_as_well>("tells_the_hook_as_well",
                              "every failure goes to the hook for unhandled ones as well as to the caller",
                              {{"X-15", "is told more often"}}, {"TG-3", "TG-8", "TG-13", "X-16"});
  add<unwraps_a_single_failure>("unwraps_a_single_failure",
                                "one failure is thrown as it is, several as an aggregate",
                                {{"TG-4", "a single failure is told as an aggregate, too"}});
  add<lists_the_children_it_cancelled>(
      "lists_the_children_it_cancelled", "the aggregate holds the cancellations that it caused",
      {{"X-16", "tells cancellations that it caused itself"}}, {"TG-4", "X-8"});
  add<tells_a_cancellation_as_an_aggregate>("tells_a_cancellation_as_an_aggregate",
                                            "a group that was cancelled from outside ends with an aggregate",
                                            {{"TG-5", "without a failure ends as cancelled"},
                                             {"X-8", "cancellation is neither a value nor a failure"},
                                             {"X-18", "cancellation without a failure is reported as such"}});
  add<tells_a_cancellation_as_a_value>("tells_a_cancellation_as_a_value",
                                       "a group that was cancelled from outside ends as if nothing had been",
                                       {{"TG-5", "without a failure ends as cancelled"},
                                        {"X-8", "cancellation is neither a value nor a failure"},
                                        {"X-18", "cancellation without a failure is reported as such"}});
  add<hides_failures_behind_a_cancellation>(
      "hides_failures_behind_a_cancellation",
      "TG-m8: a cancellation leaks out although there are real failures",
      {{"TG-5", "a failure while stopping is told"}, {"X-18", "a real failure beats a cancellation"}},
      {"TG-3", "TG-13", "X-15"});
  add<does_not_list_the_body>("does_not_list_the_body",
                              "a body's failure is left out when children have failed",
                              {{"TG-8", "that of body is lost"}});
  add<goes_on_without_its_body>("goes_on_without_its_body", "a body's failure does not stop the children",
                                {{"TG-8", "a failure of the body asks the children to stop"}});
}

void add_mutants_of_spawning() {
  add<takes_children_after_its_end>("takes_children_after_its_end", "a group that has ended takes children",
                                    {{"TG-7", "a group that has ended takes no child"}});
  add<takes_children_while_stopping>("takes_children_while_stopping",
                                     "a group that is aborting takes children",
                                     {{"TG-7", "a group that is ending after a failure takes no child"}});
  add<takes_children_when_closed>("takes_children_when_closed", "a group that was closed takes children",
                                  {{"TG-7", "a group that is closed takes no child"}});
  add<stops_its_children_when_closed>("stops_its_children_when_closed",
                                      "closing cancels the children at work",
                                      {{"TG-7", "closing a group leaves its children alone"}});
  add<begins_work_that_it_refuses>("begins_work_that_it_refuses",
                                   "refused work runs until its first suspension",
                                   {{"TG-7", "work that was refused does not begin"}}, {"TG-1"});
  add<keeps_work_that_it_refuses>("keeps_work_that_it_refuses", "refused work is kept until the group goes",
                                  {{"TG-11", "something of a child is left when the group has ended"}},
                                  {"TG-7"});
}

void add_mutants_of_the_rest() {
  add<keeps_closures_until_it_goes>("keeps_closures_until_it_goes",
                                    "M-X19: what a child owned lives until the group itself is destroyed",
                                    {{"TG-11", "the group ends after its children's state is destroyed"},
                                     {"X-19", "the group ends after its children's state is destroyed"}});
  add<wraps_an_exit_request>("wraps_an_exit_request", "an exit request is one member of the aggregate",
                             {{"TG-12", "an exit request is told bare"}});
  add<lets_an_exit_request_wait_for_nobody>(
      "lets_an_exit_request_wait_for_nobody",
      "TG-m1: an exit request is raised at once; the workers' cleanup is not waited for",
      {{"TG-12", "the group ends after its children"}}, {"TG-1", "X-15"});
  add<prefers_failures_to_an_exit_request>("prefers_failures_to_an_exit_request",
                                           "an exit request beside ordinary failures goes to the hook",
                                           {{"TG-12", "an exit request comes before ordinary failures"}});
  add<drops_failures_beside_an_exit_request>("drops_failures_beside_an_exit_request",
                                             "failures beside an exit request are told nobody",
                                             {{"X-15", "is lost"}});
}

void add_mutants_between_turns() {
  add<lets_go_of_late_children_late>(
      "lets_go_of_late_children_late",
      "what a child owned that came later goes some turns after the child, and after the group has ended",
      {{"TG-11", "something of a child is left when the group has ended"}});
}

bool add_mutants() {
  add_mutants_between_turns();
  add_mutants_of_the_end();
  add_mutants_of_the_request();
  add_mutants_of_the_outcome();
  add_mutants_of_spawning();
  add_mutants_of_the_rest();
  return true;
}
[[maybe_unused]] const bool added = add_mutants();

}  // namespace
}  // namespace assay
