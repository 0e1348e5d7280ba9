// Tasks that run in step: what shows only in runs that are nearly first in, first out.
#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- a putter that has always found the slot empty no longer looks: a run in step, then one step out of it

struct hand_over {
  explicit hand_over(trial& t) : changed(t) {}
  bool full = false;
  int in_step = 0;
  int lost = 0;
  int taken = 0;
  bell changed;
};

template <bool Wrong>
asio::awaitable<void> put_sixteen(hand_over& slot) {
  for (int i = 0; i < 16; ++i) {
    slot.in_step = slot.full ? slot.in_step : slot.in_step + 1;
    while (slot.full) {
      if constexpr (Wrong) {
        if (slot.in_step >= 12) {
          ++slot.lost;  // "it has been taken by now, as ever": written over
          break;
        }
      }
      slot.in_step = 0;
      co_await slot.changed.wait();
    }
    slot.full = true;
    slot.changed.ring();
    co_await turns(1);
  }
}

asio::awaitable<void> take_sixteen(hand_over& slot) {
  while (slot.taken + slot.lost < 16) {
    while (!slot.full) co_await slot.changed.wait();
    slot.full = false;
    ++slot.taken;
    slot.changed.ring();
  }
}

template <bool Wrong>
asio::awaitable<void> out_of_step_at_last(trial& t, const subject_base&) {
  auto& slot = shared<hand_over>(t, t);
  t.start("taker", take_sixteen(slot));
  t.start("putter", put_sixteen<Wrong>(slot));
  co_await t.settle();
  t.expect_eq(slot.lost, 0, "nothing is written over");
}

// ---- a line that is changed with a gap, and a check of the same period that counts the gaps it has seen

struct patch {
  bool connected = true;
  int changes = 0;
  int flaps = 0;
  int last_flap = -1;
};

template <bool Wrong>
asio::awaitable<void> change_lines(patch& panel) {
  for (; panel.changes < 6; ++panel.changes) {
    co_await turns(2);
    if constexpr (Wrong) panel.connected = false;
    co_await turns(1);
    panel.connected = true;
  }
}

asio::awaitable<void> check_line(patch& panel) {
  for (int check = 0; check < 6; ++check) {
    co_await turns(2);
    if (!panel.connected && panel.last_flap != panel.changes) {
      panel.last_flap = panel.changes;
      ++panel.flaps;
    }
    co_await turns(1);
  }
}

template <bool Wrong>
asio::awaitable<void> flaps_in_phase(trial& t, const subject_base&) {
  auto& panel = shared<patch>(t);
  t.start("check", check_line(panel));
  t.start("change", change_lines<Wrong>(panel));
  co_await t.settle();
  t.expect(panel.flaps < 5, "a line that is only changed does not flap");
}

}  // namespace

void add_in_step(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("out_of_step_at_last", 1,
                       "stops looking after twelve rounds in step: only nearly FIFO runs show it",
                       &out_of_step_at_last<true>, &out_of_step_at_last<false>));
  bugs.push_back(plant("flaps_in_phase", 1,
                       "a gap of one turn at every change: checks that slip into step with it see flaps",
                       &flaps_in_phase<true>, &flaps_in_phase<false>));
}

}  // namespace assay::planted
