package process_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpGive sends from a connected socket. Another process gets the socket and sends from it, too.
// Both are done before udpGive answers. r.How is how the other process gets the socket.
func udpGive(r role, o *orders) error {
	r.Connect = true
	fd, _, err := datagramSocket(r)
	if err != nil {
		return err
	}
	o.done()
	if !o.wait() {
		return unix.Close(fd)
	}
	mine, theirs := make([]byte, r.Size), make([]byte, r.N)
	if err := sendOn(fd, mine, nil); err != nil {
		return err
	}
	give := map[string]func(int, []byte) error{
		"fork": giveByFork, "exec": giveByExec,
		"rights": func(fd int, b []byte) error { return giveByRights(fd, b, false) },
		"left":   func(fd int, b []byte) error { return giveByRights(fd, b, true) },
	}[r.How]
	if err := give(fd, theirs); err != nil {
		return fmt.Errorf("give by %s: %w", r.How, err)
	}
	if r.How != "left" {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	o.done()
	o.wait()
	return nil
}

// giveByFork lets a forked child send. Between fork and exit, the child may only make system calls.
func giveByFork(fd int, b []byte) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, errno := forkAndSend(fd, unsafe.Pointer(&b[0]), len(b))
	if errno != 0 {
		return errno
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(int(pid), &status, 0, nil); err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("child ended with %v", status)
	}
	return nil
}

//go:noinline
//go:norace
func forkAndSend(fd int, b unsafe.Pointer, n int) (uintptr, unix.Errno) {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	_, _, errno = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(b), uintptr(n))
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
}

func giveByExec(fd int, b []byte) error {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(dup), "socket")
	defer f.Close()
	cmd, err := child(role{Name: "udpheir", Size: len(b)}, f)
	if err != nil {
		return err
	}
	return cmd.Run()
}

// udpHeir sends on descriptor 3.
func udpHeir(r role, _ *orders) error { return sendOn(3, make([]byte, r.Size), nil) }

// giveByRights passes the descriptor by SCM_RIGHTS. With left, it closes its own descriptor before
// the other process sends.
func giveByRights(fd int, b []byte, left bool) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "mine"), os.NewFile(uintptr(pair[1]), "theirs")
	conn, err := net.FileConn(mine) // FileConn duplicates the descriptor
	if err := errors.Join(err, mine.Close()); err != nil {
		return err
	}
	defer conn.Close()
	cmd, err := child(role{Name: "udpreceiver", Size: len(b)}, theirs)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := theirs.Close(); err != nil {
		return err
	}
	if _, _, err := conn.(*net.UnixConn).WriteMsgUnix([]byte{0}, unix.UnixRights(fd), nil); err != nil {
		return err
	}
	if left {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	if err := conn.Close(); err != nil { // the other process sends when it reads the end of file
		return err
	}
	return cmd.Wait()
}

// udpReceiver receives a socket through descriptor 3 and sends on it.
func udpReceiver(r role, _ *orders) error {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(3, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	if _, err := unix.Read(3, make([]byte, 1)); err != nil {
		return err
	}
	return sendOn(fds[0], make([]byte, r.Size), nil)
}
