//! A connection to a Portway daemon's API, and its errors in words.

use std::{env, error::Error, fs, path::PathBuf, time::Duration};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Endpoint,
};
use tonic_types::StatusExt;

mod proto {
    #![allow(clippy::all, dead_code)]
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}
pub use proto::portway::v1 as api;

/// Any error of a program that calls the API.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What the generated clients call through.
pub type Channel = InterceptedService<tonic::transport::Channel, Bearer>;

/// Puts the daemon's token on every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A message of another node has up to 16 MiB; gRPC takes 4 MiB unless told.
pub const MAX_RECEIVED_BYTES: usize = 32 * 1024 * 1024;

/// A channel to PORTWAY_ADDRESS, which connects with its first call. Each answer has to begin within 30 s.
pub fn connect() -> Result<Channel, Failure> {
    let address = env::var("PORTWAY_ADDRESS").unwrap_or_else(|_| "127.0.0.1:4600".into());
    let token = match env::var("PORTWAY_TOKEN") {
        Ok(token) => token,
        Err(_) => read_token()?,
    };
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .timeout(Duration::from_secs(30))
        .connect_lazy();
    let bearer = Bearer(format!("Bearer {token}").parse()?);
    Ok(InterceptedService::new(channel, bearer))
}

fn read_token() -> Result<String, Failure> {
    let home = env::var_os("PORTWAY_HOME").map(PathBuf::from);
    let path = home
        .or_else(|| Some(env::home_dir()?.join(".portway")))
        .ok_or("there is no home directory: set PORTWAY_TOKEN")?
        .join("token");
    match fs::read_to_string(&path) {
        Ok(token) => Ok(token.trim().into()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// The code, the stable reason (an ErrorInfo) and the message of a failed call; any other error's message.
pub fn explain(failure: &Failure) -> String {
    let Some(status) = failure.downcast_ref::<Status>() else {
        return failure.to_string();
    };
    let reason = match status.get_details_error_info() {
        Some(info) => format!(" ({})", info.reason),
        None => String::new(),
    };
    format!("{:?}{reason}: {}", status.code(), status.message())
}
