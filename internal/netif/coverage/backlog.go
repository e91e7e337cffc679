package coverage

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How long a packet may be between an interface's counters and a hook. Virtual drivers put packets
// into the backlog of a CPU, which ksoftirqd may empty late.
const (
	settleStep  = 2 * time.Millisecond
	settleSteps = 500
)

const softnetStat = "/proc/net/softnet_stat"

// settle waits until the packets that the drivers have counted so far have passed the hooks.
func settle() {
	first := backlogs(os.ReadFile(softnetStat))
	for range settleSteps {
		time.Sleep(settleStep)
		if first == nil || passed(first, backlogs(os.ReadFile(softnetStat))) {
			break
		}
	}
	// A CPU may have taken a packet from its backlog, but not have called the hook. It does both
	// with softirqs disabled. membarrier(2) waits until every CPU has left such a section: a grace
	// period of RCU. With nohz_full it fails, and the time above must do.
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
}

// backlog is a CPU's queue of packets, and how many packets the CPU has processed.
type backlog struct{ waiting, processed uint32 }

// passed reports whether each CPU has processed what waited at first.
func passed(first, now map[uint64]backlog) bool {
	for cpu, b := range first {
		if at, ok := now[cpu]; ok && b.waiting > 0 && at.waiting > 0 && at.processed-b.processed < b.waiting {
			return false
		}
	}
	return true
}

// backlogs reads softnet_stat: a line of hexadecimal numbers for each CPU (softnet_seq_show in
// net/core). Kernels before 5.7 do not tell the length of the backlog.
func backlogs(text []byte, err error) map[uint64]backlog {
	const processedAt, waitingAt, cpuAt = 0, 11, 12
	if err != nil {
		return nil
	}
	all := map[uint64]backlog{}
	for line := range strings.Lines(string(text)) {
		columns := strings.Fields(line)
		if len(columns) <= cpuAt {
			return nil
		}
		number := func(at int) uint64 {
			n, _ := strconv.ParseUint(columns[at], 16, 64)
			return n
		}
		all[number(cpuAt)] = backlog{uint32(number(waitingAt)), uint32(number(processedAt))}
	}
	return all
}
