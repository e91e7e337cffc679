package vmtest

import (
	"bufio"
	"io"
	"regexp"
	"strings"
)

// trouble matches what a kernel says when something in it went wrong.
var trouble = regexp.MustCompile(`BUG:|Oops|Kernel panic|double fault|general protection|cut here|` +
	`WARNING: |INFO: task .* blocked|rcu.*(stall|starved)|Out of memory`)

// kernelTrouble returns the lines of a kernel's log that tell of trouble.
func kernelTrouble(log io.Reader) ([]string, error) {
	var found []string
	s := bufio.NewScanner(log)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); trouble.MatchString(line) {
			found = append(found, line)
		}
	}
	return found, s.Err()
}
