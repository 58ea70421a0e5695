# The local service as an image: a capture server for the containers of a development machine, or with a configuration in /data/pillarbox.json
# what that says. (The listener on AWS has an image of its own: container/Dockerfile.)
#   docker compose up
# The base is pinned by the digest of its multi-platform index (24-slim as of August 2026), as in container/Dockerfile.
FROM node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df AS build
WORKDIR /src
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund && node local/build-package.ts

FROM node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df AS libraries
WORKDIR /app
COPY package.json package-lock.json ./
COPY local/node-24/package.json local/node-24/
RUN npm ci --omit=dev --omit=optional --omit=peer --ignore-scripts --no-audit --no-fund && rm node_modules/node-24

FROM node:24-slim@sha256:a9f5f7c91a432850b2a8a7797adf5eadb6c733ceed61167806cee7ea7fbc29df
# Mail is taken without TLS and with any login: the ports are published to this machine alone (compose.yaml).
ENV NODE_ENV=production PILLARBOX_DATA=/data PILLARBOX_ANY_LOGIN=1
ENV PILLARBOX_SMTP=1025 PILLARBOX_SMTP_HOST=0.0.0.0 PILLARBOX_HTTP=8025 PILLARBOX_HTTP_HOST=0.0.0.0
# Owned by root and not writable by the user that runs it.
WORKDIR /app
COPY --from=libraries /app/node_modules node_modules/
COPY --from=build /src/dist dist/
COPY package.json LICENSE ./
COPY cli/pillarbox.js cli/
RUN mkdir /data && chown 1000:1000 /data && ln -s /app/cli/pillarbox.js /usr/local/bin/pillarbox

# `node` of the base image, by number: what runs it can check that it is not root.
USER 1000:1000
WORKDIR /data
VOLUME /data
EXPOSE 1025 8025
STOPSIGNAL SIGTERM
# By the shell, which is there already and takes a fraction of the memory of a second Node.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$PILLARBOX_HTTP && printf 'GET /health HTTP/1.0\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n' \"${PILLARBOX_TOKEN:-$(</data/secrets/ops-token)}\" >&3 && read -r -t 4 _ status _ <&3 && [ \"$status\" = 200 ]"]

# Node itself is PID 1: it gets SIGTERM, and the server answers it (stops accepting, finishes what is in flight, exits 0).
CMD ["node", "/app/cli/pillarbox.js", "start"]
