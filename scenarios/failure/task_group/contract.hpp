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
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/trial/feature.hpp"
#include "harness/trial/outcome.hpp"

namespace assay::contract {

struct task_group_config {
  /// `collect`: a failure leaves the other children alone; everything else is as without it (TG-13).
  bool collect = false;
};
BOOST_DESCRIBE_STRUCT(task_group_config, (), (collect))

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

class task_group {
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
      {"always_aggregate", "A single failure comes as an aggregate too, of one member."},
      {"ordered_failures", "The aggregate holds the failures in the order in which they happened."},
      {"fatal_class",
       "A wish to end the process (`exit_request`) is thrown bare and before all other failures."},
      {"collect", "With `collect` a failure leaves the other children alone."},
      {"lifetime", "What a child owned is destroyed before the group ends (X-19)."},
  };
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
  /// The name under which a failure of the body is told.
  static constexpr std::string_view body_name = "body";

  task_group() = default;
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  virtual ~task_group() = default;

  /// Runs the children at the same time, and ends when all have ended. To be called once.
  ///
  /// Outcomes: value; cancelled, if that was asked for from outside and no child failed; else what the children
  /// failed with: an aggregate_error whose members carry the children's names, or the failure itself if there
  /// is only one (unless `always_aggregate`); with `fatal_class` an exit_request comes before both. A failure
  /// that the outcome has no room for goes to environment::report_unhandled.
  virtual awaitable<void> run(std::vector<child> children) = 0;

  /// `body_failure`: as run, with one more child, the body, that is started first; its name is body_name.
  virtual awaitable<void> run_with_body(std::vector<child>, work) { throw unclaimed_feature("body_failure"); }

  /// `dynamic_spawn` from outside of the group, `nested_spawn` from within a child: adds a child to a group that
  /// has begun to run. False if the group takes no more (`late_refusal`); then nothing of the work is run.
  virtual bool spawn(child) { throw unclaimed_feature("dynamic_spawn"); }

  /// `close`: the group takes no more children; those it has go on.
  virtual void close() { throw unclaimed_feature("close"); }
};

}  // namespace assay::contract
