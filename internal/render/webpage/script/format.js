// Formats text and numbers, and puts them into the page as text nodes and attributes, never as
// markup.

// Control, format and other invisible characters, all spaces except U+0020, and the backslash, as
// in internal/render/termsafe. The backslash prevents forged escapes.
const invisible = /[\p{C}\p{Zl}\p{Zp}\\]|[^\P{Zs} ]/gu;

function visible(value) {
  return String(value).replace(invisible, (c) => {
    switch (c) {
      case "\\": return "\\\\";
      case "\n": return "\\n";
      case "\r": return "\\r";
      case "\t": return "\\t";
    }
    const n = c.codePointAt(0);
    const hex = (digits) => n.toString(16).padStart(digits, "0");
    if (n < 0x80) return "\\x" + hex(2);
    return n < 0x10000 ? "\\u" + hex(4) : "\\U" + hex(8);
  });
}

function clip(text, length = 160) {
  return text.length <= length ? text : text.slice(0, length - 1) + "…";
}

// el makes an element. Properties with names "on..." are event listeners. Children are nodes or
// text.
function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

function svg(tag, props, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const byId = (id) => document.getElementById(id);

// refill replaces a node's children. The focus moves to the new child with the same data-key, or to
// fallback. So later key presses do not reach another part of the page.
function refill(node, children, fallback) {
  const had = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren(...children);
  if (had === undefined) return;
  const again = [...node.querySelectorAll("[data-key]")].find((n) => n.dataset.key === had) || fallback;
  if (again) again.focus({ preventScroll: true });
}

const grouping = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const count = (n) => grouping.format(n);

// prefixed formats with three significant digits and a prefix, as internal/render/units does.
function prefixed(value, base, prefixes, unit) {
  let i = 0;
  const text = () => value.toFixed(i === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
  while (i + 1 < prefixes.length && Number(text()) >= base) {
    value /= base;
    i++;
  }
  return text() + " " + prefixes[i] + unit;
}

const si = ["", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"];
const iec = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

const bytes = (n) => prefixed(n, 1024, iec, "B");

function rate(n, unit) {
  if (n > 0 && n < 10) return n.toFixed(2) + " " + unit;
  return prefixed(n, 1000, si, unit);
}

const bitRate = (n) => rate(n, "bps");
const packetRate = (n) => rate(n, "pps");

function percent(part, whole) {
  if (!whole) return "";
  const p = (100 * part) / whole;
  if (part > 0 && p < 0.1) return "<0.1 %";
  return p.toFixed(1) + " %";
}

function duration(seconds) {
  if (seconds < 1e-3) return (seconds * 1e6).toFixed(0) + " µs";
  if (seconds < 1) return (seconds * 1e3).toFixed(0) + " ms";
  if (seconds < 60) return Number(seconds.toFixed(2)) + " s";
  const s = Math.round(seconds);
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
  const first = parts.findIndex(([n]) => n > 0);
  return parts.slice(first, first + 2).filter(([n], i) => i === 0 || n > 0).map(([n, unit]) => n + " " + unit).join(" ");
}

// Times are UTC, as everywhere in pktstat.
const clock = (ms, digits = 0) => new Date(ms).toISOString().slice(11, digits ? 20 + digits : 19);
const day = (ms) => new Date(ms).toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
const date = (ms) => new Date(ms).toISOString().slice(0, 10);

const layers = { ip: "layer 3 (IP)", frame: "layer 2 (frames)" };
