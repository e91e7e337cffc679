package attach

import (
	"github.com/pktstat/pktstat/registry"
)

// Deafen makes a source miss messages about interfaces: its socket holds but a few, and
// until the function that is returned is called, it reads none.
func Deafen(src registry.Source) (hear func(), err error) {
	s := src.(*source)
	s.mu.Lock()
	return s.mu.Unlock, s.watcher.socket.SetReceiveBufferSize(1, false)
}
