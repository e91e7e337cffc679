package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaces reads the files of /proc/net in any network namespace. For another namespace than its
// own, it needs a process in it.
type namespaces struct {
	procfs string // "/proc"
	own    uint32
	ownFD  *os.File
	pids   map[uint32]string // a process in each, as last seen
	listed bool              // all processes were listed in this epoch
}

func newNamespaces(procfs string) (*namespaces, error) {
	n := &namespaces{procfs: procfs, pids: map[uint32]string{}}
	f, err := os.Open(filepath.Join(procfs, "thread-self", "ns", "net"))
	if err != nil {
		return nil, fmt.Errorf("own network namespace: %w", err)
	}
	n.ownFD = f
	if n.own, err = inodeOf(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return n, nil
}

func (n *namespaces) close() error { return n.ownFD.Close() }

func inodeOf(f *os.File) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return uint32(st.Ino), nil // ns_alloc_inum makes 32-bit numbers
}

// namespaceOf returns the network namespace of a process; 0 if it cannot be read.
func namespaceOf(procfs, pid string) uint32 {
	link, err := os.Readlink(filepath.Join(procfs, pid, "ns", "net")) // net:[4026531833]
	if err != nil {
		return 0
	}
	ino, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "net:["), "]"), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(ino)
}

// read returns the contents of files of /proc/net, as a namespace shows them. A missing file reads
// as empty.
func (n *namespaces) read(netns uint32, files ...string) (map[string][]byte, error) {
	if pid, ok := n.process(netns); ok {
		dir := filepath.Join(n.procfs, pid, "net")
		got, err := readFiles(dir, files)
		if err == nil && namespaceOf(n.procfs, pid) == netns { // else another process has reused the PID
			return got, nil
		}
		delete(n.pids, netns)
	}
	if netns != n.own {
		return nil, fmt.Errorf("network namespace %d: no process is in it", netns)
	}
	return n.inside(files)
}

// process returns the PID of a process in a namespace.
func (n *namespaces) process(netns uint32) (string, bool) {
	if pid, ok := n.pids[netns]; ok {
		return pid, true
	}
	if namespaceOf(n.procfs, "self") == netns {
		n.pids[netns] = "self"
		return "self", true
	}
	if !n.listed {
		n.listed = true
		pids, err := pidsOf(n.procfs)
		if err != nil {
			return "", false
		}
		for _, pid := range pids {
			if ns := namespaceOf(n.procfs, pid); ns != 0 {
				n.pids[ns] = pid
			}
		}
	}
	pid, ok := n.pids[netns]
	return pid, ok
}

// inside reads in n's own namespace, on a new thread.
func (n *namespaces) inside(files []string) (map[string][]byte, error) {
	type result struct {
		files map[string][]byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		if err := unix.Setns(int(n.ownFD.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{err: fmt.Errorf("enter network namespace %d: %w", n.own, err)}
			return
		}
		got, err := readFiles(filepath.Join(n.procfs, "thread-self", "net"), files)
		done <- result{got, err}
	}()
	r := <-done
	return r.files, r.err
}

func readFiles(dir string, files []string) (map[string][]byte, error) {
	got := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		got[f] = b
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	return got, nil
}

// pidsOf lists the PIDs of all processes.
func pidsOf(procfs string) ([]string, error) {
	d, err := os.Open(procfs)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := names[:0]
	for _, name := range names {
		if name[0] >= '1' && name[0] <= '9' {
			pids = append(pids, name)
		}
	}
	return pids, nil
}
