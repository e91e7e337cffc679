package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

type mountPoint struct{ source, dir, fstype, data string }

func (m mountPoint) mount() error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.source, m.dir, m.fstype, 0, m.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.fstype, m.dir, err)
	}
	return nil
}

// earlyMounts are what Go programs need to start other programs.
var earlyMounts = []mountPoint{
	{"proc", "/proc", "proc", ""},
	{"dev", "/dev", "devtmpfs", ""},
}

// mounts are the mounts of a Debian system.
var mounts = []mountPoint{
	{"sys", "/sys", "sysfs", ""},
	{"bpf", "/sys/fs/bpf", "bpf", "mode=700"},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", ""},
	{"debug", "/sys/kernel/debug", "debugfs", ""},
	{"trace", "/sys/kernel/tracing", "tracefs", ""},
	{"security", "/sys/kernel/security", "securityfs", ""},
	{"shm", "/dev/shm", "tmpfs", "mode=1777"},
	{"pts", "/dev/pts", "devpts", "mode=620,ptmxmode=666"},
	{"run", "/run", "tmpfs", "mode=755"},
	{"tmp", "/tmp", "tmpfs", "mode=1777"},
}

// setUp prepares the machine like a boot.
func setUp() error {
	for _, m := range mounts {
		if err := m.mount(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(protocol.OutDir, 0o755); err != nil {
		return err
	}
	// Without this, a tunnel's module makes a device in every namespace.
	if err := os.WriteFile("/proc/sys/net/core/fb_tunnels_only_for_init_net", []byte("2"), 0); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("vmtest")); err != nil {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

func loadModules() error {
	list, err := os.ReadFile(protocol.ModuleList)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		name, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := loadModule(filepath.Join(protocol.ModulesDir, name), params); err != nil {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return os.RemoveAll(protocol.ModulesDir) // they take memory
}

func loadModule(file, params string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return unix.FinitModule(int(f.Fd()), params, 0)
}

// openLine opens the serial line to the host, in raw mode.
func openLine(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err == nil {
		t.Oflag &^= unix.OPOST
		err = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}
