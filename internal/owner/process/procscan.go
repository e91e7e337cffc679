package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// scanner finds the sockets of all processes in /proc, if BPF is not permitted. It takes about ten
// times as long as the iterator, and misses sockets that open and close between two scans.
type scanner struct {
	procfs string
	// cgroup returns the id of the cgroup at a path.
	cgroup func(path string) uint64
	denied bool // the last scan could not read all processes
}

// held calls f once for each pair of a process and its socket.
func (s *scanner) held(ctx context.Context, f func(*event)) error {
	pids, err := pidsOf(s.procfs)
	if err != nil {
		return fmt.Errorf("list the processes: %w", err)
	}
	holders := map[uint64][]*bpfOwner{} // by inode
	spaces := map[uint32]string{}       // a PID in each network namespace
	// With mount option hidepid, /proc hides other users' processes (proc(5)).
	_, err = os.Stat(filepath.Join(s.procfs, "1"))
	s.denied = errors.Is(err, fs.ErrNotExist)
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return err
		}
		inodes := s.socketInodes(pid)
		if ns := namespaceOf(s.procfs, pid); ns != 0 {
			spaces[ns] = pid
		}
		if len(inodes) == 0 {
			continue
		}
		o, err := s.owner(pid)
		if err != nil {
			continue // the process has ended
		}
		for _, ino := range inodes {
			if have := holders[ino]; len(have) == 0 || have[len(have)-1] != o { // a second descriptor, from dup(2)
				holders[ino] = append(have, o)
			}
		}
	}
	for ns, pid := range spaces {
		files, err := readFiles(filepath.Join(s.procfs, pid, "net"), socketFileNames())
		if err != nil {
			continue
		}
		listSockets(files, ns, func(e *event) {
			for _, o := range holders[e.Inode] {
				e.Owner, e.Evidence = *o, byHolding
				f(e)
			}
		})
	}
	return nil
}

// socketInodes returns the inodes of a process's sockets, if they are readable.
func (s *scanner) socketInodes(pid string) []uint64 {
	d, err := os.Open(filepath.Join(s.procfs, pid, "fd"))
	if err != nil {
		s.denied = s.denied || errors.Is(err, fs.ErrPermission)
		return nil
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var inodes []uint64
	var buf [64]byte
	for _, name := range names {
		n, err := unix.Readlinkat(int(d.Fd()), name, buf[:])
		if err != nil {
			s.denied = s.denied || errors.Is(err, fs.ErrPermission)
			continue
		}
		number, ok := bytes.CutPrefix(buf[:n], []byte("socket:["))
		if !ok {
			continue
		}
		if ino, err := strconv.ParseUint(string(bytes.TrimSuffix(number, []byte("]"))), 10, 64); err == nil {
			inodes = append(inodes, ino)
		}
	}
	return inodes
}

// clockTick is the unit of times in /proc/PID/stat: 1/USER_HZ. USER_HZ is 100 on every architecture
// that pktstat supports.
const clockTick = 1e9 / 100

// owner reads the identity of a process (proc_pid_stat(5)).
func (s *scanner) owner(pid string) (*bpfOwner, error) {
	id, err := strconv.ParseUint(pid, 10, 32)
	if err != nil {
		return nil, err
	}
	o := &bpfOwner{TGID: uint32(id)}
	dir := filepath.Join(s.procfs, pid)
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return nil, err
	}
	// The name is in parentheses and may itself contain some.
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || shut < open {
		return nil, errors.New("no name in stat")
	}
	copy(o.Comm[:len(o.Comm)-1], stat[open+1:shut])
	const startField = 22 - 3 // counted from the field after the name
	fields := strings.Fields(string(stat[shut+1:]))
	if len(fields) <= startField {
		return nil, errors.New("stat is too short")
	}
	ticks, err := strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return nil, err
	}
	o.Start = ticks * clockTick
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(status)) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "Uid:" {
			uid, err := strconv.ParseUint(w[1], 10, 32)
			if err != nil {
				return nil, err
			}
			o.UID = uint32(uid)
		}
	}
	cgroups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(cgroups)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			o.Cgroup = s.cgroup(path)
		}
	}
	return o, nil
}
