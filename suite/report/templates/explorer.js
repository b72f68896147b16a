(async () => {
"use strict";
if (!window.DecompressionStream) return;
const data = await embedded(), costs = data.costs, neurons = Object.fromEntries(data.neurons.map((own) => [own.who, own]));
const WIDTH = 420, HEIGHT = 300, LEFT = 46, RIGHT = 70, TOP = 10, BOTTOM = 34;
const panels = one("#panels"), numbers = one("#numbers");
const element = (tag, attributes, parent, content) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (content !== undefined) made.textContent = content;
  if (parent) parent.append(made);
  return made;
};
const costNow = () => costs.find((own) => own.kind === state().get("cost")) || costs[0];
// The baseline of the page, or whom the reader chose, if that cost was measured of it.
function baseNow(cost) {
  const asked = state().get("baseline");
  return cost.ratios[asked] ? asked : cost.ratios[data.baseline] ? data.baseline : Object.keys(cost.ratios)[0];
}
// Those that are shown of a data set: accuracy and cost, each as [middle, low, high].
function points(set, cost, base, words) {
  const unit = cost.ratios[base][0];
  return data.neurons.filter((own) => set.seeds[own.who] && cost.ratios[own.who] && (!words.length || words.some((word) => own.words.includes(word)))).map((own) => {
    const values = set.seeds[own.who].map((pair) => pair[1]), half = halfWidth(values) || 0, [middle, low, high] = cost.ratios[own.who].map((value) => value / unit);
    return { own, values, y: [mean(values), Math.max(0, mean(values) - half), Math.min(100, mean(values) + half)], x: [middle, low || middle, high || middle] };
  }).filter((point) => point.x[0] > 0);
}
const front = (found) => found.filter((point) => !found.some((other) => other !== point && other.x[0] <= point.x[0] && other.y[0] >= point.y[0] && (other.x[0] < point.x[0] || other.y[0] > point.y[0]))).sort((a, b) => a.x[0] - b.x[0]);
function ticks(low, high) {
  const step = [1, 2, 5, 10, 20, 25].find((own) => (high - low) / own <= 6) || 50, found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
  return found;
}
const DECADES = [0.01, 0.1, 1, 10, 100, 1000];
function factors(low, high) {
  const steps = high / low < 6 ? [1, 1.5, 2, 3, 4, 5, 7] : high / low < 100 ? [1, 2, 5] : [1];
  return DECADES.flatMap((decade) => steps.map((step) => Number((decade * step).toPrecision(2)))).filter((value) => value >= low && value <= high);
}
function panel(set, cost, base, words, marked) {
  const found = points(set, cost, base, words), figure = document.createElement("figure"), best = front(found);
  const caption = document.createElement("figcaption"), title = document.createElement("b");
  title.textContent = `${set.title}. `;
  caption.append(title, found.length ? `On the front: ${best.map((point) => point.own.name).join(", ")}.` : "Nothing that is chosen was measured here.");
  figure.append(caption);
  if (!found.length) return figure;
  const x = [Math.min(...found.map((point) => point.x[1])) / 1.15, Math.max(...found.map((point) => point.x[2])) * 1.15].map(Math.log);
  const reach = [Math.min(...found.map((point) => point.y[1])), Math.max(...found.map((point) => point.y[2]))], room = Math.max(1, (reach[1] - reach[0]) * 0.06);
  const y = [Math.max(0, reach[0] - room), Math.min(100.5, reach[1] + room)];
  const across = (value) => LEFT + (WIDTH - LEFT - RIGHT) * (Math.log(value) - x[0]) / (x[1] - x[0]);
  const up = (value) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - y[0]) / (y[1] - y[0]);
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": `${set.title}: accuracy against ${cost.title}` });
  for (const value of ticks(...y)) {
    element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value), class: "grid" }, svg);
    element("text", { x: LEFT - 5, y: up(value) + 4, "text-anchor": "end" }, svg, `${value} %`);
  }
  for (const value of factors(...x.map(Math.exp))) {
    element("line", { x1: across(value), x2: across(value), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4, class: "axis" }, svg);
    element("text", { x: across(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, svg, value);
  }
  element("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, svg, `${cost.title}, × ${neurons[base].name}`);
  element("path", { d: best.map((point, place) => place ? `H${across(point.x[0])}V${up(point.y[0])}` : `M${across(point.x[0])} ${up(point.y[0])}`).join("") + `H${WIDTH - RIGHT}`, class: "front" }, svg);
  let lowest = -Infinity;
  for (const point of [...found].sort((a, b) => up(a.y[0]) - up(b.y[0]))) {
    const { own } = point, pale = marked.length > 0 && !marked.includes(own.who.toLowerCase());
    const told = `${own.name}: ${estimate(point.values, 1)} %, ${cost.title} ${text(point.x[0], places(point.x[0]))} × ${neurons[base].name}`;
    const group = element("g", { class: pale ? "point pale" : "point", role: "button", tabindex: 0, "aria-label": told, "aria-pressed": marked.includes(own.who.toLowerCase()), style: `color: ${own.colour === "#000000" ? "var(--text)" : own.colour}` }, svg);
    element("title", {}, group, told);
    element("line", { x1: across(point.x[1]), x2: across(point.x[2]), y1: up(point.y[0]), y2: up(point.y[0]) }, group);
    element("line", { x1: across(point.x[0]), x2: across(point.x[0]), y1: up(point.y[1]), y2: up(point.y[2]) }, group);
    element("circle", { cx: across(point.x[0]), cy: up(point.y[0]), r: 4.5 }, group);
    lowest = Math.max(up(point.y[0]) + 4, lowest + 12);
    element("line", { x1: across(point.x[0]), y1: up(point.y[0]), x2: WIDTH - RIGHT + 3, y2: lowest - 4, class: "lead" }, group);
    element("text", { x: WIDTH - RIGHT + 5, y: lowest }, group, own.name);
    const mark = () => { const names = marked.includes(own.who.toLowerCase()) ? marked.filter((who) => who !== own.who.toLowerCase()) : [...marked, own.who.toLowerCase()]; remember({ mark: names.join(",") }, show); };
    group.onclick = mark;
    group.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); mark(); } };
  }
  const least = Math.max(HEIGHT, lowest + 8);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${least}`);
  figure.append(svg);
  return figure;
}
function show() {
  const cost = costNow(), base = baseNow(cost), words = wordsOf("neurons"), marked = wordsOf("mark"), sets = chosenSets(data.sets);
  const focused = document.activeElement.getAttribute && document.activeElement.getAttribute("aria-label");
  panels.replaceChildren(...sets.map((set) => panel(set, cost, base, words, marked)));
  if (focused) [...panels.querySelectorAll(".point")].find((own) => own.getAttribute("aria-label") === focused)?.focus();
  const shown = data.neurons.filter((own) => cost.ratios[own.who] && (!words.length || words.some((word) => own.words.includes(word))));
  const head = document.createElement("tr"), body = document.createElement("tbody");
  for (const title of ["neuron", `${cost.title} (× ${neurons[base].name})`, ...sets.map((set) => `${set.title} (%)`)]) head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: title }));
  for (const own of shown) {
    const row = body.insertRow(), ratio = cost.ratios[own.who][0] / cost.ratios[base][0];
    row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: own.name }));
    for (const entry of [text(ratio, places(ratio)), ...sets.map((set) => set.seeds[own.who] ? estimate(set.seeds[own.who].map((pair) => pair[1]), 1) : "–")]) row.insertCell().textContent = entry;
  }
  numbers.createTHead().replaceChildren(head);
  [...numbers.tBodies].forEach((own) => own.remove());
  numbers.append(body);
  one("#kind").value = cost.kind;
  one("#baseline").value = base;
  if (document.activeElement !== one("#filter")) one("#filter").value = words.join(" ");
  one("#told").textContent = words.length ? `${shown.length} of ${data.neurons.length} neurons` : "";
  data.sets.forEach((set) => set.tick());
}
for (const own of costs) one("#kind").add(new Option(own.title, own.kind));
for (const own of data.neurons) one("#baseline").add(new Option(own.name, own.who));
boxes(one("#sets"), data.sets, show);
one("#sets").hidden = data.sets.length < 2;
one("#kind").onchange = (event) => remember({ cost: event.target.value === costs[0].kind ? "" : event.target.value }, show);
one("#baseline").onchange = (event) => remember({ baseline: event.target.value === data.baseline ? "" : event.target.value }, show);
one("#filter").oninput = (event) => remember({ neurons: event.target.value.trim().split(/[\s,]+/).filter(Boolean).join(",") }, show);
one("#reset").onclick = () => { history.replaceState(null, "", location.pathname + location.search); one("#filter").value = ""; show(); };
addEventListener("hashchange", show);
one("#controls").hidden = false;
show();
})();
