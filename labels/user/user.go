// Package user labels flows with the name of the user whose process has the socket.
package user

import (
	"bufio"
	"context"
	"flag"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/registry"
)

func init() {
	registry.Labels.Register("user", registry.Label{
		Summary: "the name of the process's user, from /etc/passwd",
		Fields: []flow.Field{{
			Name: "user", Title: "User", Noun: "user", Help: "name of the process's user; empty for processes in containers",
			Kind: flow.Text, By: flow.DimPID, Groupable: true,
		}},
		Needs:  []string{"process", "container"},
		Always: true,
		New:    func() registry.LabelConfig { return &config{file: "/etc/passwd"} },
	})
}

type config struct{ file string }

var _ registry.LabelConfig = (*config)(nil)

func (c *config) Flags(fs *flag.FlagSet) {
	fs.StringVar(&c.file, "file", c.file, "`FILE` with the names of users, in the format of passwd(5)")
}

func (c *config) Open(_ context.Context, env registry.LabelEnv) (registry.Labeler, error) {
	l := &labeler{file: c.file, field: flow.Fields.Find("user"), now: env.Now, debugf: env.Debugf}
	l.changes = ids.Changes{Tuples: env.Tuples, Change: l.change}
	l.read()
	return l, nil
}

// labeler names users. It reads the file again when it has changed.
type labeler struct {
	file    string
	field   *flow.Field
	now     func() time.Time
	debugf  func(string, ...any)
	changes ids.Changes

	names   map[uint32]string
	changed time.Time // modification time of the file when read
	looked  time.Time
}

var (
	_ registry.Labeler  = (*labeler)(nil)
	_ registry.Windowed = (*labeler)(nil)
)

// lookEvery is how often the labeler checks whether the file has changed.
const lookEvery = 10 * time.Second

// Window implements [registry.Windowed].
func (l *labeler) Window(context.Context) {
	l.changes.Forget() // processes may have changed their user ids
	if now := l.now(); now.Sub(l.looked) >= lookEvery {
		l.read()
	}
}

// read reads the file if it has changed.
func (l *labeler) read() {
	l.looked = l.now()
	st, err := os.Stat(l.file)
	if err == nil && st.ModTime().Equal(l.changed) {
		return
	}
	f, err := os.Open(l.file)
	if err != nil {
		l.debugf("users: %v", err)
		return
	}
	defer func() { _ = f.Close() }()
	names, err := parse(f)
	if err != nil {
		l.debugf("users: read %s: %v", l.file, err)
		return
	}
	l.names = names
	if st != nil {
		l.changed = st.ModTime()
	}
}

// parse reads the format of passwd(5). If an id has several names, the first one counts, as with
// getpwuid(3).
func parse(r io.Reader) (map[uint32]string, error) {
	names := map[uint32]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		if !ok || name == "" || name[0] == '#' || name[0] == '+' || name[0] == '-' {
			continue // a comment, or an NIS entry
		}
		fields := strings.Split(rest, ":")
		if len(fields) < 2 {
			continue
		}
		uid, err := strconv.ParseUint(fields[1], 10, 32)
		if err != nil {
			continue
		}
		if _, known := names[uint32(uid)]; !known {
			names[uint32(uid)] = name
		}
	}
	return names, lines.Err()
}

// Records implements [registry.Labeler].
func (l *labeler) Records(recs []flow.Record) { l.changes.Records(recs) }

// change adds the user's name. It does not guess the name of a container's user, because a
// container has its own users with the same ids.
func (l *labeler) change(o *flow.Owner) bool {
	name, ok := l.names[o.UID]
	if !ok || o.PID == 0 || inContainer(o.Container) {
		return false
	}
	o.SetLabel(l.field, name)
	return true
}

// inContainer reports whether the name is a container's, not a systemd unit's.
func inContainer(name string) bool { return name != "" && !strings.HasPrefix(name, "systemd:") }

// Rows implements [registry.Labeler]. The keys of rows have the label already.
func (l *labeler) Rows([]*flow.Row) {}

// Close implements [registry.Labeler].
func (l *labeler) Close() error { return nil }
