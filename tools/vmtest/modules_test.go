package vmtest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/tools/vmtest/initramfs"
)

// ko makes an object file with only the .modinfo of a module.
func ko(t *testing.T, depends string) []byte {
	t.Helper()
	info, names := "license=GPL\x00depends="+depends+"\x00", "\x00.modinfo\x00.shstrtab\x00"
	const headers = 64 // after the ELF header
	data := uint64(headers + 3*64)
	var b bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Ehsize: 64, Shoff: headers, Shentsize: 64, Shnum: 3, Shstrndx: 2,
		},
		elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: data, Size: uint64(len(info))},
		elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: data + uint64(len(info)), Size: uint64(len(names))},
		[]byte(info + names),
	} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestModulesInOrder(t *testing.T) {
	dir := t.TempDir()
	for name, depends := range map[string]string{
		"drivers/net/veth.ko": "", "drivers/net/vxlan/vxlan.ko": "udp_tunnel,ip6_udp_tunnel",
		"net/ipv4/udp-tunnel.ko": "", "net/ipv6/ip6_udp_tunnel.ko": "udp-tunnel,ipv6",
	} {
		name = filepath.Join(dir, "kernel", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, ko(t, depends), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packed := filepath.Join(dir, "kernel", "drivers", "net", "veth.ko")
	if out, err := exec.Command(testenv.Tool(t, "xz", "xz-utils"), packed).CombinedOutput(); err != nil {
		t.Fatalf("xz: %v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte("kernel/net/ipv6/ipv6.ko\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := initramfs.NewWriter(&archive)
	err := addModules(w, dir, []Module{
		{Name: "vxlan", Params: "x=1"}, {Name: "veth"}, {Name: "ipv6"}, {Name: "udp_tunnel"}, {Name: "drbg", IfThere: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const want = "udp_tunnel.ko\nip6_udp_tunnel.ko\nvxlan.ko x=1\nveth.ko\n"
	if !strings.Contains(archive.String(), want) {
		t.Errorf("the list of modules is not %q", want)
	}
	if n := bytes.Count(archive.Bytes(), []byte("license=GPL")); n != 4 {
		t.Errorf("%d modules unpacked, want 4", n)
	}
	w = initramfs.NewWriter(&archive)
	if err := addModules(w, dir, []Module{{Name: "netkit"}}); err == nil {
		t.Error("no error for a missing module")
	}
}

func TestDependsOn(t *testing.T) {
	if got, err := dependsOn(ko(t, "a,b_c")); err != nil || !slices.Equal(got, []string{"a", "b_c"}) {
		t.Errorf("dependsOn: %q, %v", got, err)
	}
	if got, err := dependsOn([]byte("no module")); err == nil {
		t.Errorf("dependsOn: %q, want an error", got)
	}
}
