// The meaning of a report (schema pktstat.report/v1): bytes of the rate layer, names of flows,
// breakdowns and searches.

// layerBytes returns the bytes of the rate layer.
const layerBytes = (report, counters) => (report.rate_layer === "frame" ? counters.frame_bytes : counters.bytes);

// nouns are the words for the rows of the report: flow, flows; source, sources.
let nouns = { one: "flow", many: "flows" };
const counted = (n) => `${count(n)} ${n === 1 ? nouns.one : nouns.many}`;
const capital = (text) => text[0].toUpperCase() + text.slice(1);

// complete reports whether rows have all that tells flows or conversations apart.
const complete = (report) => !report.by || ["flow", "conversation"].includes(report.by[0]);

function endpoint(flow, side) {
  const addr = flow[side];
  const port = flow[side + "_port"];
  if (addr === undefined) return port === undefined ? "" : "*:" + port;
  if (port === undefined) return addr;
  return addr.includes(":") ? "[" + addr + "]:" + port : addr + ":" + port;
}

const named = (names, type) => names[type] || "type " + type;

function info(flow) {
  if (flow.icmp_type !== undefined) {
    const name = named(facts.icmp_types[flow.proto] || {}, flow.icmp_type);
    return flow.icmp_code ? name + "/" + flow.icmp_code : name;
  }
  if (flow.arp_op !== undefined) return facts.arp_operations[flow.arp_op] || "op " + flow.arp_op;
  if (flow.spi !== undefined) return "spi 0x" + flow.spi.toString(16).padStart(8, "0");
  if (flow.igmp_type !== undefined) return named(facts.igmp_types, flow.igmp_type);
  if (flow.ospf_type !== undefined) return "v" + flow.ospf_version + " " + named(facts.ospf_types, flow.ospf_type);
  const type = flow.gre_proto || flow.ethertype;
  if (type !== undefined) {
    return ((facts.ethertypes[type] || "") + " " + type).trim() + (flow.gre_version ? ", v" + flow.gre_version : "") +
      (flow.gre_flags && Number(flow.gre_flags) ? " flags " + flow.gre_flags : "");
  }
  return flow.subtype === undefined ? "" : "subtype 0x" + flow.subtype.toString(16);
}

// plain returns the text of any value, also of an object that a later schema may have.
const plain = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));

function process(flow) {
  return [flow.comm, flow.pid].filter((v) => v !== undefined).join(" ");
}

// flowName returns the name of a row, for any grouping.
function flowName(flow) {
  const oneWay = [endpoint(flow, "src"), endpoint(flow, "dst")].filter(Boolean).join(" → ");
  const ends = oneWay || [endpoint(flow, "local"), endpoint(flow, "remote")].filter(Boolean).join(" ↔ ") || flow.host;
  const text = [ends, flow.proto, info(flow)].filter(Boolean).join("  ");
  return text || identity(flow);
}

// identity returns what identifies a row in all reports of a run.
const identity = (flow) => Object.keys(flow).filter((k) => !counts(fieldOf(k)) && !["time", "mark"].includes(fieldOf(k).role)).map((k) => k + " " + plain(flow[k])).join("  ");

// servicePort returns the lower of the two ports, which usually is the server's.
function servicePort(flow) {
  const ports = [flow.src_port, flow.dst_port, flow.local_port, flow.remote_port, flow.port].filter((p) => p !== undefined);
  return ports.length ? Math.min(...ports) : undefined;
}

// sumsOf returns the names of the sums that are not empty (flow.Sum.IsEmpty), and "total".
function sumsOf(report) {
  const says = (name) => report[name].bytes_unknown || measures.some((m) => report[name][m.name] > 0) || (name === "rest" && report.flow_count > report.flows.length);
  return ["rest", "overflow", "lost"].filter(says).concat("total");
}

// cards are the breakdowns. keys returns the [label, query] pairs of a flow. A card with needs is
// shown if a row has one of these fields.
const cards = {
  early: [
    { id: "hosts", title: "Hosts", note: "A flow counts at both of its ends.", keys: hostKeys },
    { id: "flows", get title() { return "Top " + nouns.many; }, keys: (f) => [[flowName(f), flowQuery(f)]] },
    { id: "processes", title: "Processes", needs: ["comm", "pid", "match"], keys: processKeys },
    fieldCard("container"),
  ],
  // Cards of other labels come between early and late.
  late: [
    { id: "ports", title: "Service ports", note: "The lower of a flow's two ports.", needs: ["src_port", "dst_port", "local_port", "remote_port", "port"], keys: portKeys },
    { id: "protocols", title: "Protocols", needs: ["proto"], share: true, keys: (f) => [[[f.proto, f.ethertype].filter(Boolean).join(" "), f.ethertype ? term("ethertype", f.ethertype) : term("proto", f.proto)]] },
    { ...fieldCard("cgroup"), needs: ["cgroup", "cgroup_id"] },
    { ...fieldCard("direction"), several: true, share: true },
    { ...fieldCard("iface"), several: true, share: true },
    fieldCard("vlan"),
  ],
};

// fieldCard is the breakdown by one field.
function fieldCard(name) {
  return { id: name, title: fieldOf(name).title, needs: [name], keys: (f) => (f[name] === undefined ? [] : [[plain(f[name]), term(name, plain(f[name]))]]) };
}

function cardsOf(report) {
  const laidOut = new Set([...cards.early, ...cards.late].flatMap((c) => c.needs || []));
  const labels = facts.fields.filter((f) => f.role === "label" && !laidOut.has(f.name)).map((f) => fieldCard(f.name));
  const used = (c) => !c.needs || report.flows.some((f) => c.needs.some((name) => f[name] !== undefined));
  return [...cards.early, ...labels, ...cards.late].filter(used);
}

function processKeys(flow) {
  if (process(flow)) return [[process(flow), flow.pid === undefined ? term("comm", flow.comm) : term("pid", flow.pid)]];
  const none = { kernel: "the kernel itself", none: "no process known" }[flow.match];
  return none ? [[none, term("match", flow.match)]] : [];
}

function hostKeys(flow) {
  const keys = [];
  for (const end of new Set([flow.src, flow.dst, flow.local, flow.remote, flow.host])) {
    if (end !== undefined) keys.push([end, term("host", end)]);
  }
  return keys;
}

function portKeys(flow) {
  const port = servicePort(flow);
  if (port === undefined) return [];
  const label = [flow.proto, port, flow.service].filter(Boolean).join(" ");
  return [[label, [term("port", port), flow.proto ? term("proto", flow.proto) : ""].join(" ").trim()]];
}

// broken adds up the flows by kind.keys, and returns the largest first.
function broken(report, kind) {
  const sums = new Map();
  for (const flow of report.flows) {
    const size = layerBytes(report, flow);
    for (const [label, query] of kind.keys(flow)) {
      const s = sums.get(label);
      if (s) {
        s.size += size;
        s.packets += flow.packets;
        s.flows++;
      } else {
        sums.set(label, { label, query, size, packets: flow.packets, flows: 1 });
      }
    }
  }
  return [...sums.values()].sort((a, b) => b.size - a.size || b.packets - a.packets || (a.label < b.label ? -1 : 1));
}

// A search has terms, which must all match. A term is a text in any field, or field:value. A
// leading minus excludes matches. Quotes keep spaces in a term.
function term(field, value) {
  const text = String(value);
  return /[\s"]/.test(text) ? field + ':"' + text.replaceAll('"', '\\"') + '"' : field + ":" + text;
}

function flowQuery(flow) {
  return ["proto", "src", "src_port", "dst", "dst_port", "local", "local_port", "remote", "remote_port", "direction", "iface", "icmp_type", "arp_op", "ethertype", "pid"].filter((k) => flow[k] !== undefined).map((k) => term(k, flow[k])).join(" ");
}

// parseSearch parses a search over rows that have fields of these names.
function parseSearch(text, names) {
  const terms = [];
  for (const m of text.matchAll(/(-?)(?:([a-z][a-z0-9_]*):)?(?:"((?:\\"|[^"])*)"|(\S+))/gi)) {
    const value = (m[3] === undefined ? m[4] : m[3].replaceAll('\\"', '"')).toLowerCase();
    const name = (m[2] || "").toLowerCase();
    const among = aliases.get(name) || (names.has(name) ? [name] : null);
    terms.push({ not: m[1] === "-", among, value: among || !m[2] ? value : name + ":" + value });
  }
  return terms;
}

function matches(flow, terms, haystack) {
  return terms.every((t) => {
    const hit = t.among ? t.among.some((f) => flow[f] !== undefined && plain(flow[f]).toLowerCase() === t.value) : haystack().includes(t.value);
    return hit !== t.not;
  });
}
