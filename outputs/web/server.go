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

// Limits on browsers.
const (
	maxPages      = 64 // open at a time
	headerBytes   = 16 << 10
	readWithin    = 5 * time.Second  // a request
	answerWithin  = 30 * time.Second // a report over a slow line
	idleFor       = time.Minute
	heartbeat     = 15 * time.Second // shorter than the patience of proxies
	sendWithin    = 10 * time.Second // one event; then the page has stalled
	reconnectTime = 1000             // milliseconds
)

// policy lets a page load its own script, style sheet and data, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

func newServer(h *handler, b *busy) *http.Server {
	return &http.Server{
		ConnState: b.track, Handler: h.routes(), ReadHeaderTimeout: readWithin, ReadTimeout: readWithin, WriteTimeout: answerWithin, IdleTimeout: idleFor,
		MaxHeaderBytes: headerBytes,
		// What browsers do wrong is not the user's concern, and could flood the terminal.
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
	// The page itself tells nothing; what it shows needs the token.
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
			refuse(w, http.StatusMisdirectedRequest, errors.New("this name is not known here: use the address, or name it in the option hosts"))
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
		_, _ = io.WriteString(body, text) // the browser has gone
	}
}

// allowed tells a page whether it has to ask for the token: an EventSource
// cannot tell why it fails.
func (h *handler) allowed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, "{\"allowed\":%t}\n", h.guard.knows(r))
}

// report answers with the latest report: an interval's, and the final one when
// the run is over. With run or final in the query, with the run so far.
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

// asked: "?run", "?run=1" and "?run=true" ask, "?run=0" and "?run=false" do not.
func asked(values []string) bool {
	return len(values) > 0 && values[0] != "0" && values[0] != "false"
}

// compressed returns what to write an answer to; done ends it.
func compressed(w http.ResponseWriter, r *http.Request) (body io.Writer, done func()) {
	w.Header().Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r) {
		return w, func() {}
	}
	w.Header().Set("Content-Encoding", "gzip")
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails for unknown levels only
	return z, func() { _ = z.Close() }
}

func acceptsGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}
