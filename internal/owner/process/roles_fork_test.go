package process_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"time"
)

// inherit starts this program in another role, with a file as descriptor 3.
func inherit(spec string, f *os.File) (*exec.Cmd, io.WriteCloser, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleEnv+"="+spec)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	return cmd, in, cmd.Start()
}

// prefork listens, and its children accept. It answers with their PIDs.
func prefork(r role, o *orders) error {
	l, err := listen(r)
	if err != nil {
		return err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	var said []any
	for range r.Children {
		cmd, in, err := inherit(`{"Name":"worker"}`, f)
		if err != nil {
			return err
		}
		defer func() { //nolint:gocritic // they run until the role ends
			_ = in.Close()
			_ = cmd.Wait()
		}()
		said = append(said, cmd.Process.Pid)
	}
	o.done(said...)
	o.wait()
	return nil
}

// worker accepts on an inherited listener. The first byte of its answers identifies it.
func worker(_ role, o *orders) error {
	l, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1000)
			n, err := c.Read(buf)
			if err == nil {
				pid := uint32(os.Getpid())
				copy(buf, []byte{byte(pid >> 24), byte(pid >> 16), byte(pid >> 8), byte(pid)})
				_, _ = c.Write(buf[:n])
			}
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	o.wait()
	return nil
}

// parent connects, and passes its connection to an heir. It uses the connection at every order, and
// ends before the heir does.
func parent(r role, o *orders) error {
	c, err := dial(r, "tcp")
	if err != nil {
		return err
	}
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	if err := f.SetDeadline(time.Time{}); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	cmd, in, err := inherit(`{"Name":"heir"}`, f)
	if err != nil {
		return err
	}
	o.done(portOf(c.LocalAddr()), cmd.Process.Pid)
	for o.wait() {
		if err := exchange(c, r.Size); err != nil {
			return err
		}
		o.done()
	}
	if err := errors.Join(c.Close(), f.Close(), in.Close()); err != nil {
		return err
	}
	return cmd.Wait()
}

// heir holds a connection and does not use it.
func heir(_ role, o *orders) error {
	o.wait()
	return os.NewFile(3, "connection").Close()
}
