package user

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/owner/ids"
	"github.com/pktstat/pktstat/plugintest/labeltest"
	"github.com/pktstat/pktstat/registry"
)

const passwd = `# comment:x:1000:
root:x:0:0:root:/root:/bin/bash
toor:x:0:0:a second name:/root:/bin/sh
+nis:x:1001:
-out:x:1002:
alice:x:1000:1000:Alice:/home/alice:/bin/bash

broken
two:fields
none:x:-1:
text:x:one:
:x:1003:
last:x:4294967295:0::/:
huge:x:4294967296:0::/:
`

// TestParse: parse skips lines that define no user.
func TestParse(t *testing.T) {
	got, err := parse(strings.NewReader(passwd))
	want := map[uint32]string{0: "root", 1000: "alice", 4294967295: "last"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := parse(strings.NewReader(strings.Repeat("x", 1<<20))); err == nil {
		t.Error("parse accepted a line of a megabyte")
	}
}

func write(t *testing.T, text string, at time.Time) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "passwd")
	rewrite(t, file, text, at)
	return file
}

func rewrite(t *testing.T, file, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

var start = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func TestConformance(t *testing.T) {
	alice := map[string]string{"user": "alice"}
	labeltest.Run(t, labeltest.Options{Name: "user", Args: []string{"file=" + write(t, passwd, start)}, Cases: []labeltest.Case{
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{PID: 1, Start: 1, Comm: "init"}, Want: map[string]string{"user": "root"}},
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{PID: 7, Start: 1, Comm: "curl", UID: 1000}, Want: alice},
		{Key: flow.Key{Proto: flow.UDP}, Owner: flow.Owner{PID: 8, Start: 1, Comm: "ssh", UID: 1000, CgroupID: 5, Cgroup: "/a", Container: "systemd:session-1.scope"}, Want: alice},
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{PID: 9, Start: 1, Comm: "nginx", UID: 1000, CgroupID: 6, Container: "docker:web"}},
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{PID: 10, Start: 1, Comm: "x", UID: 1001}},
		{Key: flow.Key{Proto: flow.TCP}, Owner: flow.Owner{CgroupID: 7, Cgroup: "/b"}}, // its process is unknown
		{Key: flow.Key{EtherType: 0x0806}},
	}})
}

// run is an open label, with the clock, file and messages of the test.
type run struct {
	registry.Labeler
	tuples *ids.Table
	now    time.Time
	lines  []string
}

func open(t *testing.T, file string) *run {
	t.Helper()
	r := &run{tuples: ids.New(^flow.Dims(0), 100), now: start}
	l, err := (&config{file: file}).Open(t.Context(), registry.LabelEnv{
		Tuples: r.tuples, Now: func() time.Time { return r.now },
		Debugf: func(format string, _ ...any) { r.lines = append(r.lines, format) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Labeler = l
	return r
}

// user begins a window, and returns the name of a process's user.
func (r *run) user(t *testing.T, o flow.Owner) string {
	t.Helper()
	r.Labeler.(registry.Windowed).Window(t.Context())
	recs := []flow.Record{{Key: flow.Packed{OwnerID: r.tuples.Number(&o)}}}
	r.Records(recs)
	got := r.tuples.Get(recs[0].Key.OwnerID)
	return got.Label(flow.Fields.Find("user"))
}

// TestFileChanges: a new user's name appears within 10 s. A removed file changes nothing.
func TestFileChanges(t *testing.T) {
	file := write(t, passwd, start)
	r := open(t, file)
	bob := flow.Owner{PID: 20, Start: 1, UID: 2000}
	rewrite(t, file, passwd+"bob:x:2000:\n", start.Add(time.Second))
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{0, ""}, {9 * time.Second, ""}, {10 * time.Second, "bob"}} {
		r.now = start.Add(tt.after)
		if got := r.user(t, bob); got != tt.want {
			t.Errorf("after %v: %q, want %q", tt.after, got, tt.want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.now = start.Add(time.Minute)
	if got := r.user(t, bob); got != "bob" || len(r.lines) != 1 {
		t.Errorf("without the file: %q, messages %q", got, r.lines)
	}
}

// TestNoFile: without the file, users have no names, and the run continues.
func TestNoFile(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "none"))
	if got := r.user(t, flow.Owner{PID: 1}); got != "" || len(r.lines) == 0 {
		t.Errorf("%q, messages %q", got, r.lines)
	}
}

// TestUserIDChanges: a process that changes its user id gets the other user's name.
func TestUserIDChanges(t *testing.T) {
	r := open(t, write(t, passwd, start))
	o := flow.Owner{PID: 30, Start: 1, Comm: "daemon"}
	if got := r.user(t, o); got != "root" {
		t.Errorf("before: %q", got)
	}
	o.UID = 1000
	if got := r.user(t, o); got != "alice" {
		t.Errorf("after setuid: %q", got)
	}
}
