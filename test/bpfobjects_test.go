package test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// bpfObject is a program, map or link in the kernel.
type bpfObject struct {
	kind string // as in /proc/PID/fdinfo
	id   uint32
}

// bpfObjects is a set of objects. The kernel does not reuse their ids.
type bpfObjects map[bpfObject]bool

var bpfKinds = map[string]struct {
	next func(uint32) (uint32, error)
	open func(uint32) (io.Closer, error)
}{
	"prog": {
		func(id uint32) (uint32, error) {
			next, err := ebpf.ProgramGetNextID(ebpf.ProgramID(id))
			return uint32(next), err
		},
		func(id uint32) (io.Closer, error) { return ebpf.NewProgramFromID(ebpf.ProgramID(id)) },
	},
	"map": {
		func(id uint32) (uint32, error) {
			next, err := ebpf.MapGetNextID(ebpf.MapID(id))
			return uint32(next), err
		},
		func(id uint32) (io.Closer, error) { return ebpf.NewMapFromID(ebpf.MapID(id)) },
	},
	"link": {nil, func(id uint32) (io.Closer, error) { return link.NewFromID(link.ID(id)) }},
}

// allBPF returns all objects in the kernel, of any process.
func allBPF(t *testing.T) bpfObjects {
	t.Helper()
	all := bpfObjects{}
	for kind, k := range bpfKinds {
		if k.next == nil {
			continue
		}
		id, err := k.next(0)
		for ; err == nil; id, err = k.next(id) {
			all[bpfObject{kind, id}] = true
		}
		if !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%ss: %v", kind, err)
		}
	}
	links := new(link.Iterator)
	defer links.Close()
	for links.Next() {
		all[bpfObject{"link", uint32(links.ID)}] = true
	}
	if err := links.Err(); err != nil {
		t.Fatalf("links: %v", err)
	}
	return all
}

var bpfID = regexp.MustCompile(`(?m)^(prog|map|link)_id:\s+(\d+)$`)

// add adds the objects for which a process has file descriptors.
func (o bpfObjects) add(pid int) {
	infos, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, file := range infos {
		text, _ := os.ReadFile(file) // the descriptor may be closed by now
		for _, m := range bpfID.FindAllSubmatch(text, -1) {
			if id, err := strconv.ParseUint(string(m[2]), 10, 32); err == nil && id != 0 { // 0: a link without an object
				o[bpfObject{string(m[1]), uint32(id)}] = true
			}
		}
	}
}

// heldMeanwhile watches a process. It returns a function that ends the watch and returns all
// objects that the process has held.
func heldMeanwhile(t *testing.T, pid int) func() bpfObjects {
	t.Helper()
	held, stop := bpfObjects{}, make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			held.add(pid)
			select {
			case <-stop:
				held.add(pid)
				return
			case <-t.Context().Done():
				return
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
	return func() bpfObjects {
		close(stop)
		<-done
		return held
	}
}

// gone waits until none of the objects is in the kernel.
func (o bpfObjects) gone(t *testing.T) {
	t.Helper()
	left := maps.Clone(o)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		for object := range left {
			c, err := bpfKinds[object.kind].open(object.id)
			switch {
			case err == nil:
				_ = c.Close()
			case errors.Is(err, os.ErrNotExist):
				delete(left, object)
			default:
				t.Fatalf("%s %d: %v", object.kind, object.id, err)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d are still in the kernel: %v", len(left), len(o), left)
		}
	}
}

// nothingNew waits until the kernel has only the earlier objects. No other process may make any.
func (o bpfObjects) nothingNew(t *testing.T) {
	t.Helper()
	eventually(t, "BPF objects are left in the kernel", func() (bool, error) {
		for object := range allBPF(t) {
			if !o[object] {
				return false, nil
			}
		}
		return true, nil
	})
}

// kinds counts the objects by kind.
func (o bpfObjects) kinds() map[string]int {
	n := map[string]int{}
	for object := range o {
		n[object.kind]++
	}
	return n
}
