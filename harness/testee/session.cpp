#include <assay/harness/testee/session.hpp>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <assay/harness/trial/late_loop.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay::testee {

namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::uint32_t seeds = 16;
constexpr std::size_t later_max = 3;  // further deadlines that a late loop may be behind

std::string text_of(json::object message, std::string_view name) {
  json::object line;
  line[name] = std::move(message);
  return json::serialize(line);
}

// How many turns pass before a command is done: a few, and sometimes many, since some event loops need ten for one step.
std::uint32_t choose_turns(choice_stream& choices) {
  constexpr std::uint32_t few = 3;
  const std::uint32_t turns = choices.pick(choice_kind::user, few + 1);
  return turns < few ? turns : few * (1 + choices.pick(choice_kind::user, few + 1));
}

// What a testee is told, for the trace: "push 5, cancel 4 after 2 turns".
std::string told(const json::array& commands) {
  std::string text;
  for (const json::value& each : commands) {
    const json::object& command = each.as_object();
    text += text.empty() ? "" : ", ";
    if (const json::value* const call = command.if_contains("call")) {
      text += std::string(command.at("method").as_string()) + " " + std::to_string(call->as_int64());
    } else if (const json::value* const cancelled = command.if_contains("cancel")) {
      text += "cancel " + std::to_string(cancelled->as_int64());
    } else {
      text += "reply " + std::to_string(command.at("reply").as_int64());
    }
    if (const json::value* const turns = command.if_contains("after"))
      text += " after " + std::to_string(turns->as_uint64()) + " turns";
  }
  return text;
}

adapter_error refusal(const event& one) {
  return adapter_error("refuses what its contract, or a feature that it claims, asks for: " + one.name);
}

}  // namespace

// ---- calls

waiting_call::waiting_call(const asio::any_io_executor& executor) : executor_(executor), timer_(executor) {}

void waiting_call::begin() {
  timer_.expires_at(asio::steady_timer::time_point::max());
  timer_.async_wait(asio::bind_executor(executor_, [self = shared_from_this()](boost::system::error_code) {
    self->complete(std::move(self->how_));
  }));
}

void waiting_call::end(ending how) {
  how_ = std::move(how);
  timer_.cancel();
}

template <class Handler>
class session::waiting_call_of final : public waiting_call {
 public:
  waiting_call_of(Handler&& handler, const asio::any_io_executor& executor)
      : waiting_call(executor), handler_(std::move(handler)) {}

 private:
  void complete(ending how) override {
    Handler handler(std::move(*handler_));
    handler_.reset();
    std::move(handler)(std::move(how));
  }
  std::optional<Handler> handler_;
};

struct session::begin_waiting {
  template <class Handler>
  void operator()(Handler&& handler, std::shared_ptr<session> self, std::int64_t object, std::string method,
                  json::object args, bool goes_on) const {
    using op = waiting_call_of<std::decay_t<Handler>>;
    const asio::any_io_executor executor = asio::get_associated_executor(handler);
    auto slot = asio::get_associated_cancellation_slot(handler);
    const auto waiting = std::make_shared<op>(std::forward<Handler>(handler), executor);
    const std::int64_t id = self->begin_call(object, std::move(method), std::move(args), goes_on, waiting);
    if (slot.is_connected()) {
      slot.assign([weak = std::weak_ptr<session>(self), id](asio::cancellation_type) {
        const auto alive = weak.lock();
        if (alive == nullptr || !alive->calls_.contains(id)) return;
        json::object command;
        command["cancel"] = id;
        alive->queue(std::move(command));
      });
    }
    waiting->begin();
  }
};

asio::awaitable<json::value> session::call(std::int64_t object, std::string method, json::object args) {
  auto self = shared_from_this();
  const bool goes_on = host_.said.checkpoint && owner_.follows_requests();
  const std::string name = method + " in the testee";
  ending how = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(ending)>(
      begin_waiting(), asio::use_awaitable, self, object, std::move(method), std::move(args), goes_on);
  if (how.met_request && how.then && how.then->kind != outcome_kind::cancelled)
    self->owner_.caller_went_on(name, describe(how.failure));
  if (how.failure) std::rethrow_exception(how.failure);
  co_return std::move(how.value);
}

asio::awaitable<ending> session::call_and_go_on(std::int64_t object, std::string method, json::object args) {
  auto self = shared_from_this();
  const bool goes_on = host_.said.checkpoint;
  ending how = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(ending)>(
      begin_waiting(), asio::use_awaitable, std::move(self), object, std::move(method), std::move(args),
      goes_on);
  co_return how;
}

std::int64_t session::begin_call(std::int64_t object, std::string method, json::object args, bool goes_on,
                                 const std::shared_ptr<waiting_call>& waiting) {
  const std::int64_t id = ++next_id_;
  calls_[id] = waiting;
  json::object command;
  command["call"] = id;
  command["on"] = object;
  command["method"] = std::move(method);
  command["args"] = std::move(args);
  if (goes_on) command["then"] = "checkpoint";
  queue(std::move(command));
  return id;
}

json::value session::call_now(std::int64_t object, std::string method, json::object args) {
  dirty_ = true;
  schedule();
  return ask(object, std::move(method), std::move(args));
}

json::value session::ask(std::int64_t object, std::string method, json::object args) {
  const std::int64_t id = ++next_id_;
  json::object command;
  command["call"] = id;
  command["on"] = object;
  command["method"] = std::move(method);
  command["args"] = std::move(args);
  ending how = immediate(id, std::move(command));
  if (how.failure) std::rethrow_exception(how.failure);
  return std::move(how.value);
}

std::int64_t session::make(receiver& to, const std::string& subject, json::object config,
                           const std::vector<std::string>& looks) {
  const std::int64_t id = ++next_id_;
  json::object command;
  command["make"] = id;
  command["subject"] = subject;
  command["config"] = std::move(config);
  if (host_.said.looks && !looks.empty()) command["look"] = json::value_from(looks);
  objects_[id] = &to;
  dirty_ = true;
  schedule();
  const ending how = immediate(id, std::move(command));
  if (how.failure) {
    objects_.erase(id);
    std::rethrow_exception(how.failure);
  }
  return id;
}

void session::destroy(std::int64_t object) noexcept {
  objects_[object] = nullptr;
  news_.erase(object);
  if (!open_) return;
  try {
    json::object command;
    command["destroy"] = object;
    json::array one;
    one.push_back(std::move(command));
    for (event& each : exchange(std::move(one), false)) inbox_.push_back(std::move(each));
    dirty_ = true;
    schedule();
  } catch (...) {
    // The trial knows already.
  }
}

// ---- instants

ending session::immediate(std::int64_t id, json::object command) {
  json::array one;
  one.push_back(std::move(command));
  std::vector<event> events = exchange(std::move(one), false);
  const auto own = std::find_if(events.begin(), events.end(), [id](const event& each) {
    return each.id == id && (each.kind == event_kind::done || each.kind == event_kind::refused);
  });
  if (own == events.end())
    broke(protocol_error("has not done what is to be done at once (" + std::to_string(id) + ")"));
  if (own->kind == event_kind::refused) broke(refusal(*own));
  ending how = std::move(own->how);
  events.erase(own);
  if (!events.empty()) {
    for (event& each : events) inbox_.push_back(std::move(each));
    dirty_ = true;
    schedule();
  }
  return how;
}

std::vector<event> session::exchange(json::array commands, bool run) {
  if (!open_) throw scenario_stopped();
  std::set<std::int64_t> later = note_requests(commands);
  json::object instant;
  instant["trial"] = trial_;
  instant["number"] = ++number_;
  instant["now"] = owner_.elapsed().count();
  instant["run"] = run;
  instant["commands"] = std::move(commands);
  try {
    answer said =
        read_answer(running(host_).exchange(text_of(std::move(instant), "instant")), trial_, number_);
    for (event& one : said.events) {
      if (one.kind == event_kind::done) one.how.met_request = asked_.erase(one.id) > 0;
    }
    asked_.merge(later);
    if (host_.said.looks) note(std::move(said.looked_at));
    if (!run) return std::move(said.events);
    if (said.deadline && *said.deadline <= owner_.elapsed()) {
      throw protocol_error("has a deadline at " + std::to_string(said.deadline->count()) +
                           " ns when everything until " + std::to_string(owner_.elapsed().count()) +
                           " ns has been run");
    }
    arm(said.deadline);
    arm_later(said.later);
    return std::move(said.events);
  } catch (const protocol_error& why) {
    broke(why);
  }
}

// The calls that are asked to stop in this instant after some turns, when they may have ended: only the next instant knows
// them to have been asked. Those that are asked before the first turn were all running.
std::set<std::int64_t> session::note_requests(const json::array& commands) {
  std::set<std::int64_t> later;
  for (const json::value& each : commands) {
    const json::object& command = each.as_object();
    if (const json::value* const call = command.if_contains("cancel"))
      (command.contains("after") ? later : asked_).insert(call->as_int64());
  }
  return later;
}

void session::note(std::map<std::int64_t, json::object> looked_at) {
  for (auto& [object, values] : looked_at) {
    const auto found = objects_.find(object);
    if (found == objects_.end())
      throw protocol_error("has looked at " + std::to_string(object) + ", which is not there");
    if (found->second != nullptr) news_.insert_or_assign(object, session::looked_at{std::move(values)});
  }
}

const json::object* session::news_of(std::int64_t object) const {
  const auto found = news_.find(object);
  return found == news_.end() || found->second.seen || !inbox_.empty() ? nullptr : &found->second.values;
}

void session::seen(std::int64_t object) {
  const auto found = news_.find(object);
  if (found != news_.end()) found->second.seen = true;
}

void session::queue(json::object command) {
  commands_.push_back(std::move(command));
  schedule();
}

// In a turn of the subject's own, which comes when it is chosen.
void session::schedule() {
  if (scheduled_ || !open_) return;
  scheduled_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    self->scheduled_ = false;
    self->run_instant();
  });
}

void session::run_instant() {
  if (!open_) return;
  std::erase_if(callbacks_, [](const auto& one) { return one.second.gone; });
  const bool due = deadline_ && *deadline_ <= owner_.elapsed();
  try {
    if (!commands_.empty() || dirty_ || due) {
      json::array commands = std::exchange(commands_, json::array());
      if (host_.said.drops) run(take_replies(commands));
      if (host_.said.turns) set_turns(commands);
      run(std::move(commands));
    }
    apply_all();
  } catch (const protocol_error& why) {
    try {
      broke(why);
    } catch (const scenario_stopped&) {
      // The trial ends after this turn.
    }
  } catch (const scenario_stopped&) {
    // As above.
  }
}

void session::run(json::array commands) {
  const bool due = deadline_ && *deadline_ <= owner_.elapsed();
  if (commands.empty() && !dirty_ && !due) return;
  dirty_ = false;
  if (owner_.traced() && !commands.empty())
    owner_.record(assay::event_kind::mark, "the testee is told: " + told(commands));
  for (event& each : exchange(std::move(commands), true)) inbox_.push_back(std::move(each));
}

// What has ended here can be dropped in the testee no more, so it hears of that first.
json::array session::take_replies(json::array& commands) {
  json::array replies;
  json::array rest;
  for (json::value& one : commands)
    (one.as_object().contains("reply") ? replies : rest).push_back(std::move(one));
  commands = std::move(rest);
  return replies;
}

// Where a testee has nothing else to run, when a command is done makes no difference.
void session::set_turns(json::array& commands) {
  const bool due = deadline_ && *deadline_ <= owner_.elapsed();
  if (commands.size() < 2 && !dirty_ && !due) return;
  std::map<std::int64_t, std::uint32_t> begins;  // of calls that are in this instant, too
  for (json::value& each : commands) {
    json::object& command = each.as_object();
    std::uint32_t turns = choose_turns(owner_.choices());
    if (const json::value* const call = command.if_contains("call")) begins[call->as_int64()] = turns;
    if (const json::value* const call = command.if_contains("cancel"))
      turns = std::max(turns, begins[call->as_int64()]);
    if (turns > 0) command["after"] = turns;
  }
}

void session::arm(std::optional<std::chrono::nanoseconds> deadline) {
  if (deadline == deadline_) return;
  deadline_ = deadline;
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(asio::steady_timer::time_point(detail::saturated_sum(virtual_time::epoch, *deadline)));
  timer_.async_wait(
      asio::bind_executor(executor_, [self = shared_from_this()](boost::system::error_code error) {
        if (!error) self->run_instant();
      }));
}

void session::let_be_late() {
  owner_.allow_late_loop();
  for (std::size_t i = 0; i < later_max; ++i) later_.emplace_back(executor_);
}

void session::arm_later(const std::vector<std::chrono::nanoseconds>& later) {
  for (std::size_t i = 0; i < later_.size(); ++i) {
    asio::steady_timer& timer = later_[i];
    const auto due = i < later.size() ? detail::saturated_sum(virtual_time::epoch, later[i])
                                      : std::chrono::nanoseconds::max();
    const asio::steady_timer::time_point at(due);
    if (timer.expiry() == at) continue;
    timer.expires_at(at);
    if (due == std::chrono::nanoseconds::max()) continue;
    timer.async_wait(
        asio::bind_executor(executor_, [self = shared_from_this()](boost::system::error_code) {}));
  }
}

// ---- what a testee answers

// What is done for one event may make an immediate call, whose own events come behind those that are here already.
void session::apply_all() {
  if (applying_) return;
  applying_ = true;
  try {
    while (!inbox_.empty() && open_) {
      event one = std::move(inbox_.front());
      inbox_.pop_front();
      apply(std::move(one));
    }
  } catch (...) {
    applying_ = false;
    throw;
  }
  applying_ = false;
}

void session::apply(event one) {
  switch (one.kind) {
    case event_kind::done: {
      const auto found = calls_.find(one.id);
      if (found == calls_.end()) {
        const bool known = one.id > 0 && one.id <= next_id_;
        throw protocol_error("ended " + std::to_string(one.id) +
                             (known ? ", which had ended already" : ", which it was not asked for"));
      }
      const auto waiting = found->second.lock();
      calls_.erase(found);
      if (waiting != nullptr) waiting->end(std::move(one.how));
      return;
    }
    case event_kind::callback:
      start_callback(std::move(one));
      return;
    case event_kind::cancel:
      cancel_callback(one.id);
      return;
    case event_kind::tell:
      if (receiver* const to = receiver_of(one)) to->told(one.name, one.args);
      return;
    case event_kind::unhandled:
      owner_.surroundings().report_unhandled(one.how.failure);
      return;
    case event_kind::refused:
      throw refusal(one);
  }
}

// Null for what was destroyed meanwhile: what it still wants concerns nobody.
receiver* session::receiver_of(const event& one) {
  const auto found = objects_.find(one.on);
  if (found == objects_.end())
    throw protocol_error("calls '" + one.name + "' on " + std::to_string(one.on) + ", which is not there");
  return found->second;
}

void session::start_callback(event one) {
  receiver* const to = receiver_of(one);
  if (callbacks_.contains(one.id))
    throw protocol_error("uses the number " + std::to_string(one.id) + " for two callbacks");
  if (to == nullptr) {
    callbacks_[one.id].gone = true;
    reply(one.id, std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)));
    return;
  }
  callback& mine = callbacks_[one.id];
  const std::int64_t id = one.id;
  asio::co_spawn(
      executor_, run_callback(std::move(one)),
      asio::bind_cancellation_slot(mine.signal.slot(), [self = shared_from_this(), id](std::exception_ptr) {
        // Its signal may be what ended it, and is let go of later.
        self->callbacks_[id].gone = true;
      }));
}

// The reply is on its way in the turn in which the callback ends. A callback that does not exist is the testee's fault,
// and no outcome.
asio::awaitable<void> session::run_callback(event one) {
  const std::int64_t id = one.id;
  std::exception_ptr failure;
  try {
    receiver* const to = receiver_of(one);  // asked for here: it may have gone since
    if (to == nullptr) contract::throw_cancelled();
    co_await to->called(std::move(one.name), std::move(one.args));
  } catch (const protocol_error& why) {
    broke(why);
  } catch (...) {
    failure = std::current_exception();
  }
  callback& mine = callbacks_[id];
  mine.ended = true;
  // Where a cancelled callback is dropped, it would not have come so far.
  if (mine.cancelled && host_.said.drops) owner_.observe(failure);
  reply(id, failure);
}

void session::reply(std::int64_t id, const std::exception_ptr& failure) {
  if (!open_) return;
  json::object command;
  command["reply"] = id;
  command["outcome"] = write_outcome(failure);
  queue(std::move(command));
}

void session::cancel_callback(std::int64_t id) {
  const auto found = callbacks_.find(id);
  if (found == callbacks_.end() || found->second.ended || found->second.gone) return;
  found->second.cancelled = true;
  found->second.signal.emit(asio::cancellation_type::terminal);
}

// ---- a trial

std::shared_ptr<session> session::of(environment& env, const known_testee& host) {
  if (auto mine = env.find<session>()) return mine;
  auto made = std::make_shared<session>(env.owner(), host);
  env.provide(made);
  if (host.said.late && env.find<late_loop_wanted>()) made->let_be_late();
  env.owner().at_end([made] { return made->finish(); });
  return made;
}

session::session(trial& owner, const known_testee& host)
    : owner_(owner), host_(host), executor_(owner.executor()), timer_(executor_), trial_(next_trial()) {
  json::object begin;
  begin["trial"] = trial_;
  begin["seed"] = host.said.seeded ? owner.choices().pick(choice_kind::user, seeds) : 0;
  try {
    read_begun(running(host_).exchange(text_of(std::move(begin), "begin")), trial_);
    open_ = true;
  } catch (const protocol_error& why) {
    broke(why);
  }
}

session::~session() {
  if (!open_) return;
  try {
    finish();
  } catch (...) {
    // The next trial begins with a new process.
  }
}

// What the testee has left over, in words.
std::string session::finish() {
  if (!open_) return {};
  open_ = false;
  json::object end;
  end["trial"] = trial_;
  try {
    const std::vector<std::string> left =
        read_ended(running(host_).exchange(text_of(std::move(end), "end")), trial_);
    if (left.empty()) return {};
    std::string text;
    for (const std::string& one : left) text += (text.empty() ? "" : ", ") + one;
    return "left over in the testee: " + text;
  } catch (const protocol_error& why) {
    if (owner_.running()) owner_.testee_broke(in_words(why.what()));
    discard(host_);
    return {};
  }
}

std::string session::in_words(const std::string& what) const {
  return "the testee '" + host_.said.name + "' " + what;
}

void session::broke(const protocol_error& why) {
  open_ = false;
  if (owner_.running()) {
    if (dynamic_cast<const adapter_error*>(&why) != nullptr) owner_.misplugged(in_words(why.what()));
    owner_.testee_broke(in_words(why.what()));
  }
  discard(host_);
  throw scenario_stopped();
}

}  // namespace assay::testee
