#include <assay/harness/report/output.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include <assay/harness/campaign/system.hpp>

namespace assay {

namespace {

[[noreturn]] void cannot_write(const std::filesystem::path& path, int error) {
  throw std::runtime_error("cannot write '" + path.string() + "': " + std::generic_category().message(error));
}

[[noreturn]] void cannot_read(const std::filesystem::path& path, int error) {
  throw std::runtime_error("cannot read '" + path.string() + "': " + std::generic_category().message(error));
}

// Closes it as well: some file systems tell only then.
int write_and_close(int descriptor, std::string_view text) noexcept {
  const int error = write_all(descriptor, text) ? 0 : errno;
  const int at_close = ::close(descriptor) == 0 ? 0 : errno;
  return error != 0 ? error : at_close;
}

// Where a file is to be written, and how.
struct destination {
  std::filesystem::path path;
  bool in_place = false;  // no regular file: nothing may take its place
  mode_t mode = 0666;     // of the new file, before the umask if there was none before
  bool there = false;
};

destination find(const std::filesystem::path& path) {
  destination found{path};
  struct stat seen{};
  if (::stat(path.c_str(), &seen) != 0) {
    // A link that leads nowhere is replaced; what cannot be looked at cannot be written.
    if (errno != ENOENT) cannot_write(path, errno);
    return found;
  }
  if (S_ISDIR(seen.st_mode)) cannot_write(path, EISDIR);
  if (::access(path.c_str(), W_OK) != 0) cannot_write(path, errno);
  found.there = true;
  found.mode = seen.st_mode & 07777U;
  const std::string name = path.lexically_normal().string();
  // /dev/stdout may be a regular file, but somebody writes to it under another name.
  found.in_place = !S_ISREG(seen.st_mode) || name.starts_with("/dev/") || name.starts_with("/proc/");
  if (!found.in_place) found.path = std::filesystem::canonical(path);  // the link stays
  return found;
}

std::filesystem::path draft_of(const destination& to) {
  return to.path.string() + "." + std::to_string(::getpid()) + ".partial";
}

int open_draft(const std::filesystem::path& draft, const std::filesystem::path& path) {
  ::unlink(draft.c_str());  // of a process that had this number before
  const int descriptor = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) cannot_write(path, errno);
  return descriptor;
}

int stdout_error = 0;

}  // namespace

void write_file(const std::filesystem::path& path, std::string_view text) {
  const destination to = find(path);
  if (to.in_place) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (descriptor < 0) cannot_write(path, errno);
    if (const int error = write_and_close(descriptor, text)) cannot_write(path, error);
    return;
  }
  const std::filesystem::path draft = draft_of(to);
  const int descriptor = open_draft(draft, path);
  if (to.there) (void)!::fchmod(descriptor, to.mode);
  int error = write_and_close(descriptor, text);
  if (error == 0 && ::rename(draft.c_str(), to.path.c_str()) != 0) error = errno;
  if (error == 0) return;
  ::unlink(draft.c_str());
  cannot_write(path, error);
}

void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write) {
  std::ostringstream text;
  write(text);
  write_file(path, text.view());
}

std::string read_file(const std::filesystem::path& path) {
  const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) cannot_read(path, errno);
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) cannot_read(path, errno);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void require_writable(const std::filesystem::path& path) {
  const destination to = find(path);
  if (to.in_place) return;
  const std::filesystem::path draft = draft_of(to);
  ::close(open_draft(draft, path));
  ::unlink(draft.c_str());
}

void require_writable_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) cannot_write(folder, error.value());
  require_writable(folder / "conformance.json");
}

void write_stdout(std::string_view text) {
  std::cout.flush();
  const int error = write_all(STDOUT_FILENO, text) ? 0 : errno;
  if (stdout_error == 0) stdout_error = error;
}

int lost_output() noexcept {
  errno = 0;
  std::cout.flush();
  const bool flushed = std::fflush(stdout) == 0;
  if (stdout_error == 0 && (!flushed || !std::cout)) stdout_error = errno != 0 ? errno : EIO;
  return stdout_error;
}

void occupy_standard_streams() noexcept {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Opened the wrong way, so that using it fails.
    (void)!::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace assay
