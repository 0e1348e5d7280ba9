// The standard as a document: markdown, and a page that needs no script. Nothing in it differs between builds.
#include <assay/harness/report/standard.hpp>

#include <ostream>
#include <string>
#include <vector>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/clauses.hpp>
#include <assay/harness/report/names.hpp>
#include <assay/harness/report/page.hpp>

namespace assay {

namespace {

using filter = std::vector<std::string>;

constexpr const char* introduction[] = {
    "A pattern's contract is what its clauses ask. Each has an id that is never reused, and a level: MUST, "
    "SHOULD or "
    "MAY. A clause that needs a feature binds those who claim it; the others bind everybody.",
    "A clause is of revision 1 unless it says otherwise; the changelog says what the later ones changed, and "
    "for whom. "
    "What a clause forbids is shown by mutants, implementations that are wrong in one way: the suite is to "
    "catch each of "
    "them by a clause that names it."};

// "X-2" stands once among the clauses of every pattern, and once in each pattern that checks it.
std::string anchor_of(const contract_info& contract, const clause_info& clause) {
  return clause.contract.empty() ? contract.name + "." + clause.id : clause.id;
}

std::string changed(const revision_info& one) { return "Revision " + std::to_string(one.number); }

std::string or_the_core(const filter& features, const std::string& quote, const std::string& unquote) {
  std::string text;
  for (const std::string& one : features) text += (text.empty() ? "" : ", ") + quote + one + unquote;
  return text.empty() ? "the core" : text;
}

std::vector<const contract_info*> chosen_contracts(const catalogue& all, const filter& contracts) {
  std::vector<const contract_info*> found;
  for (const contract_info& one : all.contracts()) {
    if (matches_any(contracts, one.name)) found.push_back(&one);
  }
  return found;
}

// ---- markdown

// The texts are markdown already, but for what looks like an element.
std::string markdown(const std::string& text) {
  std::string shown;
  bool code = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '`') code = !code;
    const bool opens = text[i] == '<' && i + 1 < text.size() && text[i + 1] != ' ' && text[i + 1] != '=';
    if (opens && !code) shown += '\\';
    shown += text[i];
  }
  return shown;
}

std::string link(const std::string& text, const std::string& anchor) {
  return "[" + text + "](#" + anchor + ")";
}

void write_clause(std::ostream& out, const catalogue& all, const contract_info& contract,
                  const clause_info& clause) {
  const scenario_list scenarios = scenarios_of(all, contract.name, clause.id);
  const filter features = features_of(scenarios);
  out << "\n#### <a id=\"" << anchor_of(contract, clause) << "\"></a>" << clause.id << ' '
      << to_string(clause.level) << "\n\n";
  if (clause.contract.empty()) {
    out << "A clause of every pattern: " << link(clause.id, clause.id) << ".\n\n";
  } else {
    out << markdown(clause.text) << "\n\n";
    for (const revision_info* const one : changes_of(all, clause.id))
      out << "- " << changed(*one) << ": " << markdown(one->text) << '\n';
  }
  if (!features.empty()) out << "- Needs " << or_the_core(features, "`", "`") << '\n';
  if (scenarios.empty()) out << "- Not checked: " << markdown(clause.reason_unchecked) << '\n';
  if (const std::string* const why = all.dispute_of(clause.id))
    out << "- Disputed, and not counted: " << markdown(*why) << '\n';
  for (const scenario_info* const one : scenarios) {
    const std::string manner = manner_of(*one, features);
    out << "- Checked by `" << one->name() << '`' << (manner.empty() ? "" : ": " + markdown(manner)) << '\n';
  }
  for (const subject_base* const one : mutants_of(all, contract.name, clause.id))
    out << "- Forbids `" << one->name() << "`: " << markdown(one->traits().defect) << '\n';
}

void write_contract(std::ostream& out, const catalogue& all, const contract_info& contract) {
  out << "\n### <a id=\"" << contract.name << "\"></a>" << contract.name << "\n\n"
      << markdown(contract.intent)
      << ".\n\n| implementation | kind | claims | see |\n| --- | --- | --- | --- |\n";
  for (const subject_base* const one : implementations_of(all, contract.name))
    out << "| " << one->name() << " | " << to_string(one->kind()) << " | "
        << or_the_core(one->traits().features, "`", "`") << " | " << markdown(sources_of(*one)) << " |\n";
  if (!contract.features.empty()) out << "\n| feature | a subject that claims it promises |\n| --- | --- |\n";
  for (const feature_info& one : contract.features)
    out << "| `" << one.name << "` | " << markdown(std::string(one.promise)) << " |\n";
  for (const clause_info* const clause : clauses_of(all, contract.name))
    write_clause(out, all, contract, *clause);
}

void write_contents(std::ostream& out, const std::vector<const contract_info*>& contracts) {
  out << "\n## Contents\n\n";
  for (const contract_info* const one : contracts)
    out << "- " << link(one->name, one->name) << " (" << one->family << "): " << markdown(one->intent)
        << '\n';
  out << "- " << link("Clauses of every pattern", "cross-cutting") << "\n- " << link("Changelog", "changelog")
      << '\n';
}

// ---- the page

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// The texts' `code` and *emphasis* as elements; what does not end is no mark.
std::string marked_up(const std::string& text) {
  std::string shown;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    const std::size_t end = c == '`' || c == '*' ? text.find(c, at + 1) : std::string::npos;
    if (end == std::string::npos || end == at + 1 || (c == '*' && text[at + 1] == ' ')) {
      shown += escaped(text.substr(at++, 1));
      continue;
    }
    const std::string name = c == '`' ? "code" : "em";
    shown += "<" + name + ">" + escaped(text.substr(at + 1, end - at - 1)) + "</" + name + ">";
    at = end + 1;
  }
  return shown;
}

std::string element(const std::string& name, const std::string& content) {
  return "<" + name + ">" + content + "</" + name + ">";
}

std::string page_link(const std::string& text, const std::string& anchor) {
  return "<a href=\"#" + anchor + "\">" + text + "</a>";
}

// A row of a list of facts: what it is, and one line or more of it.
std::string fact(const std::string& name, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string all;
  for (const std::string& one : lines) all += element("div", one);
  return element("dt", name) + element("dd", all);
}

std::string clause_heading(const clause_info& clause, const std::string& anchor) {
  return "<article class=\"clause\" id=\"" + anchor + "\">\n<h3>" + page_link(clause.id, anchor) +
         " <span class=\"badge\">" + std::string(to_string(clause.level)) + "</span></h3>\n";
}

std::string changes(const catalogue& all, const std::string& clause) {
  std::vector<std::string> lines;
  for (const revision_info* const one : changes_of(all, clause))
    lines.push_back(changed(*one) + ": " + marked_up(one->text));
  return fact("changed", lines);
}

std::string not_checked(const clause_info& clause, bool unchecked) {
  return unchecked ? fact("not checked", {marked_up(clause.reason_unchecked)}) : std::string();
}

void write_page_clause(std::string& out, const catalogue& all, const contract_info& contract,
                       const clause_info& clause) {
  const scenario_list scenarios = scenarios_of(all, contract.name, clause.id);
  const filter features = features_of(scenarios);
  out += clause_heading(clause, anchor_of(contract, clause));
  out +=
      element("p", clause.contract.empty() ? "A clause of every pattern: " + page_link(clause.id, clause.id)
                                           : marked_up(clause.text));
  std::vector<std::string> checks;
  for (const scenario_info* const one : scenarios) {
    const std::string manner = manner_of(*one, features);
    checks.push_back(element("code", escaped(one->name())) +
                     (manner.empty() ? "" : ": " + marked_up(manner)));
  }
  std::vector<std::string> mutants;
  for (const subject_base* const one : mutants_of(all, contract.name, clause.id))
    mutants.push_back(element("code", escaped(one->name())) + ": " + marked_up(one->traits().defect));
  out += "\n<dl>";
  if (!clause.contract.empty()) out += changes(all, clause.id);
  if (!features.empty()) out += fact("needs", {or_the_core(features, "<code>", "</code>")});
  if (const std::string* const why = all.dispute_of(clause.id)) out += fact("disputed", {marked_up(*why)});
  out += fact("checked", checks) + not_checked(clause, checks.empty()) + fact("forbids", mutants) +
         "</dl>\n</article>\n";
}

std::string features_table(const contract_info& contract) {
  if (contract.features.empty()) return "";
  std::string rows;
  for (const feature_info& one : contract.features)
    rows += element("tr", element("td", element("code", escaped(std::string(one.name)))) +
                              element("td", marked_up(std::string(one.promise)))) +
            "\n";
  return "<table>\n<thead><tr><th scope=\"col\">feature</th>"
         "<th scope=\"col\">a subject that claims it promises</th></tr></thead>\n<tbody>\n" +
         rows + "</tbody>\n</table>\n";
}

void write_page_contract(std::string& out, const catalogue& all, const contract_info& contract) {
  out += "<section id=\"" + contract.name + "\">\n" + element("h2", contract.name) + "\n" +
         element("p", "Intent: " + marked_up(contract.intent) + ".") +
         "\n<table>\n<thead><tr><th scope=\"col\">implementation</th><th scope=\"col\">kind</th>"
         "<th scope=\"col\">claims</th><th scope=\"col\">see</th></tr></thead>\n<tbody>\n";
  for (const subject_base* const one : implementations_of(all, contract.name))
    out += element("tr", element("td", escaped(one->name())) +
                             element("td", std::string(to_string(one->kind()))) +
                             element("td", or_the_core(one->traits().features, "<code>", "</code>")) +
                             element("td", marked_up(sources_of(*one)))) +
           "\n";
  out += "</tbody>\n</table>\n" + features_table(contract);
  for (const clause_info* const clause : clauses_of(all, contract.name))
    write_page_clause(out, all, contract, *clause);
  out += "</section>\n";
}

void write_page_cross_cutting(std::string& out, const catalogue& all, const filter& contracts) {
  out += "<section id=\"cross-cutting\">\n" + element("h2", "Clauses of every pattern") + "\n";
  for (const clause_info* const clause : cross_cutting_clauses(all, contracts)) {
    out += clause_heading(*clause, clause->id) + element("p", marked_up(clause->text)) + "\n<dl>" +
           changes(all, clause->id);
    std::string where;
    for (const std::string& one : checked_with(all, clause->id)) {
      const bool shown = matches_any(contracts, one);
      where += (where.empty() ? "with " : ", ") + (shown ? page_link(one, one + "." + clause->id) : one);
    }
    if (!where.empty()) out += fact("checked", {where});
    out += not_checked(*clause, where.empty()) + "</dl>\n</article>\n";
  }
  out += "</section>\n";
}

std::string page_contents(const catalogue& all, const std::vector<const contract_info*>& contracts) {
  std::string out = "<section id=\"contents\">\n" + element("h2", "Contents") + "\n<dl>\n";
  for (const contract_info* const one : contracts) {
    std::string clauses;
    for (const clause_info* const clause : clauses_of(all, one->name))
      clauses += " <span class=\"whole\">" + page_link(clause->id, anchor_of(*one, *clause)) + "</span>";
    out += fact(page_link(one->name, one->name), {marked_up(one->intent), clauses}) + "\n";
  }
  return out + "</dl>\n</section>\n";
}

std::string page_changelog(const std::vector<const revision_info*>& revisions) {
  std::string out = "<section id=\"changelog\">\n" + element("h2", "Changelog") + "\n<ul>\n";
  for (const revision_info* const one : revisions)
    out += element("li", page_link(one->clause, one->clause) + ", revision " + std::to_string(one->number) +
                             ": " + marked_up(one->text)) +
           "\n";
  return out + "</ul>\n</section>\n";
}

}  // namespace

void write_standard_markdown(std::ostream& out, const catalogue& all, const filter& contracts) {
  out << "# The standard, version " << version()
      << "\n\nPrinted by `assay standard --format markdown`, from the texts that stand beside the "
         "scenarios.\n";
  for (const char* const paragraph : introduction) out << '\n' << paragraph << '\n';
  const std::vector<const contract_info*> chosen = chosen_contracts(all, contracts);
  write_contents(out, chosen);
  std::string family;
  for (const contract_info* const one : chosen) {
    if (one->family != family) out << "\n## " << one->family << '\n';
    family = one->family;
    write_contract(out, all, *one);
  }
  out << "\n## <a id=\"cross-cutting\"></a>Clauses of every pattern\n";
  for (const clause_info* const clause : cross_cutting_clauses(all, contracts)) {
    out << "\n### <a id=\"" << clause->id << "\"></a>" << clause->id << ' ' << to_string(clause->level)
        << "\n\n"
        << markdown(clause->text) << "\n\n";
    for (const revision_info* const one : changes_of(all, clause->id))
      out << "- " << changed(*one) << ": " << markdown(one->text) << '\n';
    std::string where;
    for (const std::string& one : checked_with(all, clause->id))
      where += (where.empty() ? "" : ", ") +
               (matches_any(contracts, one) ? link(one, one + "." + clause->id) : one);
    out << (where.empty() ? "- Not checked: " + markdown(clause->reason_unchecked)
                          : "- Checked with " + where)
        << '\n';
  }
  out << "\n## <a id=\"changelog\"></a>Changelog\n\n";
  for (const revision_info* const one : changelog(all, contracts))
    out << "- " << link(one->clause, one->clause) << ", revision " << one->number << ": "
        << markdown(one->text) << '\n';
}

void write_standard_html(std::ostream& out, const catalogue& all, const filter& contracts) {
  const std::vector<const contract_info*> chosen = chosen_contracts(all, contracts);
  std::string body = "<header>\n" + element("h1", "The standard") + "\n<p class=\"quiet\">Version " +
                     std::string(version()) + "</p>\n";
  for (const char* const paragraph : introduction) body += element("p", paragraph) + "\n";
  body += "</header>\n<nav aria-label=\"Patterns\">" + page_link("Contents", "contents");
  for (const contract_info* const one : chosen) body += " " + page_link(one->name, one->name);
  body += " " + page_link("Every pattern", "cross-cutting") + " " + page_link("Changelog", "changelog") +
          "</nav>\n<main>\n" + page_contents(all, chosen);
  for (const contract_info* const one : chosen) write_page_contract(body, all, *one);
  write_page_cross_cutting(body, all, contracts);
  body += page_changelog(changelog(all, contracts)) + "</main>\n";
  write_plain_page(out, "The Assay standard", body);
}

}  // namespace assay
