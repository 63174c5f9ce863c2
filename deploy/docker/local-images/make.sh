#!/bin/bash
# Makes the base images that deploy/docker/Dockerfile and docker-compose.yml name, for machines that reach Debian's
# mirrors and the npm registry but no container registry. They get the names of the official images, so nothing is
# pulled afterwards; where those can be pulled, this is not needed.
#   usage: deploy/docker/local-images/make.sh [FOLDER]    as root, with a dockerd that DOCKER_HOST or the default reaches
# FOLDER keeps the two Debian trees for the next time (default: /var/cache/novella/images). Needs debootstrap, npm, docker.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${1:-/var/cache/novella/images}
# The Node that package-lock.json pins for this machine, and an npm that fits it.
machine=$(node -p 'process.arch')
node_package="node-linux-$machine@$(node -p "require('$here/../../../package.json').optionalDependencies['node-linux-$machine']")"
npm_package=npm@11
export DOCKER_BUILDKIT=0

say() { echo "local-images: $*"; }

debian() { # suite
  if ! docker image inspect "debian:$1-slim" >/dev/null 2>&1; then
    if [ ! -d "$cache/$1" ]; then
      say "debootstrap $1"
      rm -rf "$cache/.$1"
      debootstrap --variant=minbase "$1" "$cache/.$1" >"$cache/$1.log" 2>&1 || { tail -n 20 "$cache/$1.log"; exit 1; }
      mv "$cache/.$1" "$cache/$1"
    fi
    tar -C "$cache/$1" --exclude=./var/cache/apt/archives --exclude=./var/lib/apt/lists -c . |
      docker import - "debian:$1-slim" >/dev/null
  fi
}

build() { # image dockerfile context
  say "$1"
  docker build --tag "$1" --file "$here/$2" "$3" >"$cache/build.log" 2>&1 || { tail -n 30 "$cache/build.log"; exit 1; }
}

mkdir -p "$cache"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

debian bookworm
(cd "$context" && npm pack --silent "$node_package" "$npm_package" >/dev/null)
mkdir "$context/node" "$context/npm"
tar -xzf "$context"/node-linux-*.tgz -C "$context/node" --strip-components=1 package/bin
chmod 0755 "$context/node/bin/node"
tar -xzf "$context"/npm-*.tgz -C "$context/npm" --strip-components=1
rm "$context"/*.tgz
# Certificates of a proxy that this machine trusts must be trusted inside as well.
cp /etc/ssl/certs/ca-certificates.crt "$context/ca-certificates.crt"
build node:24-bookworm-slim node.Dockerfile "$context"

debian trixie
build postgres:17 postgres.Dockerfile "$here"
build rabbitmq:4 rabbitmq.Dockerfile "$here"
docker image ls --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep -E '^(debian|node|postgres|rabbitmq):'
