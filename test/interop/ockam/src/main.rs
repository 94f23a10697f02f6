//! A node of Ockam that a test steers: each line of its input is a command, each line of its output an answer, both in
//! JSON. `{"id":1,"do":"listen","at":"127.0.0.1:0"}` is answered with `{"id":1,"answer":{…}}` or `{"id":1,"error":"…"}`,
//! and commands do not wait for each other. The node ends with its input.
mod node;
mod session;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use ockam::{NodeBuilder, Route};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout};
use tokio::sync::mpsc;

use node::Node;
use session::Pace;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let (context, mut executor) = NodeBuilder::new().no_logging().build();
    executor.execute(async move { steer(Arc::new(Node::new(context)?)).await })?
}

async fn steer(node: Arc<Node>) -> Result<(), Failure> {
    let (answers, mut ready) = mpsc::unbounded_channel::<Value>();
    tokio::spawn(async move {
        let mut out = stdout();
        while let Some(answer) = ready.recv().await {
            let line = format!("{answer}\n");
            if out.write_all(line.as_bytes()).await.is_err() || out.flush().await.is_err() {
                break;
            }
        }
    });
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (node, answers) = (node.clone(), answers.clone());
        let command: Value = serde_json::from_str(&line)?;
        tokio::spawn(async move {
            let id = &command["id"];
            let answer = match obey(&node, &command).await {
                Ok(answer) => json!({ "id": id, "answer": answer }),
                Err(error) => json!({ "id": id, "error": error.to_string() }),
            };
            // Nobody takes answers once the output is closed.
            let _ = answers.send(answer);
        });
    }
    std::process::exit(0)
}

async fn obey(node: &Arc<Node>, command: &Value) -> Result<Value, Failure> {
    let text = |name: &str| {
        command[name]
            .as_str()
            .ok_or_else(|| Failure::from(format!("expected a text as {name:?} in {command}")))
    };
    let milliseconds = |name: &str, otherwise: u64| {
        Duration::from_millis(command[name].as_u64().unwrap_or(otherwise))
    };
    // As nodes of `ockam` do it.
    let pace = Pace {
        ping: milliseconds("pingMs", 10_000),
        lost: 3,
        retry: milliseconds("retryMs", 5_000),
    };
    Ok(match text("do")? {
        "listen" => json!({ "at": node.listen(text("at")?).await? }),
        "connect" => {
            json!({ "worker": node.connect(text("to")?).await?.sender_address().address() })
        }
        "bind-udp" => {
            let (at, worker) = node.bind_udp(text("at")?, command["peer"].as_str()).await?;
            json!({ "at": at, "worker": worker.address() })
        }
        "echo" => json!(node.start_echo(text("at")?)?),
        "uppercase" => json!(node.start_uppercase(text("at")?)?),
        "hop" => json!(node.start_hop(text("at")?)?),
        "relay-service" => json!(node.start_relay_service()?),
        "outlet" => json!(node.start_outlet(text("at")?, text("target")?)?),
        "secure-listener" => {
            json!({ "identifier": node.start_secure_listener(text("at")?).await? })
        }
        "secure-channel" => {
            let worker = node.open_channel(route_of(text("to")?)?).await?;
            json!({ "worker": worker.address() })
        }
        "send" => {
            let payload = hex::decode(text("payload")?)?;
            let limit = milliseconds("limitMs", 10_000);
            let (payload, back) = node.send(route_of(text("to")?)?, payload, limit).await?;
            json!({ "payload": hex::encode(payload), "return": back.to_string() })
        }
        "relay" => json!(node.keep_relay(text("name")?, text("to")?, pace)),
        "inlet" => {
            json!(node.keep_inlet(
                text("name")?,
                text("at")?,
                text("to")?,
                route_of(text("route")?)?,
                pace
            ))
        }
        "session" => {
            let account = node.account(text("name")?).ok_or("there is no session of this name")?;
            json!({
                "isUp": account.is_up, "made": account.made, "pings": account.pings, "pongs": account.pongs,
                "address": account.address, "failure": account.failure,
            })
        }
        unknown => return Err(format!("there is no command {unknown:?}").into()),
    })
}

fn route_of(text: &str) -> Result<Route, Failure> {
    Route::parse(text).ok_or_else(|| format!("{text:?} is no route").into())
}
