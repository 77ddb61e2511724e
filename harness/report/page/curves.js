/* Error curves of up to six formulas or calls, each point exact, and how their errors are distributed. */
"use strict";
const MOST = 6;
const OUTCOMES = [["NaN", "x"], ["infinity", "triangle-up"], ["0 for a number that is not", "circle-open"], ["wrong sign", "diamond-open"], ["finite at a pole", "square-open"]];
// Okabe and Ito's colours, darker on a light ground and lighter on a dark one; dashes tell them apart in grey.
const COLOURS = { light: ["#0072b2", "#c04a00", "#00795a", "#a3487e", "#8a6d00", "#333333"], dark: ["#56b4e9", "#ff9d5c", "#3fd6a8", "#ee9cc8", "#f0e442", "#ffffff"] };
const SYMBOLS = ["circle", "square", "diamond", "cross", "star", "hexagon"]; // of calls, which are points and no curve
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];

report.views.curves = async (place, params, go) => {
  const { problems, formats } = report.core;
  const kinds = Object.keys(problems).filter((p) => Object.keys(formats).some((f) => report.has(`curves.${p}.${f}`) || report.has(`probes.${p}.${f}`)));
  const problem = kinds.includes(params.problem) ? params.problem : kinds.includes("bce_logits") ? "bce_logits" : kinds[0];
  const there = Object.keys(formats).filter((f) => report.has(`curves.${problem}.${f}`) || report.has(`probes.${problem}.${f}`));
  const fmt = there.includes(params.format) ? params.format : there.includes("float32") ? "float32" : there[0];
  const state = { problem, format: fmt, target: problems[problem].target ? params.target ?? "0" : "", what: params.what, at: params.at };
  const say = (changed, focus) => go("curves", { ...state, ...changed }, focus);

  const [swept, probed] = await Promise.all(["curves", "probes"].map((kind) => (report.has(`${kind}.${problem}.${fmt}`) ? report.load(`${kind}.${problem}.${fmt}`) : null)));
  const offered = options(swept, probed, state.target);
  const chosen = picked(params.what, offered, problem);
  const data = chosen.map((id, i) => ({ ...decoded(id, swept, probed, state, problems[problem], formats[fmt]), i }));

  const problemSelect = h("select", { id: "problem", onchange: (e) => say({ problem: e.target.value, at: "", what: chosen.map((c) => c.replace(/^[a-z_]+\/(?=\w+$)/, `${e.target.value}/`)).join("~") }, "problem") },
    kinds.map((k) => h("option", { selected: k === problem }, k)));
  place.replaceChildren(h("h2", {}, "Error curves"),
    h("div.controls", {}, h("label", {}, "Error of", problemSelect),
      report.choice({ name: "format", legend: "in", options: Object.fromEntries(there.map((f) => [f, f])), value: fmt, pick: (v) => say({ format: v, what: chosen.join("~") }, "format") }),
      state.target === "" ? "" : report.choice({ name: "target", legend: "target", options: { 0: "0", 1: "1" }, value: state.target, pick: (v) => say({ target: v, what: chosen.join("~") }, "target") })),
    chooser(offered, chosen, (what) => say({ what: what.join("~") }, null), () => report.open()));
  if (!swept) place.append(h("p", {}, "Curves of formulas are drawn from the sweeps’ summaries, which were not there when this page was made: run make. The points of libraries’ calls, and every figure of the tables, are here all the same."));
  if (!data.length) return place.append(h("p", {}, "Choose at least one."));
  if (!window.Plotly) await report.script("plotly.min.js");
  drawn(place, data, state, problems[problem], formats[fmt], swept, say);
  place.append(await compared(data, state, formats[fmt]));
};

/** Return what can be drawn: formulas, then calls with their modes, each [identifier, label, group]. */
const options = (swept, probed, target) => {
  const formulas = Object.keys(swept?.index ?? {}).map((k) => [k, k, "formulas"]);
  const calls = (probed?.series ?? []).filter(([, , i]) => probed.inputs[i].target === target)
    .map(([name, mode]) => [`${name}@${mode}`, `${name.slice(name.indexOf("/") + 1)} (${mode})`, name.slice(0, name.indexOf("/"))]);
  return [...formulas, ...calls];
};

/** Return which of the offered are asked for; a call without mode is its first; of none the first two formulas. */
const picked = (what, offered, problem) => {
  const ids = offered.map(([id]) => id);
  const asked = (what ?? "").split("~").filter((w) => w).map((w) => {
    const kernel = w.startsWith(`${problem}/`) ? w.slice(problem.length + 1) : w.replace(/^[a-z_]+\/(?=\w+$)/, "");
    return ids.find((id) => id === w || id === kernel) ?? ids.find((id) => id.startsWith(`${w}@`));
  }).filter((w) => w);
  if (what === "") return [];
  return asked.length ? [...new Set(asked)].slice(0, MOST) : ids.slice(0, Math.min(2, ids.length));
};

const chooser = (offered, chosen, keep, redraw) => {
  const groups = offered.reduce((g, o) => ((g[o[2]] ??= []).push(o), g), {});
  const now = new Set(chosen), boxes = [];
  const limit = () => boxes.forEach((b) => { b.disabled = !b.checked && now.size >= MOST; });
  const box = ([id, label]) => {
    const input = h("input", { type: "checkbox", checked: now.has(id), onchange: (e) => {
      e.target.checked ? now.add(id) : now.delete(id);
      limit(); keep([...now]); report.focus = `draw-${id}`; redraw();
    }, id: `draw-${id}` });
    boxes.push(input);
    return h("label", {}, input, h("span", {}, report.name(label)));
  };
  const shown = Object.entries(groups).map(([name, members]) => [h("strong", {}, name), members.map(box)]);
  limit();
  return h("details", { open: report.choosing ?? document.documentElement.clientWidth >= 640, ontoggle: (e) => { report.choosing = e.target.open; } }, h("summary", {}, `Draw up to ${MOST} (${chosen.length} drawn)`),
    h("fieldset", {}, h("legend", {}, "Formulas and library calls"), h("div.many", { tabindex: 0, role: "group", "aria-label": "What to draw" }, shown)));
};

/** Return one curve: inputs, values, exact values, errors, and where they stand. */
const decoded = (id, swept, probed, state, problem, fmt) => {
  const size = fmt.precision === 53 ? 8 : 4, call = id.includes("@");
  let packed, label = id;
  if (call) {
    const [, mode, i, j] = probed.series.find(([n, m, k]) => `${n}@${m}` === id && probed.inputs[k].target === state.target);
    packed = { ...probed.inputs[i], value: probed.values[j] };
    label = `${id.slice(0, id.indexOf("@"))} (${mode})`;
  } else packed = swept.curves[swept.index[id][state.target]];
  const x = numbers.floats(packed.x, size), value = numbers.floats(packed.value, call ? 8 : size), high = numbers.floats(packed.exact, 8);
  const rest = packed.rest ? numbers.floats(packed.rest, 8) : new Float64Array(x.length);
  const envelope = numbers.scaled(packed.envelope), flags = packed.flags ? report.bytes(packed.flags) : null;
  const error = Array.from(value, (v, i) => numbers.error(v, high[i], rest[i], fmt));
  const outcome = Array.from(value, (v, i) => (flags ? flags[i] : flagged(v, high[i], fmt)));
  const at = Array.from(x, (v) => numbers.position(v, problem, fmt));
  return { id, call, label, x, value, high, rest, envelope, error, outcome, at, share: packed.share_top ? [report.bytes(packed.share_top), report.bytes(packed.share_median)] : null };
};

const flagged = (v, exact, fmt) => {
  const rounded = numbers.rounded(exact, fmt);
  if (Number.isNaN(v)) return Number.isFinite(exact) ? 1 : 0;
  if (!Number.isFinite(v)) return Math.abs(rounded) <= fmt.max ? 2 : 0;
  if (!Number.isFinite(exact)) return 16;
  return v === 0 && rounded !== 0 ? 4 : v * exact < 0 ? 8 : 0;
};

/** Return what is told of a point, each a label with its text. */
const told = (curve, i, fmt) => {
  const found = OUTCOMES.filter((_, k) => curve.outcome[i] & (1 << k)).map(([name]) => name);
  const least = curve.high[i] !== 0 && (Math.abs(curve.high[i]) < fmt.least / 2 || curve.high[i] + curve.rest[i] === 0);
  return {
    input: [numbers.short(curve.x[i], fmt), numbers.hex(curve.x[i])],
    computed: [numbers.short(curve.value[i], fmt), numbers.hex(curve.value[i])],
    exact: least ? ["nearer to 0 than half the least number", ""] : [numbers.decimal(curve.high[i], curve.rest[i], fmt.precision === 53 ? 25 : 15), numbers.hex_exact_or_none(curve.high[i], curve.rest[i])],
    error: Number.isNaN(curve.error[i]) ? "" : numbers.ulps(curve.error[i], fmt),
    outcomes: found.join(", "),
    envelope: Number.isNaN(curve.envelope[i]) ? "" : numbers.ulps(curve.envelope[i], fmt),
  };
};
numbers.hex_exact_or_none = (high, rest) => (Number.isFinite(high) ? numbers.hex_exact(high, rest) : "");

const styled = () => {
  const css = getComputedStyle(document.documentElement), of = (name) => css.getPropertyValue(name).trim();
  return { text: of("--text"), quiet: of("--quiet"), line: of("--line"), ground: of("--ground"), colours: COLOURS[document.documentElement.dataset.theme] };
};

const drawn = (place, data, state, problem, fmt, swept, say) => {
  const style = styled(), top = fmt.precision - 1, low = report.core.least_power;
  const clipped = (e) => (Number.isNaN(e) ? null : Math.min(top, Math.max(low, Math.log2(e))));
  const step = 0.07 * (top - low);
  const traces = data.flatMap((curve) => {
    const colour = style.colours[curve.i], text = Array.from(curve.x, (_, i) => hover(curve, i, fmt));
    const line = { x: curve.at, y: curve.error.map(clipped), text, name: curve.label, mode: curve.call ? "markers" : "lines", hovertemplate: "%{text}<extra></extra>",
      line: { color: colour, dash: DASHES[curve.i], width: 2 }, marker: { color: colour, size: 5, symbol: SYMBOLS[curve.i] } };
    const marks = OUTCOMES.map(([name, symbol], k) => {
      const where = [...curve.outcome.keys()].filter((i) => curve.outcome[i] & (1 << k));
      return where.length ? { x: where.map((i) => curve.at[i]), y: where.map(() => top + step * (curve.i + 0.7)), text: where.map((i) => text[i]), name, mode: "markers", hovertemplate: "%{text}<extra></extra>", marker: { symbol, color: colour, size: 7 } } : null;
    }).filter((t) => t);
    return [line, ...marks];
  });
  const every = data.flatMap((c) => c.at.map((a, i) => [a, c.envelope[i]])).filter(([, e]) => !Number.isNaN(e)).sort(([a], [b]) => a - b);
  traces.unshift({ x: every.map(([a]) => a), y: every.map(([, e]) => clipped(e)), mode: "lines", name: "condition envelope", line: { color: style.quiet, width: 1, dash: "dot" }, hoverinfo: "skip" });
  const tens = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14].filter((k) => k * Math.log2(10) <= top - 1 && (top < 20 || top > 30 ? true : k % 2 === 0) && (top < 40 || k % 4 === 0));
  const axis = { color: style.text, gridcolor: style.line, zerolinecolor: style.line, linecolor: style.line, fixedrange: true };
  const yaxis = { ...axis, tickvals: [...(top < 40 ? [-1] : []), ...tens.map((k) => k * Math.log2(10)), top], ticktext: [...(top < 40 ? ["½"] : []), ...tens.map((k) => (k < 4 ? String(10 ** k) : `10<sup>${k}</sup>`)), "no bit right"], range: [low - 0.5, top + step * (data.length + 0.6)], title: { text: "error in ulp", standoff: 5 }, automargin: true };
  const layout = { paper_bgcolor: style.ground, plot_bgcolor: style.ground, font: { color: style.text, size: 12, family: "system-ui, sans-serif" }, showlegend: false, hovermode: "closest", hoverlabel: { align: "left", font: { family: "ui-monospace, monospace", size: 11 } }, margin: { l: 20, r: 10, t: 10, b: 45 } };
  const narrow = document.documentElement.clientWidth < 640;
  const labels = problem.ticks.map((t, i) => [t, problem.labels[i]]).filter(([, label]) => !narrow || !/^−?(10|0\.01|10⁻¹⁶|0\.99|10⁴)$/.test(label));
  const ticks = { ...axis, tickvals: labels.map(([t]) => t), ticktext: labels.map(([, label]) => label), range: problem.limits, title: { text: problem.label } };
  const main = h("div.plot", { role: "img", "aria-label": `Error in ulp along the input, of ${data.map((c) => c.label).join(", ")}; the table below reads it point by point` });
  const beside = data.some((c) => c.share) ? h("div.plot", { role: "img", "aria-label": "Share of the format’s inputs beyond each error; the table below has mean and share correctly rounded" }) : "";
  const plots = h("div.plots", {}, main, beside);
  place.append(h("p.key", {}, data.map((c) => h("span", {}, h("span.swatch", { style: `border-color:${style.colours[c.i]};border-top-style:${c.i ? "dashed" : "solid"}` }), c.label))),
    plots);
  const config = { displayModeBar: false, responsive: true };
  Plotly.newPlot(main, traces, { ...layout, xaxis: ticks, yaxis }, config);
  place.append(h("p.quiet", {}, `The largest error of each step of the axis${swept && !swept.exhaustive ? ", of the inputs sampled (a lower bound)" : ""}; for calls, the error at each round input. Marks above: ${OUTCOMES.map(([n]) => n).join("; ")}. Dotted grey: the condition envelope, a typical cost of an input that is off by half an ulp, to within a factor of two.${data.some((c) => c.share) ? " Beside it, the distribution: which share of the format’s inputs lies in cells whose largest error (thick) and whose median error (thin) is at least so large. Every number counts once, an eighth of a binade is a cell, and a cell without a finite result counts as beyond every error." : ""}`),
    readout(data, state, problem, fmt, main, say));
  if (beside) distribution(beside, main, data, layout, axis, yaxis, style, low, config);
};

const hover = (curve, i, fmt) => {
  const t = told(curve, i, fmt), pair = ([a, b]) => (b ? `${a}  (${b})` : a);
  return [`<b>${curve.label}</b>`, `input    ${pair(t.input)}`, `computed ${pair(t.computed)}`, `exact    ${t.exact[0]}`, t.exact[1] ? `         ${t.exact[1]}` : "", t.error ? `error    ${t.error}` : "", t.outcomes, t.envelope ? `envelope ${t.envelope}` : ""].filter((s) => s).join("<br>");
};

/** Return a slider along the axis with the exact values there: what hovering shows, for keys, fingers and readers. */
const readout = (data, state, problem, fmt, main, say) => {
  const body = h("tbody"), [lo, hi] = problem.limits;
  const show = (at) => body.replaceChildren(...data.map((c) => {
    const near = c.at.reduce((best, a, i) => (Math.abs(a - at) < Math.abs(c.at[best] - at) ? i : best), 0), t = told(c, near, fmt);
    const two = ([a, b]) => h("td", {}, h("span.number", {}, a), b ? [h("br"), h("span.quiet.number", {}, b)] : "");
    return h("tr", {}, h("th", { scope: "row" }, c.label), two(t.input), two(t.computed), two(t.exact), h("td", {}, t.error, t.outcomes ? [t.error ? h("br") : "", t.outcomes] : ""), h("td", {}, t.envelope));
  }));
  const bad = data[0].at.filter((_, i) => data[0].error[i] > 4 || data[0].outcome[i]);
  const start = state.at ? Number(state.at) : bad.reduce((best, a) => (Math.abs(a) < Math.abs(best) ? a : best), bad[0] ?? 0);
  const slider = h("input.slider", { type: "range", id: "at", min: lo, max: hi, step: 0.01, value: start, oninput: (e) => { show(Number(e.target.value)); say({ at: e.target.value }, null); } });
  main.on("plotly_hover", (e) => { slider.value = e.points[0].x; show(e.points[0].x); });
  main.on("plotly_click", (e) => say({ at: e.points[0].x.toFixed(2) }, null));
  show(start);
  return h("section", {}, h("h3", {}, "Exact values"), h("label", {}, "Read the curves along the input", slider),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Exact values" }, h("table.exact", {}, h("thead", {}, h("tr", {}, ["what", "input", "computed", "exact", "error", "envelope"].map((t) => h("th", { scope: "col" }, t)))), body)),
    h("p.actions", {}, h("button", { type: "button", onclick: () => report.save(`curves-${state.problem}-${state.format}.csv`, points(data, state, fmt)) }, "Save the points (CSV)")));
};

const points = (data, state, fmt) => report.csv(["what", "problem", "format", "target", "input", "computed", "exact", "error_ulp", "outcome", "condition_envelope_ulp"],
  data.flatMap((c) => Array.from(c.x, (_, i) => ({ what: c.label, problem: state.problem, format: state.format, target: state.target, input: numbers.hex(c.x[i]), computed: numbers.hex(c.value[i]) || c.value[i],
    exact: numbers.decimal(c.high[i], c.rest[i], fmt.precision === 53 ? 25 : 15).replaceAll("−", "-"), error_ulp: Number.isNaN(c.error[i]) ? "" : c.error[i], outcome: told(c, i, fmt).outcomes, condition_envelope_ulp: Number.isNaN(c.envelope[i]) ? "" : c.envelope[i].toPrecision(3) }))));

const distribution = (plot, main, data, layout, axis, yaxis, style, low, config) => {
  const traces = data.filter((c) => c.share).flatMap((c) => c.share.map((share, median) => ({
    x: Array.from(share, (s) => (100 * s) / 255), y: Array.from(share, (_, k) => low + k), mode: "lines", name: c.label, line: { color: style.colours[c.i], width: median ? 1 : 2.5, dash: DASHES[c.i] },
    hovertemplate: `${c.label}<br>%{x:.1f} % of the inputs in cells<br>whose ${median ? "median" : "largest"} error is<br>at least 2<sup>%{y}</sup> ulp<extra></extra>` })));
  const beside = plot.offsetTop === main.offsetTop;
  Plotly.newPlot(plot, traces, { ...layout, xaxis: { ...axis, range: [-3, 103], title: { text: "share of the inputs, %" } }, yaxis: beside ? { ...yaxis, title: undefined, showticklabels: false } : yaxis }, config);
};

/** Return a table of what is drawn, with the figures of its row: means and shares beside the largest errors. */
const compared = async (data, state, fmt) => {
  const rows = await Promise.all(data.map((c) => (c.call ? of_call(c, state) : of_formula(c, state))));
  const style = styled();
  const cells = data.map((c, i) => {
    const { row, table, facts, card, usual } = rows[i], sampled = row && row.exhaustive !== "true";
    return h("tr", {}, h("th", { scope: "row" }, h("span.swatch", { style: `border-color:${style.colours[c.i]}` }), card ? h("a", { href: report.href("choose", { format: state.format, what: card.key }) }, c.label) : c.label),
      h("td", {}, facts?.verdict ? report.badge(facts) : ""), h("td", {}, usual),
      h("td", {}, row ? numbers.ulps(row.max_ulp, fmt, sampled && row.max_ulp !== "") : ""),
      h("td", {}, row?.mean_ulp ? `${sampled ? "~ " : ""}${numbers.ulps(row.mean_ulp, fmt)}` : ""),
      h("td", {}, row?.correctly_rounded ? `${sampled ? "~ " : ""}${numbers.three(String(100 * Number(row.correctly_rounded)))} %` : ""),
      h("td.number", {}, row ? ends(row) : ""), h("td", {}, row ? rowed(table, row._line, row.id) : ""));
  });
  return h("section", {}, h("h3", {}, `Compared, ${state.problem} in ${state.format}${state.target ? `, target ${state.target}` : ""}`),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Compared" }, h("table", {},
      h("thead", {}, h("tr", {}, ["what", "verdict", "largest error, usual range", "largest error", "mean", "correctly rounded", "safe range", "row"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, cells))));
};

const of_formula = async (curve, state) => {
  const card = report.card(`${state.problem}/${curve.id}`), facts = card?.formats[state.format];
  const sources = (facts?.rows ?? []).filter(([table, , target]) => target === state.target && report.has(`table.${table}`));
  const [table, line] = sources.find(([, , , basis]) => basis === "every_input") ?? sources[0] ?? [];
  const row = table ? (await report.table(table)).rows_read[Number(line) - 2] : null;
  const all = await Promise.all(sources.map(async ([t, l]) => (await report.table(t)).rows_read[Number(l) - 2]));
  const best = all.filter((r) => r.usual_max_ulp).sort((a, b) => (b.exhaustive === "true") - (a.exhaustive === "true") || Number(b.usual_max_ulp) - Number(a.usual_max_ulp))[0];
  return { card, facts, table, row, usual: best ? numbers.ulps(best.usual_max_ulp, report.core.formats[state.format], best.exhaustive !== "true") : "" };
};

const of_call = async (curve, state) => {
  const [key, mode] = curve.id.split("@"), card = report.card(key), library = key.slice(0, key.indexOf("/")), system = key.slice(key.indexOf("/") + 1);
  const row = (await report.table("systems")).rows_read.find((r) => r.library === library && r.system === system && r.mode.replaceAll("_", " ") === mode && r.problem === state.problem && r.format === state.format && r.target === state.target && !r.label_smoothing);
  const usual = row?.near_ulp ? numbers.ulps(row.near_ulp, report.core.formats[state.format], row.exhaustive !== "true") : "";
  return { card, facts: card?.formats[state.format], table: "systems", row, usual };
};
