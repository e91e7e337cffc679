package bpfflow

import (
	"sync/atomic"
	"time"
)

// gaugeInterval is how often the shards are looked at: a few cache lines. A flood
// of new flows can fill them faster; then they evict.
const gaugeInterval = 100 * time.Millisecond

// gauge tells when a shard is filling.
type gauge struct {
	wake chan struct{}
	quit chan struct{}
	done chan struct{}
}

// watch starts to send to wake while a shard of the active epoch has taken half of its
// slots or more.
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
