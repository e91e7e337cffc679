// Package protocol defines what the host and the guest of a test machine exchange. The guest gets
// the plan as a file in the initramfs. It returns output and events over a serial line. The
// kernel's messages use the other line.
package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Paths inside the machine.
const (
	PlanFile   = "/plan.json"
	ModulesDir = "/modules"       // the .ko files
	ModuleList = "/modules/order" // one a line, in the order of loading: file name, then parameters
	Root       = "/pktstat"       // the parts of the repository that the tests need
	OutDir     = "/out"           // the guest sends files that a test writes here to the host
)

// SetUp is the line in the kernel's log after which the tests cause the messages.
const SetUp = "guest: the machine is set up"

// Plan is what the guest must do.
type Plan struct {
	Line string `json:"line"` // the device of the serial line to the host
	Runs []Run  `json:"runs"`
}

// Run is one command.
type Run struct {
	Name    string        `json:"name"`
	Dir     string        `json:"dir"`
	Args    []string      `json:"args"`
	Env     []string      `json:"env"`
	Timeout time.Duration `json:"timeout"` // then the guest kills it
}

// Kind is the kind of an event.
type Kind string

// The events, in their order.
const (
	Ready  Kind = "ready"  // the machine is set up; Text is the kernel's release
	Start  Kind = "start"  // of the run
	File   Kind = "file"   // Text is the name, Data the content
	Exit   Kind = "exit"   // of the run; Text is the failure, if any
	Done   Kind = "done"   // all runs have ended
	Failed Kind = "failed" // the guest failed; Text is the reason
)

// Event is a message of the guest between the output of the runs.
type Event struct {
	Kind    Kind    `json:"kind"`
	Run     int     `json:"run"`               // index into the plan's runs
	Seconds float64 `json:"seconds,omitempty"` // duration of a run; for Ready, the time since power-on
	Text    string  `json:"text,omitempty"`    // for Exit, why the run failed
	Data    []byte  `json:"data,omitempty"`
}

// mark begins an event. Output before it may lack a final newline.
const mark = 0x1e // ASCII record separator

// Write sends an event.
func Write(w io.Writer, e Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(append([]byte{mark}, b...), '\n'))
	return err
}

// Read reads to the end of r. It passes output on unchanged, in pieces, and the events between. It
// stops at an error of either function.
func Read(r io.Reader, output func([]byte) error, event func(Event) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadSlice('\n')
		if i := bytes.IndexByte(line, mark); i >= 0 {
			// An event may be longer than the buffer, because it may contain a file.
			rest := bytes.Clone(line[i+1:])
			if i > 0 {
				if err := output(line[:i]); err != nil {
					return err
				}
			}
			for errors.Is(err, bufio.ErrBufferFull) {
				line, err = br.ReadSlice('\n')
				rest = append(rest, line...)
			}
			var e Event
			if jsonErr := json.Unmarshal(rest, &e); jsonErr != nil {
				return fmt.Errorf("event %.60q: %w", rest, jsonErr)
			}
			if err := event(e); err != nil {
				return err
			}
		} else if len(line) > 0 {
			if err := output(line); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
