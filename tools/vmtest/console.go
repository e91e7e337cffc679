package vmtest

import (
	"bufio"
	"io"
	"regexp"
	"strings"

	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

// trouble matches the kernel's messages about serious errors.
var trouble = regexp.MustCompile(`BUG:|Oops|Kernel panic|double fault|general protection|cut here|` +
	`WARNING: |INFO: task .* blocked|rcu.*(stall|starved)|Out of memory`)

// kernelTrouble returns the lines of a kernel's log that report errors. It ignores errors before
// the tests began, such as a late emulated processor.
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
