// What the scripts of the pages share: the rows of the page, numbers as the tables write them, the state in the address.
const T95 = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09];
const one = (selector) => document.querySelector(selector);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const places = (value) => Math.max(0, Math.min(4, 1 - Math.floor(Math.log10(Math.abs(value) || 1))));
const text = (value, digits) => value.toFixed(digits).replace("-", "−");
const state = () => new URLSearchParams(location.hash.slice(1));
async function embedded() {
  const bytes = Uint8Array.from(atob(one("#data").textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}
// Half of the 95 % interval over seeds; null for a single one.
function halfWidth(values) {
  if (values.length < 2) return null;
  const middle = mean(values), deviation = Math.sqrt(mean(values.map((value) => (value - middle) ** 2)) * values.length / (values.length - 1));
  return (T95[values.length - 2] || 1.96) * deviation / Math.sqrt(values.length);
}
// Mean and interval, by default with as many digits as the interval leaves certain.
function estimate(values, fixed) {
  const middle = mean(values), half = halfWidth(values), digits = fixed ?? (half ? Math.max(0, places(half) - 1) : 1);
  return half === null ? text(middle, 1) : `${text(middle, digits)} ± ${text(half, digits)}`;
}
function remember(values, show) {
  const now = state();
  for (const [name, value] of Object.entries(values)) value ? now.set(name, value) : now.delete(name);
  history.replaceState(null, "", "#" + now.toString());
  show();
}
const wordsOf = (name) => (state().get(name) || "").toLowerCase().split(/[\s,]+/).filter(Boolean);
// The data sets that the address chooses, all where it chooses none; a name may hold a comma itself.
function chosenSets(sets) {
  const asked = `,${state().get("sets") || ""},`, found = sets.filter((set) => asked.includes(`,${set.where},`));
  return found.length ? found : sets;
}
// A box to tick for each data set; one at least stays ticked.
function boxes(place, sets, show) {
  for (const set of sets) {
    const box = document.createElement("input"), label = document.createElement("label");
    box.type = "checkbox";
    box.onchange = () => {
      const names = sets.filter((own) => own === set ? box.checked : chosenSets(sets).includes(own)).map((own) => own.where);
      remember({ sets: names.length === sets.length ? "" : names.join(",") || set.where }, show);
    };
    label.append(box, " " + set.title);
    place.append(label);
    set.tick = () => { box.checked = chosenSets(sets).includes(set); };
  }
}
