// Package protocol is what the host and the guest of a test machine say to each
// other: the plan goes in as a file of the initramfs, output and events come back
// over a serial line of their own (the kernel's messages have the other one).
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
	ModuleList = "/modules/order" // one a line, in the order to load them: file name, then parameters
	Root       = "/pktstat"       // the repository, as far as the tests need it
	OutDir     = "/out"           // what a test writes here comes back to the host
)

// SetUp is what the guest puts into the kernel's log when what follows is the tests' doing.
const SetUp = "guest: the machine is set up"

// Plan is what the guest is to do.
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
	Timeout time.Duration `json:"timeout"` // the guest kills it then
}

// Kind says what happened.
type Kind string

// The events, in the order in which they come.
const (
	Ready  Kind = "ready"  // the machine is set up; Text is the kernel's release
	Start  Kind = "start"  // of the run
	File   Kind = "file"   // Text is the name, Data the content
	Exit   Kind = "exit"   // of the run; Text says how, unless it went well
	Done   Kind = "done"   // all runs are through
	Failed Kind = "failed" // the guest itself could not go on; Text says why
)

// Event is what the guest tells between the output of the runs.
type Event struct {
	Kind    Kind    `json:"kind"`
	Run     int     `json:"run"`               // index into the plan's runs
	Seconds float64 `json:"seconds,omitempty"` // what a run took; for Ready, since power on
	Text    string  `json:"text,omitempty"`    // for Exit, why the run failed
	Data    []byte  `json:"data,omitempty"`
}

// mark begins an event. It may follow output that has no newline at its end.
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

// Read hands out what comes in until r ends: output as it is, in pieces, and the
// events between. An error of either function ends the reading.
func Read(r io.Reader, output func([]byte) error, event func(Event) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadSlice('\n')
		if i := bytes.IndexByte(line, mark); i >= 0 {
			// An event may be longer than the buffer (a file's content).
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
