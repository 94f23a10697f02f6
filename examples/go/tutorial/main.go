// The tutorial of Portway's README as a program: nodes, a relay, a message through it, and a portal over it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"portway.example/api"
	pb "portway.example/gen/portway/v1"
)

const limit = time.Minute

var wait = durationpb.New(10 * time.Second)

func main() {
	service := flag.String("service", "uppercase", "the service of n3 that gets the message")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: tutorial [--service NAME] HOST:PORT (of an HTTP server)")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := tutorial(ctx, flag.Arg(0), *service); err != nil {
		fmt.Fprintln(os.Stderr, api.Explain(err))
		os.Exit(1)
	}
}

func tutorial(ctx context.Context, target, service string) (err error) {
	connection, err := api.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	nodes := pb.NewNodeServiceClient(connection)
	relays := pb.NewRelayServiceClient(connection)
	portals := pb.NewPortalServiceClient(connection)
	messages := pb.NewMessageServiceClient(connection)

	// What was there before is not deleted at the end.
	undo := func(alreadyExisted bool, remove func(context.Context) error) {
		if alreadyExisted {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if failed := remove(ctx); err == nil {
			err = failed
		}
	}
	createNode := func(id string) (*pb.CreateNodeResponse, error) {
		return nodes.CreateNode(ctx, &pb.CreateNodeRequest{NodeId: id})
	}
	deleteNode := func(name string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := nodes.DeleteNode(ctx, &pb.DeleteNodeRequest{Name: name})
			return err
		}
	}

	// n2 can be dialed; n3 can only dial out, and gets an address on n2.
	n2, err := createNode("n2")
	if err != nil {
		return err
	}
	defer undo(n2.AlreadyExisted, deleteNode(n2.Node.Name))
	n3, err := createNode("n3")
	if err != nil {
		return err
	}
	defer undo(n3.AlreadyExisted, deleteNode(n3.Node.Name))
	hop, err := nodes.CreateService(ctx, &pb.CreateServiceRequest{
		Parent:  n3.Node.Name,
		Service: &pb.ServiceSpec{Kind: pb.ServiceKind_SERVICE_KIND_HOP},
	})
	if err != nil {
		return err
	}
	defer undo(hop.AlreadyExisted, func(ctx context.Context) error {
		_, err := nodes.DeleteService(ctx, &pb.DeleteServiceRequest{Name: hop.Service.Name})
		return err
	})
	host, port, err := net.SplitHostPort(n2.Node.Status.TcpListenerAddress)
	if err != nil {
		return err
	}
	relay, err := relays.CreateRelay(ctx, &pb.CreateRelayRequest{
		Parent:  n3.Node.Name,
		RelayId: "n3",
		Relay:   &pb.RelaySpec{At: fmt.Sprintf("/ip4/%s/tcp/%s", host, port)},
		Wait:    wait,
	})
	if err != nil {
		return err
	}
	defer undo(relay.AlreadyExisted, func(ctx context.Context) error {
		_, err := relays.DeleteRelay(ctx, &pb.DeleteRelayRequest{Name: relay.Relay.Name})
		return err
	})
	if held := relay.Relay.Status.Liveness; held.State != pb.State_STATE_ACTIVE {
		return fmt.Errorf("the relay is not up: %s", held.GetFailure().GetLastError())
	}

	// n1 dials n2, and reaches n3 through the relay.
	n1, err := createNode("n1")
	if err != nil {
		return err
	}
	defer undo(n1.AlreadyExisted, deleteNode(n1.Node.Name))
	dialed, err := nodes.CreateTcpConnection(ctx, &pb.CreateTcpConnectionRequest{
		Parent:        n1.Node.Name,
		TcpConnection: &pb.TcpConnectionSpec{PeerAddress: n2.Node.Status.TcpListenerAddress},
		Wait:          wait,
	})
	if err != nil {
		return err
	}
	through := fmt.Sprintf("/worker/%s/service/forward_to_n3", dialed.TcpConnection.Status.WorkerAddress)
	reply, err := messages.SendMessage(ctx, &pb.SendMessageRequest{
		Node:     n1.Node.Name,
		To:       through + "/service/" + service,
		Payload:  []byte("hello"),
		Encoding: pb.PayloadEncoding_PAYLOAD_ENCODING_BARE,
	})
	if err != nil {
		return err
	}
	fmt.Println(string(reply.Payload))

	// A portal: what connects to the inlet at n1 reaches the target as n3 sees it.
	outlet, err := portals.CreateOutlet(ctx, &pb.CreateOutletRequest{
		Parent: n3.Node.Name,
		Outlet: &pb.OutletSpec{Target: target},
	})
	if err != nil {
		return err
	}
	defer undo(outlet.AlreadyExisted, func(ctx context.Context) error {
		_, err := portals.DeleteOutlet(ctx, &pb.DeleteOutletRequest{Name: outlet.Outlet.Name})
		return err
	})
	inlet, err := portals.CreateInlet(ctx, &pb.CreateInletRequest{
		Parent: n1.Node.Name,
		Inlet:  &pb.InletSpec{To: through + "/service/hop/service/" + outlet.Outlet.Status.Address},
		Wait:   wait,
	})
	if err != nil {
		return err
	}
	return fetch(ctx, "http://"+inlet.Inlet.Status.BoundAddress+"/")
}

func fetch(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, strings.TrimSpace(string(body)))
	return err
}
