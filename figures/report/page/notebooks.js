// Notebooks and proposal trees: one run at a time, its trials as a tree and as written entries.

const TREE = { left: 46, right: 14, top: 22, bottom: 30 };

class Notebooks {
  constructor(trials, explorer) {
    this.trials = trials;
    this.explorer = explorer;
    this.select = document.getElementById("run");
    this.bare = document.getElementById("bare");
    this.list = document.getElementById("entries");
    this.fillRuns();
    this.place = document.getElementById("tree");
    new ResizeObserver(() => this.place.clientWidth !== this.width && this.drawTree()).observe(this.place);
    this.select.addEventListener("change", () => this.show());
    this.bare.addEventListener("change", () => this.show());
    this.show();
  }

  // Runs that wrote something or have a tree: agents first, in the order of the report.
  fillRuns() {
    const t = this.trials, groups = new Map();
    const told = t.runs.filter((run) => !run.reference && run.length
      && t.rowsOf(run).some((row) => t.texts[row] || t.parents[row]));
    for (const run of told.sort((a, b) => b.llm - a.llm)) {
      const name = run.searcher + (run.control === "none" ? "" : ` (control: ${run.control})`);
      if (!groups.has(name)) groups.set(name, element("optgroup", { label: name }));
      const best = t.bestRow(t.rowsOf(run));
      const words = `${run.searcher}, seed ${run.seed}: ` + (best === null ? "no score" : `best ${shown(t.score[best])}`);
      groups.get(name).append(option(t.runs.indexOf(run), words));
    }
    this.select.append(...groups.values());
  }

  show() {
    const t = this.trials;
    this.run = t.runs[Number(this.select.value)];
    if (!this.run) return;
    this.rows = t.rowsOf(this.run);
    this.best = t.bestRow(this.rows);
    this.lineage = this.ancestors(this.best);
    this.tellRun();
    this.drawTree();
    const told = this.bare.checked ? this.rows : this.rows.filter((row) => t.texts[row]);
    this.entries = new Map(told.map((row) => [row, this.entry(row)]));
    this.list.replaceChildren(...this.entries.values());
    this.list.scrollTop = 0;
  }

  tellRun() {
    const t = this.trials, judged = this.rows.map((row) => t.verdict[row] || "");
    const right = judged.filter((text) => / right\.$/.test(text)).length;
    const wrong = judged.filter((text) => / wrong\.$/.test(text)).length;
    const words = [`${this.run.length} trials`];
    words.push(this.rows.some((row) => t.parents[row]) ? `${this.rows.filter((row) => t.parents[row]).length} with parents` : "no parents on record");
    if (right + wrong) words.push(`${right} of ${right + wrong} judged hypotheses right about the direction`);
    if (this.run.control !== "none") words.push(`blinded: ${this.run.control}`);
    if (this.run.reason) words.push(`excluded: ${this.run.reason}`);
    document.getElementById("run-words").textContent = `${words.join("; ")}.`;
  }

  // A trial and all it descends from.
  ancestors(row) {
    const found = new Set(), open = row === null ? [] : [row];
    while (open.length) {
      const next = open.pop();
      if (!found.has(next)) { found.add(next); open.push(...this.trials.parentRows(next)); }
    }
    return found;
  }

  drawTree() {
    this.width = this.place.clientWidth;
    this.height = this.width < 500 ? 280 : 440;
    if (!this.width || !this.rows) return;
    const t = this.trials, scores = this.rows.map((row) => t.score[row]).filter((score) => score !== null);
    const low = Math.min(...scores, Infinity), high = Math.max(...scores, -Infinity);
    const hasUnscored = this.rows.some((row) => t.score[row] === null);
    const floor = this.height - TREE.bottom - (hasUnscored ? 26 : 6), last = Math.max(...this.rows.map((row) => t.index[row]), 1);
    const x = (row) => TREE.left + 6 + (t.index[row] / last) * (this.width - TREE.left - TREE.right - 12);
    const level = (score) => floor - ((score - low) / (high - low || 1)) * (floor - TREE.top - 6);
    const y = (row) => t.score[row] === null ? this.height - TREE.bottom - 4 : level(t.score[row]);
    const root = drawn("svg", { viewBox: `0 0 ${this.width} ${this.height}`, role: "img",
      "aria-label": "Trials of the run by score, with lines to their parents" });
    if (scores.length) for (const value of ticks(low, high, 5)) {
      root.append(drawn("line", { class: "grid", x1: TREE.left, x2: this.width - TREE.right, y1: level(value), y2: level(value) }),
        drawn("text", { x: TREE.left - 5, y: level(value) + 4, "text-anchor": "end" }, tickText(value, ticks(low, high, 5))));
    }
    if (hasUnscored) root.append(drawn("text", { x: TREE.left - 5, y: this.height - TREE.bottom, "text-anchor": "end" }, "none"));
    root.append(drawn("text", { x: 2, y: 11 }, "search score"));
    for (const value of ticks(0, last, 8).filter(Number.isInteger)) {
      root.append(drawn("text", { x: TREE.left + 6 + (value / last) * (this.width - TREE.left - TREE.right - 12), y: this.height - 12, "text-anchor": "middle" }, String(value)));
    }
    root.append(drawn("text", { x: this.width - TREE.right, y: this.height - 1, "text-anchor": "end" }, "trial"));
    this.edges = [];
    this.nodes = new Map();
    for (const row of this.rows) for (const parent of t.parentRows(row)) {
      const middle = (x(parent) + x(row)) / 2, isBest = this.lineage.has(row) && this.lineage.has(parent);
      const line = drawn("path", { class: `edge${isBest ? " best" : ""}`,
        d: `M${x(parent)} ${y(parent)}C${middle} ${y(parent)} ${middle} ${y(row)} ${x(row)} ${y(row)}` });
      this.edges.push({ row, parent, line });
    }
    root.append(...this.edges.map(({ line }) => line));
    for (const row of this.rows) {
      const node = this.node(row, x(row), y(row));
      node.append(drawn("title", {}, `trial ${t.index[row]}: ${t.status[row]} ${shown(t.score[row])} ${t.pattern[row].slice(0, 80)}`));
      node.addEventListener("click", () => this.choose(row));
      this.nodes.set(row, node);
      root.append(node);
    }
    this.place.replaceChildren(root);
  }

  // Trained: round, a triangle if a language model proposed it; initial design: square; the rest
  // hollow diamonds. The best is filled dark.
  node(row, x, y) {
    const t = this.trials, status = t.status[row];
    const classes = `node${status === "ok" ? " ok" : ""}${t.isOfModel(row) ? " model" : ""}${row === this.best ? " best" : ""}`;
    if (status !== "ok") return drawn("path", { class: classes, d: `M${x - 5} ${y}l5 -5l5 5l-5 5z` });
    if (t.origins[t.origin[row]] === "initial_design") return drawn("rect", { class: classes, x: x - 4, y: y - 4, width: 8, height: 8 });
    if (t.isOfModel(row)) return drawn("path", { class: classes, d: `M${x - 5.5} ${y + 4.5}h11l-5.5 -10z` });
    return drawn("circle", { class: classes, cx: x, cy: y, r: row === this.best ? 6 : 4.5 });
  }

  choose(row) {
    const family = this.ancestors(row);
    for (const { row: child, parent, line } of this.edges) line.classList.toggle("chosen", family.has(child) && family.has(parent));
    for (const [other, node] of this.nodes) node.classList.toggle("chosen", other === row);
    for (const [other, entry] of this.entries) entry.classList.toggle("chosen", other === row);
    const entry = this.entries.get(row);
    if (entry) this.list.scrollTop += entry.getBoundingClientRect().top - this.list.getBoundingClientRect().top - 8;
  }

  entry(row) {
    const t = this.trials, texts = t.texts[row] || {}, name = texts.name || texts.operator || t.origins[t.origin[row]].replaceAll("_", " ");
    const score = t.score[row] === null ? t.status[row] : `${shown(t.score[row])}${t.status[row] === "ok" ? "" : ` (${t.status[row]})`}`;
    const parents = t.parents[row] ? `, from ${t.parents[row].join(" and ")}` : "";
    const origin = [texts.name && texts.operator, t.origins[t.origin[row]]].filter(Boolean).join(", ") + parents;
    const title = element("p", { class: "title" },
      element("button", { type: "button", class: "toggle", click: () => this.choose(row) }, `${t.index[row]}. ${name}`), this.explorer.link(row, "explorer"));
    const parts = [title, element("p", {}, t.cells(t.pattern[row]), " ", element("b", {}, score), " ", element("small", {}, origin))];
    if (texts.lesson) parts.splice(1, 0, element("p", {}, element("small", {}, "Lesson before it: "), texts.lesson));
    if (texts.hypothesis) parts.push(element("blockquote", {}, texts.hypothesis));
    if (t.verdict[row]) parts.push(this.verdict(t.verdict[row]));
    if (t.note[row]) parts.push(element("p", {}, element("small", {}, t.note[row])));
    return element("li", {}, ...parts);
  }

  verdict(text) {
    const found = text.match(/^(.*)\b(right|wrong)\.$/);
    if (!found) return element("p", {}, text);
    return element("p", {}, found[1], element("span", { class: found[2] }, found[2]), ".");
  }
}

function drawn(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
