FROM node:24-slim

ENV NODE_ENV=production
WORKDIR /app

# The npm package `node` serves machines with an older Node.js: its install script would fetch a second one here.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

COPY . .
# What `version` answers: docker build --build-arg COMMIT=$(git rev-parse HEAD) .
ARG COMMIT=
RUN if [ -n "$COMMIT" ]; then echo "$COMMIT" > COMMIT; fi \
  && mkdir data && chown node:node data

USER node
# One process listens on loopback unless it is told otherwise, which nobody could reach in a container.
ENV HOST=0.0.0.0
EXPOSE 3000 3001 1883 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.METRICS_PORT || process.env.HTTP_PORT || 3000}/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

# No npm in between: node is process 1 and gets the signals. `node services/main.ts auth` and the like replace this.
CMD ["node", "main.ts"]
