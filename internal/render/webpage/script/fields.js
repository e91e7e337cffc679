// The fields of rows (internal/render/webpage/facts.go describes them) and their layout: order,
// shared columns, fixed widths.

function stored(id) {
  const node = byId(id);
  return node ? JSON.parse(node.textContent) : null;
}

const facts = stored("data-facts");
const fields = new Map(facts.fields.map((f) => [f.name, f]));
const measures = facts.fields.filter((f) => f.role === "measure");

// fieldOf describes a field. For a field that facts does not have, the value gives the type.
function fieldOf(name, value) {
  const number = typeof value === "number";
  return fields.get(name) || { name, title: visible(name), help: "", role: "dimension", kind: number ? "uint" : "text", number };
}

// flatten gives rows and sums the fields of their objects by the fields' own names.
function flatten(counters) {
  for (const f of facts.fields) {
    if (f.object && counters[f.object] && counters[f.object][f.member] !== undefined) counters[f.name] = counters[f.object][f.member];
  }
  for (const f of facts.fields) if (f.object) delete counters[f.object];
}

const counts = (field) => field.role === "measure" || field.role === "rate";

// aliases are other names of fields in a search.
const aliases = new Map([["host", ["src", "dst", "local", "remote", "host"]], ["port", ["src_port", "dst_port", "local_port", "remote_port", "port"]], ...facts.fields.flatMap((f) => (f.aliases || []).map((a) => [a, [f.name]]))]);

// The layout, by field name. Other dimensions, marks and labels follow the late columns. Counters
// and times have the order of the facts.
const early = ["proto", "src", "dst", "local", "remote", "host", "port", "info", "direction", "iface", "comm", "pid", "container"];
// late columns follow the counters. If the report is grouped, they precede them.
const late = ["match", "uid", "cgroup", "cgroup_id", "netns", "vlan"];
const always = new Set(["packets", "bytes", "frame_bytes", "bps", "pps"]);
const code = new Set(["src", "dst", "local", "remote", "host"]);
// Only the details have these.
const detailed = new Set(["out_packets", "in_packets", "ends_by"]);
const combined = new Map([
  ["src", { fields: ["src", "src_port"], text: (f) => endpoint(f, "src") }],
  ["dst", { fields: ["dst", "dst_port"], text: (f) => endpoint(f, "dst") }],
  ["local", { fields: ["local", "local_port"], text: (f) => endpoint(f, "local"), get title() { return nouns.local; } }],
  ["remote", { fields: ["remote", "remote_port"], text: (f) => endpoint(f, "remote"), get title() { return nouns.remote; } }],
  ["info", { fields: facts.fields.filter((f) => f.in_info).map((f) => f.name), text: info }],
]);

// shortened formats lose digits; the details show the full number.
const shortened = { bytes, bit_rate: bitRate, packet_rate: packetRate };

function format(field, v) {
  if (field.kind === "time") return clock(v, 3);
  return (shortened[field.kind] || (field.role === "measure" ? count : String))(v);
}

// numberOf returns a field's number, to sort and show it; undefined for text.
function numberOf(field, flow) {
  const v = field.kind === "time" ? Date.parse(flow[field.name]) : flow[field.name];
  return (field.number || field.kind === "time") && Number.isFinite(v) ? v : undefined;
}

function column(field) {
  return { id: field.name, title: field.title, help: field.help || field.title, field, fields: [field.name], number: Boolean(field.number) || field.kind === "time", code: code.has(field.name), ...combined.get(field.name) };
}

// beside reports whether a column stands beside the rates. Bytes do if they are of the rate layer,
// or if the rows are sorted by them.
const beside = (report, field) => !field.layer || field.layer === (report.rate_layer || "ip") || field.name === report.sort;

// columnsOf returns the columns of a report whose rows have fields of these names.
function columnsOf(report, names) {
  const { flows } = report;
  const used = (c) => c.fields.some((name) => names.has(name));
  const taken = new Set([...early, ...late].flatMap((name) => [name, ...column(fieldOf(name)).fields]));
  const unknown = [...names].filter((name) => !fields.has(name)).map((name) => fieldOf(name, flows.find((f) => f[name] !== undefined)[name]));
  const others = [...facts.fields, ...unknown].filter((f) => !taken.has(f.name) && (!detailed.has(f.name) || f.name === report.sort));
  const some = report.by && !complete(report);
  const of = (...roles) => others.filter((f) => roles.includes(f.role)).map(column);
  const listed = (list) => list.map((name) => column(fieldOf(name))).filter(used);
  const several = (c) => c.id !== "iface" || flows.some((f) => f.iface !== flows[0].iface);
  const nonzero = (c) => report.total[c.id] > 0 || flows.some((f) => f[c.id] > 0);
  const counters = [...of("measure").filter((c) => beside(report, c.field) && (always.has(c.id) || nonzero(c))), ...of("rate").filter((c) => always.has(c.id) || used(c))];
  const behind = [...listed(late), ...of("dimension", "mark", "label").filter(used)];
  return [...listed(early).filter(several), ...(some ? behind : []), ...counters, ...(some ? [] : behind), ...of("time").filter(used)];
}

function cellText(column, flow) {
  if (column.text) return visible(column.text(flow));
  const v = numberOf(column.field, flow);
  if (v !== undefined) return format(column.field, v);
  return flow[column.id] === undefined ? "" : visible(plain(flow[column.id]));
}
