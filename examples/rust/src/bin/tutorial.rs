//! The tutorial of Portway's README as a program: nodes, a relay, a message through it, and a portal over it.

use std::{env, pin::Pin, process::ExitCode, time::Duration};

use portway_example::{
    Channel, Failure,
    api::{
        CreateInletRequest, CreateNodeRequest, CreateOutletRequest, CreateRelayRequest,
        CreateServiceRequest, CreateTcpConnectionRequest, DeleteNodeRequest, DeleteOutletRequest,
        DeleteRelayRequest, DeleteServiceRequest, InletSpec, Node, OutletSpec, PayloadEncoding,
        RelaySpec, SendMessageRequest, ServiceKind, ServiceSpec, State, TcpConnectionSpec,
        message_service_client::MessageServiceClient, node_service_client::NodeServiceClient,
        portal_service_client::PortalServiceClient, relay_service_client::RelayServiceClient,
    },
    connect, explain,
};
use prost_types::Duration as Wait;
use tonic::Status;

const WAIT: Option<Wait> = Some(Wait { seconds: 10, nanos: 0 });

/// What deletes something at the end; the last made goes first.
type Undo = Vec<Pin<Box<dyn Future<Output = Result<(), Status>>>>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (target, service) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [target] => (target, "uppercase"),
        ["--service", service, target] => (target, service),
        _ => {
            eprintln!("usage: tutorial [--service NAME] HOST:PORT (of an HTTP server)");
            return ExitCode::from(2);
        }
    };
    let mut undo = Undo::new();
    let mut outcome = tutorial(target, service, &mut undo).await;
    for remove in undo.into_iter().rev() {
        outcome = outcome.and(remove.await.map_err(Failure::from));
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", explain(&failure));
            ExitCode::FAILURE
        }
    }
}

async fn tutorial(target: &str, service: &str, undo: &mut Undo) -> Result<(), Failure> {
    let channel = connect()?;
    let mut nodes = NodeServiceClient::new(channel.clone());
    let mut relays = RelayServiceClient::new(channel.clone());
    let mut portals = PortalServiceClient::new(channel.clone());
    let mut messages = MessageServiceClient::new(channel);

    // n2 can be dialed; n3 can only dial out, and gets an address on n2.
    let n2 = create_node(&nodes, "n2", undo).await?;
    let n2_address = n2.status.unwrap_or_default().tcp_listener_address;
    let n3 = create_node(&nodes, "n3", undo).await?;
    let hop = CreateServiceRequest {
        parent: n3.name.clone(),
        service: Some(ServiceSpec { kind: ServiceKind::Hop.into() }),
        ..Default::default()
    };
    let made = nodes.create_service(hop).await?.into_inner();
    if !made.already_existed {
        let name = made.service.unwrap_or_default().name;
        let mut nodes = nodes.clone();
        undo.push(Box::pin(async move {
            let request = DeleteServiceRequest { name, ..Default::default() };
            nodes.delete_service(request).await.map(drop)
        }));
    }
    let (host, port) = n2_address.rsplit_once(':').ok_or("n2 has no listener")?;
    let at_n2 = CreateRelayRequest {
        parent: n3.name.clone(),
        relay_id: "n3".into(),
        relay: Some(RelaySpec { at: format!("/ip4/{host}/tcp/{port}"), ..Default::default() }),
        wait: WAIT,
        ..Default::default()
    };
    let made = relays.create_relay(at_n2).await?.into_inner();
    let relay = made.relay.unwrap_or_default();
    if !made.already_existed {
        let name = relay.name;
        undo.push(Box::pin(async move {
            let request = DeleteRelayRequest { name, ..Default::default() };
            relays.delete_relay(request).await.map(drop)
        }));
    }
    let held = relay.status.unwrap_or_default().liveness.unwrap_or_default();
    if held.state() != State::Active {
        let failure = held.failure.unwrap_or_default().last_error;
        return Err(format!("the relay is not up: {failure}").into());
    }

    // n1 dials n2, and reaches n3 through the relay.
    let n1 = create_node(&nodes, "n1", undo).await?;
    let dial = CreateTcpConnectionRequest {
        parent: n1.name.clone(),
        tcp_connection: Some(TcpConnectionSpec { peer_address: n2_address.clone() }),
        wait: WAIT,
        ..Default::default()
    };
    let dialed = nodes.create_tcp_connection(dial).await?.into_inner();
    let connection = dialed.tcp_connection.and_then(|it| it.status).unwrap_or_default();
    let through = format!("/worker/{}/service/forward_to_n3", connection.worker_address);
    let hello = SendMessageRequest {
        node: n1.name.clone(),
        to: format!("{through}/service/{service}"),
        payload: b"hello".to_vec(),
        encoding: PayloadEncoding::Bare.into(),
        ..Default::default()
    };
    let reply = messages.send_message(hello).await?.into_inner();
    println!("{}", String::from_utf8_lossy(&reply.payload));

    // A portal: what connects to the inlet at n1 reaches the target as n3 sees it.
    let request = CreateOutletRequest {
        parent: n3.name,
        outlet: Some(OutletSpec { target: target.into(), ..Default::default() }),
        ..Default::default()
    };
    let made = portals.create_outlet(request).await?.into_inner();
    let outlet = made.outlet.unwrap_or_default();
    if !made.already_existed {
        let name = outlet.name;
        let mut portals = portals.clone();
        undo.push(Box::pin(async move {
            let request = DeleteOutletRequest { name, ..Default::default() };
            portals.delete_outlet(request).await.map(drop)
        }));
    }
    let address = outlet.status.unwrap_or_default().address;
    let request = CreateInletRequest {
        parent: n1.name,
        inlet: Some(InletSpec {
            to: format!("{through}/service/hop/service/{address}"),
            ..Default::default()
        }),
        wait: WAIT,
        ..Default::default()
    };
    let made = portals.create_inlet(request).await?.into_inner();
    let inlet = made.inlet.and_then(|it| it.status).unwrap_or_default();
    fetch(format!("http://{}/", inlet.bound_address)).await
}

async fn create_node(
    nodes: &NodeServiceClient<Channel>,
    id: &str,
    undo: &mut Undo,
) -> Result<Node, Failure> {
    let mut nodes = nodes.clone();
    let request = CreateNodeRequest { node_id: id.into(), ..Default::default() };
    let made = nodes.create_node(request).await?.into_inner();
    let node = made.node.unwrap_or_default();
    if !made.already_existed {
        let name = node.name.clone();
        undo.push(Box::pin(async move {
            let request = DeleteNodeRequest { name, ..Default::default() };
            nodes.delete_node(request).await.map(drop)
        }));
    }
    Ok(node)
}

async fn fetch(url: String) -> Result<(), Failure> {
    let fetching = tokio::task::spawn_blocking(move || {
        let limit = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30)));
        let mut response = ureq::Agent::from(limit.build()).get(url).call()?;
        let body = response.body_mut().read_to_string()?;
        Ok::<_, ureq::Error>((response.status().as_u16(), body))
    });
    let (status, body) = fetching.await??;
    println!("{status} {}", body.trim());
    Ok(())
}
