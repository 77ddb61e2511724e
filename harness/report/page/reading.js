/* What is read: questions, findings, claims, and how to cite. */
"use strict";

report.views.questions = async (place, params) => {
  const { questions } = await report.load("reading");
  const one = questions.find((q) => q.name === params.name);
  if (one)
    return place.replaceChildren(h("p", {}, h("a", { href: "#questions" }, "All questions")), h("h2", {}, one.title),
      h("div.prose", { html: one.answer }), h("details", {}, h("summary", {}, "Method and tables"), h("div.prose", { html: one.rest })),
      h("p.quiet", {}, `The page with its figures: docs/questions/${one.name}.md`));
  place.replaceChildren(h("h2", {}, "Questions people ask"), ...questions.map((q) => h("section", {},
    h("h3", {}, h("a", { href: report.href("questions", { name: q.name }) }, q.title)), h("div.prose", { html: q.answer }))));
};

report.views.findings = async (place, params) => {
  const { findings } = await report.load("reading");
  place.replaceChildren(h("h2", {}, "Findings: what libraries do that their users do not expect"),
    ...findings.list.map((f, i) => h("section", { id: `finding-${i + 1}` }, h("h3", {}, h("span", { html: f.title })),
      h("p", {}, h("a", { href: report.href("findings", { n: i + 1 }), "aria-label": `Link to finding ${i + 1}` }, "Link to this finding")),
      h("div.prose", { html: f.text }))),
    findings.introduction ? h("details", {}, h("summary", {}, "How these were found and ranked"), h("div.prose", { html: findings.introduction })) : "");
  document.getElementById(`finding-${params.n}`)?.scrollIntoView();
};

report.views.claims = async (place, params, go) => {
  const { claims } = await report.load("reading");
  place.replaceChildren(h("h2", {}, "Claims: statements in circulation, measured"), h("p", {}, "Each verdict follows from what the named lines returned."));
  const table = h("div"), columns = Object.keys(claims[0] ?? {}).filter((name) => !["table", "line"].includes(name));
  place.append(table);
  report.listing(table, {
    caption: "Claims", rows: claims.map((c, i) => ({ ...c, _place: i })), state: params, keep: (s) => go("claims", s, null),
    filters: [{ key: "verdict", label: "Verdict", of: (r) => r.verdict }],
    saved: { name: "claims-rows.csv", columns, rows: (rows) => rows },
    columns: [
      { key: "claim", label: "claim", value: (r) => rowed(r.table, r.line, r.id || r.claim), sort: (r) => r._place },
      { key: "statement", label: "statement", kind: "text", value: (r) => r.statement },
      { key: "verdict", label: "verdict", value: (r) => r.verdict },
      { key: "measured", label: "measured", kind: "text", value: (r) => r.measured, sort: null },
      { key: "reason", label: "reason", kind: "text", value: (r) => r.reason, sort: null },
      { key: "source", label: "where it circulates", kind: "name", value: (r) => r.source || "common belief" },
    ],
  });
};

const PLACE = "the address from which you have the table";

report.views.cite = (place) => {
  const { citation, tables, version } = report.core;
  const day = citation["date-released"];
  const entry = report.bibtex("xent-harness", { title: `{${citation.title}}`, author: "{The harness authors}", publisher: "xent-harness",
    version: citation.version || version, year: day.slice(0, 4), date: day, url: citation["repository-code"] || PLACE });
  const rows = Object.entries(tables).map(([name, told]) => ({ name, ...told }));
  place.replaceChildren(h("h2", {}, "How to cite"),
    h("p", {}, "Cite the version, the table and its row. The first digits of a table’s sources name the code that measured it; they change when a measurement may change, and not with a text."),
    h("h3", {}, "The data set"), h("pre", { tabindex: 0 }, h("code", {}, entry)),
    h("p", {}, h("button", { type: "button", onclick: () => report.save("xent-harness.bib", entry + "\n", "text/plain") }, "Save the BibTeX entry")),
    h("h3", {}, "A row"), h("p", {}, "Open it from its card, the atlas, the systems or the rows: it says how it is cited, and saves as CSV with every digit. With its identifier ", h("code", {}, "harness cite ID"), " prints the row, what it was measured with, a line to paste below a table, a BibTeX entry, and the command that measures it again."),
    h("h3", {}, "What to write below a table"),
    h("p", {}, "Format, targets, grid and basis of each figure: ≥ for the largest error of a sample, ⊆ for a safe range on a sample; without these marks every input was visited. Inputs are exact as C99 hex floats."),
    h("h3", {}, "Tables and what measured them"),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Tables" }, h("table", {},
      h("thead", {}, h("tr", {}, ["table", "rows", "what it answers", "version", "sources", "SHA-256 of the CSV"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, rows.map((t) => h("tr", {}, h("td", {}, h("a", { href: report.href("rows", { table: t.name }) }, t.name)), h("td", {}, String(t.rows)), h("td.text", {}, t.title), h("td", {}, t.version), h("td", {}, h("code", {}, t.sources)), h("td", {}, h("code", {}, t.sha256.slice(0, 16)))))))));
};
