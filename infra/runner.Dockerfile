# syntax=docker/dockerfile:1

# The runner of shared tasks (`spillway.coalesce`), and nothing else: a static program of about a megabyte. ECS starts it for a moment, and it
# copies itself into a volume of the task. Push it where your hosts may pull from, for both architectures, and name it in the setting runner-image:
#
#   docker buildx build --file infra/runner.Dockerfile --platform linux/amd64,linux/arm64 --tag REGISTRY/spillway-runner:1 --push .

FROM rust:1.95-alpine AS build
WORKDIR /src
COPY . .
# Alpine's target is musl, which links statically: it runs in any image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --package spillway-runner \
    && install -D target/release/spillway-runner /image/spillway-runner

FROM scratch
COPY --from=build /image/spillway-runner /spillway-runner
ENTRYPOINT ["/spillway-runner"]
