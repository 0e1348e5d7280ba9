// Several things at one instant, and answers whose delay nobody knows.
#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- a permit is handed over in the instant in which the wait for it times out

struct permit_desk {
  struct waiter {
    explicit waiter(const asio::any_io_executor& executor, std::chrono::nanoseconds patience)
        : timer(executor, patience) {}
    asio::steady_timer timer;
    bool granted = false;
  };
  int permits = 0;
  std::deque<std::shared_ptr<waiter>> waiting;
};

void hand_back(permit_desk& desk) {
  if (desk.waiting.empty()) {
    ++desk.permits;
    return;
  }
  desk.waiting.front()->granted = true;
  desk.waiting.front()->timer.cancel();
  desk.waiting.pop_front();
}

template <bool Wrong>
asio::awaitable<bool> wait_for_permit(permit_desk& desk, std::chrono::nanoseconds patience) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto self = std::make_shared<permit_desk::waiter>(executor, patience);
  desk.waiting.push_back(self);
  boost::system::error_code ended;
  co_await self->timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  bool granted = self->granted;
  if constexpr (Wrong) granted = ended == asio::error::operation_aborted;  // "no error: the time is over"
  if (!granted) std::erase(desk.waiting, self);
  co_return granted;
}

asio::awaitable<void> hold_permit(permit_desk& desk) {
  co_await sleep_for(5ms);
  co_await sleep_for(5ms);
  hand_back(desk);
}

template <bool Wrong>
asio::awaitable<void> borrow_permit(permit_desk& desk) {
  const bool granted = co_await wait_for_permit<Wrong>(desk, 10ms);
  if (granted) hand_back(desk);
}

template <bool Wrong>
asio::awaitable<void> permit_lost_in_a_tie(trial& t, const subject_base&) {
  auto& desk = shared<permit_desk>(t);
  t.start("waiter", borrow_permit<Wrong>(desk));
  t.start("holder", hold_permit(desk));
  co_await t.advance(1s);
  t.expect_eq(desk.permits, 1, "the permit is there in the end");
}

// ---- a lease is renewed, found to have run out, and asked for by another, all at its deadline

struct lease {
  int owner = 1;
  std::chrono::nanoseconds deadline = 10ms;
};

asio::awaitable<void> renew(lease& held) {
  co_await sleep_for(10ms);
  if (held.owner == 0) held.owner = 1;
  held.deadline = 20ms;
}

template <bool Wrong>
asio::awaitable<void> reap(trial& t, lease& held) {
  co_await sleep_for(10ms);
  bool over = t.elapsed() > held.deadline;
  if constexpr (Wrong) over = t.elapsed() >= held.deadline;
  if (over) held.owner = 0;
}

asio::awaitable<void> challenge(lease& held) {
  co_await sleep_for(10ms);
  if (held.owner == 0) held.owner = 2;
}

template <bool Wrong>
asio::awaitable<void> lease_lost_at_its_deadline(trial& t, const subject_base&) {
  auto& held = shared<lease>(t);
  t.start("renewal", renew(held));
  t.start("reaper", reap<Wrong>(t, held));
  t.start("challenger", challenge(held));
  co_await t.advance(1s);
  t.expect_eq(held.owner, 1, "who renews by the deadline keeps the lease");
}

// ---- the answer cancels the retry, whose timer has fired already

struct request {
  explicit request(trial& t) : retry(t.executor(), 10ms) {}
  asio::steady_timer retry;
  bool answered = false;
};

template <bool Wrong>
asio::awaitable<void> send_again_unless_answered(trial& t, request& sent) {
  boost::system::error_code ended;
  co_await sent.retry.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  bool again = !sent.answered;
  if constexpr (Wrong) again = !ended;
  if (again) t.expect(!sent.answered, "nothing is sent again once the answer is there");
}

asio::awaitable<void> answer(request& sent) {
  co_await sleep_for(4ms);
  co_await sleep_for(6ms);
  sent.answered = true;
  sent.retry.cancel();
}

template <bool Wrong>
asio::awaitable<void> retry_after_the_answer(trial& t, const subject_base&) {
  auto& sent = shared<request>(t, t);
  t.start("retry", send_again_unless_answered<Wrong>(t, sent));
  t.start("network", answer(sent));
  co_await t.advance(1s);
}

// ---- every second millisecond a flush, every third a rotation; at the sixth both

struct journal {
  int file = 0;
};

template <bool Wrong>
asio::awaitable<void> flush_journal(trial& t, journal& log) {
  for (int i = 0; i < 4; ++i) {
    co_await sleep_for(2ms);
    int file = log.file;
    co_await turns(1);  // collects what is to be written
    if constexpr (!Wrong) file = log.file;
    t.expect_eq(file, log.file, "nothing is written to a file that was closed");
  }
}

asio::awaitable<void> rotate_journal(journal& log) {
  for (int i = 0; i < 2; ++i) {
    co_await sleep_for(3ms);
    ++log.file;
  }
}

template <bool Wrong>
asio::awaitable<void> flush_meets_rotation(trial& t, const subject_base&) {
  auto& log = shared<journal>(t);
  t.start("flush", flush_journal<Wrong>(t, log));
  t.start("rotation", rotate_journal(log));
  co_await t.advance(1s);
}

// ---- a search box shows whatever answer comes last

struct search_box {
  int asked = 0;
  int shown = 0;
};

template <bool Wrong>
asio::awaitable<void> search(trial& t, search_box& box) {
  const int mine = ++box.asked;
  constexpr std::array<std::chrono::milliseconds, 3> delays = {1ms, 5ms, 20ms};
  const auto delay = delays[t.choices().pick(choice_kind::user, delays.size())];
  co_await sleep_for(delay);
  if constexpr (!Wrong) {
    if (mine != box.asked) co_return;
  }
  box.shown = mine;
}

template <bool Wrong>
asio::awaitable<void> type_three_letters(trial& t, search_box& box) {
  for (int letter = 1; letter <= 3; ++letter) {
    t.start("search " + std::to_string(letter), search<Wrong>(t, box));
    co_await sleep_for(3ms);
  }
}

template <bool Wrong>
asio::awaitable<void> older_answer_shown(trial& t, const subject_base&) {
  auto& box = shared<search_box>(t);
  t.start("typing", type_three_letters<Wrong>(t, box));
  co_await t.advance(1s);
  t.expect_eq(box.shown, 3, "the last question's answer is shown");
}

// ---- a header of two bytes is read with one read

struct wire {
  std::array<std::size_t, 5> bytes = {0, 3, 7, 8, 9};
  std::size_t at = 0;
};

asio::awaitable<std::size_t> read_some(trial& t, wire& in, std::size_t* to, std::size_t most) {
  co_await sleep_for(1ms);
  const std::size_t short_by = t.choices().pick(choice_kind::user, most);
  const std::size_t count = std::min(most - short_by, in.bytes.size() - in.at);
  std::copy_n(in.bytes.data() + in.at, count, to);
  in.at += count;
  co_return count;
}

asio::awaitable<void> read_exactly(trial& t, wire& in, std::size_t* to, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    const std::size_t more = co_await read_some(t, in, to + done, count - done);
    done += more;
  }
}

template <bool Wrong>
asio::awaitable<void> read_frame(trial& t, wire& in) {
  std::array<std::size_t, 2> header{};
  std::array<std::size_t, 3> body{};
  if constexpr (Wrong) {
    co_await read_some(t, in, header.data(), header.size());
  } else {
    co_await read_exactly(t, in, header.data(), header.size());
  }
  const std::size_t length = header[0] * 256 + header[1];
  co_await read_exactly(t, in, body.data(), std::min(length, body.size()));
  t.expect_eq(body[2], 9U, "the whole frame is read");
}

template <bool Wrong>
asio::awaitable<void> short_read(trial& t, const subject_base&) {
  auto& in = shared<wire>(t);
  t.start("reader", read_frame<Wrong>(t, in));
  co_await t.advance(1s);
}

// ---- a watchdog is fed a little before its time is over, while the loop is late

struct watchdog {
  explicit watchdog(trial& t) : patience(t.executor(), 11ms) {}
  asio::steady_timer patience;
  bool fed = false;
};

template <bool Wrong>
asio::awaitable<void> bark_unless_fed(trial& t, watchdog& dog) {
  boost::system::error_code ended;
  co_await dog.patience.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  bool hungry = !dog.fed;
  if constexpr (Wrong) hungry = !ended;
  if (hungry) t.expect(!dog.fed, "no alarm is raised once the watchdog has been fed");
}

asio::awaitable<void> feed(watchdog& dog) {
  co_await sleep_for(10ms);
  dog.fed = true;
  dog.patience.cancel();
}

template <bool Wrong>
asio::awaitable<void> watchdog_fed_by_a_late_loop(trial& t, const subject_base&) {
  auto& dog = shared<watchdog>(t, t);
  t.start("watchdog", bark_unless_fed<Wrong>(t, dog));
  t.start("worker", feed(dog));
  co_await t.advance(1s);
}

}  // namespace

void add_timers(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("permit_lost_in_a_tie", 1,
                       "takes the timer's word for a time-out: a permit granted just then is lost",
                       &permit_lost_in_a_tie<true>, &permit_lost_in_a_tie<false>));
  bugs.push_back(plant("lease_lost_at_its_deadline", 2,
                       "`>=` where `>` belongs: reaper, challenger, renewal, in this order",
                       &lease_lost_at_its_deadline<true>, &lease_lost_at_its_deadline<false>));
  bugs.push_back(plant("retry_after_the_answer", 1,
                       "relies on cancel() to stop a timer that has fired in the same instant",
                       &retry_after_the_answer<true>, &retry_after_the_answer<false>));
  bugs.push_back(plant("flush_meets_rotation", 1,
                       "remembers the file across a wait: rotated meanwhile when both are due",
                       &flush_meets_rotation<true>, &flush_meets_rotation<false>));
  bugs.push_back(plant("older_answer_shown", 1,
                       "whatever answer comes last is shown, also that to an older question",
                       &older_answer_shown<true>, &older_answer_shown<false>));
  bugs.push_back(plant("short_read", 1, "one read for a header of two bytes: it may bring one of them",
                       &short_read<true>, &short_read<false>));
  bugs.push_back(plant("watchdog_fed_by_a_late_loop", 1,
                       "relies on cancel() to stop a timer that a late loop has found due as well",
                       &watchdog_fed_by_a_late_loop<true>, &watchdog_fed_by_a_late_loop<false>,
                       {.late = true}));
}

}  // namespace assay::planted
