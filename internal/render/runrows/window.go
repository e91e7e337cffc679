package runrows

import "slices"

// SelectWindow sorts only order[lo:hi]: it gets the elements that a sort of the whole slice would
// put there. The other elements have no defined order. less must be a total order. It takes linear
// time, because a screen shows about forty of a hundred thousand rows.
func SelectWindow(order []int32, lo, hi int, less func(a, b int32) bool) {
	hi = min(hi, len(order))
	if lo >= hi {
		return
	}
	if lo > 0 {
		partition(order, lo, less)
	}
	tail := order[lo:]
	if hi-lo < len(tail) {
		partition(tail, hi-lo, less)
	}
	slices.SortFunc(order[lo:hi], func(a, b int32) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
}

// partition moves the n smallest elements to the front (quickselect with Hoare's partition and the
// median of three).
func partition(s []int32, n int, less func(a, b int32) bool) {
	for len(s) > 12 {
		i, j := 0, len(s)-1
		pivot := median(s[0], s[len(s)/2], s[len(s)-1], less)
		for i <= j {
			for less(s[i], pivot) {
				i++
			}
			for less(pivot, s[j]) {
				j--
			}
			if i <= j {
				s[i], s[j] = s[j], s[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			s = s[:j+1]
		case n >= i:
			s, n = s[i:], n-i
		default:
			return
		}
		if n <= 0 || n >= len(s) {
			return
		}
	}
	for i := 1; i < len(s); i++ {
		for j := i; j > 0 && less(s[j], s[j-1]); j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func median(a, b, c int32, less func(a, b int32) bool) int32 {
	if less(b, a) {
		a, b = b, a
	}
	if less(c, b) {
		b = c
		if less(b, a) {
			b = a
		}
	}
	return b
}
