/* Tables: the atlas, the systems, and every table row by row, each row with its identifier and its raw data. */
"use strict";

const opened = (card, fmt) => h("a", { href: report.href("choose", { input: card.input, format: fmt, what: card.key }) }, report.name(card.name));
const rowed = (table, line, id) => h("a", { href: report.href("rows", { table, row: line }) }, id || `${table} ${line}`);
/** Return texts of which only the number shows until it is opened, so that rows of a table stay low. */
const folded = (texts, what) => (texts.length > 1 ? h("details", {}, h("summary", {}, `${texts.length} ${what}`), list(texts)) : list(texts));
const list = (texts) => (texts.length > 1 ? h("ul", {}, texts.map((t) => h("li", {}, t))) : texts.join(""));
const worst = (found) => found.map((f) => h("div.line", {}, `${f.half ? f.half + ": " : ""}${numbers.signed(f.error)}`));
const rank = (facts) => ["safe", "safe for hard targets", "limited", "unsafe"].indexOf(facts.verdict);

report.views.atlas = (place, params, go) => {
  const rows = report.core.cards.filter((c) => c.kind === "formula").flatMap((card) => Object.entries(card.formats).map(([fmt, facts]) => ({ card, fmt, facts })));
  place.replaceChildren(h("h2", {}, "Atlas: where each formula is safe, and what fails beyond"),
    h("p", {}, "The safe range is for targets 0 and 1. Inside it all is within 4 ulp; outside it, not all that fails is mentioned. A verdict on a loss covers its gradient."));
  const table = h("div");
  place.append(table);
  report.listing(table, {
    caption: "Atlas", rows, state: params, keep: (s) => go("atlas", s, null),
    filters: [{ key: "problem", label: "Problem", of: (r) => r.card.problem }, { key: "format", label: "Format", of: (r) => r.fmt }, { key: "verdict", label: "Verdict", of: (r) => r.facts.verdict }],
    columns: [
      { key: "kernel", label: "kernel", kind: "name", value: (r) => opened(r.card, r.fmt) },
      { key: "problem", label: "problem", value: (r) => r.card.problem },
      { key: "format", label: "format", value: (r) => r.fmt },
      { key: "verdict", label: "verdict", value: (r) => report.badge(r.facts), sort: (r) => rank(r.facts) },
      { key: "safe", label: "safe range", kind: "number", value: (r) => numbers.signed(r.facts.safe), sort: null },
      { key: "usual", label: "largest error, usual range", value: (r) => worst(r.facts.usual), sort: null },
      { key: "instead", label: "use instead", kind: "name", value: (r) => (r.facts.instead ? opened(report.card(`${r.card.problem}/${r.facts.instead}`), r.fmt) : "") },
      { key: "fails", label: "what fails", value: (r) => folded(r.facts.clauses.map(numbers.signed), "statements"), sort: null },
      { key: "id", label: "row", kind: "kept", value: (r) => rowed("atlas", r.facts.line, r.facts.id) },
    ],
  });
};

const FAULTS = { invalid: "NaN or ∞ at", dead: "gradient dies at", off: "gradient off at", plateau: "large loss off at", cancelled: "small loss lost at", faded: "small gradient lost at" };

report.views.systems = (place, params, go) => {
  const rows = report.core.cards.filter((c) => c.kind === "call").flatMap((card) => Object.entries(card.formats).map(([fmt, facts]) => ({ card, fmt, facts })));
  place.replaceChildren(h("h2", {}, "Systems: the losses of real libraries, as users call them"),
    h("p", {}, "A line for each call and format, the worst of its modes. “At” names the nearest round input at which it shows, for targets 0 and 1; empty: at none that was probed."));
  const table = h("div");
  place.append(table);
  const at = (kind) => ({ key: kind, label: FAULTS[kind], kind: "number", value: (r) => r.facts.at?.[kind] ?? "", sort: (r) => (r.facts.at?.[kind] ? Math.abs(Number(r.facts.at[kind].replace("−", "-"))) : "") });
  report.listing(table, {
    caption: "Systems", rows, state: params, keep: (s) => go("systems", s, null),
    filters: [{ key: "library", label: "Library", of: (r) => r.card.library }, { key: "format", label: "Format", of: (r) => r.fmt }, { key: "from", label: "From", of: (r) => r.card.input }, { key: "verdict", label: "Verdict", of: (r) => r.facts.verdict }],
    columns: [
      { key: "library", label: "library", value: (r) => r.card.library },
      { key: "call", label: "call", kind: "call", value: (r) => [opened(r.card, r.fmt), r.card.also ? h("div.quiet", {}, "= ", report.name(r.card.also)) : ""] },
      { key: "from", label: "from", value: (r) => r.card.input },
      { key: "format", label: "format", value: (r) => r.fmt },
      { key: "verdict", label: "verdict", value: (r) => report.badge(r.facts), sort: (r) => rank(r.facts) },
      { key: "safe", label: "safe range", kind: "number", value: (r) => numbers.signed(r.facts.safe ?? ""), sort: null },
      ...Object.keys(FAULTS).map(at),
      { key: "flushed", label: "flushed to 0", kind: "number", value: (r) => String(r.facts.flushed ?? ""), sort: (r) => r.facts.flushed ?? "" },
      { key: "usual", label: "largest error, |x| ≤ 20", value: (r) => worst(r.facts.usual ?? []), sort: null },
      { key: "instead", label: "use instead", kind: "name", value: (r) => (r.card.instead.key ? h("a", { href: report.href("choose", { format: r.fmt, what: r.card.instead.key }) }, report.name(r.card.instead.name)) : "") },
      { key: "id", label: "rows", value: (r) => h("details", {}, h("summary", {}, `${r.facts.rows.length}`), list(r.facts.rows.map(([t, line, target, , id]) => h("span", {}, rowed(t, line, id), target ? ` y = ${target}` : "")))), sort: null },
    ],
  });
};

const SHOWN = ["library", "problem", "kernel", "system", "mode", "format", "target", "claim", "statement", "verdict", "max_basis"];

report.views.rows = async (place, params, go) => {
  const names = Object.keys(report.core.tables);
  const name = names.includes(params.table) ? params.table : "logits";
  const select = h("select", { id: "table", onchange: (e) => go("rows", { table: e.target.value }, "table") }, names.map((n) => h("option", { selected: n === name }, n)));
  const table = await report.table(name);
  const told = report.core.tables[name];
  place.replaceChildren(h("h2", {}, "Rows: every table, with every digit"),
    h("div.controls", {}, h("label", {}, "Table", select), h("button", { type: "button", onclick: () => report.save(`${name}.csv`, table.csv) }, "Save the whole table (CSV)")),
    h("p", {}, `${told.title} ${told.rows} rows.`));
  if (params.row) return one(place, table, name, params.row);
  const contract = table.columns.includes("max_ulp");
  const columns = SHOWN.filter((c) => table.columns.includes(c) && !(c === "kernel" && table.columns.includes("system")));
  const fmt = (r) => report.core.formats[r.format] ?? { precision: 4 };
  const lower = (r, c) => !["every_input", "proved"].includes(r.max_basis) && c !== "";
  const place_ = h("div");
  place.append(place_);
  report.listing(place_, {
    caption: name, rows: table.rows_read, state: params, keep: (s) => go("rows", { table: name, ...s }, null),
    filters: ["library", "problem", "format", "target", "verdict"].filter((c) => table.columns.includes(c)).map((c) => ({ key: c, label: c, of: (r) => r[c] })),
    saved: { name: `${name}-rows.csv`, columns: table.columns, rows: (rows) => rows },
    columns: [
      { key: "id", label: "row", kind: "kept", value: (r) => rowed(name, r._line, r.id), sort: (r) => Number(r._line) },
      ...columns.map((c) => ({ key: c, label: c.replace("max_basis", "basis").replaceAll("_", " "), kind: { statement: "text", kernel: "name", system: "name", max_basis: "kept" }[c], value: (r) => (c === "max_basis" ? r[c].replaceAll("_", " ") : r[c]) })),
      ...(table.columns.includes("usual_max_ulp") ? [{ key: "usual", label: "largest error, usual range", value: (r) => numbers.ulps(r.usual_max_ulp, fmt(r), lower(r)), sort: (r) => (r.usual_max_ulp ? Number(r.usual_max_ulp) : "") }] : []),
      ...(contract ? [
        { key: "max", label: "largest error", value: (r) => numbers.ulps(r.max_ulp, fmt(r), lower(r)), sort: (r) => (r.max_ulp ? Number(r.max_ulp) : "") },
        { key: "at", label: "at input", kind: "number", value: (r) => (r.max_ulp_input ? numbers.short(numbers.from_hex(r.max_ulp_input), { precision: 53 }).slice(0, 12) : ""), sort: (r) => numbers.from_hex(r.max_ulp_input) },
        { key: "safe", label: "safe range", kind: "number", value: (r) => ends(r), sort: null },
        { key: "spurious", label: "NaN, inf, zero, sign", kind: "kept", value: (r) => ["spurious_nan", "spurious_inf", "spurious_zero", "wrong_sign"].map((c) => r[c]).join(", "), sort: null },
      ] : []),
    ],
  });
};

const ends = (r) => (r.safe_lo ? `${r.safe_basis === "every_input" ? "" : "⊆ "}[${numbers.three(String(numbers.from_hex(r.safe_lo)))}, ${numbers.three(String(numbers.from_hex(r.safe_hi)))}]` : r.correctly_rounded ? "none" : "");

/** Show one row: every column, where it comes from, and how it is cited. */
const one = (place, table, name, line) => {
  const row = table.rows_read[Number(line) - 2];
  if (!row) return place.append(h("p", {}, `${name} has no line ${line}.`));
  const told = report.core.tables[name];
  const cite = `${row.id ? `row ${row.id}` : `line ${line}`} of ${name}.csv, harness ${told.version}, sources ${told.sources}`;
  place.append(h("h3", {}, row.id ? `Row ${row.id}` : `Line ${line}`),
    h("p.actions", {},
      h("button", { type: "button", onclick: () => report.save(`${name}-${row.id || line}.csv`, report.csv(table.columns, [row])) }, "Save this row (CSV)"),
      h("button", { type: "button", onclick: () => report.save(`${name}-${row.id || line}.bib`, entry(row, line, name) + "\n", "text/plain") }, "Save its BibTeX entry"),
      h("a", { href: report.href("rows", { table: name }) }, "All rows of this table"), h("a", { href: report.href("cite") }, "How to cite")),
    h("p", {}, "Cite as: ", h("code", {}, cite)),
    h("dl.row", {}, table.columns.filter((c) => row[c] !== "").map((c) => [h("dt", {}, c), h("dd", {}, row[c])])));
};

/** Return the BibTeX entry of a row, the same that `harness cite` prints. */
const entry = (row, line, table) => {
  const { citation, tables, version } = report.core, day = citation["date-released"];
  const named = row.system ? `${row.system} (${row.library}, ${row.mode.replaceAll("_", " ")})` : row.kernel;
  const key = tables[table].key.map((c) => row[c]);
  const what = (key.length ? [table.replaceAll("_", " "), ...key] : [row.problem, named, row.format]).filter((v) => v).join(", ");
  return report.bibtex(`xent-harness:${row.id || `${table}-${line}`}`, {
    title: `{${row.id ? `Row ${row.id}` : `${table}, line ${line}`}${what ? `: ${what}` : ""}}`, author: "{The harness authors}", publisher: "xent-harness",
    version: citation.version || version, year: day.slice(0, 4), date: day, url: citation["repository-code"] || PLACE,
    note: `results/tables/${table}.csv, ${row.id ? `row ${row.id}` : `line ${line}`}; sources ${tables[table].sources}`,
  });
};
