package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// softirqThread is ksoftirqd, the kernel's thread for softirqs of a CPU. It handles those that do
// not finish at the end of the system call that raised them.
type softirqThread struct{ schedstat string } // "" if this process cannot see the thread

func findSoftirqThread(cpu int) softirqThread {
	want := fmt.Sprintf("ksoftirqd/%d\n", cpu)
	names, _ := filepath.Glob("/proc/[0-9]*/comm") // the pattern is well-formed
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && string(comm) == want {
			return softirqThread{filepath.Join(filepath.Dir(name), "schedstat")}
		}
	}
	return softirqThread{}
}

// cpuTime returns the thread's CPU time, in nanoseconds.
func (s softirqThread) cpuTime() (int64, error) {
	b, err := os.ReadFile(s.schedstat)
	if err != nil {
		return 0, err
	}
	ns, _, _ := bytes.Cut(b, []byte{' '})
	return strconv.ParseInt(string(ns), 10, 64)
}
