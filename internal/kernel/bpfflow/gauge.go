package bpfflow

import (
	"sync/atomic"
	"time"
)

// gaugeInterval is the time between two checks of the shards. A check reads a few cache lines. A
// flood of new flows may fill a shard faster; the programs then evict flows.
const gaugeInterval = 100 * time.Millisecond

// gauge watches how full the shards are.
type gauge struct {
	wake chan struct{}
	quit chan struct{}
	done chan struct{}
}

// watch sends to wake while half of the slots of a shard in the active epoch are used.
func watch(sides []side, active *uint32, s size) *gauge {
	g := &gauge{wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(g.done)
		tick := time.NewTicker(gaugeInterval)
		defer tick.Stop()
		for {
			select {
			case <-g.quit:
				return
			case <-tick.C:
			}
			epoch := int(atomic.LoadUint32(active) & 1)
			for cpu := range s.cpus() {
				half := uint64(s.part(cpu, epoch).n * bucketSlots / 2)
				if atomic.LoadUint64(&sides[2*cpu+epoch].Inserts) < half {
					continue
				}
				select {
				case g.wake <- struct{}{}:
				default:
				}
				break
			}
		}
	}()
	return g
}

func (g *gauge) stop() {
	close(g.quit)
	<-g.done
}
