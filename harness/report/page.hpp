// What all pages have in common: one file with everything in it, well-formed as XML too.
#pragma once

#include <boost/json/value.hpp>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>

namespace assay {

/// A page that the scripts, one after the other, draw from the data.
void write_drawn_page(std::ostream& out, const std::string& title, const boost::json::value& data,
                      std::initializer_list<std::string_view> scripts);

/// A page that stands as it is; the body is XHTML.
void write_plain_page(std::ostream& out, const std::string& title, const std::string& body);

namespace html_files {

// Made by harness/report/html/embed.cmake.
extern const std::string_view page_html;
extern const std::string_view drawn_html;
extern const std::string_view style_css;
extern const std::string_view common_js;
extern const std::string_view timeline_js;
extern const std::string_view report_js;
extern const std::string_view trial_js;
extern const std::string_view mutants_js;
extern const std::string_view strategies_js;

}  // namespace html_files

}  // namespace assay
