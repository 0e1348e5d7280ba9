#include <assay/harness/report/page.hpp>

#include <boost/json.hpp>
#include <ostream>
#include <utility>

namespace assay {

namespace json = boost::json;

namespace {

// JSON as it may stand in a script element, in HTML and in XML: nothing in it can end the element or begin an entity.
std::string embeddable(const json::value& data) {
  std::string safe;
  for (const char c : json::serialize(data)) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      case '\x7f':
        safe += "\\u007f";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// The text with every {{name}} replaced, in the order in which they stand in it; what is put in is not looked at again.
std::string filled(std::string_view rest,
                   std::initializer_list<std::pair<std::string_view, std::string_view>> parts) {
  std::string text;
  for (const auto& [name, part] : parts) {
    const std::size_t at = rest.find(name);
    text.append(rest.substr(0, at)).append(part);
    rest.remove_prefix(at + name.size());
  }
  return text.append(rest);
}

}  // namespace

void write_plain_page(std::ostream& out, const std::string& title, const std::string& body) {
  out << filled(html_files::page_html,
                {{"{{title}}", title}, {"{{style}}", html_files::style_css}, {"{{body}}", body}});
}

void write_drawn_page(std::ostream& out, const std::string& title, const json::value& data,
                      std::initializer_list<std::string_view> scripts) {
  std::string script(html_files::common_js);
  for (const std::string_view one : scripts) script += one;
  write_plain_page(out, title,
                   filled(html_files::drawn_html, {{"{{data}}", embeddable(data)}, {"{{script}}", script}}));
}

}  // namespace assay
