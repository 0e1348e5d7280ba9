#include <assay/harness/mock/stream.hpp>

#include <assay/harness/sim/deadline.hpp>

namespace assay::detail {

namespace asio = boost::asio;

std::size_t stream_direction::readable() const {
  const time_point now = std::chrono::steady_clock::now();
  std::size_t count = 0;
  for (const segment& one : segments_) {
    if (one.arrives > now) break;
    count += one.bytes.size() - one.taken;
  }
  return count;
}

stream_direction::time_point stream_direction::next_arrival() const {
  return segments_.empty() ? time_point::max() : segments_.front().arrives;
}

std::size_t stream_direction::cut(std::size_t possible) {
  if (options_.bytes_per_operation > 0) possible = std::min(possible, options_.bytes_per_operation);
  if (options_.choices == nullptr || !options_.cut || possible < 2) return possible;
  // Everything, all but one byte, half, one byte: the sizes at which a program that counts on more goes
  // wrong.
  const std::size_t sizes[] = {possible, possible - 1, possible / 2, 1};
  const std::size_t different = possible == 2 ? 2 : possible == 3 ? 3 : 4;
  return sizes[options_.choices->pick(choice_kind::stream, different)];
}

void stream_direction::put(const std::string& bytes) {
  const time_point now = std::chrono::steady_clock::now();
  std::chrono::nanoseconds delay = options_.delay;
  std::uint64_t bandwidth = options_.bytes_per_second;
  if (options_.choices != nullptr) {
    if (options_.jitter > std::chrono::nanoseconds::zero()) {
      const std::int64_t quarters = options_.choices->pick(choice_kind::stream, 5);
      const auto jitter = options_.jitter / 4 * quarters + options_.jitter % 4 * quarters / 4;
      delay = saturated_sum(delay, jitter);
    }
    if (options_.throttle && bandwidth > 0 && options_.choices->pick(choice_kind::stream, 2) == 1) {
      bandwidth = std::max<std::uint64_t>(bandwidth / 10, 1);
    }
  }
  line_free_ = std::max(line_free_, now);
  if (bandwidth > 0) line_free_ += std::chrono::nanoseconds(bytes.size() * 1'000'000'000 / bandwidth);
  segment one;
  one.bytes = bytes;
  one.arrives = deadline_after(line_free_, delay);
  // Jitter delays what follows too: bytes do not overtake each other.
  if (!segments_.empty()) one.arrives = std::max(one.arrives, segments_.back().arrives);
  segments_.push_back(std::move(one));
  on_the_way_ += bytes.size();
  wake(reader);
}

void stream_direction::take(char* to, std::size_t count) {
  on_the_way_ -= count;
  while (count > 0) {
    segment& first = segments_.front();
    const std::size_t piece = std::min(count, first.bytes.size() - first.taken);
    to = std::copy_n(first.bytes.data() + first.taken, piece, to);
    first.taken += piece;
    count -= piece;
    if (first.taken == first.bytes.size()) segments_.pop_front();
  }
  wake(writer);
}

void stream_direction::finish() {
  finished = true;
  wake_both();
}

void stream_direction::abandon() {
  abandoned = true;
  segments_.clear();
  on_the_way_ = 0;
  wake_both();
}

void stream_direction::reset() {
  broken = true;
  segments_.clear();
  on_the_way_ = 0;
  wake_both();
}

bool stream_direction::draw(std::uint32_t one_in) const {
  if (options_.choices == nullptr || one_in < 2) return false;
  return options_.choices->pick(choice_kind::stream, one_in) == one_in - 1;
}

void stream_direction::wake_both() {
  wake(reader);
  wake(writer);
}

// Cancelling the wait posts its handler.
void stream_direction::wake(stream_waiter* waiting) {
  if (waiting != nullptr) waiting->timer.cancel();
}

void stream_end::reset() {
  in->reset();
  out->reset();
}

void stream_end::close() {
  open = false;
  end_pending(asio::error::operation_aborted);
  out->finish();
  in->abandon();
}

void stream_end::end_pending(boost::system::error_code why) {
  for (stream_waiter* const waiting : {in->reader, out->writer}) {
    if (waiting == nullptr) continue;
    waiting->ended = why;
    stream_direction::wake(waiting);
  }
}

}  // namespace assay::detail
