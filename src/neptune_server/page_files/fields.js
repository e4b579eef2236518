// The fields of one run, model or version, and those in which the chosen runs differ.
import { formatNumber } from "/charts.js";
import { find, make, newest, options, text } from "/dom.js";
import { ask } from "/server.js";
import { chosenRuns, label, state } from "/state.js";

const MOST_COMPARED = 20;
// what is measured or the server's own differs always; settings are what is looked for
const NOT_COMPARED = /^(sys|monitoring|mirror)\//;
const PARAMETERS = /(^|\/)(parameters|params|settings|hyperparameters|config)\//;
const begin = { fields: newest(), comparison: newest() };

function owners() {
  const chosen = chosenRuns();
  const opened = state.byId.get(state.fieldsOf);
  if (opened && !chosen.includes(opened)) chosen.unshift(opened);
  return [...chosen, ...state.models.flatMap((model) => [...model.versions, model])];
}

export function showFieldOwners() {
  const all = owners();
  if (!all.some((owner) => owner.shortId === state.fieldsOf)) {
    state.fieldsOf = (all[0] ?? state.runs[0])?.shortId ?? null;
  }
  options(find("fields-of"), owners().map((owner) => [owner.shortId, label(owner)]), state.fieldsOf);
}

export async function showFields() {
  const isNewest = begin.fields();
  const owner = owners().find((one) => one.shortId === state.fieldsOf);
  const fields = owner ? await ask("/page/fields", { id: owner.id }) : [];
  if (!isNewest()) return;
  find("field-table").tBodies[0].replaceChildren(...fields.map((field) =>
    make("tr", {}, make("td", { textContent: field.name }), make("td", { textContent: fieldText(field) }))));
}

function fieldText({ type, value, size }) {
  if (type === "file" || type === "fileSet") {
    return `${type === "file" ? "file" : "files"}, ${formatNumber(size ?? 0)} bytes`;
  }
  if (type === "datetime") return new Date(value).toLocaleString();
  if (typeof value === "number") return String(value);
  return text(value);
}

export async function openFields(shortId) {
  state.fieldsOf = shortId;
  showFieldOwners();
  await showFields();
  find("fields-of").focus();
  find("fields").scrollIntoView();
}

export async function showComparison() {
  const isNewest = begin.comparison();
  const runs = chosenRuns().slice(0, MOST_COMPARED);
  const answers = await Promise.all(runs.map((run) => ask("/page/fields", { id: run.id })));
  if (!isNewest()) return;
  const values = answers.map((fields) => new Map(fields.map((field) => [field.name, fieldText(field)])));
  const all = [...new Set(values.flatMap((one) => [...one.keys()]))];
  const wanted = find("all-fields").checked
    ? (name) => !NOT_COMPARED.test(name) : (name) => PARAMETERS.test(name);
  const rows = all.filter(wanted).filter((name) => new Set(values.map((one) => one.get(name))).size > 1).sort();
  const table = find("comparison-table");
  table.tHead.replaceChildren(make("tr", {}, make("th", { scope: "col", textContent: "Parameter" }),
    ...runs.map((run) => make("th", { scope: "col", textContent: label(run) }))));
  table.tBodies[0].replaceChildren(...rows.map((name) => make("tr", {},
    make("th", { scope: "row", textContent: name }),
    ...values.map((one) => make("td", { textContent: one.get(name) ?? "" })))));
  find("comparison-scroll").hidden = !rows.length;
  const note = find("no-comparison");
  note.hidden = rows.length > 0;
  note.textContent = runs.length < 2 ? "Choose two runs or more."
    : "The chosen runs have the same parameters.";
}

export function startFields() {
  find("fields-of").addEventListener("change", (event) => {
    state.fieldsOf = event.target.value;
    showFields();
  });
  find("all-fields").addEventListener("change", showComparison);
}
