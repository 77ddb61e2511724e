/* The page's data: each file is a script that hands in a name and compressed JSON, loaded when it is first needed. */
"use strict";
const report = { core: null, views: {}, asked: {}, given: {} };

report.receive = (name, packed) => report.given[name](packed);

/** Return a promise of the value in data/NAME.js; the file is read once. */
report.load = (name) => {
  report.asked[name] ??= new Promise((resolve, reject) => {
    report.given[name] = (packed) => resolve(report.unpacked(packed));
    report.script(`data/${name}.js`).catch(reject);
  });
  return report.asked[name];
};

/** Return a promise that a script was loaded. */
report.script = (address) => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = address;
  script.onload = resolve;
  script.onerror = () => reject(new Error(`${address} could not be loaded; make the report again`));
  document.head.append(script);
});

/** Return the value of JSON in gzip in base64. */
report.unpacked = (packed) => {
  const stream = new Blob([report.bytes(packed)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
};

report.bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

report.has = (name) => report.core.data.includes(name);

/** Return rows of CSV as arrays of cells, its header first. */
report.cells = (csv) => {
  const rows = [];
  let row = [], cell = "", quoted = false;
  for (let i = 0; i < csv.length; i++) {
    const c = csv[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (csv[i + 1] === '"') { cell += c; i++; }
      else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === ",") { row.push(cell); cell = ""; }
    else if (c === "\n") { row.push(cell); rows.push(row); row = []; cell = ""; }
    else cell += c;
  }
  return rows;
};

/** Return a promise of a table: its columns, its rows as objects, each with the number of its line in the CSV. */
report.table = async (name) => {
  const held = await report.load(`table.${name}`);
  if (!held.rows_read) {
    const [columns, ...cells] = report.cells(held.csv);
    held.columns = columns;
    held.rows_read = cells.map((row, i) => ({
      ...Object.fromEntries(columns.map((c, j) => [c, row[j]])), _line: String(i + 2), _table: name,
    }));
  }
  return held;
};

/** Write rows as CSV. */
report.csv = (columns, rows) => {
  const cell = (v) => (/[",\n]/.test(v) ? `"${v.replaceAll('"', '""')}"` : v);
  return [columns, ...rows.map((r) => columns.map((c) => r[c] ?? ""))].map((r) => r.map(String).map(cell).join(",")).join("\n") + "\n";
};

/** Let the reader save a text as a file. */
report.save = (name, text, type = "text/csv") => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

/** Return a name that may be broken behind its points, underscores and brackets, and nowhere else. */
report.name = (text) => text.split(/(?<=[._(])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));

/** Return a BibTeX entry, as `harness cite` prints it: {field: text}, of which empty ones are left out. */
report.bibtex = (key, fields) => [`@dataset{${key},`, ...Object.entries(fields).filter(([, v]) => v).map(([name, v]) => `  ${name.padEnd(9)} = {${v.replaceAll(/[_%&]/g, "\\$&")}},`), "}"].join("\n");

/** Make an element: h("p.quiet", {id: "a"}, "text", child, [more]); an attribute on… is a listener. */
const h = (what, attributes = {}, ...children) => {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "html") element.innerHTML = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== ""));
  return element;
};
