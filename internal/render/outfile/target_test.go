package outfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/registry"
)

func create(t *testing.T, s *Set, name string) registry.Writer {
	t.Helper()
	tg, err := s.Target("out="+name, name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tg.Create()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func write(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, w registry.Writer) {
	t.Helper()
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Commit: error %v", err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("files in the directory: %q, want %q", got, want)
	}
}

func TestStdout(t *testing.T) {
	for _, name := range []string{"", "-"} {
		var stdout bytes.Buffer
		w := create(t, NewSet(&stdout, nil), name)
		write(t, w, "report")
		if stdout.String() != "report" {
			t.Errorf("%q: %q", name, stdout.String())
		}
		commit(t, w)
		write(t, &stdout, "more") // not closed
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	s := NewSet(io.Discard, nil)

	w := create(t, s, path)
	write(t, w, "a report")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before Commit: %v", err)
	}
	commit(t, w)
	wantFile(t, path, "a report")
	wantNames(t, dir, "out")

	w = create(t, NewSet(io.Discard, nil), path)
	write(t, w, "half of another")
	wantFile(t, path, "a report")
	if err := errors.Join(w.Abort(), w.Abort()); err != nil {
		t.Errorf("Abort: %v", err)
	}
	wantFile(t, path, "a report")
	wantNames(t, dir, "out")

	s = NewSet(io.Discard, nil)
	w = create(t, s, path)
	write(t, w, "half of a third")
	s.Abandon()
	wantFile(t, path, "a report")
	wantNames(t, dir, "out")
	if err := w.Commit(); err == nil {
		t.Error("Commit after Abandon succeeded")
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Abandon: %v", err)
	}
}

// TestMode: a new file has the mode of the umask; a replaced file keeps its mode and owner.
func TestMode(t *testing.T) {
	defer unix.Umask(unix.Umask(0o027))
	path := filepath.Join(t.TempDir(), "out")
	mode := func() fs.FileMode {
		t.Helper()
		w := create(t, NewSet(io.Discard, nil), path)
		commit(t, w)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if m := mode(); m != 0o640 {
		t.Errorf("mode of a new file: %v", m)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if m := mode(); m != 0o604 {
		t.Errorf("mode of a replaced file: %v", m)
	}
}

func TestOwner(t *testing.T) {
	testenv.Privileged(t)
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 1234, 4321); err != nil {
		t.Fatal(err)
	}
	commit(t, create(t, NewSet(io.Discard, nil), path))
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Uid != 1234 || st.Gid != 4321 {
		t.Errorf("owner %d:%d, %v", st.Uid, st.Gid, err)
	}
}

// TestLinks: pktstat replaces the file that a link points to, not the link.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"there": "sub/file", "abs": filepath.Join(dir, "sub", "file2"), "twice": "there", "dir": "sub"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ name, file string }{
		{"there", "sub/file"}, {"there", "sub/file"}, {"abs", "sub/file2"}, {"twice", "sub/file"}, {"dir/file3", "sub/file3"},
	} {
		w := create(t, NewSet(io.Discard, nil), filepath.Join(dir, tc.name))
		write(t, w, tc.name)
		commit(t, w)
		wantFile(t, filepath.Join(dir, tc.file), tc.name)
	}
	wantNames(t, dir, "abs", "dir", "sub", "there", "twice")
	wantNames(t, filepath.Join(dir, "sub"), "file", "file2", "file3")
}

func TestDevicesAndPipes(t *testing.T) {
	w := create(t, NewSet(io.Discard, nil), "/dev/full")
	if _, err := w.Write([]byte("report")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("write to /dev/full: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}

	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		b, err := os.ReadFile(fifo)
		if err != nil {
			t.Error(err)
		}
		read <- string(b)
	}()
	w = create(t, NewSet(io.Discard, nil), fifo)
	write(t, w, "through the pipe")
	commit(t, w)
	if got := <-read; got != "through the pipe" {
		t.Errorf("read %q", got)
	}

	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		read <- string(b)
	}()
	w = create(t, NewSet(io.Discard, nil), l.Addr().String())
	write(t, w, "through the socket")
	commit(t, w)
	if got := <-read; got != "through the socket" {
		t.Errorf("read %q", got)
	}
	wantNames(t, dir, "fifo", "socket")
}

func TestCannotOpen(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		dir:                                  "it is a directory",
		dir + "/new/":                        "it is a directory",
		filepath.Join(dir, "no", "out"):      `the directory "` + filepath.Join(dir, "no") + `" does not exist`,
		filepath.Join(file, "out"):           "not a directory",
		loop:                                 "too many levels of symbolic links",
		dir + "/" + strings.Repeat("x", 300): "file name too long",
	} {
		tg, err := NewSet(io.Discard, nil).Target("o", name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, err = tg.Create()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) || errors.Is(err, registry.ErrUsage) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	wantNames(t, dir, "file", "loop")
}

// TestKept: no output replaces a file that the run reads, under any of its names.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	capture, link, device := filepath.Join(dir, "capture"), filepath.Join(dir, "link"), "/dev/null"
	if err := os.WriteFile(capture, []byte("packets"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("capture", link); err != nil {
		t.Fatal(err)
	}
	s := NewSet(io.Discard, nil)
	for _, name := range []string{capture, device, filepath.Join(dir, "none")} {
		info, _ := os.Stat(name)
		s.Keep(name, info)
	}
	for _, name := range []string{capture, link, dir + "/../" + filepath.Base(dir) + "/capture"} {
		if _, err := s.Target("o", name); !errors.Is(err, registry.ErrUsage) || !strings.Contains(err.Error(), "would overwrite "+capture) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{device, filepath.Join(dir, "none")} {
		if _, err := s.Target("o", name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTaken: two outputs never share a target, under any of its names.
func TestTaken(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	stdout, err := os.Create(file("stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	info, err := stdout.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Link(file("there"), file("hard")), os.Symlink("new", file("soft"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)

	for _, tc := range []struct {
		a, b  string
		taken bool
	}{
		{"", "", true}, {"-", "", true}, {"", "stdout", true}, {"stdout", "-", true},
		{"new", "new", true}, {"new", "./new", true}, {"new", file("new"), true}, {"soft", "new", true},
		{"there", "hard", true},
		{"http://host/x", "http://host/x", true},
		{"new", "other", false}, {"there", "new", false}, {"-", "there", false},
		{"http://host/x", "http://host/y", false},
		{"/dev/null", "/dev/null", false}, {"/dev/null", "/dev/full", false},
	} {
		s := NewSet(stdout, info)
		take := func(owner, name string) error {
			tg, err := s.Target(owner, name)
			if err != nil {
				return err
			}
			return tg.Claim()
		}
		if err := take("a="+tc.a, tc.a); err != nil {
			t.Errorf("%q: %v", tc.a, err)
		}
		if err := take("b="+tc.b, tc.b); (err != nil) != tc.taken || err != nil && !errors.Is(err, registry.ErrUsage) {
			t.Errorf("%q and %q: %v, taken: want %t", tc.a, tc.b, err, tc.taken)
		}
	}
}

// TestStdoutIsNull: under cron, stdout and a target may both be /dev/null, which any number of
// outputs may share.
func TestStdoutIsNull(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	info, err := null.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s := NewSet(null, info)
	for _, name := range []string{"-", os.DevNull} {
		write(t, create(t, s, name), "report")
	}
}

// TestNotAFile: an output that writes elsewhere does not claim stdout.
func TestNotAFile(t *testing.T) {
	s := NewSet(io.Discard, nil)
	for _, owner := range []string{"exporter", "another"} {
		if _, err := s.Target(owner, ""); err != nil {
			t.Error(err)
		}
	}
	write(t, create(t, s, ""), "report")
}
