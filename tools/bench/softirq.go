package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// softirqThread is the kernel's thread for what packets raise on a CPU, when there is
// more of it than can be done at the end of the system call that raised it.
type softirqThread struct{ schedstat string } // "" where there is none to be seen

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

// cpuTime is what the thread has used, in nanoseconds.
func (s softirqThread) cpuTime() (int64, error) {
	b, err := os.ReadFile(s.schedstat)
	if err != nil {
		return 0, err
	}
	ns, _, _ := bytes.Cut(b, []byte{' '})
	return strconv.ParseInt(string(ns), 10, 64)
}
