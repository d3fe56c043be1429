// What a filter of patterns means, its place in the address, and rows as a file.

// A filter as a function of a pattern: null, or where it was found, as [from, to). Besides letters
// it takes run lengths (2A5M), repeats (AM*8), any letter (A??M), the start (^) and the end ($);
// with anything else in it, it is searched for as it is.
function patternFilter(text, alphabet) {
  const wanted = text.trim();
  if (!wanted) return () => [0, 0];
  const spelt = spellOut(wanted.toUpperCase().replace(/\s+/g, ""), alphabet);
  const plain = wanted.toLowerCase();
  return (pattern) => {
    const start = pattern.toLowerCase().indexOf(plain);
    if (start >= 0) return [start, start + wanted.length];
    const found = spelt && pattern.match(spelt);
    return found ? [found.index, found.index + found[0].length] : null;
  };
}

function spellOut(text, alphabet) {
  const parts = text.match(/^(\^?)([A-Z?0-9*]+)(\$?)$/);
  if (!parts) return null;
  const repeated = parts[2].replace(/([A-Z?]+)\*(\d{1,3})/g, (_, unit, count) => unit.repeat(Number(count)));
  const letters = repeated.replace(/(\d{1,3})([A-Z?])/g, (_, count, letter) => letter.repeat(Number(count)));
  if (letters.length > 2000 || ![...letters].every((letter) => letter === "?" || alphabet.includes(letter))) return null;
  return new RegExp(parts[1] + letters.replaceAll("?", ".") + parts[3]);
}

// The filters that are set, in the part of the address that no server sees: a link to them.
const HASH = "#explorer?";

function filtersFromAddress(form) {
  if (!location.hash.startsWith(HASH)) return false;
  for (const [name, value] of new URLSearchParams(location.hash.slice(HASH.length))) {
    if (form.elements[name]) form.elements[name].value = value;
  }
  return true;
}

function filtersToAddress(form) {
  const set = [...new FormData(form)].filter(([, value]) => value);
  if (!set.length && !location.hash.startsWith(HASH)) return;
  history.replaceState(null, "", set.length ? HASH + new URLSearchParams(set) : "#explorer");
}

// Rows as comma-separated values; a text that a spreadsheet would run is made one by a quote.
function rowsAsCsv(trials, rows) {
  const names = ["searcher", "seed", "trial", "pattern", "status", "score", "true_score", "true_rank", "fidelity", "cost", "origin", "parents"];
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const { truth } = trials;
  const lines = rows.map((row) => {
    const { searcher, seed } = trials.runOf(row);
    return [searcher, seed, trials.index[row], trials.pattern[row], trials.status[row], trials.score[row],
      truth?.score[row], truth?.rank[row], trials.fidelity[row], trials.price[row],
      trials.origins[trials.origin[row]], (trials.parents[row] || []).join(" ")].map(cell).join(",");
  });
  return [names.join(","), ...lines].join("\n") + "\n";
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// Without permission to write to the clipboard the text is selected, ready to be copied.
async function copyText(text, button, source) {
  try {
    await navigator.clipboard.writeText(text);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  } catch {
    if (source) getSelection().selectAllChildren(source);
  }
}

function startCopying() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", () => copyText(source.textContent, button, source));
  }
}
