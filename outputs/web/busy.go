package web

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// busy tracks the connections on which an answer is still being sent. The server sends the end of a
// chunked answer after the handler has returned. Without that end, a browser reports an error.
type busy struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	none  chan struct{} // closed when no connection is busy; nil: no caller waits
}

// track is the server's ConnState function.
func (b *busy) track(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state == http.StateActive {
		if b.conns == nil {
			b.conns = map[net.Conn]struct{}{}
		}
		b.conns[c] = struct{}{}
		return
	}
	delete(b.conns, c)
	if len(b.conns) == 0 && b.none != nil {
		close(b.none)
		b.none = nil
	}
}

// wait returns when no connection is busy, at the latest after atMost. It must not be called
// concurrently.
func (b *busy) wait(atMost time.Duration) {
	none := make(chan struct{})
	b.mu.Lock()
	if len(b.conns) == 0 {
		b.mu.Unlock()
		return
	}
	b.none = none
	b.mu.Unlock()
	select {
	case <-none:
	case <-time.After(atMost):
	}
}
