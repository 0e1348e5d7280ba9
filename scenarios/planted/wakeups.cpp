// Wake-ups that are lost, given to too few, stolen, or mistaken for another round's.
#include <deque>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- a letter arrives between the look into the box and the wait

struct letter_box {
  explicit letter_box(trial& t) : arrived(t) {}
  std::deque<int> letters;
  bell arrived;
};

template <bool Wrong>
asio::awaitable<void> read_letter(letter_box& box) {
  while (box.letters.empty()) {
    if constexpr (Wrong) co_await turns(1);  // writes "nothing yet" to the log
    co_await box.arrived.wait();
  }
  box.letters.pop_front();
}

asio::awaitable<void> write_letter(letter_box& box) {
  co_await turns(1);
  box.letters.push_back(1);
  box.arrived.ring();
}

template <bool Wrong>
asio::awaitable<void> lost_wake_up(trial& t, const subject_base&) {
  auto& box = shared<letter_box>(t, t);
  t.start("reader", read_letter<Wrong>(box));
  t.start("writer", write_letter(box));
  co_await t.settle();
}

// ---- two workers, and a producer that rings only for an empty queue

struct job_queue {
  explicit job_queue(trial& t) : work(t) {}
  std::deque<int> jobs;
  bell work;
};

template <bool Wrong>
void push_job(job_queue& queue, int job) {
  const bool was_empty = queue.jobs.empty();
  queue.jobs.push_back(job);
  if constexpr (Wrong) {
    if (!was_empty) return;  // "they are awake already"
  }
  queue.work.ring_one();
}

asio::awaitable<void> work_once(job_queue& queue) {
  while (queue.jobs.empty()) co_await queue.work.wait();
  queue.jobs.pop_front();
}

template <bool Wrong>
asio::awaitable<void> produce_two(job_queue& queue) {
  co_await turns(2);
  push_job<Wrong>(queue, 1);
  co_await turns(2);  // fetches the next
  push_job<Wrong>(queue, 2);
}

template <bool Wrong>
asio::awaitable<void> second_waiter_sleeps_on(trial& t, const subject_base&) {
  auto& queue = shared<job_queue>(t, t);
  t.start("worker 1", work_once(queue));
  t.start("worker 2", work_once(queue));
  t.start("producer", produce_two<Wrong>(queue));
  co_await t.settle();
}

// ---- a worker that was woken finds that a late one has been faster

template <bool Wrong>
asio::awaitable<void> take_job(trial& t, job_queue& queue, int late_by) {
  co_await turns(late_by);
  if constexpr (Wrong) {
    if (queue.jobs.empty()) co_await queue.work.wait();
  } else {
    while (queue.jobs.empty()) co_await queue.work.wait();
  }
  if (t.expect(!queue.jobs.empty(), "who was woken finds a job")) queue.jobs.pop_front();
}

asio::awaitable<void> produce_slowly(job_queue& queue) {
  co_await turns(2);
  push_job<false>(queue, 1);
  co_await turns(8);
  push_job<false>(queue, 2);
}

template <bool Wrong>
asio::awaitable<void> stolen_wake_up(trial& t, const subject_base&) {
  auto& queue = shared<job_queue>(t, t);
  t.start("early worker", take_job<Wrong>(t, queue, 0));
  t.start("producer", produce_slowly(queue));
  t.start("late worker", take_job<Wrong>(t, queue, 4));
  co_await t.settle();
}

// ---- a barrier that is used again before everybody has left it

struct barrier {
  explicit barrier(trial& t) : opened(t) {}
  int arrived = 0;
  int round = 0;
  bell opened;
};

template <bool Wrong>
asio::awaitable<void> arrive_and_wait(barrier& both) {
  const int mine = both.round;
  if (++both.arrived == 2) {
    both.arrived = 0;
    ++both.round;
    both.opened.ring();
    co_return;
  }
  const auto closed = [&both, mine] {
    if constexpr (Wrong) return both.arrived != 0;  // a runner who is a lap ahead counts as this round's
    return both.round == mine;
  };
  while (closed()) co_await both.opened.wait();
}

template <bool Wrong>
asio::awaitable<void> run_two_laps(barrier& both) {
  for (int lap = 0; lap < 2; ++lap) {
    co_await turns(2);
    co_await arrive_and_wait<Wrong>(both);
  }
}

template <bool Wrong>
asio::awaitable<void> lapped_barrier(trial& t, const subject_base&) {
  auto& both = shared<barrier>(t, t);
  t.start("runner 1", run_two_laps<Wrong>(both));
  t.start("runner 2", run_two_laps<Wrong>(both));
  co_await t.settle();
}

}  // namespace

void add_wakeups(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("lost_wake_up", 1,
                       "looks, logs, then waits: a ring in between is missed, the reader sleeps",
                       &lost_wake_up<true>, &lost_wake_up<false>));
  bugs.push_back(plant("second_waiter_sleeps_on", 2,
                       "rings for an empty queue only: of two jobs at once the second wakes nobody",
                       &second_waiter_sleeps_on<true>, &second_waiter_sleeps_on<false>));
  bugs.push_back(plant("stolen_wake_up", 2,
                       "`if` where `while` belongs: a late worker takes what another was woken for",
                       &stolen_wake_up<true>, &stolen_wake_up<false>));
  bugs.push_back(
      plant("lapped_barrier", 2,
            "a barrier without rounds: who is lapped takes the next round's arrival for his own and waits",
            &lapped_barrier<true>, &lapped_barrier<false>));
}

}  // namespace assay::planted
