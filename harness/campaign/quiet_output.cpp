#include <assay/harness/campaign/quiet_output.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <vector>

namespace assay {

namespace {

// For handlers of signals: the descriptors of the one that lives, -1 if none does.
std::atomic<int> kept_output = -1;
std::atomic<int> real_output = -1;
std::atomic<int> real_error = -1;

void flush_all() noexcept {
  std::cout.flush();
  std::clog.flush();
  std::fflush(nullptr);
}

off_t size_of(int file) noexcept {
  struct stat status{};
  return ::fstat(file, &status) == 0 ? status.st_size : 0;
}

}  // namespace

quiet_output::quiet_output() {
  flush_all();
  descriptor kept(::memfd_create("assay output", MFD_CLOEXEC));
  descriptor output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  descriptor error(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  if (kept.get() < 0 || output.get() < 0 || error.get() < 0) return;
  // Who writes after it was emptied begins at its beginning again.
  if (::fcntl(kept.get(), F_SETFL, O_APPEND) != 0) return;
  kept_ = std::move(kept);
  output_ = std::move(output);
  error_ = std::move(error);
  kept_output = kept_.get();
  real_output = output_.get();
  real_error = error_.get();
  ::dup2(kept_.get(), STDOUT_FILENO);
  ::dup2(kept_.get(), STDERR_FILENO);
}

quiet_output::~quiet_output() {
  if (kept_.get() < 0) return;
  flush_all();
  kept_output = real_output = real_error = -1;
  ::dup2(output_.get(), STDOUT_FILENO);
  ::dup2(error_.get(), STDERR_FILENO);
}

void quiet_output::drop() noexcept {
  if (kept_.get() < 0) return;
  flush_all();
  if (size_of(kept_.get()) > 0) (void)::ftruncate(kept_.get(), 0);
}

std::string quiet_output::take() {
  if (kept_.get() < 0) return {};
  flush_all();
  std::string text(static_cast<std::size_t>(size_of(kept_.get())), '\0');
  std::size_t count = 0;
  while (count < text.size()) {
    const ssize_t got =
        ::pread(kept_.get(), text.data() + count, text.size() - count, static_cast<off_t>(count));
    if (got <= 0) break;
    count += static_cast<std::size_t>(got);
  }
  text.resize(count);
  drop();
  return text;
}

int quiet_output::error_output() noexcept {
  const int real = real_error;
  return real < 0 ? STDERR_FILENO : real;
}

void quiet_output::speak() noexcept {
  const int kept = kept_output.exchange(-1);
  if (kept < 0) return;
  ::dup2(real_output, STDOUT_FILENO);
  ::dup2(real_error, STDERR_FILENO);
  constexpr off_t most = off_t{256} * 1024;
  const off_t end = size_of(kept);
  std::array<char, 4096> piece{};
  for (off_t at = std::max<off_t>(0, end - most); at < end;) {
    const ssize_t got = ::pread(kept, piece.data(), piece.size(), at);
    if (got <= 0) return;
    (void)write_all(STDERR_FILENO, {piece.data(), static_cast<std::size_t>(got)});
    at += got;
  }
}

std::string last_lines(std::string_view text, std::size_t most, std::string_view indent) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::string out;
  const std::size_t first = lines.size() - std::min(lines.size(), most);
  if (first > 0) out += std::string(indent) + "(" + std::to_string(first) + " lines before these)\n";
  for (std::size_t i = first; i < lines.size(); ++i)
    out += std::string(indent) + std::string(lines[i]) + "\n";
  return out;
}

}  // namespace assay
