# What users of Assay call. Part of the installed package.

set(ASSAY_AFTER_LINK "${CMAKE_CURRENT_LIST_DIR}/assay_after_link.cmake" CACHE INTERNAL "")

# assay_instrument(TARGET): compiles a library under test from its sources with the virtual-time header, so that its
# timers run in virtual time. Needed for every target that is linked into a test binary and includes Asio.
function(assay_instrument target)
  target_link_libraries(${target} PRIVATE assay::virtual_time)
endfunction()

# assay_precompile(TARGET): precompiles Asio and the harness's headers for a target that links assay::test or assay::suite; worth it from
# a few translation units on.
function(assay_precompile target)
  # A precompiled header comes before everything, so it brings the virtual-time header itself.
  set_target_properties(${target} PROPERTIES ASSAY_PRECOMPILED ON)
  target_precompile_headers(${target} PRIVATE <assay/harness/precompiled.hpp>)
endfunction()

# assay_scan(TARGET): once the executable TARGET is linked, it is scanned for objects that were compiled without the
# virtual-time header, whose timers would crash: another size, another service. If there are any, the build fails and names
# them. The functions below do it as well.
function(assay_scan target)
  assay_after_link_(${target} "Scanning ${target} for timers in real time" "")
endfunction()

# assay_gtest_discover_tests(TARGET ARG...): scans as assay_scan does, and then is gtest_discover_tests, for an executable
# with ASSAY_TESTs.
function(assay_gtest_discover_tests target)
  include(GoogleTest)
  assay_scan(${target})
  gtest_discover_tests(${target} ${ARGN})
endfunction()

# assay_after_link_(TARGET COMMENT TESTS DEFINITION...): runs assay_after_link.cmake.
function(assay_after_link_ target comment tests)
  set(map "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  target_link_options(${target} PRIVATE "LINKER:-Map=${map}")
  find_program(ASSAY_NM NAMES "${CMAKE_NM}" nm REQUIRED)
  mark_as_advanced(ASSAY_NM)
  add_custom_command(
    TARGET ${target} POST_BUILD
    BYPRODUCTS ${tests}
    COMMAND ${CMAKE_COMMAND} -D "EXECUTABLE=$<TARGET_FILE:${target}>" -D "MAP=${map}" -D "NM=${ASSAY_NM}"
            -D "LINKED_FROM=${CMAKE_BINARY_DIR}" -D REMOVE=ON -D "TESTS=${tests}" ${ARGN} -P "${ASSAY_AFTER_LINK}"
    COMMENT "${comment}"
    VERBATIM)
endfunction()

# assay_discover_tests(TARGET
#   [PREFIX TEXT]          before every test's name
#   [LABELS LABEL...]      of the tests; `quick` by default
#   [PER clause|contract]  one test per subject and clause (the default), or per subject and contract: fewer processes, for
#                          builds in which each takes long to begin
#   [FULL_SCHEDULES N]     besides, one test per subject and contract with N schedules and --strict, and one per contract
#                          for its mutants; labelled `full`
#   [ENVIRONMENT VAR=VALUE...]
#   [ARGS ARG...])         for every `run`, for example --findings FILE
#
# TARGET is an executable whose main calls assay::suite::run. Once it is linked, it is scanned as by assay_scan. Then one ctest
# test is registered per subject and clause (SUBJECT.CONTRACT.CLAUSE) and one per contract
# for its mutants (mutants.CONTRACT).
function(assay_discover_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PREFIX;FULL_SCHEDULES;PER" "LABELS;ARGS;ENVIRONMENT")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "assay_discover_tests: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS quick)
  endif()
  if(NOT arg_PER)
    set(arg_PER clause)
  elseif(NOT arg_PER MATCHES "^(clause|contract)$")
    message(FATAL_ERROR "assay_discover_tests: PER is 'clause' or 'contract', not '${arg_PER}'")
  endif()
  set(base "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  foreach(list ARGS LABELS ENVIRONMENT)  # each is one argument, on its way through ARGN, too
    string(REPLACE ";" "\\;" arg_${list} "${arg_${list}}")
  endforeach()
  assay_after_link_(${target} "Scanning ${target} for timers in real time, and finding its tests" "${base}_tests.cmake"
    -D "PREFIX=${arg_PREFIX}" -D "LABELS=${arg_LABELS}" -D "ARGS=${arg_ARGS}"
    -D "ENVIRONMENT=${arg_ENVIRONMENT}" -D "FULL_SCHEDULES=${arg_FULL_SCHEDULES}" -D "PER=${arg_PER}")
  file(GENERATE OUTPUT "${base}_include.cmake"
       CONTENT "if(EXISTS \"${base}_tests.cmake\")
  include(\"${base}_tests.cmake\")
else()
  add_test(${target}_was_not_built ${target}_was_not_built)
endif()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${base}_include.cmake")
endfunction()
