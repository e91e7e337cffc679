package vmtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// machine is an emulated computer. Memory is its only storage.
type machine struct {
	arch             arch
	image, initramfs string
	accel            string
	memoryMB         int
}

// run boots the machine and waits for its end. Each of the functions reads one serial line to its
// end. If one returns an error, or ctx ends, run switches the machine off.
func (m *machine) run(ctx context.Context, console, tests func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, m.arch.qemu, m.args()...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	var readers sync.WaitGroup
	for _, read := range []func(io.Reader) error{console, tests} {
		w, err := line(&readers, read, cancel)
		if err != nil {
			closeAll(cmd.ExtraFiles)
			return err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, w)
	}
	err := cmd.Start()
	closeAll(cmd.ExtraFiles)
	if err == nil {
		err = cmd.Wait()
	}
	readers.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w: %s", m.arch.qemu, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// line returns a file to write to. read gets what is written, until every copy of the file is
// closed.
func line(readers *sync.WaitGroup, read func(io.Reader) error, fail func(error)) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	readers.Go(func() {
		defer func() { _ = r.Close() }()
		if err := read(r); err != nil {
			fail(err)
			_, _ = io.Copy(io.Discard, r) // until the machine is off
		}
	})
	return w, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// watchdog ends a context after too long a time without progress.
type watchdog struct {
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	timer  *time.Timer
}

// expect sets the time limit of the next step.
func (d *watchdog) expect(what string, within time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer = time.AfterFunc(within, func() {
		d.cancel(fmt.Errorf("%s: no end after %s", what, within))
	})
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
}
