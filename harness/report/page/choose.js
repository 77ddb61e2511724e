/* The first view: pick what you have, the format, the library or formula; one card says what to expect. */
"use strict";
const INPUTS = { logit: "a logit x", probability: "a probability p", input: "another number" };
const CLASSES = { safe: "safe", "safe for hard targets": "hard", limited: "limited", unsafe: "unsafe" };
const TRAINED = ["bce_logits", "bce"]; // losses that the study of training ran
const BASES = { proved: "proved", every_input: "over every input", search: "found by a search", sample: "on a sample" };
const VERDICTS = {
  safe: "within 4 ulp at every input visited and every tested target",
  "safe for hard targets": "within 4 ulp for targets 0 and 1 at every input visited",
  limited: "close for logits from −20 to 20 and hard targets; read what fails",
  unsafe: "far off for some logit from −20 to 20 and a hard target, in the loss or its gradient",
};

report.card = (key) => report.core.cards.find((c) => c.key === key);

/** Return a link to a view of the page. */
report.href = (view, params = {}) => {
  const text = new URLSearchParams(Object.entries(params).filter(([, v]) => v !== "" && v !== undefined && v !== null)).toString();
  return `#${view}${text ? "?" + text : ""}`;
};

/** Return a verdict as a badge, and in words behind it which half of a loss it is due to. */
report.badge = (facts) => (facts.verdict
  ? [h(`span.verdict.${CLASSES[facts.verdict]}`, {}, facts.verdict), facts.judged.slice(facts.verdict.length)] : facts.judged);

/** Return radio buttons as a group: {name, legend, options: {value: label}, value, pick(value)}. */
report.choice = ({ name, legend, options, value, pick, disabled = [] }) =>
  h("fieldset", {}, h("legend", {}, legend), h("div.options", {}, Object.entries(options).map(([v, label]) =>
    h("label", {}, h("input", { type: "radio", name, value: v, checked: v === value, disabled: disabled.includes(v), onchange: () => pick(v) }), label))));

report.number = (n) => [h("span.number", {}, n.decimal), n.hex ? h("span.quiet.number", {}, ` ${n.hex}`) : ""];

report.views.choose = (place, params, go) => {
  const inputs = Object.fromEntries(Object.entries(INPUTS).filter(([v]) => report.core.cards.some((c) => c.input === v && !c.gradient)));
  const asked = report.card(params.what ?? "");
  const input = asked?.input ?? params.input ?? "logit";
  const cards = report.core.cards.filter((c) => c.input === input && (!c.gradient || c === asked));
  const card = asked ?? cards.find((c) => c.problem.startsWith("bce")) ?? cards[0];
  const fmt = params.format ?? "float32";
  const groups = Object.groupBy ? Object.groupBy(cards, group) : cards.reduce((g, c) => ((g[group(c)] ??= []).push(c), g), {});
  const select = h("select", { id: "what", onchange: (e) => go("choose", { input, format: fmt, what: e.target.value }, "what") },
    Object.entries(groups).map(([label, members]) =>
      h("optgroup", { label }, members.map((c) => h("option", { value: c.key, selected: c === card }, c.also ? `${c.name} = ${c.also}` : c.name)))));
  place.replaceChildren(
    h("div.controls", {},
      report.choice({ name: "input", legend: "I have", options: inputs, value: input, pick: (v) => go("choose", { input: v, format: fmt }, "input") }),
      report.choice({ name: "format", legend: "in", options: Object.fromEntries(Object.keys(report.core.formats).map((f) => [f, f])), value: fmt, pick: (v) => go("choose", { input, format: v, what: card.key }, "format") }),
      h("label", {}, "and compute with the formula or library call", select)),
    report.shown_card(card, fmt));
};
const group = (c) => (c.kind === "call" ? c.library : c.problem.startsWith("bce") ? `formulas of ${c.problem}` : `functions: ${c.problem}`);

/** Return the card of a formula or call in a format. */
report.shown_card = (card, fmt) => {
  const facts = card.formats[fmt];
  const title = h("h2", {}, h("code", {}, report.name(card.name)), ` in ${fmt}`);
  const from = h("p.quiet", {}, card.kind === "call" ? `${card.also ? `The same as ${card.also}. ` : ""}${card.version}, from ${INPUTS[card.input]}` : `A formula of ${card.problem}, from ${INPUTS[card.input]}. Source: ${card.source}`);
  const formula = card.formula ? h("div.formula", { html: card.formula, tabindex: 0, role: "region", "aria-label": "Formula" }) : "";
  if (!facts) return h("article.card", { "aria-live": "polite" }, title, from, formula, h("p", {}, `Not measured in ${fmt}. Measured in: ${Object.keys(card.formats).join(", ")}.`));
  if (!facts.verdict) return h("article.card", { "aria-live": "polite" }, title, from, formula, h("p", {}, report.badge(facts)));
  const problem = report.core.problems[card.problem];
  return h("article.card", { "aria-live": "polite" }, title, from, formula,
    h("p", {}, report.badge(facts), `${facts.verdict === facts.judged ? "" : ";"} ${VERDICTS[facts.verdict] ?? ""}${facts.modes?.length > 1 ? `; the worst of ${facts.modes.join(", ")}` : ""}`),
    h("div.facts", {},
      h("section", {}, h("h3", {}, "Safe range, targets 0 and 1"), h("p.big", {}, range(facts.safe)),
        h("p.quiet", {}, `${card.kind === "call" ? "Loss and gradient within" : "Error within"} 4 ulp, ${BASES[facts.basis] ?? ""}`)),
      h("section", {}, h("h3", {}, "Use instead"), instead(card, facts, fmt)),
      h("section.wide", {}, h("h3", {}, "What fails first, the nearest to the centre"), firsts(facts, card)),
      h("section", {}, h("h3", {}, problem?.input === "probability" ? "Largest error, logits up to 20 in size" : problem?.input === "logit" ? "Largest error where |x| ≤ 20" : "Largest error, usual range"), largest(facts.usual)),
      h("section", {}, h("h3", {}, "Largest error of all inputs"), largest(facts.largest))),
    facts.clauses ? [h("h3", {}, "All that fails"), h("ul", {}, facts.clauses.map((c) => h("li", {}, numbers.signed(c))))] : "",
    facts.reason ? [h("h3", {}, "Why"), h("p", {}, facts.reason)] : "",
    card.notes ? h("p.quiet", {}, card.notes) : "",
    h("p.actions", {},
      h("a", { href: report.href("curves", { problem: card.problem, format: fmt, what: card.key }) }, "Error curve"),
      facts.instead ? h("a", { href: report.href("curves", { problem: card.problem, format: fmt, what: [card.key, other(card, facts).key].join("~") }) }, "Compare with what to use instead") : "",
      card.instead?.key ? h("a", { href: report.href("curves", { problem: card.problem, format: fmt, what: [card.key, card.instead.key].join("~") }) }, "Compare with what to use instead") : "",
      TRAINED.includes(card.problem) ? h("a", { href: report.href("questions", { name: "training" }) }, "Does it matter for training?") : ""),
    sources(facts));
};

const range = (text) => (text === "all" ? "every input" : text === "⊆ all" ? "every input tried" : numbers.signed(text));
const other = (card, facts) => report.card(`${card.problem}/${facts.instead}`);

const instead = (card, facts, fmt) => {
  if (card.kind === "formula") {
    const better = facts.instead ? other(card, facts) : null;
    return better ? [h("p.big", {}, h("a", { href: report.href("choose", { input: card.input, format: fmt, what: better.key }) }, report.name(better.name))), h("p.quiet", {}, better.formats[fmt]?.judged ?? "")]
      : h("p.big", {}, facts.verdict.startsWith("safe") ? "Nothing: this is safe." : "Nothing here has a better verdict.");
  }
  const found = card.instead.key ? report.card(card.instead.key) : null;
  if (!found) return h("p.big", {}, facts.verdict.startsWith("safe") ? "Nothing: this is safe." : "No other call of this library is clearly better.");
  const told = [card.instead.hard ? "for hard targets, of (1 − 2y)x" : "", card.instead.dropped.length ? `where ${card.instead.dropped.join(", ")} is not needed` : "", `judged in ${card.default}`];
  return [h("p.big", {}, h("a", { href: report.href("choose", { format: fmt, what: found.key }) }, report.name(found.name))), h("p.quiet", {}, told.filter((t) => t).join("; "))];
};

const firsts = (facts, card) => {
  if (!facts.firsts.length) return h("p.big", {}, card.kind === "call" ? "No probe shows a failure." : "Nothing beyond 4 ulp was found.");
  const modes = facts.firsts.some((f) => f.mode), halves = facts.firsts.some((f) => f.half), targets = facts.firsts.some((f) => f.target);
  const head = [halves ? "of the" : null, "what comes", targets ? "target" : null, card.input === "probability" ? "at p" : "at x", "computed", "exact", modes ? "mode" : null];
  return h("div.scroll", { tabindex: 0, role: "region", "aria-label": "What fails first" }, h("table", {},
    h("thead", {}, h("tr", {}, head.filter((t) => t !== null).map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, facts.firsts.map((f) => h("tr", {}, [
      halves ? h("td", {}, f.half) : null, h("td", {}, f.what), targets ? h("td", {}, f.target) : null,
      h("td", {}, report.number(f.input)), h("td", {}, report.number(f.computed)), h("td.number", {}, f.exact), modes ? h("td", {}, f.mode) : null])))));
};

const largest = (found) => (found.length ? found.map((f) => [
  h("p.big", {}, f.half ? `${f.half}: ` : "", numbers.signed(f.error)),
  h("p.quiet", {}, `at ${f.input.decimal}${f.target ? `, target ${f.target}` : ""}${f.mode ? `, ${f.mode}` : ""}; ${BASES[f.basis]}`)]) : h("p.big", {}, "not stated"));

/** Return where the figures of a card stand, each row with its identifier and a link that opens it. */
const sources = (facts) => h("details", {}, h("summary", {}, `The ${facts.rows.length} rows behind this card`),
  h("ul", {}, facts.rows.map(([table, line, target, basis, id]) =>
    h("li", {}, h("a", { href: report.href("rows", { table, row: line }) }, id || `${table}, line ${line}`), ` ${id ? table : ""}${target ? `, target ${target}` : ""}${basis ? `, ${BASES[basis]}` : ""}`))));
