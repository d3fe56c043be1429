// Curves with values: one figure at a time, a row for each searcher that switches its line on and
// off and says its value where the pointer is, or at the end.

const FRAME = { left: 58, right: 12, top: 12, bottom: 40 };

class Curves {
  constructor(figures) {
    this.figures = figures;
    this.hidden = new Set(); // names of searchers, whichever figure is shown
    this.place = document.getElementById("curve-plot");
    this.rows = document.getElementById("curve-rows");
    this.select = document.getElementById("curve-figure");
    this.bands = document.getElementById("curve-bands");
    this.select.append(...figures.map((figure, number) => option(number, figure.title)));
    this.select.addEventListener("change", () => this.show());
    this.bands.addEventListener("change", () => this.draw());
    document.getElementById("curve-all").addEventListener("click", () => this.switchAll());
    this.place.addEventListener("pointermove", (event) => this.point(event.clientX));
    this.place.addEventListener("pointerleave", () => this.point(null));
    this.place.addEventListener("keydown", (event) => this.step(event));
    new ResizeObserver(() => this.place.clientWidth !== this.width && this.draw()).observe(this.place);
    this.show();
  }

  show() {
    this.figure = this.figures[Number(this.select.value)];
    this.bands.checked = this.figure.lines.length <= 4;
    document.getElementById("curve-detail").textContent = this.figure.detail;
    const last = (line) => line.middle.findLast((value) => value !== null) ?? null;
    const sign = this.figure.upsideDown || /lower is better/.test(this.figure.y) ? 1 : -1;
    this.lines = [...this.figure.lines].sort((a, b) => sign * (last(a) - last(b)));
    this.cells = new Map();
    this.rows.replaceChildren(...this.lines.map((line) => this.row(line)));
    this.draw();
  }

  row(line) {
    const sample = drawn("svg", { viewBox: "0 0 30 8", class: "sample", "aria-hidden": "true" });
    sample.append(drawn("line", { x1: 0, x2: 30, y1: 4, y2: 4, stroke: line.color, "stroke-width": 2.4, "stroke-dasharray": this.dash(line) }));
    const button = element("button", { type: "button", class: "series", "aria-pressed": String(!this.hidden.has(line.name)),
      click: () => this.toggle(line.name, button) }, sample, line.name);
    const value = element("td", { class: "n" });
    this.cells.set(line, value);
    return element("tr", {}, element("th", { scope: "row" }, button), value);
  }

  dash(line) { return line.dash.map((size) => size * 1.6).join(" "); }

  toggle(name, button) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
    this.draw();
  }

  switchAll() {
    const names = this.lines.map((line) => line.name), isAnyHidden = names.some((name) => this.hidden.has(name));
    for (const name of names) isAnyHidden ? this.hidden.delete(name) : this.hidden.add(name);
    for (const button of this.rows.querySelectorAll("button")) button.setAttribute("aria-pressed", String(isAnyHidden));
    this.draw();
  }

  get shown() { return this.lines.filter((line) => !this.hidden.has(line.name)); }

  scale() {
    const { grid, levels, log, logX, upsideDown } = this.figure, lines = this.shown.length ? this.shown : this.lines;
    const values = lines.flatMap((line) => this.bands.checked ? [...line.middle, ...line.low, ...line.high] : line.middle)
      .concat(levels.filter(([, , isLimit]) => isLimit).map(([, y]) => y)).filter((value) => value !== null && (!log || value > 0));
    const starts = this.lines.map((line) => line.middle.findIndex((value) => value !== null)).filter((place) => place >= 0);
    const low = Math.min(...values), high = Math.max(...values), first = grid[Math.min(...starts)], last = grid.at(-1);
    const room = log ? 1.1 : 0.05 * (high - low) || 0.05;
    this.range = log ? [low / room, high * room] : [low - room, high + room];
    const along = (value, from, to, isLog) => isLog ? Math.log(value / from) / Math.log(to / from) : (value - from) / (to - from || 1);
    this.x = (value) => FRAME.left + along(value, first, last, logX) * (this.width - FRAME.left - FRAME.right);
    const height = this.height - FRAME.top - FRAME.bottom;
    this.y = (value) => {
      const share = Math.min(1.05, Math.max(-0.05, along(Math.max(value, log ? 1e-300 : -Infinity), ...this.range, log)));
      return FRAME.top + (upsideDown ? share : 1 - share) * height;
    };
    this.ticksX = logX ? logTicks(first, last) : ticks(first, last, this.width < 500 ? 6 : 8);
    this.ticksY = log ? logTicks(...this.range) : ticks(...this.range, 6);
  }

  draw() {
    this.width = this.place.clientWidth;
    this.height = this.width < 500 ? 280 : 420;
    if (!this.width) return;
    this.scale();
    const root = drawn("svg", { viewBox: `0 0 ${this.width} ${this.height}`, role: "img", "aria-label": this.figure.title });
    root.append(...this.axes(), ...this.levels());
    for (const line of this.bands.checked ? this.shown : []) root.append(drawn("path", { d: this.band(line), fill: line.color, opacity: 0.16 }));
    for (const line of this.shown) {
      root.append(drawn("path", { class: "curve", d: this.steps(line.middle), stroke: line.color, "stroke-dasharray": this.dash(line) }));
    }
    this.cursor = drawn("line", { class: "cursor", y1: FRAME.top, y2: this.height - FRAME.bottom, visibility: "hidden" });
    root.append(this.cursor);
    this.place.replaceChildren(root);
    this.tell(null);
  }

  axes() {
    const bottom = this.height - FRAME.bottom, end = this.width - FRAME.right;
    const inside = (value) => value >= this.range[0] && value <= this.range[1];
    return [
      ...this.ticksY.filter(inside).flatMap((value) => [
        drawn("line", { class: "grid", x1: FRAME.left, x2: end, y1: this.y(value), y2: this.y(value) }),
        drawn("text", { x: FRAME.left - 6, y: this.y(value) + 4, "text-anchor": "end" }, this.figure.log ? amount(value) : tickText(value, this.ticksY)),
      ]),
      ...this.ticksX.map((value) => drawn("text", { x: this.x(value), y: bottom + 15, "text-anchor": "middle" }, amount(value))),
      drawn("text", { x: end, y: this.height - 6, "text-anchor": "end" }, this.figure.x),
      drawn("text", { x: 4, y: 10 }, this.figure.y),
    ];
  }

  levels() {
    const seen = this.figure.levels.filter(([, y]) => y >= this.range[0] && y <= this.range[1]);
    let free = Infinity; // names go from the bottom up, none over another
    return seen.sort((a, b) => this.y(b[1]) - this.y(a[1])).flatMap(([name, y, isLimit]) => {
      const at = this.y(y);
      free = Math.min(at - 3, free - 11);
      return [
        drawn("line", { class: isLimit ? "level limit" : "level", x1: FRAME.left, x2: this.width - FRAME.right, y1: at, y2: at }),
        drawn("text", { class: "name", x: this.width - FRAME.right, y: free, "text-anchor": "end" }, name),
      ];
    });
  }

  // Steps: a value holds until the next one; gaps where there is none.
  steps(values) {
    let path = "", isDown = false;
    this.figure.grid.forEach((at, place) => {
      const value = values[place];
      if (value === null) { isDown = false; return; }
      path += isDown ? `H${this.x(at).toFixed(1)}V${this.y(value).toFixed(1)}` : `M${this.x(at).toFixed(1)} ${this.y(value).toFixed(1)}`;
      isDown = true;
    });
    return path;
  }

  band(line) {
    const known = this.figure.grid.map((_, place) => place).filter((place) => line.low[place] !== null && line.high[place] !== null);
    const side = (values, places) => places.map((place) => `${this.x(this.figure.grid[place]).toFixed(1)} ${this.y(values[place]).toFixed(1)}`);
    return known.length ? `M${[...side(line.high, known), ...side(line.low, [...known].reverse())].join("L")}Z` : "";
  }

  // The grid point at or before this place on the screen.
  point(clientX) {
    if (clientX === null) { this.tell(null); return; }
    const x = clientX - this.place.getBoundingClientRect().left;
    const after = this.figure.grid.findIndex((value) => this.x(value) > x);
    this.tell(Math.max(0, (after < 0 ? this.figure.grid.length : after) - 1));
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const last = this.figure.grid.length - 1;
    this.tell(Math.min(last, Math.max(0, (this.at ?? last) + by)));
  }

  // Values at a grid point, or at the end of each line.
  tell(at) {
    this.at = at;
    const { grid } = this.figure;
    document.getElementById("curve-at").textContent = at === null ? "at the end" : `at ${amount(grid[at])}`;
    for (const [line, cell] of this.cells) {
      const place = at ?? line.middle.findLastIndex((value) => value !== null);
      const value = line.middle[place] ?? null;
      const limits = value !== null && line.low[place] !== null ? `${shown(line.low[place])} to ${shown(line.high[place])}` : "";
      cell.replaceChildren(value === null ? "" : shown(value), element("small", {}, limits));
    }
    this.cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at !== null) for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(grid[at]));
  }
}

function amount(value) { return value >= 1e4 ? engineering(value) : String(Number(value.toPrecision(4))); }

// Powers of ten, with round values between them where they are few.
function logTicks(low, high) {
  const found = [], factors = high < 1000 * low ? [1, 2, 3, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of factors) found.push(Number((factor * 10 ** power).toPrecision(3)));
  }
  return found.filter((value) => value >= low && value <= high);
}
