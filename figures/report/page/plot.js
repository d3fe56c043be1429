// Scores against the number of the trial, on a canvas: thousands of points, one drawing. Lines are the
// best score so far, the mean over the runs shown of each searcher.

const MARGIN = { left: 46, right: 10, top: 8, bottom: 26 };

class Plot {
  constructor(canvas, trials, choose) {
    this.canvas = canvas;
    this.trials = trials;
    this.rows = [];
    this.points = [];
    this.picture = document.createElement("canvas"); // all points; the chosen one is marked on a copy
    new ResizeObserver(() => this.draw(this.rows, this.chosen)).observe(canvas);
    canvas.addEventListener("click", (event) => {
      const row = this.nearest(event.offsetX, event.offsetY);
      if (row !== null) choose(row);
    });
  }

  draw(rows, chosen) {
    this.rows = rows;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    if (!this.width) return;
    this.drawAll(rows, this.cleared(this.picture));
    this.mark(chosen);
  }

  cleared(canvas) {
    const ratio = window.devicePixelRatio || 1, pen = canvas.getContext("2d");
    canvas.width = this.width * ratio;
    canvas.height = this.height * ratio;
    pen.scale(ratio, ratio);
    return pen;
  }

  mark(chosen) {
    this.chosen = chosen;
    if (!this.width) return;
    const pen = this.cleared(this.canvas), found = this.points.find(([, , row]) => row === chosen);
    pen.drawImage(this.picture, 0, 0, this.width, this.height);
    if (!found) return;
    pen.lineWidth = 2;
    pen.strokeStyle = "#222222";
    pen.beginPath();
    pen.arc(found[0], found[1], 7, 0, 7);
    pen.stroke();
  }

  drawAll(rows, pen) {
    const { trials } = this;
    const scored = rows.filter((row) => trials.score[row] !== null && trials.status[row] === "ok");
    this.points = [];
    pen.font = "11px system-ui, sans-serif";
    if (!scored.length) {
      pen.fillStyle = "#5f5f5f";
      pen.fillText("No score to draw.", MARGIN.left, 30);
      return;
    }
    this.measure(scored);
    this.drawAxes(pen);
    pen.globalAlpha = scored.length > 2000 ? 0.2 : scored.length > 300 ? 0.45 : 0.8;
    const size = scored.length > 2000 ? 1.8 : 2.8;
    for (const row of scored) {
      const x = this.x(trials.index[row]), y = this.y(trials.score[row]);
      this.points.push([x, y, row]);
      pen.fillStyle = trials.color(trials.runOf(row).searcher);
      pen.beginPath();
      pen.arc(x, y, size, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    this.drawBest(scored, pen);
  }

  drawBest(scored, pen) {
    const { trials } = this, runs = new Map();
    for (const row of scored) {
      if (trials.fidelity[row] < 1 || trials.runOf(row).reference) continue;
      if (!runs.has(trials.run[row])) runs.set(trials.run[row], []);
      runs.get(trials.run[row]).push(row);
    }
    const groups = new Map();
    for (const [number, rows] of runs) {
      const { searcher } = trials.runs[number];
      groups.set(searcher, [...(groups.get(searcher) || []), rows.sort((a, b) => trials.index[a] - trials.index[b])]);
    }
    for (const [searcher, own] of groups) {
      const levels = meanOfBest(own, trials);
      pen.strokeStyle = trials.color(searcher);
      pen.lineWidth = 2;
      pen.beginPath();
      levels.forEach(([index, level], place) => {
        const x = this.x(index), y = this.y(level);
        if (place === 0) pen.moveTo(x, y);
        else { pen.lineTo(x, this.y(levels[place - 1][1])); pen.lineTo(x, y); }
      });
      pen.stroke();
    }
  }

  measure(scored) {
    const { score, index } = this.trials;
    let [low, high, last] = [Infinity, -Infinity, 1];
    // Of many, the lowest hundredth lies on the lower edge and leaves the room to the others.
    const sorted = scored.map((row) => score[row]).sort((a, b) => a - b);
    low = sorted[scored.length > 300 ? Math.floor(scored.length / 100) : 0];
    for (const row of scored) {
      high = Math.max(high, score[row]);
      last = Math.max(last, index[row]);
    }
    const room = (high - low) * 0.04 || 1;
    this.x = (value) => MARGIN.left + (value / last) * (this.width - MARGIN.left - MARGIN.right);
    this.y = (value) => this.height - MARGIN.bottom
      - ((Math.max(value, low) - low + room) / (high - low + 2 * room)) * (this.height - MARGIN.top - MARGIN.bottom);
    this.scores = ticks(low, high, 5);
    this.indices = ticks(0, last, 8).filter(Number.isInteger);
  }

  drawAxes(pen) {
    pen.strokeStyle = "#ececec";
    pen.fillStyle = "#5f5f5f";
    pen.textAlign = "right";
    for (const value of this.scores) {
      const y = Math.round(this.y(value)) + 0.5;
      pen.beginPath();
      pen.moveTo(MARGIN.left, y);
      pen.lineTo(this.width - MARGIN.right, y);
      pen.stroke();
      pen.fillText(tickText(value, this.scores), MARGIN.left - 5, y + 4);
    }
    pen.textAlign = "center";
    for (const value of this.indices) pen.fillText(String(value), this.x(value), this.height - 12);
    pen.textAlign = "right";
    pen.fillText("trial", this.width - MARGIN.right, this.height - 1);
    pen.textAlign = "left";
    pen.fillText("search score", 2, 8);
  }

  nearest(x, y) {
    let [best, found] = [24 * 24, null];
    for (const [px, py, row] of this.points) {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < best) [best, found] = [distance, row];
    }
    return found;
  }
}

// Round values between two limits, about `wanted` of them.
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(Number((n * step).toPrecision(12)));
  return found;
}

// All ticks of an axis with as many decimals as their step needs.
function tickText(value, all) {
  const step = all.length > 1 ? all[1] - all[0] : 1;
  return Math.abs(value) >= 1e5 ? value.toExponential(1) : value.toFixed(Math.max(0, Math.min(6, Math.ceil(-Math.log10(step) - 1e-9))));
}

// [trial, mean over the runs of the best so far], from where every run has a score.
function meanOfBest(runs, trials) {
  const first = Math.max(...runs.map((rows) => trials.index[rows[0]]));
  const last = Math.max(...runs.map((rows) => trials.index[rows.at(-1)]));
  const sums = new Array(last - first + 1).fill(0);
  for (const rows of runs) {
    let place = 0, best = -Infinity;
    for (let index = first; index <= last; index++) {
      while (place < rows.length && trials.index[rows[place]] <= index) best = Math.max(best, trials.score[rows[place++]]);
      sums[index - first] += best;
    }
  }
  return sums.map((sum, place) => [first + place, sum / runs.length]);
}
