//! The services of a node of `ockam` that its library does not have.
use ockam::{Context, LocalMessage, Result, Routed, Worker};

/// Gives each payload back as it came.
pub struct Echo;

#[ockam::worker]
impl Worker for Echo {
    type Context = Context;
    type Message = Vec<u8>;

    async fn handle_message(
        &mut self,
        context: &mut Context,
        message: Routed<Vec<u8>>,
    ) -> Result<()> {
        let back = message.return_route().clone();
        context.send(back, message.into_body()?).await
    }
}

/// Takes a counted text and gives it back in capitals.
pub struct Uppercase;

#[ockam::worker]
impl Worker for Uppercase {
    type Context = Context;
    type Message = String;

    async fn handle_message(
        &mut self,
        context: &mut Context,
        message: Routed<String>,
    ) -> Result<()> {
        let back = message.return_route().clone();
        context.send(back, message.into_body()?.to_uppercase()).await
    }
}

/// Passes on to the next address of the route, and puts itself on the way back.
pub struct Hop;

#[ockam::worker]
impl Worker for Hop {
    type Context = Context;
    type Message = Vec<u8>;

    async fn handle_message(
        &mut self,
        context: &mut Context,
        message: Routed<Vec<u8>>,
    ) -> Result<()> {
        let own = context.primary_address().clone();
        let message: LocalMessage = message.into_local_message().step_forward(own)?;
        context.forward(message).await
    }
}
