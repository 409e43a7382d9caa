# airlift as one static binary in an otherwise empty image, not run as root.
#   docker build -t airlift .
# As a proxy, with its settings at the path that the first document on mirror-registry mounts them at:
#   docker run -p 5000:5000 -v "$PWD/config.yaml:/root/config.yaml:ro" airlift
FROM docker.io/library/rust:1.95.0-alpine AS build
RUN apk add --no-cache build-base cmake linux-headers perl
WORKDIR /src
COPY . .
# On Alpine the C library is linked into the binary.
RUN cargo build --release --locked --package airlift && install -Dm755 target/release/airlift /out/airlift

FROM scratch
COPY --from=build /out/airlift /usr/bin/airlift
# The working directory, in which the proxy looks for config.yaml: deployments of mirror-registry mount it at /root/config.yaml.
WORKDIR /root
USER 65532:65532
EXPOSE 5000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/airlift"]
CMD ["proxy"]
