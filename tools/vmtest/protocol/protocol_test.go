package protocol

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestWriteAndRead(t *testing.T) {
	var line bytes.Buffer
	events := []Event{
		{Kind: Ready, Seconds: 3.25, Text: "6.1.0"},
		{Kind: Start, Run: 3},
		{Kind: File, Run: 3, Text: "a/b", Data: bytes.Repeat([]byte{0, 0x1e, '\n'}, 1<<17)},
		{Kind: Exit, Run: 3, Seconds: 1, Text: "exit status 1"},
		{Kind: Done},
	}
	long := strings.Repeat("x", 1<<18)
	outputs := []string{"", "no newline", "a line\nand another\n", long + "\n", long}
	for i, e := range events {
		line.WriteString(outputs[i])
		if err := Write(&line, e); err != nil {
			t.Fatal(err)
		}
	}
	content := line.Bytes()
	var gotOutput strings.Builder
	var got []Event
	output := func(b []byte) error { gotOutput.Write(b); return nil }
	event := func(e Event) error { got = append(got, e); return nil }
	if err := Read(iotest.HalfReader(bytes.NewReader(content)), output, event); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, events) {
		t.Errorf("events do not come back as they were sent")
	}
	if gotOutput.String() != strings.Join(outputs, "") {
		t.Errorf("%d bytes of output, want %d", gotOutput.Len(), len(strings.Join(outputs, "")))
	}

	stop := errors.New("stop")
	if err := Read(bytes.NewReader(content), output, func(Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read returned %v, want the event function's error", err)
	}
	if err := Read(bytes.NewReader(content), func([]byte) error { return stop }, event); !errors.Is(err, stop) {
		t.Errorf("Read returned %v, want the output function's error", err)
	}
}

func TestReadGarbage(t *testing.T) {
	nothing := func(Event) error { return nil }
	for _, line := range []string{"\x1e\n", "\x1e{\"kind\":\"re", "text\x1e[]\n"} {
		if err := Read(strings.NewReader(line), func([]byte) error { return nil }, nothing); err == nil {
			t.Errorf("%q: no error", line)
		}
	}
}
