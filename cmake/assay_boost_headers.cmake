# Boost from a folder of headers alone, as ci/boost unpacks one: Boost.JSON is compiled from its own headers.
add_library(assay_boost_headers INTERFACE)
target_include_directories(assay_boost_headers SYSTEM INTERFACE ${ASSAY_BOOST_HEADERS})
add_library(Boost::headers ALIAS assay_boost_headers)
file(WRITE ${PROJECT_BINARY_DIR}/boost_json.cpp "#include <boost/json/src.hpp>\n")
add_library(assay_boost_json STATIC ${PROJECT_BINARY_DIR}/boost_json.cpp)
target_link_libraries(assay_boost_json PUBLIC assay_boost_headers)
add_library(Boost::json ALIAS assay_boost_json)
