// Figures: unpacked when they come near the screen, enlarged in a dialog that pans and zooms.

const addresses = new Map();

async function addressOf(number) {
  if (!addresses.has(number)) {
    const id = `figure-${number}`;
    const isPng = document.getElementById(id).type === "image/png";
    const bytes = isPng ? bytesOf(id) : await unpacked(id).arrayBuffer();
    addresses.set(number, URL.createObjectURL(new Blob([bytes], { type: isPng ? "image/png" : "image/svg+xml" })));
  }
  return addresses.get(number);
}

function startFigures() {
  const figures = [...document.querySelectorAll("figure[data-figure]")].filter((figure) => figure.querySelector("img"));
  const load = async (figure) => {
    const image = figure.querySelector("img");
    if (!image.getAttribute("src")) image.src = await addressOf(Number(figure.dataset.figure));
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((found) => found.isIntersecting)) {
      watcher.unobserve(entry.target);
      load(entry.target);
    }
  }, { rootMargin: "800px" });
  figures.forEach((figure) => watcher.observe(figure));
  window.addEventListener("beforeprint", () => figures.forEach(load));
  const zoom = new Zoom(figures);
  figures.forEach((figure, place) => figure.querySelector(".enlarge").addEventListener("click", () => zoom.open(place)));
}

class Zoom {
  constructor(figures) {
    this.figures = figures;
    this.dialog = document.getElementById("zoom");
    this.image = this.dialog.querySelector("img");
    this.stage = this.dialog.querySelector(".stage");
    const actions = {
      previous: () => this.step(-1), next: () => this.step(1), close: () => this.dialog.close(),
      in: () => this.scale(1.4), out: () => this.scale(1 / 1.4), fit: () => this.fit(),
    };
    for (const button of this.dialog.querySelectorAll("[data-do]")) {
      button.addEventListener("click", actions[button.dataset.do]);
    }
    const keys = { ArrowLeft: "previous", ArrowRight: "next", "+": "in", "=": "in", "-": "out", 0: "fit" };
    this.dialog.addEventListener("keydown", (event) => {
      if (keys[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); actions[keys[event.key]](); }
    });
    this.stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.scale(Math.exp(-event.deltaY / 400), event);
    }, { passive: false });
    this.stage.addEventListener("dblclick", (event) => this.scale(1.8, event));
    this.dragging();
  }

  async open(place) {
    this.place = place;
    const figure = this.figures[place];
    this.image.src = await addressOf(Number(figure.dataset.figure));
    const small = figure.querySelector("img");
    this.image.alt = small.alt;
    this.ratio = small.getAttribute("height") / small.getAttribute("width");
    document.getElementById("zoom-title").textContent = small.alt;
    if (!this.dialog.open) this.dialog.showModal();
    this.fit();
    // On a small screen a whole figure cannot be read: begin at the size it was drawn for.
    if (this.width < 640) this.resize(760);
  }

  step(by) { this.open((this.place + by + this.figures.length) % this.figures.length); }

  fit() {
    const { clientWidth, clientHeight } = this.stage;
    this.resize(Math.min(clientWidth, clientHeight / this.ratio));
  }

  resize(width) {
    this.width = Math.max(160, Math.min(width, 12000));
    this.image.style.width = `${this.width}px`;
  }

  // Zooms about the pointer, or about the middle of the stage.
  scale(factor, event) {
    const box = this.stage.getBoundingClientRect(), stage = this.stage, before = this.width;
    const x = event ? event.clientX - box.left : box.width / 2, y = event ? event.clientY - box.top : box.height / 2;
    const left = stage.scrollLeft + x, top = stage.scrollTop + y;
    this.resize(before * factor);
    const grown = this.width / before;
    stage.scrollTo(left * grown - x, top * grown - y);
  }

  dragging() {
    const stage = this.stage;
    let last = null;
    stage.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse") return; // touch pans by itself
      event.preventDefault();
      last = event;
      stage.setPointerCapture(event.pointerId);
      stage.classList.add("dragging");
    });
    stage.addEventListener("pointermove", (event) => {
      if (last) { stage.scrollBy(last.clientX - event.clientX, last.clientY - event.clientY); last = event; }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, () => { last = null; stage.classList.remove("dragging"); });
    }
  }
}
