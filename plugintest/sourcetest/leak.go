package sourcetest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// leavesNothing runs f and fails if f leaves goroutines or file descriptors. It runs f once
// before it measures: things that a process creates once (the runtime's poller, caches) are no
// leak. Nor are things that setup creates.
func (s *subject) leavesNothing(what string, setup func(testing.TB) Setup, f func(Setup)) {
	s.tb.Helper()
	f(setup(s.tb))
	set := setup(s.tb)
	files, goroutines := openFiles(), goleak.IgnoreCurrent()
	f(set)
	if err := goleak.Find(goroutines); err != nil {
		s.tb.Errorf("%s leaves goroutines: %v", what, err)
	}
	for end := time.Now().Add(s.patience / 5); ; time.Sleep(10 * time.Millisecond) {
		left := more(openFiles(), files)
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			s.tb.Errorf("%s leaves open files: %v", what, left)
			return
		}
	}
}

// openFiles returns how many descriptors of each file this process has open.
func openFiles() map[string]int {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // not Linux
	}
	open := map[string]int{}
	for _, e := range entries {
		// The descriptor of the listing itself is closed by now.
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			open[target]++
		}
	}
	return open
}

// more lists the files with more open descriptors than before.
func more(now, before map[string]int) []string {
	var left []string
	for _, target := range slices.Sorted(maps.Keys(now)) {
		if d := now[target] - before[target]; d > 0 {
			left = append(left, fmt.Sprintf("%s (%d)", target, d))
		}
	}
	return left
}
