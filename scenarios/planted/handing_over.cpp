// Cancelled while something is handed over: a parcel, a permit, the lead of a shared load.
#include <algorithm>
#include <deque>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- the parcel is taken, the wait was cancelled in the same turn

struct parcel_desk {
  explicit parcel_desk(trial& t) : arrived(t) {}
  std::deque<item> parcels;
  bell arrived;
};

template <bool Wrong>
asio::awaitable<item> take_parcel(parcel_desk& desk) {
  while (desk.parcels.empty()) co_await desk.arrived.wait();
  item parcel = std::move(desk.parcels.front());
  desk.parcels.pop_front();
  if constexpr (Wrong) co_await turns(1);  // signs for it; throws if the wait was cancelled
  co_return parcel;
}

asio::awaitable<void> bring_parcel(trial& t, parcel_desk& desk) {
  co_await sleep_for(1ms);
  item parcel = t.item(1);
  t.items().give(parcel);
  desk.parcels.push_back(std::move(parcel));
  desk.arrived.ring();
}

template <bool Wrong>
asio::awaitable<void> parcel_dropped(trial& t, const subject_base&) {
  auto& desk = shared<parcel_desk>(t, t);
  auto taken = t.start("take", take_parcel<Wrong>(desk));
  t.victim(taken);
  t.start("bring", bring_parcel(t, desk));
  co_await t.advance(1s);
  if (taken.done()) t.items().deliver(taken.value());
}

// ---- a permit and who waits for it

struct permits {
  struct waiter {
    explicit waiter(trial& t) : called(t) {}
    bell called;
    bool granted = false;
  };
  explicit permits(int count) : free(count) {}
  int free;
  std::deque<std::shared_ptr<waiter>> waiting;
};

void give_back(permits& all) {
  if (all.waiting.empty()) {
    ++all.free;
    return;
  }
  all.waiting.front()->granted = true;
  all.waiting.front()->called.ring();
  all.waiting.pop_front();
}

template <bool Wrong>
asio::awaitable<void> acquire(trial& t, permits& all) {
  if (all.free > 0) {
    --all.free;
    co_return;
  }
  const auto self = std::make_shared<permits::waiter>(t);
  all.waiting.push_back(self);
  co_await self->called.wait();
  if (self->granted) co_return;
  if constexpr (!Wrong) std::erase(all.waiting, self);  // else who has gone away is still called
  throw boost::system::system_error(asio::error::operation_aborted);
}

template <bool Wrong>
asio::awaitable<void> use_permit(trial& t, permits& all, std::chrono::nanoseconds late_by,
                                 std::chrono::nanoseconds time) {
  co_await sleep_for(late_by);
  co_await acquire<Wrong>(t, all);
  const on_exit done([&all] { give_back(all); });
  if (time > 0ns) co_await sleep_for(time);
}

template <bool Wrong>
asio::awaitable<void> permit_for_the_dead(trial& t, const subject_base&) {
  auto& all = shared<permits>(t, 1);
  t.start("holder", use_permit<Wrong>(t, all, 1ms, 4ms));
  t.victim(t.start("waiter", use_permit<Wrong>(t, all, 2ms, 2ms)));
  t.start("next", use_permit<Wrong>(t, all, 3ms, 1ms));
  co_await t.advance(1s);
}

// ---- the same mistake where nobody waits, unless two come in the other order

template <bool Wrong>
asio::awaitable<void> cancelled_in_a_rare_wait(trial& t, const subject_base&) {
  auto& all = shared<permits>(t, 1);
  t.victim(t.start("short use", use_permit<Wrong>(t, all, 1ms, 0ms)));
  t.start("long use", use_permit<Wrong>(t, all, 1ms, 5ms));
  co_await t.advance(1s);
  t.expect_eq(all.free, 1, "the permit is there in the end");
}

// ---- what gives the permit back stands before what takes it

template <bool Wrong>
asio::awaitable<void> use_with_guard(trial& t, permits& all) {
  co_await sleep_for(1ms);
  if constexpr (Wrong) {
    const on_exit done([&all] { give_back(all); });
    co_await acquire<false>(t, all);
    co_await sleep_for(1ms);
  } else {
    co_await acquire<false>(t, all);
    const on_exit done([&all] { give_back(all); });
    co_await sleep_for(1ms);
  }
}

template <bool Wrong>
asio::awaitable<void> permit_never_held(trial& t, const subject_base&) {
  auto& all = shared<permits>(t, 1);
  t.start("holder", use_permit<false>(t, all, 0ms, 4ms));
  t.victim(t.start("user", use_with_guard<Wrong>(t, all)));
  co_await t.advance(1s);
  t.expect_eq(all.free, 1, "no more permits than there were");
}

// ---- the first loads for all; when it is cancelled nobody does

struct shared_load {
  explicit shared_load(trial& t) : ended(t) {}
  bool loading = false;
  int value = 0;
  bell ended;
};

template <bool Wrong>
asio::awaitable<void> load(shared_load& one, std::chrono::nanoseconds late_by) {
  co_await sleep_for(late_by);
  while (one.value == 0) {
    if (one.loading) {
      co_await one.ended.wait();
      continue;
    }
    one.loading = true;
    if constexpr (Wrong) {
      co_await sleep_for(4ms);
      one.value = 1;
      one.ended.ring();
    } else {
      const on_exit ended([&one] {
        one.loading = false;
        one.ended.ring();
      });
      co_await sleep_for(4ms);
      one.value = 1;
    }
  }
}

template <bool Wrong>
asio::awaitable<void> abandoned_load(trial& t, const subject_base&) {
  auto& one = shared<shared_load>(t, t);
  t.victim(t.start("first", load<Wrong>(one, 1ms)));
  t.start("second", load<Wrong>(one, 2ms));
  co_await t.advance(1s);
}

}  // namespace

void add_handing_over(std::vector<planted_bug>& bugs) {
  const scenario_traits swept{.swept = true};
  bugs.push_back(plant("parcel_dropped", 1,
                       "awaits once more with the parcel in hand: cancelled then, the item is lost",
                       &parcel_dropped<true>, &parcel_dropped<false>, swept, 7));
  bugs.push_back(plant("permit_for_the_dead", 1,
                       "a cancelled waiter stays in the list: it is given the permit",
                       &permit_for_the_dead<true>, &permit_for_the_dead<false>, swept, 18));
  bugs.push_back(plant("cancelled_in_a_rare_wait", 2, "the same, in a wait that only another order reaches",
                       &cancelled_in_a_rare_wait<true>, &cancelled_in_a_rare_wait<false>, swept, 5));
  bugs.push_back(plant("permit_never_held", 1,
                       "the guard comes before the wait: cancelled, it gives back what it has not",
                       &permit_never_held<true>, &permit_never_held<false>, swept, 13));
  bugs.push_back(plant("abandoned_load", 1,
                       "who loads for all is cancelled and tells nobody: the others wait for ever",
                       &abandoned_load<true>, &abandoned_load<false>, swept, 11));
}

}  // namespace assay::planted
