// Command guest is the first process of a test machine. It sets the machine up, carries out the
// plan, reports to the host over a serial line, and ends the machine. The package tools/vmtest
// builds it into the initramfs as /init.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

func main() {
	var err error
	if os.Getpid() == 1 {
		err = supervise()
	} else {
		err = work()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

// supervise lets a child do the work. The first process inherits all orphans, and could mistake one
// for its own child.
func supervise() error {
	for _, m := range earlyMounts {
		if err := m.mount(); err != nil {
			return err
		}
	}
	worker := exec.Command("/proc/self/exe")
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := worker.Start(); err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid == worker.Process.Pid {
			break
		}
	}
	unix.Sync()
	// With -no-reboot, a restart ends QEMU. Power-off fails after a suspend, because QEMU 7.2
	// forgets the registers for it.
	return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func work() error {
	content, err := os.ReadFile(protocol.PlanFile)
	if err != nil {
		return err
	}
	var plan protocol.Plan
	if err := json.Unmarshal(content, &plan); err != nil {
		return fmt.Errorf("%s: %w", protocol.PlanFile, err)
	}
	line, err := openLine(plan.Line)
	if err != nil {
		return err
	}
	defer func() { _ = line.Close() }()
	if err := follow(plan, line); err != nil {
		return errors.Join(err, protocol.Write(line, protocol.Event{Kind: protocol.Failed, Text: err.Error()}))
	}
	return protocol.Write(line, protocol.Event{Kind: protocol.Done})
}

// follow carries out the plan.
func follow(plan protocol.Plan, line io.Writer) error {
	if err := setUp(); err != nil {
		return err
	}
	const warning = "<4>" // a level that the console shows
	if err := os.WriteFile("/dev/kmsg", []byte(warning+protocol.SetUp+"\n"), 0); err != nil {
		return err
	}
	ready, err := ready()
	if err != nil {
		return err
	}
	if err := protocol.Write(line, ready); err != nil {
		return err
	}
	for i, r := range plan.Runs {
		if err := run(line, i, r); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return nil
}

func ready() (protocol.Event, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return protocol.Event{}, err
	}
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return protocol.Event{}, err
	}
	up, _, _ := strings.Cut(string(b), " ")
	seconds, err := strconv.ParseFloat(up, 64)
	return protocol.Event{
		Kind: protocol.Ready, Text: unix.ByteSliceToString(u.Release[:]), Seconds: seconds,
	}, err
}
