#include <assay/harness/campaign/mirror.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace assay {

namespace {

// More choices than any trial makes that is not broken; the memory is given only as it is written to.
constexpr std::uint32_t choices_max = 1U << 20U;
constexpr std::size_t phase_length_max = 63;

}  // namespace

// Written by one process and read by another, so all of it is lock-free or plain bytes.
struct shared_mirror::record_block {
  std::atomic<std::uint64_t> trials;
  std::atomic<std::uint32_t> count;
  std::atomic<std::uint32_t> where;
  std::atomic<std::uint32_t> sweep;
  std::atomic<std::uint32_t> working;
  char phase[phase_length_max + 1];
  choice made[choices_max];
};

shared_mirror::shared_mirror() : own_(::memfd_create("assay-choices", MFD_CLOEXEC)) {
  if (own_.get() < 0) refuse("memfd_create");
  if (::ftruncate(own_.get(), sizeof(record_block)) != 0) refuse("ftruncate");
  map(own_.get());
}

shared_mirror::shared_mirror(int of_another) { map(of_another); }

void shared_mirror::map(int memory) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  void* const mapped = ::mmap(nullptr, sizeof(record_block), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (mapped == MAP_FAILED) refuse("mmap");
  block_ = static_cast<record_block*>(mapped);  // fresh shared memory is all zeros, which is a valid block
}

shared_mirror::~shared_mirror() { ::munmap(block_, sizeof(record_block)); }

void shared_mirror::record(const choice& made) noexcept {
  const std::uint32_t count = block_->count.load(std::memory_order_relaxed);
  if (count == choices_max) return;
  block_->made[count] = made;
  block_->count.store(count + 1, std::memory_order_release);
}

void shared_mirror::trial_begins(const trial_settings& settings) noexcept {
  block_->count.store(0, std::memory_order_relaxed);
  block_->where.store(settings.where == tier::sim ? 0 : 1, std::memory_order_relaxed);
  block_->sweep.store(settings.sweep ? 1 : 0, std::memory_order_relaxed);
  block_->trials.fetch_add(1, std::memory_order_release);
}

void shared_mirror::phase_begins(std::string_view phase) noexcept {
  const std::size_t length = std::min(phase.size(), phase_length_max);
  std::memcpy(block_->phase, phase.data(), length);
  block_->phase[length] = '\0';
}

void shared_mirror::work_begins() noexcept { block_->working.store(1, std::memory_order_release); }
void shared_mirror::work_ends() noexcept { block_->working.store(0, std::memory_order_release); }
bool shared_mirror::working() const noexcept { return block_->working.load(std::memory_order_acquire) != 0; }

std::uint64_t shared_mirror::trials() const noexcept {
  return block_->trials.load(std::memory_order_acquire);
}

std::vector<choice> shared_mirror::choices() const {
  const std::uint32_t count = std::min(block_->count.load(std::memory_order_acquire), choices_max);
  return {block_->made, block_->made + count};
}

trial_settings shared_mirror::settings() const noexcept {
  return {block_->where.load() == 0 ? tier::sim : tier::io_context, block_->sweep.load() != 0};
}

std::string shared_mirror::phase() const {
  return std::string(block_->phase, ::strnlen(block_->phase, phase_length_max));
}

}  // namespace assay
