// The rate chart: steps, because a value is the average of its interval. The top talkers are
// stacked, with the rest of the traffic above them.

const chart = {
  series: null, // in the format of internal/render/rateseries
  by: "", unit: "bytes", hidden: new Set(), view: null, at: null, drag: null,
  left: 66, right: 10, top: 10, bottom: 26,
  paper: false, // drawing for print, where the width is unknown
  onBy: () => {}, // the user has chosen another breakdown

  set(series) {
    this.series = series;
    const select = byId("chart-by");
    const names = series.by.map((b) => b.name).join();
    if (select.dataset.names !== names) {
      select.dataset.names = names;
      select.replaceChildren(...series.by.map((b) => el("option", { value: b.name }, b.title)));
    }
    if (!series.by.some((b) => b.name === this.by)) this.by = (series.by.find((b) => b.top) || series.by[0] || { name: "" }).name;
    select.value = this.by;
    select.parentElement.hidden = series.by.length === 0;
    this.draw();
  },

  // layers returns the stacked areas from bottom to top.
  layers() {
    const s = this.series;
    const of = (volumes) => volumes[this.unit];
    const chosen = (s.by.find((b) => b.name === this.by) || {}).top || [];
    const all = chosen.map((t, i) => ({ id: "top:" + t.label, label: t.label, color: "c" + i, values: of(t) }));
    const known = all.concat([
      { id: "overflow", label: "overflow: counted to no row", color: "coverflow", values: of(s.overflow) },
      { id: "lost", label: "lost: seen, not counted to a flow", color: "clost", values: of(s.lost) },
    ]);
    const left = of(s.total).map((total, i) => Math.max(0, total - known.reduce((sum, l) => sum + l.values[i], 0)));
    const rest = { id: "rest", label: chosen.length ? "everything else" : "all traffic", color: chosen.length ? "crest" : "c0", values: left };
    return all.concat([rest], known.slice(all.length)).filter((l) => l.values.some((v) => v > 0));
  },

  seconds(i) { return Math.max(this.series.end[i] - this.series.start[i], 1) / 1000; },
  perSecond(layer, i) { return ((this.unit === "bytes" ? 8 : 1) * layer.values[i]) / this.seconds(i); },
  format(v) { return this.unit === "bytes" ? bitRate(v) : packetRate(v); },

  draw() {
    const box = byId("chart");
    const s = this.series;
    byId("chart-layer").textContent = this.unit === "packets" ? "Packets as on the wire; each step is the average of its interval. Times are UTC."
      : "Bits of " + (layers[s.rate_layer] || "unknown layer") + "; each step is the average of its interval. Times are UTC.";
    if (s.start.length === 0 || !s.total.packets.some((v) => v > 0)) {
      box.replaceChildren(el("p", { class: "empty" }, "No traffic was seen."));
      byId("legend").replaceChildren();
      return;
    }
    const n = s.start.length;
    let from = 0, to = n;
    if (this.view) {
      from = s.end.findIndex((t) => t > this.view[0]);
      to = s.start.findLastIndex((t) => t < this.view[1]) + 1;
      if (from < 0 || to <= from) { this.view = null; from = 0; to = n; }
    }
    byId("chart-reset").hidden = !this.view;
    const [w, h] = this.paper ? [720, 260] : [Math.max(box.clientWidth, 200), Math.max(box.clientHeight, 120)];
    const t0 = s.start[from], t1 = Math.max(s.end[to - 1], t0 + 1);
    const x = (t) => this.left + ((t - t0) / (t1 - t0)) * (w - this.left - this.right);
    const shown = this.layers();
    const stack = new Float64Array(n);
    const paths = [];
    for (const layer of shown) {
      if (this.hidden.has(layer.id)) continue;
      const base = stack.slice();
      for (let i = from; i < to; i++) stack[i] += this.perSecond(layer, i);
      paths.push([layer, base, stack.slice()]);
    }
    const steps = ticks(stack.reduce((a, b) => Math.max(a, b), 0), Math.max(2, Math.floor(h / 60)));
    const max = steps[steps.length - 1];
    const y = (v) => h - this.bottom - (v / max) * (h - this.top - this.bottom);
    this.frame = { from, to, x, t0, t1, w, h, shown };

    const dense = w / (to - from) < 8; // too narrow for lines between the areas
    const root = svg("svg", { viewBox: `0 0 ${w} ${h}`, class: dense ? "dense" : null, "aria-hidden": "true" });
    for (const v of steps) {
      root.append(svg("line", { class: "grid", x1: this.left, x2: w - this.right, y1: y(v), y2: y(v) }));
      root.append(svg("text", { x: this.left - 8, y: y(v) + 4, "text-anchor": "end" }, v === 0 ? "0" : this.format(v)));
    }
    for (const [layer, base, top] of paths) root.append(svg("path", { class: "area " + layer.color, d: area(s, from, to, x, y, base, top) }));
    let free = 0; // x position from which the next label fits
    for (const [t, label] of timeTicks(t0, t1, w - this.left - this.right)) {
      const at = x(t);
      root.append(svg("line", { class: "grid", x1: at, x2: at, y1: h - this.bottom, y2: h - this.bottom + 5 }));
      const half = label.length * 3.4; // of its width
      const middle = Math.min(at, w - half);
      if (middle - half < free) continue;
      free = middle + half + 6;
      root.append(svg("text", { x: middle, y: h - 6, "text-anchor": "middle" }, label));
    }
    root.append(svg("rect", { class: "band", y: this.top, height: h - this.top - this.bottom, x: 0, width: 0 }));
    root.append(svg("rect", { class: "zoom", y: this.top, height: h - this.top - this.bottom, x: 0, width: 0 }));
    box.replaceChildren(root, el("div", { class: "tip", role: "status", hidden: "" }));
    this.legend(shown);
    if (this.at !== null) this.point(this.at);
  },

  legend(shown) {
    const time = this.series.start.reduce((sum, _, i) => sum + this.seconds(i), 0);
    refill(byId("legend"), shown.map((layer) => {
      const mean = ((this.unit === "bytes" ? 8 : 1) * layer.values.reduce((a, b) => a + b, 0)) / time;
      return el("li", null, el("button", {
        type: "button", "data-key": layer.id, "aria-pressed": String(!this.hidden.has(layer.id)), title: "Show or hide",
        onclick: () => {
          if (!this.hidden.delete(layer.id)) this.hidden.add(layer.id);
          this.draw();
        },
      }, el("span", { class: "swatch " + layer.color }), el("span", { class: "label" }, layer.label), el("span", { class: "v" }, this.format(mean))));
    }));
  },

  // point shows the values of the interval that contains time t.
  point(t) {
    const { from, to, x, w, shown } = this.frame;
    const s = this.series;
    let i = from;
    while (i + 1 < to && s.start[i + 1] <= t) i++;
    this.at = t;
    this.index = i;
    const band = byId("chart").querySelector(".band");
    band.setAttribute("x", x(s.start[i]));
    band.setAttribute("width", Math.max(1, x(s.end[i]) - x(s.start[i])));
    const tip = byId("chart").querySelector(".tip");
    const digits = s.end[i] - s.start[i] < 10000 ? 3 : 0;
    const lines = shown.filter((l) => !this.hidden.has(l.id) && l.values[i] > 0).reverse();
    const sum = lines.reduce((total, l) => total + this.perSecond(l, i), 0);
    tip.replaceChildren(
      el("div", { class: "when" }, `${clock(s.start[i], digits)} – ${clock(s.end[i], digits)} UTC`),
      ...lines.map((l) => el("div", { class: "line" }, el("span", { class: "swatch " + l.color }), el("span", { class: "label" }, l.label), el("span", { class: "v" }, this.format(this.perSecond(l, i))))),
      el("div", { class: "line sum" }, el("span", { class: "label" }, "sum"), el("span", { class: "v" }, this.format(sum))));
    tip.hidden = false;
    const right = x(s.end[i]) + 12 + tip.offsetWidth < w;
    tip.style.left = (right ? x(s.end[i]) + 12 : Math.max(0, x(s.start[i]) - 12 - tip.offsetWidth)) + "px";
  },

  leave() {
    this.at = null;
    const box = byId("chart");
    const band = box.querySelector(".band");
    if (band) band.setAttribute("width", 0);
    const tip = box.querySelector(".tip");
    if (tip) tip.hidden = true;
  },

  time(event) {
    const { t0, t1, w } = this.frame;
    const px = event.clientX - byId("chart").getBoundingClientRect().left;
    const share = (px - this.left) / (w - this.left - this.right);
    return t0 + Math.min(1, Math.max(0, share)) * (t1 - t0);
  },

  selecting(event) {
    const { x } = this.frame;
    const [a, b] = [this.drag, this.time(event)].sort((p, q) => p - q);
    const zoom = byId("chart").querySelector(".zoom");
    zoom.setAttribute("x", x(a));
    zoom.setAttribute("width", x(b) - x(a));
  },

  // start adds the event listeners. It is called once.
  start() {
    const box = byId("chart");
    const drawn = (f) => (event) => { if (this.series && box.querySelector(".band")) f(event); };
    box.addEventListener("pointermove", drawn((event) => {
      this.point(this.time(event));
      if (this.drag !== null) this.selecting(event);
    }));
    // After a touch, the values stay until the user touches something else.
    box.addEventListener("pointerleave", drawn((event) => { if (this.drag === null && event.pointerType !== "touch") this.leave(); }));
    addEventListener("pointerdown", drawn((event) => { if (this.at !== null && !box.contains(event.target)) this.leave(); }));
    box.addEventListener("pointerdown", drawn((event) => {
      if (event.pointerType === "touch") this.point(this.time(event));
      if (event.button !== 0 || event.pointerType === "touch") return;
      this.drag = this.time(event);
      box.setPointerCapture(event.pointerId);
    }));
    box.addEventListener("pointerup", drawn((event) => {
      if (this.drag === null) return;
      const { x } = this.frame;
      const [a, b] = [this.drag, this.time(event)].sort((p, q) => p - q);
      this.drag = null;
      if (x(b) - x(a) > 8) this.view = [a, b];
      this.draw();
    }));
    box.addEventListener("pointercancel", () => { this.drag = null; });
    box.addEventListener("keydown", drawn((event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.leave();
      if (!move) return;
      event.preventDefault();
      const { from, to } = this.frame;
      const next = this.at === null ? from : Math.min(to - 1, Math.max(from, this.index + move));
      this.point(this.series.start[next]);
    }));
    box.addEventListener("blur", drawn(() => this.leave()));
    byId("chart-by").addEventListener("change", (event) => { this.by = event.target.value; this.hidden.clear(); this.onBy(); this.draw(); });
    byId("chart-unit").addEventListener("change", (event) => { this.unit = event.target.value; this.draw(); });
    byId("chart-reset").addEventListener("click", () => { this.view = null; this.draw(); });
    for (const type of ["beforeprint", "afterprint"]) {
      addEventListener(type, () => {
        this.paper = type === "beforeprint";
        if (this.series) this.draw();
      });
    }
    let width = 0;
    new ResizeObserver(() => {
      if (this.series && box.clientWidth !== width && !this.paper) this.draw();
      width = box.clientWidth;
    }).observe(box);
  },
};

// area returns the path between two step curves. Where time has a gap, both are 0.
function area(s, from, to, x, y, base, top) {
  const p = (v) => v.toFixed(1);
  const gap = (i) => i > from && i < to && s.start[i] > s.end[i - 1];
  let d = "M" + p(x(s.start[from])) + "," + p(y(base[from]));
  for (let i = from; i < to; i++) {
    if (gap(i)) d += "V" + p(y(0)) + "H" + p(x(s.start[i]));
    d += "L" + p(x(s.start[i])) + "," + p(y(top[i])) + "H" + p(x(s.end[i]));
  }
  for (let i = to - 1; i >= from; i--) {
    if (gap(i + 1)) d += "V" + p(y(0)) + "H" + p(x(s.end[i]));
    d += "L" + p(x(s.end[i])) + "," + p(y(base[i])) + "H" + p(x(s.start[i]));
  }
  return d + "Z";
}

// ticks returns about n round values from 0 to beyond max.
function ticks(max, n) {
  if (!(max > 0)) return [0, 1];
  const raw = max / n;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * unit).find((v) => v >= raw);
  const all = [];
  for (let i = 0; ; i++) {
    all.push(i * step);
    if (i * step >= max) return all;
  }
}

const timeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 3e3, 5e3, 1e4, 15e3, 2e4, 3e4, 6e4, 12e4, 18e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5];

// timeTicks returns round times with labels, as many as fit into width pixels.
function timeTicks(t0, t1, width) {
  const room = (step) => width / (step < 1000 || (t1 - t0 > 864e5 && step < 864e5) ? 92 : 68);
  const step = timeSteps.find((v) => (t1 - t0) / v <= room(v)) || 864e5 * Math.ceil((t1 - t0) / 864e5 / room(864e5));
  const all = [];
  for (let t = Math.ceil(t0 / step) * step; t <= t1; t += step) {
    if (step >= 864e5) all.push([t, date(t).slice(5)]);
    else if (t1 - t0 > 864e5) all.push([t, date(t).slice(5) + " " + clock(t).slice(0, 5)]);
    else if (step >= 6e4) all.push([t, clock(t).slice(0, 5)]);
    else all.push([t, clock(t, step < 1000 ? 3 : 0)]);
  }
  return all;
}
