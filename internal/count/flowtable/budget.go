package flowtable

import (
	"slices"
	"sync/atomic"

	"github.com/pktstat/pktstat/internal/count/handshake"
	"github.com/pktstat/pktstat/internal/count/sequence"
)

// Budget is a maximum number of flows, shared by tables in several goroutines.
type Budget struct {
	left atomic.Int64
	half int64
	wake chan struct{} // gets a value when half of the budget is used

	handshakes, streams atomic.Uint64 // that were lost for lack of room elsewhere
}

// NewBudget returns a budget of n flows.
func NewBudget(n int) *Budget {
	r := &Budget{half: int64(n / 2), wake: make(chan struct{}, 1)}
	r.left.Store(int64(max(n, 1)))
	return r
}

// Wake returns a channel that gets a value when half of the budget is used.
func (r *Budget) Wake() <-chan struct{} { return r.wake }

// Notes returns notes on what the tables had no room for.
func (r *Budget) Notes() []string {
	return slices.Concat(handshake.Note(r.handshakes.Load()), sequence.Note(r.streams.Load()))
}

func (r *Budget) acquire() bool {
	left := r.left.Add(-1)
	if left < 0 {
		r.left.Add(1)
	}
	if left <= r.half {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	return left >= 0
}

func (r *Budget) release(n int) { r.left.Add(int64(n)) }
