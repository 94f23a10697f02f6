//! One node of Ockam, whose parts are all reachable through each of its connections.
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ockam::flow_control::FlowControlId;
use ockam::identity::{
    Identifier, SecureChannelListenerOptions, SecureChannelOptions, SecureChannels, secure_channels,
};
use ockam::remote::{RemoteRelay, RemoteRelayOptions};
use ockam::tcp::{
    TcpConnection, TcpConnectionOptions, TcpInletOptions, TcpListenerOptions, TcpOutletOptions,
    TcpTransport,
};
use ockam::transport::HostnamePort;
use ockam::udp::{UdpBindArguments, UdpBindOptions, UdpTransport};
use ockam::{
    Address, Context, MessageSendReceiveOptions, RelayService, RelayServiceOptions, Result, Route,
    route,
};
use ockam_transport_tcp::TcpInlet;
use tokio::sync::OnceCell;

use crate::session::{Account, Pace, Session, Subject};
use crate::workers::{Echo, Hop, Uppercase};

pub struct Node {
    context: Context,
    tcp: Arc<TcpTransport>,
    /// The flow controls of listeners, connections and channels, and the addresses that are reached through them.
    gates: Mutex<(Vec<FlowControlId>, Vec<Address>)>,
    identity: OnceCell<(Arc<SecureChannels>, Identifier)>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

/// How long a node of `ockam` waits for a connection.
const CONNECT: Duration = Duration::from_secs(15);

impl Node {
    pub fn new(context: Context) -> Result<Self> {
        let tcp = TcpTransport::get_or_create(&context)?;
        let node = Self {
            context,
            tcp,
            gates: Mutex::default(),
            identity: OnceCell::new(),
            sessions: Mutex::default(),
        };
        node.start_echo("echo")?;
        node.start_uppercase("uppercase")?;
        Ok(node)
    }

    fn through(&self, flow: &FlowControlId) {
        let (flows, addresses) = &mut *self.gates.lock().unwrap();
        for address in addresses.iter() {
            self.context.flow_controls().add_consumer(address, flow);
        }
        flows.push(flow.clone());
    }

    fn reachable(&self, address: &Address) {
        let (flows, addresses) = &mut *self.gates.lock().unwrap();
        for flow in flows.iter() {
            self.context.flow_controls().add_consumer(address, flow);
        }
        addresses.push(address.clone());
    }

    pub fn start_echo(&self, at: &str) -> Result<()> {
        self.context.start_worker(at, Echo)?;
        self.reachable(&at.into());
        Ok(())
    }

    pub fn start_uppercase(&self, at: &str) -> Result<()> {
        self.context.start_worker(at, Uppercase)?;
        self.reachable(&at.into());
        Ok(())
    }

    pub fn start_hop(&self, at: &str) -> Result<()> {
        self.context.start_worker(at, Hop)?;
        self.reachable(&at.into());
        Ok(())
    }

    pub async fn listen(&self, at: &str) -> Result<String> {
        let options = TcpListenerOptions::new();
        self.through(&options.spawner_flow_control_id());
        Ok(self.tcp.listen(at, options).await?.socket_string())
    }

    pub async fn connect(&self, to: &str) -> Result<TcpConnection> {
        let options = TcpConnectionOptions::new().with_timeout(CONNECT);
        self.through(&options.flow_control_id());
        self.tcp.connect(to, options).await
    }

    /// Binds a UDP socket, towards one peer or for all: where, and the worker that sends.
    pub async fn bind_udp(&self, at: &str, peer: Option<&str>) -> Result<(String, Address)> {
        let udp = UdpTransport::get_or_create(&self.context)?;
        let mut arguments = UdpBindArguments::new().with_bind_address(at)?;
        if let Some(peer) = peer {
            arguments = arguments.with_peer_address(peer).await?;
        }
        let options = UdpBindOptions::new();
        self.through(&options.flow_control_id());
        let bind = udp.bind(arguments, options).await?;
        Ok((bind.bind_address().to_string(), bind.sender_address().clone()))
    }

    /// Sends a payload as it is: the payload of the answer, and the way back to who answered.
    pub async fn send(
        &self,
        to: Route,
        payload: Vec<u8>,
        limit: Duration,
    ) -> Result<(Vec<u8>, Route)> {
        let options = MessageSendReceiveOptions::new().with_timeout(limit);
        let answer = self
            .context
            .send_and_receive_extended::<Vec<u8>, Vec<u8>>(to, payload, options)
            .await?;
        let back = answer.return_route().clone();
        Ok((answer.into_body()?, back))
    }

    /// The relay service as `ockam node create` starts it. Its relays are reached through what listens by then.
    pub fn start_relay_service(&self) -> Result<()> {
        let (service, alias) = ("forwarding_service", "static_forwarding_service");
        let mut options = RelayServiceOptions::new().alias(alias).prefix("forward_to_");
        for flow in &self.gates.lock().unwrap().0 {
            options = options.service_as_consumer(flow).relay_as_consumer(flow);
        }
        RelayService::create(&self.context, service, options)
    }

    pub fn start_outlet(&self, at: &str, target: &str) -> Result<()> {
        let peer: HostnamePort = target.parse()?;
        self.tcp.create_outlet(at, peer, TcpOutletOptions::new())?;
        self.reachable(&at.into());
        Ok(())
    }

    pub async fn start_secure_listener(&self, at: &str) -> Result<String> {
        let (channels, identifier) = self.identity().await?;
        let options = SecureChannelListenerOptions::new();
        self.through(&options.spawner_flow_control_id());
        channels.create_secure_channel_listener(&self.context, identifier, at, options)?;
        self.reachable(&at.into());
        Ok(identifier.to_string())
    }

    /// Makes a secure channel over a route: the worker that encrypts.
    pub async fn open_channel(&self, to: Route) -> Result<Address> {
        let (channels, identifier) = self.identity().await?;
        let options = SecureChannelOptions::new();
        self.through(&options.producer_flow_control_id());
        let channel =
            channels.create_secure_channel(&self.context, identifier, to, options).await?;
        Ok(channel.encryptor_address().clone())
    }

    async fn identity(&self) -> Result<&(Arc<SecureChannels>, Identifier)> {
        self.identity
            .get_or_try_init(|| async {
                let channels = secure_channels().await?;
                let identifier =
                    channels.identities().identities_creation().create_identity().await?;
                Ok((channels, identifier))
            })
            .await
    }

    pub fn keep_relay(self: &Arc<Self>, name: &str, to: &str, pace: Pace) {
        let made = Mutex::default();
        let relay = Relay { node: self.clone(), to: to.into(), alias: name.into(), made };
        self.keep(name, pace, relay);
    }

    /// `to` is the node that is dialed, `route` the way from there to the outlet.
    pub fn keep_inlet(
        self: &Arc<Self>,
        name: &str,
        bind: &str,
        to: &str,
        route: Route,
        pace: Pace,
    ) {
        let made = Mutex::default();
        let inlet = Inlet { node: self.clone(), bind: bind.into(), to: to.into(), route, made };
        self.keep(name, pace, inlet);
    }

    fn keep(self: &Arc<Self>, name: &str, pace: Pace, subject: impl Subject) {
        let (node, session) = (self.clone(), Arc::new(Session::default()));
        self.sessions.lock().unwrap().insert(name.into(), session.clone());
        tokio::spawn(async move { session.keep(&node.context, pace, &subject).await });
    }

    pub fn account(&self, name: &str) -> Option<Account> {
        Some(self.sessions.lock().unwrap().get(name)?.account())
    }
}

struct Relay {
    node: Arc<Node>,
    to: String,
    alias: String,
    made: Mutex<Vec<Address>>,
}

impl Subject for Relay {
    async fn make(&self) -> Result<(Address, String)> {
        let connection = self.node.connect(&self.to).await?;
        let sender = connection.sender_address().clone();
        self.made.lock().unwrap().push(sender.clone());
        let (way, options) = (route![sender.clone()], RemoteRelayOptions::new());
        let info =
            RemoteRelay::create_static(&self.node.context, way, &self.alias, options).await?;
        self.made.lock().unwrap().push(info.worker_address().clone());
        Ok((sender, info.remote_address().to_string()))
    }

    async fn drop(&self) {
        for address in self.made.lock().unwrap().drain(..).rev() {
            // What has ended by itself is gone.
            let _ = self.node.context.stop_address(&address);
        }
    }
}

struct Inlet {
    node: Arc<Node>,
    bind: String,
    to: String,
    route: Route,
    /// The inlet stays, paused while there is no connection.
    made: Mutex<(Option<TcpInlet>, Option<Address>)>,
}

impl Subject for Inlet {
    async fn make(&self) -> Result<(Address, String)> {
        let connection = self.node.connect(&self.to).await?;
        let sender = connection.sender_address().clone();
        let way: Route = route![sender.clone()].modify().append_route(self.route.clone()).into();
        let known = {
            let mut made = self.made.lock().unwrap();
            made.1 = Some(sender.clone());
            made.0.clone()
        };
        let inlet = match known {
            Some(inlet) => {
                // It adds the outlet that it knows.
                inlet.unpause(&self.node.context, way.modify().pop_back().into())?;
                inlet
            }
            None => {
                self.node.tcp.create_inlet(self.bind.clone(), way, TcpInletOptions::new()).await?
            }
        };
        let at = inlet.socket_address().to_string();
        self.made.lock().unwrap().0 = Some(inlet);
        Ok((sender, at))
    }

    async fn drop(&self) {
        let (inlet, connection) = {
            let mut made = self.made.lock().unwrap();
            (made.0.clone(), made.1.take())
        };
        if let Some(inlet) = inlet {
            inlet.pause();
        }
        if let Some(address) = connection {
            let _ = self.node.context.stop_address(&address);
        }
    }
}
