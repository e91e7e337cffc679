package vmtest

import (
	"bufio"
	"io"
	"regexp"
	"strings"

	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

// trouble matches what a kernel says when something in it went wrong.
var trouble = regexp.MustCompile(`BUG:|Oops|Kernel panic|double fault|general protection|cut here|` +
	`WARNING: |INFO: task .* blocked|rcu.*(stall|starved)|Out of memory`)

// kernelTrouble returns the lines of a kernel's log that tell of trouble. What it had on
// its way up, as when an emulated processor comes too late, no test has done.
func kernelTrouble(log io.Reader) ([]string, error) {
	var found []string
	s := bufio.NewScanner(log)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		switch line := strings.TrimSpace(s.Text()); {
		case trouble.MatchString(line):
			found = append(found, line)
		case strings.HasSuffix(line, protocol.SetUp):
			found = nil
		}
	}
	return found, s.Err()
}
