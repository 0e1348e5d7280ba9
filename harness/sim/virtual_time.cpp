#include <assay/harness/sim/virtual_time.hpp>

namespace assay {

namespace detail {

void timer_queue::push(timer_op* op) {
  const std::uint32_t at = bucket_for(op->due);
  bucket& mine = buckets_[at];
  op->place = at;
  op->later = nullptr;
  op->earlier = mine.last;
  (mine.last != nullptr ? mine.last->later : mine.first) = op;
  mine.last = op;
  ++mine.size;
  ++size_;
}

void timer_queue::erase(timer_op* op) noexcept {
  if (op == ahead_) ahead_ = op->earlier;
  bucket& mine = buckets_[op->place];
  (op->earlier != nullptr ? op->earlier->later : mine.first) = op->later;
  (op->later != nullptr ? op->later->earlier : mine.last) = op->earlier;
  --mine.size;
  --size_;
  if (mine.size == 0) drop(op->place);
}

void timer_queue::take_until(nanoseconds now, reused_vector<timer_op*>& due) {
  while (!heap_.empty() && heap_.front().due <= now) {
    const std::uint32_t at = heap_.front().bucket;
    const bucket& mine = buckets_[at];
    std::size_t low = due.size();
    due.resize(low + mine.size);
    std::size_t high = due.size();
    // Of a million waits most are in no cache any more. So from both ends: then two of them are on their way at a time.
    timer_op* first = mine.first;
    timer_op* last = mine.last;
    while (low < high) {
      take(first, due[low++]);
      first = first->later;
      if (low == high) break;
      take(last, due[--high]);
      last = last->earlier;
    }
    size_ -= mine.size;
    drop(at);
  }
  ahead_ = nullptr;
  if (heap_.empty()) return;
  const bucket& next = buckets_[heap_.front().bucket];
  __builtin_prefetch(next.first);
  __builtin_prefetch(next.last);
  if (size_ < many) return;
  ahead_ = next.last;
  ahead_left_ = ahead_max;
}

std::uint32_t timer_queue::bucket_for(nanoseconds due) {
  if (buckets_.size() >= newest_.size()) remember_more();
  std::uint32_t& known = newest(due);
  if (known != none && buckets_[known].due == due && buckets_[known].sequence != 0) return known;
  std::uint32_t at = free_;
  if (at == none) {
    at = static_cast<std::uint32_t>(buckets_.size());
    if (buckets_.size() == buckets_.capacity()) buckets_.reserve(at == 0 ? 16 : 2 * buckets_.size());
    if (heap_.capacity() < buckets_.capacity()) heap_.reserve(buckets_.capacity());
    if (places_.capacity() < buckets_.capacity()) places_.reserve(buckets_.capacity());
    buckets_.push_back({due, 0, nullptr, nullptr, 0});  // from here on nothing throws
    places_.push_back(none);
  } else {
    free_ = places_[at];
  }
  known = at;
  buckets_[at] = {due, ++sequence_, nullptr, nullptr, 0};
  heap_.push_back({due, at});
  up(heap_.size() - 1);
  return at;
}

void timer_queue::remember_more() {
  const std::size_t size = newest_.empty() ? 64 : newest_.size() * 4;
  newest_.assign(size, none);
  shift_ = 64;
  for (std::size_t i = size; i > 1; i /= 2) --shift_;
  for (const entry& one : heap_) {
    std::uint32_t& known = newest(one.due);
    if (known == none || buckets_[known].sequence < buckets_[one.bucket].sequence) known = one.bucket;
  }
}

void timer_queue::drop(std::uint32_t at) noexcept {
  bucket& mine = buckets_[at];
  const std::size_t hole = places_[at];
  mine = {mine.due, 0, nullptr, nullptr, 0};
  places_[at] = free_;
  free_ = at;
  const entry last = heap_.back();
  heap_.pop_back();
  if (hole == heap_.size()) return;
  put(hole, last);
  up(hole);
  down(places_[last.bucket]);
}

void timer_queue::up(std::size_t at) noexcept {
  const entry moving = heap_[at];
  while (at > 0) {
    const std::size_t parent = (at - 1) / 4;
    if (!before(moving, heap_[parent])) break;
    put(at, heap_[parent]);
    at = parent;
  }
  put(at, moving);
}

void timer_queue::down(std::size_t at) noexcept {
  const entry moving = heap_[at];
  const std::size_t size = heap_.size();
  while (true) {
    const std::size_t first = 4 * at + 1;
    if (first >= size) break;
    const std::size_t end = first + 4 < size ? first + 4 : size;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (before(heap_[child], heap_[least])) least = child;
    }
    if (!before(heap_[least], moving)) break;
    put(at, heap_[least]);
    at = least;
  }
  put(at, moving);
}

}  // namespace detail

virtual_time::virtual_time(boost::asio::execution_context& context) : service(context) {
  pasts_.push_back(0);
}

virtual_time::~virtual_time() = default;

void virtual_time::shutdown() {
  if (!driver_drops_waits_) abandon_waits(nobody);
}

std::uint32_t virtual_time::begin_chain() {
  pasts_.push_back(pasts_[current_chain_]);
  return chains();
}

std::size_t virtual_time::next_deadlines(nanoseconds after, nanoseconds end,
                                         std::span<nanoseconds> into) const noexcept {
  std::size_t count = 0;
  const auto take = [&](nanoseconds due) {
    if (due <= after || due >= end) return;
    std::size_t place = 0;
    while (place < count && into[place] < due) ++place;
    if (place == into.size() || (place < count && into[place] == due)) return;
    if (count < into.size()) ++count;
    for (std::size_t i = count - 1; i > place; --i) into[i] = into[i - 1];
    into[place] = due;
  };
  steady_.visit_deadlines(take);
  wall_.visit_deadlines([&](nanoseconds due) { take(detail::saturated_difference(due, wall_offset_)); });
  return count;
}

void virtual_time::take_due(detail::reused_vector<detail::timer_op*>& due) {
  const std::size_t before = due.size();
  was_late_ = std::exchange(late_, false);
  steady_.take_until(now_, due);
  if (!wall_.empty()) wall_.take_until(wall_now(), due);
  for (std::size_t i = before; i < due.size(); ++i) {
    __builtin_prefetch(&pasts_[due[i]->chain], 1);
    unlink(due[i]);
  }
  if (was_late_) [[unlikely]]
    in_order_of_time(due, before);
}

void virtual_time::abandon_waits(task_id spared) noexcept {
  drop_waits([spared](const detail::timer_op& op) { return op.task != spared; });
}

void virtual_time::arm(detail::timer_op* op, detail::timer_op*& list) {
  op->task = current_task_;
  op->chain = next_chain();
  op->since = now_;
  if (op->guest != 0) [[unlikely]]
    begin_work_of_guest(op);
  if (op->parked) {
    op->place = static_cast<std::uint32_t>(parked_.size());
    parked_.push_back(op);
  } else {
    (op->wall ? wall_ : steady_).push(op);
  }
  op->next = list;
  op->link = &list;
  if (list != nullptr) list->link = &op->next;
  list = op;
  if (listener_ != nullptr) [[unlikely]]
    listener_->armed(*op, &list);
}

void virtual_time::cancel(detail::timer_op* op, detail::wait_end how) noexcept {
  if (listener_ != nullptr) [[unlikely]]
    listener_->ended(*op, how);
  forget(op);
  op->aborted = true;
  if (op->guest != 0) [[unlikely]] {
    give_to_guest(op);
    return;
  }
  give_(driver_, op);
}

void virtual_time::in_order_of_time(detail::reused_vector<detail::timer_op*>& due, std::size_t from) const {
  const auto first = due.begin() + static_cast<std::ptrdiff_t>(from);
  const auto earlier = [this](const detail::timer_op* a, const detail::timer_op* b) {
    return fell_due(*a) < fell_due(*b);
  };
  // Stable; almost all of them are in order. std::stable_sort takes a buffer in a way that clang calls deprecated.
  for (auto next = first; next != due.end(); ++next) {
    if (next == first || !earlier(*next, *(next - 1))) continue;
    std::rotate(std::upper_bound(first, next, *next, earlier), next, next + 1);
  }
}

void virtual_time::forget(detail::timer_op* op) noexcept {
  if (op->parked) {
    parked_.back()->place = op->place;
    parked_[op->place] = parked_.back();
    parked_.pop_back();
  } else {
    (op->wall ? wall_ : steady_).erase(op);
  }
  unlink(op);
}

void virtual_time::unlink(detail::timer_op* op) noexcept {
  *op->link = op->next;
  if (op->next != nullptr) op->next->link = op->link;
  op->link = nullptr;
  if (op->canceller != nullptr) op->canceller->op = nullptr;
  op->canceller = nullptr;
}

}  // namespace assay
