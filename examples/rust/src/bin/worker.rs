//! A worker in Rust: an `uppercase` of its own, at an address of a node.

use std::{env, process::ExitCode};

use portway_example::{
    Failure, MAX_RECEIVED_BYTES,
    api::{
        Close, Grant, OpenWorker, OpenWorkerRequest, Reply,
        message_service_client::MessageServiceClient, open_worker_request::Request,
        open_worker_response::Response,
    },
    connect, explain,
};
use prost::{decode_length_delimiter, encode_length_delimiter};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

/// What may be on its way to us: this many messages, and this many bytes of payload.
const WINDOW: Grant = Grant { messages: 64, bytes: 1024 * 1024 };

/// The API takes no larger payload.
const MAX_REPLY_BYTES: usize = 4 * 1024 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [node, address] = &arguments[..] else {
        eprintln!("usage: worker NODE ADDRESS (worker n3 shout)");
        return ExitCode::from(2);
    };
    match work(node, address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", explain(&failure));
            ExitCode::FAILURE
        }
    }
}

async fn work(node: &str, address: &str) -> Result<(), Failure> {
    let (requests, queued) = mpsc::channel(2 * WINDOW.messages as usize);
    let say = async |request| {
        // Nobody takes it once the call has ended; why it has is what the responses say.
        let _ = requests.send(OpenWorkerRequest { request: Some(request) }).await;
    };
    say(Request::Open(OpenWorker {
        node: format!("nodes/{node}"),
        address: address.into(),
        initial_grant: Some(WINDOW),
        ..Default::default()
    }))
    .await;
    let mut messages =
        MessageServiceClient::new(connect()?).max_decoding_message_size(MAX_RECEIVED_BYTES);
    let mut responses = messages.open_worker(ReceiverStream::new(queued)).await?.into_inner();
    loop {
        let response = tokio::select! {
            response = responses.next() => response,
            _ = tokio::signal::ctrl_c() => {
                say(Request::Close(Close {})).await;
                continue;
            }
        };
        let Some(response) = response.transpose()? else {
            return Ok(());
        };
        match response.response {
            Some(Response::Opened(opened)) => println!("{} is open", opened.name),
            Some(Response::Message(message)) => {
                match uppercase(&message.payload) {
                    Ok(payload) => {
                        let to_id = message.id;
                        say(Request::Reply(Reply { to_id, payload, ..Default::default() })).await;
                    }
                    Err(failure) => eprintln!("message {} gets no answer: {failure}", message.id),
                }
                // Done with it: as much again may come.
                let bytes = message.payload.len() as u64;
                say(Request::Grant(Grant { messages: 1, bytes })).await;
            }
            Some(Response::Starved(starved)) => {
                say(Request::Grant(Grant { messages: 0, bytes: starved.payload_bytes })).await;
            }
            Some(Response::Result(result)) => {
                if let Some(failure) = result.failure {
                    eprintln!("a reply failed: {}", failure.message);
                }
            }
            _ => {}
        }
    }
}

/// A BARE string is its length as LEB128 and then its bytes, as a string in protobuf is.
fn uppercase(mut payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let length = decode_length_delimiter(&mut payload)?;
    let text = std::str::from_utf8(payload)?.to_uppercase();
    if payload.len() != length {
        return Err(format!("it says {length} bytes and has {}", payload.len()).into());
    }
    let mut upper = Vec::with_capacity(text.len() + 10);
    encode_length_delimiter(text.len(), &mut upper)?;
    upper.extend_from_slice(text.as_bytes());
    if upper.len() > MAX_REPLY_BYTES {
        let bytes = upper.len();
        return Err(
            format!("it would have {bytes} bytes, at most {MAX_REPLY_BYTES} can be sent").into()
        );
    }
    Ok(upper)
}
