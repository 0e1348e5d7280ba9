#include <assay/harness/trial/coverage.hpp>

#include <array>
#include <bit>

#include <assay/harness/choice/fnv.hpp>

namespace assay {

namespace {

constexpr std::size_t item_states = static_cast<std::size_t>(item_state::lost) + 1;

constexpr std::uint64_t hash_of(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  return fnv::mix_bytes(fnv::mix_bytes(fnv::mix_bytes(fnv::basis, a), b), c);
}

// What features are about; part of their hash.
enum about : std::uint64_t { turns = 1, events, one_event, items, order };

}  // namespace

void coverage::begin(const choice_stream& choices) {
  for (const feature& one : features_) known_.reset(one.which);
  choices_ = &choices;
  features_.clear();
  last_at_.clear();
  last_turn_ = last_event_ = 0;
}

void coverage::add(std::uint64_t what) {
  const auto bucket = static_cast<std::uint32_t>((what ^ (what >> 32U)) % buckets);
  if (known_.test(bucket)) return;
  known_.set(bucket);
  features_.push_back({bucket, static_cast<std::uint32_t>(choices_->made().size())});
}

void coverage::turn(std::uint32_t task) {
  const std::uint64_t now = std::uint64_t{task} + 1;
  add(hash_of(about::turns, last_turn_, now));
  last_turn_ = now;
}

void coverage::event(std::uint64_t kind, std::uint64_t detail) {
  const std::uint64_t now = hash_of(about::one_event, kind, detail);
  add(hash_of(about::events, last_event_, now));
  last_event_ = now;
}

void coverage::event(std::uint64_t kind, std::string_view detail) {
  event(kind, fnv::mix_bytes(fnv::basis, detail));
}

void coverage::touch(std::uint32_t task, std::uint64_t thing) {
  std::uint32_t& last = last_at_[thing];
  add(hash_of(about::order, thing, (std::uint64_t{last} << 32U) | (task + 1)));
  last = task + 1;
}

void coverage::item_moved(int id, const item_ledger& ledger) {
  std::array<std::uint32_t, item_states> count{};
  std::uint64_t state = 0;
  for (const item_ledger::entry& one : ledger.entries()) {
    ++count[static_cast<std::size_t>(one.state)];
    if (one.id == id) state = static_cast<std::uint64_t>(one.state);
  }
  std::uint64_t counts = 0;
  for (const std::uint32_t one : count)
    counts = counts << 6U | static_cast<std::uint64_t>(std::bit_width(one));
  add(hash_of(about::items, counts, 0));
  event(static_cast<std::uint64_t>(about::items), (static_cast<std::uint64_t>(id) << 8U) | state);
}

}  // namespace assay
