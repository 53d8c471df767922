# TaskFlow as an image: the command `taskflow`, run by a user who owns nothing but its data.
#   docker build -t taskflow .
#   docker run -p 127.0.0.1:8000:8000 -v ./tasks:/app/tasks taskflow up --host 0.0.0.0 --insecure
# What a container listens on is reachable only through published ports: publish them on 127.0.0.1, or behind a proxy that asks who
# it is. /app holds tasks/ and, with the embedded store, .taskflow/.

FROM node:24-bookworm-slim AS build
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm pack --pack-destination /
WORKDIR /app
RUN echo '{ "private": true, "type": "module" }' > package.json \
  && npm install --omit=dev --ignore-scripts --no-audit --no-fund /taskflowjs-*.tgz \
  && mkdir tasks .taskflow

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app ./
RUN chown node:node .taskflow && ln -s /app/node_modules/.bin/taskflow /usr/local/bin/taskflow
USER node
EXPOSE 8000
VOLUME /app/.taskflow
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TASKFLOW_SERVER_PORT ?? 8000}/health`).then((it) => process.exit(it.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["taskflow"]
CMD ["up"]
