(async () => {
"use strict";
if (!window.DecompressionStream) return;
const data = await embedded();
const table = one("#table"), bodies = [...table.tBodies], heads = [...table.tHead.rows[0].cells], panel = one("#panel");
const first = bodies.flatMap((body) => [...body.rows].filter((row) => row.dataset.who)), neurons = Object.fromEntries(data.neurons.map((own) => [own.who, own]));
const home = new Map(first.map((row) => [row, row.parentNode]));
const change = (values) => remember(values, show);

// The difference of a neuron from the baseline over their common seeds, with its 95 % interval.
function difference(set, who, base) {
  const other = new Map(set.seeds[base] || []);
  const found = (set.seeds[who] || []).filter(([seed]) => other.has(seed)).map(([seed, value]) => value - other.get(seed));
  if (!found.length || who === base) return "";
  return (mean(found) > 0 ? "+" : "") + estimate(found);
}
function sortKey(who, key) {
  const set = data.sets.find((own) => own.where === key), cost = data.costs.find((own) => own.kind === key);
  if (set) return set.seeds[who] ? mean(set.seeds[who].map((pair) => pair[1])) : null;
  return cost && cost.ratios[who] ? cost.ratios[who][0] : null;
}
function show() {
  const now = state(), base = neurons[now.get("baseline")] ? now.get("baseline") : data.baseline;
  const words = wordsOf("neurons"), sets = chosenSets(data.sets);
  const key = now.get("sort"), head = heads.find((cell) => cell.dataset.key === key), rows = [...first];
  if (head) {
    const sign = head.dataset.better === "↑" ? -1 : 1;
    const value = (row) => sortKey(row.dataset.who, key);
    rows.sort((a, b) => { const [x, y] = [value(a), value(b)]; return x === null || y === null ? (x === null) - (y === null) : sign * (x - y); });
  }
  heads.forEach((cell) => cell === head ? cell.setAttribute("aria-sort", cell.dataset.better === "↑" ? "descending" : "ascending") : cell.removeAttribute("aria-sort"));
  let count = 0;
  for (const row of rows) {
    const own = neurons[row.dataset.who];
    row.hidden = words.length > 0 && !words.some((word) => own.words.includes(word));
    count += !row.hidden;
    (head ? bodies[0] : home.get(row)).append(row);
    heads.forEach((cell, place) => {
      const set = data.sets.find((found) => found.where === cell.dataset.key), cost = data.costs.find((found) => found.kind === cell.dataset.key);
      const field = row.cells[place], below = field.querySelector(".tier");
      field.hidden = cell.hidden = Boolean(set) && !sets.includes(set);
      if (set && below) below.textContent = now.get("baseline") ? difference(set, own.who, base) || "baseline" : below.dataset.text;
      if (cost && cost.ratios[own.who] && cost.ratios[base]) {
        const unit = cost.ratios[base][0], ratio = cost.ratios[own.who].map((value) => value / unit);
        field.querySelector(".value").textContent = now.get("baseline") ? text(ratio[0], places(ratio[0])) + (ratio.length > 1 ? ` (${text(ratio[1], places(ratio[1]))}\u2060–\u2060${text(ratio[2], places(ratio[2]))})` : "") : field.dataset.text;
      }
      if (cost) cell.querySelector(".unit").textContent = `× ${neurons[base].name} ↓`;
    });
  }
  // Sorted, all stand in one list; else each kind under its heading, which goes where none of it is left.
  for (const body of bodies) for (const row of body.querySelectorAll(".kind")) row.hidden = Boolean(head) || [...body.rows].every((own) => own.hidden || own === row);
  if (document.activeElement !== one("#filter")) one("#filter").value = words.join(" ");
  one("#baseline").value = base;
  data.sets.forEach((set) => set.tick());
  one("#told").textContent = words.length ? `${count} of ${first.length} neurons` : "";
  cellPanel(now.get("cell"));
}
// What stands behind one accuracy: its seeds, the learning curve, the settings and the line that makes it again.
function cellPanel(named) {
  const [who, where] = (named || "").split("/"), own = neurons[who], set = data.sets.find((found) => found.where === where);
  const ended = (set && set.seeds[who]) || [], others = (data.cut_off[where] || {})[who] || [];
  panel.hidden = !(own && set && ended.length + others.length);
  panel.replaceChildren();
  if (panel.hidden) return;
  const add = (tag, content, parent = panel) => { const made = document.createElement(tag); made.textContent = content; parent.append(made); return made; };
  add("h3", `${own.name} on ${set.title}`);
  if (ended.length) add("p", "Seeds: " + ended.map(([seed, value]) => `${seed}: ${value.toFixed(2)} %`).join(", "));
  const curve = (data.curves[where] || {})[who] || [];
  if (curve.length > 1) {
    const low = Math.min(...curve), span = Math.max(...curve) - low || 1, points = curve.map((value, step) => `${2 + 196 * step / (curve.length - 1)},${58 - 56 * (value - low) / span}`);
    add("p", `Test accuracy by epoch, ${low.toFixed(1)} to ${(low + span).toFixed(1)} %:`).insertAdjacentHTML("afterend", `<svg viewBox="0 0 200 60" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points.join(" ")}" fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke"/></svg>`);
  }
  for (const [seed, why, values] of others) add("p", `Seed ${seed} did not end (${why}); test accuracy by epoch: ${values.map((value) => value.toFixed(1)).join(", ")} %`);
  add("p", Object.entries(set.settings).map(([name, value]) => `${name}=${value}`).join(", "));
  add("code", `python -m suite run --tasks accuracy --neurons ${who.split(" ")[0]} --datasets ${set.dataset}`, add("p", ""));
  const close = add("button", "Close"); close.type = "button"; close.onclick = () => change({ cell: "" });
}
const button = (content, act, label) => { const made = document.createElement("button"); made.type = "button"; made.append(...content); if (label) made.setAttribute("aria-label", label); made.onclick = act; return made; };
for (const head of heads.slice(1)) head.prepend(button([head.firstChild], () => change({ sort: state().get("sort") === head.dataset.key ? "" : head.dataset.key })));
for (const row of first) heads.forEach((head, place) => {
  const field = row.cells[place], value = field.querySelector(".value"), below = field.querySelector(".tier");
  if (below) below.dataset.text = below.textContent;
  if (value) field.dataset.text = value.textContent;
  const set = data.sets.find((found) => found.where === head.dataset.key);
  if (set && value && (set.seeds[row.dataset.who] || (data.cut_off[set.where] || {})[row.dataset.who])) value.replaceChildren(button([value.textContent], () => change({ cell: `${row.dataset.who}/${set.where}` })));
});
for (const own of data.neurons) one("#baseline").add(new Option(own.name, own.who));
boxes(one("#sets"), data.sets, show);
one("#sets").hidden = data.sets.length < 2;
one("#filter").oninput = (event) => change({ neurons: event.target.value.trim().split(/[\s,]+/).filter(Boolean).join(",") });
one("#baseline").onchange = (event) => change({ baseline: event.target.value === data.baseline ? "" : event.target.value });
one("#reset").onclick = () => { history.replaceState(null, "", location.pathname + location.search); one("#filter").value = ""; show(); };
addEventListener("hashchange", show);
one("#controls").hidden = false;
show();
})();
