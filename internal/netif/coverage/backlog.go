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
	before := backlogs(os.ReadFile(softnetStat))
	time.Sleep(settleStep)
	now := backlogs(os.ReadFile(softnetStat))
	first := since(before, now)
	for range settleSteps {
		if passed(first, before, now) {
			break
		}
		time.Sleep(settleStep)
		before, now = now, backlogs(os.ReadFile(softnetStat))
	}
	// A CPU may have taken a packet from its backlog, but not have called the hook. It does both
	// with softirqs disabled. membarrier(2) waits until every CPU has left such a section: a grace
	// period of RCU. With nohz_full it fails, and the time above must do.
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
}

// backlog is a CPU's queue of packets, and how many packets the CPU has processed.
type backlog struct{ waiting, processed uint32 }

// since returns what may have waited at the first of two readings, and what the CPUs had processed by
// the second. One reading is not enough: the kernel moves packets between queues while it adds up the
// lengths. Before Linux 6.6, it does so while it reads the number of processed packets, too.
func since(first, second map[uint64]backlog) map[uint64]backlog {
	all := make(map[uint64]backlog, len(first))
	for cpu, b := range second {
		all[cpu] = backlog{max(first[cpu].waiting, b.waiting), b.processed}
	}
	return all
}

// passed reports whether each CPU has processed what waited at first, by two later readings.
func passed(first, before, now map[uint64]backlog) bool {
	for cpu, b := range first {
		at, ok := now[cpu]
		if ok && (before[cpu].waiting > 0 || at.waiting > 0) && at.processed-b.processed < b.waiting {
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
