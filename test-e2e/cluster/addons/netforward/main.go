// netforward LISTEN NAMESPACE TARGET accepts TCP connections on LISTEN, in the network namespace it was started in,
// and carries each to TARGET inside the network namespace whose file is NAMESPACE.
//
// A socket keeps the namespace of the thread that made it: one thread moves into NAMESPACE for good and only dials.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

type dialed struct {
	conn *net.TCPConn
	err  error
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: netforward LISTEN NAMESPACE TARGET")
	}
	listener, err := net.Listen("tcp", os.Args[1])
	check(err)
	target, err := net.ResolveTCPAddr("tcp", os.Args[3])
	check(err)

	requests := make(chan chan dialed)
	entered := make(chan error)
	go dialInside(os.Args[2], target, entered, requests)
	check(<-entered)

	for {
		conn, err := listener.Accept()
		if err != nil {
			time.Sleep(50 * time.Millisecond) // out of file descriptors: others close soon
			continue
		}
		go carry(conn.(*net.TCPConn), requests)
	}
}

func dialInside(namespace string, target *net.TCPAddr, entered chan<- error, requests <-chan chan dialed) {
	runtime.LockOSThread()
	file, err := os.Open(namespace)
	if err == nil {
		err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
	}
	entered <- err
	for answer := range requests {
		conn, err := net.DialTCP("tcp", nil, target)
		answer <- dialed{conn, err}
	}
}

func carry(outside *net.TCPConn, requests chan<- chan dialed) {
	defer outside.Close()
	answer := make(chan dialed)
	requests <- answer
	inside := <-answer
	if inside.err != nil {
		fmt.Fprintln(os.Stderr, inside.err)
		return
	}
	defer inside.conn.Close()
	done := make(chan struct{}, 2)
	go pipe(inside.conn, outside, done)
	go pipe(outside, inside.conn, done)
	<-done
	<-done
}

// pipe hands on the end of the stream too, so that half-closed connections (kubectl exec) work.
func pipe(to, from *net.TCPConn, done chan<- struct{}) {
	if _, err := io.Copy(to, from); err != nil {
		from.Close()
		to.Close()
	}
	to.CloseWrite()
	done <- struct{}{}
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
