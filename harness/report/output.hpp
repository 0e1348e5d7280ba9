// Where results go, and come from: files that are written and read whole or not at all, and standard output, whose loss is
// told.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

namespace assay {

/// Writes a file whole or not at all: first beside it, under another name. What is no regular file (a device, a pipe) is
/// written as it is. Throws std::runtime_error ("cannot write 'FILE': ...").
void write_file(const std::filesystem::path& path, std::string_view text);
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

/// The whole of a file. Throws std::runtime_error ("cannot read 'FILE': ...").
std::string read_file(const std::filesystem::path& path);

/// Throws what write_file would throw, as far as that can be known before there is anything to write.
void require_writable(const std::filesystem::path& path);
/// The same for the files of a folder, which is made if it is not there.
void require_writable_folder(const std::filesystem::path& folder);

/// Writes to standard output. What is lost is not told here but by lost_output.
void write_stdout(std::string_view text);
/// Flushes standard output. 0 if everything that was written there has arrived, else errno of the first that has not.
int lost_output() noexcept;

/// Makes sure that no file and no pipe gets the number of a standard stream that is closed: what is printed there would
/// end up in it. Writing to such a stream fails as before.
void occupy_standard_streams() noexcept;

}  // namespace assay
