package attach

import (
	"github.com/pktstat/pktstat/registry"
)

// Deafen makes a source lose messages about interfaces. Its socket's buffer becomes small, and
// the source does not read it until hear is called.
func Deafen(src registry.Source) (hear func(), err error) {
	s := src.(*source)
	s.mu.Lock()
	return s.mu.Unlock, s.watcher.socket.SetReceiveBufferSize(1, false)
}
