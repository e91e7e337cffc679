// Package selftest checks, from inside, the machines that internal/vmtest boots.
package selftest
