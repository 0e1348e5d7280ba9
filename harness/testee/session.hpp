// One trial's conversation with a testee: the co-simulation. Calls, cancels and replies that trial makes are collected and
// handed over in one instant, in a turn of the subject's own; what the testee answers goes on in the trial. The trial owns
// time, and the testee's next deadline is one of its timers.
//
// When an instant begins is a choice, as the order of all turns is; so is, where the testee counts turns, how many of them
// pass before a command is done.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/testee/host.hpp>
#include <assay/harness/trial/environment.hpp>

namespace assay::testee {

/// What a subject in a testee is connected to.
class receiver {
 public:
  receiver() = default;
  receiver(const receiver&) = delete;
  receiver& operator=(const receiver&) = delete;
  virtual ~receiver() = default;
  /// Does what the subject calls; what it throws is the outcome. Throws protocol_error for a callback that there is not.
  /// The receiver may be destroyed while this is suspended: what follows a suspension must not touch it unasked.
  virtual boost::asio::awaitable<void> called(std::string name, boost::json::object args) = 0;
  /// The same where no reply is wanted.
  virtual void told(const std::string& name, const boost::json::object& args) = 0;
};

/// A call that waits for its end. It is kept by the timer service alone: dropping the execution context frees it.
class waiting_call : public std::enable_shared_from_this<waiting_call> {
 public:
  explicit waiting_call(const boost::asio::any_io_executor& executor);
  waiting_call(const waiting_call&) = delete;
  waiting_call& operator=(const waiting_call&) = delete;
  virtual ~waiting_call() = default;
  void begin();
  void end(ending how);

 protected:
  virtual void complete(ending how) = 0;

 private:
  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  ending how_;
};

class session : public std::enable_shared_from_this<session> {
 public:
  /// The trial's session with this testee, begun if there is none yet.
  static std::shared_ptr<session> of(environment& env, const known_testee& host);

  session(trial& owner, const known_testee& host);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session();

  /// Makes a subject; its number. `looks` are queries whose answers the testee is to tell at the end of every instant, if it
  /// can. Throws the outcome.
  std::int64_t make(receiver& to, const std::string& subject, boost::json::object config,
                    const std::vector<std::string>& looks = {});
  void destroy(std::int64_t object) noexcept;
  /// Begins an operation, and ends as it does. A cancellation request is passed on, and decides nothing by itself. Where the
  /// testee has a caller that goes on, it does, and the trial hears of a request that is lost on it.
  boost::asio::awaitable<boost::json::value> call(std::int64_t object, std::string method,
                                                  boost::json::object args);
  /// The same, of a caller in the testee that goes on when the call has ended: it does one step that a cancellation can
  /// interrupt (`ending::then`). Throws nothing. Without such a caller in the testee `then` stays empty.
  boost::asio::awaitable<ending> call_and_go_on(std::int64_t object, std::string method,
                                                boost::json::object args);
  /// An immediate call. Throws the outcome.
  boost::json::value call_now(std::int64_t object, std::string method, boost::json::object args);
  /// An immediate call that changes nothing.
  boost::json::value ask(std::int64_t object, std::string method, boost::json::object args);

  /// What the testee has told of this object at the end of the last instant, if nobody has seen that yet; null once it is
  /// seen, and as long as something that has happened before is not known here. It writes no trace and makes no choice.
  const boost::json::object* news_of(std::int64_t object) const;
  void seen(std::int64_t object);
  const hello& said() const noexcept { return host_.said; }
  /// The loop may be late.
  void let_be_late();

  /// The testee has broken, as this says: the trial ends. Throws scenario_stopped.
  [[noreturn]] void broke(const protocol_error& why);
  trial& owner() const noexcept { return owner_; }

 private:
  struct callback {
    boost::asio::cancellation_signal signal;
    bool cancelled = false;
    bool ended = false;
    bool gone = false;  // nothing of it is left
  };
  struct looked_at {
    boost::json::object values;
    bool seen = false;
  };
  struct begin_waiting;
  template <class Handler>
  class waiting_call_of;

  std::int64_t begin_call(std::int64_t object, std::string method, boost::json::object args, bool goes_on,
                          const std::shared_ptr<waiting_call>& waiting);
  void note(std::map<std::int64_t, boost::json::object> looked_at);
  ending immediate(std::int64_t id, boost::json::object command);
  std::vector<event> exchange(boost::json::array commands, bool run);
  std::set<std::int64_t> note_requests(const boost::json::array& commands);
  void queue(boost::json::object command);
  void schedule();
  void run_instant();
  void run(boost::json::array commands);
  static boost::json::array take_replies(boost::json::array& commands);
  void set_turns(boost::json::array& commands);
  void arm(std::optional<std::chrono::nanoseconds> deadline);
  void arm_later(const std::vector<std::chrono::nanoseconds>& later);
  void apply_all();
  void apply(event one);
  void start_callback(event one);
  boost::asio::awaitable<void> run_callback(event one);
  void cancel_callback(std::int64_t id);
  void reply(std::int64_t id, const std::exception_ptr& failure);
  receiver* receiver_of(const event& one);
  std::string finish();
  std::string in_words(const std::string& what) const;

  trial& owner_;
  const known_testee& host_;
  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  std::optional<std::chrono::nanoseconds> deadline_;  // the timer is set for
  std::deque<boost::asio::steady_timer>
      later_;  // nothing happens at them: a late loop may be as late as that
  std::int64_t trial_ = 0;
  std::int64_t number_ = 0;  // of the last instant
  std::int64_t next_id_ = 0;
  boost::json::array commands_;  // for the next instant
  bool scheduled_ = false;
  bool dirty_ = false;  // an immediate call may have made something ready
  bool open_ = false;   // begun, and neither ended nor broken
  std::deque<event> inbox_;
  bool applying_ = false;
  std::map<std::int64_t, std::weak_ptr<waiting_call>> calls_;
  std::set<std::int64_t> asked_;  // calls that were asked to stop while they ran
  std::map<std::int64_t, callback> callbacks_;
  std::map<std::int64_t, receiver*> objects_;  // null once destroyed
  std::map<std::int64_t, looked_at> news_;
};

}  // namespace assay::testee
