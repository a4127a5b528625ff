//! A real S3 server as a process of its own, so that a test can kill it: files of `ROOT` over the
//! S3 protocol on `ADDRESS`, for one pair of keys.
#![allow(clippy::expect_used)]

use std::error::Error;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let [root, address, id, secret] =
        std::array::from_fn(|_| arguments.next().expect("ROOT ADDRESS ID SECRET"));
    let files = FileSystem::new(&root).map_err(|error| format!("{root}: {error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(id, secret));
    let service = service.build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            let service = service.clone();
            tokio::spawn(async move {
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    })
}
