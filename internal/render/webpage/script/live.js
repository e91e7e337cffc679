// A live page: server-sent events bring reports until the run ends.

const live = {
  source: null, span: "interval", range: "recent", paused: false, over: false, last: null,
  pressed: false, late: false, // a report arrived during a press

  async start() {
    byId("span").hidden = byId("pause").hidden = byId("chart-range-label").hidden = false;
    for (const button of byId("span").children) {
      button.addEventListener("click", () => {
        this.span = button.dataset.span;
        for (const b of byId("span").children) b.setAttribute("aria-pressed", String(b === button));
        this.connect();
      });
    }
    byId("pause").addEventListener("click", () => {
      this.paused = !this.paused;
      byId("pause").textContent = this.paused ? "Resume" : "Pause";
      this.show();
      this.status();
    });
    byId("chart-range").addEventListener("change", (event) => { this.range = event.target.value; this.connect(); });
    chart.onBy = () => this.connect();
    this.presses();
    byId("login").addEventListener("submit", (event) => {
      event.preventDefault();
      this.login(byId("token").value.trim());
    });
    // The address has the token in its fragment, which browsers do not send. The page exchanges it
    // for a cookie, and removes it from the address bar and the history.
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token) {
      history.replaceState(null, "", location.pathname);
      await this.login(token);
      return;
    }
    await this.connect();
  },

  // A click needs the same element at press and release. So the page redraws only after the
  // release.
  presses() {
    addEventListener("pointerdown", (event) => { this.pressed = event.button === 0; }, true);
    const end = (event) => {
      if (!this.pressed || (event.type === "pointermove" && event.buttons !== 0)) return;
      this.pressed = false;
      setTimeout(() => { if (this.late) this.show(); }); // after the click event
    };
    for (const type of ["pointerup", "pointercancel", "pointermove"]) addEventListener(type, end, true);
  },

  show() {
    this.late = this.pressed;
    if (!this.paused && !this.pressed && this.last) show(this.last);
  },

  async login(token) {
    const answer = await fetch("api/login", { method: "POST", headers: { Authorization: "Bearer " + token } }).catch(() => null);
    if (answer && answer.ok) {
      byId("login").hidden = true;
      await this.connect();
      return;
    }
    byId("login").hidden = false;
    byId("login-error").textContent = answer ? "This is not the token of this run." : "pktstat does not answer.";
  },

  async connect() {
    if (this.source) this.source.close();
    if (this.over) return;
    // EventSource does not report why it fails.
    const state = await fetch("api/state").then((answer) => answer.json()).catch(() => null);
    if (state && !state.allowed) {
      byId("login").hidden = false;
      byId("waiting").hidden = true;
      byId("token").focus();
      return;
    }
    if (!this.last) byId("waiting").hidden = false;
    const query = new URLSearchParams({ span: this.span, range: this.range, by: chart.by });
    const source = new EventSource("api/events?" + query);
    this.source = source;
    source.addEventListener("open", () => this.status("live"));
    source.addEventListener("error", () => this.status(source.readyState === EventSource.CLOSED ? "closed" : "lost"));
    source.addEventListener("report", (event) => this.take(JSON.parse(event.data)));
  },

  take(doc) {
    this.last = doc;
    if (doc.report.final) {
      this.over = true;
      this.source.close();
      byId("span").hidden = byId("pause").hidden = byId("chart-range-label").hidden = true;
      this.paused = false;
    }
    this.status("live");
    this.show();
  },

  status(state) {
    this.state = state || this.state;
    const node = byId("status");
    node.hidden = false;
    const [text, color] = this.over ? ["ended: this is the final report", "over"] : this.paused ? ["paused", "paused"]
      : { live: ["live", "live"], lost: ["no connection, trying again", "lost"], closed: ["no connection: too many pages, or the run is over", "lost"] }[this.state] || ["", ""];
    node.textContent = text;
    node.dataset.state = color;
  },
};
