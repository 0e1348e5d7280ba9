# Flags for the tree's own targets. Consumers get none of these.

add_library(assay_flags INTERFACE)
# A warning of a compiler that nobody here has tried must not keep others from building.
target_compile_options(assay_flags INTERFACE -Wall -Wextra -Wpedantic $<$<BOOL:${PROJECT_IS_TOP_LEVEL}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps and overflows in its own std::string that are not there (PR 105651, PR 105329), and takes Asio's
  # operator new and delete of a coroutine's frame for no pair where it has inlined one of them.
  target_compile_options(assay_flags INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
                                               -Wno-stringop-overread -Wno-mismatched-new-delete)
  if(ASSAY_SANITIZE)
    # GCC's manual: sanitizers raise the rate of false positives of this one (Boost.JSON's results show it).
    target_compile_options(assay_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
target_compile_features(assay_flags INTERFACE cxx_std_20)

if(ASSAY_SANITIZE)
  # Everything in a binary must be instrumented alike, so these are set for the whole tree. Asio's recycling of
  # frames and handlers would hide a use after free. Reports name functions and lines, for which -g1 is enough, at three
  # quarters of the build's time; g++ takes half as long again without optimising, clang needs -O1 (its -O0 with
  # sanitizers is known to write to destroyed frames).
  add_compile_options(-fsanitize=${ASSAY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1
                      $<IF:$<CXX_COMPILER_ID:GNU>,-O0,-O1>)
  add_link_options(-fsanitize=${ASSAY_SANITIZE})
  add_compile_definitions(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
endif()
if(ASSAY_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
if(ASSAY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
