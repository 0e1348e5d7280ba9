# Writes a C++ source with the text of every file in FILES, as harness/report/html.cpp declares them, to OUTPUT.
cmake_minimum_required(VERSION 3.25)

set(source "#include <string_view>\n\nnamespace assay::html_files {\n\n")
foreach(file IN LISTS FILES)
  file(READ "${file}" text)
  cmake_path(GET file FILENAME name)
  string(MAKE_C_IDENTIFIER "${name}" name)
  string(APPEND source "extern const std::string_view ${name};\nconst std::string_view ${name} = R\"embedded(${text})embedded\";\n\n")
endforeach()
string(APPEND source "}  // namespace assay::html_files\n")
file(WRITE "${OUTPUT}" "${source}")
