package web

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// events streams documents as server-sent events (HTML Living Standard, 9.2), up to the final one.
// A slow page skips reports. events disconnects a page that accepts nothing within sendWithin; the
// page then connects again.
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := view{span: q.Get("span"), past: q.Get("range"), by: q.Get("by")}
	watcher, err := h.state.watch()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	defer h.state.unwatch(watcher)

	s := h.stream(w, r)
	defer s.end()
	if err := s.send("retry: %d\n\n", reconnectTime); err != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-h.closing:
			return
		case <-beat.C:
			err = s.send(": still here\n\n")
		case <-watcher.news:
			text, final, failed := h.state.document(v)
			if failed != nil {
				return
			}
			err = s.send("event: report\ndata: %s\n\n", text)
			if final {
				return
			}
		}
	}
}

// stream is the answer to one page.
type stream struct {
	w    io.Writer
	zip  *gzip.Writer // nil: not compressed
	ctrl *http.ResponseController
	now  func() time.Time
}

func (h *handler) stream(w http.ResponseWriter, r *http.Request) *stream {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would buffer events
	s := &stream{w: w, ctrl: http.NewResponseController(w), now: h.now}
	if acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		s.zip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed)
		s.w = s.zip
	}
	return s
}

// send writes and flushes an event. It fails after sendWithin.
func (s *stream) send(format string, args ...any) error {
	deadline := s.ctrl.SetWriteDeadline(s.now().Add(sendWithin))
	_, err := fmt.Fprintf(s.w, format, args...)
	if err == nil && s.zip != nil {
		err = s.zip.Flush()
	}
	return errors.Join(deadline, err, s.ctrl.Flush())
}

// end ends the compressed data, which would otherwise count as cut off.
func (s *stream) end() {
	if s.zip != nil {
		_ = s.zip.Close() // the page is gone
	}
}
