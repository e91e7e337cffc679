// Starts the page, with the report in the file or with live reports.

function show(doc) {
  nouns = doc.rows;
  const { report } = doc;
  [...report.flows, report.total, report.rest, report.overflow, report.lost].forEach(flatten);
  byId("waiting").hidden = true;
  byId("report").hidden = false;
  heading(doc);
  notes(doc.report);
  tiles(doc);
  chart.set(doc.series);
  accounting(doc.report);
  breakdowns(doc.report, search);
  table.set(doc.report);
  byId("foot").textContent = origin(doc.report) + (doc.report.final ? "Report of the whole run." : doc.span === "run" ? `The run up to interval ${doc.report.seq}.` : `Interval report ${doc.report.seq}.`) + notTaken(doc.report) + command(doc.report);
}

function search(query) {
  table.search(query);
  byId("table-card").scrollIntoView({ behavior: "smooth", block: "start" });
}

// themes switches the colours. "auto" follows the system. The browser stores the choice if it can
// (for a file on disk it may refuse).
function themes() {
  const order = ["auto", "light", "dark"];
  let theme = "auto";
  try { theme = localStorage.getItem("pktstat-theme") || "auto"; } catch { /* no storage: nothing is kept */ }
  const use = (t) => {
    theme = order.includes(t) ? t : "auto";
    document.documentElement.dataset.theme = theme;
    byId("theme").textContent = "Theme: " + theme;
  };
  use(theme);
  byId("theme").addEventListener("click", () => {
    use(order[(order.indexOf(theme) + 1) % order.length]);
    try { localStorage.setItem("pktstat-theme", theme); } catch { /* as above */ }
  });
}

themes();
chart.start();
table.start();
byId("print").addEventListener("click", () => print());

const report = stored("data-report");
if (report) show({ report, series: stored("data-series"), rows: stored("data-page").rows });
else live.start();
