// The contract of a task group (nursery, TaskGroup, coroutine scope): children that all end before the group
// does, the first failure asks the others to stop, and every failure is told.
//
// A member that belongs to a feature is called only on subjects that claim it. Without `cleanup` a child that is asked to stop
// is dropped, as Rust's futures are: it can neither take its time over that nor fail.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct task_group_config {
  /// `collect`: a failure leaves the other children alone; everything else is as without it (TG-13).
  bool collect = false;
  /// `join_next`: how each child ended is kept until `join_next` has given it.
  bool keeps_endings = false;
};
BOOST_DESCRIBE_STRUCT(task_group_config, (), (collect, keeps_endings))

/// How a child ended.
BOOST_DEFINE_ENUM_CLASS(child_end, well, cancelled, failed)

struct child_ending {
  std::string name;
  child_end how{};
  bool operator==(const child_ending&) const = default;
};
BOOST_DESCRIBE_STRUCT(child_ending, (), (name, how))

/// By what an aggregate is split: failures of the classes of the same names.
BOOST_DEFINE_ENUM_CLASS(failure_kind, closed, broken, timed_out)

/// The designated fatal class (`fatal_class`, TG-12): a child's wish to end the process. The group throws it
/// as it is.
class exit_request : public std::exception {
 public:
  explicit exit_request(int status) : status_(status), text_(label(status)) {}
  /// What reports call it: "exit 3".
  static std::string label(int status) { return "exit " + std::to_string(status); }
  int status() const noexcept { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  int status_;
  std::string text_;
};

class task_group : public with_invariant<task_group_config> {
 public:
  static constexpr std::string_view name = "task_group";
  static constexpr feature_info features[] = {
      {"cleanup",
       "A child that is asked to stop may take its time over that, and may fail; the group waits, and tells "
       "the failure."},
      {"dynamic_spawn", "`spawn` adds a child from outside of the group while it runs."},
      {"nested_spawn", "A child may add children with `spawn`; they belong to the group, not to that child."},
      {"close", "`close` refuses further children; those that the group has go on."},
      {"late_refusal",
       "A child that comes too late is refused at once, and nothing of its work is run (TG-7)."},
      {"body_failure", "`run_with_body` treats a failure of the body like that of a child."},
      {"own_cancellation",
       "A child that ends as cancelled without being asked is no failure, and leaves the others alone."},
      {"cancelled_outcome",
       "A group that was cancelled from outside ends as cancelled also if every child ended well."},
      {"always_aggregate", "A single failure comes as an aggregate too, of one member."},
      {"ordered_failures", "The aggregate holds the failures in the order in which they happened."},
      {"fatal_class",
       "A wish to end the process (`exit_request`) is thrown bare and before all other failures."},
      {"collect", "With `collect` a failure leaves the other children alone."},
      {"lifetime", "What a child owned is destroyed before the group ends (X-19)."},
      {"handles", "One child can be cancelled or awaited alone: `cancel_child`, `join_child`."},
      {"split", "`run_split` takes an aggregate apart by kinds of failures, and throws what nobody took."},
      {"started", "`start` begins a child and waits until it reports that it is ready."},
      {"own_cancel", "`cancel` ends the group's children; that alone is no failure and no cancellation."},
      {"keeps_outside_request",
       "A request from outside that a failure outranks is there still at the caller's next suspension."},
      {"checked_entry", "`spawn` before `run` is refused, and so is a second `run`."},
      {"scope_handle", "A `cancel` before `run` counts as one in it."},
      {"join_next", "With `keeps_endings`, `join_next` gives how each child ended, one after another."},
      {"never_starts", "A child that is cancelled before its first step does not begin."},
      {"runs_to_first_suspension",
       "A child that is cancelled before its first step begins, and hears of it where it first suspends."},
  };
  using contract_type = task_group;
  using config = task_group_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  /// What a child does. It is called at most once, when the child begins, and belongs to the group until then
  /// and, since it may own what its coroutine refers to, until the child has ended.
  using work = std::function<awaitable<void>()>;

  struct child {
    child(std::string child_name, work child_work)
        : name(std::move(child_name)), run(std::move(child_work)) {}
    std::string name;
    work run;
  };
  /// What a child calls, once, that has been started with `start`: it is ready. False if that is refused.
  using ready_report = std::function<bool()>;
  using starting_work = std::function<awaitable<void>(ready_report)>;
  /// Takes what one kind of failures was split off as: an aggregate, or the failure if it stood alone.
  using part_taker = std::function<void(failure_kind, const outcome&)>;
  /// The name under which a failure of the body is told.
  static constexpr std::string_view body_name = "body";

  task_group() = default;
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  virtual ~task_group() = default;

  /// Runs the children at the same time, and ends when all have ended. To be called once.
  ///
  /// Outcomes: value; cancelled, if that was asked for from outside, no child failed, and a child was cancelled
  /// (`cancelled_outcome`: in any case); else what the children failed with: an aggregate_error whose members
  /// carry the children's names, or the failure itself if there is only one (unless `always_aggregate`); with
  /// `fatal_class` an exit_request comes before both. A failure that the outcome has no room for goes to
  /// environment::report_unhandled.
  awaitable<void> run(std::vector<child> children);

  /// `body_failure`: as run, with one more child, the body, that is started first; its name is body_name.
  awaitable<void> run_with_body(std::vector<child> children, work body);

  /// `dynamic_spawn` from outside of the group, `nested_spawn` from within a child: adds a child to a group that
  /// has begun to run. False if the group takes no more (`late_refusal`); then nothing of the work is run.
  bool spawn(child one) {
    account_for(one);
    return do_spawn(std::move(one));
  }

  /// `close`: the group takes no more children; those it has go on.
  virtual void close() { throw unclaimed_feature("close"); }

  /// `handles`: asks the child of this name to stop, and nobody else; of several the one that came last. Nothing
  /// happens if it is not at work.
  virtual void cancel_child(const std::string&) { throw unclaimed_feature("handles"); }
  /// `handles`: waits until that child, which is at work, has ended, whichever way. Its failure is the group's all the
  /// same. Outcomes: how it ended; cancelled, which leaves the child alone.
  virtual awaitable<child_end> join_child(std::string) { throw unclaimed_feature("handles"); }

  /// `split`: as run. Of what it fails with, the failures of each kind in `kinds` are given to `take`, kind after kind; what
  /// is left is thrown, in the order and the nesting that it had. A child that runs a group itself fails with what that does.
  awaitable<void> run_split(std::vector<child> children, std::vector<failure_kind> kinds, part_taker take);

  /// `started`: adds a child as `spawn` does, and waits until it reports that it is ready. From then on it is a child like
  /// others; until then it is the caller's, whose cancellation ends it, and the group waits for it.
  /// Outcomes: value; cancelled, when the child has ended, if the caller was asked to stop, or the group was and the child
  /// ended so; what the child failed with, which is nobody else's then; rejected if it ended otherwise, or if the group takes
  /// no more.
  awaitable<void> start(std::string child_name, starting_work work);

  /// `own_cancel`: asks every child to stop, and takes no more. The group ends when they have: with a value, unless one of
  /// them fails or the group is cancelled from outside.
  virtual void cancel() { throw unclaimed_feature("own_cancel"); }

  /// `join_next`: how the next child ended, each once, in the order in which they ended; nothing if there is no child left
  /// of which to tell. It may be called after the run as well. Outcomes: value, cancelled.
  virtual awaitable<std::optional<child_ending>> join_next() { throw unclaimed_feature("join_next"); }

  /// When the run has ended, so has every child (TG-1), and nothing of one is left (TG-11).
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    waits_for_children_ = claims("cleanup");
    lets_go_of_children_ = claims("lifetime");
  }

 protected:
  // What a subject implements.
  virtual awaitable<void> do_run(std::vector<child> children) = 0;
  virtual awaitable<void> do_run_with_body(std::vector<child>, work) {
    throw unclaimed_feature("body_failure");
  }
  virtual bool do_spawn(child) { throw unclaimed_feature("dynamic_spawn"); }
  virtual awaitable<void> do_run_split(std::vector<child>, std::vector<failure_kind>, part_taker) {
    throw unclaimed_feature("split");
  }
  virtual awaitable<void> do_start(std::string, starting_work) { throw unclaimed_feature("started"); }

 private:
  struct account {
    std::size_t works = 0;  // that the group has, each with what it owns
    std::size_t alive = 0;  // children
    std::size_t runs = 0;   // under way
    bool has_run = false;
  };
  struct held_work {
    held_work(const std::shared_ptr<account>& owner, work real)
        : all(owner), run(std::move(real)), here(owner, &account::works) {}
    std::shared_ptr<account> all;
    work run;
    counted here;
  };
  static awaitable<void> live(std::shared_ptr<account> all, awaitable<void> work);
  static awaitable<void> live_with(starting_work work, ready_report ready) {
    co_await work(std::move(ready));
  }
  void account_for(work& one) const;
  void account_for(child& one) const { account_for(one.run); }

  const std::shared_ptr<account> account_ = make_account<account>();
  bool waits_for_children_ = false;
  bool lets_go_of_children_ = false;
};

inline boost::asio::awaitable<void> task_group::live(std::shared_ptr<account> all, awaitable<void> work) {
  const counted here(all, &account::alive);
  co_await std::move(work);
}

// The work is the caller's, wherever it goes: counted are it, until its last copy has gone, and the child.
inline void task_group::account_for(work& one) const {
  const detail::harness_section section;
  auto held = std::make_shared<const held_work>(account_, std::move(one));
  one = [held = std::move(held)] { return live(held->all, held->run()); };
}

inline boost::asio::awaitable<void> task_group::run(std::vector<child> children) {
  for (child& one : children) account_for(one);
  const counted under_way(account_, &account::runs);
  account_->has_run = true;
  co_await do_run(std::move(children));
}

inline boost::asio::awaitable<void> task_group::run_with_body(std::vector<child> children, work body) {
  for (child& one : children) account_for(one);
  account_for(body);
  const counted under_way(account_, &account::runs);
  account_->has_run = true;
  co_await do_run_with_body(std::move(children), std::move(body));
}

inline boost::asio::awaitable<void> task_group::run_split(std::vector<child> children,
                                                          std::vector<failure_kind> kinds, part_taker take) {
  for (child& one : children) account_for(one);
  const counted under_way(account_, &account::runs);
  account_->has_run = true;
  co_await do_run_split(std::move(children), std::move(kinds), std::move(take));
}

// A child that has not reported is in no run that has ended either: the group waits for it.
inline boost::asio::awaitable<void> task_group::start(std::string child_name, starting_work work) {
  const std::shared_ptr<account> all = account_;
  starting_work counting = [all, work = std::move(work)](ready_report ready) {
    return live(all, live_with(work, std::move(ready)));
  };
  co_await do_start(std::move(child_name), std::move(counting));
}

inline std::string task_group::invariant() const {
  const account& known = *account_;
  if (!in_process() || !known.has_run || known.runs > 0) return {};
  if (waits_for_children_ && known.alive > 0)
    return exceeded("TG-1: children are alive when the group has ended", 0, known.alive);
  if (lets_go_of_children_ && known.works > 0)
    return exceeded("TG-11: something of a child is left when the group has ended", 0, known.works);
  return {};
}

}  // namespace assay::contract
