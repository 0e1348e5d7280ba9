# Writes a C++ source with the commit of the tree in SOURCE to OUTPUT, if it is not there already: 12 digits, and whether
# files differ from it. "unknown" where SOURCE is not the root of a git repository (a tarball, also inside of another one's).
cmake_minimum_required(VERSION 3.25)

# git(VARIABLE ARGUMENT...): what it prints; empty if it fails.
function(git variable)
  execute_process(COMMAND "${GIT}" -C "${SOURCE}" ${ARGN} OUTPUT_VARIABLE printed ERROR_QUIET RESULT_VARIABLE status
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT status EQUAL 0)
    set(printed "")
  endif()
  set(${variable} "${printed}" PARENT_SCOPE)
endfunction()

set(commit "unknown")
if(GIT)
  git(root rev-parse --show-toplevel)
  file(REAL_PATH "${SOURCE}" source)
  if(root STREQUAL source)
    git(head rev-parse --short=12 HEAD)
    git(changed --no-optional-locks status --porcelain --untracked-files=no)
    if(head)
      set(commit "${head}")
      if(changed)
        string(APPEND commit " with changes")
      endif()
    endif()
  endif()
endif()

set(text "#include <assay/harness/campaign/version.hpp>

std::string_view assay::commit() noexcept { return \"${commit}\"; }
")
set(before "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT text STREQUAL before)
  file(WRITE "${OUTPUT}" "${text}")
endif()
