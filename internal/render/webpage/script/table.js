// The table of all flows: sorted, searched, and virtual, so that only the rows
// in view are in the document.

const rowHeight = 29; // of the style sheet: 28 and the line below
const printedRows = 250;

const collator = new Intl.Collator("en", { numeric: true });

// fieldColumns are what the report's fields are shown as; fields that none of
// them knows get a column of their own.
const fieldColumns = [
  { id: "proto", title: "Proto", fields: ["proto"] },
  { id: "src", title: "Source", fields: ["src", "src_port"], code: true, text: (f) => endpoint(f, "src") },
  { id: "src_name", title: "Source name", fields: ["src_name"] },
  { id: "dst", title: "Destination", fields: ["dst", "dst_port"], code: true, text: (f) => endpoint(f, "dst") },
  { id: "dst_name", title: "Destination name", fields: ["dst_name"] },
  { id: "info", title: "Info", fields: ["icmp_type", "icmp_code", "spi", "gre_proto", "arp_op", "ethertype", "subtype"], text: info },
  { id: "l7", title: "Application", fields: ["l7"] },
  { id: "direction", title: "Direction", fields: ["direction"] },
  { id: "iface", title: "Interface", fields: ["iface"] },
  { id: "comm", title: "Process", fields: ["comm"] },
  { id: "pid", title: "PID", fields: ["pid"], number: (f) => f.pid, format: String },
  { id: "container", title: "Container", fields: ["container"] },
];
// lateColumns stand behind the counters, unless rows are grouped by some fields only.
const lateColumns = [
  { id: "match", title: "Match", fields: ["match"] },
  { id: "uid", title: "UID", fields: ["uid"], number: (f) => f.uid, format: String },
  { id: "cgroup", title: "Control group", fields: ["cgroup"] },
  { id: "cgroup_id", title: "Cgroup id", fields: ["cgroup_id"], number: (f) => f.cgroup_id, format: String },
  { id: "netns", title: "Namespace", fields: ["netns"], number: (f) => f.netns, format: String },
  { id: "vlan", title: "VLAN", fields: ["vlan"], number: (f) => f.vlan, format: String },
];
const counterColumns = [
  { id: "packets", title: "Packets", fields: ["packets"], number: (f) => f.packets, format: count },
  { id: "bytes", title: "Bytes (L3)", fields: ["bytes"], number: (f) => f.bytes, format: bytes },
  { id: "frame_bytes", title: "Bytes (L2)", fields: ["frame_bytes"], number: (f) => f.frame_bytes, format: bytes },
  { id: "retransmits", title: "Retransmits", fields: ["retransmits"], number: (f) => f.retransmits || 0, format: count },
  { id: "bps", title: "Rate", fields: ["bps"], number: (f) => f.bps, format: bitRate },
  { id: "pps", title: "Packet rate", fields: ["pps"], number: (f) => f.pps, format: packetRate },
];
const timeColumns = ["first", "last"].map((id) => ({ id, title: id === "first" ? "First seen" : "Last seen", fields: [id], number: (f) => Date.parse(f[id]), format: (ms) => clock(ms, 3), time: true }));

const table = {
  report: null, columns: [], rows: [], sort: { id: "bps", down: true }, query: "", all: false, haystacks: new WeakMap(), widest: new Map(),

  set(report) {
    this.report = report;
    this.fields = new Set(report.flows.flatMap((f) => Object.keys(f)));
    const known = new Set([...fieldColumns, ...lateColumns, ...counterColumns, ...timeColumns].flatMap((c) => c.fields));
    const extra = [...this.fields].filter((k) => !known.has(k)).map((k) => ({ id: k, title: k, fields: [k] }));
    const used = (c) => c.fields.some((k) => this.fields.has(k));
    const counters = counterColumns.filter((c) => c.id === "frame_bytes" ? report.total.frame_bytes > 0 : c.id !== "retransmits" || used(c));
    const several = (c) => c.id !== "iface" || report.flows.some((f) => f.iface !== report.flows[0].iface);
    const late = [...lateColumns.filter(used), ...extra];
    this.columns = [...fieldColumns.filter((c) => used(c) && several(c)), ...(report.by ? late : []), ...counters, ...(report.by ? [] : late), ...timeColumns.filter(used)];
    if (!this.columns.some((c) => c.id === this.sort.id)) this.sort = { id: "bps", down: true };
    byId("table-title").textContent = report.by ? "Rows" : "Flows";
    this.measure();
    this.head();
    this.select();
  },

  text(column, flow) {
    if (column.number) {
      const v = column.number(flow);
      return v === undefined || Number.isNaN(v) ? "" : column.format(v);
    }
    if (column.text) return visible(column.text(flow));
    return flow[column.id] === undefined ? "" : visible(plain(flow[column.id]));
  },

  // measure gives the columns the widths of the longest text that they have had, so
  // that nothing moves while one scrolls, nor when a live page's numbers do.
  measure() {
    const widths = this.columns.map((c) => {
      let most = Math.max(this.widest.get(c.id) || 0, c.title.length + 2);
      if (counterColumns.includes(c)) most = Math.max(most, this.text(c, this.summed("total")).length + 2); // bold
      for (const f of this.report.flows) most = Math.max(most, Math.min(40, this.text(c, f).length));
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
    byId("flows").classList.toggle("roomy", this.columns.length <= 13); // on paper
    refill(byId("flows").querySelector("thead"), [el("tr", null, ...this.columns.map((c) => el("th", {
      class: c.number ? "num" : null, scope: "col", "data-title": c.title, "aria-sort": c.id === this.sort.id ? (this.sort.down ? "descending" : "ascending") : null,
    }, el("button", { type: "button", "data-sort": c.id, "data-key": c.id, title: c.title, onclick: () => this.order(c) }, c.title))))]);
  },

  order(column) {
    this.sort = { id: column.id, down: this.sort.id === column.id ? !this.sort.down : Boolean(column.number && !column.time) };
    this.head();
    this.select();
  },

  haystack(flow) {
    let text = this.haystacks.get(flow);
    if (text === undefined) {
      text = Object.entries(flow).filter(([k]) => !numeric.has(k)).map(([, v]) => plain(v)).concat(endpoint(flow, "src"), endpoint(flow, "dst"), info(flow)).join("\n").toLowerCase();
      this.haystacks.set(flow, text);
    }
    return text;
  },

  // select finds and orders the rows that are shown.
  select() {
    const terms = parseSearch(this.query, this.fields);
    this.rows = terms.length ? this.report.flows.filter((f) => matches(f, terms, () => this.haystack(f))) : this.report.flows.slice();
    const column = this.columns.find((c) => c.id === this.sort.id);
    const turn = this.sort.down ? -1 : 1;
    if (column) {
      const keyed = this.rows.map((f, i) => [column.number ? column.number(f) : this.text(column, f), i, f]);
      const compare = column.number ? (a, b) => (a ?? -1) - (b ?? -1) : (a, b) => collator.compare(a, b);
      keyed.sort((a, b) => turn * compare(a[0], b[0]) || a[1] - b[1]);
      this.rows = keyed.map((k) => k[2]);
    }
    const noun = this.report.by ? "rows" : "flows";
    if (terms.length) {
      const sum = this.rows.reduce((s, f) => ({ packets: s.packets + f.packets, bytes: s.bytes + f.bytes, bps: s.bps + f.bps }), { packets: 0, bytes: 0, bps: 0 });
      byId("matches").textContent = `${count(this.rows.length)} of ${count(this.report.flows.length)} ${noun} match: ${count(sum.packets)} packets, ${bytes(sum.bytes)}, ${bitRate(sum.bps)}`;
    } else {
      byId("matches").textContent = `${count(this.rows.length)} ${noun}. Bytes (L3): layer 3 (IP). Rate: ${layers[this.report.rate_layer] || ""}. A click on a row shows all of it.`;
    }
    this.foot();
    this.shown = "";
    this.draw();
  },

  // summed is one of the report's sums as if it were a flow.
  summed(name) {
    const c = this.report[name];
    const seconds = this.report.duration_s;
    const per = (v) => (seconds > 0 ? v / seconds : 0);
    return { ...c, bps: per(8 * layerBytes(this.report, c)), pps: per(c.packets) };
  },

  foot() {
    const { report } = this;
    const lines = [];
    for (const name of ["rest", "overflow", "lost", "total"]) {
      const c = report[name];
      if (name !== "total" && !c.packets && !c.bytes && !c.frame_bytes) continue;
      const flow = this.summed(name);
      lines.push(el("tr", { class: name }, ...this.columns.map((col, i) => {
        if (i === 0) return el("td", null, name);
        const has = counterColumns.includes(col);
        const unknown = c.bytes_unknown && col.id !== "packets" && col.id !== "pps";
        return el("td", { class: col.number ? "num" : null }, !has ? "" : unknown ? "not known" : col.format(col.number(flow)));
      })));
    }
    lines.forEach((tr, i) => { for (const td of tr.children) td.style.bottom = (lines.length - 1 - i) * (rowHeight - 1) + "px"; });
    byId("flows").querySelector("tfoot").replaceChildren(...lines);
  },

  // draw puts the rows in view into the document, and room for the others.
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
      const text = this.text(c, flow);
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
    const known = counterColumns.find((c) => c.id === name);
    const text = known && name !== "packets" ? `${plain(value)}  (${known.format(value)})` : visible(plain(value));
    items.push(el("dt", null, visible(name)), el("dd", null, clip(text, 20000)));
  }
  byId("details-list").replaceChildren(...items);
  byId("details").showModal();
}
