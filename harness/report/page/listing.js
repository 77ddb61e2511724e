/* A table that can be searched, filtered, sorted and paged; what is chosen stands in the address. */
"use strict";
const PAGE_ROWS = 50;

/**
 * Fill `place` with a table of `rows`.
 * columns: {key, label, value(row): text or element, sort(row): text or number, kind: class of its cells}
 * filters: {key, label, of(row): text}; state: what the address says; keep(state): say it there.
 * saved: {name, columns, rows(rows)}: what is saved of the rows that are left.
 */
report.listing = (place, { caption, columns, rows, filters = [], state, keep, saved }) => {
  const chosen = { q: state.q ?? "", sort: state.sort ?? "", page: Number(state.page ?? 0) };
  for (const f of filters) chosen[f.key] = state[f.key] ?? "";
  const body = h("tbody", { role: "rowgroup" }), heads = {}, told = h("p.quiet", { role: "status" });
  const texts = new Map(rows.map((r) => [r, columns.map((c) => report.text(c.value(r))).join(" ").toLowerCase()]));

  const left = () => {
    const words = chosen.q.toLowerCase().split(/\s+/).filter((w) => w);
    const found = rows.filter((r) => words.every((w) => texts.get(r).includes(w)) && filters.every((f) => !chosen[f.key] || f.of(r) === chosen[f.key]));
    const [key, way] = [chosen.sort.replace("-", ""), chosen.sort.startsWith("-") ? -1 : 1];
    const by = columns.find((c) => c.key === key);
    if (!by) return found;
    const value = by.sort ?? ((r) => report.text(by.value(r)));
    return found.map((r) => [value(r), r]).sort(([a], [b]) => way * report.order(a, b)).map(([, r]) => r);
  };
  const update = (changed = true) => {
    const found = left(), pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
    chosen.page = Math.min(chosen.page, pages - 1);
    const shown = found.slice(chosen.page * PAGE_ROWS, (chosen.page + 1) * PAGE_ROWS);
    body.replaceChildren(...shown.map((r) => h("tr", { role: "row" }, columns.map((c) => h(`td${c.kind ? "." + c.kind : ""}`, { role: "cell", "data-label": c.label }, h("div", {}, c.value(r)))))));
    const from = found.length ? chosen.page * PAGE_ROWS + 1 : 0;
    told.textContent = `Rows ${from} to ${from + shown.length - (found.length ? 1 : 0)} of ${found.length}${found.length < rows.length ? `, of ${rows.length} in all` : ""}`;
    for (const [key, th] of Object.entries(heads))
      th.setAttribute("aria-sort", chosen.sort === key ? "ascending" : chosen.sort === `-${key}` ? "descending" : "none");
    order.value = chosen.sort;
    back.disabled = chosen.page === 0;
    on.disabled = chosen.page >= pages - 1;
    if (changed) keep(Object.fromEntries(Object.entries(chosen).filter(([, v]) => v)));
  };
  const order = h("select", { onchange: (e) => { chosen.sort = e.target.value; chosen.page = 0; update(); } },
    h("option", { value: "" }, "as in the table"), columns.filter((c) => c.sort !== null).flatMap((c) => [["", "rising"], ["-", "falling"]].map(([way, told]) => h("option", { value: way + c.key }, `${c.label}, ${told}`))));
  const sort = (key) => { chosen.sort = chosen.sort === key ? `-${key}` : key; chosen.page = 0; update(); };
  const search = h("input", { type: "search", value: chosen.q, oninput: (e) => { chosen.q = e.target.value; chosen.page = 0; update(); } });
  const selects = filters.map((f) => {
    const values = [...new Set(rows.map(f.of))].filter((v) => v);
    const select = h("select", { onchange: (e) => { chosen[f.key] = e.target.value; chosen.page = 0; update(); } },
      h("option", { value: "" }, "all"), values.map((v) => h("option", { value: v, selected: v === chosen[f.key] }, v)));
    return h("label", {}, f.label, select);
  });
  const back = h("button", { type: "button", onclick: () => { chosen.page--; update(); } }, "Previous");
  const on = h("button", { type: "button", onclick: () => { chosen.page++; update(); } }, "Next");
  const head = columns.map((c) => {
    const th = h("th", { scope: "col", role: "columnheader" }, c.sort === null ? c.label : h("button", { type: "button", onclick: () => sort(c.key) }, c.label));
    if (c.sort !== null) heads[c.key] = th;
    return th;
  });
  place.replaceChildren(
    h("div.controls", {}, h("label", {}, "Search", search), selects, h("label", {}, "Sort by", order),
      saved ? h("button", { type: "button", onclick: () => report.save(saved.name, report.csv(saved.columns, saved.rows(left()))) }, "Save these rows (CSV)") : ""),
    told,
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": caption },
      h("table.listing", { role: "table" }, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), body)),
    h("p.actions", {}, back, on));
  update(false);
};

report.text = (value) => (value instanceof Node ? value.textContent : Array.isArray(value) ? value.map(report.text).join(" ") : String(value ?? ""));

/** Order numbers by size, texts by letters, and what is empty last. */
report.order = (a, b) => {
  const empty = (v) => v === "" || v === null || v === undefined || Number.isNaN(v);
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
};
