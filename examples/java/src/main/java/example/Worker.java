package example;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import portway.v1.Grant;
import portway.v1.MessageServiceGrpc;
import portway.v1.OpenWorker;
import portway.v1.OpenWorkerRequest;
import portway.v1.OpenWorkerResponse;
import portway.v1.ReceivedMessage;
import portway.v1.Reply;

/** A worker in Java: an uppercase of its own, at an address of a node. It ends with the process. */
public final class Worker implements ClientResponseObserver<OpenWorkerRequest, OpenWorkerResponse> {
    /** What may be on its way to us: this many messages, and this many bytes of payload. */
    private static final Grant WINDOW =
            Grant.newBuilder().setMessages(64).setBytes(1024 * 1024).build();

    /** The API takes no larger payload. */
    private static final int MAX_REPLY_BYTES = 4 * 1024 * 1024;

    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private ClientCallStreamObserver<OpenWorkerRequest> requests;

    public static void main(String[] arguments) {
        if (arguments.length != 2) {
            System.err.println("usage: Worker NODE ADDRESS (Worker n3 shout)");
            System.exit(2);
        }
        try {
            var channel = Api.connect();
            var worker = new Worker();
            var open = OpenWorker.newBuilder()
                    .setNode("nodes/" + arguments[0])
                    .setAddress(arguments[1])
                    .setInitialGrant(WINDOW);
            MessageServiceGrpc.newStub(channel)
                    .openWorker(worker)
                    .onNext(OpenWorkerRequest.newBuilder().setOpen(open).build());
            worker.ended.join();
            channel.shutdownNow();
        } catch (CompletionException failed) {
            var cause = failed.getCause();
            System.err.println(cause instanceof StatusRuntimeException call ? Api.explain(call) : cause);
            System.exit(1);
        } catch (IOException failed) {
            System.err.println(failed);
            System.exit(1);
        }
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<OpenWorkerRequest> stream) {
        requests = stream;
    }

    @Override
    public void onNext(OpenWorkerResponse response) {
        switch (response.getResponseCase()) {
            case OPENED -> System.out.println(response.getOpened().getName() + " is open");
            case MESSAGE -> answer(response.getMessage());
            case STARVED -> grant(0, response.getStarved().getPayloadBytes());
            case RESULT -> {
                var result = response.getResult();
                if (result.hasFailure()) {
                    System.err.println("a reply failed: " + result.getFailure().getMessage());
                }
            }
            default -> {}
        }
    }

    private void answer(ReceivedMessage message) {
        try {
            var payload = encode(decode(message.getPayload()).toUpperCase(Locale.ROOT));
            var reply = Reply.newBuilder().setToId(message.getId()).setPayload(payload);
            requests.onNext(OpenWorkerRequest.newBuilder().setReply(reply).build());
        } catch (IOException broken) {
            System.err.println("message " + message.getId() + " gets no answer: " + broken.getMessage());
        }
        // Done with it: as much again may come.
        grant(1, message.getPayload().size());
    }

    private void grant(int messages, long bytes) {
        var grant = Grant.newBuilder().setMessages(messages).setBytes(bytes);
        requests.onNext(OpenWorkerRequest.newBuilder().setGrant(grant).build());
    }

    /** A BARE string is its length as LEB128 and then its bytes, as a string in protobuf is. */
    private static String decode(ByteString payload) throws IOException {
        CodedInputStream input = payload.newCodedInput();
        var text = input.readStringRequireUtf8();
        if (!input.isAtEnd()) throw new IOException("it is no BARE string: there is more behind it");
        return text;
    }

    private static ByteString encode(String text) throws IOException {
        var bytes = new ByteArrayOutputStream();
        var output = CodedOutputStream.newInstance(bytes);
        output.writeStringNoTag(text);
        output.flush();
        if (bytes.size() > MAX_REPLY_BYTES) {
            throw new IOException(
                    "it would have " + bytes.size() + " bytes, at most " + MAX_REPLY_BYTES + " can be sent");
        }
        return ByteString.copyFrom(bytes.toByteArray());
    }

    @Override
    public void onError(Throwable failed) {
        ended.completeExceptionally(failed);
    }

    @Override
    public void onCompleted() {
        ended.complete(null);
    }
}
