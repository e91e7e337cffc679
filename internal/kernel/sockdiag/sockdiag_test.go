package sockdiag

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func ends(local, remote string, device uint32) Ends {
	return EndsOf(netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote), device)
}

// TestEnds: IPv4 addresses and their mapped form are the same ends.
func TestEnds(t *testing.T) {
	plain := ends("192.0.2.1:80", "192.0.2.2:50000", 3)
	if mapped := ends("[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.2]:50000", 3); plain != mapped || !plain.isIPv4() {
		t.Errorf("%v and %v", plain, mapped)
	}
	if six := ends("[2001:db8::1]:80", "[2001:db8::2]:50000", 0); six.isIPv4() {
		t.Errorf("%v is IPv4", six)
	}
}

// TestRequest compares requests with the bytes that ss(8) of iproute2 would send.
func TestRequest(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the expected bytes are of a little-endian machine")
	}
	e := ends("192.0.2.1:80", "192.0.2.2:50000", 3)
	for _, tt := range []struct {
		name   string
		family uint8
		states uint32
		ends   *Ends
		want   string
	}{
		{"one", unix.AF_INET, ^uint32(0), &e, "48000000" + "1400" + "0100" + "07000000" + "00000000" +
			"02060200" + "ffffffff" + "0050c350" + "c0000201000000000000000000000000" + "c0000202000000000000000000000000" + "03000000" + "ffffffffffffffff"},
		{"all", unix.AF_INET6, 1 << 1, nil, "48000000" + "1400" + "0103" + "07000000" + "00000000" +
			"0a060200" + "02000000" + "00000000" + "00000000000000000000000000000000" + "00000000000000000000000000000000" + "00000000" + "0000000000000000"},
	} {
		if got := hex.EncodeToString(appendRequest(nil, 7, tt.family, tt.states, tt.ends)); got != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
}

// answer makes a message about a socket.
func answer(family uint8, state State, e Ends, info map[int]uint32, infoSize int) []byte {
	b := make([]byte, messageSize)
	b[0], b[1] = family, byte(state)
	putEnds((*[idSize]byte)(b[4:]), &e, family)
	if infoSize == 0 {
		return b
	}
	b = append(b, 5, 0, 8, 0, 1, 0, 0, 0) // INET_DIAG_SHUTDOWN and its padding
	raw := make([]byte, infoSize)
	for at, v := range info {
		if at >= infoSize {
			continue
		}
		binary.NativeEndian.PutUint32(raw[at:], v)
	}
	b = binary.NativeEndian.AppendUint16(b, uint16(4+infoSize))
	b = binary.NativeEndian.AppendUint16(b, attrInfo)
	return append(b, raw...)
}

func TestParse(t *testing.T) {
	four, six := ends("192.0.2.1:80", "192.0.2.2:50000", 3), ends("[2001:db8::1]:80", "[2001:db8::2]:50000", 0)
	measured := map[int]uint32{infoMSS: 1000, infoUnacked: 9, infoSacked: 2, infoLost: 1, infoRetrans: 4, infoRTT: 1500, infoCwnd: 10, infoMinRTT: 700}
	full := Info{State: Established, Cwnd: 10, InFlight: 10000, SRTT: 1500 * time.Microsecond, MinRTT: 700 * time.Microsecond}
	old := full
	old.MinRTT = 0
	for _, tt := range []struct {
		name string
		msg  []byte
		ends Ends
		info Info
		ok   bool
	}{
		{"IPv4", answer(unix.AF_INET, Established, four, measured, 232), four, full, true},
		{"IPv6", answer(unix.AF_INET6, Established, six, measured, 248), six, full, true},
		{"mapped", answer(unix.AF_INET6, Established, four, measured, 232), four, full, true},
		{"Linux before 4.6", answer(unix.AF_INET, Established, four, measured, 104), four, old, true},
		{"nothing measured", answer(unix.AF_INET, 2, four, map[int]uint32{infoCwnd: 10, infoMinRTT: ^uint32(0)}, 232), four, Info{State: 2, Cwnd: 10}, true},
		{"more sacked than sent", answer(unix.AF_INET, Closed, four, map[int]uint32{infoMSS: 1000, infoSacked: 2}, 232), four, Info{State: Closed}, true},
		{"TIME_WAIT", answer(unix.AF_INET, 6, four, nil, 0), four, Info{}, false},
		{"listening", answer(unix.AF_INET, listening, four, measured, 232), four, Info{}, false},
		{"no peer", answer(unix.AF_INET, Closed, ends("0.0.0.0:80", "0.0.0.0:0", 0), measured, 232), Ends{}, Info{}, false},
		{"another family", answer(unix.AF_UNIX, Established, six, measured, 232), Ends{}, Info{}, false},
		{"cut attribute", answer(unix.AF_INET, Established, four, measured, 232)[:200], four, Info{}, false},
	} {
		e, info, ok, err := parse(tt.msg)
		if err != nil || ok != tt.ok || ok && (e != tt.ends || info != tt.info) {
			t.Errorf("%s: %v, %+v, %v, %v, want %v, %+v, %v", tt.name, e, info, ok, err, tt.ends, tt.info, tt.ok)
		}
	}
	if _, _, _, err := parse(make([]byte, messageSize-1)); !errors.Is(err, errShort) {
		t.Errorf("a short message: %v", err)
	}
}

// TestStates: the names are as in include/net/tcp_states.h, which numbers them.
func TestStates(t *testing.T) {
	for state, want := range map[State]string{0: "", Established: "established", 6: "time_wait", Closed: "closed", 8: "close_wait", listening: "", 11: "closing", 12: "", 255: ""} {
		if got := state.String(); got != want {
			t.Errorf("state %d: %q, want %q", state, got, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	e := ends("192.0.2.1:80", "192.0.2.2:50000", 3)
	f.Add(appendRequest(nil, 7, unix.AF_INET, 1, &e))
	msg := answer(unix.AF_INET, Established, e, nil, 232)
	f.Add(append(binary.NativeEndian.AppendUint32(nil, uint32(headerSize+len(msg))), append(make([]byte, 12), msg...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			m, rest, err := next(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatalf("%d bytes are left of %d", len(rest), len(b))
			}
			_, _, _, _ = parse(m.body)
			_ = errorOf(m)
			b = rest
		}
	})
}
