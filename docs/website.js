// A table wider than the page scrolls in a box of its own; this lets the keyboard scroll it too.
// The theme makes the boxes after the page has loaded.
new MutationObserver(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
    box.tabIndex = 0;
  }
}).observe(document.body, { childList: true, subtree: true });
