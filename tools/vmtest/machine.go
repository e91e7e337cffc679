package vmtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// machine is an emulated computer. Its memory is its only storage.
type machine struct {
	image, initramfs string
	accel            string
	memoryMB         int
}

// kernelArgs: the machine ends when its kernel does, and neither its checks of the
// timer nor its time limits are upset by emulation on a busy host.
const kernelArgs = "console=ttyS0 loglevel=5 panic=-1 oops=panic random.trust_cpu=on no_timer_check " +
	"rcupdate.rcu_cpu_stall_timeout=90 watchdog_thresh=60"

func (m *machine) args() []string {
	return []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
		"-machine", "q35", "-accel", m.accel,
		// QEMU 7.2 gets the flags wrong after a cmpxchg16b: a debug exception or a double fault now and then.
		"-cpu", "max,-cx16", "-smp", strconv.Itoa(processors), "-m", strconv.Itoa(m.memoryMB),
		"-kernel", m.image, "-initrd", m.initramfs, "-append", kernelArgs,
		"-chardev", "file,id=console,path=/dev/fd/3", "-serial", "chardev:console",
		"-chardev", "file,id=tests,path=/dev/fd/4", "-serial", "chardev:tests",
	}
}

// emulation returns QEMU's -accel for emulation, and how many of the host's
// processors a machine then keeps busy.
func emulation(ctx context.Context) (accel string, threads int, err error) {
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", "--version").Output()
	if err != nil {
		return "", 0, fmt.Errorf("the machines need qemu-system-x86_64 (apt-get install qemu-system-x86): %w", err)
	}
	accel, threads = emulationOf(string(out))
	return accel, threads, nil
}

// emulationOf decides by what QEMU says of its version. With a thread for each
// processor, 7.2 runs instructions that another processor has just replaced (the
// kernel's static keys and BPF trampolines: "Oops: int3"); 10.0 does not.
func emulationOf(version string) (accel string, threads int) {
	var major int
	if _, err := fmt.Sscanf(version, "QEMU emulator version %d.", &major); err == nil && major >= 10 {
		return "tcg,thread=multi", processors
	}
	return "tcg,thread=single", 1
}

// processors is how many a machine has: races between them are part of the tests.
const processors = 2

// run boots the machine and waits for its end. Both functions read one of the
// serial lines until it ends; when one returns an error, or ctx ends, the machine
// is switched off.
func (m *machine) run(ctx context.Context, console, tests func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", m.args()...)
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
		return fmt.Errorf("qemu-system-x86_64: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// line returns a file to write to and has what is written read, until everybody has
// closed it.
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

// watchdog ends a context when nothing has happened for too long.
type watchdog struct {
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	timer  *time.Timer
}

// expect gives what comes next its time.
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
