// A worker in Go: an uppercase of its own, at an address of a node.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protowire"

	"portway.example/api"
	pb "portway.example/gen/portway/v1"
)

// What may be on its way to us: this many messages, and this many bytes of payload.
var window = &pb.Grant{Messages: 64, Bytes: 1024 * 1024}

// The API takes no larger payload.
const maxReplyBytes = 4 * 1024 * 1024

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: worker NODE ADDRESS (worker n3 shout)")
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	// A signal cancels the call, and with the call the worker ends.
	if err := work(ctx, os.Args[1], os.Args[2]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, api.Explain(err))
		os.Exit(1)
	}
}

func work(ctx context.Context, node, address string) error {
	connection, err := api.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := pb.NewMessageServiceClient(connection).OpenWorker(ctx)
	if err != nil {
		return err
	}
	// A failed send says only EOF: why the call ended is what Recv says.
	stream.Send(&pb.OpenWorkerRequest{Request: &pb.OpenWorkerRequest_Open{Open: &pb.OpenWorker{
		Node:         "nodes/" + node,
		Address:      address,
		InitialGrant: window,
	}}})
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case response.GetOpened() != nil:
			fmt.Println(response.GetOpened().Name, "is open")
		case response.GetMessage() != nil:
			message := response.GetMessage()
			if payload, err := uppercase(message.Payload); err == nil {
				stream.Send(&pb.OpenWorkerRequest{Request: &pb.OpenWorkerRequest_Reply{Reply: &pb.Reply{
					ToId:    message.Id,
					Payload: payload,
				}}})
			} else {
				fmt.Fprintf(os.Stderr, "message %d gets no answer: %v\n", message.Id, err)
			}
			// Done with it: as much again may come.
			stream.Send(&pb.OpenWorkerRequest{Request: &pb.OpenWorkerRequest_Grant{Grant: &pb.Grant{
				Messages: 1,
				Bytes:    uint64(len(message.Payload)),
			}}})
		case response.GetStarved() != nil:
			stream.Send(&pb.OpenWorkerRequest{Request: &pb.OpenWorkerRequest_Grant{Grant: &pb.Grant{
				Bytes: response.GetStarved().PayloadBytes,
			}}})
		case response.GetResult().GetFailure() != nil:
			fmt.Fprintln(os.Stderr, "a reply failed:", response.GetResult().Failure.Message)
		}
	}
}

// A BARE string is its length as LEB128 and then its bytes, as a string in protobuf is.
func uppercase(payload []byte) ([]byte, error) {
	text, length := protowire.ConsumeString(payload)
	if length != len(payload) {
		return nil, errors.New("it is no BARE string")
	}
	upper := protowire.AppendString(nil, strings.ToUpper(text))
	if len(upper) > maxReplyBytes {
		return nil, fmt.Errorf("it would have %d bytes, at most %d can be sent", len(upper), maxReplyBytes)
	}
	return upper, nil
}
