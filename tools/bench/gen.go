package bench

//go:generate go tool bpf2go -target bpfel -no-global-types driver bpf/driver.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types empty bpf/empty.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types floorTC bpf/floor_tc.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types hash bpf/hash.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types floorXDP bpf/floor_xdp.bpf.c
//go:generate go tool bpf2go -target bpfel -no-global-types appBytes bpf/appbytes.bpf.c
