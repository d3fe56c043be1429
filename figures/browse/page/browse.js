"use strict";
// Rows that have every word typed, and the kind chosen; without scripts all are there.

const form = document.getElementById("filters");

function filter() {
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = form.elements.kind.value;
  let count = 0;
  const rows = [...document.querySelectorAll(".results tbody tr")];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = Boolean(kind && row.dataset.kind !== kind) || !words.every((word) => text.includes(word));
    count += row.hidden ? 0 : 1;
  }
  document.getElementById("found").textContent = count === rows.length ? `${count} results` : `${count} of ${rows.length} results`;
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  filter();
}
