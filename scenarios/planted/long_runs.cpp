// What shows only after a long run of unlikely turns, each of which is seen from outside.
#include <array>
#include <bit>
#include <map>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- an election that goes on until a term's favourite wins it, and a vote that is remembered for too long

constexpr int slots = 7;
constexpr int terms_max = 12;
constexpr int nobody = -1;

struct election {
  explicit election(trial& t) : counted(t) { recent.fill(nobody); }
  std::array<int, slots> recent{};
  std::map<int, int> all;
  int term = 0;
  int asked = 0;  // of this term
  bool settled = false;
  int stale = 0;
  bell counted;
};

// Neither candidate is the favourite of all terms, nor of every other one.
int favourite(int term) { return std::popcount(static_cast<unsigned>(term)) % 2; }

template <bool Wrong>
int& vote_of(election& poll) {
  if constexpr (Wrong) {
    return poll.recent[static_cast<std::size_t>(poll.term % slots)];  // never cleared
  } else {
    return poll.all.try_emplace(poll.term, nobody).first->second;
  }
}

void count(trial& t, election& poll, int winner) {
  poll.settled = winner == favourite(poll.term) || poll.term == terms_max;
  poll.asked = 0;
  ++poll.term;
  t.mark("term " + std::to_string(poll.term));
  poll.counted.ring();
}

template <bool Wrong>
asio::awaitable<void> stand(trial& t, election& poll, int self) {
  int pause = 1;
  while (!poll.settled) {
    co_await turns(pause);
    int& vote = vote_of<Wrong>(poll);
    const bool first = poll.asked++ == 0;
    if (vote == nobody) vote = self;
    if (first && vote != self) ++poll.stale;
    pause = vote == self ? 1 : 2;  // who has lost stands back
    if (first) {
      co_await poll.counted.wait();
    } else {
      count(t, poll, vote);
    }
  }
}

template <bool Wrong>
asio::awaitable<void> vote_of_another_term(trial& t, const subject_base&) {
  auto& poll = shared<election>(t, t);
  t.start("one", stand<Wrong>(t, poll, 0));
  t.start("other", stand<Wrong>(t, poll, 1));
  t.start("client", turns(10));
  t.start("another client", turns(10));
  co_await t.settle();
  t.expect_eq(poll.stale, 0, "who asks first has the term's vote");
}

}  // namespace

}  // namespace assay::planted

namespace assay {

const planted_bug& planted_long_run() {
  static const planted_bug bug =
      planted::plant("vote_of_another_term", 6,
                     "seven votes are remembered and never forgotten: an eighth term meets the first one's",
                     &planted::vote_of_another_term<true>, &planted::vote_of_another_term<false>);
  return bug;
}

}  // namespace assay
