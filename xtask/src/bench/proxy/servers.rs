//! What is measured, and what stands behind it: two registries of files, and a proxy of each kind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use airlift_oci::types::{Digest, media};
use anyhow::{Context, bail};

use crate::meter;
use crate::stage::Stage;

/// A manifest that the hot registry has.
pub(super) const IN_HOT: &str = "/v2/library/app/manifests/1";
/// How many others it has.
const MANY: usize = 1000;
/// A manifest that only the cold registry has.
pub(super) const IN_COLD: &str = "/v2/library/rare/manifests/1";
/// A blob of the hot registry: the digest of nothing.
pub(super) const BLOB: &str =
    "/v2/library/app/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Manifests that the hot registry has, as many as a busy site asks for.
pub(super) fn many_in_hot() -> Vec<String> {
    (0..MANY).map(|number| format!("/v2/library/app{number}/manifests/1")).collect()
}

/// The two registries.
pub(super) struct Ground {
    hot: String,
    digest: Digest,
    cold: String,
    _server: Server,
}

/// A server in a process; stopped when dropped.
pub(in crate::bench) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The most memory that it held so far, in bytes.
    pub(super) fn peak(&self) -> Option<u64> {
        meter::peak(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, so that nginx takes its workers along; it may have ended by itself.
        let id = self.child.id().to_string();
        let _ = std::process::Command::new("kill").arg(id).status();
        let _ = self.child.wait();
    }
}

impl Ground {
    /// Makes the files and starts the registries.
    pub(super) fn lay(stage: &Stage) -> anyhow::Result<Ground> {
        let manifest = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"config\":{{\"mediaType\":\"{}\",\"digest\":\"{}\",\"size\":0}},\"layers\":[{}]}}",
            media::OCI_MANIFEST,
            media::OCI_CONFIG,
            Digest::of(b""),
            vec![layer(); 12].join(",")
        );
        let digest = Digest::of(manifest.as_bytes());
        let write = |registry: &str, path: &str, content: &str| {
            let file = stage.path(registry).join(&path[1..]);
            fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
            fs::write(file, content)
        };
        write("cold", IN_COLD, &manifest)?;
        write("hot", BLOB, "")?;
        for path in many_in_hot().iter().chain([&IN_HOT.to_owned(), &by_digest(&digest)]) {
            write("hot", path, &manifest)?;
        }
        let (hot, cold) = (free()?, free()?);
        let server = |address: &str, name: &str| {
            format!(
                "server {{ listen {address}; root {};\n\
                 location ~ /manifests/ {{ default_type {}; add_header Docker-Content-Digest {digest}; }}\n\
                 location / {{ default_type application/octet-stream; }} }}\n",
                stage.path(name).display(),
                media::OCI_MANIFEST
            )
        };
        let config = server(&hot, "hot") + &server(&cold, "cold");
        let server = nginx(stage, "registries", &hot, &config)?;
        Ok(Ground { hot, digest, cold, _server: server })
    }

    /// The manifest of the hot registry, by digest.
    pub(super) fn by_digest(&self) -> String {
        by_digest(&self.digest)
    }

    /// `airlift proxy` before the registries.
    pub(super) fn airlift(&self, stage: &Stage) -> anyhow::Result<Server> {
        let config = format!(
            "server: {{address: 127.0.0.1, port: 0}}\n\
             registry: {{hot: {{url: 'http://{}'}}, cold: {{url: 'http://{}'}}}}\n\
             logging: {{level: warn}}\n",
            self.hot, self.cold
        );
        fs::write(stage.path("proxy.yaml"), config)?;
        let mut command = stage.command();
        command.args(["proxy", "proxy.yaml"]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut server = Server { child, address: String::new() };
        let Some((_, address)) = line.trim().split_once("http://") else {
            bail!("the proxy did not start");
        };
        address.clone_into(&mut server.address);
        Ok(server)
    }

    /// nginx before the registries.
    pub(super) fn nginx(&self, stage: &Stage) -> anyhow::Result<Server> {
        let address = free()?;
        let config = format!(
            "upstream hot {{ server {}; keepalive 256; }}\nupstream cold {{ server {}; keepalive 256; }}\n\
             server {{ listen {address};\n\
             location ~ /blobs/ {{ return 307 http://{}$request_uri; }}\n\
             location / {{ proxy_pass http://hot; proxy_http_version 1.1; proxy_set_header Connection ''; \
             proxy_intercept_errors on; error_page 404 = @cold; }}\n\
             location @cold {{ proxy_pass http://cold; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}\n",
            self.hot, self.cold, self.hot
        );
        nginx(stage, "front", &address, &config)
    }
}

fn by_digest(digest: &Digest) -> String {
    format!("/v2/library/app/manifests/{digest}")
}

fn layer() -> String {
    let (kind, digest) = ("application/vnd.oci.image.layer.v1.tar+gzip", Digest::of(b"x"));
    format!("{{\"mediaType\":\"{kind}\",\"digest\":\"{digest}\",\"size\":123456}}")
}

pub(in crate::bench) fn nginx(
    stage: &Stage,
    name: &str,
    address: &str,
    servers: &str,
) -> anyhow::Result<Server> {
    let at = stage.path(name);
    fs::create_dir_all(&at)?;
    let at = at.display();
    let user = if is_root() { "user root;\n" } else { "" };
    let config = format!(
        "{user}daemon off;\nworker_processes auto;\npid {at}/pid;\nerror_log {at}/error.log;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; sendfile on; open_file_cache max=2000;\n\
         client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
         uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n{servers}}}\n"
    );
    let file = stage.path(&format!("{name}.conf"));
    fs::write(&file, config)?;
    let mut command = stage.other("nginx");
    command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().context("starting nginx failed")?;
    let server = Server { child, address: address.to_owned() };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > Duration::from_secs(10) {
            let errors = fs::read_to_string(format!("{at}/error.log")).unwrap_or_default();
            bail!("nginx does not listen at {address}: {errors}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

/// nginx's workers must be able to read the files, which are ours.
fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

pub(in crate::bench) fn free() -> anyhow::Result<String> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string())
}
