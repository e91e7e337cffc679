package cmd

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// closedAtStart reports whether a standard stream was closed when the process started. In that
// case, Go's runtime opens /dev/null for reading and writing, so that no other file gets the
// descriptor. A user who discards output opens /dev/null for writing only, or for several streams
// at once, like daemon(3).
func closedAtStart(fd int) bool {
	var info unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || unix.Fstat(fd, &info) != nil {
		return true
	}
	null := info.Mode&unix.S_IFMT == unix.S_IFCHR && info.Rdev == unix.Mkdev(1, 3)
	if !null || flags&unix.O_ACCMODE != unix.O_RDWR {
		return false
	}
	for other := range 3 {
		if other != fd && sameFile(fd, other) {
			return false
		}
	}
	return true
}

// sameFile reports whether two descriptors come from one open(2) (kcmp(2)). If the kernel does not
// report that, it returns false.
func sameFile(a, b int) bool {
	const kcmpFile = 0 // KCMP_FILE of include/uapi/linux/kcmp.h
	pid := uintptr(unix.Getpid())
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, uintptr(a), uintptr(b), 0)
	return errno == 0 && order == 0
}

// closedNotice is not an error, because subprocess.DEVNULL of Python looks the same.
func closedNotice(output string) string {
	return fmt.Sprintf("output %s: standard output is closed or discarded: to keep the report, name a file (--output %[1]s=FILE)", output)
}
