"use strict";
// Asks for the state every second and draws it. Names enter the page as text nodes only.

const NUM_COLORS = 6, DASHES = ["", "7 3", "2 3", "9 3 2 3"], MOST_SINGLE = 80, HEIGHT = 380;
const FRAME = { left: 58, right: 12, top: 16, bottom: 34 };
const plot = document.getElementById("plot"), rows = document.getElementById("rows");
let state = null;

function drawn(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function look(number) {
  return { class: `s${number % NUM_COLORS}`, "stroke-dasharray": DASHES[Math.floor(number / NUM_COLORS) % DASHES.length] };
}

// The best score of a run after so many trials; null before the first.
function bestAt(run, trials) {
  let best = null;
  for (const [at, score] of run.steps) { if (at > trials) break; best = score; }
  return best;
}

function isOver(run) { return run.state === "finished" || run.state === "failed"; }

// Steps of the mean, from where every run that has begun has a score to where all of them are.
function meanSteps(runs) {
  const begun = runs.filter((run) => run.steps.length);
  if (!begun.length) return [];
  const first = Math.max(...begun.map((run) => run.steps[0][0]));
  const open = begun.filter((run) => !isOver(run)).map((run) => run.trials);
  const last = Math.min(Math.max(...begun.map((run) => run.trials)), ...open);
  const places = new Set([first, last, ...begun.flatMap((run) => run.steps.map(([at]) => at))]);
  return [...places].filter((at) => at >= first && at <= last).sort((a, b) => a - b)
    .map((at) => [at, begun.reduce((sum, run) => sum + bestAt(run, at), 0) / begun.length]);
}

function path(steps, end, x, y) {
  let text = "";
  for (const [at, score] of steps) text += text ? `H${x(at).toFixed(1)}V${y(score).toFixed(1)}` : `M${x(at).toFixed(1)} ${y(score).toFixed(1)}`;
  return text && end > steps.at(-1)[0] ? `${text}H${x(end).toFixed(1)}` : text;
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999), found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(Number((n * step).toPrecision(10)));
  return found;
}

function draw() {
  const width = plot.clientWidth, runs = state.searchers.flatMap((one) => one.runs).filter((run) => run.steps.length);
  if (!width || !runs.length) { plot.replaceChildren(); return; }
  const scores = runs.flatMap((run) => run.steps.map(([, score]) => score)).sort((a, b) => a - b);
  // The lowest tenth of improvements, mostly first trials, may lie below the frame.
  const low = scores[Math.floor(scores.length / 10)], high = scores.at(-1), room = (high - low) * 0.05 || 0.05;
  const last = Math.max(...runs.map((run) => run.trials), 1), bottom = HEIGHT - FRAME.bottom;
  const x = (at) => FRAME.left + (at / last) * (width - FRAME.left - FRAME.right);
  const y = (score) => bottom - Math.max(-0.02, (score - low + room) / (high - low + 2 * room)) * (bottom - FRAME.top);
  const root = drawn("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
  for (const value of ticks(low - room, high + room, 6)) {
    root.append(drawn("line", { class: "grid", x1: FRAME.left, x2: width - FRAME.right, y1: y(value), y2: y(value) }),
      drawn("text", { x: FRAME.left - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  for (const value of ticks(0, last, width < 500 ? 5 : 9).filter(Number.isInteger)) {
    root.append(drawn("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, String(value)));
  }
  root.append(drawn("text", { x: width - FRAME.right, y: HEIGHT - 3, "text-anchor": "end" }, "trials"));
  state.searchers.forEach((one, number) => {
    const own = one.runs.filter((run) => run.steps.length), how = look(number), mean = meanSteps(own);
    if (runs.length <= MOST_SINGLE && own.length > 1) {
      for (const run of own) root.append(drawn("path", { ...how, class: `${how.class} single`, d: path(run.steps, run.trials, x, y) }));
    }
    if (mean.length) root.append(drawn("path", { ...how, d: path(mean, mean.at(-1)[0], x, y) }));
  });
  plot.replaceChildren(root);
}

function cell(label, text) {
  const made = document.createElement("td");
  made.className = "n";
  made.dataset.label = label;
  made.textContent = text;
  return made;
}

function row(one, number) {
  const made = document.createElement("tr"), head = document.createElement("th"), sample = drawn("svg", { class: "sample", viewBox: "0 0 30 8", "aria-hidden": "true" });
  head.scope = "row";
  sample.append(drawn("line", { ...look(number), x1: 0, x2: 30, y1: 4, y2: 4, "stroke-width": 2.4 }));
  head.append(sample, one.name);
  const { runs } = one, mean = meanSteps(runs), count = (name) => runs.filter((run) => run.state === name).length;
  const share = runs.reduce((sum, run) => sum + (isOver(run) ? 1 : run.share), 0) / runs.length;
  const bests = runs.filter((run) => run.steps.length).map((run) => run.steps.at(-1)[1]);
  made.append(head, cell("runs ended", `${runs.filter(isOver).length} of ${runs.length}`), cell("running", count("running") || ""),
    cell("failed", count("failed") || ""), cell("budget spent", `${Math.round(100 * share)} %`),
    cell("trials", runs.reduce((sum, run) => sum + run.trials, 0) || ""),
    cell("mean best", mean.length ? mean.at(-1)[1].toFixed(4) : ""), cell("best of all", bests.length ? Math.max(...bests).toFixed(4) : ""));
  return made;
}

function tell() {
  const runs = state.searchers.flatMap((one) => one.runs), over = runs.filter(isOver).length;
  const minutes = Math.floor(state.elapsed_s / 60), seconds = String(state.elapsed_s % 60).padStart(2, "0");
  return `${over} of ${runs.length} runs ended, ${minutes}:${seconds} passed${state.ended ? "; the command has ended" : ""}`;
}

async function ask() {
  const status = document.getElementById("status");
  try {
    const answer = await fetch("/state.json");
    if (!answer.ok) throw new Error(answer.statusText);
    state = await answer.json();
    if (state.name) document.getElementById("name").textContent = document.title = state.name;
    status.textContent = tell();
    rows.replaceChildren(...state.searchers.map(row));
    draw();
    if (!state.ended) setTimeout(ask, 1000);
  } catch {
    status.textContent = state ? `${tell()}; the command has ended, this is the last that was seen.` : "The command has ended.";
    setTimeout(ask, 5000);
  }
  document.documentElement.dataset.ready = "";
}

new ResizeObserver(() => state && draw()).observe(plot);
ask();
