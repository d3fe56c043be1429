"use strict";
// The data that the page carries, unpacked, and the builders all parts share.
// Text enters the page as text nodes only: no string is ever parsed as markup.

function bytesOf(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function unpacked(id) {
  const stream = new Blob([bytesOf(id)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream);
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function shown(value, digits = 4) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(3);
  return size >= 1e4 ? value.toFixed(0) : Number.isInteger(value) ? String(value) : value.toFixed(digits);
}

// As 16.5T: three or four digits and the unit's prefix, as on the axes of the figures.
function engineering(value) {
  const step = value > 0 ? Math.max(0, Math.min(6, Math.floor(Math.log10(value) / 3))) : 0;
  const digits = value / 1000 ** step;
  return (Number.isInteger(digits) ? String(digits) : digits.toPrecision(4)) + ["", "k", "M", "G", "T", "P", "E"][step];
}

function option(value, text = value) {
  return element("option", { value }, text);
}

const STATUS = ["ok", "failed", "invalid", "duplicate"];
const MAX_CELLS = 64; // a longer candidate is shown as text

// All trials of all runs; a row is a trial's number over all runs.
class Trials {
  constructor(data) {
    Object.assign(this, data.dense);
    for (const name of ["parents", "repeats", "texts", "metrics", "llm", "verdict", "dialogue"]) {
      this[name] = data.sparse[name] || {};
    }
    this.length = data.length;
    this.runs = data.runs;
    this.origins = data.origins;
    this.note = (this.note || []).map((place) => data.notes[place]);
    this.unit = data.unit;
    this.alphabet = [...data.alphabet];
    this.letters = data.letters;
    this.colors = data.colors;
    this.truth = data.truth;
    this.run = new Int32Array(this.length);
    data.runs.forEach((run, number) => this.run.fill(number, run.first, run.first + run.length));
  }

  runOf(row) { return this.runs[this.run[row]]; }

  rowsOf(run) { return Array.from({ length: run.length }, (_, i) => run.first + i); }

  color(searcher) { return this.colors[searcher] || "#6b6b6b"; }

  // The row of the trial with this index in the same run; undefined where there is none.
  rowAt(run, index) {
    if (this.index[run.first + index] === index && index < run.length) return run.first + index;
    return this.rowsOf(run).find((row) => this.index[row] === index);
  }

  parentRows(row) {
    const run = this.runOf(row);
    return (this.parents[row] || []).map((index) => this.rowAt(run, index)).filter((found) => found !== undefined);
  }

  // Of the full trainings: a partial one is no score to compare.
  bestRow(rows) {
    return rows.reduce((best, row) => this.status[row] === "ok" && this.fidelity[row] === 1 && (best === null || this.score[row] > this.score[best]) ? row : best, null);
  }

  // Whether a language model proposed it, which its origin or its calls say.
  isOfModel(row) { return Boolean(this.llm[row]) || this.origins[this.origin[row]].startsWith("llm"); }

  // A pattern as cells, letters from `hit[0]` to `hit[1]` underlined; other texts as they are.
  cells(pattern, hit = null) {
    const isPattern = pattern.length <= MAX_CELLS && [...pattern].every((letter) => this.alphabet.includes(letter));
    if (!isPattern || !pattern) return element("code", {}, pattern.length > 80 ? pattern.slice(0, 79) + "\u2026" : pattern || "(empty)");
    const cells = [...pattern].map((letter, i) => {
      const isHit = hit && i >= hit[0] && i < hit[1] ? " hit" : "";
      return element("i", { class: `k${this.alphabet.indexOf(letter)}${isHit}` }, letter);
    });
    return element("span", { class: "pattern", role: "img", "aria-label": pattern }, ...cells);
  }
}

async function main() {
  if (typeof DecompressionStream === "undefined") {
    const trouble = document.getElementById("trouble");
    trouble.textContent = "This browser is too old to unpack figures and trials (it needs DecompressionStream, 2023); the tables are complete.";
    trouble.hidden = false;
    return;
  }
  startFigures();
  startCopying();
  const trials = new Trials(await unpacked("data").json());
  const curves = document.getElementById("curve-data") ? await unpacked("curve-data").json() : null;
  for (const part of document.querySelectorAll(".live")) part.hidden = false;
  if (curves) new Curves(curves);
  const explorer = new Explorer(trials);
  if (document.getElementById("notebooks")) new Notebooks(trials, explorer);
  document.documentElement.dataset.ready = Math.round(performance.now());
}

document.addEventListener("DOMContentLoaded", main);
