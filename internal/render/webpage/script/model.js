// What a report (schema pktstat.report/v1) means: which bytes rates are of, what
// a flow is called, how flows are broken down, and which ones a search finds.

// layerBytes are the bytes that rates are computed from.
const layerBytes = (report, counters) => (report.rate_layer === "frame" ? counters.frame_bytes : counters.bytes);

function endpoint(flow, side) {
  const addr = flow[side];
  const port = flow[side + "_port"];
  if (addr === undefined) return port === undefined ? "" : "*:" + port;
  if (port === undefined) return addr;
  return addr.includes(":") ? "[" + addr + "]:" + port : addr + ":" + port;
}

// Everyday names of what protocols have instead of ports (IANA ICMP types,
// ICMPv6 types, ARP operations, IEEE 802 numbers).
const icmpTypes = {
  ICMP: { 0: "echo-reply", 3: "unreachable", 5: "redirect", 8: "echo-request", 11: "time-exceeded" },
  "IPv6-ICMP": {
    1: "unreachable", 2: "packet-too-big", 3: "time-exceeded", 128: "echo-request", 129: "echo-reply",
    133: "router-solicit", 134: "router-advert", 135: "neighbor-solicit", 136: "neighbor-advert", 143: "mldv2-report",
  },
};
const arpOperations = { 1: "who-has", 2: "is-at", 3: "reverse-request", 4: "reverse-reply" };
const etherTypes = { "0x0004": "LLC", "0x0800": "IPv4", "0x6558": "TEB", "0x86dd": "IPv6", "0x8847": "MPLS", "0x8863": "PPPoE-disc", "0x8864": "PPPoE", "0x888e": "EAPOL", "0x88cc": "LLDP", "0x88f7": "PTP", "0xffff": "runt" };

function info(flow) {
  if (flow.icmp_type !== undefined) {
    const name = (icmpTypes[flow.proto] || {})[flow.icmp_type] || "type " + flow.icmp_type;
    return flow.icmp_code ? name + "/" + flow.icmp_code : name;
  }
  if (flow.arp_op !== undefined) return arpOperations[flow.arp_op] || "op " + flow.arp_op;
  if (flow.spi !== undefined) return "spi 0x" + flow.spi.toString(16).padStart(8, "0");
  const type = flow.gre_proto || flow.ethertype;
  if (type !== undefined) return ((etherTypes[type] || "") + " " + type).trim();
  return flow.subtype === undefined ? "" : "subtype 0x" + flow.subtype.toString(16);
}

// plain is the text of any field: what may be an object one day is shown too.
const plain = (value) => (value !== null && typeof value === "object" ? JSON.stringify(value) : String(value));

function process(flow) {
  return [flow.comm, flow.pid].filter((v) => v !== undefined).join(" ");
}

// flowName is what a row is called, whatever it is grouped by.
function flowName(flow) {
  const ends = [endpoint(flow, "src"), endpoint(flow, "dst")].filter(Boolean).join(" → ");
  const text = [ends, flow.proto, info(flow)].filter(Boolean).join("  ");
  return text || identity(flow);
}

// identity is what makes a row the same in the next report.
const identity = (flow) => Object.keys(flow).filter((k) => !numeric.has(k) && k !== "first" && k !== "last").map((k) => k + " " + plain(flow[k])).join("  ");

const numeric = new Set(["packets", "bytes", "frame_bytes", "bps", "pps", "retransmits"]);

// servicePort is the lower of the two ports: the server's, as a rule.
function servicePort(flow) {
  const ports = [flow.src_port, flow.dst_port].filter((p) => p !== undefined);
  return ports.length ? Math.min(...ports) : undefined;
}

const services = {
  20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 67: "bootps", 68: "bootpc", 80: "http", 110: "pop3", 123: "ntp",
  137: "netbios-ns", 143: "imap", 161: "snmp", 179: "bgp", 389: "ldap", 443: "https", 445: "microsoft-ds", 465: "submissions", 500: "isakmp", 514: "syslog",
  546: "dhcpv6-client", 547: "dhcpv6-server", 587: "submission", 636: "ldaps", 853: "domain-s", 993: "imaps", 995: "pop3s", 1194: "openvpn", 1900: "ssdp",
  2049: "nfs", 3306: "mysql", 3389: "ms-wbt-server", 4500: "ipsec-nat-t", 5353: "mdns", 5432: "postgresql", 5672: "amqp", 6379: "redis", 6443: "kubernetes", 8080: "http-alt", 9418: "git",
};

// breakdownKinds: keys gives the [label, query] pairs that a flow counts to.
const breakdownKinds = [
  { id: "hosts", title: "Hosts", note: "A flow counts at both of its ends.", keys: hostKeys },
  { id: "flows", title: "Top flows", keys: (f) => [[flowName(f), flowQuery(f)]] },
  { id: "processes", title: "Processes", needs: ["comm", "pid", "match"], keys: processKeys },
  { id: "containers", title: "Containers", needs: ["container"], keys: fieldKeys("container") },
  { id: "apps", title: "Applications", needs: ["l7"], keys: fieldKeys("l7") },
  { id: "ports", title: "Service ports", note: "The lower of a flow's two ports.", needs: ["src_port", "dst_port"], keys: portKeys },
  { id: "protocols", title: "Protocols", needs: ["proto"], share: true, keys: (f) => [[[f.proto, f.ethertype].filter(Boolean).join(" "), f.ethertype ? term("ethertype", f.ethertype) : term("proto", f.proto)]] },
  { id: "cgroups", title: "Control groups", needs: ["cgroup"], keys: fieldKeys("cgroup") },
  { id: "directions", title: "Directions", needs: ["direction"], several: true, share: true, keys: fieldKeys("direction") },
  { id: "interfaces", title: "Interfaces", needs: ["iface"], several: true, share: true, keys: fieldKeys("iface") },
  { id: "vlans", title: "VLANs", needs: ["vlan"], keys: fieldKeys("vlan") },
];

function processKeys(flow) {
  if (process(flow)) return [[process(flow), flow.pid === undefined ? term("comm", flow.comm) : term("pid", flow.pid)]];
  const nobody = { kernel: "the kernel itself", none: "no process known" }[flow.match];
  return nobody ? [[nobody, term("match", flow.match)]] : [];
}

function fieldKeys(field) {
  return (flow) => (flow[field] === undefined ? [] : [[plain(flow[field]), term(field, plain(flow[field]))]]);
}

function hostKeys(flow) {
  const keys = [];
  if (flow.src !== undefined) keys.push([flow.src_name ? flow.src_name + " " + flow.src : flow.src, term("host", flow.src)]);
  if (flow.dst !== undefined && flow.dst !== flow.src) keys.push([flow.dst_name ? flow.dst_name + " " + flow.dst : flow.dst, term("host", flow.dst)]);
  return keys;
}

function portKeys(flow) {
  const port = servicePort(flow);
  if (port === undefined) return [];
  const label = [flow.proto, port, services[port]].filter(Boolean).join(" ");
  return [[label, [term("port", port), flow.proto ? term("proto", flow.proto) : ""].join(" ").trim()]];
}

// broken sums the flows up by what kind.keys says: the largest first.
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

// A search is terms that all must hold: text that is anywhere in the flow, or
// field:value. A minus turns one round; quotes hold spaces together.
function term(field, value) {
  const text = String(value);
  return /[\s"]/.test(text) ? field + ':"' + text.replaceAll('"', '\\"') + '"' : field + ":" + text;
}

function flowQuery(flow) {
  return ["proto", "src", "src_port", "dst", "dst_port", "direction", "iface", "icmp_type", "arp_op", "ethertype", "pid"].filter((k) => flow[k] !== undefined).map((k) => term(k, flow[k])).join(" ");
}

const aliases = { host: ["src", "dst", "src_name", "dst_name"], port: ["src_port", "dst_port"] };

function parseSearch(text, fields) {
  const terms = [];
  for (const m of text.matchAll(/(-?)(?:([a-z][a-z0-9_]*):)?(?:"((?:\\"|[^"])*)"|(\S+))/gi)) {
    const value = (m[3] === undefined ? m[4] : m[3].replaceAll('\\"', '"')).toLowerCase();
    const name = (m[2] || "").toLowerCase();
    const among = aliases[name] || (fields.has(name) ? [name] : null);
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
