//! What the `ockam` command does around a relay and an inlet, which the library leaves to it: it asks the far node's
//! echo every ten seconds, and makes everything anew when three questions are open.
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use ockam::access_control::AllowAll;
use ockam::{Address, Context, MessageReceiveOptions, Result, route};
use tokio::time::{Instant, sleep, sleep_until};

#[derive(Clone, Copy)]
pub struct Pace {
    pub ping: Duration,
    pub lost: usize,
    pub retry: Duration,
}

#[derive(Clone, Default)]
pub struct Account {
    pub is_up: bool,
    /// How often it has been made.
    pub made: u64,
    pub pings: u64,
    pub pongs: u64,
    /// Where it can be reached, once it is made.
    pub address: String,
    pub failure: String,
}

#[derive(Default)]
pub struct Session(Mutex<Account>);

/// What is kept alive.
pub trait Subject: Send + Sync + 'static {
    /// The worker of the connection through which it was made, and its address.
    fn make(&self) -> impl Future<Output = Result<(Address, String)>> + Send;
    /// Lets go of what `make` made.
    fn drop(&self) -> impl Future<Output = ()> + Send;
}

impl Session {
    pub fn account(&self) -> Account {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.0.lock().unwrap());
    }

    pub async fn keep(&self, context: &Context, pace: Pace, subject: &impl Subject) {
        loop {
            match subject.make().await {
                Ok((connection, address)) => {
                    self.note(|account| {
                        account.is_up = true;
                        account.made += 1;
                        account.address = address;
                        account.failure.clear();
                    });
                    if let Err(error) = self.ask(context, pace, connection).await {
                        self.note(|account| account.failure = error.to_string());
                    }
                    self.note(|account| account.is_up = false);
                }
                Err(error) => {
                    self.note(|account| account.failure = error.to_string());
                    sleep(pace.retry).await;
                }
            }
            subject.drop().await;
        }
    }

    /// Ends when as many pings are open as may be lost.
    async fn ask(&self, context: &Context, pace: Pace, connection: Address) -> Result<()> {
        let own = Address::random_local();
        let flows = context.flow_controls();
        if let Some(flow) = flows.find_flow_control_with_producer_address(&connection) {
            flows.add_consumer(&own, flow.flow_control_id());
        }
        let mut collector = context.new_detached(own, AllowAll, AllowAll)?;
        let mut open: Vec<Vec<u8>> = vec![];
        while open.len() < pace.lost {
            let ping = ping();
            open.push(ping.clone());
            self.note(|account| account.pings += 1);
            // A connection that is gone is one that does not answer.
            let _ = collector.send(route![connection.clone(), "echo"], ping).await;
            let next = Instant::now() + pace.ping;
            while let Some(left) =
                next.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            {
                let options = MessageReceiveOptions::new().with_timeout(left);
                let Ok(pong) = collector.receive_extended::<Vec<u8>>(options).await else {
                    break;
                };
                let pong = pong.into_body()?;
                if open.contains(&pong) {
                    open.clear();
                    self.note(|account| account.pongs += 1);
                }
            }
            sleep_until(next).await;
        }
        Ok(())
    }
}

/// A random number as CBOR: an unsigned integer of 64 bits.
fn ping() -> Vec<u8> {
    let number = RandomState::new().hash_one(0) | 1 << 63;
    [&[0x1b][..], &number.to_be_bytes()].concat()
}
