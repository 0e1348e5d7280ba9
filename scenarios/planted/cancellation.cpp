// Cancelled at just the wrong point: early, late, at one of many, twice, before anything began.
#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- an import of twenty batches that changes its journal before the thirteenth

struct import_job {
  bool journal_open = true;
  int done = 0;
};

template <bool Wrong>
asio::awaitable<void> change_journal(import_job& job) {
  if constexpr (Wrong) job.journal_open = false;  // the old one is closed before there is a new one
  co_await sleep_for(1ms);
  job.journal_open = true;
}

template <bool Wrong>
asio::awaitable<void> import_batches(import_job& job) {
  for (; job.done < 20; ++job.done) {
    if (job.done == 12) co_await change_journal<Wrong>(job);
    co_await sleep_for(1ms);
  }
}

template <bool Wrong>
asio::awaitable<void> cancelled_between_journals(trial& t, const subject_base&) {
  auto& job = shared<import_job>(t);
  t.victim(t.start("import", import_batches<Wrong>(job)));
  co_await t.advance(1s);
  t.expect(job.journal_open, "there is a journal at any time");
}

// ---- a connection that is counted before the scope that takes it off begins

struct server {
  int connections = 0;
};

template <bool Wrong>
asio::awaitable<void> serve(server& at) {
  ++at.connections;
  if constexpr (Wrong) co_await sleep_for(1ms);  // shakes hands
  const on_exit gone([&at] { --at.connections; });
  for (int request = 0; request < 10; ++request) co_await sleep_for(1ms);
}

template <bool Wrong>
asio::awaitable<void> cancelled_while_shaking_hands(trial& t, const subject_base&) {
  auto& at = shared<server>(t);
  t.victim(t.start("connection", serve<Wrong>(at)));
  co_await t.advance(1s);
  t.expect_eq(at.connections, 0, "who is gone is not counted");
}

// ---- paid for, and then cancelled while the receipt is sent

struct order {
  bool paid = false;
};

template <bool Wrong>
asio::awaitable<void> check_out(order& basket) {
  for (int step = 0; step < 8; ++step) co_await sleep_for(1ms);  // address, delivery, card, ...
  basket.paid = true;
  if constexpr (!Wrong) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await sleep_for(1ms);  // the receipt
}

template <bool Wrong>
asio::awaitable<void> cancelled_after_the_payment(trial& t, const subject_base&) {
  auto& basket = shared<order>(t);
  auto checkout = t.start("check-out", check_out<Wrong>(basket));
  t.victim(checkout);
  co_await t.advance(1s);
  t.expect(!(basket.paid && checkout.cancelled()), "what is reported as cancelled is not paid for");
}

// ---- a goodbye that the second cancellation cuts short

struct peer {
  bool open = false;
};

template <bool Wrong>
asio::awaitable<void> talk_to(peer& other) {
  other.open = true;
  std::exception_ptr stopped;
  try {
    for (int word = 0; word < 3; ++word) co_await sleep_for(1ms);
  } catch (const boost::system::system_error&) {
    stopped = std::current_exception();
  }
  if (stopped) {
    if constexpr (Wrong) {
      co_await asio::this_coro::reset_cancellation_state();  // "so that the goodbye can be awaited"
    } else {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
    co_await sleep_for(1ms);  // the goodbye
  }
  other.open = false;
  if (stopped) std::rethrow_exception(stopped);
}

template <bool Wrong>
asio::awaitable<void> cancelled_twice(trial& t, const subject_base&) {
  auto& other = shared<peer>(t);
  t.victim(t.start("talk", talk_to<Wrong>(other)));
  co_await t.advance(1s);
  t.expect(!other.open, "the other side is told that the talk is over");
}

// ---- pending work is counted by who starts it and taken off by the work itself

struct pending_work {
  int count = 0;
};

template <bool Wrong>
asio::awaitable<void> work(pending_work& all) {
  if constexpr (!Wrong) ++all.count;
  const on_exit done([&all] { --all.count; });
  for (int step = 0; step < 3; ++step) co_await sleep_for(1ms);
}

template <bool Wrong>
asio::awaitable<void> cancelled_before_it_began(trial& t, const subject_base&) {
  auto& all = shared<pending_work>(t);
  if constexpr (Wrong) ++all.count;
  t.victim(t.start("work", work<Wrong>(all)));
  co_await t.advance(1s);
  t.expect_eq(all.count, 0, "nothing is pending in the end");
}

// ---- a retry that takes its own cancellation for a failure of the other side

struct mail_out {
  int dead_letters = 0;
};

template <bool Wrong>
asio::awaitable<void> deliver_letter(mail_out& mail) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    try {
      for (int step = 0; step < 3; ++step) co_await sleep_for(1ms);
      co_return;
    } catch (const boost::system::system_error& error) {
      if constexpr (!Wrong) {
        if (error.code() == asio::error::operation_aborted) throw;
      }
    }
  }
  ++mail.dead_letters;  // three failures
}

template <bool Wrong>
asio::awaitable<void> cancellation_taken_for_failure(trial& t, const subject_base&) {
  auto& mail = shared<mail_out>(t);
  t.victim(t.start("letter", deliver_letter<Wrong>(mail)));
  co_await t.advance(1s);
  t.expect_eq(mail.dead_letters, 0, "a letter that was called back is no dead letter");
}

}  // namespace

void add_cancellation(std::vector<planted_bug>& bugs) {
  const scenario_traits swept{.swept = true};
  bugs.push_back(plant("cancelled_between_journals", 1,
                       "closes the old journal, waits, opens the new: one wait of 21",
                       &cancelled_between_journals<true>, &cancelled_between_journals<false>, swept, 64));
  bugs.push_back(
      plant("cancelled_while_shaking_hands", 1, "counted before its guard exists: leaks at the first points",
            &cancelled_while_shaking_hands<true>, &cancelled_while_shaking_hands<false>, swept, 34));
  bugs.push_back(plant("cancelled_after_the_payment", 1,
                       "can be cancelled after its effect: paid, and reported as not",
                       &cancelled_after_the_payment<true>, &cancelled_after_the_payment<false>, swept, 28));
  bugs.push_back(plant("cancelled_twice", 2,
                       "cleans up with cancellation allowed again: the second request cuts it short",
                       &cancelled_twice<true>, &cancelled_twice<false>, swept, 10));
  bugs.push_back(plant("cancelled_before_it_began", 1,
                       "counted by the starter: a body that never ran takes nothing off",
                       &cancelled_before_it_began<true>, &cancelled_before_it_began<false>, swept, 10));
  bugs.push_back(
      plant("cancellation_taken_for_failure", 1, "catches all: its own cancellation uses up the attempts",
            &cancellation_taken_for_failure<true>, &cancellation_taken_for_failure<false>, swept, 10));
}

}  // namespace assay::planted
