package cmd

import (
	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
)

// machine returns the host name and the kernel release (uname(2)).
func machine() (host, kernel string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil { // only EFAULT
		return "", ""
	}
	return unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Release[:])
}

// origin returns what reports contain about the run.
func (s *session) origin(cl *commandLine) flow.Origin {
	return flow.Origin{Host: s.Host, Kernel: s.Kernel, Version: versionOf(), Args: a0(s.Args)[1:], Note: cl.note}
}
