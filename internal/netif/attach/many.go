package attach

import (
	"sync"
	"sync/atomic"
	"time"
)

// Slow operations report their progress: first after sayAfter, then every sayEvery.
const (
	sayAfter = time.Second
	sayEvery = 5 * time.Second
)

// Operations on many ports, as messages name them.
const (
	attaching = "attaching to"
	detaching = "detaching from"
)

// sideBySide calls f for 0 to n-1 on up to atOnce goroutines and returns the results. All calls
// run in the calling thread's network namespace, where the interfaces are.
func (s *source) sideBySide(doing string, n int, f func(i int) error) []error {
	errs := make([]error, n)
	var next, done atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			errs[i] = f(i)
			done.Add(1)
		}
	}
	defer s.sayProgress(doing, n, &done)()
	var helpers sync.WaitGroup
	for range min(s.atOnce, n) - 1 {
		helpers.Go(func() {
			err := s.Env.NetNS.Inside(func() error { work(); return nil })
			if err != nil { // the other goroutines do its work
				s.Env.Debugf("%s interfaces with a thread less: %v", doing, err)
			}
		})
	}
	work()
	helpers.Wait()
	return errs
}

// sayProgress reports how many of n interfaces are done, until stop is called.
func (s *source) sayProgress(doing string, n int, done *atomic.Int64) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(sayAfter)
		defer timer.Stop()
		for {
			select {
			case <-quit:
				return
			case <-timer.C:
				s.Env.Notify("%s %d interfaces: %d done", doing, n, done.Load())
				timer.Reset(sayEvery)
			}
		}
	}()
	return func() { close(quit); <-ended }
}
