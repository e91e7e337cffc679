// The parts around the chart and the table: heading, tiles, notes, accounting and breakdowns.

// source names the counted captures, control groups or interfaces.
function source(report) {
  const names = Object.values(report.source || {}).flat().map((n) => clip(visible(n), 40));
  return names.slice(0, 8).join(", ") + (names.length > 8 ? ` and ${names.length - 8} more` : "");
}

// heading is "web-3 · eth0 · 27 Nov, 1 min". Without a host for a capture, which may come from
// another machine.
function heading({ report, span }) {
  const host = report.host && !(report.source && report.source.files) ? clip(visible(report.host), 60) : "";
  const where = [host, source(report)].filter(Boolean);
  const how = clip(visible(report.backend)) + (report.attach ? ` (${clip(visible(report.attach))})` : "");
  const whole = report.final || span === "run";
  const parts = [
    ...where.map((text) => el("b", null, text)),
    el("span", { title: report.reason ? clip(visible(report.reason), 300) : null }, how),
    report.start ? `${date(Date.parse(report.start))} ${clock(Date.parse(report.start))} UTC` + (whole ? ", " + duration(report.duration_s) : "") : "",
    report.by && (report.by.length > 1 || !complete(report)) ? "by " + report.by.join(", ") : "",
    report.sort ? "sorted by " + report.sort : "",
    report.note ? el("b", { class: "note" }, clip(visible(report.note), 300)) : "",
  ].filter(Boolean);
  byId("what").replaceChildren(...parts.flatMap((p, i) => (i > 0 ? [" · ", p] : [p])));
  const when = report.final && report.start ? [`${day(Date.parse(report.start))}, ${duration(report.duration_s)}`] : [];
  document.title = [...where, ...when].join(" · ") || "pktstat";
}

// origin names the program, its version and the machine.
function origin(report) {
  const on = [report.host && "on " + report.host, report.kernel && `(Linux ${report.kernel})`].filter(Boolean).join(" ");
  const text = ["pktstat", report.version, on].filter(Boolean).join(" ") + ". ";
  return clip(visible(text), 300);
}

const command = (report) => (report.args ? " Command line: " + clip(visible(["pktstat", ...report.args.map(quoted)].join(" ")), 2000) : "");

// quoted quotes a word for a POSIX shell.
const quoted = (word) => (/^[\w%+,\-./:=@]+$/.test(word) ? word : "'" + word.replaceAll("'", `'"'"'`) + "'");

function notes(report) {
  const all = [];
  if (report.packets_exact === false) all.push("Packets are a lower bound: merged frames count as one.");
  if (report.lost.bytes_unknown) all.push("The bytes of lost packets are unknown: bytes and rates are a lower bound.");
  for (const note of report.notes || []) all.push(clip(visible(note), 2000));
  byId("notes").hidden = all.length === 0;
  byId("notes").replaceChildren(...all.map((n) => el("li", null, n)));
}

// notTaken lists the other backends, and why pktstat did not choose them.
function notTaken(report) {
  const all = (report.alternatives || []).map((r) => clip(visible(`${r.backend} (${r.reason})`), 300));
  return all.length ? ` Not chosen: ${all.join(", ")}.` : "";
}

function tile(name, value, ...more) {
  return el("div", { class: "tile" }, el("div", { class: "name" }, name), el("div", { class: "value" }, value), ...more.map((m) => el("div", { class: "more" }, m)));
}

function tiles({ report, series, span }) {
  const seconds = report.duration_s;
  const per = (v) => (seconds > 0 ? v / seconds : 0);
  const layer = layers[report.rate_layer] || "";
  let peak = -1, at = 0;
  for (let i = 0; i < series.start.length; i++) {
    const v = (8 * series.total.bytes[i] * 1000) / Math.max(series.end[i] - series.start[i], 1);
    if (v > peak) [peak, at] = [v, series.start[i]];
  }
  const more = { packets: packetRate(per(report.total.packets)), bytes: layers.ip, frame_bytes: layers.frame };
  const all = [
    tile(report.final || span === "run" ? "Average rate" : "Rate", bitRate(per(8 * layerBytes(report, report.total))), layer),
    peak >= 0 && series.start.length > 1 ? tile("Highest rate", bitRate(peak), "at " + clock(at) + " UTC") : null,
    ...measures.filter((m) => beside(report, m) && !detailed.has(m.name) && (always.has(m.name) || report.total[m.name] > 0)).map((m) => tile(m.title, format(m, report.total[m.name]), more[m.name] || m.help)),
    tile(capital(nouns.many), count(report.flow_count), report.flow_count > report.flows.length ? `${count(report.flows.length)} listed below` : "all listed below"),
    tile("Duration", duration(seconds), report.end ? "until " + clock(Date.parse(report.end)) + " UTC" : ""),
  ];
  byId("tiles").replaceChildren(...all.filter(Boolean));
}

// accounting shows that flows + rest + overflow + lost = total, for every measure.
function accounting(report) {
  const whole = measures.map((m) => m.name);
  const flows = Object.fromEntries(whole.map((k) => [k, report.flows.reduce((s, f) => s + (f[k] || 0), 0)]));
  const reasons = Object.keys(report.overflow_by || {}).map((reason) => facts.overflow[reason]).join(", ");
  const parts = [
    ["Listed", counted(report.flows.length), flows, "c0"],
    ["rest", `${count(Math.max(0, report.flow_count - report.flows.length))} more, not listed (--top)`, report.rest, "crest"],
    ["overflow", ["counted, but to no row", reasons].filter(Boolean).join(": "), report.overflow, "coverflow"],
    ["lost", "seen, but not counted to a row", report.lost, "clost"],
  ];
  const size = (c) => layerBytes(report, c) || 0;
  const basis = size(report.total) ? size : (c) => c.packets;
  const sum = (k) => parts.reduce((s, p) => s + (p[2][k] || 0), 0);
  const exact = whole.every((k) => Number.isSafeInteger(report.total[k] || 0));
  const holds = whole.every((k) => sum(k) === (report.total[k] || 0));
  const bar = el("div", { class: "share", "aria-hidden": "true" });
  for (const [, , c, color] of parts) {
    if (basis(c) === 0) continue;
    const part = el("i", { class: color });
    part.style.flexGrow = basis(c) / Math.max(1, basis(report.total));
    bar.append(part);
  }
  const cells = [["", "Packets", "Bytes, layer 3", "Frame bytes, layer 2", "Share"].map((t, i) => el("span", { class: "head" + (i === 3 ? " wide" : "") }, t))];
  for (const [name, what, c, color] of parts) {
    if (name === "rest" && !sumsOf(report).includes(name)) continue;
    const unknown = c.bytes_unknown;
    cells.push([
      el("span", { class: "who" }, el("span", { class: "swatch " + color }), el("span", null, name + " ", el("small", null, what))),
      el("span", null, count(c.packets)), el("span", null, unknown ? "not known" : bytes(c.bytes)),
      el("span", { class: "wide" }, unknown ? "not known" : bytes(c.frame_bytes)), el("span", null, percent(basis(c), basis(report.total))),
    ]);
  }
  const twice = (report.by || []).includes("host");
  const verdict = twice ? "each packet counts at both of its ends" : !exact ? "" : holds ? "✓ adds up, to the byte" : "does not add up: please report this";
  cells.push([el("span", { class: "rule" })], [
    el("span", { class: "who total" }, el("span", null, "Total ", el("small", null, verdict))),
    el("span", { class: "total" }, count(report.total.packets)), el("span", { class: "total" }, bytes(report.total.bytes)),
    el("span", { class: "wide total" }, bytes(report.total.frame_bytes)), el("span", null, "100 %"),
  ]);
  byId("accounting").replaceChildren(bar, el("div", { class: "sums" }, ...cells.flat()));
}

const listed = 10; // rows of a breakdown
const colors = 8; // of the style sheet
const tallest = new Map(); // most rows so far of each breakdown, so that a live page does not jump

function breakdowns(report, search) {
  const shown = [];
  for (const kind of cardsOf(report)) {
    const sums = broken(report, kind);
    if (sums.length === 0 || (kind.several && sums.length < 2)) continue;
    shown.push(breakdown(report, kind, sums, search));
  }
  refill(byId("breakdowns"), shown);
}

function breakdown(report, kind, sums, search) {
  const inBytes = layerBytes(report, report.total) > 0;
  const size = (s) => (inBytes ? s.size : s.packets);
  const whole = inBytes ? layerBytes(report, report.total) : report.total.packets;
  const seconds = report.duration_s;
  const speed = (v) => (!(seconds > 0) ? "" : inBytes ? bitRate((8 * v) / seconds) : packetRate(v / seconds));
  const most = Math.max(size(sums[0]), 1);
  const color = (s) => (sums.indexOf(s) < colors ? "c" + sums.indexOf(s) : "crest");
  const list = el("ol");
  for (const s of sums.slice(0, listed)) list.append(el("li", null, item(visible(s.label), size(s), s)));
  const more = sums.slice(listed);
  if (more.length > 0 && kind.id !== "hosts") list.append(el("li", { class: "rest" }, item(`${count(more.length)} more`, more.reduce((t, s) => t + size(s), 0))));
  else if (more.length > 0) list.append(el("li", { class: "rest" }, el("span", { class: "item" }, el("span", { class: "label" }, `${count(more.length)} more`))));
  for (const name of sumsOf(report).filter((n) => n !== "total")) {
    const v = inBytes ? layerBytes(report, report[name]) : report[name].packets;
    if (v > 0) list.append(el("li", { class: "rest" }, item(`${name}: in no listed ${nouns.one}`, v)));
  }
  tallest.set(kind.id, Math.max(tallest.get(kind.id) || 0, list.children.length));
  list.style.minHeight = 27 * tallest.get(kind.id) + "px";
  const bar = el("div", { class: "share", "aria-hidden": "true" });
  if (kind.share) {
    const part = (color, title, v) => {
      const i = el("i", { class: color, title });
      i.style.flexGrow = v / whole;
      bar.append(i);
    };
    for (const s of sums.slice(0, colors)) part(color(s), clip(visible(s.label)), size(s));
    if (sums.length > colors) part("crest", `${count(sums.length - colors)} more`, sums.slice(colors).reduce((t, s) => t + size(s), 0));
  }
  return el("section", { class: "card breakdown", "data-kind": kind.id }, el("div", { class: "card-head" }, el("h2", null, kind.title), kind.note ? el("span", { class: "sub" }, kind.note) : ""),
    kind.share ? bar : "", list);

  function item(label, v, s) {
    const fillBar = el("span", { class: "bar", "aria-hidden": "true" });
    fillBar.style.width = Math.min(100, (100 * v) / most) + "%";
    const detail = s ? `${clip(label, 1000)}\n${count(s.packets)} packets, ${bytes(s.size)} (${layers[report.rate_layer] || ""}), ${counted(s.flows)}` : label;
    const children = [fillBar];
    if (kind.share && s) children.push(el("span", { class: "swatch " + color(s) }));
    children.push(el("span", { class: "label" }, clip(label)), el("span", { class: "v" }, speed(v)), el("span", { class: "pct" }, percent(v, whole)));
    if (!s) return el("span", { class: "item" }, ...children);
    return el("button", { type: "button", class: "item", "data-key": kind.id + " " + s.label, title: detail, onclick: () => search(s.query) }, ...children);
  }
}
