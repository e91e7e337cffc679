package units

import (
	"math"
	"testing"
)

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		n       uint64
		iec, si string
	}{
		{0, "0 B", "0 B"},
		{999, "999 B", "999 B"},
		{1000, "1000 B", "1.00 kB"},
		{1023, "1023 B", "1.02 kB"},
		{1024, "1.00 KiB", "1.02 kB"},
		{10_230, "9.99 KiB", "10.2 kB"},
		{10_239, "10.0 KiB", "10.2 kB"},
		{102_300, "99.9 KiB", "102 kB"},
		{999_949, "977 KiB", "1.00 MB"},
		{1_047_552, "1023 KiB", "1.05 MB"},
		{1_048_063, "1023 KiB", "1.05 MB"},
		{1_048_064, "1.00 MiB", "1.05 MB"}, // 1023.5 KiB rounds to 1024
		{1_476_395, "1.41 MiB", "1.48 MB"},
		{1 << 40, "1.00 TiB", "1.10 TB"},
		{math.MaxUint64, "16.0 EiB", "18.4 EB"},
	} {
		if got := IEC.Bytes(c.n); got != c.iec {
			t.Errorf("IEC.Bytes(%d) = %q, want %q", c.n, got, c.iec)
		}
		if got := SI.Bytes(c.n); got != c.si {
			t.Errorf("SI.Bytes(%d) = %q, want %q", c.n, got, c.si)
		}
	}
}

func TestRates(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{0, "0 bps"},
		{0.267, "0.27 bps"},
		{12.4, "12 bps"},
		{999.4, "999 bps"},
		{999.5, "1.00 kbps"},
		{1_234, "1.23 kbps"},
		{99_949, "99.9 kbps"},
		{99_951, "100 kbps"},
		{999_499, "999 kbps"},
		{999_500, "1.00 Mbps"},
		{1e9, "1.00 Gbps"},
		{8 * math.MaxUint64, "148 Ebps"},
		{8 * math.MaxUint64 * 1e9, "148 Rbps"},
		{1e36, "1000000 Qbps"},
	} {
		if got := BitRate(c.v); got != c.want {
			t.Errorf("BitRate(%g) = %q, want %q", c.v, got, c.want)
		}
	}
	for _, c := range []struct {
		v    float64
		want string
	}{{0, "0 pps"}, {0.05, "0.05 pps"}, {1.488e6, "1.49 Mpps"}} {
		if got := PacketRate(c.v); got != c.want {
			t.Errorf("PacketRate(%g) = %q, want %q", c.v, got, c.want)
		}
	}
}

// TestWidthIsBounded: a number has four digits only if no larger prefix exists.
func TestWidthIsBounded(t *testing.T) {
	for v := 1.0; v < 1e30; v *= 1.0137 {
		if got := BitRate(v); len(got) > len("999 kbps")+1 {
			t.Fatalf("BitRate(%g) = %q is too long", v, got)
		}
	}
	for n := uint64(1); n < 1<<62; n += n/61 + 1 {
		if got := IEC.Bytes(n); len(got) > len("1023 KiB") {
			t.Fatalf("IEC.Bytes(%d) = %q is too long", n, got)
		}
	}
}
