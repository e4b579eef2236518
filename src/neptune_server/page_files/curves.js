// The joint charts of the chosen runs: one series large, the others small, and the hardware.
import { Chart, Group, colourClass, spansDecades } from "/charts.js";
import { find, make, newest, note, options } from "/dom.js";
import { ask } from "/server.js";
import { chosenRuns, colour, keepAddress, label, state } from "/state.js";

const MONITORING = "monitoring/";
const MOST_SMALL = 24;
const steps = new Group();
const minutes = new Group();
const curve = new Chart({ title: "", xLabel: "step", group: steps, large: true });
const legend = make("ul", { className: "legend" });
const small = new Map();
const hardware = new Map();
const logarithmic = { asked: null, series: null }; // asked: what somebody wants for this series
const begin = { names: newest(), curve: newest(), small: newest(), hardware: newest() };

export async function loadSeriesNames() {
  const isNewest = begin.names();
  const runs = chosenRuns();
  const names = await ask("/page/series-names", runs.map((run) => ["id", run.id]));
  if (isNewest()) for (const run of runs) run.series = names[run.id] ?? [];
}

function seriesNames(kind) {
  const names = [...new Set(chosenRuns().flatMap((run) => run.series ?? []))].sort();
  return names.filter((name) => name.startsWith(MONITORING) === (kind === "hardware"));
}

async function lines(name, place) {
  const owners = chosenRuns().filter((run) => run.series?.includes(name));
  const answers = await Promise.all(owners.map((run) => ask("/page/series", { id: run.id, name })));
  return owners.map((run, index) => ({
    label: label(run),
    colour: colour(run),
    points: answers[index].points.map(place),
  }));
}

const byStep = ([step, , value]) => [step, value];

function showSeriesNames() {
  const names = seriesNames("curves");
  if (!names.includes(state.series)) {
    const likely = names.filter((name) => name.endsWith("loss"));
    state.series = likely.find((name) => name.includes("train")) ?? likely[0] ?? names[0] ?? null;
  }
  options(find("series"), names.map((name) => [name, name]), state.series);
}

async function showCurve() {
  const isNewest = begin.curve();
  const name = state.series;
  const drawn = name === null ? [] : await lines(name, byStep);
  if (!isNewest()) return;
  if (logarithmic.series !== name) Object.assign(logarithmic, { series: name, asked: null });
  const box = find("logarithmic");
  box.checked = logarithmic.asked ?? spansDecades(drawn);
  curve.title = name ?? "no series";
  curve.show(drawn, { logarithmic: box.checked });
  legend.replaceChildren(...drawn.map((line) => make("li", {},
    make("span", { className: `swatch ${colourClass(line.colour)}` }), line.label)));
}

// Draw a chart for each name into a place, the charts that are there already among them.
async function showCharts(place, charts, names, isNewest, makeChart, load, nothing) {
  for (const [name, chart] of charts) {
    if (!names.includes(name)) {
      chart.remove();
      charts.delete(name);
    }
  }
  for (const name of names) if (!charts.has(name)) charts.set(name, makeChart(name));
  const figures = names.map((name) => charts.get(name).figure);
  if (!figures.length) place.replaceChildren(note(nothing));
  else if (figures.length !== place.children.length || figures.some((one, index) => one !== place.children[index])) {
    place.replaceChildren(...figures);
  }
  await Promise.all(names.map(async (name) => {
    const drawn = await load(name);
    if (isNewest()) charts.get(name)?.show(drawn, { logarithmic: charts === small && spansDecades(drawn) });
  }));
}

async function showSmall() {
  const isNewest = begin.small();
  const others = seriesNames("curves").filter((name) => name !== state.series).slice(0, MOST_SMALL);
  find("other-series").hidden = !others.length;
  if (!find("other-series").open) return;
  const makeChart = (name) => new Chart({ title: name, xLabel: "step", group: steps });
  await showCharts(find("small-charts"), small, others, isNewest, makeChart, (name) => lines(name, byStep), "No others.");
}

async function showHardware() {
  const isNewest = begin.hardware();
  const makeChart = (name) => new Chart({
    title: name.slice(MONITORING.length), xLabel: "minutes", group: minutes, pauses: true,
  });
  const load = async (name) => {
    const drawn = await lines(name, ([, time, value]) => [time, value]);
    for (const line of drawn) {
      const start = line.points[0]?.[0] ?? 0;
      line.points = line.points.map(([time, value]) => [(time - start) / 60000, value]);
    }
    return drawn;
  };
  await showCharts(find("hardware-charts"), hardware, seriesNames("hardware"), isNewest, makeChart, load,
    "The chosen runs have no series under monitoring/.");
}

export async function showCurves() {
  showSeriesNames();
  await Promise.all([showCurve(), showSmall(), showHardware()]);
}

export function startCurves() {
  find("curve").append(curve.figure, legend);
  find("series").addEventListener("change", (event) => {
    state.series = event.target.value;
    keepAddress();
    showCurve();
    showSmall();
  });
  find("logarithmic").addEventListener("change", (event) => {
    logarithmic.asked = event.target.checked;
    showCurve();
  });
  find("other-series").addEventListener("toggle", showSmall);
}
