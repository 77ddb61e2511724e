/* The address: #view?key=value&… opens a view, and every choice is written back to it. */
"use strict";
const VIEWS = { choose: "Choose", curves: "Curves", atlas: "Atlas", systems: "Systems", findings: "Findings", questions: "Questions", claims: "Claims", rows: "Rows", cite: "Cite" };

report.address = () => {
  const [view, text = ""] = location.hash.slice(1).split("?");
  return [VIEWS[view] ? view : "choose", Object.fromEntries(new URLSearchParams(text))];
};

/** Go to a view; with `focus` null only the address changes, else what has that id or name is in focus again after it. */
report.go = (view, params, focus) => {
  const address = report.href(view, params);
  if (focus === null) return history.replaceState(null, "", address);
  report.focus = focus;
  if (location.hash === address) report.open();
  else location.hash = address;
};

report.open = async () => {
  const [view, params] = report.address();
  const main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  document.getElementById("views").replaceChildren(...Object.entries(VIEWS).map(([name, label]) =>
    h("li", {}, h("a", { href: `#${name}`, "aria-current": name === view ? "page" : null }, label))));
  const place = h("div");
  const turn = (report.turn = {});
  try {
    main.replaceChildren(place);
    await report.views[view](place, params, report.go);
  } catch (error) {
    place.replaceChildren(h("p", { role: "alert" }, `${error.message}`));
    console.error(error);
  }
  if (report.turn !== turn) return;
  document.title = `${VIEWS[view]} – How wrong is your cross-entropy loss?`;
  main.removeAttribute("aria-busy");
  const focus = report.focus && (document.getElementById(report.focus) ?? main.querySelector(`input[name="${report.focus}"]:checked`));
  if (focus) focus.focus({ preventScroll: true });
  else if (report.opened) scrollTo({ top: 0, behavior: "instant" });
  report.focus = null;
  report.opened = true;
};

report.colours = () => {
  const chosen = localStorage.getItem("theme") ?? "";
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.getElementById("theme").value = chosen;
};

report.begin = async () => {
  report.colours();
  document.getElementById("theme").addEventListener("change", (e) => { localStorage.setItem("theme", e.target.value); report.colours(); report.open(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { report.colours(); report.open(); });
  document.getElementById("skip").addEventListener("click", (e) => { e.preventDefault(); document.getElementById("main").focus(); });
  document.getElementById("link").addEventListener("click", async () => {
    const told = document.getElementById("copied");
    try { await navigator.clipboard.writeText(location.href); told.textContent = "Copied."; }
    catch { told.textContent = location.href; }
  });
  if (!window.DecompressionStream) {
    document.getElementById("main").replaceChildren(h("p", { role: "alert" }, "This browser is too old for this page (it lacks DecompressionStream). The tables are in results/tables."));
    return;
  }
  report.core = await report.load("core");
  addEventListener("hashchange", report.open);
  await report.open();
};
report.begin();
