# What users of Assay call. Part of the installed package.

# assay_instrument(TARGET): compiles a library under test from its sources with the virtual-time header, so that its
# timers run in virtual time. Needed for every target that is linked into a test binary and includes Asio.
function(assay_instrument target)
  target_link_libraries(${target} PRIVATE assay::virtual_time)
endfunction()
