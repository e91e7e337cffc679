// The table of all flows, with sorting and search. Only the visible rows are in the document.

const rowHeight = 29; // as in the style sheet: 28 and the line below
const printedRows = 250;

const collator = new Intl.Collator("en", { numeric: true });

const table = {
  report: null, columns: [], rows: [], chosen: null, sort: null, query: "", all: false, haystacks: new WeakMap(), widest: new Map(),

  set(report) {
    this.report = report;
    this.names = new Set(report.flows.flatMap((f) => Object.keys(f)));
    this.columns = columnsOf(report, this.names);
    const there = this.chosen && this.columns.some((c) => c.id === this.chosen.id);
    this.sort = there ? this.chosen : this.given(report.sort) || this.given("bps");
    byId("table-title").textContent = capital(nouns.many);
    this.measure();
    this.head();
    this.select();
  },

  // given returns the report's own order, if a column shows the field.
  given(name) {
    const shows = this.columns.find((c) => c.fields.includes(name));
    return shows && { id: shows.id, field: name, down: Boolean(fieldOf(name).descending) };
  },

  // measure sets each column's width to the longest text that it has had. So columns do not move
  // while the user scrolls, nor when a live page updates.
  measure() {
    const widths = this.columns.map((c) => {
      let most = Math.max(this.widest.get(c.id) || 0, c.title.length + 2);
      if (counts(c.field)) most = Math.max(most, cellText(c, this.summed("total")).length + 2); // the sum is bold
      for (const f of this.report.flows) most = Math.max(most, Math.min(40, cellText(c, f).length));
      this.widest.set(c.id, most);
      return Math.round(most * (c.code ? 7.6 : 7.1) + 22);
    });
    byId("flows").querySelector("colgroup").replaceChildren(...widths.map((w) => {
      const col = el("col");
      col.style.width = w + "px";
      return col;
    }));
    byId("flows").style.width = widths.reduce((a, b) => a + b, 0) + "px";
  },

  head() {
    byId("flows").classList.toggle("roomy", this.columns.length <= 13); // for print
    refill(byId("flows").querySelector("thead"), [el("tr", null, ...this.columns.map((c) => el("th", {
      class: c.number ? "num" : null, scope: "col", "data-title": c.title, "aria-sort": c.id === this.sort.id ? (this.sort.down ? "descending" : "ascending") : null,
    }, el("button", { type: "button", "data-sort": c.id, "data-key": c.id, title: c.help, onclick: () => this.order(c) }, c.title))))]);
  },

  order(column) {
    const again = this.sort.id === column.id;
    this.sort = this.chosen = { id: column.id, field: column.id, down: again ? !this.sort.down : Boolean(column.field.descending) };
    this.head();
    this.select();
  },

  haystack(flow) {
    let text = this.haystacks.get(flow);
    if (text === undefined) {
      text = Object.entries(flow).filter(([k]) => !counts(fieldOf(k))).map(([, v]) => plain(v)).concat(["src", "dst", "local", "remote"].map((side) => endpoint(flow, side)), info(flow)).join("\n").toLowerCase();
      this.haystacks.set(flow, text);
    }
    return text;
  },

  // select finds and sorts the rows to show.
  select() {
    const terms = parseSearch(this.query, this.names);
    this.rows = terms.length ? this.report.flows.filter((f) => matches(f, terms, () => this.haystack(f))) : this.report.flows.slice();
    this.rows = this.sorted(this.rows);
    if (terms.length) {
      const sum = this.rows.reduce((s, f) => ({ packets: s.packets + f.packets, bytes: s.bytes + layerBytes(this.report, f), bps: s.bps + f.bps }), { packets: 0, bytes: 0, bps: 0 });
      byId("matches").textContent = `${count(this.rows.length)} of ${counted(this.report.flows.length)} match: ${count(sum.packets)} packets, ${bytes(sum.bytes)}, ${bitRate(sum.bps)}`;
    } else {
      byId("matches").textContent = `${counted(this.rows.length)}. Bytes and rates: ${layers[this.report.rate_layer] || layers.ip}. A click on a row shows all of it.`;
    }
    this.foot();
    this.shown = "";
    this.draw();
  },

  // sorted sorts rows by the chosen field. Equal rows keep their order.
  sorted(rows) {
    const { id, field, down } = this.sort;
    const by = this.columns.find((c) => c.id === id && c.id === field) || column(fieldOf(field));
    const keyed = rows.map((f, i) => [by.number ? numberOf(by.field, f) ?? -1 : cellText(by, f), i, f]);
    const compare = by.number ? (a, b) => a - b : collator.compare;
    const turn = down ? -1 : 1;
    keyed.sort((a, b) => turn * compare(a[0], b[0]) || a[1] - b[1]);
    return keyed.map((k) => k[2]);
  },

  // summed returns one of the report's sums in the form of a flow.
  summed(name) {
    const c = this.report[name];
    const seconds = this.report.duration_s;
    const per = (v) => (seconds > 0 ? v / seconds : 0);
    const layer = this.report.rate_layer === "frame" ? "frame_bytes" : "bytes";
    const rate = (v) => (v === undefined ? undefined : per(8 * v));
    return { ...c, bps: rate(c[layer]), pps: per(c.packets), out_bps: rate(c["out_" + layer]), in_bps: rate(c["in_" + layer]) };
  },

  foot() {
    const lines = sumsOf(this.report).map((name) => {
      const flow = this.summed(name);
      const unknown = (field) => flow.bytes_unknown && (field.kind === "bytes" || field.kind === "bit_rate");
      return el("tr", { class: name }, ...this.columns.map((c, i) => {
        if (i === 0) return el("td", null, name);
        return el("td", { class: c.number ? "num" : null }, !counts(c.field) ? "" : unknown(c.field) ? "not known" : cellText(c, flow));
      }));
    });
    lines.forEach((tr, i) => { for (const td of tr.children) td.style.bottom = (lines.length - 1 - i) * (rowHeight - 1) + "px"; });
    byId("flows").querySelector("tfoot").replaceChildren(...lines);
  },

  // draw puts the visible rows into the document, with empty space for the others.
  draw() {
    const box = byId("scroller");
    let from = 0, to = Math.min(this.rows.length, printedRows);
    if (!this.all) {
      from = Math.max(0, Math.floor(box.scrollTop / rowHeight) - 10);
      to = Math.min(this.rows.length, from + Math.ceil((box.clientHeight || 640) / rowHeight) + 20);
      from = Math.min(from, to);
    }
    const range = from + " " + to + " " + this.all;
    if (range === this.shown) return;
    this.shown = range;
    const body = [];
    const pad = (rows) => {
      const td = el("td", { colspan: this.columns.length });
      td.style.height = rows * rowHeight + "px";
      return el("tr", { class: "pad", "aria-hidden": "true" }, td);
    };
    if (from > 0 && !this.all) body.push(pad(from));
    for (let i = from; i < to; i++) body.push(this.row(this.rows[i]));
    if (to < this.rows.length && !this.all) body.push(pad(this.rows.length - to));
    if (to < this.rows.length && this.all) body.push(el("tr", null, el("td", { colspan: this.columns.length }, `${count(this.rows.length - to)} more are not printed`)));
    if (this.rows.length === 0) body.push(el("tr", null, el("td", { colspan: this.columns.length, class: "empty" }, this.query ? "Nothing matches." : "No traffic was seen.")));
    refill(byId("flows").querySelector("tbody"), body, box);
  },

  row(flow) {
    const open = () => details(flow);
    return el("tr", {
      class: "row", tabindex: "0", "data-key": identity(flow), onclick: () => { if (String(getSelection()) === "") open(); },
      onkeydown: (event) => { if (event.key === "Enter") open(); },
    }, ...this.columns.map((c) => {
      const text = cellText(c, flow);
      const td = el("td", { class: c.number ? "num" : (c.code ? "code" : "") + (text.length > 24 ? " long" : "") }, clip(text));
      if (text.length > 24) td.title = clip(text, 1000);
      return td;
    }));
  },

  search(query) {
    this.query = query;
    if (byId("search").value !== query) byId("search").value = query;
    byId("scroller").scrollTop = 0;
    this.select();
  },

  start() {
    byId("search").addEventListener("input", (event) => this.search(event.target.value));
    byId("scroller").addEventListener("scroll", () => requestAnimationFrame(() => { if (this.report) this.draw(); }), { passive: true });
    addEventListener("resize", () => { if (this.report) this.draw(); });
    addEventListener("beforeprint", () => { this.all = true; if (this.report) this.draw(); });
    addEventListener("afterprint", () => { this.all = false; if (this.report) this.draw(); });
    byId("details-close").addEventListener("click", () => byId("details").close());
  },
};

// details shows every field of a flow.
function details(flow) {
  const items = [];
  for (const [name, value] of Object.entries(flow)) {
    const field = fieldOf(name);
    const text = shortened[field.kind] ? `${plain(value)}  (${format(field, value)})` : visible(plain(value));
    items.push(el("dt", { title: field.help || null }, visible(name)), el("dd", null, clip(text, 20000)));
  }
  byId("details-title").textContent = capital(nouns.one);
  byId("details-list").replaceChildren(...items);
  byId("details").showModal();
}
