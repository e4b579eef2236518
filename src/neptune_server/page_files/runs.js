// The table of runs: found by words, sorted by a click, with columns of any field.
import { colourClass } from "/charts.js";
import { date, duration, find, head, keepFocus, make, sorted, text } from "/dom.js";
import { ask } from "/server.js";
import { choose, colour, keepAddress, label, state } from "/state.js";

const ROWS = 100; // that are drawn at first, and more by a click each time
let shownRows = ROWS;
// What columns show where nobody has chosen any: by what a run that was pushed after its end tells
// itself apart, and without that the parameter that is varied most.
const EXPERIMENT = "run/experiment";
const DIFFERING = "run/differing_settings";
const USUAL = /(^|\/)(parameters|params|settings|hyperparameters|config)\/(.*\/)?(learning[-_]rate|lr)$/;
const values = new Map(); // of the chosen columns, by the runs' ids

const FIXED = [
  { name: "run", label: "Run", value: (run) => run.shortId, cell: runCell },
  { name: "name", label: "Name", value: (run) => run.name, cell: (run) => run.name },
  { name: "state", label: "State", value: (run) => run.state, cell: stateCell },
  { name: "started", label: "Started", number: true, short: true,
    value: (run) => run.started, cell: (run) => date(run.started) },
  { name: "duration", label: "Duration", title: "duration; without pauses, if the run states its working time",
    number: true, short: true, value: milliseconds,
    cell: (run) => milliseconds(run) === null ? "" : duration(milliseconds(run)) },
  { name: "tags", label: "Tags", value: (run) => run.tags.join(" "), cell: tagsCell },
  { name: "project", label: "Project", value: (run) => run.project, cell: (run) => run.project },
];
let redraw = () => {};
let open = () => {};

// Of a run that was pushed without its end nobody knows how long it took.
function milliseconds(run) {
  return run.worked ?? (run.ended === null ? null : run.ended - run.started);
}

function runCell(run) {
  const chosen = state.chosen.has(run.shortId);
  const button = make("button", { type: "button", className: "link", textContent: run.shortId });
  button.dataset.key = `open ${run.shortId}`;
  button.title = "show the fields";
  button.addEventListener("click", () => open(run.shortId));
  return [make("span", { className: `swatch ${chosen ? colourClass(colour(run)) : ""}` }), button];
}

function stateCell(run) {
  return make("span", { className: run.state, textContent: run.state });
}

function tagsCell(run) {
  return run.tags.flatMap((tag) => [make("span", { className: "badge", textContent: tag }), " "]);
}

function columns() {
  return [...FIXED, ...state.columns.map((name) => {
    const known = values.get(name) ?? {};
    const number = Object.values(known).some((value) => typeof value === "number");
    const value = (run) => known[run.id];
    return { name: `field ${name}`, label: name.split("/").at(-1), title: name, number, value,
      cell: (run) => text(value(run)) };
  })];
}

// A run is found if each word is part of its name, id, tags, project, state or shown columns.
function matches(words, all) {
  return (run) => {
    const found = all.map(({ value }) => String(value(run) ?? "")).join("\n").toLowerCase();
    return words.every((word) => found.includes(word));
  };
}

export function showRuns() {
  const all = columns();
  const words = find("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  let runs = words.length ? state.runs.filter(matches(words, all)) : state.runs;
  if (state.order.length) {
    const by = new Map(all.map((column) => [column.name, column.value]));
    runs = sorted(runs, state.order, (run, name) => by.get(name)?.(run));
  }
  const table = find("run-table");
  keepFocus(() => {
    const heads = all.map((column) => {
      const made = head({ ...column, key: "runs" }, state.order, (order) => {
        state.order = order;
        showRuns();
      });
      if (column.name.startsWith("field ")) made.append(removeButton(column.title));
      return made;
    });
    table.tHead.rows[0].replaceChildren(table.tHead.rows[0].cells[0], ...heads);
    table.tBodies[0].replaceChildren(...runs.slice(0, shownRows).map((run) => row(run, all)));
  });
  const note = find("no-runs");
  note.hidden = runs.length > 0;
  note.textContent = state.runs.length ? "No run has this in its columns." : "No runs yet.";
  const more = find("more-runs");
  more.hidden = runs.length <= shownRows;
  more.textContent = `Show more (${shownRows} of ${runs.length} are shown)`;
}

// One run that cannot be drawn is a row that says so, and no empty page.
function row(run, all) {
  try {
    const box = make("input", { type: "checkbox", checked: state.chosen.has(run.shortId) });
    box.dataset.key = `choose ${run.shortId}`;
    box.setAttribute("aria-label", `choose ${label(run)}`);
    box.addEventListener("change", () => {
      choose(run, box.checked);
      redraw();
    });
    return make("tr", {}, make("td", {}, box), ...all.map((column) => make("td", {
      className: `${column.number ? "number" : ""} ${column.short ? "short" : ""}`,
    }, ...[column.cell(run)].flat())));
  } catch (error) {
    return make("tr", {}, make("td"), make("td", { colSpan: all.length, textContent: `${run.shortId}: ${error.message}` }));
  }
}

function removeButton(name) {
  const button = make("button", { type: "button", className: "remove", textContent: "×", title: `remove ${name}` });
  button.setAttribute("aria-label", `remove the column ${name}`);
  button.addEventListener("click", () => {
    state.columns = state.columns.filter((other) => other !== name);
    state.columnsChosen = true;
    state.order = state.order.filter((one) => one.name !== `field ${name}`);
    keepAddress();
    showRuns();
  });
  return button;
}

export async function loadColumns() {
  if (!state.columnsChosen && !state.columns.length && state.runs.length) {
    const names = await ask("/page/names");
    const usual = names.includes(DIFFERING) ? [DIFFERING] : names.filter((name) => USUAL.test(name)).slice(0, 1);
    state.columns = names.includes(EXPERIMENT) ? [EXPERIMENT, ...usual] : usual;
    state.columnsChosen = true;
  }
  await Promise.all(state.columns.map(async (name) => {
    values.set(name, await ask("/page/column", { name }));
  }));
}

async function addColumn() {
  const name = find("column").value.trim();
  const known = [...find("field-names").options].some((option) => option.value === name);
  if (!known || state.columns.includes(name)) return;
  find("column").value = "";
  state.columns.push(name);
  state.columnsChosen = true;
  keepAddress();
  await loadColumns();
  showRuns();
}

async function offerNames() {
  const names = await ask("/page/names");
  find("field-names").replaceChildren(...names.map((name) => make("option", { value: name })));
}

export function startRuns(draw, openFields) {
  redraw = draw;
  open = openFields;
  find("find").addEventListener("input", () => {
    shownRows = ROWS;
    showRuns();
  });
  find("more-runs").addEventListener("click", () => {
    shownRows += ROWS;
    showRuns();
  });
  find("column").addEventListener("focus", offerNames);
  find("column").addEventListener("change", addColumn);
}
