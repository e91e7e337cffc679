package web

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/pktstat/pktstat/internal/render/webpage"
)

// Limits for browsers.
const (
	maxPages      = 64 // open at a time
	headerBytes   = 16 << 10
	readWithin    = 5 * time.Second  // for a request
	answerWithin  = 30 * time.Second // for a report over a slow line
	idleFor       = time.Minute
	heartbeat     = 15 * time.Second // shorter than timeouts of proxies
	sendWithin    = 10 * time.Second // for one event; then the page counts as stalled
	reconnectTime = 1000             // milliseconds
)

// policy allows a page only its own script, style sheet and data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

func newServer(h *handler, b *busy) *http.Server {
	return &http.Server{
		ConnState: b.track, Handler: h.routes(), ReadHeaderTimeout: readWithin, ReadTimeout: readWithin, WriteTimeout: answerWithin, IdleTimeout: idleFor,
		MaxHeaderBytes: headerBytes,
		// Errors of browsers do not concern the user, and could flood the terminal.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

// handler answers requests.
type handler struct {
	state   *state
	guard   *guard
	now     func() time.Time
	closing <-chan struct{}
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	// The page itself is public. Its data needs the token.
	mux.HandleFunc("GET /{$}", static("text/html", webpage.Live()))
	mux.HandleFunc("GET /app.js", static("text/javascript", webpage.Script()))
	mux.HandleFunc("GET /style.css", static("text/css", webpage.Style()))
	mux.HandleFunc("POST /api/login", h.guard.login)
	mux.HandleFunc("GET /api/state", h.allowed)
	mux.HandleFunc("GET /api/report", h.guard.needToken(h.report))
	mux.HandleFunc("GET /api/events", h.guard.needToken(h.events))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if !h.guard.knowsHost(r) {
			refuse(w, http.StatusMisdirectedRequest, errors.New("unknown host name: use the address, or add the name to the option hosts"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func static(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		body, done := compressed(w, r)
		defer done()
		_, _ = io.WriteString(body, text) // an error means that the browser is gone
	}
}

// allowed answers whether the page may read reports, because an EventSource does not report why it
// fails.
func (h *handler) allowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, "{\"allowed\":%t}\n", h.guard.knows(r))
}

// report answers with the latest report, which is the final one after the run. With run or final in
// the query, it answers with the run so far.
func (h *handler) report(w http.ResponseWriter, r *http.Request) {
	v := view{alone: true}
	if q := r.URL.Query(); asked(q["run"]) || asked(q["final"]) {
		v.span = "run"
	}
	text, _, err := h.state.document(v)
	if errors.Is(err, errNothing) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	body, done := compressed(w, r)
	defer done()
	_, _ = body.Write(text)
	_, _ = io.WriteString(body, "\n")
}

// asked reports whether a query asks: "?run", "?run=1" and "?run=true" do, "?run=0" and
// "?run=false" do not.
func asked(values []string) bool {
	return len(values) > 0 && values[0] != "0" && values[0] != "false"
}

// compressed returns a writer for the answer. Call done at its end.
func compressed(w http.ResponseWriter, r *http.Request) (body io.Writer, done func()) {
	w.Header().Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r) {
		return w, func() {}
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails only for unknown levels
	return z, func() { _ = z.Close() }
}

func acceptsGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}
