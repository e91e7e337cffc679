package process_test

import (
	"encoding/json"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// child returns a command: this program in another role, with a file as descriptor 3, or nil.
func child(r role, f *os.File) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleEnv+"="+string(spec))
	if f != nil {
		cmd.ExtraFiles = []*os.File{f}
	}
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// udpExec sends a query from one socket. Then it calls execve(2) with another role, which gets the
// socket as descriptor 3.
func udpExec(r role, o *orders) error {
	r.Connect = true
	fd, _, err := datagramSocket(r)
	if err != nil {
		return err
	}
	if err := sendOn(fd, make([]byte, r.Size), nil); err != nil {
		return err
	}
	if _, err := unix.Read(fd, make([]byte, r.Size)); err != nil {
		return err
	}
	o.done()
	if !o.wait() {
		return unix.Close(fd)
	}
	if fd == 3 {
		_, err = unix.FcntlInt(3, unix.F_SETFD, 0) // keep the descriptor open across execve(2)
	} else {
		err = unix.Dup3(fd, 3, 0)
	}
	if err != nil {
		return err
	}
	cmd, err := child(role{Name: "udpafter.new", Remote: r.Remote, Size: r.Size}, nil)
	if err != nil {
		return err
	}
	return unix.Exec(cmd.Path, cmd.Args, cmd.Environ())
}

// udpAfter sends on descriptor 3, then a query from a socket of its own.
func udpAfter(r role, o *orders) error {
	if err := sendOn(3, make([]byte, r.Size), nil); err != nil {
		return err
	}
	if _, err := unix.Read(3, make([]byte, r.Size)); err != nil {
		return err
	}
	if err := unix.Close(3); err != nil {
		return err
	}
	return udpQuery(r, o)
}
