package pcap

import "context"

// ahead reads chunks in a goroutine, into a fixed set of buffers.
type ahead struct {
	full chan chunk // closed when the goroutine ends
	free chan []byte
	stop chan struct{}
}

const aheadBuffers = 4

// readAhead starts the goroutine, which owns u from now on. It ends at the end of the capture or
// at close.
func readAhead(u *unpacker) *ahead {
	a := &ahead{
		full: make(chan chunk, aheadBuffers+1), // an error needs no buffer
		free: make(chan []byte, aheadBuffers+2),
		stop: make(chan struct{}),
	}
	for range aheadBuffers {
		a.free <- nil // pull makes a buffer when it needs one: a small capture needs only one
	}
	go a.run(u)
	return a
}

func (a *ahead) run(u *unpacker) {
	defer close(a.full)
	defer u.close()
	for {
		select {
		case buf := <-a.free:
			c := readChunk(u, buf)
			a.full <- c
			if c.err != nil {
				return
			}
		case <-a.stop:
			return
		}
	}
}

// pull waits for the next chunk, or until ctx ends. No chunk follows one with an error.
func (a *ahead) pull(ctx context.Context) chunk {
	select {
	case c := <-a.full:
		return c
	case <-ctx.Done():
		return chunk{err: errInterrupted}
	}
}

func (a *ahead) recycle(buf []byte) { a.free <- buf }

// close stops the goroutine. interrupt makes a waiting read return. Without it, the goroutine
// ends when the read does.
func (a *ahead) close(interrupt func()) {
	close(a.stop)
	if interrupt == nil {
		return
	}
	interrupt()
	for range a.full { // until it is closed
	}
}
