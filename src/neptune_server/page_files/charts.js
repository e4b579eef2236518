// Line charts as SVG: small, readable by keyboard, in the page's own colours.

const HEIGHT = { large: 340, small: 180 };
const MARGIN = { top: 12, right: 14, bottom: 38, left: 58 };
const COLOURS = 8;
const MANY_TIMES = 30; // a decade and a half
const PAUSE_TIMES = 5; // as long as points usually are apart

export function colourClass(index) {
  return `c${index % COLOURS}` + (index % (2 * COLOURS) >= COLOURS ? " second" : "");
}

export function formatNumber(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= unit) return trim((value / (unit === 1e4 ? 1e3 : unit)).toPrecision(4)) + letter;
  }
  return size < 1e-3 ? trim(value.toExponential(3)) : trim(value.toPrecision(4));
}

function trim(text) {
  return text.includes(".") ? text.replace(/\.?0+(?=e|$)/, "") : text;
}

function element(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

// Round places on an axis: at most `most`, at multiples of 1, 2 or 5 times a power of ten.
export function ticks(low, high, most) {
  const rough = (high - low) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

// Places on a logarithmic axis: powers of ten, and where there are few, twice and five times those.
function powers(low, high) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const times = last - first <= 3 ? [1, 2, 5] : [1];
  const all = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
    .flatMap((power) => times.map((factor) => factor * power))
    .filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
  if (all.length < 2) return ticks(low, high, 5).filter((value) => value > 0);
  const every = times.length > 1 ? 1 : Math.ceil(all.length / 6);
  return all.filter((_, index) => index % every === 0);
}

// A scale maps values to pixels.
function scale(low, high, from, to, logarithmic) {
  const map = logarithmic ? Math.log10 : (value) => value;
  const factor = (to - from) / (map(high) - map(low));
  return (value) => from + (map(value) - map(low)) * factor;
}

function range(values, { fromZero, logarithmic }) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (fromZero && !logarithmic) { low = Math.min(low, 0); high = Math.max(high, 0); }
  if (low === high) {
    if (logarithmic) return [low / 2, high * 2];
    const room = Math.abs(low) / 2 || 0.5;
    return fromZero && low === 0 ? [0, 1] : [low - room, high + room];
  }
  return [low, high];
}

// Whether values span so much that a linear axis would show the largest alone.
export function spansDecades(lines) {
  let low = Infinity, high = 0;
  for (const { points } of lines) {
    for (const [, value] of points) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > 0 && high / low >= MANY_TIMES;
}

// The distance between two neighbours from which on nothing was going on between them.
function longestStep(points) {
  const steps = points.slice(1).map(([at], index) => at - points[index][0]).sort((a, b) => a - b);
  return steps.length ? PAUSE_TIMES * steps[steps.length >> 1] : Infinity;
}

// Charts whose places on the x axis mean the same: what one points at, all of them read.
export class Group {
  constructor() {
    this.charts = new Set();
  }

  point(place) {
    for (const chart of this.charts) chart.mark(place);
  }
}

// The chart of `lines`: [{label, colour, points: [[x, y], ...]}], as a figure.
export class Chart {
  constructor({ title, xLabel, group, large = false, pauses = false }) {
    Object.assign(this, { title, xLabel, group, large, pauses });
    this.lines = [];
    this.places = [];
    this.logarithmic = false;
    this.place = null;
    this.figure = document.createElement("figure");
    if (!large) {
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      this.figure.append(caption);
    }
    this.svg = element("svg", { tabindex: "0", role: "img" });
    this.cursor = element("line", { class: "cursor", visibility: "hidden" });
    this.readout = document.createElement("p");
    this.readout.className = "readout";
    this.readout.setAttribute("aria-live", "polite");
    this.figure.append(this.svg, this.readout);
    new ResizeObserver(() => this.draw()).observe(this.figure);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => group.point(null));
    this.svg.addEventListener("blur", () => group.point(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    group.charts.add(this);
  }

  remove() {
    this.group.charts.delete(this);
  }

  show(lines, { logarithmic = false } = {}) {
    this.logarithmic = logarithmic;
    this.hiddenPoints = 0;
    this.lines = lines.map((line) => {
      const points = logarithmic ? line.points.filter(([, y]) => y > 0) : line.points;
      this.hiddenPoints += line.points.length - points.length;
      return { ...line, points, pause: this.pauses ? longestStep(points) : Infinity };
    }).filter((line) => line.points.length);
    this.places = [...new Set(this.all(0))].sort((a, b) => a - b);
    this.draw();
  }

  draw() {
    const width = this.figure.clientWidth;
    if (!width) return;
    const height = this.large ? HEIGHT.large : HEIGHT.small;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren();
    const names = this.lines.map((line) => line.label).join(", ");
    this.svg.setAttribute("aria-label", this.lines.length
      ? `${this.title} by ${this.xLabel}: ${names}. Left and right arrow keys read values.`
      : `${this.title}: no values`);
    if (!this.lines.length) {
      const text = this.hiddenPoints ? "no value is above zero" : "no values";
      this.svg.append(element("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, text));
      return;
    }
    const [left, right] = range(this.all(0), {});
    const [low, high] = range(this.all(1), { fromZero: true, logarithmic: this.logarithmic });
    const x = this.x = scale(left, right, MARGIN.left, width - MARGIN.right);
    const y = scale(low, high, height - MARGIN.bottom, MARGIN.top, this.logarithmic);
    this.width = width;
    const marks = this.logarithmic ? powers(low, high) : ticks(low, high, this.large ? 7 : 5);
    for (const value of marks) {
      const at = y(value);
      this.svg.append(
        element("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }),
        element("text", { x: MARGIN.left - 8, y: at + 4, "text-anchor": "end" }, formatNumber(value)),
      );
    }
    for (const value of ticks(left, right, Math.max(2, Math.floor(width / 75)))) {
      this.svg.append(element("text",
        { x: x(value), y: height - MARGIN.bottom + 17, "text-anchor": "middle" }, formatNumber(value)));
    }
    this.svg.append(element("text",
      { x: width - MARGIN.right, y: height - 5, "text-anchor": "end" }, this.xLabel));
    for (const line of this.lines) this.drawLine(line, x, y);
    this.cursor.setAttribute("y1", MARGIN.top);
    this.cursor.setAttribute("y2", height - MARGIN.bottom);
    this.svg.append(this.cursor);
    this.mark(this.place);
  }

  // A line has a gap where nothing was going on; a point that is alone is a dot.
  drawLine({ points, pause, colour }, x, y) {
    const name = colourClass(colour);
    let path = "";
    points.forEach(([at, value], index) => {
      const begins = index === 0 || at - points[index - 1][0] > pause;
      const ends = index === points.length - 1 || points[index + 1][0] - at > pause;
      if (begins && ends) {
        this.svg.append(element("circle", { class: `dot ${name}`, cx: x(at), cy: y(value), r: 4 }));
      } else {
        path += `${begins ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      }
    });
    if (path) this.svg.append(element("path", { class: `line ${name}`, d: path }));
  }

  * all(part) {
    for (const line of this.lines) for (const point of line.points) yield point[part];
  }

  point(event) {
    if (!this.lines.length) return;
    const box = this.svg.getBoundingClientRect();
    const at = (event.clientX - box.left) * this.width / box.width;
    const [first, last] = [this.x(this.places[0]), this.x(this.places.at(-1))];
    const share = first === last ? 0 : (at - first) / (last - first);
    const value = this.places[0] + share * (this.places.at(-1) - this.places[0]);
    this.group.point(this.places[nearest(this.places, value)]);
  }

  key(event) {
    const { places } = this;
    if (!places.length) return;
    const now = this.place === null ? -1 : nearest(places, this.place);
    const stride = event.shiftKey ? Math.max(1, Math.round(places.length / 20)) : 1;
    const next = {
      ArrowLeft: now - stride, ArrowRight: now + stride, Home: 0, End: places.length - 1,
    }[event.key];
    if (event.key === "Escape") { this.group.point(null); return; }
    if (next === undefined) return;
    event.preventDefault();
    this.group.point(places[Math.min(Math.max(next, 0), places.length - 1)]);
  }

  // Read the values at a place, which another chart may have pointed at.
  mark(place) {
    this.place = place;
    const within = place !== null && this.lines.length
      && place >= this.places[0] && place <= this.places.at(-1);
    this.cursor.setAttribute("visibility", within ? "visible" : "hidden");
    if (!within) {
      this.readout.textContent = "";
      return;
    }
    const at = this.x(place);
    this.cursor.setAttribute("x1", at);
    this.cursor.setAttribute("x2", at);
    const values = this.lines.map(({ points, pause, label }) => {
      const [step, value] = points[nearest(points, place, ([at]) => at)];
      const over = step < place && step === points.at(-1)[0];
      return over || Math.abs(step - place) > pause ? null : `${label} ${formatNumber(value)}`;
    }).filter((text) => text !== null);
    this.readout.textContent = `${this.xLabel} ${formatNumber(place)}: ${values.join(", ")}`;
  }
}

// The place in a sorted list that is nearest to a value.
function nearest(sorted, value, place = (item) => item) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (place(sorted[middle]) < value) low = middle; else high = middle;
  }
  return value - place(sorted[low]) <= place(sorted[high]) - value ? low : high;
}
