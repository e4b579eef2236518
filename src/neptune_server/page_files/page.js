// The page: asks the server for changes, and draws what has been chosen.
import { Chart, colourClass, formatNumber } from "/charts.js";

const POLL_MILLISECONDS = 2000;
const QUIET_POLLS = 5; // a run that stops pinging goes idle without any change of the data
const CHOSEN_AT_FIRST = 6;
const MONITORING = "monitoring/";

const find = (id) => document.getElementById(id);
const state = { runs: [], models: [], chosen: null, series: null, change: null, access: null };
const colours = new Map();
const hardware = new Map();
const curve = new Chart({ title: "", xLabel: "step", large: true });
const legend = make("ul", { className: "legend" });
find("curve").append(curve.figure, legend);

function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// ---- the server

class LoginNeeded extends Error {}

async function ask(path, parameters = {}) {
  const headers = state.access ? { Authorization: `Bearer ${state.access}` } : {};
  const response = await fetch(`${path}?${new URLSearchParams(parameters)}`, { headers });
  if (response.status === 401) throw new LoginNeeded();
  if (!response.ok) throw new Error((await response.json()).title);
  return response.json();
}

async function logIn(event) {
  event.preventDefault();
  const response = await fetch("/api/backend/v1/exchangeApiToken", {
    headers: { "X-Neptune-Api-Token": find("token").value.trim() },
  });
  if (!response.ok) {
    say("This is not the server's token.", true);
    return;
  }
  state.access = (await response.json()).accessToken;
  find("token").value = "";
  find("login").hidden = true;
  state.change = null;
  poll();
}

function say(text, lost = false) {
  const status = find("status");
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("lost", lost);
}

let polls = 0;
let shown = "";
let busy = false;

async function poll() {
  if (busy || document.hidden || !find("login").hidden) return;
  busy = true;
  try {
    const { change } = await ask("/page/change");
    polls += 1;
    if (change !== state.change || polls % QUIET_POLLS === 0) {
      const summary = await ask("/page/summary");
      const text = JSON.stringify(summary);
      if (text !== shown) {
        Object.assign(state, summary);
        await show();
        shown = text;
      }
    }
    const count = state.runs.length;
    say(`${count} ${count === 1 ? "run" : "runs"}; follows the server`);
  } catch (error) {
    if (error instanceof LoginNeeded) {
      find("login").hidden = false;
      say("This page asks for the server's token.");
    } else {
      say(`The server does not answer (${error.message}); trying again.`, true);
    }
  } finally {
    busy = false;
  }
}

// ---- what is chosen, kept in the address

function readAddress() {
  const kept = new URLSearchParams(location.hash.slice(1));
  if (kept.has("runs")) state.chosen = new Set(kept.get("runs").split(",").filter(Boolean));
  state.series = kept.get("series");
  // the client prints addresses such as /workspace/project/e/RUN-1
  // and /workspace/project/m/MODEL/v/MODEL-1
  const [, , , kind, first, , version] = location.pathname.split("/");
  if (kind === "e" && first && !state.chosen) state.chosen = new Set([first]);
  state.fieldsOf = (kind === "m" && version) || first || null;
}

function keepAddress() {
  const kept = new URLSearchParams({ runs: [...state.chosen].join(","), series: state.series ?? "" });
  history.replaceState(null, "", `#${kept}`);
}

function chosenRuns() {
  return state.runs.filter((run) => state.chosen.has(run.shortId)).reverse();
}

function colour(run) {
  if (!colours.has(run.shortId)) {
    const used = new Set(chosenRuns().map((other) => colours.get(other.shortId)));
    let index = 0;
    while (used.has(index)) index += 1;
    colours.set(run.shortId, index);
  }
  return colours.get(run.shortId);
}

function label(run) {
  return run.name && run.name !== run.shortId ? `${run.name} (${run.shortId})` : run.shortId;
}

// ---- drawing

async function show() {
  state.chosen ??= new Set(state.runs.slice(0, CHOSEN_AT_FIRST).map((run) => run.shortId));
  for (const run of chosenRuns()) colour(run);
  const names = await ask("/page/series-names", chosenRuns().map((run) => ["id", run.id]));
  for (const run of chosenRuns()) run.series = names[run.id] ?? [];
  showRuns();
  showModels();
  showSeriesNames();
  showFieldOwners();
  await Promise.all([showCurve(), showHardware(), showFields()]);
}

function showRuns() {
  const wanted = find("find").value.toLowerCase();
  const rows = state.runs.filter((run) => [run.shortId, run.name, run.project, ...(run.tags ?? [])]
    .some((text) => text?.toLowerCase().includes(wanted)));
  const focused = document.activeElement?.dataset?.key;
  find("run-table").tBodies[0].replaceChildren(...rows.map((run) => {
    const box = make("input", { type: "checkbox", checked: state.chosen.has(run.shortId) });
    box.dataset.key = `choose ${run.shortId}`;
    box.setAttribute("aria-label", `choose ${label(run)}`);
    box.addEventListener("change", () => choose(run, box.checked));
    const open = make("button", { type: "button", className: "link", textContent: run.shortId });
    open.dataset.key = `open ${run.shortId}`;
    open.title = "show the fields";
    open.addEventListener("click", () => openFields(run.shortId));
    const swatch = make("span", { className: `swatch ${box.checked ? colourClass(colour(run)) : ""}` });
    const tags = (run.tags ?? []).flatMap((tag) => [make("span", { className: "badge", textContent: tag }), " "]);
    return make("tr", {}, make("td", {}, box), make("td", { className: "short" }, swatch, open),
      make("td", { textContent: run.name }), make("td", {}, runState(run)),
      make("td", { className: "short", textContent: date(run.started) }), make("td", {}, ...tags),
      make("td", { textContent: run.project }));
  }));
  // the rows are new: whoever was at one of them with the keyboard stays there
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  const note = find("no-runs");
  note.hidden = rows.length > 0;
  note.textContent = state.runs.length ? "No run has this in its name, id, tags or project." : "No runs yet.";
}

function runState(run) {
  return make("span", { className: run.state, textContent: run.state });
}

function date(milliseconds) {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
}

function choose(run, chosen) {
  if (chosen) state.chosen.add(run.shortId); else state.chosen.delete(run.shortId);
  if (!chosen) colours.delete(run.shortId);
  keepAddress();
  show();
}

function options(select, entries, value) {
  const texts = entries.map(([key, text]) => `${key}\n${text}`).join("\n\n");
  if (select.dataset.texts !== texts) {
    select.dataset.texts = texts;
    select.replaceChildren(...entries.map(([key, text]) => make("option", { value: key, textContent: text })));
  }
  select.value = value ?? "";
}

function showSeriesNames() {
  const names = [...new Set(chosenRuns().flatMap((run) => run.series))]
    .filter((name) => !name.startsWith(MONITORING)).sort();
  if (!names.includes(state.series)) {
    const likely = names.filter((name) => name.endsWith("loss"));
    state.series = likely.find((name) => name.includes("train")) ?? likely[0] ?? names[0] ?? null;
  }
  options(find("series"), names.map((name) => [name, name]), state.series);
}

async function lines(name, place) {
  const owners = chosenRuns().filter((run) => run.series.includes(name));
  const answers = await Promise.all(owners.map((run) => ask("/page/series", { id: run.id, name })));
  return owners.map((run, index) => ({
    label: label(run),
    colour: colour(run),
    points: answers[index].points.map(place),
  }));
}

async function showCurve() {
  const name = state.series;
  const drawn = name === null ? [] : await lines(name, ([step, , value]) => [step, value]);
  curve.title = name ?? "no series";
  curve.show(drawn, { logarithmic: find("logarithmic").checked });
  legend.replaceChildren(...drawn.map((line) => make("li", {},
    make("span", { className: `swatch ${colourClass(line.colour)}` }), line.label)));
}

async function showHardware() {
  const names = [...new Set(chosenRuns().flatMap((run) => run.series))]
    .filter((name) => name.startsWith(MONITORING)).sort();
  for (const name of [...hardware.keys()]) if (!names.includes(name)) hardware.delete(name);
  for (const name of names) {
    if (!hardware.has(name)) {
      hardware.set(name, new Chart({ title: name.slice(MONITORING.length), xLabel: "minutes" }));
    }
  }
  const place = find("hardware-charts");
  const figures = names.map((name) => hardware.get(name).figure);
  if (figures.length !== place.children.length || figures.some((figure, index) => figure !== place.children[index])) {
    place.replaceChildren(...figures);
  }
  if (!names.length) place.replaceChildren(make("p", { className: "note", textContent: "The chosen runs have no series under monitoring/." }));
  await Promise.all(names.map(async (name) => {
    const drawn = await lines(name, ([, time, value]) => [time, value]);
    for (const line of drawn) {
      const start = line.points[0]?.[0] ?? 0;
      line.points = line.points.map(([time, value]) => [(time - start) / 60000, value]);
    }
    hardware.get(name)?.show(drawn);
  }));
}

function showModels() {
  const place = find("model-tables");
  if (!state.models.length) {
    place.replaceChildren(make("p", { className: "note", textContent: "No models yet." }));
    return;
  }
  const focused = document.activeElement?.dataset?.key;
  place.replaceChildren(...state.models.map(modelTable));
  if (focused?.startsWith("version")) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function modelTable(model) {
  const isNumber = (name) => model.versions.some((version) => typeof version.values[name] === "number");
  const names = [...new Set(model.versions.flatMap((version) => Object.keys(version.values)))]
    .sort((a, b) => isNumber(a) - isNumber(b) || a.localeCompare(b));
  const head = make("tr", {}, make("th", { scope: "col", textContent: "Version" }),
    make("th", { scope: "col", textContent: "Stage" }), ...names.map((name) =>
      make("th", { scope: "col", textContent: shortName(name), title: name, className: isNumber(name) ? "number" : "" })),
    make("th", { scope: "col", textContent: "Made" }));
  const rows = model.versions.map((version) => {
    const open = make("button", { type: "button", className: "link", textContent: version.shortId, title: "show the fields" });
    open.dataset.key = `version ${version.shortId}`;
    open.addEventListener("click", () => openFields(version.shortId));
    return make("tr", {}, make("td", {}, open),
      make("td", {}, make("span", { className: `badge ${version.stage}`, textContent: version.stage })),
      ...names.map((name) => {
        const value = version.values[name];
        return make("td", {
          className: isNumber(name) ? "number" : "",
          textContent: value === undefined ? "" : typeof value === "number" ? formatNumber(value) : String(value),
        });
      }), make("td", { className: "short", textContent: date(version.started) }));
  });
  return make("div", { className: "versions" }, make("h3", { textContent: label(model) }),
    model.versions.length
      ? scroller(`versions of ${label(model)}`, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)))
      : make("p", { className: "note", textContent: "No versions yet." }));
}

// A table that is wider or longer than its place, to be scrolled by keyboard too.
function scroller(name, table) {
  const made = make("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
  made.setAttribute("aria-label", name);
  return made;
}

function shortName(name) {
  return name.startsWith("model/") ? name.slice("model/".length) : name;
}

function owners() {
  return [...state.runs, ...state.models.flatMap((model) => [...model.versions, model])];
}

function showFieldOwners() {
  const all = owners();
  if (!all.some((owner) => owner.shortId === state.fieldsOf)) state.fieldsOf = all[0]?.shortId ?? null;
  options(find("fields-of"), all.map((owner) => [owner.shortId, label(owner)]), state.fieldsOf);
}

async function showFields() {
  const owner = owners().find((one) => one.shortId === state.fieldsOf);
  const fields = owner ? await ask("/page/fields", { id: owner.id }) : [];
  find("field-table").tBodies[0].replaceChildren(...fields.map((field) =>
    make("tr", {}, make("td", { textContent: field.name }), make("td", { textContent: fieldText(field) }))));
}

function fieldText({ type, value, size }) {
  if (type === "file" || type === "fileSet") {
    return `${type === "file" ? "file" : "files"}, ${formatNumber(size ?? 0)} bytes`;
  }
  if (type === "datetime") return new Date(value).toLocaleString();
  if (Array.isArray(value)) return value.join(", ");
  return value === null || value === undefined ? "" : String(value);
}

async function openFields(shortId) {
  state.fieldsOf = shortId;
  showFieldOwners();
  await showFields();
  find("fields-of").focus();
  find("fields").scrollIntoView();
}

// ---- start

find("login").addEventListener("submit", logIn);
find("find").addEventListener("input", showRuns);
find("none").addEventListener("click", () => {
  state.chosen.clear();
  colours.clear();
  keepAddress();
  show();
});
find("series").addEventListener("change", (event) => {
  state.series = event.target.value;
  keepAddress();
  showCurve();
});
find("logarithmic").addEventListener("change", showCurve);
find("fields-of").addEventListener("change", (event) => {
  state.fieldsOf = event.target.value;
  showFields();
});
document.addEventListener("visibilitychange", poll);
readAddress();
poll();
setInterval(poll, POLL_MILLISECONDS);
