package web

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// busy are the connections whose answer has not left entirely. That a handler has
// returned does not tell: the end of a chunked answer is sent after it, and a
// browser calls an answer without it an error.
type busy struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	none  chan struct{} // closed when there are none; nil: nobody waits
}

// track is the server's ConnState.
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

// wait returns when no connection is busy, and after atMost in any case.
// Only one may wait.
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
