// The search explorer: filters and an order make a list of rows, which is shown page by page.

const PAGE_SIZE = 50;

class Explorer {
  constructor(trials) {
    this.trials = trials;
    this.order = { key: "score", down: true };
    this.page = 0;
    this.open = null; // the row that shows its details
    this.form = document.getElementById("filters");
    this.body = document.querySelector("#trials tbody");
    this.plot = new Plot(document.getElementById("plot"), trials, (row) => this.show(row));
    this.columns = this.makeColumns();
    this.fillFilters();
    this.fillHead();
    this.fillLegend();
    document.getElementById("csv").addEventListener("click", () => download("trials.csv", rowsAsCsv(trials, this.rows)));
    document.getElementById("link").addEventListener("click", (event) => copyText(location.href, event.target));
    window.addEventListener("hashchange", () => filtersFromAddress(this.form) && this.filter());
    const isLinked = filtersFromAddress(this.form);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => this.filter());
    this.form.addEventListener("reset", () => setTimeout(() => this.filter()));
    document.getElementById("back").addEventListener("click", () => this.turn(-1));
    document.getElementById("forward").addEventListener("click", () => this.turn(1));
    this.filter();
    if (isLinked) document.getElementById("explorer").scrollIntoView();
  }

  // `value` sorts and `cell` shows; a column without a value cannot be sorted by.
  makeColumns() {
    const t = this.trials;
    return [
      { key: "pattern", label: "pattern", long: true, value: (r) => t.pattern[r], cell: (r) => this.opener(r) },
      { key: "score", label: "score", numeric: true, value: (r) => t.score[r], cell: (r) => shown(t.score[r]) },
      { key: "cost", label: `cost, ${t.unit}`, numeric: true, value: (r) => t.price[r], cell: (r) => engineering(t.price[r]) },
      { key: "status", label: "status", value: (r) => t.status[r], cell: (r) => t.status[r] + (t.fidelity[r] < 1 ? `, ${shown(100 * t.fidelity[r], 0)} %` : "") },
      { key: "searcher", label: "searcher", value: (r) => t.runOf(r).searcher, cell: (r) => this.searcherCell(r) },
      { key: "seed", label: "seed", numeric: true, named: true, value: (r) => t.runOf(r).seed, cell: (r) => String(t.runOf(r).seed) },
      { key: "index", label: "trial", numeric: true, named: true, value: (r) => t.index[r], cell: (r) => String(t.index[r]) },
      { key: "origin", label: "origin", value: (r) => t.origins[t.origin[r]], cell: (r) => t.origins[t.origin[r]] },
      { key: "parents", label: "parents", named: true, value: (r) => (t.parents[r] || []).length, cell: (r) => (t.parents[r] || []).join(" ") },
    ];
  }

  opener(row) {
    const pattern = this.trials.pattern[row];
    return element("button", { type: "button", class: "toggle", "aria-expanded": String(this.open === row) },
      this.trials.cells(pattern, this.find(pattern)));
  }

  searcherCell(row) {
    const { searcher, reason } = this.trials.runOf(row);
    const dot = element("span", { class: "dot" });
    dot.style.background = this.trials.color(searcher);
    return element("span", {}, dot, searcher, reason ? " (excluded)" : "");
  }

  fillFilters() {
    const { runs, status, origins } = this.trials, { elements } = this.form;
    const fill = (select, values) => select.append(option("", "all"), ...values.map((value) => option(value)));
    fill(elements.searcher, [...new Set(runs.map((run) => run.searcher))]);
    fill(elements.seed, [...new Set(runs.map((run) => run.seed))].sort((a, b) => a - b));
    fill(elements.status, STATUS.filter((name) => status && status.includes(name)));
    fill(elements.origin, [...origins].sort());
  }

  fillHead() {
    const cells = this.columns.map((column) => {
      const press = () => {
        const again = this.order.key === column.key;
        this.order = { key: column.key, down: again ? !this.order.down : Boolean(column.numeric) };
        this.sort();
      };
      column.head = element("th", { class: column.numeric ? "n" : null, title: column.title },
        element("button", { type: "button", click: press }, column.label));
      return column.head;
    });
    document.querySelector("#trials thead").append(element("tr", {}, ...cells));
  }

  fillLegend() {
    const { alphabet, letters } = this.trials;
    document.getElementById("letters").append("Letters, from the input to the output:",
      ...alphabet.flatMap((letter) => [this.trials.cells(letter), letters[letter] || ""]));
  }

  filter() {
    const t = this.trials, { elements } = this.form;
    this.find = patternFilter(elements.pattern.value, t.alphabet);
    filtersToAddress(this.form);
    const runs = t.runs.map((run) => (!elements.searcher.value || run.searcher === elements.searcher.value)
      && (!elements.seed.value || String(run.seed) === elements.seed.value));
    const status = elements.status.value, origin = elements.origin.value && t.origins.indexOf(elements.origin.value);
    this.rows = [];
    for (let row = 0; row < t.length; row++) {
      if (runs[t.run[row]] && (!status || t.status[row] === status) && (origin === "" || t.origin[row] === origin)
        && this.find(t.pattern[row])) this.rows.push(row);
    }
    this.tellFound();
    this.plot.draw(this.rows, this.open);
    this.sort();
  }

  tellFound() {
    const t = this.trials, best = t.bestRow(this.rows), all = t.length;
    const words = this.rows.length === all ? `${all} trials` : `${this.rows.length} of ${all} trials`;
    document.getElementById("found").textContent =
      words + (best === null ? ", none of them scored" : `, best search score ${shown(t.score[best])}`);
  }

  // Rows without a value stand last, whichever way round; equal ones in the order of the runs.
  sort() {
    const { key, down } = this.order, column = this.columns.find((found) => found.key === key);
    const keys = new Map(this.rows.map((row) => [row, column.value(row)]));
    const isNothing = (value) => value === null || value === "";
    this.rows.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      if (isNothing(x) || isNothing(y)) return isNothing(x) - isNothing(y) || a - b;
      const order = typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y;
      return (down ? -order : order) || a - b;
    });
    for (const { head, key: name } of this.columns) {
      if (name === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      head.querySelector("button").textContent = this.columns.find((found) => found.head === head).label
        + (name === key ? (down ? " \u25BE" : " \u25B4") : "");
    }
    this.page = 0;
    this.list();
  }

  turn(by) {
    this.page += by;
    this.list();
    document.getElementById("plot").scrollIntoView({ block: "nearest" });
  }

  list() {
    const last = Math.max(0, Math.ceil(this.rows.length / PAGE_SIZE) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const first = this.page * PAGE_SIZE, rows = this.rows.slice(first, first + PAGE_SIZE);
    this.body.replaceChildren(...rows.flatMap((row) => row === this.open ? [this.line(row), this.detail(row)] : [this.line(row)]));
    if (!rows.length) this.body.append(element("tr", {}, element("td", { colspan: this.columns.length }, "No trial is like that.")));
    document.getElementById("page").textContent = rows.length ? `${first + 1} to ${first + rows.length} of ${this.rows.length}` : "";
    document.getElementById("back").disabled = this.page === 0;
    document.getElementById("forward").disabled = this.page === last;
  }

  line(row) {
    const t = this.trials, isBad = t.status[row] === "failed" || t.status[row] === "invalid";
    const cells = this.columns.map((column) => {
      const content = column.cell(row), classes = [`c-${column.key}`];
      if (column.numeric) classes.push("n");
      if (column.long) classes.push("long");
      return element("td", { class: classes.join(" "), "data-label": column.named && content ? column.label : null }, content);
    });
    const press = () => this.toggle(this.open === row ? null : row, row);
    return element("tr", { class: `row${isBad ? " bad" : ""}${row === this.open ? " open" : ""}`, "data-row": row, click: press }, ...cells);
  }

  toggle(open, focused) {
    this.open = open;
    this.list();
    this.plot.mark(open);
    this.body.querySelector(`[data-row="${focused}"] button`)?.focus({ preventScroll: true });
  }

  // Opens a trial wherever it is; filters that hide it are dropped.
  show(row) {
    if (!this.rows.includes(row)) {
      for (const field of this.form.elements) if (field.name) field.value = "";
      this.open = row;
      this.filter();
    }
    this.page = Math.floor(this.rows.indexOf(row) / PAGE_SIZE);
    this.toggle(row, row);
    this.body.querySelector(".open").scrollIntoView({ block: "nearest" });
  }

  link(row, text) {
    return element("button", { type: "button", class: "link", click: (event) => { event.stopPropagation(); this.show(row); } }, text);
  }

  detail(row) {
    const list = element("dl", {}, ...this.facts(row).flatMap(([name, ...content]) =>
      [element("dt", {}, name), element("dd", {}, ...content)]));
    return element("tr", { class: "detail" }, element("td", { colspan: this.columns.length }, list));
  }

  // Everything recorded of a trial, as [name, what to show...]; nothing is shown as nothing.
  facts(row) {
    const t = this.trials, run = t.runOf(row), pattern = t.pattern[row];
    const facts = [["pattern", element("code", {}, pattern), " ",
      element("button", { type: "button", class: "link", click: () => this.findPattern(pattern) }, "find it in all runs")]];
    facts.push(...this.truth(row));
    if (t.fidelity[row] < 1) facts.push(["fidelity", `trained for ${shown(100 * t.fidelity[row], 1)} % of a full training: its score is not counted`]);
    if (t.note[row]) facts.push(["note", t.note[row]]);
    if (run.reason) facts.push(["run excluded", run.reason]);
    for (const [key, text] of Object.entries(t.texts[row] || {})) facts.push([key, text]);
    if (t.verdict[row]) facts.push(["verdict", t.verdict[row]]);
    const parents = t.parentRows(row);
    if (parents.length) {
      facts.push(["parents", ...parents.flatMap((parent) =>
        [t.cells(t.pattern[parent]), this.link(parent, `trial ${t.index[parent]}, ${shown(t.score[parent]) || t.status[parent]}`), " "])]);
    }
    if (t.repeats[row] !== undefined) {
      const first = t.rowAt(run, t.repeats[row]);
      facts.push(["repeats", first === undefined ? `trial ${t.repeats[row]}` : this.link(first, `trial ${t.repeats[row]}`)]);
    }
    const finals = run.finals.filter(([name]) => name === pattern);
    if (finals.length) facts.push(["trained again", finals.map(([, status, score]) => score === null ? status : `final score ${shown(score)}`).join(", ")]);
    const metrics = Object.entries(t.metrics[row] || {});
    if (metrics.length) facts.push(["metrics", metrics.map(([name, value]) => `${name} ${shown(value)}`).join(", ")]);
    facts.push(["cost", `${engineering(t.flops[row])} training FLOPs, ${engineering(t.tokens[row])} tokens, ${engineering(t.device_s[row])} device seconds; measured ${t.measured_s[row]} s`]);
    if (t.llm[row]) facts.push(["language model", `calls ${t.llm[row][0]}, tokens ${t.llm[row][1]}`]);
    (t.dialogue[row] || []).forEach(([prompt, reply], call, all) => {
      const which = all.length > 1 ? ` ${call + 1}` : "";
      facts.push([`asked${which}`, folded(prompt)], [`answered${which}`, folded(reply, true)]);
    });
    return facts;
  }

  // What a benchmark knows of the pattern, whatever this trial was told.
  truth(row) {
    const { truth } = this.trials;
    if (!truth || truth.score[row] === null) return [];
    const rank = truth.rank[row], words = `${shown(truth.score[row])}, ${shown(truth.best - truth.score[row])} below the optimum`;
    return [["true score", rank ? `${words}; rank ${rank.toLocaleString("en")} of ${truth.size.toLocaleString("en")}` : words]];
  }

  findPattern(pattern) {
    this.form.reset();
    this.form.elements.pattern.value = pattern;
    this.filter();
  }
}

// A long text, folded so that the list stays short.
function folded(text, open = false) {
  const lines = text.split("\n").length;
  return element("details", { open: open ? "" : null, click: (event) => event.stopPropagation() },
    element("summary", {}, `${text.length} characters, ${lines} line${lines === 1 ? "" : "s"}`), element("pre", { tabindex: 0 }, text));
}
