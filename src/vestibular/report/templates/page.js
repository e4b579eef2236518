"use strict";
(() => {
  const element = (tag, className, text) => {
    const node = document.createElement(tag);
    // texts of the data may run from right to left, beside others that do not
    node.dir = "auto";
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  // charts: a tooltip for every mark, by pointer and by arrow keys; candidates on and off
  const tip = document.getElementById("tip");
  let current = null;
  const hide = () => {
    tip.hidden = true;
    if (current) current.classList.remove("current");
    current = null;
  };
  const show = (mark) => {
    hide();
    current = mark;
    mark.classList.add("current");
    tip.textContent = mark.getAttribute("aria-label");
    tip.hidden = false;
    const place = mark.getBoundingClientRect();
    const left = Math.min(place.right + 8, innerWidth - tip.offsetWidth - 8);
    const above = place.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above < 8 ? place.bottom + 8 : above}px`;
  };
  const POINT = '[aria-roledescription="point"]';
  for (const chart of document.querySelectorAll(".chart")) {
    chart.addEventListener("pointerover", (event) => {
      const mark = event.target.closest(POINT);
      if (mark) show(mark);
    });
    chart.addEventListener("pointerout", hide);
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const marks = [...chart.querySelectorAll(POINT)].filter((mark) => mark.checkVisibility());
      if (!marks.length) return;
      const place = marks.indexOf(current);
      show(marks[place < 0 ? (step > 0 ? 0 : marks.length - 1) : (place + step + marks.length) % marks.length]);
    });
  }
  const follow = () => current && show(current);
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", hide);
  const switches = [...document.querySelectorAll(".legend button")];
  for (const button of switches) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      const colour = `var(--c${button.dataset.colour})`;
      for (const twin of switches) {
        if (twin.dataset.colour === button.dataset.colour) twin.setAttribute("aria-pressed", shown);
      }
      for (const mark of document.querySelectorAll(`.chart [stroke="${colour}"], .chart [fill="${colour}"]`)) {
        mark.classList.toggle("hidden", !shown);
      }
    });
  }

  // the questions
  const { candidates, colours, contexts, questions } = JSON.parse(
    document.getElementById("questions-data").textContent,
  );
  const PAGE = 25;
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  for (const row of questions) {
    row.text = plain([row.question, row.title, row.id, ...row.references, ...row.after.map((given) => given[0])].join("\n"));
  }
  const control = (name) => document.getElementById(name);
  const [search, which, first, second, word, order] = ["search", "which", "first", "second", "word", "order"].map(control);
  const body = document.querySelector("#rows tbody");
  const more = control("more");
  let found = [];
  let shown = 0;

  const right = (row, place) => row.after[place][1] === 1;
  const tests = {
    all: () => true,
    "only-a": (row, a, b) => right(row, a) && !right(row, b),
    "only-b": (row, a, b) => !right(row, a) && right(row, b),
    both: (row, a, b) => right(row, a) && right(row, b),
    none: (row) => !row.after.some((given) => given[1] === 1),
    lost: (row, a) => row.before[a][1] === 1 && !right(row, a),
  };
  const orders = {
    file: () => 0,
    worst: (a) => (x, y) => x.after[a][2] - y.after[a][2],
    apart: (a, b) => (x, y) =>
      Math.abs(y.after[a][2] - y.after[b][2]) - Math.abs(x.after[a][2] - x.after[b][2]),
  };

  const verdict = ([, match, overlap]) => {
    const node = element("span", `verdict ${match === 1 ? "right" : "wrong"}`);
    node.textContent = match === 1 ? "✓ right" : `✗ F1 ${overlap.toFixed(3)}`;
    return node;
  };
  const quoted = (text) => (text === "" ? "(nothing)" : text);
  const cell = (row, place) => {
    const node = element("td", "given");
    node.style.setProperty("--tone", `var(--c${colours[place]})`);
    node.append(element("span", "label", candidates[place]));
    const answer = element("span", "answer");
    answer.append(element("span", "said", quoted(row.after[place][0])), " ", verdict(row.after[place]));
    const before = row.before[place];
    const earlier = element("span", "earlier", "before ");
    earlier.append(verdict(before), `: ${quoted(before[0])}`);
    node.append(answer, earlier);
    return node;
  };
  const context = (row) => {
    const details = element("details");
    details.append(element("summary", "", "Show the text"));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      const text = contexts[row.context];
      const node = element("p", "context");
      const [start, end] = row.answer;
      if (start < 0) node.textContent = text;
      else node.append(text.slice(0, start), element("mark", "", text.slice(start, end)), text.slice(end));
      details.append(node);
    });
    return details;
  };
  const line = (row) => {
    const node = element("tr");
    const asked = element("th");
    asked.scope = "row";
    asked.append(element("div", "", row.question), element("div", "tags", row.tags.join(" · ")), context(row));
    const references = element("td");
    references.append(element("span", "label", "references"));
    for (const reference of row.references) references.append(element("div", "", reference));
    node.append(asked, references, ...candidates.map((_, place) => cell(row, place)));
    return node;
  };
  const append = () => {
    const next = found.slice(shown, shown + PAGE);
    body.append(...next.map(line));
    shown += next.length;
    more.hidden = shown >= found.length;
    more.textContent = `Show ${Math.min(PAGE, found.length - shown)} more`;
  };
  const update = () => {
    const wanted = plain(search.value).split(/\s+/).filter(Boolean);
    const [a, b] = [Number(first.value), Number(second.value)];
    const test = tests[which.value];
    found = questions.filter(
      (row) =>
        (!word.value || row.word === word.value) &&
        test(row, a, b) &&
        wanted.every((part) => row.text.includes(part)),
    );
    if (order.value !== "file") found.sort(orders[order.value](a, b));
    body.replaceChildren();
    shown = 0;
    append();
    control("count").textContent = `${found.length} of ${questions.length} questions`;
    const [nameA, nameB] = [candidates[a], candidates[b]];
    const name = (value, text) => (which.querySelector(`[value="${value}"]`).textContent = text);
    name("only-a", `Only A right (${nameA})`);
    name("only-b", `Only B right (${nameB})`);
  };
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 80);
  });
  for (const one of [which, first, second, word, order]) one.addEventListener("change", update);
  more.addEventListener("click", () => {
    const place = shown;
    append();
    body.children[place].querySelector("summary").focus();
  });
  update();
})();
