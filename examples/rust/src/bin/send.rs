//! A message to a service along any route, and its answer.

use std::{env, process::ExitCode, time::Duration};

use portway_example::{
    Failure,
    api::{PayloadEncoding, SendMessageRequest, message_service_client::MessageServiceClient},
    connect, explain,
};
use tonic::Request;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [node, route, text] = &arguments[..] else {
        eprintln!("usage: send NODE ROUTE TEXT (send n1 /service/uppercase hello)");
        return ExitCode::from(2);
    };
    match send(node, route, text).await {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{}", explain(&failure));
            ExitCode::FAILURE
        }
    }
}

async fn send(node: &str, route: &str, text: &str) -> Result<String, Failure> {
    let mut request = Request::new(SendMessageRequest {
        node: format!("nodes/{node}"),
        to: route.into(),
        payload: text.into(),
        encoding: PayloadEncoding::Bare.into(),
        ..Default::default()
    });
    request.set_timeout(LIMIT);
    let reply = MessageServiceClient::new(connect()?).send_message(request).await?;
    Ok(String::from_utf8(reply.into_inner().payload)?)
}
