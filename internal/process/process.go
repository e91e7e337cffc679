// Package process finds out whose traffic a flow is: the process that has the
// socket, and the cgroup and container it runs in.
//
//	a, err := process.Open(ctx, process.Options{Owners: owner.New(dims), ...})
//	defer a.Close()
//	...
//	src.Collect(...)       // the source closes its window
//	a.Sync(ctx)            // what happened to sockets until then
//	a.Attribute(records)   // sets Key.OwnerID and Match of each
//
// Nothing of it runs for a packet. An iterator over the files of all processes
// (iter/task_file) finds the sockets there are; programs at the root of the cgroup v2
// hierarchy tell of those that come and go in between, and who used them. Where
// BPF is not permitted, /proc is read instead, and the report says so.
//
// A flow is matched by its addresses and ports as the socket has them: the local end
// is the source of what leaves and the destination of what arrives. Records with
// Key.NetNS set (hooks that see every network namespace) are matched with the sockets
// of that namespace; the others with those of [Options.NetNS].
package process

import (
	"context"
	"fmt"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner"
	"github.com/pktstat/pktstat/registry"
)

// Options of an [Attributor].
type Options struct {
	// Owners numbers the owners that are found.
	Owners *owner.Table
	// NetNS is the inode number of the network namespace of records that do not name
	// one: that of the interfaces which are counted on. 0: the one of the calling thread.
	NetNS uint32
	// MaxSockets bounds how many sockets are kept in mind; 0: 131,072.
	MaxSockets int
	// Proc reads /proc even if BPF is permitted.
	Proc bool

	Now    func() time.Time
	Debugf func(format string, args ...any) // one line for --debug; may be nil
}

// Attributor knows the sockets of the processes. Sync and Attribute are called by one
// goroutine.
type Attributor struct{}

// Open begins to watch sockets. It fails only if neither BPF nor /proc can be used.
func Open(context.Context, Options) (*Attributor, error) {
	return nil, fmt.Errorf("%w: processes are not attributed yet", registry.ErrUnsupported)
}

// Sync takes note of what happened to sockets until now. It is called when a source
// has closed its window, before the window's records are attributed.
func (a *Attributor) Sync(context.Context) {}

// Attribute sets Key.OwnerID and Match of every record.
func (a *Attributor) Attribute([]flow.Record) {}

// Notes are what a reader of the matches must know, like that BPF was not permitted.
func (a *Attributor) Notes() []string { return nil }

// Close detaches all programs. It may be called twice.
func (a *Attributor) Close() error { return nil }
