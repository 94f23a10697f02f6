package example;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayDeque;
import java.util.Deque;
import portway.v1.CreateInletRequest;
import portway.v1.CreateNodeRequest;
import portway.v1.CreateOutletRequest;
import portway.v1.CreateRelayRequest;
import portway.v1.CreateServiceRequest;
import portway.v1.CreateTcpConnectionRequest;
import portway.v1.DeleteNodeRequest;
import portway.v1.DeleteOutletRequest;
import portway.v1.DeleteRelayRequest;
import portway.v1.DeleteServiceRequest;
import portway.v1.InletSpec;
import portway.v1.MessageServiceGrpc;
import portway.v1.Node;
import portway.v1.NodeServiceGrpc.NodeServiceBlockingStub;
import portway.v1.NodeServiceGrpc;
import portway.v1.OutletSpec;
import portway.v1.PayloadEncoding;
import portway.v1.PortalServiceGrpc;
import portway.v1.RelayServiceGrpc;
import portway.v1.RelaySpec;
import portway.v1.SendMessageRequest;
import portway.v1.ServiceKind;
import portway.v1.ServiceSpec;
import portway.v1.State;
import portway.v1.TcpConnectionSpec;

/** The tutorial of Portway's README as a program: nodes, a relay, a message through it, and a portal over it. */
public final class Tutorial {
    private static final Duration WAIT = Duration.newBuilder().setSeconds(10).build();

    private final NodeServiceBlockingStub nodes;
    private final RelayServiceGrpc.RelayServiceBlockingStub relays;
    private final PortalServiceGrpc.PortalServiceBlockingStub portals;
    private final MessageServiceGrpc.MessageServiceBlockingStub messages;
    /** What deletes what was made and was not there before; the last made goes first. */
    private final Deque<Runnable> undo = new ArrayDeque<>();

    private Tutorial(Channel channel) {
        nodes = NodeServiceGrpc.newBlockingStub(channel);
        relays = RelayServiceGrpc.newBlockingStub(channel);
        portals = PortalServiceGrpc.newBlockingStub(channel);
        messages = MessageServiceGrpc.newBlockingStub(channel);
    }

    public static void main(String[] arguments) throws InterruptedException {
        var hasService = arguments.length == 3 && arguments[0].equals("--service");
        if (arguments.length != 1 && !hasService) {
            System.err.println("usage: Tutorial [--service NAME] HOST:PORT (of an HTTP server)");
            System.exit(2);
        }
        var service = hasService ? arguments[1] : "uppercase";
        try {
            var channel = Api.connect();
            var tutorial = new Tutorial(channel);
            try {
                tutorial.run(arguments[arguments.length - 1], service);
            } finally {
                tutorial.undo.forEach(Runnable::run);
                channel.shutdownNow();
            }
        } catch (StatusRuntimeException failed) {
            System.err.println(Api.explain(failed));
            System.exit(1);
        } catch (IOException failed) {
            System.err.println(failed);
            System.exit(1);
        }
    }

    private void run(String target, String service) throws IOException, InterruptedException {
        // n2 can be dialed; n3 can only dial out, and gets an address on n2.
        var n2 = createNode("n2");
        var n2Address = n2.getStatus().getTcpListenerAddress();
        var n3 = createNode("n3");
        var hop = nodes.createService(CreateServiceRequest.newBuilder()
                .setParent(n3.getName())
                .setService(ServiceSpec.newBuilder().setKind(ServiceKind.SERVICE_KIND_HOP))
                .build());
        if (!hop.getAlreadyExisted()) {
            var request = DeleteServiceRequest.newBuilder().setName(hop.getService().getName()).build();
            undo.push(() -> nodes.deleteService(request));
        }
        var made = relays.createRelay(CreateRelayRequest.newBuilder()
                .setParent(n3.getName())
                .setRelayId("n3")
                .setRelay(RelaySpec.newBuilder().setAt("/ip4/" + n2Address.replace(":", "/tcp/")))
                .setWait(WAIT)
                .build());
        var relay = made.getRelay();
        if (!made.getAlreadyExisted()) {
            var request = DeleteRelayRequest.newBuilder().setName(relay.getName()).build();
            undo.push(() -> relays.deleteRelay(request));
        }
        var held = relay.getStatus().getLiveness();
        if (held.getState() != State.STATE_ACTIVE) {
            throw new IOException("the relay is not up: " + held.getFailure().getLastError());
        }

        // n1 dials n2, and reaches n3 through the relay.
        var n1 = createNode("n1");
        var dialed = nodes.createTcpConnection(CreateTcpConnectionRequest.newBuilder()
                .setParent(n1.getName())
                .setTcpConnection(TcpConnectionSpec.newBuilder().setPeerAddress(n2Address))
                .setWait(WAIT)
                .build());
        var connection = dialed.getTcpConnection().getStatus().getWorkerAddress();
        var through = "/worker/" + connection + "/service/forward_to_n3";
        var reply = messages.sendMessage(SendMessageRequest.newBuilder()
                .setNode(n1.getName())
                .setTo(through + "/service/" + service)
                .setPayload(ByteString.copyFromUtf8("hello"))
                .setEncoding(PayloadEncoding.PAYLOAD_ENCODING_BARE)
                .build());
        System.out.println(reply.getPayload().toStringUtf8());

        // A portal: what connects to the inlet at n1 reaches the target as n3 sees it.
        var outlet = portals.createOutlet(CreateOutletRequest.newBuilder()
                .setParent(n3.getName())
                .setOutlet(OutletSpec.newBuilder().setTarget(target))
                .build());
        if (!outlet.getAlreadyExisted()) {
            var request = DeleteOutletRequest.newBuilder().setName(outlet.getOutlet().getName()).build();
            undo.push(() -> portals.deleteOutlet(request));
        }
        var to = through + "/service/hop/service/" + outlet.getOutlet().getStatus().getAddress();
        var inlet = portals.createInlet(CreateInletRequest.newBuilder()
                .setParent(n1.getName())
                .setInlet(InletSpec.newBuilder().setTo(to))
                .setWait(WAIT)
                .build());
        fetch("http://" + inlet.getInlet().getStatus().getBoundAddress() + "/");
    }

    private Node createNode(String id) {
        var made = nodes.createNode(CreateNodeRequest.newBuilder().setNodeId(id).build());
        if (!made.getAlreadyExisted()) {
            var request = DeleteNodeRequest.newBuilder().setName(made.getNode().getName()).build();
            undo.push(() -> nodes.deleteNode(request));
        }
        return made.getNode();
    }

    private static void fetch(String url) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(url))
                .version(HttpClient.Version.HTTP_1_1)
                .timeout(java.time.Duration.ofSeconds(30))
                .build();
        var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.body().strip());
    }
}
