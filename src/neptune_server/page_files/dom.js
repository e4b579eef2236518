// Elements, texts and tables.
import { formatNumber } from "/charts.js";

export const find = (id) => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function note(text) {
  return make("p", { className: "note", textContent: text });
}

export function options(select, entries, value) {
  const texts = entries.map(([key, text]) => `${key}\n${text}`).join("\n\n");
  if (select.dataset.texts !== texts) {
    select.dataset.texts = texts;
    select.replaceChildren(...entries.map(([key, text]) => make("option", { value: key, textContent: text })));
  }
  select.value = value ?? "";
}

export function date(milliseconds) {
  return new Date(milliseconds).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
}

export function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function text(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return formatNumber(value);
  return Array.isArray(value) ? value.join(", ") : String(value);
}

// A table that is wider or longer than its place, to be scrolled by keyboard too.
export function scroller(name, table) {
  const made = make("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
  made.setAttribute("aria-label", name);
  return made;
}

// Rows that are drawn anew: whoever was at one of them with the keyboard stays there.
export function keepFocus(draw) {
  const key = document.activeElement?.dataset?.key;
  draw();
  if (key && document.activeElement?.dataset?.key !== key) {
    document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
}

// Only the newest of several draws that wait for the server may finish.
export function newest() {
  let last = 0;
  return () => {
    last += 1;
    const mine = last;
    return () => mine === last;
  };
}

// ---- tables that sort by a click: `order` is [{name, up}], the first one decides

export function compare(one, other) {
  const [missing, lacks] = [one, other].map((value) => value === null || value === undefined || value === "");
  if (missing || lacks) return { missing: missing - lacks };
  if (typeof one === "number" && typeof other === "number") return { by: one - other };
  return { by: String(one).localeCompare(String(other), undefined, { numeric: true }) };
}

// What lacks a value comes last, whichever way the others are sorted.
export function sorted(rows, order, value) {
  return [...rows].sort((one, other) => {
    for (const { name, up } of order) {
      const { missing, by } = compare(value(one, name), value(other, name));
      if (missing) return missing;
      if (by) return up ? by : -by;
    }
    return 0;
  });
}

export function clicked(order, name, up) {
  const known = order.find((one) => one.name === name);
  const first = known && order[0] === known ? { name, up: !known.up } : { name, up };
  return [first, ...order.filter((one) => one.name !== name)];
}

// A column's head: a button that sorts, and says which way it does.
export function head({ name, label = name, title = name, number = false, key }, order, click) {
  const place = order.findIndex((one) => one.name === name);
  const button = make("button", { type: "button", className: "sort", textContent: label, title });
  button.dataset.key = `sort ${key} ${name}`;
  button.addEventListener("click", () => click(clicked(order, name, !number)));
  const made = make("th", { scope: "col", className: number ? "number" : "" }, button);
  if (place === 0) {
    made.setAttribute("aria-sort", order[0].up ? "ascending" : "descending");
    button.append(make("span", { className: "arrow", textContent: order[0].up ? " ▲" : " ▼", ariaHidden: "true" }));
  }
  return made;
}
