// What the page knows, and what is chosen; the latter is kept in the address.

const CHOSEN_AT_FIRST = 6;

export const state = {
  runs: [], models: [], byId: new Map(), chosen: null, series: null, columns: [], columnsChosen: false, order: [],
  versionOrder: null, fieldsOf: null, change: null,
};

const colours = new Map();

export function readAddress() {
  const kept = new URLSearchParams(location.hash.slice(1));
  if (kept.has("runs")) state.chosen = new Set(kept.get("runs").split(",").filter(Boolean));
  state.series = kept.get("series");
  state.columns = kept.getAll("column").filter(Boolean);
  state.columnsChosen = kept.has("column");
  // the client prints addresses such as /workspace/project/e/RUN-1
  // and /workspace/project/m/MODEL/v/MODEL-1
  const [, , , kind, first, , version] = location.pathname.split("/");
  if (kind === "e" && first && !state.chosen) state.chosen = new Set([first]);
  state.fieldsOf = (kind === "m" && version) || first || null;
}

export function keepAddress() {
  const kept = new URLSearchParams({ runs: [...state.chosen].join(","), series: state.series ?? "" });
  // none at all is a choice too
  for (const name of state.columns.length || !state.columnsChosen ? state.columns : [""]) kept.append("column", name);
  history.replaceState(null, "", `#${kept}`);
}

export function take(summary) {
  Object.assign(state, summary);
  state.byId = new Map(state.runs.map((run) => [run.shortId, run]));
  state.chosen ??= new Set(state.runs.slice(0, CHOSEN_AT_FIRST).map((run) => run.shortId));
  for (const run of chosenRuns()) colour(run);
}

export function choose(run, chosen) {
  if (chosen) state.chosen.add(run.shortId); else state.chosen.delete(run.shortId);
  if (!chosen) colours.delete(run.shortId);
  for (const one of chosenRuns()) colour(one);
  keepAddress();
}

export function chooseNone() {
  state.chosen.clear();
  colours.clear();
  keepAddress();
}

// In the order in which they were made.
export function chosenRuns() {
  const found = [...state.chosen].map((name) => state.byId.get(name)).filter(Boolean);
  return found.sort((one, other) => state.runs.indexOf(other) - state.runs.indexOf(one));
}

export function colour(run) {
  if (!colours.has(run.shortId)) {
    const used = new Set([...state.chosen].map((name) => colours.get(name)));
    let index = 0;
    while (used.has(index)) index += 1;
    colours.set(run.shortId, index);
  }
  return colours.get(run.shortId);
}

export function label(one) {
  return one.name && one.name !== one.shortId ? `${one.name} (${one.shortId})` : one.shortId;
}
