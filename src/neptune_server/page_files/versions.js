// The models' tables of versions: the best answers first, sorted otherwise by a click.
import { date, find, head, keepFocus, make, note, scroller, sorted, text } from "/dom.js";
import { label, state } from "/state.js";

// What a version is chosen by stands in front: its model, exact match, F1.
const FIRST = [/(^|\/)(model[-_]name|base[-_]model)$/, /(^|\/)exact[-_]match$/, /(^|\/)f1$/];
const SCORES = FIRST.slice(1);
const HASH = /^[0-9a-f]{12,}$/;
let open = () => {};

function rank(name) {
  const place = FIRST.findIndex((pattern) => pattern.test(name));
  return place < 0 ? FIRST.length : place;
}

// By exact match, then F1, the highest first, where there are such; otherwise the newest first.
function firstOrder(names) {
  const found = SCORES.flatMap((pattern) => names.filter((name) => pattern.test(name)).slice(0, 1));
  return [...found, ...(found.length ? [] : ["made"])].map((name) => ({ name, up: false }));
}

function valueOf(version, name) {
  if (name === "version") return version.shortId;
  if (name === "stage") return version.stage;
  return name === "made" ? version.started : version.values[name];
}

function modelTable(model) {
  const isNumber = (name) => model.versions.some((version) => typeof version.values[name] === "number");
  const names = [...new Set(model.versions.flatMap((version) => Object.keys(version.values)))]
    .filter((name) => rank(name) < FIRST.length || isNumber(name) || differs(model.versions, name))
    .sort((a, b) => rank(a) - rank(b) || isNumber(b) - isNumber(a) || a.localeCompare(b));
  const order = state.versionOrder ?? firstOrder(names);
  const sort = (wanted) => {
    state.versionOrder = wanted;
    showModels();
  };
  const key = model.shortId;
  const heads = [
    head({ name: "version", label: "Version", key }, order, sort),
    head({ name: "stage", label: "Stage", key }, order, sort),
    ...names.map((name) => head({ name, label: shortName(name), number: isNumber(name), key }, order, sort)),
    head({ name: "made", label: "Made", number: true, key }, order, sort),
  ];
  const rows = sorted(model.versions, order, valueOf).map((version) => {
    const button = make("button", { type: "button", className: "link", textContent: version.shortId, title: "show the fields" });
    button.dataset.key = `version ${version.shortId}`;
    button.addEventListener("click", () => open(version.shortId));
    return make("tr", {}, make("td", {}, button),
      make("td", {}, make("span", { className: `badge ${version.stage}`, textContent: version.stage })),
      ...names.map((name) => make("td", {
        className: isNumber(name) ? "number" : HASH.test(text(version.values[name])) ? "short" : "",
        textContent: short(text(version.values[name])), title: text(version.values[name]),
      })), make("td", { className: "number", textContent: date(version.started) }));
  });
  const table = () => make("table", {},
    make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  return make("div", { className: "versions" }, make("h3", { textContent: label(model) }),
    model.versions.length ? scroller(`versions of ${label(model)}`, table()) : note("No versions yet."));
}

// A text that all versions share tells none from the others; the fields have it.
function differs(versions, name) {
  return versions.length < 2 || new Set(versions.map((version) => version.values[name])).size > 1;
}

// The beginning of a hash tells it from the others.
function short(value) {
  return HASH.test(value) ? `${value.slice(0, 8)}…` : breakable(value);
}

function shortName(name) {
  return breakable(name.startsWith("model/") ? name.slice("model/".length) : name);
}

// Lines may break where a name has a dash or a slash, and within no word.
function breakable(value) {
  return value.replaceAll("/", "/\u200b");
}

export function showModels() {
  const place = find("model-tables");
  keepFocus(() => place.replaceChildren(
    ...(state.models.length ? state.models.map(modelTable) : [note("No models yet.")]),
  ));
}

export function startModels(openFields) {
  open = openFields;
}
